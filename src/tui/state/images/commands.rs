//! What commands do in Images: opening, going back, moving, marking, sorting.

use super::super::super::columns;
use super::super::super::command::Command;
use super::{Images, Level, named, registry_of};
use crate::engine::query::browse::TreeRow;

impl Images {
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
            Command::Tree if of_repositories => self.turn_tree(),
            Command::FoldAll if of_repositories && self.tree.shown => {
                self.tree.fold_all();
                self.follow_registry();
            }
            Command::Mark if self.registry().is_some() => {
                self.tree.marking = self.registry().map(|registry| registry.name.clone());
            }
            Command::Mark if of_repositories => {
                let row = self.current().map(|row| (row.name.clone(), row.figures.logical));
                self.repositories.toggle(row);
            }
            Command::Mark => {
                let row = self.tags.window.current().map(|row| (named(row), row.logical));
                self.tags.toggle(row);
            }
            Command::MarkAll if of_repositories => {
                let loaded = self.repositories.window.loaded().iter().filter_map(TreeRow::repository);
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
        let (line, page) = (self.page.cursor, self.page.height.max(2));
        // A line below the last one means that one: see `reach`.
        self.page.cursor = match command {
            Command::Up => line.saturating_sub(1),
            Command::Down => line.saturating_add(1),
            Command::PageUp => line.saturating_sub(page - 1),
            Command::PageDown => line.saturating_add(page - 1),
            Command::HalfUp => line.saturating_sub(page / 2),
            Command::HalfDown => line.saturating_add(page / 2),
            Command::First => 0,
            Command::Last => usize::MAX,
            Command::Back => {
                (self.level, self.scroll) = (Level::Tags, 0);
                self.page.begin();
                return true;
            }
            _ => return false,
        };
        true
    }

    /// The details have so many lines, of which so many are shown at once: what is under the cursor is among them.
    pub fn reach(&mut self, lines: usize, height: usize) {
        let end = lines.saturating_sub(height);
        self.page.height = height;
        self.page.cursor = self.page.cursor.min(lines.saturating_sub(1));
        let mut top = usize::from(self.scroll).min(end);
        if self.level == Level::Details {
            let line = self.page.cursor;
            top = top.clamp((line + 1).saturating_sub(height.max(1)), line);
        }
        let fit = |lines: usize| u16::try_from(lines).unwrap_or(u16::MAX);
        (self.scroll, self.scroll_end) = (fit(top), fit(end));
    }

    fn open(&mut self) {
        match self.level {
            Level::Repositories => {
                if let Some(registry) = self.registry() {
                    let folds = !registry.folded;
                    self.fold(folds);
                    return;
                }
                let Some(row) = self.repositories.window.current().and_then(TreeRow::repository) else { return };
                if self.repository.as_ref() != Some(&row.name) {
                    self.repository = Some(row.name.clone());
                    self.tags = self.tags.anew();
                    self.needs.1 = 0;
                    self.details = None;
                }
                self.level = Level::Tags;
            }
            Level::Tags => {
                if self.tags.window.current().is_some() {
                    self.level = Level::Details;
                    self.scroll = 0;
                    self.page.begin();
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
        } else if self.level == Level::Repositories && self.tree.shown {
            self.fold(true);
        }
    }

    /// Shows the tree instead of the list, or the list instead of the tree; the cursor stays on its repository.
    fn turn_tree(&mut self) {
        self.tree.shown = !self.tree.shown;
        self.repositories.follow_current();
    }

    /// Folds or unfolds the registry under the cursor, or that of the repository there. While something is looked for, nothing
    /// is folded.
    fn fold(&mut self, folds: bool) {
        let registry = self.registry().map(|registry| registry.name.as_str());
        let Some(registry) = registry.or_else(|| self.current().map(registry_of)).map(str::to_owned) else { return };
        self.tree.fold(&registry, folds);
        self.follow_registry();
    }

    /// The rows are asked for again, and the cursor goes to the registry of its row.
    fn follow_registry(&mut self) {
        let row = self.repositories.window.current();
        let key = row.map(|row| match row {
            TreeRow::Registry(registry) => registry.key(),
            TreeRow::Repository(row) => format!("{}/", registry_of(row)),
        });
        self.repositories.ask_around(key);
    }

    pub(super) fn leave(&mut self) {
        (self.level, self.details, self.asked) = (Level::Repositories, None, None);
    }
}
