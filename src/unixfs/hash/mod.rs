//! Both digests of a file in one pass: of its whole and of each of its leaves.
//!
//! Knows how the two profiles make leaves of bytes. Must not know what is built above the leaves, nor where bytes come
//! from. Memory is constant but for 32 bytes a leaf. The whole and the leaf are advanced together by `roadstead_sha256`.

mod framed;
mod raw;

pub use framed::framed_leaf_digest;

use super::Profile;
use crate::image::Digest;
use framed::FramedHasher;
use raw::RawHasher;
use roadstead_sha256::Kernel;

/// What one pass over a file's bytes tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDigests {
    /// SHA-256 of the whole file.
    pub digest: Digest,
    /// Length of the file in bytes.
    pub size: u64,
    /// SHA-256 of each leaf block, in the file's order; an empty file has one leaf, of no bytes.
    pub leaves: Vec<[u8; 32]>,
}

/// Takes the bytes of one file in pieces of any length and gives its [`FileDigests`].
#[derive(Debug, Clone)]
pub struct FileHasher(Inner);

#[derive(Debug, Clone)]
enum Inner {
    Raw(RawHasher),
    Framed(FramedHasher),
}

impl FileHasher {
    /// A hasher of no bytes yet; `size_hint` is the length that is expected, and only saves allocations.
    pub fn new(profile: Profile, size_hint: u64) -> Self {
        Self::with_kernel(profile, size_hint, Kernel::detect())
    }

    fn with_kernel(profile: Profile, size_hint: u64, kernel: Kernel) -> Self {
        Self(match profile {
            Profile::V1_2025 => Inner::Raw(RawHasher::new(kernel, size_hint)),
            Profile::V0_2015 => Inner::Framed(FramedHasher::new(kernel, size_hint)),
        })
    }

    /// Takes the next bytes of the file.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Inner::Raw(hasher) => hasher.update(bytes),
            Inner::Framed(hasher) => hasher.update(bytes),
        }
    }

    /// The digest of the leaf that ends with the last byte, before the file is at its end; nothing before the first byte, and for a
    /// profile whose leaves are more than bytes of the file.
    pub fn last_leaf(&self) -> Option<[u8; 32]> {
        match &self.0 {
            Inner::Raw(hasher) => hasher.last_leaf(),
            Inner::Framed(_) => None,
        }
    }

    /// Forgets the bytes of the leaf that [`Self::last_leaf`] tells the digest of; how many they were. Only once for a leaf: those
    /// before it stay.
    pub fn take_back_leaf(&mut self) -> u64 {
        match &mut self.0 {
            Inner::Raw(hasher) => hasher.take_back_leaf(),
            Inner::Framed(_) => 0,
        }
    }

    /// The digests of everything that was taken.
    pub fn finish(self) -> FileDigests {
        match self.0 {
            Inner::Raw(hasher) => hasher.finish(),
            Inner::Framed(hasher) => hasher.finish(),
        }
    }
}

/// Room for the leaves of a file that is said to be `size_hint` long. The hint may come from a registry, so that it
/// never reserves more than 512 KiB.
fn leaf_list(profile: Profile, size_hint: u64) -> Vec<[u8; 32]> {
    Vec::with_capacity(size_hint.div_ceil(profile.chunk_size()).clamp(1, 1 << 14) as usize)
}

#[cfg(test)]
mod tests;
