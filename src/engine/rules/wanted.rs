//! What the rules want, by repository: however many rules want something of one, it is listed once.

use std::collections::HashMap;

use crate::image::tags::TagRule;
use crate::image::{Reference, Upstream};
use crate::rules::{Rule, Rules, Subject};

/// A repository that rules want something of.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) upstream: Upstream,
    pub(super) parts: Vec<Part>,
}

/// What one rule wants of a repository.
#[derive(Debug)]
pub(super) struct Part {
    /// Place of the rule.
    pub(super) rule: usize,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    Tags(TagRule),
    /// What a source names by its digest, and perhaps by a tag that it is to have here.
    Digest(Reference),
}

/// The images that the sources of a rule name, or why they could not be read.
pub(super) type Named = HashMap<usize, Vec<Reference>>;

impl Wanted {
    /// What these rules want, in their order. `named` is what sources name, by the rule's place.
    pub(super) fn of(rules: &Rules, named: &Named) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        let mut places: HashMap<Upstream, usize> = HashMap::new();
        let mut want = |upstream: &Upstream, part: Part| {
            let place = *places.entry(upstream.clone()).or_insert_with(|| {
                all.push(Self { upstream: upstream.clone(), parts: Vec::new() });
                all.len() - 1
            });
            all[place].parts.push(part);
        };
        for (number, Rule { subject, .. }) in rules.rules.iter().enumerate() {
            match subject {
                Subject::Repository { upstream, tags } => {
                    want(upstream, Part { rule: number, what: What::Tags(tags.clone()) });
                }
                Subject::Sources(_) => {
                    for reference in named.get(&number).into_iter().flatten() {
                        let what = match (&reference.digest, &reference.tag) {
                            (Some(_), _) => What::Digest(reference.clone()),
                            (None, Some(tag)) => {
                                // A tag is a pattern that matches itself.
                                let Ok(pattern) = tag.as_str().parse() else { continue };
                                What::Tags(TagRule { tags: vec![pattern], ..TagRule::default() })
                            }
                            (None, None) => continue,
                        };
                        want(&reference.upstream, Part { rule: number, what });
                    }
                }
            }
        }
        all
    }

    /// Whether its tags have to be listed.
    pub(super) fn needs_list(&self) -> bool {
        self.parts.iter().any(|part| matches!(&part.what, What::Tags(tags) if tags.literals().is_none()))
    }
}
