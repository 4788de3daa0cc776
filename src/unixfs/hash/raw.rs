//! Profile `unixfs-v1-2025`: a leaf is 1 MiB of the file itself, so the leaf's blocks are the file's blocks.

use roadstead_sha256::{BLOCK_BYTES, Kernel, State};

use super::{FileDigests, leaf_list};
use crate::image::Digest;
use crate::unixfs::Profile;

const CHUNK_BYTES: u64 = Profile::V1_2025.chunk_size();

/// Both states, and the bytes that don't fill a block yet.
#[derive(Debug, Clone)]
pub(super) struct RawHasher {
    kernel: Kernel,
    whole: State,
    /// The whole's state where the last leaf of which a block was eaten begins.
    whole_before_leaf: State,
    leaf: State,
    /// Bytes that `leaf` has eaten, always whole blocks.
    leaf_size: u64,
    size: u64,
    pending: [u8; BLOCK_BYTES],
    pending_size: usize,
    leaves: Vec<[u8; 32]>,
}

impl RawHasher {
    pub(super) fn new(kernel: Kernel, size_hint: u64) -> Self {
        Self {
            kernel,
            whole: State::INITIAL,
            whole_before_leaf: State::INITIAL,
            leaf: State::INITIAL,
            leaf_size: 0,
            size: 0,
            pending: [0; BLOCK_BYTES],
            pending_size: 0,
            leaves: leaf_list(Profile::V1_2025, size_hint),
        }
    }

    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        self.size += bytes.len() as u64;
        if self.pending_size > 0 {
            let (filling, rest) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.pending_size));
            self.pending[self.pending_size..][..filling.len()].copy_from_slice(filling);
            self.pending_size += filling.len();
            bytes = rest;
            if self.pending_size < BLOCK_BYTES {
                return;
            }
            self.pending_size = 0;
            self.eat(&[self.pending]);
        }
        let (mut blocks, tail) = bytes.as_chunks();
        while !blocks.is_empty() {
            let until_full = (CHUNK_BYTES - self.leaf_size) as usize / BLOCK_BYTES;
            let (now, later) = blocks.split_at(blocks.len().min(until_full));
            self.eat(now);
            blocks = later;
        }
        self.pending[..tail.len()].copy_from_slice(tail);
        self.pending_size = tail.len();
    }

    /// Advances both states; the blocks must not reach beyond the current leaf.
    fn eat(&mut self, blocks: &[[u8; BLOCK_BYTES]]) {
        if self.leaf_size == 0 {
            self.whole_before_leaf = self.whole.clone();
        }
        self.kernel.compress_shared(&mut self.whole, &mut self.leaf, blocks);
        self.leaf_size += (blocks.len() * BLOCK_BYTES) as u64;
        if self.leaf_size == CHUNK_BYTES {
            let full = std::mem::replace(&mut self.leaf, State::INITIAL);
            self.leaves.push(full.finish(&[], CHUNK_BYTES));
            self.leaf_size = 0;
        }
    }

    /// The digest of the leaf that ends with the last byte; nothing before the first byte.
    pub(super) fn last_leaf(&self) -> Option<[u8; 32]> {
        let size = self.leaf_size + self.pending_size as u64;
        if size == 0 {
            return self.leaves.last().copied();
        }
        Some(self.leaf.clone().finish(&self.pending[..self.pending_size], size))
    }

    /// Forgets the bytes of that leaf, once; how many they were.
    pub(super) fn take_back_leaf(&mut self) -> u64 {
        let mut size = self.leaf_size + self.pending_size as u64;
        if size == 0 && self.leaves.pop().is_some() {
            size = CHUNK_BYTES;
        }
        // Of fewer bytes than a block the states know nothing.
        if size > self.pending_size as u64 {
            self.whole = self.whole_before_leaf.clone();
            self.leaf = State::INITIAL;
        }
        self.leaf_size = 0;
        self.pending_size = 0;
        self.size -= size;
        size
    }

    pub(super) fn finish(mut self) -> FileDigests {
        let tail = &self.pending[..self.pending_size];
        let last = self.leaf_size + tail.len() as u64;
        if last > 0 || self.leaves.is_empty() {
            self.leaves.push(self.leaf.finish(tail, last));
        }
        let digest = Digest::from_bytes(self.whole.finish(tail, self.size));
        FileDigests { digest, size: self.size, leaves: self.leaves }
    }
}
