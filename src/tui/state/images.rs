//! Images: repositories, the tags of one, and everything about one image.

mod commands;

use std::collections::BTreeMap;

use super::super::command::{Command, Context};
use super::super::list::Window;
use super::super::question::{Answer, Question, Shape};
use super::super::remembered::Orders;
use super::grouping::RegistryTree;
use super::image_page::ImagePage;
use super::listing::{ALL_ROWS, Listing};
use super::standings::Standings;
use crate::engine::query::browse::{ImageOrder, Registry, RepositoryOrder, Search, TreeRow};
use crate::engine::query::view::{ImageDetails, ImageRow, RepositoryRow};

/// How deep the view is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Level {
    /// The list of repositories.
    #[default]
    Repositories,
    /// The tags of one.
    Tags,
    /// The details of one image.
    Details,
}

/// State of the view Images: repositories, tags, one image.
#[derive(Debug, Default)]
pub struct Images {
    /// Level that is open: repositories, tags or one image.
    pub level: Level,
    /// List of the repositories, with its filter and order.
    pub repositories: Listing<TreeRow<RepositoryRow>, RepositoryOrder>,
    /// Whether they stand under their registries.
    pub tree: RegistryTree,
    /// The repository whose tags these are.
    pub repository: Option<String>,
    /// List of the open repository's tags.
    pub tags: Listing<ImageRow, ImageOrder>,
    /// What is shown of one image.
    pub details: Option<Box<ImageDetails>>,
    /// The image whose details are asked for.
    pub asked: Option<String>,
    /// What is looked for in the details.
    pub search: String,
    /// The line that it was found in.
    pub found: Option<usize>,
    /// How the details are looked at.
    pub page: ImagePage,
    /// How far the details are scrolled.
    pub scroll: u16,
    /// How far they can be: measured by the view that draws them.
    pub scroll_end: u16,
    /// The first image of the repository under the cursor is shown below its tags: there is room for that.
    pub previews: bool,
    /// Two images whose difference is to be shown as soon as it is known.
    pub comparing: Option<(String, String)>,
    /// Why images could not be brought here or up to date the last time: by what was asked for.
    pub failures: BTreeMap<String, String>,
    /// Columns that the lists need, as far as was seen while they were not filtered: of the repositories, and of the tags of one.
    /// A border between panes stays where it is while a filter hides the longest rows.
    needs: (u16, u16),
    /// What was clicked last, and when: two clicks on one row open it.
    clicked: Option<(u64, std::time::Duration)>,
}

/// Two clicks within this time are a double click.
const DOUBLE_CLICK_TIMEOUT: std::time::Duration = std::time::Duration::from_millis(400);
/// The most failures that are remembered.
const MAX_FAILURES: usize = 1000;

/// `name:tag` or `name@digest`.
pub fn named(row: &ImageRow) -> String {
    match &row.tag {
        Some(tag) => format!("{}:{tag}", row.name),
        None => format!("{}@{}", row.name, row.digest),
    }
}

/// Whether what was asked for (`docker.io/library/nginx:alpine`) is what has this name here (`library/nginx:alpine`).
pub(super) fn means(asked: &str, name: &str) -> bool {
    asked.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

/// The registry that a repository is mirrored from; empty for one that came from a file.
pub fn registry_of(row: &RepositoryRow) -> &str {
    row.upstream.as_deref().and_then(|upstream| upstream.split_once('/')).map_or("", |(registry, _)| registry)
}

/// What can be scrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pane {
    /// The list of repositories.
    Repositories,
    /// The tags of one.
    Tags,
    /// The details of an image.
    Details,
}

impl Images {
    /// Contexts whose keys apply at this level.
    pub fn contexts(&self) -> &'static [Context] {
        match self.level {
            Level::Repositories => &[Context::List, Context::Repositories],
            Level::Tags => &[Context::List, Context::Tags],
            Level::Details => &[Context::Details],
        }
    }

    /// The filter of the list that is shown.
    pub fn filter(&self) -> &str {
        if self.level == Level::Repositories { &self.repositories.filter } else { &self.tags.filter }
    }

    /// Columns that the list that is shown needs, if it was seen without a filter.
    pub fn need(&self) -> Option<u16> {
        let need = if self.level == Level::Repositories { self.needs.0 } else { self.needs.1 };
        (need > 0).then_some(need)
    }

    /// The list that is shown needs so many columns, by the rows that are loaded.
    pub fn set_need(&mut self, need: u16) {
        let is_filtered = !self.filter().is_empty();
        let of = if self.level == Level::Repositories { &mut self.needs.0 } else { &mut self.needs.1 };
        if !is_filtered {
            *of = need.max(*of);
        }
    }

    /// Filters the list that is shown.
    pub fn set_filter(&mut self, filter: &str) {
        match self.level {
            Level::Repositories => self.repositories.set_filter(filter),
            Level::Tags | Level::Details => self.tags.set_filter(filter),
        }
    }

    /// How the lists are sorted.
    pub fn orders(&self) -> Orders {
        let (repositories, tags) = (&self.repositories, &self.tags);
        Orders::new((repositories.order, repositories.descending), (tags.order, tags.descending))
    }

    /// Sorts both lists as they were sorted before.
    pub fn set_orders(&mut self, orders: &Orders) {
        (self.repositories.order, self.repositories.descending) = orders.repositories();
        (self.tags.order, self.tags.descending) = orders.tags();
    }

    /// How many rows the lists have on the screen.
    pub fn set_height(&mut self, height: u16) {
        self.repositories.window.set_height(height);
        self.tags.window.set_height(height);
    }

    /// What a command is about: the marked ones, or the one under the cursor.
    pub fn chosen(&self) -> Vec<String> {
        match self.level {
            Level::Repositories => {
                let marked = self.repositories.marks.names();
                let current = self.current().map(|row| row.name.clone());
                if marked.is_empty() { current.into_iter().collect() } else { marked }
            }
            Level::Tags => {
                let marked = self.tags.marks.names();
                if marked.is_empty() { self.tags.window.current().map(named).into_iter().collect() } else { marked }
            }
            Level::Details => self.asked.iter().cloned().collect(),
        }
    }

    /// The repository under the cursor of the list of repositories.
    pub fn current(&self) -> Option<&RepositoryRow> {
        self.repositories.window.current().and_then(TreeRow::repository)
    }

    /// The registry under the cursor of the tree, while that is what is shown.
    pub fn registry(&self) -> Option<&Registry> {
        let row = self.repositories.window.current().filter(|_| self.level == Level::Repositories);
        row.and_then(TreeRow::registry)
    }

    /// Whether a command makes sense where the cursor is.
    pub fn offers(&self, command: Command) -> bool {
        let is_bare = self.registry().is_some() && self.repositories.marks.is_empty();
        match command {
            Command::Remove | Command::Update | Command::Check | Command::Allow => !is_bare,
            Command::FoldAll => self.level == Level::Details || self.tree.shown,
            _ => true,
        }
    }

    /// The image that is looked at.
    pub fn image(&self) -> Option<&ImageRow> {
        match self.level {
            Level::Repositories => None,
            Level::Tags => self.tags.window.current(),
            Level::Details => self.details.as_ref().map(|details| &details.row),
        }
    }

    /// How many rows are marked, and their bytes.
    pub fn marked(&self) -> (usize, u64) {
        match self.level {
            Level::Repositories => (self.repositories.marks.len(), self.repositories.marks.bytes()),
            Level::Tags => (self.tags.marks.len(), self.tags.marks.bytes()),
            Level::Details => (0, 0),
        }
    }

    /// An image could not be brought here, for this reason; or was.
    pub fn failed(&mut self, image: &str, reason: Option<String>) {
        match reason {
            Some(reason) if self.failures.len() < MAX_FAILURES => {
                self.failures.insert(image.to_owned(), reason);
            }
            Some(_) => {}
            None => self.failures.retain(|failed, _| !means(failed, image)),
        }
    }

    /// Why this image, or an image of this repository, could not be brought up to date.
    pub fn failure(&self, name: &str) -> Option<&str> {
        let found = self.failures.iter().find(|(failed, _)| {
            means(failed, name) || failed.rsplit_once([':', '@']).is_some_and(|(before, _)| means(before, name))
        });
        found.map(|(_, reason)| reason.as_str())
    }

    /// Nothing is marked any more, since what was marked has been dealt with.
    pub fn clear_marks(&mut self) {
        self.repositories.marks.clear();
        self.tags.marks.clear();
    }

    /// The catalog changed: what is shown is asked for again.
    pub fn refresh(&mut self) {
        self.repositories.window.refresh();
        self.tags.window.refresh();
        self.tree.refresh();
        self.details = self.details.take().filter(|_| self.level != Level::Repositories || self.previews);
        self.asked = self.asked.take().filter(|_| self.details.is_none());
    }

    /// The row under the cursor of the list that is shown, and how many there are.
    pub fn place(&self) -> (usize, usize) {
        let of = |cursor: u64, total: u64| (usize::try_from(cursor).unwrap_or(0), usize::try_from(total).unwrap_or(0));
        match self.level {
            Level::Repositories => of(self.repositories.window.cursor(), self.repositories.window.total()),
            Level::Tags | Level::Details => of(self.tags.window.cursor(), self.tags.window.total()),
        }
    }

    /// Goes to a row of the list that is shown.
    pub fn go(&mut self, row: usize) {
        match self.level {
            Level::Repositories => self.repositories.window.move_to(row as u64),
            Level::Tags | Level::Details => self.tags.window.move_to(row as u64),
        }
    }

    /// Goes to a repository, whatever is shown.
    pub fn go_to_repository(&mut self, name: &str) {
        self.leave();
        self.repositories.show(name);
    }

    /// Goes to an image of a repository by its tag or digest, whatever is shown.
    pub fn go_to_image(&mut self, repository: &str, image: &str) {
        self.go_to_repository(repository);
        if self.repository.as_deref() != Some(repository) {
            self.repository = Some(repository.to_owned());
            self.tags = self.tags.anew();
        }
        self.tags.show(image);
        self.level = Level::Tags;
    }

    /// Scrolls one of the panes that are shown.
    pub fn scroll_pane(&mut self, pane: Pane, rows: i64) {
        match pane {
            Pane::Repositories => self.repositories.window.scroll_by(rows),
            Pane::Tags => self.tags.window.scroll_by(rows),
            Pane::Details => {
                let scroll = i64::from(self.scroll) + rows;
                self.scroll = u16::try_from(scroll.max(0)).unwrap_or(u16::MAX).min(self.scroll_end);
                let top = usize::from(self.scroll);
                self.page.cursor = self.page.cursor.clamp(top, top + self.page.height.saturating_sub(1));
            }
        }
    }

    /// The row at this place of the screen was clicked; whether it is opened by that.
    pub fn click(&mut self, place: u64, now: std::time::Duration) -> bool {
        let is_registry = |row: &TreeRow<_>| row.registry().is_some();
        let window = &self.repositories.window;
        // The head of something that can be folded is folded by one click, as in the details.
        if self.level == Level::Repositories && window.row(window.top() + place).is_some_and(is_registry) {
            self.clicked = None;
            return Self::click_in(&mut self.repositories.window, place).is_some();
        }
        let row = match self.level {
            Level::Repositories => Self::click_in(&mut self.repositories.window, place),
            Level::Tags => Self::click_in(&mut self.tags.window, place),
            Level::Details => None,
        };
        let Some(row) = row else { return false };
        let twice =
            self.clicked.is_some_and(|(same, at)| same == row && now.saturating_sub(at) <= DOUBLE_CLICK_TIMEOUT);
        self.clicked = (!twice).then_some((row, now));
        twice
    }

    fn click_in<T>(window: &mut Window<T>, place: u64) -> Option<u64> {
        let row = window.top() + place;
        (row < window.total()).then(|| {
            window.move_to(row);
            row
        })
    }

    /// Sorts the list of repositories.
    pub fn sort_repositories(&mut self, order: RepositoryOrder) {
        self.repositories.sort(order);
    }

    /// Sorts the list of tags.
    pub fn sort_tags(&mut self, order: ImageOrder) {
        self.tags.sort(order);
    }

    /// Lists that are sorted by state, or in which states are looked for, are asked for again when the standings change, which
    /// are a part of that.
    pub fn standings_changed(&mut self) {
        let sought = |filter| Search::parse(filter).needs_states();
        if self.repositories.order == RepositoryOrder::State || sought(&self.repositories.filter) {
            self.repositories.window.refresh();
        }
        if self.tags.order == ImageOrder::State || sought(&self.tags.filter) {
            self.tags.window.refresh();
        }
    }

    /// Questions whose answers are missing or stale.
    pub fn wants(&mut self, beside: bool, standings: &Standings) -> Vec<Question> {
        let mut wanted = Vec::new();
        if let Some(span) = self.repositories.window.wants() {
            wanted.push(self.ask_repositories(standings, span, self.tree.shape()));
        }
        wanted.extend(self.tree.wants());
        if let Some(registry) = self.tree.marking.take() {
            let list = self.ask_repositories(standings, ALL_ROWS, Shape::Registry(registry));
            wanted.push(Question::Rows(Box::new(list.of_exactly_this_part())));
        }
        // What is under the cursor is not known while a search is answered.
        if beside && self.level == Level::Repositories && self.repositories.window.is_known() {
            let under = self.current().map(|row| row.name.clone());
            if under != self.repository {
                self.repository = under;
                self.needs.1 = 0;
                self.tags.replace();
                (self.details, self.asked) = (None, None);
            }
        }
        if let Some(repository) = self.repository.clone().filter(|_| beside || self.level != Level::Repositories)
            && let Some(span) = self.tags.window.wants()
        {
            wanted.push(self.ask_tags(&repository, standings, span));
        }
        if let Some(span) = self.repositories.marking.take() {
            // All of them: also those that are folded.
            let shape = if span == ALL_ROWS { Shape::List } else { self.tree.shape() };
            let list = self.ask_repositories(standings, span, shape).of_exactly_this_part();
            wanted.push(Question::Rows(Box::new(list)));
        }
        if let (Some(span), Some(repository)) = (self.tags.marking.take(), self.repository.clone()) {
            let list = self.ask_tags(&repository, standings, span).of_exactly_this_part();
            wanted.push(Question::Rows(Box::new(list)));
        }
        let beside = beside && (self.level == Level::Tags || self.previews && self.repository.is_some());
        if self.level == Level::Details || beside && self.tags.window.is_known() {
            let under = self.tags.window.current().map(named);
            if under.is_some() && under != self.asked {
                self.asked.clone_from(&under);
                wanted.extend(under.map(Question::Details));
            }
        }
        wanted
    }

    /// Takes the answer to a question of this view.
    pub fn answer(&mut self, answer: Answer) {
        match answer {
            Answer::Repositories(span, rows) => {
                // What was looked for is shown: its registry is not folded any more.
                let at = rows.place.and_then(|place| usize::try_from(place.checked_sub(rows.offset)?).ok());
                if let Some(found) = at.and_then(|at| rows.rows.get(at)).and_then(TreeRow::repository) {
                    self.tree.fold(registry_of(found), false);
                }
                self.repositories.fill(span, rows);
            }
            Answer::Registries(totals) => self.tree.answer(totals),
            Answer::Images(span, rows) => {
                let total = rows.total;
                self.tags.fill(span, rows);
                if total == 0 && self.level == Level::Tags {
                    (self.details, self.asked) = (None, None);
                }
                // A repository goes with its last image.
                if total == 0 && self.tags.filter.is_empty() {
                    self.leave();
                }
            }
            Answer::Rows(None, span, rows) => self.repositories.mark(span, rows),
            Answer::Rows(repository, span, rows) if repository == self.repository => self.tags.mark(span, rows),
            Answer::Details(details) => {
                if self.details.as_ref().is_none_or(|shown| named(&shown.row) != named(&details.row)) {
                    self.scroll = 0;
                    self.page.begin();
                }
                self.details = Some(details);
            }
            _ => {}
        }
    }
}
