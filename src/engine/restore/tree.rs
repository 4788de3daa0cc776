//! A published tree to read from: by its blocks, or as files in a directory.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use cid::Cid;
use tokio::runtime::Handle;

use super::body::{Ahead, FileStream, absent};
use super::directory::Directory;
use crate::engine::blocking::blocking;
use crate::engine::spreading::{SharedBlocks, UnderWay};
use crate::error::{Context as _, Error, Kind, Result};
use crate::image::Digest;
use crate::node::source::BlockSource;
use crate::registry::{BlobBody, BlobStream};
use crate::unixfs::directory::{self, Node, NodeStore};
use crate::unixfs::{Link, MAX_BLOCK_BYTES, tree};

/// Most bytes of directory nodes that are kept to be read again.
const MAX_KEPT_NODE_BYTES: usize = 12 << 20;
/// Most entries that are read of one directory.
const MAX_DIRECTORY_ENTRIES: usize = 5_000_000;

#[derive(Debug, Clone)]
pub(in crate::engine) enum Tree {
    Blocks(BlockTree),
    Directory(Directory),
}

/// A tree by its root and its blocks.
#[derive(Debug, Clone)]
pub(in crate::engine) struct BlockTree {
    pub(in crate::engine) source: Arc<dyn BlockSource>,
    pub(in crate::engine) root: Cid,
    /// Who is told of what comes.
    under_way: Option<Arc<UnderWay>>,
    ahead: Ahead,
    kept: Arc<Mutex<Kept>>,
}

/// Nodes that were read.
#[derive(Default)]
struct Kept {
    nodes: HashMap<Cid, Bytes>,
    bytes: usize,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").field("nodes", &self.nodes.len()).field("bytes", &self.bytes).finish()
    }
}

impl Tree {
    /// Where it is, for people.
    pub(in crate::engine) fn place(&self) -> String {
        match self {
            Self::Blocks(tree) => tree.source.place(),
            Self::Directory(directory) => directory.place(),
        }
    }

    /// A small file, whole; nothing if it is not there.
    pub(in crate::engine) async fn small(&self, path: &str, cap: u64) -> Result<Option<Bytes>> {
        match self {
            Self::Blocks(tree) => {
                let Some(link) = tree.lookup(path).await? else { return Ok(None) };
                let stream = FileStream::open(Arc::clone(&tree.source), &link.cid, 0).await;
                match stream {
                    Ok(stream) => stream.whole(cap).await,
                    Err(error) => Err(error),
                }
                .context(|| path.to_owned())
                .map(Some)
            }
            Self::Directory(directory) => {
                let (directory, path) = (directory.clone(), path.to_owned());
                blocking(move || directory.small(&path, cap)).await
            }
        }
    }

    /// A blob of exactly `size` bytes as a stream from offset `from` on, up to which it is in the store; nothing if it is not there.
    /// Whoever asks for the next bytes has written those before into the store.
    pub(in crate::engine) async fn open(
        &self,
        path: &str,
        digest: &Digest,
        size: u64,
        from: u64,
    ) -> Result<Option<BlobBody>> {
        let other_size = |found: u64| {
            Error::new(Kind::Verification, format!("{path} at {} has {found} bytes instead of {size}", self.place()))
        };
        match self {
            Self::Blocks(tree) => {
                let Some(link) = tree.lookup(path).await? else { return Ok(None) };
                let share = tree.under_way.as_ref().and_then(|under_way| under_way.file(&link.cid, digest, from));
                let (source, ahead) = (Arc::clone(&tree.source), tree.ahead.clone());
                let stream = FileStream::open_beside(source, &link.cid, from, share, ahead).await?;
                if stream.size() != size {
                    return Err(other_size(stream.size()));
                }
                Ok(Some(BlobBody::stream(Box::new(stream))))
            }
            Self::Directory(directory) => {
                let (directory, wanted) = (directory.clone(), path.to_owned());
                let found = blocking(move || directory.file(&wanted)).await?;
                let Some((file, found)) = found else { return Ok(None) };
                if found != size || from > size {
                    return Err(other_size(found));
                }
                Ok(Some(BlobBody::of_file(path.to_owned(), file, size, from)))
            }
        }
    }

    /// The names in a directory, each with about the bytes that it has; none if it is not there, or if it is one that was listed
    /// before under another path.
    pub(in crate::engine) async fn list_once(
        &self,
        path: &str,
        listed: &Mutex<HashSet<Cid>>,
    ) -> Result<Vec<(String, u64)>> {
        match self {
            Self::Blocks(tree) => {
                let Some(link) = tree.lookup(path).await? else { return Ok(Vec::new()) };
                if !listed.lock().unwrap_or_else(PoisonError::into_inner).insert(link.cid) {
                    return Ok(Vec::new());
                }
                tree.read(path.to_owned(), move |store| {
                    let mut all = Vec::new();
                    directory::list(store, &link, &mut |name, link| {
                        all.push((name.to_owned(), link.tsize));
                        if all.len() > MAX_DIRECTORY_ENTRIES {
                            return Err(Error::new(Kind::Verification, "it has more entries than any registry has"));
                        }
                        Ok(())
                    })?;
                    Ok(all)
                })
                .await
            }
            Self::Directory(directory) => {
                let (directory, path) = (directory.clone(), path.to_owned());
                blocking(move || directory.list(&path, MAX_DIRECTORY_ENTRIES)).await
            }
        }
    }
}

impl BlockTree {
    pub(in crate::engine) fn new(source: Arc<dyn BlockSource>, root: Cid) -> Self {
        Self { source, root, under_way: None, ahead: Ahead::default(), kept: Arc::default() }
    }

    /// The same, of which what comes is given out from then on.
    pub(in crate::engine) fn shared(mut self, under_way: Arc<UnderWay>) -> Self {
        self.source = Arc::new(SharedBlocks::new(Arc::clone(&under_way), self.source));
        self.under_way = Some(under_way);
        self
    }

    /// What is at this path.
    pub(in crate::engine) async fn lookup(&self, path: &str) -> Result<Option<Link>> {
        let (root, wanted) = (Link { cid: self.root, tsize: 0 }, path.to_owned());
        self.read(path.to_owned(), move |store| tree::lookup(store, &root, &wanted)).await
    }

    /// Reads directories where that may block.
    pub(in crate::engine) async fn read<T: Send + 'static>(
        &self,
        what: String,
        read: impl FnOnce(&mut dyn NodeStore) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let mut store = Remote { tree: self.clone(), handle: Handle::current() };
        blocking(move || read(&mut store)).await.context(|| what)
    }
}

/// Directory nodes that are fetched when they are read.
struct Remote {
    tree: BlockTree,
    handle: Handle,
}

impl NodeStore for Remote {
    fn get(&mut self, cid: &Cid) -> Result<Option<Node>> {
        let kept = || self.tree.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept().nodes.get(cid).cloned();
        let bytes = match known {
            Some(bytes) => bytes,
            None => {
                let source = &self.tree.source;
                let bytes = self.handle.block_on(source.block(cid))?.ok_or_else(|| absent(source.as_ref(), cid))?;
                let mut kept = kept();
                if kept.bytes + bytes.len() > MAX_KEPT_NODE_BYTES {
                    *kept = Kept::default();
                }
                if bytes.len() <= MAX_BLOCK_BYTES {
                    kept.bytes += bytes.len();
                    kept.nodes.insert(*cid, bytes.clone());
                }
                bytes
            }
        };
        // What it weighs is not asked by anything that only reads.
        Ok(Some(Node { cid: *cid, bytes: bytes.to_vec(), tsize: 0, directory_size: None }))
    }

    fn put(&mut self, _: &Node) -> Result<()> {
        Err(Error::new(Kind::Unexpected, "a tree elsewhere is only read"))
    }
}

#[async_trait::async_trait]
impl BlobStream for FileStream {
    async fn chunk(&mut self) -> Result<Option<Bytes>> {
        FileStream::chunk(self).await
    }

    fn position(&self) -> u64 {
        FileStream::position(self)
    }

    fn leave_leaves_unverified(&mut self, size: u64) {
        FileStream::leave_leaves_unverified(self, size);
    }

    fn unverified_leaf(&self) -> Option<[u8; 32]> {
        FileStream::unverified_leaf(self)
    }

    fn refuse_leaf(&mut self) {
        FileStream::refuse_leaf(self);
    }
}
