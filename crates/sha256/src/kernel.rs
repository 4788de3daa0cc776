//! Which code advances two SHA-256 states at once: interleaved SHA instructions, or `sha2` twice.

use super::state::{BLOCK_BYTES, State};

/// Bytes that the portable way hands to one state before it hands them to the other: they stay in the L1 cache.
const PART_BLOCKS: usize = (16 << 10) / BLOCK_BYTES;

/// A way to advance two states; chosen once per file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// Both states in one stream of SHA instructions.
    #[cfg(target_arch = "x86_64")]
    Interleaved(crate::interleaved::Available),
    /// One state after the other, with what `sha2` finds best on this machine.
    Portable,
}

impl Kernel {
    /// The fastest one here.
    pub fn detect() -> Self {
        // Each instruction is a function call in a build without optimisation, which `sha2` always has.
        if cfg!(debug_assertions) { Self::Portable } else { Self::interleaved().unwrap_or(Self::Portable) }
    }

    /// The interleaved one, if this processor has it.
    pub fn interleaved() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        return crate::interleaved::Available::detect().map(Self::Interleaved);
        #[cfg(not(target_arch = "x86_64"))]
        None
    }

    /// Advances both states over the same blocks.
    pub fn compress_shared(self, first: &mut State, second: &mut State, blocks: &[[u8; BLOCK_BYTES]]) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Interleaved(available) => {
                crate::interleaved::compress_shared(available, first, second, blocks);
            }
            Self::Portable => {
                for part in blocks.chunks(PART_BLOCKS) {
                    first.compress(part);
                    second.compress(part);
                }
            }
        }
    }

    /// Advances each state over its own blocks; there must be as many for one as for the other.
    pub fn compress_each(
        self,
        (first, first_blocks): (&mut State, &[[u8; BLOCK_BYTES]]),
        (second, second_blocks): (&mut State, &[[u8; BLOCK_BYTES]]),
    ) {
        debug_assert_eq!(first_blocks.len(), second_blocks.len());
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Interleaved(available) => {
                crate::interleaved::compress_each(available, (first, first_blocks), (second, second_blocks));
            }
            Self::Portable => {
                for (first_part, second_part) in first_blocks.chunks(PART_BLOCKS).zip(second_blocks.chunks(PART_BLOCKS))
                {
                    first.compress(first_part);
                    second.compress(second_part);
                }
            }
        }
    }
}
