//! Whether a static host holds a published root whole: every object is read, and checked against its digest.

use std::sync::Arc;

use futures::stream::FuturesUnordered;
use futures::{StreamExt as _, TryStreamExt as _};
use sha2::{Digest as _, Sha256};

use super::walk::Walked;
use crate::engine::Engine;
use crate::engine::job::{Event, Job};
use crate::engine::publish::{Wanted, hosted_files};
use crate::error::Result;
use crate::hosts::Host;
use crate::unixfs::Link;

/// Objects that are read at the same time.
const MAX_CONCURRENT_READS: usize = 8;
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
        engine.blocking(move |engine| hosted_files(&*engine.catalog.read()?, &root, &job)).await?
    };
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
