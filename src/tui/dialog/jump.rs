//! Anything in the catalog, found while it is typed: Enter goes there.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::super::text_field::TextField;
use crate::engine::query::jump::{Hit, Place};

/// State of the dialog: a field, and what was found of what is in it.
#[derive(Debug, Default)]
pub struct Jump {
    /// Field for letters of a name, or the beginning of a digest or a CID.
    pub field: TextField,
    /// What was found last.
    pub found: Vec<Hit>,
    /// The text by which it was found; what is typed since is being looked for.
    pub answered: String,
    /// The row under the cursor.
    pub cursor: usize,
}

/// What a key means to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// Go there.
    Chosen(Place),
    /// The dialog closes without a choice.
    Closed,
    /// The text is another one: it is to be looked for.
    Changed,
    /// The dialog stays open, and nothing is to be done.
    Stay,
}

impl Jump {
    /// What is to be looked for.
    pub fn wanted(&self) -> &str {
        self.field.value().trim()
    }

    /// Handles a key and says what to do.
    pub fn key(&mut self, key: KeyEvent) -> Choice {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc => return Choice::Closed,
            KeyCode::Enter => {
                // What is not looked for yet is not under the cursor.
                let hit = self.found.get(self.cursor).filter(|_| self.answered == self.wanted());
                return hit.map_or(Choice::Stay, |hit| Choice::Chosen(hit.place.clone()));
            }
            KeyCode::Up => self.move_by(-1),
            KeyCode::Down => self.move_by(1),
            KeyCode::Char('p') if control => self.move_by(-1),
            KeyCode::Char('n') if control => self.move_by(1),
            KeyCode::PageUp => self.move_by(-10),
            KeyCode::PageDown => self.move_by(10),
            _ if self.field.key(key) => return Choice::Changed,
            _ => {}
        }
        Choice::Stay
    }

    /// Moves the cursor by so many rows.
    pub fn move_by(&mut self, rows: isize) {
        self.cursor = self.cursor.saturating_add_signed(rows).min(self.found.len().saturating_sub(1));
    }

    /// Takes what was found by a text, if that is still what is looked for.
    pub fn answer(&mut self, text: String, found: Vec<Hit>) {
        if text == self.wanted() {
            (self.answered, self.found, self.cursor) = (text, found, 0);
        }
    }
}
