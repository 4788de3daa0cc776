//! What is not known of rules in a run: the lists and sources that failed, and the rules that are not run.

use std::collections::{BTreeSet, HashSet};

use super::chosen::name_of;
use super::survey::Looked;
use crate::image::Upstream;
use crate::rules::{Rule, Rules, Subject};

/// What may be selected without the run knowing it.
#[derive(Debug)]
pub(super) struct Doubts<'a> {
    rules: &'a Rules,
    run: &'a BTreeSet<usize>,
    all: Vec<Doubt<'a>>,
}

/// Of a rule it is not known what it selects there; none: anywhere, since its sources name what they like.
#[derive(Debug)]
struct Doubt<'a> {
    rule: usize,
    upstream: Option<&'a Upstream>,
}

impl<'a> Doubts<'a> {
    /// What rules that are not run, sources that could not be read, and lists and questions that failed or wait leave open.
    pub(super) fn of(rules: &'a Rules, run: &'a BTreeSet<usize>, unread: &[usize], looked: &'a [Looked]) -> Self {
        let looked_at: HashSet<&Upstream> = looked.iter().map(|looked| &looked.upstream).collect();
        let not_run = rules.rules.iter().enumerate().filter(|(number, _)| !run.contains(number));
        let not_run = not_run.filter_map(|(rule, of)| match &of.subject {
            Subject::Sources(_) => Some(Doubt { rule, upstream: None }),
            // A repository is looked at for all rules that want something of it.
            Subject::Repository { upstream, .. } => {
                (!looked_at.contains(upstream)).then_some(Doubt { rule, upstream: Some(upstream) })
            }
        });
        let unread = unread.iter().map(|rule| Doubt { rule: *rule, upstream: None });
        let failed = looked.iter().flat_map(|looked| {
            let rules = looked.failed.iter().map(|(rule, _)| *rule);
            let rules = rules.chain(looked.postponed.iter().map(|(rule, _)| *rule));
            rules.map(|rule| Doubt { rule, upstream: Some(&looked.upstream) })
        });
        Self { rules, run, all: not_run.chain(unread).chain(failed).collect() }
    }

    /// Whether it is not known what this rule selects.
    pub(super) fn about(&self, rule: usize) -> bool {
        !self.run.contains(&rule) || self.all.iter().any(|doubt| doubt.rule == rule)
    }

    /// Whether a rule may want something in the repository of this name, which was mirrored from there.
    pub(super) fn may_want(&self, name: &str, from: Option<&Upstream>) -> bool {
        self.all.iter().any(|doubt| self.is_about(doubt, name, from))
    }

    /// The same of the rules that are run.
    pub(super) fn may_be_wanted_by_run(&self, name: &str, from: Option<&Upstream>) -> bool {
        let mut of_run = self.all.iter().filter(|doubt| self.run.contains(&doubt.rule));
        of_run.any(|doubt| self.is_about(doubt, name, from))
    }

    fn is_about(&self, doubt: &Doubt<'_>, name: &str, from: Option<&Upstream>) -> bool {
        match doubt.upstream {
            None => true,
            Some(upstream) => {
                let rule: &Rule = &self.rules.rules[doubt.rule];
                Some(upstream) == from || name_of(rule, upstream).is_ok_and(|published| published.as_str() == name)
            }
        }
    }
}
