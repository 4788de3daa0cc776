//! Before a name moves: the node gives back what it took, from its own disk.
//!
//! Every block that links others is asked for, and some that hold content. A node that said yes and holds nothing is found
//! here, and so is one that counts and stores another thing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cid::Cid;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use rand::Rng as _;

use super::difference::{Difference, parts_of};
use crate::engine::Engine;
use crate::engine::job::Job;
use crate::error::{Error, Kind, Result};
use crate::node::{Node, ReadBlocks};

/// Blocks with content that are asked for.
const MAX_CHECKED_LEAVES: usize = 32;
/// Questions at the same time.
const MAX_CONCURRENT_QUESTIONS: usize = 16;
/// The same for large leaves: each is up to a chunk, and all that are on their way are in memory.
const MAX_CONCURRENT_LARGE_LEAVES: usize = 4;
/// From this size on, in bytes, a leaf is large.
const MIN_LARGE_LEAF_BYTES: u64 = 64 << 10;

/// Asks the node for the root, for every block of the difference that links others, and for some leaves of it. Says how many; nothing where the
/// node does not say what it holds.
pub(super) async fn check(
    engine: &Arc<Engine>,
    node: &dyn Node,
    root: &Cid,
    difference: &Difference,
    job: &Job,
) -> Result<Option<u64>> {
    let Some(blocks) = node.blocks() else { return Ok(None) };
    let (mut small, mut large) = (vec![*root], Vec::new());
    small.extend(difference.nodes.iter().map(|node| node.cid).filter(|cid| cid != root));
    let counts: Vec<u64> = difference.files.iter().map(|file| engine.profile.leaf_count(file.size)).collect();
    let chosen = choose(&counts);
    for (index, file) in difference.files.iter().enumerate() {
        let picked = chosen.get(&index);
        if counts[index] == 1 {
            let some = if file.size < MIN_LARGE_LEAF_BYTES { &mut small } else { &mut large };
            some.extend(picked.map(|_| file.cid));
            continue;
        }
        let parts = parts_of(engine, file.blob).await?;
        let mut leaf = 0;
        for part in parts {
            if !part.is_leaf {
                small.push(part.cid);
                continue;
            }
            if picked.is_some_and(|picked| picked.contains(&leaf)) {
                large.push(part.cid);
            }
            leaf += 1;
        }
    }
    let asked = (small.len() + large.len()) as u64;
    for (cids, at_once) in [(small, MAX_CONCURRENT_QUESTIONS), (large, MAX_CONCURRENT_LARGE_LEAVES)] {
        let each: Vec<_> = cids.into_iter().map(|cid| gives_back(node, blocks, cid)).collect();
        job.or_cancelled(stream::iter(each).buffer_unordered(at_once).try_collect::<()>()).await?;
    }
    Ok(Some(asked))
}

async fn gives_back(node: &dyn Node, blocks: &dyn ReadBlocks, cid: Cid) -> Result<()> {
    match blocks.block(&cid).await? {
        Some(_) => Ok(()),
        None => {
            Err(Error::new(Kind::Node, format!("{} reported the whole root, but has no block {cid}", node.place()))
                .hint("No name has moved. Check the node's disk and log, then publish again."))
        }
    }
}

/// Some leaves, drawn over all files as if they were one: by file, which of its leaves.
fn choose(counts: &[u64]) -> BTreeMap<usize, BTreeSet<u64>> {
    let total: u64 = counts.iter().sum();
    let mut drawn = BTreeSet::new();
    if total <= MAX_CHECKED_LEAVES as u64 {
        drawn.extend(0..total);
    }
    let mut random = rand::rng();
    while drawn.len() < MAX_CHECKED_LEAVES && (drawn.len() as u64) < total {
        drawn.insert(random.random_range(0..total));
    }
    let mut chosen: BTreeMap<usize, BTreeSet<u64>> = BTreeMap::new();
    let (mut file, mut before) = (0, 0);
    for leaf in drawn {
        while leaf >= before + counts[file] {
            before += counts[file];
            file += 1;
        }
        chosen.entry(file).or_default().insert(leaf - before);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_are_drawn_from_everywhere_and_none_twice() {
        assert!(choose(&[]).is_empty());
        assert_eq!(choose(&[1, 2]), [(0, [0].into()), (1, [0, 1].into())].into());
        for _ in 0..50 {
            let chosen = choose(&[1, 100, 0, 1000]);
            assert_eq!(chosen.values().map(BTreeSet::len).sum::<usize>(), MAX_CHECKED_LEAVES);
            assert!(chosen.iter().all(|(file, leaves)| leaves.iter().all(|leaf| *leaf < [1, 100, 0, 1000][*file])));
        }
    }
}
