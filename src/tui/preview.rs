//! What a rule would take now, as far as the tags of its repository are known. Nothing is asked here.

use std::collections::BTreeSet;

use super::describe::{Role, Row};
use super::state::tag_lists::{Listed, TagLists};
use crate::image::tags::{TagRule, Verdict};
use crate::rules::{Rule, Subject};
use crate::text::count;

/// Tags that would be taken and are shown.
const MAX_SHOWN_TAKEN: usize = 500;
/// Tags that just missed and are shown.
const MAX_SHOWN_OTHERS: usize = 100;
/// Columns of the longest tag beside which it is said why it is left.
const MAX_ALIGNED_TAG_COLUMNS: usize = 30;

/// What a rule would take of what its repository has.
#[derive(Debug, Clone, Default)]
pub struct Preview {
    /// What is said of all of them.
    pub head: Vec<Row>,
    /// Each tag or source, in a line.
    pub tags: Vec<Row>,
    /// How many tags would be taken, if that is known.
    pub takes: Option<usize>,
}

impl Preview {
    /// All of it, line by line.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.head.iter().chain(&self.tags)
    }

    fn saying(role: Role, text: String) -> Self {
        Self { head: vec![(role, text)], ..Self::default() }
    }

    /// Of this rule, by these lists.
    pub fn of(rule: &Rule, lists: &TagLists) -> Self {
        let (upstream, tags) = match &rule.subject {
            Subject::Repository { upstream, tags } => (upstream, tags),
            Subject::Sources(sources) => {
                let tags = sources.iter().map(|source| (Role::Name, format!("  {source}"))).collect();
                let words = "Would take what these name, read anew at each run:".to_owned();
                return Self { tags, ..Self::saying(Role::Text, words) };
            }
        };
        if let Some(literals) = tags.literals() {
            let takes = Some(literals.len());
            let words =
                format!("Would take {} of {upstream}, without a list.", count(literals.len() as u64, "tag", "tags"));
            let tags = literals.into_iter().map(|tag| (Role::Name, format!("take   {tag}"))).collect();
            return Self { tags, takes, ..Self::saying(Role::Text, words) };
        }
        match lists.of(upstream) {
            None => Self::default(),
            Some(Listed::Asked) => Self::saying(Role::Dim, format!("asking for the tags of {upstream}")),
            Some(Listed::Failed(why)) => {
                Self::saying(Role::Warning, format!("The tags of {upstream} can't be listed: {why}"))
            }
            Some(Listed::Known(list)) => {
                let judged = list.judge(tags, rule.age, &BTreeSet::new());
                Self::judged(&upstream.to_string(), tags, list.tags.len(), &judged)
            }
        }
    }

    fn judged(repository: &str, rule: &TagRule, listed: usize, judged: &[(&str, Verdict)]) -> Self {
        let (taken, others): (Vec<_>, Vec<_>) = judged.iter().partition(|(_, verdict)| *verdict == Verdict::Selected);
        let takes = taken.len();
        let tags = count(takes as u64, "tag", "tags");
        let mut head = vec![(Role::Text, format!("Would take {tags} of {listed} of {repository}."))];
        let mut rows = Vec::new();
        if judged.is_empty() {
            head.push((Role::Warning, "No tag matches: a pattern matches the whole tag.".to_owned()));
        }
        let columns = others.iter().take(MAX_SHOWN_OTHERS).map(|(tag, _)| tag.len()).max().unwrap_or(0);
        let columns = columns.min(MAX_ALIGNED_TAG_COLUMNS);
        let more = |shown: usize, all: usize| {
            let left = all.saturating_sub(shown);
            (left > 0).then(|| (Role::Dim, format!("       and {left} more")))
        };
        rows.extend(taken.iter().take(MAX_SHOWN_TAKEN).map(|(tag, _)| (Role::Name, format!("take   {tag}"))));
        rows.extend(more(MAX_SHOWN_TAKEN, takes));
        let leave = |(tag, verdict): &(&str, Verdict)| {
            let words = format!("leave  {tag:columns$}  {}", verdict.words(rule));
            (if *verdict == Verdict::TooYoung { Role::Warning } else { Role::Dim }, words)
        };
        rows.extend(others.iter().take(MAX_SHOWN_OTHERS).map(leave));
        rows.extend(more(MAX_SHOWN_OTHERS, others.len()));
        Self { head, tags: rows, takes: Some(takes) }
    }
}
