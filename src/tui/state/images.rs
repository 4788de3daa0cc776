//! Images: repositories, the tags of one, and everything about one image.

use std::collections::BTreeMap;

use super::super::columns;
use super::super::command::{Command, Context};
use super::super::list::Window;
use super::super::question::{Answer, Question};
use super::super::remembered::Orders;
use super::listing::Listing;
use super::standings::Standings;
use crate::engine::query::browse::{ImageOrder, RepositoryOrder};
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
    pub repositories: Listing<RepositoryRow, RepositoryOrder>,
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
    /// How far the details are scrolled.
    pub scroll: u16,
    /// How far they can be: measured by the view that draws them.
    pub scroll_end: u16,
    /// Why images could not be brought here or up to date the last time: by what was asked for.
    pub failures: BTreeMap<String, String>,
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
                let current = self.repositories.window.current().map(|row| row.name.clone());
                if marked.is_empty() { current.into_iter().collect() } else { marked }
            }
            Level::Tags => {
                let marked = self.tags.marks.names();
                if marked.is_empty() { self.tags.window.current().map(named).into_iter().collect() } else { marked }
            }
            Level::Details => self.asked.iter().cloned().collect(),
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
        self.details = self.details.take().filter(|_| self.level != Level::Repositories);
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

    /// Scrolls one of the panes that are shown.
    pub fn scroll_pane(&mut self, pane: Pane, rows: i64) {
        match pane {
            Pane::Repositories => self.repositories.window.scroll_by(rows),
            Pane::Tags => self.tags.window.scroll_by(rows),
            Pane::Details => {
                let scroll = i64::from(self.scroll) + rows;
                self.scroll = u16::try_from(scroll.max(0)).unwrap_or(u16::MAX).min(self.scroll_end);
            }
        }
    }

    /// The row at this place of the screen was clicked; whether it is opened by that.
    pub fn click(&mut self, place: u64, now: std::time::Duration) -> bool {
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

    /// Carries a command out, if it is one of this view's.
    pub fn command(&mut self, command: Command) -> bool {
        if self.level == Level::Details {
            return self.command_in_details(command);
        }
        let page = self.repositories.window.page().max(1);
        let rows = match command {
            Command::Up => -1,
            Command::Down => 1,
            Command::PageUp => -page,
            Command::PageDown => page,
            Command::HalfUp => -(page / 2).max(1),
            Command::HalfDown => (page / 2).max(1),
            Command::First => i64::MIN,
            Command::Last => i64::MAX,
            _ => return self.command_in_list(command),
        };
        match self.level {
            Level::Repositories => self.repositories.window.move_by(rows),
            Level::Tags | Level::Details => self.tags.window.move_by(rows),
        }
        true
    }

    fn command_in_list(&mut self, command: Command) -> bool {
        let of_repositories = self.level == Level::Repositories;
        match command {
            Command::Open => self.open(),
            Command::Back => self.back(),
            Command::Mark if of_repositories => {
                let row = self.repositories.window.current().map(|row| (row.name.clone(), row.figures.logical));
                self.repositories.toggle(row);
            }
            Command::Mark => {
                let row = self.tags.window.current().map(|row| (named(row), row.logical));
                self.tags.toggle(row);
            }
            Command::MarkAll if of_repositories => {
                let loaded = self.repositories.window.loaded().iter();
                let loaded = loaded.map(|row| (row.name.clone(), row.figures.logical)).collect();
                self.repositories.toggle_all(loaded);
            }
            Command::MarkAll => {
                let loaded = self.tags.window.loaded().iter().map(|row| (named(row), row.logical)).collect();
                self.tags.toggle_all(loaded);
            }
            Command::MarkRange if of_repositories => self.repositories.mark_range(),
            Command::MarkRange => self.tags.mark_range(),
            Command::SortTurn if of_repositories => self.repositories.turn(),
            Command::SortTurn => self.tags.turn(),
            Command::SortNext | Command::SortFormer => {
                let forward = command == Command::SortNext;
                if of_repositories {
                    self.repositories.step(&columns::orders(&columns::REPOSITORIES), forward);
                } else {
                    self.tags.step(&columns::orders(&columns::TAGS), forward);
                }
            }
            _ => return false,
        }
        true
    }

    fn command_in_details(&mut self, command: Command) -> bool {
        let page = u16::try_from(self.repositories.window.page()).unwrap_or(20);
        let scroll = match command {
            Command::Up => self.scroll.saturating_sub(1),
            Command::Down => self.scroll.saturating_add(1),
            Command::PageUp => self.scroll.saturating_sub(page),
            Command::PageDown => self.scroll.saturating_add(page),
            Command::HalfUp => self.scroll.saturating_sub(page / 2),
            Command::HalfDown => self.scroll.saturating_add(page / 2),
            Command::First => 0,
            Command::Last => u16::MAX,
            Command::Back if !self.search.is_empty() => {
                self.search.clear();
                self.found = None;
                return true;
            }
            Command::Back => {
                (self.level, self.scroll) = (Level::Tags, 0);
                return true;
            }
            _ => return false,
        };
        self.scroll = scroll.min(self.scroll_end);
        true
    }

    fn open(&mut self) {
        match self.level {
            Level::Repositories => {
                let Some(row) = self.repositories.window.current() else { return };
                if self.repository.as_ref() != Some(&row.name) {
                    self.repository = Some(row.name.clone());
                    self.tags = self.tags.anew();
                    self.details = None;
                }
                self.level = Level::Tags;
            }
            Level::Tags => {
                if self.tags.window.current().is_some() {
                    self.level = Level::Details;
                    self.scroll = 0;
                }
            }
            Level::Details => {}
        }
    }

    /// One thing at a time: marks, filter, level.
    fn back(&mut self) {
        let (marked, filtered) = match self.level {
            Level::Repositories => (!self.repositories.marks.is_empty(), !self.repositories.filter.is_empty()),
            _ => (!self.tags.marks.is_empty(), !self.tags.filter.is_empty()),
        };
        if marked {
            self.clear_marks();
        } else if filtered {
            self.set_filter("");
        } else if self.level == Level::Tags {
            self.leave();
        }
    }

    fn leave(&mut self) {
        (self.level, self.details, self.asked) = (Level::Repositories, None, None);
    }

    /// Whether a list is sorted by state, which the standings are a part of: it is to be sorted again when they change.
    pub fn standings_changed(&mut self) {
        if self.repositories.order == RepositoryOrder::State {
            self.repositories.window.refresh();
        }
        if self.tags.order == ImageOrder::State {
            self.tags.window.refresh();
        }
    }

    /// Questions whose answers are missing or stale.
    pub fn wants(&mut self, beside: bool, standings: &Standings) -> Vec<Question> {
        let mut wanted = Vec::new();
        if let Some(span) = self.repositories.window.wants() {
            wanted.push(self.ask_repositories(standings, span));
        }
        if beside && self.level == Level::Repositories {
            let under = self.repositories.window.current().map(|row| row.name.clone());
            if under != self.repository {
                self.repository = under;
                self.tags.window.reset();
                self.tags.filter.clear();
                self.tags.following = None;
            }
        }
        if let Some(repository) = self.repository.clone().filter(|_| beside || self.level != Level::Repositories)
            && let Some(span) = self.tags.window.wants()
        {
            wanted.push(self.ask_tags(&repository, standings, span));
        }
        if let Some(span) = self.repositories.marking.take() {
            let list = self.ask_repositories(standings, span).of_exactly_this_part();
            wanted.push(Question::Rows(Box::new(list)));
        }
        if let (Some(span), Some(repository)) = (self.tags.marking.take(), self.repository.clone()) {
            let list = self.ask_tags(&repository, standings, span).of_exactly_this_part();
            wanted.push(Question::Rows(Box::new(list)));
        }
        if self.level == Level::Details || (self.level == Level::Tags && beside) {
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
            Answer::Repositories(span, rows) => self.repositories.fill(span, rows),
            Answer::Images(span, rows) => {
                let total = rows.total;
                self.tags.fill(span, rows);
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
                }
                self.details = Some(details);
            }
            _ => {}
        }
    }
}
