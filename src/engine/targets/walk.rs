//! Whether a node holds a published root whole: every block of it is asked for, and checked against its CID.

use std::collections::HashSet;
use std::sync::Arc;

use cid::Cid;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use serde::Serialize;

use super::read_back::read_back;
use crate::catalog::publications;
use crate::engine::Engine;
use crate::engine::blocking::in_place;
use crate::engine::job::{Event, Job};
use crate::engine::publish::Places;
use crate::error::{Error, Kind, Result};
use crate::node::ReadBlocks;
use crate::unixfs::directory::DirectoryBlock;
use crate::unixfs::{DAG_PB, RAW};

/// Questions at the same time.
const MAX_CONCURRENT_QUESTIONS: usize = 8;
/// So many blocks that are not there are named.
const MAX_NAMED_BLOCKS: usize = 20;

/// What a node has of a root.
#[derive(Debug, Clone, Serialize)]
pub struct Walked {
    /// Name of the target.
    pub target: String,
    /// CID of its newest root.
    pub root: String,
    /// The node pins the root; true where it keeps everything anyway.
    pub pinned: bool,
    /// Blocks that it gave back, and that are what their CIDs say.
    pub blocks: u64,
    /// Bytes of these blocks.
    pub bytes: u64,
    /// Blocks that it does not have. What is below them is not known.
    pub missing: u64,
    /// Blocks that it has and whose bytes are others.
    pub damaged: u64,
    /// The first of both: blocks by CID, objects by key.
    pub named: Vec<String>,
    /// It is a static host, and what is counted are objects.
    #[serde(skip)]
    pub is_host: bool,
}

impl Walked {
    fn of(target: &str, root: &Cid, pinned: bool, is_host: bool) -> Self {
        Self {
            target: target.to_owned(),
            root: root.to_string(),
            pinned,
            blocks: 0,
            bytes: 0,
            missing: 0,
            damaged: 0,
            named: Vec::new(),
            is_host,
        }
    }

    /// Whether the node has all of it, and keeps it.
    pub fn is_whole(&self) -> bool {
        self.pinned && self.missing == 0 && self.damaged == 0
    }
}

/// What one block is.
enum Answer {
    /// It is what its CID says: its size, and what it links.
    Good(u64, Vec<Cid>),
    Missing(Cid),
    Damaged(Cid),
}

impl Engine {
    /// Reads every block of a target's newest root from its node, which answers from what it holds itself.
    pub async fn verify_target(self: &Arc<Self>, name: &str, places: &dyn Places, job: &Job) -> Result<Walked> {
        let (target, root) = in_place(|| {
            let reader = self.catalog.read()?;
            let target = super::view::find(&reader, name)?;
            let newest = publications::newest_published(&reader, target.id)?.ok_or_else(|| {
                Error::new(Kind::NotFound, format!("nothing has been published to {} yet", target.name))
                    .hint(format!("Run `roadstead publish {}`.", target.name))
            })?;
            Ok::<_, Error>((target, newest.root))
        })?;
        if let Some(host) = places.host(&target)? {
            let mut walked = Walked::of(&target.name, &root.cid, true, true);
            job.or_cancelled(read_back(self, &*host, root, &mut walked, job)).await?;
            return Ok(walked);
        }
        let root = root.cid;
        let node = places.node(&target)?;
        let blocks = node.blocks().ok_or_else(|| {
            Error::new(Kind::Usage, format!("{} can't be read from, so its blocks can't be verified", node.place()))
        })?;
        let pinned = match node.pins() {
            Some(pins) => job.or_cancelled(pins.pin(&root)).await?.is_some(),
            None => true,
        };
        let mut walked = Walked::of(&target.name, &root, pinned, false);
        job.or_cancelled(walk(blocks, root, &mut walked, job)).await?;
        Ok(walked)
    }
}

async fn walk(blocks: &dyn ReadBlocks, root: Cid, walked: &mut Walked, job: &Job) -> Result<()> {
    let mut seen = HashSet::from([root]);
    let mut todo = vec![root];
    let mut asked = FuturesUnordered::new();
    let mut done = 0;
    loop {
        while asked.len() < MAX_CONCURRENT_QUESTIONS
            && let Some(cid) = todo.pop()
        {
            asked.push(ask(blocks, cid));
        }
        let Some(answer) = asked.next().await else { return Ok(()) };
        done += 1;
        match answer? {
            Answer::Good(size, links) => {
                walked.blocks += 1;
                walked.bytes += size;
                job.meter().advance(size);
                todo.extend(links.into_iter().filter(|cid| seen.insert(*cid)));
            }
            Answer::Missing(cid) => {
                walked.missing += 1;
                name(walked, &cid);
            }
            Answer::Damaged(cid) => {
                walked.damaged += 1;
                name(walked, &cid);
            }
        }
        job.tell(Event::Progress { what: "blocks", done, total: seen.len() as u64 });
    }
}

fn name(walked: &mut Walked, cid: &Cid) {
    if walked.named.len() < MAX_NAMED_BLOCKS {
        walked.named.push(cid.to_string());
    }
}

async fn ask(blocks: &dyn ReadBlocks, cid: Cid) -> Result<Answer> {
    let bytes = match blocks.block(&cid).await {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(Answer::Missing(cid)),
        Err(error) if error.kind() == Kind::Verification => return Ok(Answer::Damaged(cid)),
        Err(error) => return Err(error),
    };
    let links = match cid.codec() {
        RAW => Vec::new(),
        DAG_PB => DirectoryBlock::parse(&bytes)?.links.into_iter().map(|(_, link)| link.cid).collect(),
        other => {
            return Err(Error::new(Kind::Verification, format!("{cid} has the unexpected codec {other}")));
        }
    };
    Ok(Answer::Good(bytes.len() as u64, links))
}
