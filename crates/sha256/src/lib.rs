//! Two SHA-256 states (FIPS 180-4) advanced together, block by block: over the same blocks or each over its own.
//!
//! One stream of SHA-256 instructions waits for its own latency, so two streams at once cost what one does. That is why a
//! file's digest and the digest of its current leaf are made together. Must not know what a file or a leaf is.

#[cfg(target_arch = "x86_64")]
mod interleaved;
mod kernel;
mod state;

pub use kernel::Kernel;
pub use state::{BLOCK_BYTES, State};
