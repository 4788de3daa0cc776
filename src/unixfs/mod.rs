//! Bytes to blocks to CIDs: files, directories and trees as UnixFS says them, and CAR files around their blocks.
//!
//! Knows dag-pb, UnixFS (files, directories, HAMT shards), the CID profiles of IPIP-499 and CARv1, to the byte that
//! `ipfs add` writes. Pure: bytes and digests in, blocks out; where directory nodes are kept is the caller's business,
//! behind [`directory::NodeStore`]. Must not know images, registries, files on disk or the network.

pub mod car;
mod dagpb;
mod data;
pub mod directory;
pub mod file;
pub mod hash;
mod links;
mod profile;
pub mod tree;
#[cfg(test)]
mod vectors;

use cid::Cid;

use crate::error::{Error, Kind, Result};

pub use data::NodeKind;
pub use links::{BlockLink, links_from};
pub use profile::Profile;

/// The most bytes a block may have: what every IPFS node accepts, and what Bitswap and gateways refuse to exceed (2 MiB).
pub const MAX_BLOCK_BYTES: usize = 2 << 20;

/// The multicodec of blocks that are plain bytes.
pub const RAW: u64 = 0x55;
/// The multicodec of dag-pb nodes.
pub const DAG_PB: u64 = 0x70;
/// The multihash code of SHA-256.
pub const SHA2_256: u64 = 0x12;
/// The multihash code of a "digest" that is the content itself.
const IDENTITY: u64 = 0x00;

/// What a directory entry or a file node says of something: its CID, and the bytes of all blocks below and including it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Link {
    /// The root block of what is linked.
    pub cid: Cid,
    /// The encoded size of the whole DAG in bytes (`Tsize` in dag-pb), blocks counted as often as they are linked.
    pub tsize: u64,
}

/// A block: bytes and the CID that they hash to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The CID of the bytes.
    pub cid: Cid,
    /// The block's bytes, at most [`MAX_BLOCK_BYTES`].
    pub bytes: Vec<u8>,
}

/// Checks that these bytes are what the CID names (SHA-256 and identity hashes).
pub fn verify_block(cid: &Cid, bytes: &[u8]) -> Result<()> {
    use sha2::Digest as _;
    let hash = cid.hash();
    let right = match hash.code() {
        SHA2_256 => sha2::Sha256::digest(bytes).as_slice() == hash.digest(),
        IDENTITY => bytes == hash.digest(),
        code => {
            return Err(Error::new(
                Kind::Verification,
                format!("block {cid}: hash function {code:#x} is not supported"),
            )
            .hint("Only SHA-256 blocks can be checked."));
        }
    };
    if right {
        Ok(())
    } else {
        Err(Error::new(Kind::Verification, format!("block {cid}: its bytes hash to another CID")))
    }
}

/// Reads a CID that fills these bytes exactly.
fn cid_from_bytes(bytes: &[u8]) -> Result<Cid> {
    let wrong = || Error::new(Kind::Verification, "a link holds no CID");
    let cid = Cid::try_from(bytes).map_err(|error| wrong().caused_by(error))?;
    if cid.encoded_len() == bytes.len() { Ok(cid) } else { Err(wrong()) }
}
