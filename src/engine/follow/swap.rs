//! The one transaction that turns the catalog from one root into the next: what goes, what changes, what comes, the settings, and
//! what is given out from then on. It stays only if the root that comes of it is the one that was asked for.

use std::collections::BTreeSet;
use std::time::Duration;

use cid::Cid;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::difference::{Changed, Difference};
use super::gather::Gathered;
use super::poll::Signed;
use crate::catalog::images::{self, Image};
use crate::catalog::repositories::{self, Repository, Transport};
use crate::catalog::settings::{self, Settings};
use crate::catalog::{Writer, follow, own_node, state};
use crate::engine::change::record::{Ready, drop_if_empty, forget, prune};
use crate::engine::change::touched::{Touched, TouchedRepository};
use crate::engine::restore::differing;
use crate::engine::restore::tree::Tree;
use crate::engine::{Engine, now};
use crate::error::{Error, Kind, Result};
use crate::image::{Digest, Tag};
use crate::text::count;

/// Most paths that are named when two trees differ.
const MAX_NAMED_PATHS: usize = 8;
/// How long is looked for them.
const DIFFERING_TIMEOUT: Duration = Duration::from_secs(15);
/// What the pin of the root that is followed is called.
pub(super) const PIN_NAME: &str = "follow";

/// What a swap is to make of the catalog.
pub(super) struct Swap<'a> {
    /// The root that the difference begins at.
    pub(super) before: Option<Cid>,
    pub(super) root: Cid,
    /// The tree of the new root.
    pub(super) tree: Tree,
    pub(super) difference: &'a Difference,
    pub(super) gathered: &'a [Gathered],
    /// Nothing of what is here stays.
    pub(super) whole: bool,
    /// The record that says so; none where nothing is signed.
    pub(super) signed: Option<&'a Signed>,
}

/// How a swap ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Swapped {
    /// The catalog has the new root. So many images went for good.
    Done { removed: u64 },
    /// What comes of it is another root: nothing has changed. A few paths in which they differ.
    Differs(Cid, Vec<String>),
}

impl Engine {
    /// Makes the swap. To be called on a thread that may wait, by who has the lock.
    pub(super) fn swap(&self, swap: &Swap<'_>, handle: &Handle) -> Result<Swapped> {
        self.store.sync_directory()?;
        let (mut stamped, mut removed, mut differs) = (Vec::new(), 0, None);
        let summary = count(swap.gathered.len() as u64, "image", "images");
        let changed = self.change_to(
            "follow",
            &summary,
            |writer, current, touched| {
                if state::root(writer)?.map(|root| root.cid) != swap.before && !swap.whole {
                    return Err(Error::new(Kind::Locked, "the catalog changed while the new root was fetched"));
                }
                let settings = adopt(writer, current, swap.difference, touched)?;
                removed = go(writer, swap, touched)?;
                self.come(writer, &settings, swap, touched)?;
                stamped = crate::engine::keep::stamps::put(writer, &self.store)?;
                for (repository, of_it) in &mut touched.repositories {
                    prune(writer, *repository, of_it)?;
                    // Nothing here is undone: the publisher is followed.
                    of_it.steps.clear();
                }
                touched.steps.clear();
                hold(writer, &swap.root, swap.signed)
            },
            |writer, found| {
                if *found == swap.root {
                    return Ok(());
                }
                let paths = differing::paths_inside(writer, &swap.tree, *found, MAX_NAMED_PATHS);
                let paths = handle.block_on(async { timeout(DIFFERING_TIMEOUT, paths).await });
                differs = Some((*found, paths.ok().and_then(Result::ok).unwrap_or_default()));
                Err(Error::new(Kind::Verification, "the tree is not what its records say"))
            },
        );
        match (changed, differs) {
            (Ok(_), _) => {
                self.store.recorded(&stamped);
                Ok(Swapped::Done { removed })
            }
            (Err(_), Some((found, paths))) => Ok(Swapped::Differs(found, paths)),
            (Err(error), None) => Err(error),
        }
    }

    /// Adds what is new and what has changed, as it is in the new tree.
    fn come(&self, writer: &Writer<'_>, settings: &Settings, swap: &Swap<'_>, touched: &mut Touched) -> Result<()> {
        for changed in &swap.difference.repositories {
            let Some(record) = &changed.record else { continue };
            let Some(known) = repositories::by_name(writer, record.name.as_str())? else { continue };
            let transport = Transport::of_tree(record.insecure);
            let of_it = entry(touched, &known);
            if (known.private, known.allowed) != (record.private, record.private) {
                repositories::set_visibility(writer, known.id, record.private, record.private)?;
                of_it.whole = true;
            }
            if known.transport != transport {
                repositories::set_transport(writer, known.id, transport)?;
                of_it.whole = true;
            }
        }
        let ready = Ready::new();
        swap.gathered.iter().try_for_each(|gathered| {
            let image = gathered.planned(writer)?;
            self.record_one(writer, settings, touched, &image, &ready).map_err(|error| error.context(gathered.shown()))
        })
    }
}

/// Says that this root is held and given out, and by which record.
pub(super) fn hold(writer: &Writer<'_>, root: &Cid, signed: Option<&Signed>) -> Result<()> {
    let pins = own_node::pins(writer)?;
    for (pinned, _) in pins.iter().filter(|(pinned, name)| name == PIN_NAME && pinned != root) {
        own_node::unpin(writer, pinned)?;
    }
    // One that was published here as well is its target's.
    if !pins.iter().any(|(pinned, _)| pinned == root) {
        own_node::pin(writer, root, PIN_NAME, now())?;
    }
    if let Some(signed) = signed {
        own_node::set_record(writer, &signed.key.multihash().to_bytes(), &signed.bytes, now())?;
    }
    follow::set_root(writer, root, now())
}

/// Takes the settings over that a published tree has.
fn adopt(writer: &Writer<'_>, current: &Settings, difference: &Difference, touched: &mut Touched) -> Result<Settings> {
    let mut new = current.clone();
    new.name.clone_from(&difference.name);
    new.description.clone_from(&difference.description);
    new.site_version = difference.site_version;
    if let Some(platform) = &difference.default_platform {
        new.default_platform = platform.clone();
    }
    if new == *current {
        return Ok(new);
    }
    settings::save(writer, &new)?;
    touched.everything = true;
    if new.default_platform != current.default_platform {
        Engine::rename_platforms(writer, &new, touched)?;
    }
    Ok(new)
}

/// Takes out what goes and what changes. How many images go for good.
fn go(writer: &Writer<'_>, swap: &Swap<'_>, touched: &mut Touched) -> Result<u64> {
    let names: BTreeSet<&str> = swap.difference.repositories.iter().map(|changed| changed.name.as_str()).collect();
    let mut removed = 0;
    if swap.whole {
        for repository in repositories::list(writer, None, None)? {
            if !names.contains(repository.name.as_str()) {
                removed += empty(writer, &repository, touched)?;
                drop_if_empty(writer, &repository, touched)?;
            }
        }
    }
    for changed in &swap.difference.repositories {
        let Some(repository) = repositories::by_name(writer, changed.name.as_str())? else { continue };
        if changed.replaced || swap.whole {
            let went = empty(writer, &repository, touched)?;
            // As another upstream's it is another repository.
            let stays = changed
                .record
                .as_ref()
                .is_some_and(|record| (&record.upstream, &record.alias) == (&repository.upstream, &repository.alias));
            if !stays {
                drop_if_empty(writer, &repository, touched)?;
            }
            removed += if changed.record.is_none() { went } else { 0 };
        } else {
            removed += leave(writer, &repository, changed, touched)?;
        }
    }
    Ok(removed)
}

/// Takes every image out of a repository.
fn empty(writer: &Writer<'_>, repository: &Repository, touched: &mut Touched) -> Result<u64> {
    let all = images::of_repository(writer, repository.id, true)?;
    let of_it = entry(touched, repository);
    all.iter().try_for_each(|image| forget(writer, image, of_it))?;
    Ok(all.iter().filter(|image| image.attached_to.is_none()).count() as u64)
}

/// Takes the images out that go or change, and what came along with them.
fn leave(writer: &Writer<'_>, repository: &Repository, changed: &Changed, touched: &mut Touched) -> Result<u64> {
    let of_it = entry(touched, repository);
    let come: BTreeSet<(Option<&str>, Option<&Digest>)> =
        changed.record.iter().flat_map(|record| &record.tags).map(|tag| key(tag.tag.as_ref(), &tag.digest)).collect();
    let mut removed = 0;
    for (tag, digest) in &changed.gone {
        let image = find(writer, repository, tag.as_ref(), digest)?;
        // What came along goes with what it belongs to.
        if let Some(image) = image.filter(|image| image.attached_to.is_none()) {
            forget(writer, &image, of_it)?;
            removed += u64::from(!come.contains(&key(tag.as_ref(), digest)));
        }
    }
    prune(writer, repository.id, of_it)?;
    Ok(removed)
}

fn key<'a>(tag: Option<&'a Tag>, digest: &'a Digest) -> (Option<&'a str>, Option<&'a Digest>) {
    match tag {
        Some(tag) => (Some(tag.as_str()), None),
        None => (None, Some(digest)),
    }
}

fn find(writer: &Writer<'_>, repository: &Repository, tag: Option<&Tag>, digest: &Digest) -> Result<Option<Image>> {
    match tag {
        Some(tag) => images::by_tag(writer, repository.id, tag.as_str()),
        None => images::by_digest(writer, repository.id, digest),
    }
}

/// What is touched of a repository, noting how it was before anything was.
fn entry<'t>(touched: &'t mut Touched, repository: &Repository) -> &'t mut TouchedRepository {
    touched
        .repositories
        .entry(repository.id)
        .or_insert_with(|| TouchedRepository { was_published: repository.is_published(), ..Default::default() })
}
