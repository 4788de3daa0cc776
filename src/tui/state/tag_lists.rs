//! The tags of repositories and what sources name, each asked once in the background: choosing among them is done in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::question::Question;
use crate::engine::rules::{NamedImages, TagList};
use crate::image::Upstream;
use crate::rules::Source;

/// Lists that are kept; each may have a hundred thousand tags.
const MAX_LISTS: usize = 32;

/// What is known of a repository's tags.
#[derive(Debug, Clone)]
pub enum Listed {
    /// They are asked for.
    Asked,
    /// All of them.
    Known(Arc<TagList>),
    /// They can't be listed, for this reason.
    Failed(String),
}

/// The lists of repositories.
#[derive(Debug, Default)]
pub struct TagLists {
    lists: BTreeMap<String, Listed>,
    /// Those that may be others by now; they are shown until the answer is here.
    stale: BTreeSet<String>,
    /// What sources name; none: it is asked for.
    sources: BTreeMap<String, Option<Arc<NamedImages>>>,
}

impl TagLists {
    /// What is known of a repository's tags; nothing if they were not asked for.
    pub fn of(&self, upstream: &Upstream) -> Option<&Listed> {
        self.lists.get(&upstream.to_string())
    }

    /// The question for a repository's tags, unless it was asked before.
    pub fn wants(&mut self, upstream: &Upstream, insecure: Option<bool>) -> Option<Question> {
        let key = upstream.to_string();
        let is_stale = self.stale.remove(&key);
        if self.lists.contains_key(&key) {
            return is_stale.then(|| Question::TagList(upstream.clone(), insecure));
        }
        if self.lists.len() >= MAX_LISTS {
            self.lists.retain(|_, list| matches!(list, Listed::Asked));
        }
        self.lists.insert(key, Listed::Asked);
        Some(Question::TagList(upstream.clone(), insecure))
    }

    /// What a source names, as far as it was read.
    pub fn of_source(&self, source: &Source) -> Option<&Arc<NamedImages>> {
        self.sources.get(&source.to_string()).and_then(Option::as_ref)
    }

    /// The question for what a source names, unless it was asked before. A program is not run for it.
    pub fn wants_source(&mut self, source: &Source) -> Option<Question> {
        let key = source.to_string();
        if matches!(source, Source::Command(_)) || self.sources.contains_key(&key) {
            return None;
        }
        self.sources.insert(key, None);
        Some(Question::Source(source.clone()))
    }

    /// Takes what a source names.
    pub fn answer_source(&mut self, source: &Source, named: Arc<NamedImages>) {
        self.sources.insert(source.to_string(), Some(named));
    }

    /// Files may say something else by now.
    pub fn forget_sources(&mut self) {
        self.sources.clear();
    }

    /// They may be others by now, or can be had: they are asked for again.
    pub fn forget(&mut self, upstream: &Upstream) {
        let key = upstream.to_string();
        match self.lists.get(&key) {
            Some(Listed::Known(_)) => {
                self.stale.insert(key);
            }
            Some(Listed::Failed(_)) => {
                self.lists.remove(&key);
            }
            Some(Listed::Asked) | None => {}
        }
    }

    /// Upstream was asked by others: whatever is looked at next is listed anew.
    pub fn forget_all(&mut self) {
        self.lists.retain(|_, list| !matches!(list, Listed::Failed(_)));
        let known = self.lists.iter().filter(|(_, list)| matches!(list, Listed::Known(_)));
        self.stale = known.map(|(key, _)| key.clone()).collect();
    }

    /// Takes the answer.
    pub fn answer(&mut self, upstream: &Upstream, answer: Result<Arc<TagList>, String>) {
        let listed = match answer {
            Ok(list) => Listed::Known(list),
            Err(why) => Listed::Failed(why),
        };
        self.lists.insert(upstream.to_string(), listed);
    }
}
