//! Pins: one name for each registry, one pin for each root that stays, and nobody else's touched.

use std::collections::BTreeSet;

use cid::Cid;
use rusqlite::Connection;
use sha2::{Digest as _, Sha256};

use super::chain::Chain;
use crate::catalog::targets::{self, Target};
use crate::catalog::{publications, unfinished};
use crate::engine::Engine;
use crate::engine::blocking::in_place;
use crate::engine::job::{Event, Job};
use crate::error::{Error, Kind, Result};
use crate::node::{Node, PinProgress};
use crate::text::printable_within;
use crate::unixfs::Link;

/// The name that all pins of this registry have. Without a name of its own it has one that other catalogs on the same node
/// have not: it is made from where the catalog lies.
pub(super) fn name(engine: &Engine) -> Result<String> {
    let settings = engine.settings()?;
    Ok(match settings.name {
        Some(name) => format!("roadstead {}", printable_within(&name, 200)),
        None => {
            let place = engine.data_dir().canonicalize().unwrap_or_else(|_| engine.data_dir().to_owned());
            let digest = Sha256::digest(place.as_os_str().as_encoded_bytes());
            let short = digest.first_chunk::<4>().map_or(0, |bytes| u32::from_be_bytes(*bytes));
            format!("roadstead {short:08x}")
        }
    })
}

/// An error if the node has pins of this name that are not from here: another writer has the same name.
pub(super) async fn check_writer(engine: &Engine, node: &dyn Node, name: &str) -> Result<()> {
    let Some(pins) = node.pins() else { return Ok(()) };
    for pin in pins.pins_named(name).await? {
        if !in_place(|| unfinished::is_ours(&*engine.catalog.read()?, &pin.cid))? {
            return Err(Error::new(
                Kind::Locked,
                format!("{} pins {} as `{name}`, which was not published from here", node.place(), pin.cid),
            )
            .hint("Another catalog publishes under this name; `--force` publishes anyway."));
        }
    }
    Ok(())
}

/// The roots of this target that stay pinned once `root` is published, newest first.
pub(super) fn staying(connection: &Connection, target: &Target, root: &Cid) -> Result<Vec<Cid>> {
    let mut staying = vec![*root];
    for publication in publications::last_roots(connection, target.id, target.settings.keep)? {
        if publication.root.cid != *root {
            staying.push(publication.root.cid);
        }
    }
    staying.truncate(usize::try_from(target.settings.keep.max(1)).unwrap_or(usize::MAX));
    Ok(staying)
}

/// The roots that go after success: older ones, and temporary ones that a cut left.
pub(super) fn going(connection: &Connection, target: &Target, root: &Cid) -> Result<Vec<Cid>> {
    let mut stays: BTreeSet<Cid> = staying(connection, target, root)?.into_iter().collect();
    // Another target may name the same node.
    for other in targets::all(connection)? {
        if other.id != target.id && other.settings.node.is_same_node(&target.settings.node) {
            let roots = publications::last_roots(connection, other.id, other.settings.keep)?;
            stays.extend(roots.iter().map(|publication| publication.root.cid));
            stays.extend(publications::running(connection, other.id)?.map(|running| running.root.cid));
        }
    }
    let mut going: Vec<Cid> = publications::pinned_roots(connection, target.id)?;
    going.extend(unfinished::temporary_roots(connection, target.id)?);
    let mut seen = BTreeSet::new();
    going.retain(|root| !stays.contains(root) && seen.insert(*root));
    Ok(going)
}

/// Pins a root by its difference to one that is pinned, along the chain, or as a whole the first time. `note` is told of each
/// temporary root before it is pinned.
pub(super) async fn pin(
    node: &dyn Node,
    name: &str,
    former: Option<&Link>,
    chain: &Chain,
    root: &Link,
    job: &Job,
    note: &(dyn Fn(usize, &Cid) -> Result<()> + Send + Sync),
) -> Result<()> {
    let Some(pins) = node.pins() else { return Ok(()) };
    match (former, node.pin_updates()) {
        (Some(former), Some(updates)) => {
            let mut from = former.cid;
            for (number, step) in chain.roots.iter().enumerate() {
                note(number + 1, &step.cid)?;
                job.or_cancelled(updates.pin_update(&from, &step.cid)).await?;
                from = step.cid;
            }
            job.or_cancelled(updates.pin_update(&from, &root.cid)).await?;
        }
        _ => {
            let progress = |progress| match progress {
                PinProgress::Blocks(done) => job.tell(Event::Progress { what: "blocks", done, total: 0 }),
                PinProgress::Words(words) => job.tell(Event::Note(words)),
            };
            job.or_cancelled(pins.pin_add(&root.cid, name, &progress)).await?;
        }
    }
    match pins.pin(&root.cid).await? {
        Some(_) => Ok(()),
        None => Err(Error::new(
            Kind::Node,
            format!("{} reported {} as pinned, but has no such pin", node.place(), root.cid),
        )
        .hint("No name has moved. Check the node's log, then publish again.")),
    }
}
