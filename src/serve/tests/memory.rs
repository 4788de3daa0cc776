//! A shelf in memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;

use crate::error::{Error, Kind, Result};
use crate::image::{Descriptor, Digest, RepositoryName, Target, media};
use crate::serve::{BlobAnswer, BlobContent, ContentSource, ManifestAnswer, RepositoryPage, TagPage};

pub(super) enum Kept {
    Bytes(Bytes),
    File(PathBuf, u64),
}

#[derive(Default)]
pub(super) struct Repository {
    pub(super) tags: BTreeMap<String, Digest>,
    pub(super) manifests: BTreeMap<Digest, (Bytes, String)>,
    pub(super) blobs: BTreeMap<Digest, Kept>,
    pub(super) missing: BTreeMap<Digest, String>,
    pub(super) referrers: BTreeMap<Digest, Vec<Descriptor>>,
}

#[derive(Default)]
pub(super) struct Content {
    pub(super) repositories: BTreeMap<String, Repository>,
    pub(super) aliases: BTreeMap<String, String>,
    pub(super) pages: BTreeMap<String, Bytes>,
    pub(super) failure: Option<Kind>,
}

/// Counts what it is asked; every change is a new generation.
#[derive(Default)]
pub(in crate::serve) struct MemorySource {
    content: Mutex<Content>,
    generation: AtomicU64,
    asked: AtomicUsize,
    alive: Arc<Alive>,
}

/// Bytes of manifests that were given out and are still in memory, and the most there were.
#[derive(Default)]
struct Alive {
    now: AtomicUsize,
    most: AtomicUsize,
}

/// A copy of its own, as a database gives it.
struct Copied(Vec<u8>, Arc<Alive>);

impl Copied {
    fn of(bytes: &Bytes, alive: &Arc<Alive>) -> Bytes {
        let now = alive.now.fetch_add(bytes.len(), Ordering::SeqCst) + bytes.len();
        alive.most.fetch_max(now, Ordering::SeqCst);
        Bytes::from_owner(Self(bytes.to_vec(), Arc::clone(alive)))
    }
}

impl AsRef<[u8]> for Copied {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        self.1.now.fetch_sub(self.0.len(), Ordering::SeqCst);
    }
}

impl Repository {
    pub(super) fn add_manifest(&mut self, tag: &str, text: &str) -> Digest {
        let bytes = Bytes::from(text.to_owned());
        let digest = Digest::of(&bytes);
        self.tags.insert(tag.to_owned(), digest);
        self.manifests.insert(digest, (bytes, media::OCI_MANIFEST.to_owned()));
        digest
    }

    pub(super) fn add_blob(&mut self, bytes: &'static [u8]) -> Digest {
        let digest = Digest::of(bytes);
        self.blobs.insert(digest, Kept::Bytes(Bytes::from_static(bytes)));
        digest
    }

    pub(super) fn add_file(&mut self, path: &std::path::Path) -> Digest {
        let bytes = std::fs::read(path).unwrap();
        let digest = Digest::of(&bytes);
        self.blobs.insert(digest, Kept::File(path.to_owned(), bytes.len() as u64));
        digest
    }
}

impl MemorySource {
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Content) -> T) -> T {
        let result = change(&mut self.content.lock().unwrap());
        self.generation.fetch_add(1, Ordering::SeqCst);
        result
    }

    pub(super) fn repository<T>(&self, name: &str, change: impl FnOnce(&mut Repository) -> T) -> T {
        self.change(|content| change(content.repositories.entry(name.to_owned()).or_default()))
    }

    pub(super) fn times_asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Bytes of manifests in memory: now, and the most there were.
    pub(super) fn bytes_alive(&self) -> (usize, usize) {
        (self.alive.now.load(Ordering::SeqCst), self.alive.most.load(Ordering::SeqCst))
    }

    fn content(&self) -> Result<MutexGuard<'_, Content>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let content = self.content.lock().unwrap();
        match content.failure {
            Some(kind) => Err(Error::new(kind, "/secret/path is broken")),
            None => Ok(content),
        }
    }

    fn of<T>(&self, name: &RepositoryName, answer: impl FnOnce(&str, &Repository) -> Option<T>) -> Result<Option<T>> {
        let content = self.content()?;
        let name = content.aliases.get(name.as_str()).map_or(name.as_str(), String::as_str);
        Ok(content.repositories.get(name).and_then(|repository| answer(name, repository)))
    }
}

fn page<'a>(all: impl Iterator<Item = &'a String>, after: Option<&str>, limit: Option<usize>) -> (Vec<String>, bool) {
    let mut rest = all.filter(|item| after.is_none_or(|after| item.as_str() > after));
    let items = rest.by_ref().take(limit.unwrap_or(usize::MAX)).cloned().collect();
    (items, rest.next().is_some())
}

impl ContentSource for MemorySource {
    fn generation(&self) -> Result<u64> {
        Ok(self.generation.load(Ordering::SeqCst))
    }

    fn manifest(&self, name: &RepositoryName, target: &Target) -> Result<Option<ManifestAnswer>> {
        self.of(name, |_, repository| {
            let digest = match target {
                Target::Tag(tag) => *repository.tags.get(tag.as_str())?,
                Target::Digest(digest) => *digest,
            };
            let (bytes, media_type) = repository.manifests.get(&digest)?.clone();
            Some(ManifestAnswer { bytes: Copied::of(&bytes, &self.alive), media_type, digest })
        })
    }

    fn missing_child(&self, name: &RepositoryName, digest: &Digest) -> Result<Option<String>> {
        self.of(name, |_, repository| repository.missing.get(digest).cloned())
    }

    fn blob(&self, name: &RepositoryName, digest: &Digest) -> Result<Option<BlobAnswer>> {
        let found = self.of(name, |_, repository| {
            Some(match repository.blobs.get(digest)? {
                Kept::Bytes(bytes) => Ok((BlobContent::Bytes(bytes.clone()), bytes.len() as u64)),
                Kept::File(path, size) => File::open(path).map(|file| (BlobContent::File(Arc::new(file)), *size)),
            })
        })?;
        let found = found.transpose()?;
        Ok(found.map(|(content, size)| BlobAnswer { size, content }))
    }

    fn tags(&self, name: &RepositoryName, after: Option<&str>, limit: Option<usize>) -> Result<Option<TagPage>> {
        self.of(name, |name, repository| {
            let (tags, more) = page(repository.tags.keys(), after, limit);
            Some(TagPage { name: name.parse().unwrap(), tags, more })
        })
    }

    fn repositories(&self, after: Option<&str>, limit: Option<usize>) -> Result<RepositoryPage> {
        let (names, more) = page(self.content()?.repositories.keys(), after, limit);
        Ok(RepositoryPage { names, more })
    }

    fn referrers(&self, name: &RepositoryName, subject: &Digest) -> Result<Option<Vec<Descriptor>>> {
        self.of(name, |_, repository| Some(repository.referrers.get(subject).cloned().unwrap_or_default()))
    }

    fn page(&self, path: &str) -> Result<Option<Bytes>> {
        Ok(self.content()?.pages.get(path).cloned())
    }

    fn root(&self) -> Result<Option<cid::Cid>> {
        Ok("bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi".parse().ok())
    }
}
