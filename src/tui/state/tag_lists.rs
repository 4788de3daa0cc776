//! The tags of repositories, each listed once in the background: choosing among them is done in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::question::Question;
use crate::engine::rules::TagList;
use crate::image::Upstream;

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
