//! From the root that is held to the next one. Whatever goes wrong on the way, the old root stays whole and is served.

use std::sync::Arc;

use cid::Cid;
use serde::Serialize;
use tokio::runtime::Handle;

use super::difference;
use super::known_first::KnownFirst;
use super::poll::Signed;
use super::setting::Mode;
use super::swap::{Swap, Swapped};
use crate::engine::Engine;
use crate::engine::blocking::in_place;
use crate::engine::job::Job;
use crate::engine::restore::tree::{BlockTree, Tree};
use crate::engine::spreading::UnderWay;
use crate::error::{Context as _, Error, Kind, Result};
use crate::node::source::BlockSource;

/// What a new root brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// Images that came, moved or changed.
    pub images: u64,
    /// Images that are gone.
    pub removed: u64,
    /// Bytes of blobs that were fetched.
    pub fetched_bytes: u64,
    /// Blobs that come when they are first pulled.
    pub left_blobs: u64,
    /// The whole catalog was made anew, since what was here was other than its records say.
    pub anew: bool,
}

/// What is to be taken.
pub(super) struct Wanted<'w> {
    pub(super) root: Cid,
    pub(super) signed: Option<&'w Signed>,
    pub(super) mode: Mode,
    /// Where blobs are left that can wait, as it is written.
    pub(super) place: &'w str,
    /// Gives out what is here of it meanwhile.
    pub(super) under_way: Option<Arc<UnderWay>>,
}

impl Engine {
    /// Takes a root: reads what differs, fetches and verifies it, and swaps.
    pub(super) async fn take(
        self: &Arc<Self>,
        wanted: &Wanted<'_>,
        source: Arc<dyn BlockSource>,
        job: &Job,
    ) -> Result<Taken> {
        let _lease = self.lease(&format!("follow {}", wanted.root), job).await?;
        let before = in_place(|| self.root())?;
        let known_first: Arc<dyn BlockSource> = Arc::new(KnownFirst::new(Arc::clone(self), source));
        let new = BlockTree::new(Arc::clone(&known_first), wanted.root);
        let new = match &wanted.under_way {
            Some(under_way) => new.shared(Arc::clone(under_way)),
            None => new,
        };
        let old = before.map(|before| BlockTree::new(known_first, before));
        let attempt = self.attempt(wanted, old.as_ref().zip(before), &new, job).await;
        let place = new.source.place();
        let (found, paths) = match attempt.context(|| format!("can't take {} from {place}", wanted.root))? {
            Ok(taken) => return Ok(taken),
            // What is here may be other than its records say: then nothing of it is taken for granted.
            Err(_) => match self.attempt(wanted, None, &new, job).await? {
                Ok(taken) => return Ok(Taken { anew: true, ..taken }),
                Err(differs) => differs,
            },
        };
        let words = format!("the tree {} is not what its records say: they make {found}", wanted.root);
        let error = Error::new(Kind::Verification, words);
        let error = if paths.is_empty() { error } else { error.hint(format!("Differences: {}.", paths.join(", "))) };
        Err(error
            .hint("It was changed after it was published, or by another version of Roadstead. The former root stays."))
    }

    /// One way there: from a tree that is here, or from nothing. An error inside says which root came of it instead.
    async fn attempt(
        self: &Arc<Self>,
        wanted: &Wanted<'_>,
        old: Option<(&BlockTree, Cid)>,
        new: &BlockTree,
        job: &Job,
    ) -> Result<Result<Taken, (Cid, Vec<String>)>> {
        let difference = difference::read(old.map(|(tree, _)| tree), new, self.profile, job).await?;
        let tree = Tree::Blocks(new.clone());
        let (gathered, fetched) = self.gather(&tree, &difference, wanted.mode, wanted.place, job).await?;
        let _lock = self.lock_whole(&format!("follow {}", wanted.root), job).await?;
        let images = gathered.len() as u64;
        let (root, signed, before) = (wanted.root, wanted.signed.cloned(), old.map(|(_, before)| before));
        let handle = Handle::current();
        let swapping = self.blocking(move |engine| {
            let swap = Swap {
                before,
                root,
                tree,
                difference: &difference,
                gathered: &gathered,
                whole: before.is_none(),
                signed: signed.as_ref(),
            };
            engine.swap(&swap, &handle)
        });
        Ok(match swapping.await? {
            Swapped::Done { removed } => {
                Ok(Taken { images, removed, fetched_bytes: fetched.bytes, left_blobs: fetched.left, anew: false })
            }
            Swapped::Differs(found, paths) => Err((found, paths)),
        })
    }
}
