//! A line of text that is asked for.

use crossterm::event::{KeyCode, KeyEvent};

use super::super::text_field::TextField;
use crate::engine::query::browse::{SEARCH_STATES, Search, state_names};
use crate::text::{nearest, printable_within};

/// What the text is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The filter of a list of images: words, states and platforms, which apply while they are typed.
    Images,
    /// The filter of another list: words, which apply while they are typed.
    Filter,
    /// What is looked for in the text that is shown: it is found while it is typed.
    Search,
    /// Where a file is saved.
    SaveFile,
}

/// A dialog with one field, for a filter or a value.
#[derive(Debug)]
pub struct Prompt {
    /// What the text is for.
    pub purpose: Purpose,
    /// Field with what was typed so far.
    pub field: TextField,
}

/// What is said beside the field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// Names that the word under the cursor may become, which Tab completes.
    States(Vec<&'static str>),
    /// What is wrong with the text.
    Problem(String),
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
        Self { purpose, field: TextField::new(text) }
    }

    /// What there is to say of what was typed.
    pub fn note(&self) -> Option<Note> {
        if self.purpose != Purpose::Images {
            return None;
        }
        let text = self.field.value();
        let states = state_names(text);
        let is_whole = matches!(states.as_slice(), [only] if text.to_lowercase().ends_with(&format!(":{only}")));
        if !states.is_empty() && !is_whole {
            return Some(Note::States(states));
        }
        let search = Search::parse(text);
        let unknown = search.unknown().first()?;
        let meant = nearest(unknown, SEARCH_STATES.iter().map(|(name, _)| *name));
        let meant = meant.map(|name| format!("; did you mean `:{name}`?")).unwrap_or_default();
        Some(Note::Problem(format!("no state `:{}`{meant}", printable_within(unknown, 20))))
    }

    /// Completes the name of a state as far as it is clear, else to the first one that it may be.
    fn complete(&mut self) -> bool {
        let Some(Note::States(states)) = self.note() else { return false };
        let text = self.field.value();
        let (before, begun) = text.rsplit_once(':').unwrap_or((text, ""));
        let first = states.first().copied().unwrap_or_default();
        let common = |name: &&str| first.chars().zip(name.chars()).take_while(|(one, other)| one == other).count();
        let clear = states.iter().map(common).min().unwrap_or(0);
        let completed = if clear > begun.len() { &first[..clear] } else { first };
        let end = if completed == first { " " } else { "" };
        self.field = TextField::new(&format!("{before}:{completed}{end}"));
        true
    }

    /// Handles a key and says what to do.
    pub fn key(&mut self, key: KeyEvent) -> Choice {
        match key.code {
            KeyCode::Enter => Choice::Done(self.field.value().trim().to_owned()),
            KeyCode::Esc => Choice::Closed,
            KeyCode::Tab => {
                if self.complete() {
                    return Choice::Changed;
                }
                Choice::Stay
            }
            _ if self.field.key(key) => Choice::Changed,
            _ => Choice::Stay,
        }
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyModifiers;

    use super::*;

    #[test]
    fn tab_completes_a_state_and_a_wrong_one_is_told() {
        let tab = |text: &str| {
            let mut prompt = Prompt::new(Purpose::Images, text);
            prompt.key(KeyEvent::new(KeyCode::Tab, KeyModifiers::NONE));
            prompt.field.value().to_owned()
        };
        for (text, completed) in [
            ("kube :ou", "kube :outdated "),
            (":", ":allowed "),
            (":p", ":private "),
            (":pu", ":published "),
            ("kube", "kube"),
            (":x", ":x"),
            (":private", ":private"),
            (":OU", ":outdated "),
        ] {
            assert_eq!(tab(text), completed);
        }
        let note = |text: &str| Prompt::new(Purpose::Images, text).note();
        let problem = "no state `:outdatd`; did you mean `:outdated`?".to_owned();
        assert_eq!(note("a :outdatd b"), Some(Note::Problem(problem)));
        assert_eq!(note(":pri"), Some(Note::States(vec!["private"])));
        assert_eq!((note("kube :private"), note("kube")), (None, None));
        assert_eq!((note(""), Prompt::new(Purpose::Filter, ":x").note()), (None, None));
    }
}
