//! What the lists of images ask the catalog for: which part, in which order, around which row.

use super::super::list::Span;
use super::super::question::{Question, Shape};
use super::images::{Images, means};
use super::listing::Named;
use super::standings::Standings;
use crate::engine::query::browse::{ImageOrder, RepositoryOrder, RowState, Search, States, TreeRow};
use crate::engine::query::view::{ImageRow, RepositoryRow};

/// A name, and what it is without its first parts: `docker.io/library/nginx`, `library/nginx`, `nginx`.
fn endings(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| name.split_once('/').map(|(_, rest)| rest))
}

impl Named for TreeRow<RepositoryRow> {
    fn key(&self) -> String {
        match self {
            Self::Registry(registry) => registry.key(),
            Self::Repository(row) => row.name.clone(),
        }
    }
}

impl Named for ImageRow {
    fn key(&self) -> String {
        self.tag.clone().unwrap_or_else(|| self.digest.to_string())
    }
}

impl Images {
    pub(super) fn ask_repositories(&self, standings: &Standings, span: Span, shape: Shape) -> Question {
        let list = &self.repositories;
        let sought = Search::parse(&list.filter).needs_states();
        let mut states = States::default();
        if sought || list.order == RepositoryOrder::State {
            states = standings.repositories();
            if sought && standings.is_without_targets() {
                states.others = RowState::New;
            }
            let names = self.failures.keys().filter_map(|failed| failed.rsplit_once([':', '@']));
            let failed = names.flat_map(|(name, _)| endings(name));
            states.named.extend(failed.map(|name| (name.to_owned(), RowState::Failed)));
        }
        let (filter, around) = (list.filter.clone(), list.following.clone());
        let (order, descending) = (list.order, list.descending);
        Question::Repositories { shape, filter, order, descending, states, span, around }
    }

    pub(super) fn ask_tags(&self, repository: &str, standings: &Standings, span: Span) -> Question {
        let list = &self.tags;
        let sought = Search::parse(&list.filter).needs_states();
        let mut states = States::default();
        if sought || list.order == ImageOrder::State {
            states = standings.tags(repository);
            if sought && standings.is_without_targets() {
                states.others = RowState::New;
            }
            let failed = self.failures.keys().filter_map(|failed| failed.rsplit_once([':', '@']));
            // A digest has a colon of its own.
            let failed = failed.filter(|(name, _)| means(name.trim_end_matches("@sha256"), repository));
            states.named.extend(failed.map(|(name, of)| {
                let of = if name.ends_with("@sha256") { format!("sha256:{of}") } else { of.to_owned() };
                (of, RowState::Failed)
            }));
        }
        let (repository, filter, around) = (repository.to_owned(), list.filter.clone(), list.following.clone());
        let (order, descending) = (list.order, list.descending);
        Question::Images { repository, filter, order, descending, states, span, around }
    }
}
