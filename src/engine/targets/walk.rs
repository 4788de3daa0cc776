//! Whether a node holds a published root whole: every block of it is asked for, and checked against its CID.

use std::collections::HashSet;
use std::sync::Arc;

use cid::Cid;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use rand::Rng as _;
use serde::Serialize;

use super::read_back::read_back;
use crate::catalog::targets::Target;
use crate::catalog::{host_objects, publications};
use crate::engine::Engine;
use crate::engine::blocking::in_place;
use crate::engine::job::{Event, Job};
use crate::engine::publish::Places;
use crate::engine::publish::holders;
use crate::error::{Error, Kind, Result};
use crate::node::source::{BlockSource as _, HttpBlocks};
use crate::node::{Holder, Node, ReadBlocks};
use crate::unixfs::Link;
use crate::unixfs::directory::DirectoryBlock;
use crate::unixfs::{DAG_PB, RAW};

/// Questions at the same time.
const MAX_CONCURRENT_QUESTIONS: usize = 8;
/// Blocks of a sample that a gateway is asked for, the root included.
const MAX_GATEWAY_BLOCKS: usize = 64;
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
    /// The gateway that gave out a sample of them, where the node was not asked itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// The peers that keep the root or have to, where the node stands for several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holders: Vec<Holder>,
    /// It is a static host, and what is counted are objects.
    #[serde(skip)]
    pub is_host: bool,
    /// The host computes no digests: that sizes are right is all that is known.
    #[serde(skip)]
    pub only_sizes: bool,
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
            gateway: None,
            holders: Vec::new(),
            is_host,
            only_sizes: false,
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
    /// Reads every block of a target's newest root from its node, which answers from what it holds itself. Of a node that can't be read
    /// from, the target's first gateway is asked for a sample.
    pub async fn verify_target(self: &Arc<Self>, name: &str, places: &dyn Places, job: &Job) -> Result<Walked> {
        let Newest { target, root, noted } = self.newest(name)?;
        if let Some(host) = places.host(&target)? {
            let mut walked = Walked::of(&target.name, &root.cid, true, true);
            job.or_cancelled(read_back(self, &*host, root, &mut walked, job)).await?;
            if !walked.is_whole() {
                self.forget_list(&target).await;
            }
            return Ok(walked);
        }
        let root = root.cid;
        let node = places.node(&target)?;
        let Some(blocks) = node.blocks() else {
            let Some(gateway) = target.settings.gateways.first() else {
                return Err(Error::new(
                    Kind::Usage,
                    format!("{} can't be read from, so what it holds is unverified", node.place()),
                )
                .hint(format!(
                    "`roadstead target verify {} --gateway URL` asks a gateway for a sample.",
                    target.name
                )));
            };
            return self.verify_by(&target.name, root, &noted, &*node, gateway, job).await;
        };
        let pinned = job.or_cancelled(pins(&*node, &root)).await?;
        let mut walked = Walked::of(&target.name, &root, pinned, false);
        job.or_cancelled(walk(Given::ByNode(blocks), root, &mut walked, job)).await?;
        Ok(walked)
    }

    /// Asks a trustless gateway for the newest root of a target and for a sample of what is below it, and the node whether it pins it.
    pub async fn verify_at_gateway(
        self: &Arc<Self>,
        name: &str,
        gateway: &str,
        places: &dyn Places,
        job: &Job,
    ) -> Result<Walked> {
        let Newest { target, root, noted } = self.newest(name)?;
        let node = places.node(&target)?;
        self.verify_by(&target.name, root.cid, &noted, &*node, gateway, job).await
    }

    /// Lets the next publication list the host, instead of going by what was stored there.
    async fn forget_list(self: &Arc<Self>, target: &Target) {
        let id = target.id;
        let forgotten = self
            .blocking(move |engine| engine.catalog.write(|writer| host_objects::set_listed(writer, id, None)))
            .await;
        if let Err(error) = forgotten {
            tracing::debug!(%error, "that the host has to be listed is not remembered");
        }
    }

    async fn verify_by(
        self: &Arc<Self>,
        name: &str,
        root: Cid,
        noted: &[Holder],
        node: &dyn Node,
        gateway: &str,
        job: &Job,
    ) -> Result<Walked> {
        let gateway = HttpBlocks::gateway(gateway, None)?;
        let pinned = job.or_cancelled(pins(node, &root)).await?;
        let mut walked = Walked::of(name, &root, pinned, false);
        walked.gateway = Some(gateway.place());
        walked.holders = job.or_cancelled(holders::now(node, &root, noted)).await?;
        job.or_cancelled(walk(Given::ByGateway(&gateway), root, &mut walked, job)).await?;
        Ok(walked)
    }

    /// What was published to a target last.
    fn newest(&self, name: &str) -> Result<Newest> {
        in_place(|| {
            let reader = self.catalog.read()?;
            let target = super::view::find(&reader, name)?;
            let newest = publications::newest_published(&reader, target.id)?.ok_or_else(|| {
                Error::new(Kind::NotFound, format!("nothing has been published to {} yet", target.name))
                    .hint(format!("Run `roadstead publish {}`.", target.name))
            })?;
            let noted = holders::noted(&reader, newest.id)?;
            Ok(Newest { target, root: newest.root, noted })
        })
    }
}

/// What was published to a target last.
struct Newest {
    target: Target,
    root: Link,
    /// The peers that had to keep it then.
    noted: Vec<Holder>,
}

/// Whether the node pins a root; true where it keeps everything anyway.
async fn pins(node: &dyn Node, root: &Cid) -> Result<bool> {
    match node.pins() {
        Some(pins) => Ok(pins.pin(root).await?.is_some()),
        None => Ok(true),
    }
}

/// Who gives the blocks.
#[derive(Clone, Copy)]
enum Given<'g> {
    /// The node itself: all of them.
    ByNode(&'g dyn ReadBlocks),
    /// A gateway, which may have to look for each: a sample.
    ByGateway(&'g HttpBlocks),
}

async fn walk(blocks: Given<'_>, root: Cid, walked: &mut Walked, job: &Job) -> Result<()> {
    let mut seen = HashSet::from([root]);
    let mut todo = vec![root];
    let mut asked = FuturesUnordered::new();
    let mut done = 0;
    let mut left = match blocks {
        Given::ByNode(_) => usize::MAX,
        Given::ByGateway(_) => MAX_GATEWAY_BLOCKS,
    };
    loop {
        while asked.len() < MAX_CONCURRENT_QUESTIONS
            && left > 0
            && let Some(cid) = next(&mut todo, blocks)
        {
            left -= 1;
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
        let total = if left == usize::MAX { seen.len() } else { seen.len().min(MAX_GATEWAY_BLOCKS) };
        job.tell(Event::Progress { what: "blocks", done, total: total as u64 });
    }
}

/// What is asked for next: of a sample anything, by chance.
fn next(todo: &mut Vec<Cid>, blocks: Given<'_>) -> Option<Cid> {
    match blocks {
        Given::ByGateway(_) if !todo.is_empty() => Some(todo.swap_remove(rand::rng().random_range(0..todo.len()))),
        _ => todo.pop(),
    }
}

fn name(walked: &mut Walked, cid: &Cid) {
    if walked.named.len() < MAX_NAMED_BLOCKS {
        walked.named.push(cid.to_string());
    }
}

async fn ask(blocks: Given<'_>, cid: Cid) -> Result<Answer> {
    let answer = match blocks {
        Given::ByNode(node) => node.block(&cid).await,
        Given::ByGateway(gateway) => gateway.block(&cid).await,
    };
    let bytes = match answer {
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
