//! Files: from a size and the digests of the leaves to the root, and every block on the way.
//!
//! Knows the fixed-size chunker and the balanced layout (IPIP-499; all leaves at one depth). A file's bytes never come
//! here: a leaf is named by its digest, and its block is a range of the file between the bytes of [`leaf_frame`].

use std::ops::Range;

use cid::Cid;
use sha2::{Digest as _, Sha256};

use super::data::{self, Data, NodeKind};
use super::{Block, Link, MAX_BLOCK_BYTES, Profile, dagpb};
use crate::error::{Error, Kind, Result};

/// The SHA-256 digest of the leaf block that holds `content`.
pub fn leaf_digest(profile: Profile, content: &[u8]) -> [u8; 32] {
    let (prefix, suffix) = leaf_frame(profile, content.len() as u64);
    Sha256::new().chain_update(prefix).chain_update(content).chain_update(suffix).finalize().into()
}

/// The bytes before and after `length` bytes of content in their leaf block: both empty where leaves are raw.
pub fn leaf_frame(profile: Profile, length: u64) -> (Vec<u8>, Vec<u8>) {
    if profile.raw_leaves() { (Vec::new(), Vec::new()) } else { data::leaf_frame(length) }
}

/// The size in bytes of the leaf block around `length` bytes of content.
pub fn leaf_block_length(profile: Profile, length: u64) -> u64 {
    let (prefix, suffix) = leaf_frame(profile, length);
    prefix.len() as u64 + length + suffix.len() as u64
}

/// The root of a file of `size` bytes whose leaf blocks have these digests, in order. An empty file has one leaf.
pub fn root(profile: Profile, size: u64, leaves: &[[u8; 32]]) -> Result<Link> {
    Ok(Layout::new(profile, size, leaves)?.root())
}

/// Every block of the file, root first, in depth-first order, each as often as it is linked.
///
/// Holds the leaves' digests and 48 bytes for each inner node.
pub fn parts<L: AsRef<[[u8; 32]]>>(profile: Profile, size: u64, leaves: L) -> Result<Parts<L>> {
    let layout = Layout::new(profile, size, leaves)?;
    let top = layout.levels.len();
    Ok(Parts { layout, path: vec![Pending { level: top, next: 0, end: 1 }] })
}

/// The root of a small file and the digests of its leaves.
pub fn of_bytes(profile: Profile, content: &[u8]) -> (Link, Vec<[u8; 32]>) {
    let mut leaves: Vec<_> =
        content.chunks(profile.chunk_size() as usize).map(|chunk| leaf_digest(profile, chunk)).collect();
    if leaves.is_empty() {
        leaves.push(leaf_digest(profile, &[]));
    }
    let layout = Layout::of(profile, content.len() as u64, leaves);
    (layout.root(), layout.leaves)
}

/// A block of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// An inner node, which links to nodes or leaves.
    Node(Block),
    /// A leaf: `length` bytes of the file from `offset` on, between the bytes of [`leaf_frame`].
    Leaf {
        /// The CID of the leaf block.
        cid: Cid,
        /// Where its content starts in the file, in bytes.
        offset: u64,
        /// The bytes of its content.
        length: u64,
    },
}

/// An inner node whose subtree is known.
struct Inner {
    digest: [u8; 32],
    tsize: u64,
}

/// The balanced tree over the leaves. Level 0 is the leaves; node `i` of level `h` covers the leaves from `i * width^h`
/// to `(i + 1) * width^h`, as far as there are any.
struct Layout<L> {
    profile: Profile,
    size: u64,
    leaves: L,
    /// The levels above the leaves; the last one has one node. None for a file of one leaf.
    levels: Vec<Vec<Inner>>,
}

impl<L: AsRef<[[u8; 32]]>> Layout<L> {
    fn new(profile: Profile, size: u64, leaves: L) -> Result<Self> {
        let (needed, given) = (profile.leaf_count(size), leaves.as_ref().len() as u64);
        if needed != given {
            return Err(Error::new(
                Kind::Verification,
                format!("a file of {size} bytes has {needed} leaves in {profile}, not {given}"),
            ));
        }
        Ok(Self::of(profile, size, leaves))
    }

    fn of(profile: Profile, size: u64, leaves: L) -> Self {
        let mut layout = Self { profile, size, leaves, levels: Vec::new() };
        let mut below = layout.leaves.as_ref().len();
        while below > 1 {
            let level = layout.levels.len() + 1;
            let count = below.div_ceil(profile.file_width());
            let nodes = (0..count)
                .map(|index| {
                    let (bytes, below) = layout.encode(level, index);
                    Inner { digest: Sha256::digest(&bytes).into(), tsize: bytes.len() as u64 + below }
                })
                .collect();
            layout.levels.push(nodes);
            below = count;
        }
        layout
    }

    fn root(&self) -> Link {
        self.link(self.levels.len(), 0)
    }

    /// How many nodes a level has.
    fn count(&self, level: usize) -> usize {
        if level == 0 { self.leaves.as_ref().len() } else { self.levels[level - 1].len() }
    }

    /// The children of an inner node, as indexes into the level below it.
    fn children(&self, level: usize, index: usize) -> Range<usize> {
        let width = self.profile.file_width();
        index * width..((index + 1) * width).min(self.count(level - 1))
    }

    /// The bytes of the file below a node: its offset and length.
    fn range(&self, level: usize, index: usize) -> (u64, u64) {
        let covered =
            self.profile.chunk_size().saturating_mul((self.profile.file_width() as u64).saturating_pow(level as u32));
        let start = covered.saturating_mul(index as u64).min(self.size);
        (start, covered.min(self.size - start))
    }

    fn link(&self, level: usize, index: usize) -> Link {
        if level == 0 {
            let digest = &self.leaves.as_ref()[index];
            let tsize = leaf_block_length(self.profile, self.range(0, index).1);
            Link { cid: self.profile.leaf_cid(digest), tsize }
        } else {
            let inner = &self.levels[level - 1][index];
            Link { cid: self.profile.node_cid(&inner.digest), tsize: inner.tsize }
        }
    }

    /// The bytes of an inner node, and the sum of its links' sizes.
    fn encode(&self, level: usize, index: usize) -> (Vec<u8>, u64) {
        let children = self.children(level, index);
        let mut bytes = Vec::with_capacity(children.len() * 56 + 16);
        let mut below = 0;
        for child in children.clone() {
            let link = self.link(level - 1, child);
            below += link.tsize;
            dagpb::write_link(&mut bytes, &link, &[], &[]);
        }
        let sizes = children.map(|child| self.range(level - 1, child).1);
        dagpb::write_data(&mut bytes, &data::file_data(self.range(level, index).1, sizes));
        (bytes, below)
    }
}

/// Nodes of one level that are still to be given out.
struct Pending {
    level: usize,
    next: usize,
    end: usize,
}

/// The blocks of a file, from [`parts`].
pub struct Parts<L> {
    layout: Layout<L>,
    path: Vec<Pending>,
}

impl<L: AsRef<[[u8; 32]]>> Parts<L> {
    /// The root of the file.
    pub fn root(&self) -> Link {
        self.layout.root()
    }
}

impl<L: AsRef<[[u8; 32]]>> Iterator for Parts<L> {
    type Item = Part;

    fn next(&mut self) -> Option<Part> {
        loop {
            let pending = self.path.last_mut()?;
            let (level, index) = (pending.level, pending.next);
            if index == pending.end {
                self.path.pop();
                continue;
            }
            pending.next += 1;
            let cid = self.layout.link(level, index).cid;
            if level == 0 {
                let (offset, length) = self.layout.range(0, index);
                return Some(Part::Leaf { cid, offset, length });
            }
            let Range { start, end } = self.layout.children(level, index);
            self.path.push(Pending { level: level - 1, next: start, end });
            return Some(Part::Node(Block { cid, bytes: self.layout.encode(level, index).0 }));
        }
    }
}

/// A dag-pb block of a file, read from outside: its own content, and what it links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileNode {
    /// The bytes of the file below and in this block.
    pub size: u64,
    /// Where in the block its own content stands; empty where it only links.
    pub content: Range<usize>,
    /// What it links, in the order of the file, each with the bytes of the file below it.
    pub children: Vec<(Link, u64)>,
}

impl FileNode {
    /// Reads an untrusted dag-pb block, checking that its sizes add up.
    pub fn parse(block: &[u8]) -> Result<Self> {
        let broken = |why: &str| Error::new(Kind::Verification, format!("not a node of a file: {why}"));
        if block.len() > MAX_BLOCK_BYTES {
            return Err(broken("it is larger than 2 MiB"));
        }
        let mut decoder = dagpb::Decoder::new(block);
        let mut links = Vec::new();
        while let Some(link) = decoder.link()? {
            links.push(link.link()?);
        }
        let data = Data::parse(decoder.data()?)?;
        if !matches!(data.kind, NodeKind::File | NodeKind::Raw) {
            return Err(broken("it is of another type"));
        }
        if data.block_sizes.len() != links.len() {
            return Err(broken("it has another number of sizes than of links"));
        }
        let sum = data.block_sizes.iter().try_fold(data.content.len() as u64, |sum, &size| sum.checked_add(size));
        let size = data.file_size.unwrap_or(data.content.len() as u64);
        if sum != Some(size) {
            return Err(broken("its sizes do not add up"));
        }
        // The content is a part of the block, so its place follows from the addresses.
        let start = if data.content.is_empty() { 0 } else { data.content.as_ptr().addr() - block.as_ptr().addr() };
        let children = links.into_iter().zip(data.block_sizes).collect();
        Ok(Self { size, content: start..start + data.content.len(), children })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The digest that stands for leaf `i`.
    fn digests(count: u64) -> Vec<[u8; 32]> {
        (0..count).map(|i| Sha256::digest(i.to_be_bytes()).into()).collect()
    }

    /// A second way to the same tree, as boxo's builder goes: leaves stream in, full layers fold into the next one.
    fn streamed(profile: Profile, size: u64, leaves: &[[u8; 32]]) -> Link {
        fn fold(profile: Profile, children: &[(Link, u64)]) -> (Link, u64) {
            let mut links = Vec::new();
            for (link, _) in children {
                dagpb::write_link(&mut links, link, &[], &[]);
            }
            let size = children.iter().map(|child| child.1).sum();
            dagpb::write_data(&mut links, &data::file_data(size, children.iter().map(|child| child.1)));
            let tsize = links.len() as u64 + children.iter().map(|child| child.0.tsize).sum::<u64>();
            (Link { cid: profile.cid_of_node(&links), tsize }, size)
        }
        let mut layers: Vec<Vec<(Link, u64)>> = vec![Vec::new()];
        for (i, digest) in leaves.iter().enumerate() {
            let length = (size - i as u64 * profile.chunk_size()).min(profile.chunk_size());
            let mut arriving =
                (Link { cid: profile.leaf_cid(digest), tsize: leaf_block_length(profile, length) }, length);
            for level in 0.. {
                if level == layers.len() {
                    layers.push(Vec::new());
                }
                if layers[level].len() < profile.file_width() {
                    layers[level].push(arriving);
                    break;
                }
                let full = std::mem::replace(&mut layers[level], vec![arriving]);
                arriving = fold(profile, &full);
            }
        }
        for level in 0.. {
            if level + 1 == layers.len() && layers[level].len() == 1 {
                return layers[level][0].0;
            }
            let folded = fold(profile, &layers[level]);
            if level + 1 == layers.len() {
                layers.push(Vec::new());
            }
            // The layer above may be full itself.
            if layers[level + 1].len() == profile.file_width() {
                let full = std::mem::replace(&mut layers[level + 1], vec![folded]);
                let up = fold(profile, &full);
                if level + 2 == layers.len() {
                    layers.push(Vec::new());
                }
                layers[level + 2].push(up);
            } else {
                layers[level + 1].push(folded);
            }
        }
        unreachable!()
    }

    /// Walks the parts as a reader would, and checks that they are one whole DAG in depth-first order.
    fn check_parts(profile: Profile, size: u64, leaves: &[[u8; 32]]) {
        let mut parts = parts(profile, size, leaves).unwrap();
        let root = parts.root();
        let mut expected = vec![root];
        let (mut offset, mut blocks) = (0, 0);
        while let Some(link) = expected.pop() {
            match parts.next().unwrap() {
                Part::Leaf { cid, offset: at, length } => {
                    assert_eq!((cid, at), (link.cid, offset));
                    assert_eq!(link.tsize, leaf_block_length(profile, length));
                    offset += length;
                    blocks += link.tsize;
                }
                Part::Node(block) => {
                    assert_eq!(block.cid, link.cid);
                    super::super::verify_block(&block.cid, &block.bytes).unwrap();
                    let node = FileNode::parse(&block.bytes).unwrap();
                    assert!(node.children.len() <= profile.file_width());
                    assert_eq!(node.content, 0..0);
                    blocks += block.bytes.len() as u64;
                    expected.extend(node.children.iter().rev().map(|child| child.0));
                }
            }
        }
        assert!(parts.next().is_none());
        assert_eq!((offset, blocks), (size, root.tsize));
    }

    #[test]
    fn trees_of_every_depth_match_a_streaming_builder() {
        for profile in Profile::ALL {
            let (chunk, width) = (profile.chunk_size(), profile.file_width() as u64);
            for count in [1, 2, width - 1, width, width + 1, 2 * width, 3 * width + 7, width * width, width * width + 1]
            {
                if count > 200_000 {
                    continue;
                }
                let leaves = digests(count);
                for size in [(count - 1) * chunk + 1, count * chunk] {
                    assert_eq!(root(profile, size, &leaves).unwrap(), streamed(profile, size, &leaves), "{count}");
                    check_parts(profile, size, &leaves);
                }
            }
        }
    }

    #[test]
    fn a_file_of_one_chunk_is_its_leaf() {
        let content = b"not a gzip layer";
        let (link, leaves) = of_bytes(Profile::V1_2025, content);
        assert_eq!(link.cid.codec(), crate::unixfs::RAW);
        assert_eq!(link.cid.hash().digest(), &Sha256::digest(content)[..]);
        assert_eq!(link.tsize, content.len() as u64);
        let part = Part::Leaf { cid: link.cid, offset: 0, length: 16 };
        assert_eq!(parts(Profile::V1_2025, 16, leaves).unwrap().collect::<Vec<_>>(), [part]);
    }

    #[test]
    fn a_leaf_read_back_has_its_content() {
        let content = b"hello world";
        let (prefix, suffix) = leaf_frame(Profile::V0_2015, 11);
        let block = [&prefix[..], content, &suffix].concat();
        let node = FileNode::parse(&block).unwrap();
        assert_eq!((&block[node.content], node.size), (&content[..], 11));
        let mut wrong = block;
        *wrong.last_mut().unwrap() = 12;
        assert!(FileNode::parse(&wrong).is_err());
        assert!(FileNode::parse(data::BASIC_DIRECTORY_NODE).is_err());
    }

    #[test]
    fn the_number_of_leaves_is_checked() {
        for profile in Profile::ALL {
            assert!(root(profile, 0, &[]).is_err());
            assert!(root(profile, profile.chunk_size() + 1, &digests(1)).is_err());
            assert!(root(profile, profile.chunk_size(), &digests(2)).is_err());
            assert!(root(profile, u64::MAX, &digests(2)).is_err());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

        #[test]
        fn any_size_matches_a_streaming_builder(count in 1..2500_u64, last in 1..=1_u64 << 18) {
            for profile in Profile::ALL {
                let size = (count - 1) * profile.chunk_size() + last;
                let leaves = digests(count);
                prop_assert_eq!(root(profile, size, &leaves).unwrap(), streamed(profile, size, &leaves));
                check_parts(profile, size, &leaves);
            }
        }

        #[test]
        fn any_block_is_read_or_refused(bytes: Vec<u8>) {
            let _ = FileNode::parse(&bytes);
        }
    }
}
