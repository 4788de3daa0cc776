//! The tags of a rule: why each is in or out, and whether it is here.

use std::collections::{BTreeSet, HashMap};

use super::tag_lists::{Listed, TagLists};
use crate::catalog::rule_images::RuleImage;
use crate::engine::rules::Here;
use crate::image::tags::Verdict;
use crate::rules::{Rule, Subject};

/// A tag of the open rule's repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagRow {
    /// The tag.
    pub tag: String,
    /// Why it is in or out; none: no list says so.
    pub verdict: Option<Verdict>,
    /// The rule that selects or brought it, as the catalog has it, be it this one or another.
    pub image: Option<RuleImage>,
    /// Whether it is in the catalog.
    pub is_here: bool,
}

/// The tags of a rule in the order of their versions, then what is here and no pattern matches.
pub(super) fn tag_rows(
    rule: &Rule,
    (images, here): (&[RuleImage], &Here),
    lists: &TagLists,
    held: &BTreeSet<&str>,
) -> Vec<TagRow> {
    let is_here = |repository: &str, tag: &str| here.get(repository).is_some_and(|tags| tags.contains(tag));
    let mut rows: Vec<TagRow> = Vec::new();
    if let Subject::Repository { upstream, tags } = &rule.subject {
        let judged = match (tags.literals(), lists.of(upstream)) {
            (Some(literals), _) => literals.into_iter().map(|tag| (tag, Verdict::Selected)).collect(),
            (None, Some(Listed::Known(list))) => {
                list.judge(tags, rule.age, held).into_iter().map(|(tag, verdict)| (tag.to_owned(), verdict)).collect()
            }
            (None, _) => Vec::new(),
        };
        let name = rule.published_as.clone().or_else(|| upstream.published_name().ok());
        let name = name.map(|name| name.to_string()).unwrap_or_default();
        let of_name = images.iter().filter(|row| row.repository == name);
        let by_tag: HashMap<&str, &RuleImage> = of_name.map(|row| (row.tag.as_str(), row)).collect();
        let row = |(tag, verdict): (String, Verdict)| TagRow {
            image: by_tag.get(tag.as_str()).map(|row| (*row).clone()),
            is_here: is_here(&name, &tag),
            tag,
            verdict: Some(verdict),
        };
        rows.extend(judged.into_iter().map(row));
    }
    let known: BTreeSet<&str> = rows.iter().map(|row| row.tag.as_str()).collect();
    let is_of_sources = matches!(rule.subject, Subject::Sources(_));
    let of_rule = images.iter().filter(|row| row.rule == rule.name.as_str());
    let others = of_rule.filter_map(|image| {
        let is_here = is_here(&image.repository, &image.tag);
        // What a source names may be on its way; any other that is not here is nothing.
        let is_shown = is_of_sources || is_here && !known.contains(image.tag.as_str());
        let tag = if is_of_sources { format!("{}:{}", image.repository, image.tag) } else { image.tag.clone() };
        is_shown.then(|| TagRow { tag, verdict: None, image: Some(image.clone()), is_here })
    });
    let others: Vec<TagRow> = others.collect();
    rows.extend(others);
    rows
}
