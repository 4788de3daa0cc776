//! A list of the catalog with its filter, its order and its marks.

use super::super::list::{Span, Window};
use super::marks::Marks;
use crate::engine::query::browse::{Rows, Search};

/// Every row there is.
pub(super) const ALL_ROWS: Span = Span { offset: 0, limit: u64::MAX };

/// What a row is called: by that it is marked and found again.
pub trait Named {
    /// Name by which the catalog finds the row.
    fn key(&self) -> String;
}

/// A list with its filter and order.
#[derive(Debug, Clone)]
pub struct Listing<T, Order> {
    /// Rows that are loaded, and the cursor among all of them.
    pub window: Window<T>,
    /// How many of what it is about it has: rows without headings, and what is folded.
    pub entries: u64,
    /// Only what this finds.
    pub filter: String,
    /// The rows that were loaded when the search began: columns stay as wide as these need them, however it goes on.
    before: Vec<T>,
    /// The row that the cursor was on then.
    origin: Option<String>,
    /// Column that the list is sorted by.
    pub order: Order,
    /// The order turned around.
    pub descending: bool,
    /// Rows that are marked for the next command.
    pub marks: Marks,
    /// These rows are to be marked, also those that are not loaded: their names are to be asked for.
    pub marking: Option<Span>,
    /// The row that the cursor was on when the order changed: it follows it.
    pub following: Option<String>,
    /// The row that was marked last: a range begins there.
    anchor: u64,
}

impl<T, Order: Default> Default for Listing<T, Order> {
    fn default() -> Self {
        Self {
            window: Window::default(),
            entries: 0,
            filter: String::new(),
            before: Vec::new(),
            origin: None,
            order: Order::default(),
            descending: false,
            marks: Marks::default(),
            marking: None,
            following: None,
            anchor: 0,
        }
    }
}

impl<T: Named, Order: Copy + PartialEq> Listing<T, Order> {
    pub(super) fn turn(&mut self) {
        self.sort_so(self.order, !self.descending);
    }

    pub(super) fn step(&mut self, orders: &[Order], forward: bool) {
        let place = orders.iter().position(|order| *order == self.order).unwrap_or(0);
        let next = if forward { place + 1 } else { place + orders.len() - 1 };
        self.sort_so(orders[next % orders.len()], false);
    }

    /// Sorts by this, or turns the order around if it is that already.
    pub(super) fn sort(&mut self, order: Order) {
        self.sort_so(order, self.order == order && !self.descending);
    }

    fn sort_so(&mut self, order: Order, descending: bool) {
        (self.order, self.descending) = (order, descending);
        // Two orders in a row, and the rows are still those of the first.
        self.follow_current();
    }

    /// Other rows take the place of these: the cursor stays on what it is on.
    pub(super) fn follow_current(&mut self) {
        let current = self.window.current().map(Named::key);
        let key = self.following.take().or(current);
        self.ask_around(key);
    }

    /// The rows are asked for again, and the cursor goes to this one.
    pub(super) fn ask_around(&mut self, key: Option<String>) {
        self.following = key;
        self.window.refresh();
    }

    pub(super) fn fill(&mut self, span: Span, rows: Rows<T>) {
        self.entries = rows.entries;
        self.window.fill_around(span, rows.total, rows.rows, rows.place);
        self.following = None;
    }

    /// Shows only what this finds, the best match first; without a text everything again, and the cursor stays on its row.
    pub(super) fn set_filter(&mut self, filter: &str)
    where
        T: Clone,
    {
        if self.filter == filter {
            return;
        }
        let current = self.window.current().map(Named::key);
        if self.filter.is_empty() {
            self.before = self.window.loaded().to_vec();
            self.origin.clone_from(&current);
        }
        filter.clone_into(&mut self.filter);
        if filter.is_empty() {
            self.following = current.or(self.origin.take());
            self.before.clear();
            self.window.refresh();
        } else {
            self.following = None;
            self.window.restart();
        }
    }

    /// Shows everything again, with the cursor on this row.
    pub(super) fn show(&mut self, key: &str) {
        self.filter.clear();
        self.before.clear();
        self.following = Some(key.to_owned());
        self.window.refresh();
    }
}

impl<T, Order: Copy + Default + PartialEq> Listing<T, Order> {
    /// The rows that columns are measured by.
    pub fn measured(&self) -> &[T] {
        if self.filter.is_empty() || self.before.is_empty() { self.window.loaded() } else { &self.before }
    }

    /// What the list is sorted by, if it is not by how well its rows match what is looked for.
    pub fn sorted(&self) -> Option<(Order, bool)> {
        let usual = self.order == Order::default() && !self.descending;
        let ranked = usual && Search::parse(&self.filter).has_words();
        (!ranked).then_some((self.order, self.descending))
    }

    /// Another list takes its place, in the same order.
    pub(super) fn replace(&mut self) {
        self.window.reset();
        self.entries = 0;
        self.filter.clear();
        self.before.clear();
        self.following = None;
    }
    /// An empty one of this height and order: another list takes its place.
    pub(super) fn anew(&self) -> Self
    where
        T: Clone,
    {
        let mut window = self.window.clone();
        window.reset();
        Self { window, order: self.order, descending: self.descending, ..Self::default() }
    }

    pub(super) fn toggle(&mut self, row: Option<(String, u64)>) {
        if let Some((name, bytes)) = row {
            self.marks.toggle(name, bytes);
            self.anchor = self.window.cursor();
            self.window.move_by(1);
        }
    }

    /// Marks the rows from the one that was marked last to the one under the cursor.
    pub(super) fn mark_range(&mut self) {
        let (from, to) = (self.anchor.min(self.window.cursor()), self.anchor.max(self.window.cursor()));
        self.marking = Some(Span { offset: from, limit: to - from + 1 });
        self.anchor = self.window.cursor();
    }

    /// Takes rows that were asked for to be marked.
    pub(super) fn mark(&mut self, span: Span, rows: Vec<(String, u64)>) {
        if span == ALL_ROWS {
            self.marks.toggle_all(rows);
        } else {
            self.marks.add(rows);
        }
    }

    /// Marks every row; those that are not loaded have to be asked for.
    pub(super) fn toggle_all(&mut self, loaded: Vec<(String, u64)>) {
        if loaded.len() as u64 == self.entries {
            self.marks.toggle_all(loaded);
        } else if self.marks.len() as u64 == self.entries {
            self.marks.clear();
        } else {
            self.marking = Some(ALL_ROWS);
        }
    }
}
