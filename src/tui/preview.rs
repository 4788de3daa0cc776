//! What a rule would take now, as far as the tags of its repository are known. Nothing is asked here.

use std::collections::BTreeSet;

use super::describe::{Role, Row};
use super::state::tag_lists::{Listed, TagLists};
use crate::image::tags::{TagRule, Verdict};
use crate::rules::{Rule, Source, Subject};
use crate::text::{count, printable_within};

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
    /// Why a source can't be read.
    pub failed: Option<String>,
}

impl Preview {
    /// Whether all that the rule names was read.
    pub fn is_read(&self) -> bool {
        self.takes.is_some()
    }

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
            Subject::Sources(sources) => return Self::of_sources(sources, lists),
        };
        if let Some(literals) = tags.literals() {
            return Self::of_literals(&upstream.to_string(), &literals, lists.of(upstream));
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

    /// Of tags that are said one by one: a run asks for them alone, and a list tells whether they are there.
    fn of_literals(repository: &str, literals: &[String], listed: Option<&Listed>) -> Self {
        let tags = |number: usize| count(number as u64, "tag", "tags");
        let Some(Listed::Known(list)) = listed else {
            let words = format!(
                "Asks for {} of {repository}, if upstream has {}:",
                tags(literals.len()),
                match literals {
                    [_] => "it",
                    _ => "them",
                }
            );
            let rows = literals.iter().map(|tag| (Role::Name, format!("take   {tag}"))).collect();
            return Self { tags: rows, ..Self::saying(Role::Text, words) };
        };
        let is_there = |tag: &String| list.tags.contains(tag);
        let takes = literals.iter().filter(|tag| is_there(tag)).count();
        let row = |tag: &String| {
            if is_there(tag) {
                (Role::Name, format!("take   {tag}"))
            } else {
                (Role::Warning, format!("miss   {tag}  upstream has no such tag"))
            }
        };
        let words = format!("Would take {} of {repository}.", tags(takes));
        Self { tags: literals.iter().map(row).collect(), takes: Some(takes), ..Self::saying(Role::Text, words) }
    }

    /// Of files that name images, as far as they were read; what programs print is not known before they run.
    fn of_sources(sources: &[Source], lists: &TagLists) -> Self {
        let (mut rows, mut failed, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
        let mut is_whole = true;
        for source in sources {
            let shown = printable_within(&source.to_string(), 300);
            if matches!(source, Source::Command(_)) {
                rows.push((Role::Dim, format!("       what {shown} prints: it runs at each run, not now")));
                continue;
            }
            let Some(named) = lists.of_source(source) else {
                is_whole = false;
                rows.push((Role::Dim, format!("       reading {shown}")));
                continue;
            };
            failed.extend(named.failed.iter().cloned());
            let new = named.images.iter().filter(|image| seen.insert(image.as_str()));
            rows.extend(new.map(|image| (Role::Name, format!("take   {}", printable_within(image, 300)))));
            let left = named.skipped.iter();
            rows.extend(left.map(|what| (Role::Warning, format!("leave  {}", printable_within(what, 300)))));
        }
        let left = rows.len().saturating_sub(MAX_SHOWN_TAKEN);
        rows.truncate(MAX_SHOWN_TAKEN);
        rows.extend((left > 0).then(|| (Role::Dim, format!("       and {left} more"))));
        let images = count(seen.len() as u64, "image", "images");
        let mut head = vec![(Role::Text, format!("Would take {images} now; read anew at each run."))];
        if !is_whole || !failed.is_empty() && seen.is_empty() {
            head.clear();
        }
        head.extend(failed.iter().map(|why| (Role::Danger, printable_within(why, 400))));
        let takes = is_whole.then_some(seen.len());
        Self { head, tags: rows, takes, failed: failed.into_iter().next() }
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
        Self { head, tags: rows, takes: Some(takes), failed: None }
    }
}
