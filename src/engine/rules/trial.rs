//! What a rule would take now: one list, and no manifest.

use serde::Serialize;

use crate::engine::Engine;
use crate::engine::blocking::in_place;
use crate::engine::job::Job;
use crate::error::Result;
use crate::image::tags::{Choice, TagRule, Verdict};
use crate::image::{Tag, Upstream};
use crate::registry::Wanted;

/// What a rule would take of a repository now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tried {
    /// `registry/repository`.
    pub repository: String,
    /// Tags that the registry lists.
    pub listed: u64,
    /// The tags that it would take, by pattern, the newest first.
    pub selected: Vec<String>,
    /// The tags that a pattern matches and that it would not take, and why.
    pub others: Vec<TriedTag>,
    /// Tags that no pattern matches.
    pub unmatched: u64,
}

/// A tag that a pattern matches and that is not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TriedTag {
    /// The tag.
    pub tag: String,
    /// Why it is not taken.
    pub reason: Verdict,
}

impl Engine {
    /// All tags of a repository, sorted by their letters. Costs nothing of a registry's quota.
    pub async fn all_tags(&self, upstream: &Upstream, insecure: Option<bool>, job: &Job) -> Result<Vec<String>> {
        let _listening = self.notices.listen(job);
        let insecure = insecure.map_or_else(|| in_place(|| self.is_insecure(upstream)), Ok)?;
        let registry = self.registries.open(&upstream.registry, insecure)?;
        let tags = job.or_cancelled(registry.tags(&upstream.repository, Wanted::All)).await?;
        Ok(tags.iter().map(Tag::to_string).collect())
    }
}

impl Tried {
    /// What a rule takes of this list.
    pub fn of(upstream: &Upstream, rule: &TagRule, listed: &[String]) -> Self {
        let names: Vec<&str> = listed.iter().map(String::as_str).collect();
        // When a tag was seen first is known only of what a rule has listed before.
        let Choice { judged, unmatched } = rule.choose(&names, |_| false);
        let (selected, others): (Vec<_>, Vec<_>) = judged.into_iter().partition(|tag| tag.verdict == Verdict::Selected);
        Self {
            repository: upstream.to_string(),
            listed: listed.len() as u64,
            selected: selected.into_iter().map(|judged| judged.tag.to_owned()).collect(),
            others: others
                .into_iter()
                .map(|judged| TriedTag { tag: judged.tag.to_owned(), reason: judged.verdict })
                .collect(),
            unmatched: unmatched as u64,
        }
    }
}
