//! Targets of different kinds that are the same place by two ways in: what one of them keeps, the other must not unpin.
//!
//! Their addresses say nothing of it. A place says of a pin when it was made, to the nanosecond; if two say the same of one root, they
//! speak of the same pin. Knows pins and rows; must not know which kinds can be one place.

use std::sync::Arc;

use cid::Cid;

use super::pins;
use super::places::Places;
use crate::catalog::publications;
use crate::catalog::targets::{self, Target};
use crate::engine::Engine;
use crate::error::Result;
use crate::node::Node;

/// Another target that is the same place.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) name: String,
    /// The roots that it keeps.
    keeps: Vec<Cid>,
}

impl Shared {
    /// Whether it keeps this root.
    pub(super) fn keeps(&self, root: &Cid) -> bool {
        self.keeps.contains(root)
    }
}

/// The targets that turn out to be where this one is. One that can't be asked is taken for another place.
pub(super) async fn of(
    engine: &Arc<Engine>,
    places: &dyn Places,
    target: &Target,
    node: &dyn Node,
) -> Result<Vec<Shared>> {
    let Some(own) = node.pins() else { return Ok(Vec::new()) };
    let others = {
        let target = target.clone();
        engine.blocking(move |engine| doubtful(engine, &target)).await?
    };
    let mut found = Vec::new();
    for (other, newest, keeps) in others {
        let Ok(theirs) = places.node(&other) else { continue };
        let Some(theirs) = theirs.pins() else { continue };
        let (here, there) = futures::join!(own.made(&newest), theirs.made(&newest));
        if let (Ok(Some(here)), Ok(Some(there))) = (here, there)
            && here == there
        {
            found.push(Shared { name: other.name, keeps });
        }
    }
    Ok(found)
}

/// Targets that may be where this one is, each with its newest root and those that it keeps.
fn doubtful(engine: &Engine, target: &Target) -> Result<Vec<(Target, Cid, Vec<Cid>)>> {
    let reader = engine.catalog.read()?;
    let mut all = Vec::new();
    for other in targets::all(&reader)? {
        if other.id == target.id || !other.settings.node.may_be_same_place(&target.settings.node) {
            continue;
        }
        let Some(newest) = publications::newest_published(&reader, other.id)? else { continue };
        let mut keeps = pins::staying(&reader, &other, &newest.root.cid)?;
        keeps.extend(publications::running(&reader, other.id)?.map(|running| running.root.cid));
        all.push((other, newest.root.cid, keeps));
    }
    Ok(all)
}
