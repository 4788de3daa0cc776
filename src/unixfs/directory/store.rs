//! Where directory nodes are kept between edits.

use cid::Cid;

use crate::error::Result;
use crate::unixfs::Link;

/// A block of a directory, with the two sizes that its bytes alone don't tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The CID of the bytes.
    pub cid: Cid,
    /// Block of the node, in dag-pb.
    pub bytes: Vec<u8>,
    /// The bytes of this block and of everything below it: the size in links to it.
    pub tsize: u64,
    /// For the root of a sharded directory: the estimated size in bytes of all its entries in one block, by the rule of
    /// the profile. With it an edit needs only the shards on its way; without it all of them are read first.
    pub directory_size: Option<u64>,
}

impl Node {
    /// The link to this node.
    pub fn link(&self) -> Link {
        Link { cid: self.cid, tsize: self.tsize }
    }
}

/// Content-addressed storage of directory nodes.
///
/// The store vouches that a node's bytes hash to its CID, and returns the sizes as they were put.
pub trait NodeStore {
    /// The node with this CID, if it is here.
    fn get(&mut self, cid: &Cid) -> Result<Option<Node>>;

    /// Keeps a node. Children come before what links them; putting a node again changes nothing.
    fn put(&mut self, node: &Node) -> Result<()>;
}
