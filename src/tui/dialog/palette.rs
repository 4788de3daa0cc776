//! The commands by name, by key or by what they do: `:` shows all, `?` those that apply here. Enter carries one out.

use crossterm::event::{KeyCode, KeyEvent};
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

use super::super::command::{Command, Context, Entry};
use super::super::keymap::Keymap;
use super::super::text_field::TextField;

/// The dialog.
#[derive(Debug)]
pub struct Palette {
    /// What is typed.
    pub field: TextField,
    /// It is the help: it says what applies here.
    pub help: bool,
    /// The commands that are found: with their keys.
    pub found: Vec<(&'static Entry, String)>,
    /// The row under the cursor.
    pub cursor: usize,
    all: Vec<(&'static Entry, String)>,
}

/// What a key means to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// This command.
    Command(Command),
    /// A verb of the command line, as it was typed.
    Typed(String),
    /// None.
    Closed,
    /// Nothing yet.
    Stay,
}

impl Palette {
    /// All commands that apply where these contexts are.
    pub fn new(keymap: &Keymap, contexts: &[Context], help: bool) -> Self {
        let keys =
            |keys: &[super::super::keymap::Key]| keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let all: Vec<_> = keymap.applying(contexts).map(|(entry, of)| (entry, keys(of))).collect();
        Self { field: TextField::default(), help, found: all.clone(), cursor: 0, all }
    }

    /// What a key means.
    pub fn key(&mut self, key: KeyEvent) -> Choice {
        let last = self.found.len().saturating_sub(1);
        match key.code {
            KeyCode::Esc => return Choice::Closed,
            KeyCode::Up => self.cursor = self.cursor.saturating_sub(1),
            KeyCode::Down => self.cursor = (self.cursor + 1).min(last),
            KeyCode::PageUp => self.cursor = self.cursor.saturating_sub(10),
            KeyCode::PageDown => self.cursor = (self.cursor + 10).min(last),
            KeyCode::Enter => {
                let typed = self.field.value().trim();
                if typed.contains(' ') || (self.found.is_empty() && !typed.is_empty()) {
                    return Choice::Typed(typed.to_owned());
                }
                return self.found.get(self.cursor).map_or(Choice::Closed, |(entry, _)| Choice::Command(entry.command));
            }
            _ => {
                if self.field.key(key) {
                    self.search();
                }
            }
        }
        Choice::Stay
    }

    /// Text was pasted.
    pub fn paste(&mut self, text: &str) {
        self.field.insert(text);
        self.search();
    }

    fn search(&mut self) {
        self.cursor = 0;
        let typed = self.field.value().trim();
        if typed.is_empty() {
            self.found.clone_from(&self.all);
            return;
        }
        let mut matcher = Matcher::new(Config::DEFAULT);
        let pattern = Pattern::parse(typed, CaseMatching::Ignore, Normalization::Smart);
        let mut buffer = Vec::new();
        let mut scored: Vec<(u32, &(&'static Entry, String))> = Vec::new();
        for row in &self.all {
            let (entry, keys) = row;
            // A key is found by itself, a command by its name before what it does.
            let by_key = keys.split(' ').any(|key| key == typed);
            let name = format!("{} {}", entry.title, entry.id);
            let score = if by_key {
                Some(u32::MAX)
            } else {
                pattern
                    .score(Utf32Str::new(&name, &mut buffer), &mut matcher)
                    .map(|score| score + 1000)
                    .or_else(|| pattern.score(Utf32Str::new(entry.explanation, &mut buffer), &mut matcher))
            };
            scored.extend(score.map(|score| (score, row)));
        }
        scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        self.found = scored.into_iter().map(|(_, row)| row.clone()).collect();
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyModifiers;

    use super::*;

    fn type_in(palette: &mut Palette, text: &str) -> Choice {
        for letter in text.chars() {
            palette.key(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::NONE));
        }
        palette.key(KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE))
    }

    #[test]
    fn a_command_is_found_by_name_by_key_and_by_what_it_does() {
        let keymap = Keymap::default();
        let new = || Palette::new(&keymap, &[Context::Repositories, Context::List], false);
        assert_eq!(type_in(&mut new(), "publ"), Choice::Command(Command::PublishAll));
        assert_eq!(type_in(&mut new(), "R"), Choice::Command(Command::UpdateAll));
        assert_eq!(type_in(&mut new(), "reclaim"), Choice::Command(Command::Gc));
        assert_eq!(type_in(&mut new(), "add nginx:alpine"), Choice::Typed("add nginx:alpine".into()));
    }
}
