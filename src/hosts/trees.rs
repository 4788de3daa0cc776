//! Hosts that hold whole trees side by side and give one of them out: whoever reads gets the former tree or the new one.
//!
//! ```text
//! PLACE/
//!   current -> trees/NAME    what a web server gives out
//!   trees/NAME/…             a tree, whole
//!   incoming/…               new files on their way into the next tree
//!   roadstead.json           who publishes here
//! ```
//!
//! A new tree is made of hard links to what the former one has, and of new files. So it takes the room of what is new alone, and
//! what is there is never written to.

use std::path::{Component, Path};

use async_trait::async_trait;
use futures::StreamExt as _;
use sha2::{Digest as _, Sha256};

use super::{Content, Object, Stored, Uploads};
use crate::error::{Error, Kind, Result};
use crate::text::printable_within;

/// The link to the tree that is given out.
pub const CURRENT: &str = "current";
/// The directory of the trees.
pub const TREES: &str = "trees";
/// The directory of new files.
pub const INCOMING: &str = "incoming";

/// The file beside the trees that says who publishes here.
pub const RECORD: &str = crate::site::objects::RECORD_KEY;
/// More than this is no record, in bytes.
pub(super) const MAX_RECORD_BYTES: u64 = 64 << 10;

/// What a web server has to send that a file does not say.
pub(super) const WEB_SERVER: &str = "serve `current` with the configuration that `roadstead config web nginx` or `roadstead config web caddy` prints: \
     clients need the type of a manifest in `Content-Type`";

/// A tree that is made from the one that is given out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewTree {
    /// What it is called: one part of a path.
    pub name: String,
    /// Files of the former tree that it does not have, or has anew.
    pub without: Vec<String>,
    /// Files that were laid out and sent.
    pub new: Vec<String>,
    /// Files that the former tree has under another key: from there, to here.
    pub same: Vec<(String, String)>,
}

/// What a host can say of the bytes that it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Each file is read through here.
    Bytes,
    /// Digests are computed there.
    Digests,
    /// Nothing but sizes.
    Sizes,
}

/// Takes whole trees. Nothing that is done before [`Trees::switch`] is seen by those who read.
#[async_trait]
pub trait Trees: Send + Sync {
    /// The directory on this machine in which new files are laid out below their keys, before they are sent.
    fn layout(&self) -> &Path;

    /// Files are laid out as hard links into the blob store where that is possible; otherwise as files of their own.
    fn hard_links(&self) -> bool;

    /// New files go over a network: what is laid out is not there yet.
    fn is_remote(&self) -> bool;

    /// The tree that is given out.
    async fn current(&self) -> Result<Option<String>>;

    /// Brings what was laid out under these keys to the host. What came there before a cut is not sent again.
    async fn send(&self, keys: &[String], uploads: &dyn Uploads) -> Result<()>;

    /// Makes a tree, in place of one of this name that a cut has left.
    async fn make(&self, tree: &NewTree) -> Result<()>;

    /// Gives this tree out from now on, if the record is still the one with this tag.
    async fn switch(&self, name: &str, record: &str) -> Result<Stored>;

    /// Removes all trees that are not given out, and what was on its way. Which these are, and how many.
    async fn tidy(&self) -> Result<u64>;

    /// How the files of the tree that is given out can be checked.
    async fn reading(&self) -> Result<Reading> {
        Ok(Reading::Bytes)
    }

    /// The SHA-256 digests of these files of the tree that is given out, as the host computes them, in their order; none of
    /// what is not there.
    async fn digests(&self, _keys: &[String]) -> Result<Vec<Option<[u8; 32]>>> {
        Err(Error::new(Kind::Unexpected, "this host computes no digests"))
    }
}

/// What a file of a tree is called by, where its time is the one that it was laid out with.
pub fn tag(size: u64, modified_seconds: i64) -> String {
    format!("{size}-{modified_seconds}")
}

/// Whether a key can be a path below a tree, and nothing else.
pub fn is_sound(key: &str) -> bool {
    let inside = Path::new(key).components().all(|part| matches!(part, Component::Normal(_)));
    inside && !key.is_empty() && !key.ends_with('/') && !key.contains(['\\', '\0']) && !key.contains(char::is_control)
}

/// An error for the first key that can't be a path.
pub fn check_keys<'k>(mut keys: impl Iterator<Item = &'k str>) -> Result<()> {
    match keys.find(|key| !is_sound(key)) {
        None => Ok(()),
        Some(key) => {
            Err(Error::new(Kind::Verification, format!("`{}` can't be the name of a file", printable_within(key, 200))))
        }
    }
}

/// A part of a path that a tree may be called by.
pub fn is_name(name: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=128).contains(&name.len()) && name.bytes().all(sound) && !name.starts_with('-')
}

/// What a record is called by: its digest.
pub(super) fn record_tag(record: &[u8]) -> String {
    Sha256::digest(record).iter().fold(String::with_capacity(64), |mut text, byte| {
        use std::fmt::Write as _;
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of a content, which may have this many at most.
pub(super) async fn record_of(object: &Object, content: &dyn Content) -> Result<Vec<u8>> {
    let mut pieces = content.read(0, object.size.min(MAX_RECORD_BYTES)).await?;
    let mut all = Vec::new();
    while let Some(piece) = pieces.next().await {
        all.extend_from_slice(&piece?);
    }
    Ok(all)
}

/// The record alone is written as a file by itself.
pub(super) fn check_record(key: &str) -> Result<()> {
    if key == RECORD {
        return Ok(());
    }
    Err(Error::new(Kind::Unexpected, format!("`{key}` can't be stored by itself: trees are made as a whole")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_below_their_tree() {
        for good in ["index.html", "oci/v2/a/blobs/sha256:ab", "v2/a b/tags/list"] {
            assert!(is_sound(good), "{good}");
        }
        for bad in ["", "/etc/passwd", "../a", "a/../b", "a/", "a\nb", "a\\b", "."] {
            assert!(!is_sound(bad), "{bad}");
        }
        assert!(check_keys(["a", "../b"].into_iter()).unwrap_err().to_string().contains("../b"));
        assert!(is_name("bafy-2") && !is_name("..") && !is_name("a/b") && !is_name("") && !is_name("-rf"));
    }
}
