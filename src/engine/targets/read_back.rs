//! Whether a static host holds a published root whole: every object is read, and checked against its digest.

use std::collections::HashMap;
use std::sync::Arc;

use futures::stream::FuturesUnordered;
use futures::{StreamExt as _, TryStreamExt as _};
use sha2::{Digest as _, Sha256};

use super::walk::Walked;
use crate::engine::Engine;
use crate::engine::job::{Event, Job};
use crate::engine::publish::{Layout, Wanted, hosted_files};
use crate::error::Result;
use crate::hosts::Host;
use crate::hosts::trees::{Reading, Trees};
use crate::unixfs::Link;

/// Objects that are read at the same time.
const MAX_CONCURRENT_READS: usize = 8;
/// Files whose digests are asked for at once.
const FILES_PER_QUESTION: usize = 20_000;
/// So many objects that are not there are named.
const MAX_NAMED_OBJECTS: usize = 20;

/// What one object is.
enum Answer {
    Good(u64),
    Missing,
    Damaged,
}

/// Reads everything that a host shall have of this root.
pub(super) async fn read_back(
    engine: &Arc<Engine>,
    host: &dyn Host,
    root: Link,
    walked: &mut Walked,
    job: &Job,
) -> Result<()> {
    let wanted = {
        let job = job.clone();
        let layout = Layout::of(host);
        engine.blocking(move |engine| hosted_files(&*engine.catalog.read()?, &root, layout, &job)).await?
    };
    if let Some(trees) = host.trees().filter(|trees| trees.is_remote()) {
        return look_there(host, trees, &wanted, walked, job).await;
    }
    let total = wanted.len() as u64;
    let (mut todo, mut asked, mut done) = (wanted.iter(), FuturesUnordered::new(), 0);
    loop {
        while asked.len() < MAX_CONCURRENT_READS
            && let Some(wanted) = todo.next()
        {
            asked.push(ask(host, wanted));
        }
        let Some((wanted, answer)) = asked.try_next().await? else { return Ok(()) };
        done += 1;
        match answer {
            Answer::Good(size) => {
                walked.blocks += 1;
                walked.bytes += size;
                job.meter().advance(size);
            }
            Answer::Missing => walked.missing += 1,
            Answer::Damaged => walked.damaged += 1,
        }
        if !matches!(answer, Answer::Good(_)) && walked.named.len() < MAX_NAMED_OBJECTS {
            walked.named.push(wanted.key.clone());
        }
        job.tell(Event::Progress { what: "objects", done, total });
    }
}

/// The same where nothing is brought here: sizes as they are listed, and digests as they are computed there.
async fn look_there(
    host: &dyn Host,
    trees: &dyn Trees,
    wanted: &[Wanted],
    walked: &mut Walked,
    job: &Job,
) -> Result<()> {
    let sizes: HashMap<String, u64> =
        host.list(None).await?.objects.into_iter().map(|listed| (listed.key, listed.size)).collect();
    walked.only_sizes = trees.reading().await? != Reading::Digests;
    let total = wanted.len() as u64;
    for (some, done) in wanted.chunks(FILES_PER_QUESTION).zip(1_u64..) {
        let keys: Vec<String> = some.iter().map(|wanted| wanted.key.clone()).collect();
        let digests = if walked.only_sizes { vec![None; keys.len()] } else { trees.digests(&keys).await? };
        for (wanted, digest) in some.iter().zip(digests) {
            let good = match sizes.get(&wanted.key) {
                None => {
                    walked.missing += 1;
                    false
                }
                Some(size)
                    if *size == wanted.size && (walked.only_sizes || digest == Some(*wanted.digest.as_bytes())) =>
                {
                    walked.blocks += 1;
                    walked.bytes += wanted.size;
                    job.meter().advance(wanted.size);
                    true
                }
                Some(_) => {
                    walked.damaged += 1;
                    false
                }
            };
            if !good && walked.named.len() < MAX_NAMED_OBJECTS {
                walked.named.push(wanted.key.clone());
            }
        }
        job.tell(Event::Progress { what: "objects", done: total.min(done * FILES_PER_QUESTION as u64), total });
    }
    Ok(())
}

async fn ask<'s>(host: &dyn Host, wanted: &'s Wanted) -> Result<(&'s Wanted, Answer)> {
    let Some(mut pieces) = host.open(&wanted.key).await? else { return Ok((wanted, Answer::Missing)) };
    let (mut hasher, mut size) = (Sha256::new(), 0);
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        size += piece.len() as u64;
        if size > wanted.size {
            return Ok((wanted, Answer::Damaged));
        }
        hasher.update(&piece);
    }
    let digest: [u8; 32] = hasher.finalize().into();
    let good = digest == *wanted.digest.as_bytes();
    Ok((wanted, if good { Answer::Good(size) } else { Answer::Damaged }))
}
