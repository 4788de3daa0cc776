//! Keeping the data directory sound: what is needed, what is not, and whether it is what it should be.

mod gc;
pub(in crate::engine) mod needed;
pub(in crate::engine) mod stamps;
mod verify;
