//! A window onto a long list: what is shown of it, where the cursor is, and which rows to ask for.
//!
//! The list itself stays in the catalog. However long it is, a window holds a few screens of it, so that scrolling asks
//! seldom and memory stays small.

/// Rows to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Rows of the list before the first one asked for.
    pub offset: u64,
    /// The most rows of the part.
    pub limit: u64,
}

/// A window onto a list.
#[derive(Debug, Clone)]
pub struct Window<T> {
    total: u64,
    offset: u64,
    rows: Vec<T>,
    cursor: u64,
    top: u64,
    height: u64,
    asked: Option<Span>,
    known: bool,
}

impl<T> Default for Window<T> {
    fn default() -> Self {
        Self { total: 0, offset: 0, rows: Vec::new(), cursor: 0, top: 0, height: 20, asked: None, known: false }
    }
}

impl<T> Window<T> {
    /// How many rows the list has, as far as is known.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Whether the list was ever read.
    pub fn is_known(&self) -> bool {
        self.known
    }

    /// Where the cursor is.
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// The first row that is shown.
    pub fn top(&self) -> u64 {
        self.top
    }

    /// The row under the cursor, if it is loaded.
    pub fn current(&self) -> Option<&T> {
        self.row(self.cursor)
    }

    /// A row, if it is loaded.
    pub fn row(&self, index: u64) -> Option<&T> {
        self.rows.get(usize::try_from(index.checked_sub(self.offset)?).ok()?)
    }

    /// The rows that are shown: their numbers, and what is loaded of them.
    pub fn shown(&self) -> impl Iterator<Item = (u64, Option<&T>)> {
        (self.top..self.total.min(self.top + self.height)).map(|index| (index, self.row(index)))
    }

    /// All rows that are loaded.
    pub fn loaded(&self) -> &[T] {
        &self.rows
    }

    /// How many rows fit the screen.
    pub fn set_height(&mut self, height: u16) {
        self.height = u64::from(height.max(1));
        self.follow();
    }

    /// How many rows a page has.
    pub fn page(&self) -> i64 {
        i64::try_from(self.height).unwrap_or(1).max(1)
    }

    /// Moves the cursor down, or up if negative; it stays in the list.
    pub fn move_by(&mut self, rows: i64) {
        self.move_to(self.cursor.saturating_add_signed(rows));
    }

    /// Moves the cursor there, or to the end.
    pub fn move_to(&mut self, row: u64) {
        self.cursor = row.min(self.total.saturating_sub(1));
        self.follow();
    }

    /// Scrolls without moving the cursor further than the screen forces it to.
    pub fn scroll_by(&mut self, rows: i64) {
        let last = self.total.saturating_sub(self.height);
        self.top = self.top.saturating_add_signed(rows).min(last);
        self.cursor = self.cursor.clamp(self.top, self.top + self.height - 1).min(self.total.saturating_sub(1));
    }

    fn follow(&mut self) {
        if self.cursor < self.top {
            self.top = self.cursor;
        } else if self.cursor >= self.top + self.height {
            self.top = self.cursor + 1 - self.height;
        }
        self.top = self.top.min(self.total.saturating_sub(self.height));
    }

    /// Forgets what is loaded, and where it was; another list takes its place.
    pub fn reset(&mut self) {
        let height = self.height;
        *self = Self { height, ..Self::default() };
    }

    /// Another selection of the rows is wanted, from its beginning; what is loaded stays until the answer is here.
    pub fn restart(&mut self) {
        (self.cursor, self.top) = (0, 0);
        self.refresh();
    }

    /// What is loaded may be out of date: it stays until the answer is here.
    pub fn refresh(&mut self) {
        self.known = false;
        self.asked = None;
    }

    /// The rows to ask for, if what is shown is not loaded and not asked for yet.
    pub fn wants(&mut self) -> Option<Span> {
        let end = self.total.min(self.top + self.height);
        let loaded_end = self.offset + self.rows.len() as u64;
        let covered = self.known && self.offset <= self.top && end <= loaded_end;
        if covered {
            return None;
        }
        let span = Span { offset: self.top.saturating_sub(self.height), limit: self.height * 3 };
        if self.asked == Some(span) {
            return None;
        }
        self.asked = Some(span);
        Some(span)
    }

    /// Takes an answer to where a row is now, which the cursor is then on.
    pub fn fill_around(&mut self, span: Span, total: u64, rows: Vec<T>, place: Option<u64>) {
        // It stays in its line of the screen, as far as the list allows.
        let kept = self.cursor.saturating_sub(self.top);
        self.fill(span, total, rows);
        if let Some(place) = place {
            self.top = place.saturating_sub(kept);
            self.move_to(place);
        }
    }

    /// Takes the rows of a span that was asked for, and the list's new length.
    pub fn fill(&mut self, span: Span, total: u64, rows: Vec<T>) {
        self.known = true;
        self.total = total;
        self.offset = span.offset;
        self.rows = rows;
        self.asked = None;
        self.cursor = self.cursor.min(total.saturating_sub(1));
        self.follow();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(window: &mut Window<u64>, total: u64) {
        while let Some(span) = window.wants() {
            window.fill(span, total, (span.offset..total.min(span.offset + span.limit)).collect());
        }
    }

    #[test]
    fn it_asks_for_what_it_shows_and_not_twice() {
        let mut window = Window::default();
        window.set_height(10);
        let span = window.wants().unwrap();
        assert_eq!((span, window.wants()), (Span { offset: 0, limit: 30 }, None));
        window.fill(span, 1000, (0..30).collect());
        assert_eq!(window.wants(), None);
        window.move_to(500);
        answer(&mut window, 1000);
        assert_eq!((window.current(), window.top()), (Some(&500), 491));
    }

    #[test]
    fn a_row_that_went_elsewhere_stays_in_its_line_of_the_screen() {
        let mut window = Window::default();
        window.set_height(10);
        answer(&mut window, 1000);
        window.move_to(4);
        window.refresh();
        let span = window.wants().unwrap();
        window.fill_around(Span { offset: 480, ..span }, 1000, (480..510).collect(), Some(495));
        assert_eq!((window.cursor(), window.top(), window.current()), (495, 491, Some(&495)));
        assert_eq!(window.wants(), None);
        // What is not there any more leaves the cursor where it was.
        window.fill_around(span, 3, (0..3).collect(), None);
        assert_eq!((window.cursor(), window.top()), (2, 0));
    }

    proptest! {
        #[test]
        fn the_cursor_is_always_shown(moves in prop::collection::vec((-50i64..50, 1u16..40, 0u64..200), 1..50)) {
            let mut window = Window::default();
            for (rows, height, total) in moves {
                window.set_height(height);
                window.refresh();
                answer(&mut window, total);
                window.move_by(rows);
                answer(&mut window, total);
                prop_assert!(total == 0 || window.current() == Some(&window.cursor()));
                prop_assert!(window.cursor() >= window.top() && window.cursor() <= window.top() + u64::from(height));
                prop_assert!(window.shown().count() as u64 <= u64::from(height));
                window.scroll_by(rows);
                answer(&mut window, total);
                prop_assert!(total == 0 || window.current() == Some(&window.cursor()));
            }
        }
    }
}
