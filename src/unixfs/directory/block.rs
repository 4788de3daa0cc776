//! One block of a directory as a list of links, whatever it is a part of: a whole directory, or a shard of one.
//!
//! Knows what a pin walks over: names as they stand in the block, and what they link. Must not know the rules of sharding.

use super::{Node, NodeStore, broken};
use crate::error::Result;
use crate::unixfs::dagpb::{self, Decoder};
use crate::unixfs::{Link, Profile};

/// A block of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryBlock {
    /// Links in the order of the block. The name of a shard's link begins with its slot.
    pub links: Vec<(Vec<u8>, Link)>,
    data: Vec<u8>,
}

impl DirectoryBlock {
    /// Reads a block's links and data.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let mut decoder = Decoder::new(bytes);
        let mut links = Vec::new();
        while let Some(raw) = decoder.link()? {
            links.push((raw.name.to_vec(), raw.link()?));
        }
        Ok(Self { links, data: decoder.data()?.to_vec() })
    }

    /// Reads the block with this CID, if it is a directory's and in the store.
    pub fn load(store: &mut dyn NodeStore, link: &Link) -> Result<Option<Self>> {
        if link.cid.codec() != crate::unixfs::DAG_PB {
            return Ok(None);
        }
        match store.get(&link.cid)? {
            Some(node) => Self::parse(&node.bytes).map(Some),
            None => Ok(None),
        }
    }

    /// A block with other links and this one's data: good to be pinned on the way to another block, not to be read by people.
    pub fn with(&self, profile: Profile, links: &[(Vec<u8>, Link)]) -> Result<Node> {
        let mut bytes = Vec::new();
        let mut below = 0_u64;
        for (name, link) in links {
            dagpb::write_link(&mut bytes, link, &[], name);
            below = below.checked_add(link.tsize).ok_or_else(|| broken("its sizes add up to more than 64 bits"))?;
        }
        dagpb::write_data(&mut bytes, &self.data);
        let tsize = below.checked_add(bytes.len() as u64);
        let tsize = tsize.ok_or_else(|| broken("its sizes add up to more than 64 bits"))?;
        Ok(Node { cid: profile.cid_of_node(&bytes), bytes, tsize, directory_size: None })
    }
}
