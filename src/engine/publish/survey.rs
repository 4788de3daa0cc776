//! How a target stands: what it verifiably has, what it lacks, what its names say. The plan is made from it, and so is the run,
//! which does nothing if it finds another state than the plan.

use std::sync::Arc;

use cid::Cid;

use super::chain::{self, Chain};
use super::difference::{Asking, Difference};
use super::found::Found;
use super::holders;
use super::names;
use super::pins;
use super::places::Places;
use super::plan::{PlannedRecord, PlannedTarget};
use crate::catalog::nodes::Nodes;
use crate::catalog::targets::Target;
use crate::catalog::{publications, state, unfinished};
use crate::engine::Engine;
use crate::engine::blocking::in_place;
use crate::engine::job::Job;
use crate::error::{Context as _, Error, Kind, Result};
use crate::naming::{Atomicity, Zone};
use crate::node::{Holder, Node, Pin};
use crate::unixfs::Link;
use crate::unixfs::directory::{self, NodeStore as _};

/// How a target stands towards a root.
#[derive(Debug)]
pub(super) struct Survey {
    /// The node that holds the registry.
    pub(super) node: Arc<dyn Node>,
    /// Who can change the record.
    pub(super) zone: Option<Arc<dyn Zone>>,
    /// What its pins are called.
    pub(super) pin_name: String,
    /// What the target gives out, as it is written down.
    pub(super) served: Option<Cid>,
    /// The row of that publication.
    pub(super) served_by: Option<i64>,
    /// The peers that had to keep it, where the node stands for several.
    pub(super) noted: Vec<Holder>,
    /// The IPNS name that was moved to it, when the node was asked for that.
    pub(super) named: Option<String>,
    /// That root is whole in this catalog.
    pub(super) whole: bool,
    /// It was last told to go back to an older root.
    pub(super) rolled_back: bool,
    /// The newest root of ours that it verifiably pins, and that it has as far as the way from it is read.
    pub(super) former: Option<Link>,
    /// A publication of the root that was cut.
    pub(super) continues: Option<i64>,
    /// What the root has and `former` has not, and what of it the node lacks.
    pub(super) difference: Difference,
    /// The way from `former` to the root; empty where the root is pinned, or is the first.
    pub(super) chain: Chain,
    /// The blocks of temporary roots that the node lacks.
    pub(super) temporary: Vec<directory::Node>,
    /// The pin that the root has already.
    pub(super) pinned: Option<Pin>,
    /// That pin is from here.
    pub(super) pinned_by_us: bool,
    /// Roots that are unpinned after success.
    pub(super) unpin: Vec<Cid>,
    /// How the record moves.
    pub(super) record: Option<PlannedRecord>,
}

/// What the catalog says of a target.
struct Written {
    served: Option<Cid>,
    served_by: Option<i64>,
    noted: Vec<Holder>,
    named: Option<String>,
    whole: bool,
    rolled_back: bool,
    continues: Option<i64>,
    /// Roots that it may pin and that are whole here, the best first.
    candidates: Vec<Link>,
    pinned_by_us: bool,
    unpin: Vec<Cid>,
}

impl Written {
    fn read(engine: &Engine, target: &Target, root: &Link) -> Result<Self> {
        let reader = engine.catalog.read()?;
        let served = publications::newest_published(&reader, target.id)?;
        let mut whole = publications::kept_roots(&reader)?;
        whole.extend(state::root(&reader)?);
        let pinned = publications::pinned_roots(&reader, target.id)?;
        let mut candidates: Vec<Link> = Vec::new();
        for cid in served.iter().map(|served| served.root.cid).chain(pinned.iter().copied()) {
            if let Some(link) = whole.iter().find(|link| link.cid == cid)
                && !candidates.iter().any(|known| known.cid == cid)
                && Nodes::of(&reader).get(&cid)?.is_some()
            {
                candidates.push(*link);
            }
        }
        let served_by = served.as_ref().map(|served| served.id);
        Ok(Self {
            served_by,
            noted: served_by.map(|id| holders::noted(&reader, id)).transpose()?.unwrap_or_default(),
            named: served_by.map(|id| names::moved(&reader, id)).transpose()?.flatten(),
            whole: served.as_ref().is_some_and(|served| candidates.iter().any(|link| link.cid == served.root.cid)),
            rolled_back: served.as_ref().is_some_and(|served| served.verb == "rollback"),
            served: served.map(|served| served.root.cid),
            continues: unfinished::of_root(&reader, target.id, &root.cid)?.map(|publication| publication.id),
            candidates,
            pinned_by_us: pinned.contains(&root.cid),
            unpin: pins::going(&reader, target, &root.cid)?,
        })
    }
}

impl Survey {
    /// Looks at a target. With `force` it does not matter who else wrote there. Of the root that a plan has found there whole,
    /// the pin is looked at, and not all of it once more; and what it lacks is taken from a plan that is not old.
    pub(super) async fn of(
        engine: &Arc<Engine>,
        places: &dyn Places,
        target: &Target,
        root: &Link,
        force: bool,
        plan: Option<&PlannedTarget>,
        job: &Job,
    ) -> Result<Self> {
        let (node, zone) = (places.node(target)?, places.zone(target)?);
        let written = {
            let (target, root) = (target.clone(), *root);
            engine.blocking(move |engine| Written::read(engine, &target, &root)).await?
        };
        let pin_name = in_place(|| pins::name(engine))?;
        let writer = async {
            // Who publishes there for the first time finds what was there before; later it is somebody's who has come since.
            if force || written.served.is_none() { Ok(()) } else { pins::check_writer(engine, &*node, &pin_name).await }
        };
        let seen = plan.and_then(|plan| plan.former);
        let candidate = Self::candidate(&*node, &written.candidates);
        // All are waited for: which of several complaints is told must not depend on which comes first.
        let pin = async {
            match node.pins() {
                Some(pins) => pins.pin(&root.cid).await,
                None => Ok(None),
            }
        };
        let asked = async { Ok(futures::join!(pin, writer, candidate)) };
        let (pinned, writer, candidate) = job.or_cancelled(asked).await?;
        let (pinned, (), mut candidate) = (pinned?, writer?, candidate?);
        let (is_pinned, continues) = (pinned.is_some(), written.continues);
        let (former, (difference, chain, temporary)) = loop {
            let former = candidate.and_then(|place| written.candidates.get(place)).copied();
            let known = plan
                .and_then(|plan| plan.found.as_deref())
                .filter(|found| found.holds(former.map(|former| former.cid), is_pinned, continues));
            if let Some(Found { difference, chain, temporary, .. }) = known.cloned() {
                break (former, (difference, chain, temporary));
            }
            let whole = async {
                match former {
                    Some(former) if seen != Some(former.cid) => Self::is_whole(engine, &*node, former, root, job).await,
                    _ => Ok(true),
                }
            };
            let missing = Self::missing(engine, &*node, former.as_ref(), root, is_pinned, continues, job);
            let (whole, missing) = futures::join!(whole, missing);
            if whole? {
                break (former, missing?);
            }
            let rest = candidate.map_or(written.candidates.len(), |place| place + 1);
            let next = Self::candidate(&*node, written.candidates.get(rest..).unwrap_or_default());
            candidate = job.or_cancelled(next).await?.map(|place| rest + place);
        };
        let record = Self::record(engine, target, zone.as_deref(), &root.cid, force, job).await?;
        // What keeps everything keeps it for us, too.
        let pinned_by_us = node.pins().is_none()
            || written.pinned_by_us
            || pinned.as_ref().is_some_and(|pin| pin.name.as_ref() == Some(&pin_name));
        let unpin = match node.pins() {
            Some(_) => {
                written.unpin.into_iter().filter(|cid| !chain.roots.iter().any(|step| step.cid == *cid)).collect()
            }
            None => Vec::new(),
        };
        Ok(Self {
            node,
            zone,
            pin_name,
            served: written.served,
            served_by: written.served_by,
            noted: written.noted,
            named: written.named,
            whole: written.whole,
            rolled_back: written.rolled_back,
            former,
            continues: written.continues,
            difference,
            unpin,
            chain,
            temporary,
            pinned,
            pinned_by_us,
            record,
        })
    }

    /// What the node lacks, the way to pin it, and the blocks of temporary roots that it lacks.
    async fn missing(
        engine: &Arc<Engine>,
        node: &dyn Node,
        former: Option<&Link>,
        root: &Link,
        pinned: bool,
        continues: Option<i64>,
        job: &Job,
    ) -> Result<(Difference, Chain, Vec<directory::Node>)> {
        let asking = match former {
            _ if pinned || continues.is_some() => Asking::Thorough,
            Some(_) => Asking::Large,
            None => Asking::Thrifty,
        };
        let difference = Self::difference(engine, node, former, root, asking, job).await?;
        let chain = match former {
            Some(former) if !pinned && node.pin_updates().is_some() => {
                let (former, root) = (*former, *root);
                engine
                    .blocking(move |engine| {
                        let reader = engine.catalog.read()?;
                        chain::between(engine.profile, &mut Nodes::of(&reader), &former, &root)
                    })
                    .await?
            }
            _ => Chain::default(),
        };
        // The first try may have brought them there.
        let temporary = if continues.is_some() { Self::lacking(node, &chain, job).await? } else { chain.nodes.clone() };
        Ok((difference, chain, temporary))
    }

    /// What of this a run that follows soon need not find out once more.
    pub(super) fn found(&self) -> Option<Arc<Found>> {
        let former = self.former?.cid;
        Some(Arc::new(Found::new(
            former,
            self.pinned.is_some(),
            self.continues,
            self.difference.clone(),
            self.chain.clone(),
            self.temporary.clone(),
        )))
    }

    /// Where the newest root is that the node still pins and holds, as far as it can be asked for either. One that can be asked for
    /// neither has what is written down.
    async fn candidate(node: &dyn Node, candidates: &[Link]) -> Result<Option<usize>> {
        for (place, link) in candidates.iter().enumerate() {
            let pinned = match node.pins() {
                Some(pins) => pins.pin(&link.cid).await?.is_some(),
                None => true,
            };
            let held = match node.blocks() {
                Some(blocks) if pinned => blocks.holds(&link.cid).await?,
                _ => true,
            };
            if pinned && held {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    /// Whether the root has to be pinned yet: a node without pins keeps what it takes.
    pub(super) fn needs_pin(&self) -> bool {
        self.pinned.is_none() && self.node.pins().is_some()
    }

    /// Whether the node has every block that is read on the way from a former root: one that lacks one would look for it in the
    /// network, and has lost more than we know.
    async fn is_whole(engine: &Arc<Engine>, node: &dyn Node, former: Link, root: &Link, job: &Job) -> Result<bool> {
        if node.blocks().is_none() {
            return Ok(true);
        }
        let root = *root;
        let left =
            engine.blocking(move |engine| Difference::between(&*engine.catalog.read()?, Some(&root), &former)).await?;
        let read: Vec<Cid> =
            left.nodes.iter().map(|node| node.cid).chain(left.files.iter().map(|file| file.cid)).collect();
        Ok(super::difference::holds(node, &read, job).await?.into_iter().all(|held| held))
    }

    /// The blocks of temporary roots that the node lacks.
    pub(super) async fn lacking(node: &dyn Node, chain: &Chain, job: &Job) -> Result<Vec<directory::Node>> {
        let cids: Vec<Cid> = chain.nodes.iter().map(|node| node.cid).collect();
        let held = super::difference::holds(node, &cids, job).await?;
        Ok(chain.nodes.iter().zip(held).filter(|(_, held)| !held).map(|(node, _)| node.clone()).collect())
    }

    /// What the node lacks of a root.
    pub(super) async fn difference(
        engine: &Arc<Engine>,
        node: &dyn Node,
        former: Option<&Link>,
        root: &Link,
        asking: Asking,
        job: &Job,
    ) -> Result<Difference> {
        let (former, root) = (former.copied(), *root);
        let between = engine
            .blocking(move |engine| Difference::between(&*engine.catalog.read()?, former.as_ref(), &root))
            .await?;
        between.ask(engine, node, asking, job).await
    }

    async fn record(
        engine: &Engine,
        target: &Target,
        zone: Option<&dyn Zone>,
        root: &Cid,
        force: bool,
        job: &Job,
    ) -> Result<Option<PlannedRecord>> {
        let Some(settings) = &target.settings.dnslink else { return Ok(None) };
        let zone = zone.ok_or_else(|| {
            Error::new(Kind::Unexpected, format!("nobody can change the record of {}", settings.domain))
        })?;
        let name = names::record_name(settings);
        let before = job.or_cancelled(zone.read(&name)).await.context(|| format!("can't read {name}"))?;
        if !force {
            in_place(|| names::check_writer(&*engine.catalog.read()?, &name, &before))?;
        }
        let mut after = names::wanted(&before, root, settings.ttl);
        // Hosted providers round it.
        if after.values == before.values && zone.atomicity() != Atomicity::Atomic {
            after.ttl = before.ttl;
        }
        Ok(Some(PlannedRecord { name, before, after, atomicity: zone.atomicity() }))
    }

    /// Blocks to hand over, those of temporary roots included.
    pub(super) fn blocks(&self) -> u64 {
        self.difference.blocks + self.temporary.len() as u64
    }

    pub(super) fn bytes(&self) -> u64 {
        self.difference.bytes + self.temporary.iter().map(|node| node.bytes.len() as u64).sum::<u64>()
    }

    /// The roots that are pinned on the way, the wanted one last; none where it is pinned.
    pub(super) fn way(&self, root: &Cid) -> Vec<Cid> {
        if !self.needs_pin() {
            return Vec::new();
        }
        self.chain.roots.iter().map(|link| link.cid).chain([*root]).collect()
    }
}
