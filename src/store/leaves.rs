//! Resuming a blob whose leaves are known: of what a partial file holds, only what they confirm is kept.

use std::io::{self, Read as _, Seek as _};

use super::partial::Partial;
use super::{Store, Writer};
use crate::error::Result;
use crate::image::Digest;
use crate::unixfs::Profile;
use crate::unixfs::hash::FileHasher;

impl Store {
    /// Like [`Store::begin`], where the digests of the blob's leaf blocks are known: every byte before
    /// [`Writer::position`] was verified by them.
    pub fn begin_with_leaves(
        &self,
        digest: Digest,
        size: u64,
        profile: Profile,
        leaves: &[[u8; 32]],
    ) -> Result<Writer> {
        loop {
            let confirmed = {
                let mut partial = Partial::open(self.partial_path(&digest), &digest)?;
                // What can't be read is as good as not there. Whatever is behind goes when the file is let go.
                partial.position = confirmed(&partial, size, profile, leaves).unwrap_or(0);
                partial.position
            };
            let writer = self.begin(digest, size, profile)?;
            // Else another process wrote to it in between.
            if writer.position() == confirmed {
                return Ok(writer);
            }
        }
    }
}

/// How many of its first bytes are whole leaves with the right digests.
fn confirmed(partial: &Partial, size: u64, profile: Profile, leaves: &[[u8; 32]]) -> io::Result<u64> {
    let length = partial.file.metadata()?.len();
    let mut file = partial.file.as_ref();
    file.rewind()?;
    let mut position = 0;
    let mut buffer = Vec::new();
    if length > size {
        return Ok(0);
    }
    for leaf in leaves {
        let wanted = profile.chunk_size().min(size - position);
        if wanted == 0 || position + wanted > length {
            break;
        }
        buffer.clear();
        file.take(wanted).read_to_end(&mut buffer)?;
        let mut hasher = FileHasher::new(profile, wanted);
        hasher.update(&buffer);
        if hasher.finish().leaves.first() != Some(leaf) {
            break;
        }
        position += wanted;
    }
    Ok(position)
}
