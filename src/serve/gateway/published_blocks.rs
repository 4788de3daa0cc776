//! What is published here, as a trait that the side of the engine implements.
//!
//! Knows blocks by CID and names by multihash. Must not know HTTP, nor where blocks and records are kept.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use cid::Cid;
use futures::future::BoxFuture;

use crate::error::Result;
use crate::ipns::Holding;

/// Blocks of what is published here, and what is said about where they are.
///
/// A block is found by its CID's multihash; the codec only says how it is read. What is not given out does not exist: a block
/// that is here and not published has the same answer as one that is not here, after the same work. CIDs that hold their
/// content themselves (identity multihashes) are never asked for.
///
/// Every method may block for as long as a small read takes: the server calls them off its own threads, a few at a time.
pub trait PublishedBlocks: Send + Sync + 'static {
    /// Bytes of a block that is given out, without reading it.
    fn size(&self, cid: &Cid) -> Result<Option<u64>>;

    /// A block that is given out, verified.
    fn block(&self, cid: &Cid) -> Result<Option<Bytes>>;

    /// Bytes of a block that is given out, from `offset` on: fills the buffer, or as much of it as the block has, and says how
    /// much that is. They need not be verified: of those that are not, the server checks the block's hash before its last bytes go out.
    ///
    /// Leaves come this way, piece by piece: whoever has them in files does better than this reading of the whole block.
    fn read(&self, cid: &Cid, offset: u64, buffer: &mut [u8]) -> Result<Option<PieceRead>> {
        let Some(block) = self.block(cid)? else { return Ok(None) };
        let rest = usize::try_from(offset).ok().and_then(|offset| block.get(offset..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(Some(PieceRead { bytes: count, is_verified: false }))
    }

    /// The record of an IPNS name that this server answers for. `name` is the multihash of the key, as in a peer ID.
    fn ipns_record(&self, name: &[u8]) -> Result<Option<NamedRecord>>;

    /// Takes a newer record of an IPNS name that this server answers for, once it is verified.
    ///
    /// Refuses another's name with the kind `Auth`, what is no record, or an older one, with `Usage`, and a wrong signature with
    /// `Verification`. These words are shown to whoever sent it.
    fn put_ipns_record(&self, name: &[u8], record: &[u8]) -> Result<()>;

    /// Somebody who asked for the record of a name that is given out here says what they hold. Must be cheap.
    fn note_follower(&self, _asker: &Asker) {}

    /// Under which peer IDs and addresses the blocks can be had. Asked for each request about providers; must be cheap.
    fn providers(&self) -> Vec<Provider>;

    /// Who else has blocks of this root, which is given out here, as far as the asker is to know. Must be cheap.
    fn peers_with(&self, _root: &Cid, _asker: &Asker) -> Vec<Provider> {
        Vec::new()
    }

    /// So many bytes of blocks, and what frames them, go out to this address; of IPv6 the first 64 bits. Must be cheap.
    fn gave(&self, _to: IpAddr, _bytes: u64) {}

    /// A block that is not here yet and is about to come; nothing for all others. Must be cheap.
    fn coming(&self, _cid: &Cid) -> Option<Coming> {
        None
    }
}

/// What was read of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PieceRead {
    /// How much.
    pub bytes: usize,
    /// Whether it is known to be right, as of a file that has not changed since it was verified.
    pub is_verified: bool,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub struct Asker {
    /// Where from.
    pub ip: IpAddr,
    /// What they say of themselves, if they follow.
    pub holding: Option<Holding>,
}

/// A block that is about to come.
pub struct Coming {
    /// Its length in bytes, if that is known.
    pub size: Option<u64>,
    /// Ends when the block is here, or is waited for in vain.
    pub arrival: BoxFuture<'static, ()>,
}

/// A signed IPNS record with what caches need to know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedRecord {
    /// The record, in protobuf (IPNS record spec, "Record Serialization Format").
    pub bytes: Bytes,
    /// How long it may be kept before it is asked for again.
    pub ttl: Duration,
    /// How long its signature is still valid.
    pub valid_for: Duration,
}

/// A peer that has the blocks (delegated routing v1, "Peer Schema").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Peer ID: `12D3Koo…` or `k51…`.
    pub id: String,
    /// Multiaddrs: `/ip4/192.0.2.1/tcp/443/tls/http`.
    pub addresses: Vec<String>,
    /// Transfer protocols: `transport-bitswap`, `transport-ipfs-gateway-http`.
    pub protocols: Vec<String>,
}
