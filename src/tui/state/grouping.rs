//! The tree of repositories under their registries: whether it is shown, what of it is folded, and what each registry adds up to.

use std::collections::{BTreeMap, BTreeSet};

use super::super::question::{Question, Shape};
use super::super::remembered::Grouping;
use crate::engine::query::browse::Totals;

/// State of the tree.
#[derive(Debug, Default)]
pub struct RegistryTree {
    /// It is shown instead of one list.
    pub shown: bool,
    /// Names of registries whose repositories are not in it.
    folded: BTreeSet<String>,
    /// What each registry adds up to, by its name.
    totals: BTreeMap<String, Totals>,
    /// Nothing has changed since the totals were asked for.
    asked: bool,
    /// The registry whose repositories are to be marked.
    pub(super) marking: Option<String>,
}

impl RegistryTree {
    /// How repositories are to be put on the screen.
    pub(super) fn shape(&self) -> Shape {
        if self.shown { Shape::Tree(self.folded.clone()) } else { Shape::List }
    }

    /// What a registry adds up to, as soon as that is known.
    pub fn totals(&self, registry: &str) -> Option<&Totals> {
        self.totals.get(registry)
    }

    /// The catalog changed.
    pub(super) fn refresh(&mut self) {
        self.asked = false;
    }

    /// The question, unless it was asked since the last change.
    pub(super) fn wants(&mut self) -> Option<Question> {
        let asks = self.shown && !self.asked;
        self.asked |= asks;
        asks.then_some(Question::Registries)
    }

    /// Takes the answer to [`Question::Registries`].
    pub(super) fn answer(&mut self, totals: BTreeMap<String, Totals>) {
        self.totals = totals;
    }

    /// Folds a registry, or unfolds it.
    pub(super) fn fold(&mut self, registry: &str, folds: bool) {
        if folds {
            self.folded.insert(registry.to_owned());
        } else {
            self.folded.remove(registry);
        }
    }

    /// Folds all of these registries, or unfolds all if they are folded already.
    pub(super) fn fold_all(&mut self) {
        let all: BTreeSet<String> = self.totals.keys().cloned().collect();
        self.folded = if all.is_subset(&self.folded) { BTreeSet::new() } else { all };
    }

    /// What is remembered of it.
    pub fn grouping(&self) -> Grouping {
        Grouping::new(self.shown, self.folded.clone())
    }

    /// Is as it was remembered.
    pub fn set_grouping(&mut self, grouping: &Grouping) {
        (self.shown, self.folded) = (grouping.is_tree(), grouping.folded().clone());
    }
}
