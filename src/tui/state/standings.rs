//! How the catalog stands to what each target gives out.

use std::collections::{BTreeSet, HashMap};

use super::super::question::Question;
use crate::engine::query::browse::{RowState, States};
use crate::engine::query::diff::ChangeKind;
use crate::engine::query::standing::TargetStanding;

/// State of a repository or tag compared with what targets give out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PublishedState {
    /// Every target gives it out as it is here.
    Published,
    /// A target gives it out otherwise.
    Changed,
    /// A target does not give it out yet.
    New,
}

/// What happens to a repository, and to its tags.
type Changed = (ChangeKind, HashMap<String, ChangeKind>);

/// A target, looked at by name.
#[derive(Debug)]
struct Target {
    name: String,
    root: Option<String>,
    pinned: bool,
    /// By repository: what happens to it, and to its tags. None if it can't be said.
    changes: Option<HashMap<String, Changed>>,
}

/// How the catalog compares with what each target gives out.
#[derive(Debug, Default)]
pub struct Standings {
    targets: Vec<Target>,
    asked: bool,
    known: bool,
}

impl Standings {
    /// The catalog changed, or something was published.
    pub fn refresh(&mut self) {
        self.asked = false;
    }

    /// The question, unless it was asked since the last change.
    pub fn wants(&mut self) -> Option<Question> {
        if std::mem::replace(&mut self.asked, true) { None } else { Some(Question::Standings) }
    }

    /// Whether there is no target, as far as is known.
    pub fn is_without_targets(&self) -> bool {
        self.known && self.targets.is_empty()
    }

    /// Takes the answer to [`Question::Standings`].
    pub fn answer(&mut self, standings: Vec<TargetStanding>) {
        self.known = true;
        self.targets = standings
            .into_iter()
            .map(|standing| Target {
                name: standing.target,
                root: standing.root,
                pinned: standing.pinned,
                changes: standing.changes.map(|changes| {
                    let by_tag = |change: &crate::engine::query::diff::RepositoryChange| {
                        change.tags.iter().map(|tag| (tag.tag.clone(), tag.kind)).collect()
                    };
                    changes.iter().map(|change| (change.repository.clone(), (change.kind, by_tag(change)))).collect()
                }),
            })
            .collect();
    }

    /// How a repository stands, over all targets; nothing without targets.
    pub fn repository(&self, name: &str) -> Option<PublishedState> {
        self.targets.iter().filter_map(|target| target.repository(name)).max()
    }

    /// How a tag stands, over all targets; nothing without targets.
    pub fn tag(&self, repository: &str, tag: &str) -> Option<PublishedState> {
        self.targets.iter().filter_map(|target| target.tag(repository, tag)).max()
    }

    /// How repositories stand, over all targets, for a list that is sorted by it.
    pub fn repositories(&self) -> States {
        let names = self.targets.iter().filter_map(|target| target.changes.as_ref()).flat_map(HashMap::keys);
        let names: BTreeSet<&String> = names.collect();
        let named = names.into_iter().map(|name| (name.clone(), state(self.repository(name)))).collect();
        // Nothing is called so.
        States { named, others: state(self.repository("")) }
    }

    /// How the tags of a repository stand, over all targets, for a list that is sorted by it.
    pub fn tags(&self, repository: &str) -> States {
        let changes = self.targets.iter().filter_map(|target| target.changes.as_ref()?.get(repository));
        let names: BTreeSet<&String> = changes.flat_map(|(_, tags)| tags.keys()).collect();
        let named = names.into_iter().map(|tag| (tag.clone(), state(self.tag(repository, tag)))).collect();
        States { named, others: state(self.tag(repository, "")) }
    }

    /// How a tag stands at each target: its name, the root it gives out, whether it pins that.
    pub fn of_tag(&self, repository: &str, tag: &str) -> Vec<(&str, Option<&str>, bool, Option<PublishedState>)> {
        self.targets
            .iter()
            .map(|target| (target.name.as_str(), target.root.as_deref(), target.pinned, target.tag(repository, tag)))
            .collect()
    }
}

fn state(standing: Option<PublishedState>) -> RowState {
    match standing {
        Some(PublishedState::New) => RowState::New,
        Some(PublishedState::Changed) => RowState::Changed,
        Some(PublishedState::Published) | None => RowState::Settled,
    }
}

impl Target {
    fn repository(&self, name: &str) -> Option<PublishedState> {
        if self.root.is_none() {
            return Some(PublishedState::New);
        }
        Some(match self.changes.as_ref()?.get(name) {
            None => PublishedState::Published,
            Some((ChangeKind::Added, _)) => PublishedState::New,
            Some(_) => PublishedState::Changed,
        })
    }

    fn tag(&self, repository: &str, tag: &str) -> Option<PublishedState> {
        if self.root.is_none() {
            return Some(PublishedState::New);
        }
        let changes = self.changes.as_ref()?;
        Some(match changes.get(repository) {
            None => PublishedState::Published,
            Some((ChangeKind::Added, _)) => PublishedState::New,
            Some((_, tags)) => match tags.get(tag) {
                None => PublishedState::Published,
                Some(ChangeKind::Added) => PublishedState::New,
                Some(_) => PublishedState::Changed,
            },
        })
    }
}
