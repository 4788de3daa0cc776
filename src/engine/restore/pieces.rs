//! Leaves of blobs that were left elsewhere, taken before the bytes in front of them: what clients of lazily pulled layers ask for.
//!
//! They are kept in a file without a name, which the system removes with this process, so that a leaf comes once however many
//! small ranges of it are asked for, and the whole blob, when somebody wants it, takes them from here. Nothing of it is state:
//! what is forgotten is fetched again.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OnceCell, Semaphore};
use tokio::time::timeout;

use super::body::leaf_content;
use crate::catalog::blobs::Blob;
use crate::engine::blocking::blocking;
use crate::error::{Context as _, Error, Kind, Result};
use crate::image::Digest;
use crate::node::source::BlockSource;
use crate::store::Store;
use crate::unixfs::Profile;

/// Bytes of leaves that are kept of all blobs. The one that is asked for now is kept beyond that.
const MAX_KEPT_BYTES: u64 = 512 << 20;
/// Blobs of which leaves are kept.
const MAX_KEPT_BLOBS: usize = 64;
/// Leaves that these blobs have in all, here or not: 8 MiB of digests. The blob that is asked for now may have more.
const MAX_KNOWN_LEAVES: usize = 256 << 10;
/// How long the leaves of a blob are kept that nobody asks for.
const KEEP_TIME: Duration = Duration::from_mins(10);
/// Leaves that are fetched at once: each is in memory until it is written.
const MAX_CONCURRENT_LEAVES: usize = 8;
/// How long is waited for a leaf.
const STALL_TIMEOUT: Duration = Duration::from_mins(2);

/// The leaves of one blob that are here.
#[derive(Debug)]
pub(in crate::engine) struct Pieces {
    digest: Digest,
    size: u64,
    profile: Profile,
    digests: Vec<[u8; 32]>,
    file: Arc<File>,
    leaves: Mutex<BTreeMap<u64, Arc<OnceCell<()>>>>,
    held_bytes: AtomicU64,
    whole_wanted: AtomicBool,
    fetches: Arc<Semaphore>,
}

impl Pieces {
    /// The bytes of the leaf that has the byte at `position`.
    pub(in crate::engine) fn leaf_around(&self, position: u64) -> Range<u64> {
        let chunk = self.profile.chunk_size();
        let start = position - position % chunk;
        start..(start + chunk).min(self.size)
    }

    /// The file in which leaves are where they are in the blob.
    pub(in crate::engine) fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    /// Whether the leaf with this byte is here.
    pub(in crate::engine) fn has(&self, position: u64) -> bool {
        let leaves = self.leaves();
        leaves.get(&(position / self.profile.chunk_size())).is_some_and(|leaf| leaf.initialized())
    }

    /// Up to where, from the beginning of a leaf on, all leaves are here; `position` itself if its leaf isn't.
    pub(in crate::engine) fn run_from(&self, position: u64) -> u64 {
        let mut end = position;
        while end < self.size && end.is_multiple_of(self.profile.chunk_size()) && self.has(end) {
            end = self.leaf_around(end).end;
        }
        end
    }

    /// Bytes of a leaf that is here. Blocking.
    pub(super) fn read(&self, position: u64) -> Result<Vec<u8>> {
        let leaf = self.leaf_around(position);
        let mut bytes = vec![0; (leaf.end - leaf.start) as usize];
        self.file.read_exact_at(&mut bytes, leaf.start).context(|| format!("read a leaf of {}", self.digest))?;
        Ok(bytes)
    }

    /// Whether so much is here that the rest is to be brought too; says so once.
    pub(in crate::engine) fn wants_whole(&self) -> bool {
        let is_most = self.held_bytes.load(Ordering::Relaxed) > self.size / 2;
        is_most && !self.whole_wanted.swap(true, Ordering::Relaxed)
    }

    /// Fetches the leaf with this byte, unless it is here. Who asks for the same one waits for the same fetch; may be dropped.
    pub(in crate::engine) async fn bring(self: &Arc<Self>, source: &dyn BlockSource, position: u64) -> Result<()> {
        let number = position / self.profile.chunk_size();
        let leaf = Arc::clone(self.leaves().entry(number).or_default());
        leaf.get_or_try_init(|| self.fetch(source, number)).await.map(drop)
    }

    async fn fetch(self: &Arc<Self>, source: &dyn BlockSource, number: u64) -> Result<()> {
        let range = self.leaf_around(number * self.profile.chunk_size());
        let length = range.end - range.start;
        let unknown = || Error::new(Kind::Verification, format!("{} has no leaf {number}", self.digest));
        let digest = usize::try_from(number).ok().and_then(|number| self.digests.get(number)).ok_or_else(unknown)?;
        let cid = self.profile.leaf_cid(digest);
        let _permit = self
            .fetches
            .acquire()
            .await
            .map_err(|error| Error::new(Kind::Unexpected, "blobs are no longer served").caused_by(error))?;
        let late = |_| Error::new(Kind::Network, format!("nothing came for {} s", STALL_TIMEOUT.as_secs()));
        let content = timeout(STALL_TIMEOUT, leaf_content(source, &cid)).await.map_err(late)??;
        if content.len() as u64 != length {
            let words = format!("{cid} has {} bytes of a file instead of {length}", content.len());
            return Err(Error::new(Kind::Verification, words));
        }
        let pieces = Arc::clone(self);
        blocking(move || {
            pieces.file.write_all_at(&content, range.start).context(|| format!("write a leaf of {}", pieces.digest))
        })
        .await?;
        self.held_bytes.fetch_add(length, Ordering::Relaxed);
        Ok(())
    }

    fn leaves(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<OnceCell<()>>>> {
        self.leaves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The blobs of which leaves are here, the one that was asked for last at the end.
#[derive(Debug)]
pub(in crate::engine) struct KeptPieces {
    kept: Mutex<Vec<(Arc<Pieces>, Instant)>>,
    fetches: Arc<Semaphore>,
}

impl Default for KeptPieces {
    fn default() -> Self {
        Self { kept: Mutex::default(), fetches: Arc::new(Semaphore::new(MAX_CONCURRENT_LEAVES)) }
    }
}

impl KeptPieces {
    /// What is here of a blob.
    pub(in crate::engine) fn of(&self, digest: &Digest) -> Option<Arc<Pieces>> {
        let kept = self.kept();
        kept.iter().find(|(pieces, _)| pieces.digest == *digest).map(|(pieces, _)| Arc::clone(pieces))
    }

    /// The same, and begins with nothing if there is none; `digests` are those of its leaves.
    pub(in crate::engine) fn begin(
        &self,
        store: &Store,
        blob: &Blob,
        profile: Profile,
        digests: impl FnOnce() -> Result<Vec<[u8; 32]>>,
    ) -> Result<Arc<Pieces>> {
        let now = Instant::now();
        let known = {
            let mut kept = self.kept();
            kept.retain(|(pieces, at)| pieces.digest == blob.digest || now.duration_since(*at) < KEEP_TIME);
            let place = kept.iter().position(|(pieces, _)| pieces.digest == blob.digest);
            place.map(|place| kept.remove(place).0)
        };
        let pieces = match known {
            Some(known) => known,
            None => Arc::new(Pieces {
                digest: blob.digest,
                size: blob.size,
                profile,
                digests: digests()?,
                file: Arc::new(store.nameless_file()?),
                leaves: Mutex::default(),
                held_bytes: AtomicU64::new(0),
                whole_wanted: AtomicBool::new(false),
                fetches: Arc::clone(&self.fetches),
            }),
        };
        let mut kept = self.kept();
        // Somebody else may have begun with the same one meanwhile.
        if let Some((other, _)) = kept.iter().find(|(other, _)| other.digest == blob.digest) {
            return Ok(Arc::clone(other));
        }
        kept.push((Arc::clone(&pieces), now));
        while kept.len() > 1 && is_too_much(&kept) {
            kept.remove(0);
        }
        Ok(pieces)
    }

    /// Forgets what is here of a blob, since all of it is in the store.
    pub(super) fn forget(&self, digest: &Digest) {
        self.kept().retain(|(pieces, _)| pieces.digest != *digest);
    }

    fn kept(&self) -> MutexGuard<'_, Vec<(Arc<Pieces>, Instant)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_too_much(kept: &[(Arc<Pieces>, Instant)]) -> bool {
    let bytes: u64 = kept.iter().map(|(pieces, _)| pieces.held_bytes.load(Ordering::Relaxed)).sum();
    let leaves: usize = kept.iter().map(|(pieces, _)| pieces.digests.len()).sum();
    kept.len() > MAX_KEPT_BLOBS || bytes > MAX_KEPT_BYTES || leaves > MAX_KNOWN_LEAVES
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use bytes::Bytes;
    use cid::Cid;

    use super::*;
    use crate::unixfs::file;

    const SIZE: usize = (5 << 20) + 9;

    /// Has the leaves of one file, and counts.
    #[derive(Debug)]
    struct Leaves {
        blocks: BTreeMap<Cid, Bytes>,
        asked: AtomicU64,
    }

    #[async_trait]
    impl BlockSource for Leaves {
        fn place(&self) -> String {
            "here".to_owned()
        }

        async fn block(&self, cid: &Cid) -> Result<Option<Bytes>> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok(self.blocks.get(cid).cloned())
        }
    }

    fn content(seed: u8) -> Vec<u8> {
        (0..SIZE).map(|i| (i % 253) as u8 ^ seed).collect()
    }

    /// A blob, the digests of its leaves, and a place that has the bare ones.
    fn blob(seed: u8) -> (Blob, Vec<[u8; 32]>, Leaves) {
        let (profile, content) = (Profile::V1_2025, content(seed));
        let (link, digests) = file::of_bytes(profile, &content);
        let chunks = content.chunks(profile.chunk_size() as usize).map(Bytes::copy_from_slice);
        let blocks = digests.iter().map(|digest| profile.leaf_cid(digest)).zip(chunks).collect();
        let blob = Blob { id: 1, digest: Digest::of(&content), size: SIZE as u64, link, inline: false };
        (blob, digests, Leaves { blocks, asked: AtomicU64::new(0) })
    }

    #[tokio::test]
    async fn a_leaf_comes_once_for_all_who_ask() {
        let directory = tempfile::tempdir().unwrap();
        let (store, kept) = (Store::open(directory.path()).unwrap(), KeptPieces::default());
        let (blob, digests, source) = blob(1);
        let begin = || kept.begin(&store, &blob, Profile::V1_2025, || Ok(digests.clone())).unwrap();
        let (one, other) = (begin(), begin());
        assert!(Arc::ptr_eq(&one, &other));
        let deep = (4 << 20) + 5;
        let (first, second) = tokio::join!(one.bring(&source, deep), other.bring(&source, deep + 100));
        first.and(second).unwrap();
        assert_eq!(source.asked.load(Ordering::SeqCst), 1);
        assert!(one.has(deep) && !one.has(0) && one.leaf_around(deep) == (4 << 20..5 << 20));
        assert!(one.read(deep).unwrap() == content(1)[4 << 20..5 << 20]);
        // The last one is short; a run ends where something is missing.
        one.bring(&source, SIZE as u64 - 1).await.unwrap();
        assert_eq!((one.run_from(4 << 20), one.run_from(0), one.run_from(deep)), (SIZE as u64, 0, deep));
        assert!(!one.wants_whole());
        for number in 0..2 {
            one.bring(&source, number << 20).await.unwrap();
        }
        assert!(one.wants_whole() && !one.wants_whole(), "it says so once");
        assert!(directory.path().join("partial").read_dir().unwrap().next().is_none(), "the file has no name");
        kept.forget(&blob.digest);
        assert!(kept.of(&blob.digest).is_none());
    }

    #[tokio::test]
    async fn what_is_missing_or_too_long_is_refused_and_asked_for_again() {
        let directory = tempfile::tempdir().unwrap();
        let (store, kept) = (Store::open(directory.path()).unwrap(), KeptPieces::default());
        let (blob, digests, mut source) = blob(2);
        let pieces = kept.begin(&store, &blob, Profile::V1_2025, || Ok(digests.clone())).unwrap();
        let cid = Profile::V1_2025.leaf_cid(&digests[1]);
        let right = source.blocks.remove(&cid).unwrap();
        assert_eq!(pieces.bring(&source, 1 << 20).await.unwrap_err().kind(), Kind::NotFound);
        source.blocks.insert(cid, Bytes::from_static(b"short"));
        assert_eq!(pieces.bring(&source, 1 << 20).await.unwrap_err().kind(), Kind::Verification);
        assert!(!pieces.has(1 << 20));
        source.blocks.insert(cid, right);
        pieces.bring(&source, 1 << 20).await.unwrap();
        assert!(pieces.has(1 << 20));
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded() {
        let directory = tempfile::tempdir().unwrap();
        let (store, kept) = (Store::open(directory.path()).unwrap(), KeptPieces::default());
        let (first, digests, _) = blob(3);
        for number in 0..=MAX_KEPT_BLOBS as u64 {
            let other = Blob { digest: Digest::of(&number.to_le_bytes()), ..first.clone() };
            kept.begin(&store, &other, Profile::V1_2025, || Ok(digests.clone())).unwrap();
        }
        assert_eq!(kept.kept().len(), MAX_KEPT_BLOBS);
        assert!(kept.of(&Digest::of(&0_u64.to_le_bytes())).is_none(), "the one that was asked for first");
    }
}
