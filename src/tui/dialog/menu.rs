//! A few things to choose from, each with its letter.

use crossterm::event::{KeyCode, KeyEvent};

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its letter.
    pub key: char,
    /// What it is called.
    pub title: String,
    /// What is copied.
    pub value: String,
}

/// The dialog.
#[derive(Debug, Clone)]
pub struct Menu {
    /// Its title.
    pub title: String,
    /// What there is.
    pub items: Vec<Item>,
    /// The row under the cursor.
    pub cursor: usize,
}

/// What a key means to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// This one.
    Chosen(Item),
    /// None.
    Closed,
    /// Nothing yet.
    Stay,
}

impl Menu {
    /// What a key means.
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
