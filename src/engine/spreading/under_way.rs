//! Which blocks a root that is being taken is known to consist of, which of them are here, and where their bytes are.
//!
//! What is not linked from the root, block by block, is not known here and not given out, whatever the store holds. Leaves of blobs are
//! ranges of their files, partial ones too; other blocks are kept in memory, the last ones of them. Nothing that comes from here
//! counts as verified: whoever sends it hashes it first, whoever gets it does so again.

use std::collections::HashMap;
use std::fs::File;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use cid::Cid;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use lru::LruCache;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::engine::blocks::half;
use crate::image::Digest;
use crate::store::Store;
use crate::unixfs::{RAW, links_from};

/// Most blocks that are known to belong to the root: some 50 bytes each; with leaves of 1 MiB, of 256 GiB.
const MAX_LINKED: usize = 1 << 18;
/// Most bytes of directories, nodes of files and small files that are kept.
const MAX_KEPT_BYTES: usize = 4 << 20;
/// Files that are open to be read from.
const MAX_OPEN_FILES: NonZeroUsize = NonZeroUsize::new(32).expect("32 is more than nothing");
/// How far ahead of what is written a block of a file may be, to be called one that is about to come.
const MAX_AHEAD_BYTES: u64 = 16 << 20;
/// How long a block is waited for.
const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(15);
/// The multihash code of SHA-256.
const SHA2_256: u64 = 0x12;

/// A block that belongs to the root.
#[derive(Debug, Clone, Copy)]
enum Linked {
    /// A directory, a node of a file, or a small file.
    Block,
    /// So many bytes of a blob's file, which are a leaf without a frame.
    Part { file: u32, offset: u64, length: u64 },
}

/// How far a file is.
#[derive(Debug, Clone, Copy)]
struct Written {
    bytes: u64,
    /// Tasks that write it.
    writers: u32,
}

#[derive(Debug)]
struct FileState {
    digest: Digest,
    written: watch::Sender<Written>,
}

#[derive(Debug)]
struct State {
    linked: HashMap<u128, Linked>,
    kept: LruCache<u128, Bytes>,
    kept_bytes: usize,
    /// Blocks that somebody is asked for now.
    asked: HashMap<u128, u32>,
    files: Vec<FileState>,
    by_digest: HashMap<Digest, u32>,
    open: LruCache<u32, Arc<File>>,
    is_over: bool,
}

/// A root that is being taken.
pub(in crate::engine) struct UnderWay {
    root: Cid,
    store: Store,
    state: Mutex<State>,
    /// A block that was asked for has come, or will not.
    answered: Notify,
}

impl std::fmt::Debug for UnderWay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnderWay").field("root", &self.root).finish_non_exhaustive()
    }
}

/// Where the bytes of a block are.
#[derive(Debug)]
pub(in crate::engine) enum Here {
    Bytes(Bytes),
    Range { file: Arc<File>, offset: u64, length: u64 },
}

/// A block that is about to come.
pub struct Coming {
    /// Its length in bytes, if that is known.
    pub size: Option<u64>,
    /// Ends when the block is here, or is waited for in vain.
    pub arrival: BoxFuture<'static, ()>,
}

fn key(cid: &Cid) -> Option<u128> {
    (cid.hash().code() == SHA2_256).then(|| half(cid.hash().digest()))
}

impl UnderWay {
    /// Nothing of it is here yet. Blobs come into this store.
    pub(in crate::engine) fn new(root: Cid, store: Store) -> Arc<Self> {
        let state = State {
            linked: key(&root).map(|root| (root, Linked::Block)).into_iter().collect(),
            kept: LruCache::unbounded(),
            kept_bytes: 0,
            asked: HashMap::new(),
            files: Vec::new(),
            by_digest: HashMap::new(),
            open: LruCache::new(MAX_OPEN_FILES),
            is_over: false,
        };
        Arc::new(Self { root, store, state: Mutex::new(state), answered: Notify::new() })
    }

    pub(in crate::engine) fn root(&self) -> &Cid {
        &self.root
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing more comes, and nobody need wait.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.is_over = true;
        state.files.iter().for_each(|file| file.written.send_modify(|written| written.writers = 0));
        drop(state);
        self.answered.notify_waiters();
    }

    /// Somebody is asked for a block: as long as the answer lives, it is about to come.
    pub(super) fn asks(self: &Arc<Self>, cid: &Cid) -> Option<Asked> {
        let key = key(cid)?;
        let mut state = self.state();
        if !matches!(state.linked.get(&key), Some(Linked::Block)) || state.kept.contains(&key) {
            return None;
        }
        *state.asked.entry(key).or_default() += 1;
        Some(Asked { under_way: Arc::clone(self), key })
    }

    /// A block has come. It is kept if it belongs to the root, and what it links belongs to it, too.
    pub(super) fn came(&self, cid: &Cid, block: &Bytes) {
        let Some(key) = key(cid) else { return };
        let mut state = self.state();
        if state.is_over || !matches!(state.linked.get(&key), Some(Linked::Block)) || state.kept.contains(&key) {
            return;
        }
        if cid.codec() != RAW {
            for link in links_from(block, 0) {
                let Ok(link) = link else { break };
                state.link(&link.cid, Linked::Block);
            }
        }
        state.keep(key, block.clone());
    }

    /// A file of the tree is written into the store as this blob. Nothing if it is not known to belong to the root.
    pub(in crate::engine) fn file(self: &Arc<Self>, root: &Cid, digest: &Digest, written: u64) -> Option<FileUnderWay> {
        let key = key(root)?;
        let mut state = self.state();
        if state.is_over || !state.linked.contains_key(&key) {
            return None;
        }
        let number = match state.by_digest.get(digest) {
            Some(number) => *number,
            None => {
                let number = u32::try_from(state.files.len()).ok()?;
                let (sender, _) = watch::channel(Written { bytes: 0, writers: 0 });
                state.files.push(FileState { digest: *digest, written: sender });
                state.by_digest.insert(*digest, number);
                number
            }
        };
        // It may have been begun anew, in another file.
        state.open.pop(&number);
        let state_of = state.files.get(number as usize)?;
        state_of.written.send_modify(|now| *now = Written { bytes: written, writers: now.writers + 1 });
        Some(FileUnderWay { under_way: Arc::clone(self), number })
    }

    /// Where a block's bytes are; nothing if it does not belong to the root, or is not here yet.
    pub(in crate::engine) fn find(&self, digest: &[u8; 32]) -> Option<Here> {
        let key = half(digest);
        let mut state = self.state();
        if let Some(bytes) = state.kept.get(&key) {
            return Some(Here::Bytes(bytes.clone()));
        }
        let Linked::Part { file: number, offset, length } = *state.linked.get(&key)? else { return None };
        let file = state.files.get(number as usize)?;
        if file.written.borrow().bytes < offset + length {
            return None;
        }
        let digest = file.digest;
        let known = state.open.get(&number).cloned();
        drop(state);
        let file = match known {
            Some(file) => file,
            None => {
                let opened = Arc::new(self.store.open_written(&digest).ok()?);
                self.state().open.put(number, Arc::clone(&opened));
                opened
            }
        };
        Some(Here::Range { file, offset, length })
    }

    /// Whether a block is about to come: somebody is asked for it, or the file that it is a part of is being written.
    pub(in crate::engine) fn coming(self: &Arc<Self>, cid: &Cid) -> Option<Coming> {
        let key = key(cid)?;
        let state = self.state();
        if let Linked::Part { file, offset, length } = *state.linked.get(&key)? {
            let end = offset + length;
            let mut written = state.files.get(file as usize)?.written.subscribe();
            let now = *written.borrow();
            if now.writers == 0 || now.bytes >= end || offset > now.bytes + MAX_AHEAD_BYTES {
                return None;
            }
            let arrival = async move {
                let arriving = written.wait_for(|now| now.bytes >= end || now.writers == 0);
                drop(timeout(ARRIVAL_TIMEOUT, arriving).await);
            };
            return Some(Coming { size: Some(length), arrival: arrival.boxed() });
        }
        if state.is_over || !state.asked.contains_key(&key) {
            return None;
        }
        drop(state);
        let under_way = Arc::clone(self);
        let arrival = async move {
            let arriving = async {
                loop {
                    let answered = under_way.answered.notified();
                    if !under_way.is_asked(key) {
                        return;
                    }
                    answered.await;
                }
            };
            drop(timeout(ARRIVAL_TIMEOUT, arriving).await);
        };
        Some(Coming { size: None, arrival: arrival.boxed() })
    }

    fn is_asked(&self, key: u128) -> bool {
        let state = self.state();
        !state.is_over && state.asked.contains_key(&key)
    }
}

impl State {
    /// A block belongs to the root. What is known to be a part of a file stays that.
    fn link(&mut self, cid: &Cid, as_what: Linked) {
        let Some(key) = key(cid) else { return };
        let is_new = match self.linked.get(&key) {
            Some(known) => matches!(known, Linked::Block),
            None => self.linked.len() < MAX_LINKED,
        };
        if is_new {
            self.linked.insert(key, as_what);
        }
    }

    fn keep(&mut self, key: u128, bytes: Bytes) {
        self.kept_bytes += bytes.len();
        if let Some((_, before)) = self.kept.push(key, bytes) {
            self.kept_bytes -= before.len();
        }
        while self.kept_bytes > MAX_KEPT_BYTES
            && let Some((_, oldest)) = self.kept.pop_lru()
        {
            self.kept_bytes -= oldest.len();
        }
    }
}

/// Somebody is asked for a block.
pub(super) struct Asked {
    under_way: Arc<UnderWay>,
    key: u128,
}

impl Drop for Asked {
    fn drop(&mut self) {
        let mut state = self.under_way.state();
        if let Some(count) = state.asked.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                state.asked.remove(&self.key);
            }
        }
        drop(state);
        self.under_way.answered.notify_waiters();
    }
}

/// A file of the tree that is being written, as long as this lives.
pub(in crate::engine) struct FileUnderWay {
    under_way: Arc<UnderWay>,
    number: u32,
}

impl FileUnderWay {
    /// A block that links others has come.
    pub(in crate::engine) fn came(&self, cid: &Cid, block: &Bytes) {
        self.under_way.came(cid, block);
    }

    /// What a block of the file links, in order, from this offset on: each with how many bytes of the file it has.
    pub(in crate::engine) fn links(&self, offset: u64, children: &[(Cid, u64)]) {
        let mut state = self.under_way.state();
        let mut offset = offset;
        for (cid, length) in children {
            self.link(&mut state, cid, offset, *length);
            offset = offset.saturating_add(*length);
        }
    }

    /// The file is one block of so many bytes.
    pub(in crate::engine) fn is_one_block(&self, cid: &Cid, length: u64) {
        self.link(&mut self.under_way.state(), cid, 0, length);
    }

    fn link(&self, state: &mut State, cid: &Cid, offset: u64, length: u64) {
        let is_leaf = cid.codec() == RAW && offset.checked_add(length).is_some();
        // In its frame, another leaf is no range of a file.
        state.link(cid, if is_leaf { Linked::Part { file: self.number, offset, length } } else { Linked::Block });
    }

    /// So many of the first bytes are in the file, all of them written to it.
    pub(in crate::engine) fn reached(&self, position: u64) {
        if let Some(file) = self.under_way.state().files.get(self.number as usize) {
            file.written.send_if_modified(|now| {
                let is_more = position > now.bytes;
                now.bytes = now.bytes.max(position);
                is_more
            });
        }
    }
}

impl Drop for FileUnderWay {
    fn drop(&mut self) {
        if let Some(file) = self.under_way.state().files.get(self.number as usize) {
            file.written.send_modify(|now| now.writers = now.writers.saturating_sub(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_blocks_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let root = crate::unixfs::file::of_bytes(crate::unixfs::Profile::V1_2025, b"root").0.cid;
        let under_way = UnderWay::new(root, Store::open(directory.path()).unwrap());
        let mut state = under_way.state();
        for number in 0..20_u8 {
            state.keep(u128::from(number), vec![number; 1 << 20].into());
        }
        assert_eq!((state.kept_bytes, state.kept.len()), (MAX_KEPT_BYTES, 4));
        state.keep(19, vec![19; 1 << 20].into());
        assert_eq!((state.kept_bytes, state.kept.len()), (MAX_KEPT_BYTES, 4));
    }
}
