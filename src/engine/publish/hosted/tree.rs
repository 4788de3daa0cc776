//! The next tree of a host that takes whole trees: what is new is laid out and sent, the tree is made of that and of the former
//! one, and then it is switched. Until then readers get the former tree, and a cut leaves nothing but room that the next run frees.

use std::collections::HashMap;
use std::sync::Arc;

use rand::Rng as _;

use super::content::NotedUploads;
use super::layout::{Ground, LaidOut};
use super::standing::Standing;
use super::store::Sum;
use super::wanted::Wanted;
use crate::catalog::host_objects;
use crate::catalog::targets::Target;
use crate::engine::Engine;
use crate::engine::job::{Event, Job};
use crate::error::{Error, Kind, Result};
use crate::hosts::Host;
use crate::hosts::trees::{NewTree, Trees};
use crate::image::Digest;
use crate::site::objects::Stage;

pub(super) struct Build<'r> {
    pub(super) engine: &'r Arc<Engine>,
    pub(super) host: &'r dyn Host,
    pub(super) trees: &'r dyn Trees,
    pub(super) target: &'r Target,
    pub(super) root: cid::Cid,
    /// What the record is called by that was written at the beginning.
    pub(super) record: &'r str,
    pub(super) job: &'r Job,
    pub(super) uploads: &'r NotedUploads<'r>,
}

/// What the former tree has under another key, and what comes as a file.
struct Parts<'s> {
    new: Vec<&'s Wanted>,
    same: Vec<(&'s Wanted, &'s Wanted)>,
}

impl<'s> Parts<'s> {
    fn of(standing: &'s Standing) -> Self {
        let stored: Vec<&Wanted> = standing.store.iter().filter_map(|(place, _)| standing.wanted.get(*place)).collect();
        let mut there: HashMap<Digest, &Wanted> = HashMap::new();
        let mut missing: Vec<&str> = stored.iter().map(|wanted| wanted.key.as_str()).collect();
        missing.sort_unstable();
        for wanted in standing.wanted.iter().filter(|wanted| wanted.stage == Stage::Blobs) {
            if missing.binary_search(&wanted.key.as_str()).is_err() {
                there.insert(wanted.digest, wanted);
            }
        }
        let mut parts = Self { new: Vec::new(), same: Vec::new() };
        for wanted in stored {
            match there.get(&wanted.digest).filter(|_| wanted.stage == Stage::Blobs) {
                Some(from) => parts.same.push((from, wanted)),
                None => parts.new.push(wanted),
            }
        }
        parts
    }
}

impl Build<'_> {
    /// Makes the next tree and switches to it, where anything changes; what is not given out any more goes.
    pub(super) async fn everything(&self, standing: &Standing) -> Result<Sum> {
        let mut sum = Sum::default();
        if !standing.store.is_empty() || !standing.leaving.is_empty() {
            let parts = Parts::of(standing);
            let laid = self.lay_out(&parts.new).await?;
            (sum.objects, sum.copied) = (standing.store.len() as u64, parts.same.len() as u64);
            (sum.hard_links, sum.written) = (laid.hard_links, laid.bytes);
            self.tell(1);
            let keys: Vec<String> = parts.new.iter().map(|wanted| wanted.key.clone()).collect();
            self.job.or_cancelled(self.trees.send(&keys, self.uploads)).await?;
            self.tell(2);
            // What a run that was cut may still make on another machine is another tree.
            let name = format!("{}-{:08x}", self.root, rand::rng().random::<u32>());
            let changed = standing.store.iter().filter_map(|(place, _)| standing.wanted.get(*place));
            let without = standing.leaving.iter().map(|leaving| leaving.key.clone());
            let tree = NewTree {
                name: name.clone(),
                without: without.chain(changed.map(|wanted| wanted.key.clone())).collect(),
                new: keys,
                same: parts.same.iter().map(|(from, to)| (from.key.clone(), to.key.clone())).collect(),
            };
            self.job.or_cancelled(self.trees.make(&tree)).await?;
            self.note(&parts.new, &laid).await?;
            self.switch(&name).await?;
            self.tell(3);
        }
        self.job.or_cancelled(self.trees.tidy()).await?;
        self.uploads.stored(sum.objects);
        self.tell(4);
        Ok(sum)
    }

    fn tell(&self, done: u64) {
        self.job.tell(Event::Progress { what: "steps", done, total: 4 });
    }

    async fn lay_out(&self, new: &[&Wanted]) -> Result<LaidOut> {
        let files: Vec<Wanted> = new.iter().map(|wanted| (*wanted).clone()).collect();
        let ground = Ground {
            directory: self.trees.layout().to_owned(),
            hard_links: self.trees.hard_links(),
            is_place: !self.trees.is_remote(),
        };
        let job = self.job.clone();
        self.engine.blocking(move |engine| engine.lay_out(&ground, &files, &job)).await
    }

    /// Writes down what files that change are called by once this tree is given out: what the host lists tells whether it is.
    async fn note(&self, new: &[&Wanted], laid: &LaidOut) -> Result<()> {
        let target = self.target.id;
        let stored: Vec<(String, Digest, String, u64)> = new
            .iter()
            .zip(&laid.tags)
            .filter(|(wanted, _)| !wanted.stage.is_immutable())
            .map(|(wanted, tag)| (wanted.key.clone(), wanted.digest, tag.clone(), wanted.size))
            .collect();
        self.engine
            .blocking(move |engine| {
                engine.catalog.write(|writer| {
                    stored.iter().try_for_each(|(key, digest, tag, size)| {
                        host_objects::set_stored(writer, target, key, digest, tag, *size)
                    })
                })
            })
            .await
    }

    async fn switch(&self, name: &str) -> Result<()> {
        match self.job.or_cancelled(self.trees.switch(name, self.record)).await? {
            crate::hosts::Stored::Now(_) => Ok(()),
            crate::hosts::Stored::Refused => Err(Error::new(
                Kind::Locked,
                format!("somebody else began to publish to {} at the same time", self.host.place()),
            )
            .hint("Nothing of theirs was changed. Let one machine publish there, then run this again.")),
        }
    }
}
