//! What a follower says of itself where it asks for the record of a name or for other followers: so that whoever publishes sees how
//! far its copies are, and followers of one root find one another.
//!
//! Nobody has to say it, and nobody can prove it: it is shown, and those who ask are told of it. What comes from a follower is
//! verified block by block, whoever it is.

use std::fmt;
use std::num::NonZeroU16;

use cid::Cid;

use super::name::Name;

/// The most bytes that are read of it.
const MAX_HOLDING_BYTES: usize = 512;

/// What a follower holds: `peer=12D3Koo…; root=bafy…; left=3; taking=bafy…; http=5050`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holding {
    /// Who says it.
    pub peer: Name,
    /// The root that it holds.
    pub root: Option<Cid>,
    /// Blobs of it that are fetched when they are first pulled.
    pub left: u64,
    /// The root that it takes now.
    pub taking: Option<Cid>,
    /// Where it gives out what it has, at the address from which it asks.
    pub gateway: Option<GatewayPort>,
}

/// A port on which blocks are given out over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GatewayPort {
    /// Never 0.
    pub port: NonZeroU16,
    /// Whether it speaks TLS.
    pub tls: bool,
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
        let root = |name: &str| part(name).map(str::parse).transpose().ok();
        let (port, tls) = part("https").map_or((part("http"), false), |port| (Some(port), true));
        let (held, taking) = (root("root")?, root("taking")?);
        (held.is_some() || taking.is_some()).then_some(())?;
        Some(Self {
            peer: part("peer")?.parse().ok()?,
            root: held,
            left: part("left").map_or(Ok(0), str::parse).ok()?,
            taking,
            gateway: match port {
                Some(port) => Some(GatewayPort { port: port.parse().ok()?, tls }),
                None => None,
            },
        })
    }
}

impl fmt::Display for Holding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "peer={}", self.peer.peer_id())?;
        if let Some(root) = &self.root {
            write!(f, "; root={root}; left={}", self.left)?;
        }
        if let Some(taking) = &self.taking {
            write!(f, "; taking={taking}")?;
        }
        match self.gateway {
            Some(GatewayPort { port, tls: false }) => write!(f, "; http={port}"),
            Some(GatewayPort { port, tls: true }) => write!(f, "; https={port}"),
            None => Ok(()),
        }
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
        let root = ROOT.parse().ok();
        let holding = Holding { peer, root, left: 3, taking: None, gateway: None };
        let gateway = |tls| Some(GatewayPort { port: NonZeroU16::new(5050).unwrap(), tls });
        for said in [
            holding,
            Holding { taking: root, gateway: gateway(false), ..holding },
            Holding { root: None, left: 0, taking: root, gateway: gateway(true), ..holding },
        ] {
            assert!(said.to_string().len() < MAX_HOLDING_BYTES);
            assert_eq!(Holding::parse(&said.to_string()), Some(said));
        }
        let id = peer.peer_id();
        assert_eq!(Holding::parse(&format!("root={ROOT};peer={id};later=1")), Some(Holding { left: 0, ..holding }));
        for wrong in [
            String::new(),
            format!("peer={id}"),
            format!("peer=x; root={ROOT}"),
            format!("peer={id}; root=x"),
            format!("peer={id}; root={ROOT}; taking=x"),
            format!("peer={id}; root={ROOT}; left=-1"),
            format!("peer={id}; root={ROOT}; http=0"),
            format!("peer={id}; root={ROOT}; http=65536"),
            format!("peer={id}; root={ROOT}; https=example.com:1"),
            format!("peer={id}; root={ROOT}; {}", "x".repeat(MAX_HOLDING_BYTES)),
        ] {
            assert_eq!(Holding::parse(&wrong), None, "{wrong}");
        }
    }
}
