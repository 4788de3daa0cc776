//! Before a name moves: the node gives back what it took, from its own disk; where it gives nothing back, a gateway has to.
//!
//! Every block that links others is asked for, and some that hold content. A node that said yes and holds nothing is found
//! here, and so is one that counts and stores another thing. A gateway is asked for a few of both.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cid::Cid;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use rand::Rng as _;

use super::difference::{Difference, parts_of};
use crate::engine::Engine;
use crate::engine::job::Job;
use crate::error::{Error, Kind, Result};
use crate::node::source::{BlockSource as _, HttpBlocks};
use crate::node::{Node, ReadBlocks};

/// Blocks with content that are asked for.
const MAX_CHECKED_LEAVES: usize = 32;
/// Questions at the same time.
const MAX_CONCURRENT_QUESTIONS: usize = 16;
/// The same for large leaves: each is up to a chunk, and all that are on their way are in memory.
const MAX_CONCURRENT_LARGE_LEAVES: usize = 4;
/// From this size on, in bytes, a leaf is large.
const MIN_LARGE_LEAF_BYTES: u64 = 64 << 10;

/// Blocks that a gateway is asked for, besides the root: of those that link others, and of those with content.
const MAX_GATEWAY_BLOCKS: (usize, usize) = (24, 8);

/// Who gave blocks back, and how many.
#[derive(Debug)]
pub(super) enum Checked {
    /// The node itself.
    Node(u64),
    /// The gateway at this place, for a node that can't be read from.
    Gateway(String, u64),
    /// Nobody was asked.
    Unverified,
}

/// Asks the node for the root, for every block of the difference that links others, and for some leaves of it. One that can't be read
/// from is checked by a sample at the first of these gateways that gives all of it out.
pub(super) async fn check(
    engine: &Arc<Engine>,
    node: &dyn Node,
    gateways: &[String],
    root: &Cid,
    difference: &Difference,
    job: &Job,
) -> Result<Checked> {
    let Some(blocks) = node.blocks() else {
        return at_gateways(engine, node, gateways, root, difference, job).await;
    };
    let (small, large) = chosen(engine, root, difference).await?;
    let asked = (small.len() + large.len()) as u64;
    for (cids, at_once) in [(small, MAX_CONCURRENT_QUESTIONS), (large, MAX_CONCURRENT_LARGE_LEAVES)] {
        let each: Vec<_> = cids.into_iter().map(|cid| gives_back(node, blocks, cid)).collect();
        job.or_cancelled(stream::iter(each).buffer_unordered(at_once).try_collect::<()>()).await?;
    }
    Ok(Checked::Node(asked))
}

/// Asks one gateway after the other for a sample, until one gives all of it out.
async fn at_gateways(
    engine: &Arc<Engine>,
    node: &dyn Node,
    gateways: &[String],
    root: &Cid,
    difference: &Difference,
    job: &Job,
) -> Result<Checked> {
    if gateways.is_empty() {
        return Ok(Checked::Unverified);
    }
    let (mut small, mut large) = chosen(engine, root, difference).await?;
    // The root stays the first.
    some_of(&mut small[1..]);
    some_of(&mut large);
    small.truncate(1 + MAX_GATEWAY_BLOCKS.0);
    large.truncate(MAX_GATEWAY_BLOCKS.1);
    let sample: Vec<Cid> = small.into_iter().chain(large).collect();
    let mut failure = None;
    for url in gateways {
        let gateway = HttpBlocks::gateway(url, None)?;
        match job.or_cancelled(gives_out(node, &gateway, &sample)).await {
            Ok(()) => return Ok(Checked::Gateway(gateway.place(), sample.len() as u64)),
            Err(error) if error.kind() == Kind::Interrupted => return Err(error),
            Err(error) => failure = Some(error),
        }
    }
    failure.map_or(Ok(Checked::Unverified), Err)
}

async fn gives_out(node: &dyn Node, gateway: &HttpBlocks, sample: &[Cid]) -> Result<()> {
    for cid in sample {
        if gateway.block(cid).await?.is_none() {
            return Err(Error::new(
                Kind::Node,
                format!("{} reported the whole root, but {} finds no block {cid}", node.place(), gateway.place()),
            )
            .hint("No name has moved. Check that the gateway can find what is kept there, then publish again."));
        }
    }
    Ok(())
}

/// Puts some of them, drawn by chance, first.
fn some_of(cids: &mut [Cid]) {
    let mut random = rand::rng();
    for place in 0..cids.len().min(MAX_CHECKED_LEAVES) {
        let other = random.random_range(place..cids.len());
        cids.swap(place, other);
    }
}

/// The root and every block of the difference that links others or is small, the root first; and some large leaves of it.
async fn chosen(engine: &Arc<Engine>, root: &Cid, difference: &Difference) -> Result<(Vec<Cid>, Vec<Cid>)> {
    let (mut small, mut large) = (vec![*root], Vec::new());
    small.extend(difference.nodes.iter().map(|node| node.cid).filter(|cid| cid != root));
    let counts: Vec<u64> = difference.files.iter().map(|file| engine.profile.leaf_count(file.size)).collect();
    let drawn = choose(&counts);
    for (index, file) in difference.files.iter().enumerate() {
        let picked = drawn.get(&index);
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
    Ok((small, large))
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
