//! What rules select of one repository: each place here once, however many rules want it.
//!
//! The first rule decides what is in a place; the others add their platforms, and what they want otherwise is noted.

use std::collections::HashMap;

use super::wanted::{Part, What};
use crate::error::Result;
use crate::image::{Digest, Reference, RepositoryName, Selection, Tag, Upstream};
use crate::rules::{Rule, Rules};

/// Name and tag (or digest) that an image has here.
pub(super) type Place = (RepositoryName, String);

/// Something that is selected.
#[derive(Debug)]
pub(super) struct Choice {
    /// The first rule that selects it.
    pub(super) rule: usize,
    /// Its tag, or its digest and perhaps a tag.
    pub(super) reference: Reference,
    pub(super) name: RepositoryName,
    /// Platforms of all rules that select it. None: as `add` without `--platform`.
    pub(super) selection: Option<Selection>,
    /// The digests that rules want for its tag beside the first one, each with its rule.
    pub(super) pins: Vec<(usize, Digest)>,
}

impl Choice {
    pub(super) fn place(&self) -> Place {
        (self.name.clone(), called(&self.reference))
    }

    /// The tag that is asked for. None: its digest says what it is.
    pub(super) fn asks(&self) -> Option<&Tag> {
        if self.reference.digest.is_some() { None } else { self.reference.tag.as_ref() }
    }
}

/// What is selected of a repository that lists these tags, in the order of rules and, within a rule, from the newest version down.
pub(super) fn choose(
    rules: &Rules,
    upstream: &Upstream,
    parts: &[&Part],
    listed: &[&str],
    is_young: impl Fn(&Rule, &str) -> bool,
) -> Result<Vec<Choice>> {
    let mut chosen: Vec<Choice> = Vec::new();
    let mut places: HashMap<Place, usize> = HashMap::new();
    for part in parts {
        let rule = &rules.rules[part.rule];
        let name = name_of(rule, upstream)?;
        let tagged = |tag: Tag| Reference { upstream: upstream.clone(), tag: Some(tag), digest: None };
        let references: Vec<Reference> = match &part.what {
            What::Digest(reference) => vec![reference.clone()],
            What::Tags(tags) => {
                let names: Vec<String> = match tags.literals() {
                    Some(literals) => literals.into_iter().filter(|tag| !is_young(rule, tag)).collect(),
                    None => tags.choose(listed, |tag| is_young(rule, tag)).selected().map(str::to_owned).collect(),
                };
                names.into_iter().filter_map(|name| name.parse().ok()).map(tagged).collect()
            }
        };
        for reference in references {
            let place = (name.clone(), called(&reference));
            let Some(known) = places.get(&place) else {
                places.insert(place, chosen.len());
                let (name, selection) = (name.clone(), rule.platforms.clone());
                chosen.push(Choice { rule: part.rule, reference, name, selection, pins: Vec::new() });
                continue;
            };
            let known = &mut chosen[*known];
            known.selection = united(known.selection.take(), rule.platforms.clone());
            if let Some(digest) = reference.digest.filter(|digest| known.reference.digest != Some(*digest)) {
                known.pins.push((part.rule, digest));
            }
        }
    }
    Ok(chosen)
}

/// Name that what a rule takes from there has here.
pub(super) fn name_of(rule: &Rule, upstream: &Upstream) -> Result<RepositoryName> {
    rule.published_as.clone().map_or_else(|| upstream.published_name(), Ok)
}

fn called(reference: &Reference) -> String {
    let tag = reference.tag.as_ref().map(Tag::to_string);
    tag.or_else(|| reference.digest.map(|digest| digest.to_string())).unwrap_or_default()
}

/// The platforms of two rules. One that says nothing means this machine's.
fn united(one: Option<Selection>, other: Option<Selection>) -> Option<Selection> {
    match (one, other) {
        (None, None) => None,
        (one, other) => Some(one.unwrap_or_else(Selection::host).union(other.unwrap_or_else(Selection::host))),
    }
}

/// `name:tag` or `name@digest`.
pub(super) fn shown(name: &RepositoryName, reference: &Reference) -> String {
    match (&reference.tag, &reference.digest) {
        (Some(tag), _) => format!("{name}:{tag}"),
        (None, Some(digest)) => format!("{name}@{digest}"),
        (None, None) => name.to_string(),
    }
}
