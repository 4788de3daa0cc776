//! What a follower says of itself where it asks for the record of a name, so that whoever publishes sees how far its copies are.
//!
//! Nobody has to say it, and nobody can prove it: it is shown, and nothing is decided by it.

use std::fmt;

use cid::Cid;

use super::name::Name;

/// The most bytes that are read of it.
const MAX_HOLDING_BYTES: usize = 512;

/// What a follower holds: `peer=12D3Koo…; root=bafy…; left=3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holding {
    /// Who says it.
    pub peer: Name,
    /// The root that it holds.
    pub root: Cid,
    /// Blobs of it that are fetched when they are first pulled.
    pub left: u64,
}

impl Holding {
    /// The field of a request over HTTP that says it.
    pub const FIELD: &str = "roadstead-holds";

    /// Reads it; nothing if it is anything else. Parts that are not known are for later versions.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_HOLDING_BYTES {
            return None;
        }
        let part = |name: &str| {
            text.split(';').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('=')).map(str::trim)
        };
        Some(Self {
            peer: part("peer")?.parse().ok()?,
            root: part("root")?.parse().ok()?,
            left: part("left").map_or(Ok(0), str::parse).ok()?,
        })
    }
}

impl fmt::Display for Holding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "peer={}; root={}; left={}", self.peer.peer_id(), self.root, self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipns::PrivateKey;

    const ROOT: &str = "bafybeibfeusskjjfeusskjjfeusskjjfeusskjjfeusskjjfeusskjjfeu";

    #[test]
    fn what_is_said_is_read() {
        let peer = PrivateKey::generate().unwrap().name();
        let holding = Holding { peer, root: ROOT.parse().unwrap(), left: 3 };
        assert_eq!(Holding::parse(&holding.to_string()), Some(holding));
        let id = peer.peer_id();
        assert_eq!(Holding::parse(&format!("root={ROOT};peer={id};later=1")), Some(Holding { left: 0, ..holding }));
        for wrong in [
            String::new(),
            format!("peer={id}"),
            format!("peer=x; root={ROOT}"),
            format!("peer={id}; root=x"),
            format!("peer={id}; root={ROOT}; left=-1"),
            format!("peer={id}; root={ROOT}; {}", "x".repeat(MAX_HOLDING_BYTES)),
        ] {
            assert_eq!(Holding::parse(&wrong), None, "{wrong}");
        }
    }
}
