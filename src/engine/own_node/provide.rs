//! Which blocks are to be found in the DHT: of each root that is given out, the newest first, the root itself, its directories, and the
//! roots of its files, if they are here. Leaves are got from whoever has those (Kubo calls this strategy `pinned+entities`).

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, SystemTime};

use cid::Cid;
use cid::multihash::Multihash;

use super::index::digest;
use crate::catalog::nodes::Nodes;
use crate::catalog::{blobs, own_node, provided};
use crate::engine::Engine;
use crate::engine::blocks::half;
use crate::error::{Kind, Result};
use crate::swarm::ProvideKey;
use crate::unixfs::directory::DirectoryBlock;
use crate::unixfs::{Link, RAW};

/// How long members of the DHT keep a provider's record, in seconds (libp2p's kad-dht specification).
const RECORD_SECONDS: i64 = 48 * 3600;

impl Engine {
    /// The blocks to provide, in order, with when each was provided last.
    pub fn blocks_to_provide(&self) -> Result<Vec<ProvideKey>> {
        let reader = self.catalog.read()?;
        let (mut seen, mut keys) = (HashSet::new(), Vec::new());
        for (root, _) in own_node::pins(&reader)? {
            let (mut directories, mut files) = (VecDeque::from([Link { cid: root, tsize: 0 }]), Vec::new());
            while let Some(link) = directories.pop_front() {
                if !digest(&link.cid).is_some_and(|digest| seen.insert(half(digest))) {
                    continue;
                }
                if link.cid.codec() == RAW {
                    files.push(link.cid);
                    continue;
                }
                match DirectoryBlock::load(&mut Nodes::of(&reader), &link) {
                    Ok(Some(directory)) => {
                        keys.push(link.cid);
                        directories.extend(directory.links.iter().map(|(_, link)| *link));
                    }
                    Ok(None) => files.push(link.cid),
                    // A root of which not all is here gives out what is.
                    Err(error) if matches!(error.kind(), Kind::NotFound | Kind::Verification) => {}
                    Err(error) => return Err(error),
                }
            }
            for file in files {
                // A follower may have left a blob for later.
                let Some(blob) = blobs::by_cid(&reader, &file)? else { continue };
                if blob.inline || self.store.contains(&blob.digest, blob.size)? {
                    keys.push(file);
                }
            }
        }
        let key = |cid: Cid| {
            let at = provided::at(&reader, &cid.hash().to_bytes())?;
            let provided =
                at.and_then(|at| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(at.try_into().ok()?)));
            Ok(ProvideKey { cid, provided })
        };
        keys.into_iter().map(key).collect()
    }

    /// Keeps which blocks were provided, so that a restart goes on from there.
    pub fn keep_provided(&self, blocks: &[(Multihash<64>, SystemTime)]) -> Result<()> {
        let seconds = |at: &SystemTime| at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |at| at.as_secs() as i64);
        self.catalog.write(|writer| {
            for (multihash, at) in blocks {
                provided::set(writer, &multihash.to_bytes(), seconds(at))?;
            }
            provided::forget_before(writer, crate::engine::now() - RECORD_SECONDS)
        })
    }
}
