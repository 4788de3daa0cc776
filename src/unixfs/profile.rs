//! The two CID profiles of IPIP-499: every parameter that decides which CID a file or directory gets.

use std::fmt;
use std::str::FromStr;

use cid::Cid;
use multihash::Multihash;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{DAG_PB, RAW, SHA2_256, dagpb};
use crate::error::{Error, Kind, Result};

/// How bytes become blocks (IPIP-499). Chosen once per catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Profile {
    /// `unixfs-v1-2025`: CIDv1, raw leaves of 1 MiB, 1024 links a node, shards above 256 KiB of block.
    #[default]
    V1_2025,
    /// `unixfs-v0-2015`: CIDv0, dag-pb leaves of 256 KiB, 174 links a node, shards above 256 KiB of names and CIDs.
    V0_2015,
}

/// A directory whose estimated size is strictly greater than this many bytes is sharded.
pub(super) const MAX_BASIC_DIRECTORY_BYTES: u64 = 256 * 1024;

impl Profile {
    /// All profiles, the default first.
    pub const ALL: [Self; 2] = [Self::V1_2025, Self::V0_2015];

    /// The name in IPIP-499, which is also the name of Kubo's configuration profile.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V1_2025 => "unixfs-v1-2025",
            Self::V0_2015 => "unixfs-v0-2015",
        }
    }

    /// The bytes of file content in every leaf but the last.
    pub const fn chunk_size(self) -> u64 {
        match self {
            Self::V1_2025 => 1 << 20,
            Self::V0_2015 => 1 << 18,
        }
    }

    /// The most links that a file node has.
    pub const fn file_width(self) -> usize {
        match self {
            Self::V1_2025 => 1024,
            Self::V0_2015 => 174,
        }
    }

    /// Whether a leaf block is the bare bytes of the file, without a frame around them.
    pub const fn raw_leaves(self) -> bool {
        matches!(self, Self::V1_2025)
    }

    /// The number of leaves that a file of `size` bytes has: at least one.
    pub const fn leaf_count(self, size: u64) -> u64 {
        if size == 0 { 1 } else { size.div_ceil(self.chunk_size()) }
    }

    /// The CID of a leaf block with this SHA-256 digest.
    pub fn leaf_cid(self, digest: &[u8; 32]) -> Cid {
        match self {
            Self::V1_2025 => Cid::new_v1(RAW, sha256(digest)),
            Self::V0_2015 => self.node_cid(digest),
        }
    }

    /// The CID of a dag-pb node with this SHA-256 digest.
    pub fn node_cid(self, digest: &[u8; 32]) -> Cid {
        match self {
            Self::V1_2025 => Cid::new_v1(DAG_PB, sha256(digest)),
            // Refused only for a hash that isn't SHA-256.
            Self::V0_2015 => Cid::new_v0(sha256(digest)).unwrap_or_default(),
        }
    }

    /// The CID of a dag-pb node with these bytes.
    pub(super) fn cid_of_node(self, bytes: &[u8]) -> Cid {
        use sha2::Digest as _;
        self.node_cid(&sha2::Sha256::digest(bytes).into())
    }

    /// The version of every CID that the profile makes.
    pub(super) const fn cid_version(self) -> cid::Version {
        match self {
            Self::V1_2025 => cid::Version::V1,
            Self::V0_2015 => cid::Version::V0,
        }
    }

    /// The estimated size in bytes of a directory without entries.
    pub(super) const fn directory_base(self) -> u64 {
        match self {
            // block-bytes: the Data field.
            Self::V1_2025 => super::data::BASIC_DIRECTORY_NODE.len() as u64,
            // links-bytes: nothing but the entries counts.
            Self::V0_2015 => 0,
        }
    }

    /// What one entry adds to the estimated size of its directory in bytes (block-bytes or links-bytes of IPIP-499).
    pub(super) fn entry_size(self, name_length: usize, cid_length: usize, tsize: u64) -> u64 {
        match self {
            Self::V1_2025 => dagpb::link_length(cid_length, name_length, tsize) as u64,
            Self::V0_2015 => (name_length + cid_length) as u64,
        }
    }
}

fn sha256(digest: &[u8; 32]) -> Multihash<64> {
    // Refused only for a digest of more than 64 bytes.
    Multihash::wrap(SHA2_256, digest).unwrap_or_default()
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Profile {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == text).ok_or_else(|| {
            Error::new(Kind::Usage, format!("`{}` is not a CID profile", crate::text::printable(text)))
                .hint("The profiles are `unixfs-v1-2025` (the default) and `unixfs-v0-2015`.")
        })
    }
}

impl Serialize for Profile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Profile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for profile in Profile::ALL {
            assert_eq!(profile.name().parse::<Profile>().unwrap(), profile);
            let json = serde_json::to_string(&profile).unwrap();
            assert_eq!(json, format!("\"{profile}\""));
            assert_eq!(serde_json::from_str::<Profile>(&json).unwrap(), profile);
        }
        assert_eq!(Profile::default().name(), "unixfs-v1-2025");
        assert!("unixfs-v1".parse::<Profile>().is_err());
    }

    #[test]
    fn leaves_are_counted() {
        for profile in Profile::ALL {
            let chunk = profile.chunk_size();
            for (size, leaves) in [(0, 1), (1, 1), (chunk, 1), (chunk + 1, 2), (7 * chunk, 7)] {
                assert_eq!(profile.leaf_count(size), leaves);
            }
        }
    }

    #[test]
    fn a_link_of_a_directory_is_counted_as_kubo_does() {
        // From ipfs/kubo, test/cli/cid_profiles_test.go, TestProtobufHelpers.
        for (name, cid, tsize, expected) in [
            (255, 34, 0, 299),
            (255, 36, 0, 301),
            (10, 36, 0, 54),
            (255, 36, 34_359_738_367, 305),
            (11, 36, 1, 55),
            (21, 36, 1, 65),
            (22, 36, 1, 66),
        ] {
            assert_eq!(Profile::V1_2025.entry_size(name, cid, tsize), expected);
            assert_eq!(Profile::V0_2015.entry_size(name, cid, tsize), (name + cid) as u64);
        }
    }
}
