//! IPNS: keys, the names that follow from them, and the signed records that let a name point to a root.
//!
//! Knows the record of <https://specs.ipfs.tech/ipns/ipns-record/> and the keys of libp2p's `peer-ids.md`, both ways, so that
//! a name can be moved and followed without asking a node to be trusted. Pure: bytes and a time in, bytes and values out.
//! Must not know where a key is kept, by which way a record came, or what a root holds.

mod data;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod holding;
mod key;
mod name;
mod protobuf;
mod record;
#[cfg(test)]
mod tests;
mod validity;

pub use holding::{GatewayPort, Holding};
pub use key::{MAX_KEY_FILE_BYTES, PrivateKey, PublicKey};
pub use name::Name;
pub use record::{MAX_RECORD_BYTES, Record};
