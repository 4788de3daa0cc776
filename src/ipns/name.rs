//! IPNS names: the multihash of a public key, which is also the ID of a libp2p peer (IPNS spec, "IPNS Name"; libp2p specs,
//! `peer-ids.md`).
//!
//! Must not know records. Domains, which DNSLink puts in the same place of a path, are no names here.

use std::fmt;
use std::str::FromStr;

use cid::Cid;
use cid::multihash::Multihash;
use multibase::Base;
use sha2::{Digest as _, Sha256};

use super::key::PublicKey;
use crate::error::{Error, Kind, Result};
use crate::text::printable_within;

/// The multicodec of a CID that names a key.
const LIBP2P_KEY: u64 = 0x72;
/// The multihash codes of names: the key itself, or its SHA-256.
const IDENTITY: u64 = 0x00;
const SHA2_256: u64 = 0x12;
/// Keys whose protobuf is not longer than this are their own names.
const MAX_INLINE_BYTES: usize = 42;
/// A name has at most 81 characters in base16.
const MAX_NAME_LENGTH: usize = 128;
/// What precedes a name in a path, and in the key of the DHT.
const PREFIX: &str = "/ipns/";
/// How much of what is no name is shown.
const SHOWN_COLUMNS: usize = 100;

/// A name: an Ed25519 key itself, or the SHA-256 of a longer key (RSA), which its records carry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    multihash: Multihash<64>,
}

impl Name {
    /// The name of a key.
    pub fn of(key: &PublicKey<'_>) -> Self {
        let key = key.to_protobuf();
        let multihash = if key.len() <= MAX_INLINE_BYTES {
            Multihash::wrap(IDENTITY, &key)
        } else {
            Multihash::wrap(SHA2_256, &Sha256::digest(&key))
        };
        // Neither is longer than 64 bytes.
        Self { multihash: multihash.unwrap_or_default() }
    }

    /// Reads the key that the DHT and PubSub have records under: `/ipns/` and the bytes of [`Name::multihash`].
    pub fn from_routing_key(key: &[u8]) -> Result<Self> {
        let wrong = |why: &str| Error::new(Kind::Usage, format!("a key of the DHT is not that of an IPNS name: {why}"));
        let multihash = key.strip_prefix(PREFIX.as_bytes()).ok_or_else(|| wrong("it does not begin with /ipns/"))?;
        let multihash = Multihash::from_bytes(multihash).map_err(|_| wrong("it holds no multihash"))?;
        Self::checked(multihash).map_err(|why| wrong(&why))
    }

    /// Takes only multihashes that a key can have.
    fn checked(multihash: Multihash<64>) -> Result<Self, String> {
        match (multihash.code(), multihash.size()) {
            (IDENTITY, _) => {
                let key = PublicKey::from_protobuf(multihash.digest()).map_err(|why| format!("its key: {why}"))?;
                // A key that is hashed has no second name.
                if Self::of(&key).multihash != multihash {
                    return Err("its key is too long to stand in a name".to_owned());
                }
            }
            (SHA2_256, 32) => {}
            (SHA2_256, size) => return Err(format!("its SHA-256 has {size} bytes instead of 32")),
            (code, _) => return Err(format!("its hash function {code:#x} is neither identity nor SHA-256")),
        }
        Ok(Self { multihash })
    }

    /// The multihash that is the name, and the peer ID.
    pub const fn multihash(&self) -> &Multihash<64> {
        &self.multihash
    }

    /// The name as a CID (version 1, libp2p-key).
    pub const fn cid(&self) -> Cid {
        Cid::new_v1(LIBP2P_KEY, self.multihash)
    }

    /// The name as libp2p writes a peer's ID, in base58: `12D3Koo…`, `Qm…`.
    pub fn peer_id(&self) -> String {
        Base::Base58Btc.encode(self.multihash.to_bytes())
    }

    /// What the DHT and PubSub have records under: `/ipns/` and the multihash (IPNS spec, "Routing Record").
    pub fn routing_key(&self) -> Vec<u8> {
        [PREFIX.as_bytes(), &self.multihash.to_bytes()].concat()
    }

    /// The key, if it stands in the name.
    pub(super) fn key(&self) -> Option<PublicKey<'_>> {
        if self.multihash.code() == IDENTITY { PublicKey::from_protobuf(self.multihash.digest()).ok() } else { None }
    }
}

impl FromStr for Name {
    type Err = Error;

    /// Reads a peer ID in base58 or a CID of the codec libp2p-key in any base, with or without `/ipns/` before it.
    fn from_str(text: &str) -> Result<Self> {
        let refuse = |why: String| {
            let shown = printable_within(text, SHOWN_COLUMNS);
            Error::new(Kind::Usage, format!("`{shown}` is not an IPNS name: {why}"))
        };
        let name = text.strip_prefix(PREFIX).unwrap_or(text);
        if name.len() > MAX_NAME_LENGTH {
            return Err(refuse(format!("it is longer than {MAX_NAME_LENGTH} characters")));
        }
        read(name).and_then(Self::checked).map_err(refuse)
    }
}

/// The multihash in a peer ID or a CID.
fn read(name: &str) -> Result<Multihash<64>, String> {
    // No multibase has these letters.
    if name.starts_with("Qm") || name.starts_with('1') {
        let bytes = Base::Base58Btc.decode(name).map_err(|_| "it is not in base58")?;
        return Multihash::from_bytes(&bytes).map_err(|_| "it holds no multihash".to_owned());
    }
    let cid = cid_of(name).ok_or("it is neither a peer ID nor a CID")?;
    match cid.codec() {
        LIBP2P_KEY => Ok(*cid.hash()),
        _ => Err("it is the CID of content, not of a key".to_owned()),
    }
}

/// A CID and nothing after it, in any base.
pub(super) fn cid_of(text: &str) -> Option<Cid> {
    let bytes =
        if text.starts_with("Qm") { Base::Base58Btc.decode(text).ok()? } else { multibase::decode(text).ok()?.1 };
    Cid::try_from(bytes.as_slice()).ok().filter(|cid| cid.encoded_len() == bytes.len())
}

impl fmt::Display for Name {
    /// `k51…`, as every implementation writes it: the CID in base36.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cid().to_string_of_base(Base::Base36Lower).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
