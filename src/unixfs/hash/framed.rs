//! Profile `unixfs-v0-2015`: a leaf is a dag-pb node of type File around 256 KiB of the file.
//!
//! The frame tells the leaf's length before the data, and the last leaf's length is known only at its end. So one
//! chunk is kept, with the frame of a full one around it, and hashed when it is full or the file ends. Frame and file
//! have as many blocks, only not the same ones: the kernel takes them side by side.

use roadstead_sha256::{BLOCK_BYTES, Kernel, State};

use super::{FileDigests, leaf_list};
use crate::image::Digest;
use crate::unixfs::Profile;

const CHUNK_BYTES: usize = Profile::V0_2015.chunk_size() as usize;
/// Tag and length of the node's data, type File, tag and length of the bytes: the longest head a leaf has.
const HEAD_BYTES: usize = 10;
/// Tag and value of the file's size behind the bytes of a full leaf.
const FOOT_BYTES: usize = 4;

/// The bytes before and after `size` bytes of a file in a leaf block, the head at the end of its array
/// (UnixFS specification, "File"; field order and the missing data of an empty file as Kubo writes them).
struct Frame {
    head: [u8; HEAD_BYTES],
    head_start: usize,
    foot: [u8; FOOT_BYTES],
    foot_end: usize,
}

impl Frame {
    /// The frame of `size` bytes, at most a chunk.
    fn of(size: usize) -> Self {
        let length = varint(size);
        let mut foot = [0x18, 0, 0, 0];
        foot[1..].copy_from_slice(&length.0);
        let foot_end = 1 + length.1;
        // The data field is left out when there is none.
        let data_head = if size == 0 { 0 } else { 1 + length.1 };
        let node = varint(2 + data_head + size + foot_end);
        let mut head = [0; HEAD_BYTES];
        let mut end = 0;
        let mut put = |bytes: &[u8]| {
            head[end..end + bytes.len()].copy_from_slice(bytes);
            end += bytes.len();
        };
        put(&[0x0a]);
        put(&node.0[..node.1]);
        put(&[0x08, 0x02]);
        if size > 0 {
            put(&[0x12]);
            put(&length.0[..length.1]);
        }
        // Moved to the end, so that the data follows it whatever its length.
        head.copy_within(..end, HEAD_BYTES - end);
        Self { head, head_start: HEAD_BYTES - end, foot, foot_end }
    }

    fn head(&self) -> &[u8] {
        &self.head[self.head_start..]
    }

    fn foot(&self) -> &[u8] {
        &self.foot[..self.foot_end]
    }
}

/// An unsigned LEB128 number below 2²¹, and how many bytes it takes.
fn varint(number: usize) -> ([u8; 3], usize) {
    let low = |shift: usize| (number >> shift & 0x7f) as u8;
    match number {
        0..0x80 => ([low(0), 0, 0], 1),
        0x80..0x4000 => ([low(0) | 0x80, low(7), 0], 2),
        _ => ([low(0) | 0x80, low(7) | 0x80, low(14)], 3),
    }
}

/// The SHA-256 digest of the leaf block around these bytes (`unixfs-v0-2015`): at most a chunk, 256 KiB.
pub fn framed_leaf_digest(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    debug_assert!(bytes.len() <= CHUNK_BYTES);
    let frame = Frame::of(bytes.len());
    let mut hasher = sha2::Sha256::new();
    hasher.update(frame.head());
    hasher.update(bytes);
    hasher.update(frame.foot());
    hasher.finalize().into()
}

/// The whole's state, and the current chunk inside the frame of a full one.
#[derive(Debug, Clone)]
pub(super) struct FramedHasher {
    kernel: Kernel,
    whole: State,
    size: u64,
    /// The head of a full leaf, then the bytes of the current one.
    block: Vec<u8>,
    foot: [u8; FOOT_BYTES],
    leaves: Vec<[u8; 32]>,
}

impl FramedHasher {
    pub(super) fn new(kernel: Kernel, size_hint: u64) -> Self {
        let frame = Frame::of(CHUNK_BYTES);
        let mut block = Vec::with_capacity(HEAD_BYTES + size_hint.min(CHUNK_BYTES as u64) as usize + FOOT_BYTES);
        block.extend_from_slice(frame.head());
        Self {
            kernel,
            whole: State::INITIAL,
            size: 0,
            block,
            foot: frame.foot,
            leaves: leaf_list(Profile::V0_2015, size_hint),
        }
    }

    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        self.size += bytes.len() as u64;
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(HEAD_BYTES + CHUNK_BYTES - self.block.len()));
            self.block.extend_from_slice(now);
            bytes = later;
            if self.block.len() == HEAD_BYTES + CHUNK_BYTES {
                self.close_full_leaf();
            }
        }
    }

    fn close_full_leaf(&mut self) {
        self.block.extend_from_slice(&self.foot);
        let (file_blocks, _) = self.block[HEAD_BYTES..HEAD_BYTES + CHUNK_BYTES].as_chunks::<BLOCK_BYTES>();
        let (leaf_blocks, leaf_rest) = self.block.split_at(CHUNK_BYTES);
        let mut leaf = State::INITIAL;
        self.kernel.compress_each((&mut self.whole, file_blocks), (&mut leaf, leaf_blocks.as_chunks().0));
        self.leaves.push(leaf.finish(leaf_rest, self.block.len() as u64));
        self.block.truncate(HEAD_BYTES);
    }

    pub(super) fn finish(mut self) -> FileDigests {
        let last = &self.block[HEAD_BYTES..];
        if !last.is_empty() || self.leaves.is_empty() {
            self.leaves.push(framed_leaf_digest(last));
        }
        let digest = Digest::from_bytes(self.whole.finish(last, self.size));
        FileDigests { digest, size: self.size, leaves: self.leaves }
    }
}
