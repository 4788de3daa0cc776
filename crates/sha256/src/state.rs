//! One SHA-256 computation between two blocks (FIPS 180-4, 5 and 6.2).

use sha2::block_api::compress256;

/// Bytes in one SHA-256 block.
pub const BLOCK_BYTES: usize = 64;

/// The eight working words; how many bytes they have eaten is the owner's to remember.
#[derive(Debug, Clone)]
pub struct State(pub(crate) [u32; 8]);

impl State {
    /// The state before the first block (FIPS 180-4, 5.3.3).
    pub const INITIAL: Self =
        Self([0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19]);

    pub(crate) fn compress(&mut self, blocks: &[[u8; BLOCK_BYTES]]) {
        compress256(&mut self.0, blocks);
    }

    /// The digest, when `rest` are the last bytes of a message of `length` bytes that this state has not eaten yet.
    pub fn finish(mut self, rest: &[u8], length: u64) -> [u8; 32] {
        let (blocks, tail) = rest.as_chunks();
        self.compress(blocks);
        // The padding: one bit, zeros, and the length in bits as the last eight bytes of a block.
        let mut padding = [0; 2 * BLOCK_BYTES];
        padding[..tail.len()].copy_from_slice(tail);
        padding[tail.len()] = 0x80;
        let end = if tail.len() < BLOCK_BYTES - 8 { BLOCK_BYTES } else { 2 * BLOCK_BYTES };
        padding[end - 8..end].copy_from_slice(&(length * 8).to_be_bytes());
        self.compress(padding[..end].as_chunks().0);
        let mut digest = [0; 32];
        for (bytes, word) in digest.as_chunks_mut().0.iter_mut().zip(self.0) {
            *bytes = word.to_be_bytes();
        }
        digest
    }
}
