//! A line of text that is asked for.

use crossterm::event::{KeyCode, KeyEvent};

use super::super::text_field::TextField;

/// What the text is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The filter of the list that is shown: it applies while it is typed.
    Filter,
    /// What is looked for in the text that is shown: it is found while it is typed.
    Search,
}

/// A dialog with one field, for a filter or a value.
#[derive(Debug)]
pub struct Prompt {
    /// What the text is for.
    pub purpose: Purpose,
    /// Field with what was typed so far.
    pub field: TextField,
    /// Error to show below the field.
    pub problem: Option<String>,
}

/// What a key means to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// It is done, with this text.
    Done(String),
    /// The dialog closes, and the text is dropped.
    Closed,
    /// The text is another one.
    Changed,
    /// The dialog stays open, and nothing is to be done.
    Stay,
}

impl Prompt {
    /// Asks for a text, which is this at first.
    pub fn new(purpose: Purpose, text: &str) -> Self {
        Self { purpose, field: TextField::new(text), problem: None }
    }

    /// Handles a key and says what to do.
    pub fn key(&mut self, key: KeyEvent) -> Choice {
        match key.code {
            KeyCode::Enter => Choice::Done(self.field.value().trim().to_owned()),
            KeyCode::Esc => Choice::Closed,
            _ if self.field.key(key) => {
                self.problem = None;
                Choice::Changed
            }
            _ => Choice::Stay,
        }
    }
}
