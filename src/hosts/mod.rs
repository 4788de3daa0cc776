//! Static hosts: places that hold the published tree as files, under keys, and give them out without knowing what they are.
//!
//! A [`Host`] lists, reads, stores and deletes objects by key. What it can do besides is a capability: [`CopyObjects`], [`Trees`].
//! Which objects belong there, and in which order they go, is decided by who publishes; an adapter does one thing at a time.
//! [`s3`] is a bucket, [`directory`] a directory of this machine, [`ssh`] one of another machine.
//! Knows keys, bytes and headers; must not know the tree, nor the catalog. Everything that a host says is untrusted: answers are
//! capped, and what it lists is looked up among what is known here.

pub mod directory;
pub mod s3;
pub mod ssh;
pub mod trees;

use std::fmt;
use std::io;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use self::trees::Trees;
use crate::error::Result;

/// What it means that a host stores under any condition.
pub const NO_CONDITIONS: &str =
    "The host does not keep to conditions: two publishers at the same time would not notice each other.";

/// The bytes of an object, in pieces of any size.
pub type ByteStream = BoxStream<'static, io::Result<Bytes>>;

/// How long caches between host and client may keep an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caching {
    /// Its name says what its bytes are.
    Immutable,
    /// It may be another one soon.
    Brief,
}

impl Caching {
    /// The header `Cache-Control` (RFC 9111, section 5.2).
    pub fn header(self) -> &'static str {
        match self {
            Self::Immutable => "public, max-age=31536000, immutable",
            Self::Brief => "public, max-age=60, must-revalidate",
        }
    }
}

/// What is stored under a key, besides its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Path below the place that the target names, without a leading slash.
    pub key: String,
    /// Bytes of its content.
    pub size: u64,
    /// SHA-256 of its content.
    pub sha256: [u8; 32],
    /// The header `Content-Type`.
    pub content_type: String,
    /// How long caches may keep it.
    pub caching: Caching,
    /// It is a manifest, and this its digest: what a front can send as `Docker-Content-Digest`.
    pub manifest_digest: Option<String>,
}

/// Where the bytes of an object come from; they are read as often as sending is tried.
#[async_trait]
pub trait Content: Send + Sync {
    /// `length` bytes from `offset` on.
    async fn read(&self, offset: u64, length: u64) -> Result<ByteStream>;
}

#[async_trait]
impl Content for Bytes {
    async fn read(&self, offset: u64, length: u64) -> Result<ByteStream> {
        let (start, end) = (offset as usize, offset.saturating_add(length) as usize);
        let part = self.slice(start.min(self.len())..end.min(self.len()));
        Ok(Box::pin(futures::stream::once(async move { Ok(part) })))
    }
}

/// What has to be under a key so that it may be stored there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Anything, or nothing.
    Always,
    /// Nothing.
    Absent,
    /// What the host calls by this tag.
    Tag(String),
}

/// What came of storing something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// It is there, and the host calls it by this tag.
    Now(String),
    /// The condition did not hold, and nothing changed.
    Refused,
}

/// An object as a host lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Path below the place that the target names.
    pub key: String,
    /// Bytes that it has.
    pub size: u64,
    /// What the host calls its content by: an ETag (RFC 9110, section 8.8.3), without its quotes. Another content has another one.
    pub tag: String,
}

/// A part of what a host lists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// Objects of this page.
    pub objects: Vec<Listed>,
    /// What the next page is asked for with; none: this is the last.
    pub next: Option<String>,
}

/// An object as a host gives it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Its bytes.
    pub bytes: Bytes,
    /// What the host calls them by.
    pub tag: String,
    /// The header `Content-Type`.
    pub content_type: String,
}

/// A right that publishing needs, and what came of trying it without lasting change.
#[derive(Debug)]
pub struct Tried {
    /// What was tried: `list`, `store`, `delete` …
    pub right: &'static str,
    /// What came of it; the words are worth telling.
    pub outcome: Result<String>,
    /// Publishing works without it, with less to rely on.
    pub optional: bool,
}

/// What anybody can do without credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Openness {
    /// Read an object; none where it can't be told, since there is none yet.
    pub read: Option<bool>,
    /// List what is there.
    pub list: bool,
}

/// What a host says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostStatus {
    /// Its program, as it says, or the protocol.
    pub agent: String,
    /// Where clients get objects, if that is known: a URL.
    pub url: String,
}

/// Part of an upload that was begun and has not ended, so that it is continued instead of begun anew.
#[async_trait]
pub trait Uploads: Send + Sync {
    /// The upload of this object that was begun.
    async fn begun(&self, key: &str) -> Result<Option<String>>;

    /// One has begun, with this name; or none goes on any more.
    async fn note(&self, key: &str, upload: Option<&str>) -> Result<()>;

    /// So many bytes of it are there.
    fn sent(&self, bytes: u64);

    /// So many bytes of it were there already.
    fn found(&self, _bytes: u64) {}
}

/// A place that holds the published tree as files.
///
/// An error of the host has the kind `Node`, one of getting there `Network`; refused credentials have the kind `Auth`.
#[async_trait]
pub trait Host: fmt::Debug + Send + Sync {
    /// Where it is, for people: never with credentials.
    fn place(&self) -> String;

    /// Whether it answers, and what it says of itself.
    async fn status(&self) -> Result<HostStatus>;

    /// Tries each right that publishing needs, and leaves nothing behind.
    async fn try_rights(&self) -> Vec<Tried>;

    /// A page of everything below the place, in any order: the first one, or the one that follows by what the former says.
    async fn list(&self, next: Option<&str>) -> Result<Page>;

    /// A small object; none if it is not there. One that is larger than `most` bytes is an error.
    async fn read(&self, key: &str, most: u64) -> Result<Option<Read>>;

    /// The same in pieces of any size, however large it is.
    async fn open(&self, key: &str) -> Result<Option<ByteStream>>;

    /// Stores an object as a whole: whoever asks meanwhile gets the former one, or none.
    async fn put(
        &self,
        object: &Object,
        content: &dyn Content,
        condition: &Condition,
        uploads: &dyn Uploads,
    ) -> Result<Stored>;

    /// Deletes an object, if it is still the one with this tag. It not being there is fine.
    async fn delete(&self, key: &str, tag: Option<&str>) -> Result<Stored>;

    /// Gives an upload up that was begun, so that its parts take no room.
    async fn give_up(&self, _key: &str, _upload: &str) {}

    /// What was found out about it meanwhile that is worth knowing, in sentences.
    fn doubts(&self) -> Vec<String> {
        Vec::new()
    }

    /// How it copies what it has. None: everything is sent.
    fn copies(&self) -> Option<&dyn CopyObjects>;

    /// How it takes whole trees and switches between them. None: objects are replaced one by one.
    fn trees(&self) -> Option<&dyn Trees> {
        None
    }

    /// Requests that were sent so far, those that were sent again included. None: it is not asked by requests.
    fn requests(&self) -> Option<u64> {
        None
    }

    /// What anybody can do without credentials, tried on this key.
    async fn openness(&self, key: &str) -> Openness;
}

/// Copies objects without their bytes going through here.
#[async_trait]
pub trait CopyObjects: Send + Sync {
    /// The largest object that is copied, in bytes.
    fn max_bytes(&self) -> u64;

    /// Stores under the object's key what another key has, with the object's headers.
    async fn copy(&self, from: &str, object: &Object) -> Result<Stored>;
}
