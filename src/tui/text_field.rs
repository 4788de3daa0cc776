//! A line of text that is edited: letters, never keys, whatever is typed or pasted.

use crossterm::event::{Event, KeyEvent};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler as _;

/// The most that a field takes.
const MAX_INPUT_BYTES: usize = 16 << 10;

/// One line of text that is being edited.
#[derive(Debug, Clone, Default)]
pub struct TextField {
    input: Input,
}

impl TextField {
    /// A field with this text, the cursor at its end.
    pub fn new(text: &str) -> Self {
        Self { input: Input::new(text.to_owned()) }
    }

    /// Text as it was typed so far.
    pub fn value(&self) -> &str {
        self.input.value()
    }

    /// The column of the cursor.
    pub fn column(&self) -> usize {
        self.input.visual_cursor()
    }

    /// What of it is shown in so many columns: how many columns of it are skipped.
    pub fn skipped(&self, columns: usize) -> usize {
        self.input.visual_scroll(columns)
    }

    /// Edits; whether the text is another one.
    pub fn key(&mut self, key: KeyEvent) -> bool {
        if self.value().len() >= MAX_INPUT_BYTES && matches!(key.code, crossterm::event::KeyCode::Char(_)) {
            return false;
        }
        self.input.handle_event(&Event::Key(key)).is_some_and(|change| change.value)
    }

    /// Inserts pasted text; lines become words.
    pub fn insert(&mut self, text: &str) {
        let room = MAX_INPUT_BYTES.saturating_sub(self.value().len());
        for letter in text.chars().take(room) {
            let letter = if letter.is_whitespace() { ' ' } else { letter };
            if !letter.is_control() {
                self.input.handle(tui_input::InputRequest::InsertChar(letter));
            }
        }
    }
}
