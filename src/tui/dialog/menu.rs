//! A few things to choose from, each with its letter.

use crossterm::event::{KeyCode, KeyEvent};

/// An entry of a menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Letter that chooses the entry.
    pub key: char,
    /// Text of the entry.
    pub title: String,
    /// Text that is copied when it is chosen.
    pub value: String,
}

/// A short list of entries, each with a letter.
#[derive(Debug, Clone)]
pub struct Menu {
    /// Title in the frame of the menu.
    pub title: String,
    /// Entries, from top to bottom.
    pub items: Vec<Item>,
    /// The row under the cursor.
    pub cursor: usize,
}

/// What a key means to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// An entry was chosen; the menu closes.
    Chosen(Item),
    /// The menu closes without a choice.
    Closed,
    /// The menu stays open, and nothing is to be done.
    Stay,
}

impl Menu {
    /// Handles a key and says what to do.
    pub fn key(&mut self, key: KeyEvent) -> Choice {
        let last = self.items.len().saturating_sub(1);
        match key.code {
            KeyCode::Esc | KeyCode::Char('q') => return Choice::Closed,
            KeyCode::Up => self.cursor = self.cursor.saturating_sub(1),
            KeyCode::Down => self.cursor = (self.cursor + 1).min(last),
            KeyCode::Enter => {
                return self.items.get(self.cursor).cloned().map_or(Choice::Closed, Choice::Chosen);
            }
            // Vi's keys, unless something is called so.
            KeyCode::Char(letter @ ('j' | 'k')) if !self.items.iter().any(|item| item.key == letter) => {
                self.cursor = if letter == 'j' { (self.cursor + 1).min(last) } else { self.cursor.saturating_sub(1) };
            }
            KeyCode::Char(letter) => {
                if let Some(item) = self.items.iter().find(|item| item.key == letter) {
                    return Choice::Chosen(item.clone());
                }
            }
            _ => {}
        }
        Choice::Stay
    }
}
