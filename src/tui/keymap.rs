//! Which key is which command: the table's keys, and what the configuration says instead.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::command::{Command, Context, Entry, TABLE};
use crate::error::{Error, Kind, Result};
use crate::text::{nearest, printable_within};

/// A key as it is written in the configuration: `a`, `R`, `ctrl-d`, `space`, `page-up`, `f1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    code: KeyCode,
    modifiers: KeyModifiers,
}

const NAMED_KEYS: [(&str, KeyCode); 16] = [
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("insert", KeyCode::Insert),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("page-up", KeyCode::PageUp),
    ("page-down", KeyCode::PageDown),
    ("space", KeyCode::Char(' ')),
    ("minus", KeyCode::Char('-')),
];

impl From<KeyEvent> for Key {
    fn from(event: KeyEvent) -> Self {
        let mut modifiers = event.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT);
        let code = match event.code {
            KeyCode::BackTab => {
                modifiers |= KeyModifiers::SHIFT;
                KeyCode::Tab
            }
            // The letter says already that it is a capital one.
            KeyCode::Char(letter) => {
                modifiers -= KeyModifiers::SHIFT;
                if modifiers.contains(KeyModifiers::CONTROL) {
                    KeyCode::Char(letter.to_ascii_lowercase())
                } else {
                    KeyCode::Char(letter)
                }
            }
            code => code,
        };
        Self { code, modifiers }
    }
}

impl FromStr for Key {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            Error::new(Kind::Usage, format!("`{}` is not a key", printable_within(text, 40)))
                .hint("Keys are written like `a`, `R`, `ctrl-d`, `alt-x`, `shift-tab`, `space`, `page-up`, `f1`.")
        };
        let (mut rest, mut modifiers) = (text, KeyModifiers::NONE);
        for (prefix, modifier) in
            [("ctrl-", KeyModifiers::CONTROL), ("alt-", KeyModifiers::ALT), ("shift-", KeyModifiers::SHIFT)]
        {
            if let Some(after) = rest.strip_prefix(prefix).filter(|after| !after.is_empty()) {
                (rest, modifiers) = (after, modifiers | modifier);
            }
        }
        let mut letters = rest.chars();
        let code = match (letters.next(), letters.next()) {
            (Some(letter), None) if !letter.is_control() && letter != ' ' => KeyCode::Char(letter),
            _ => {
                let function =
                    rest.strip_prefix('f').and_then(|number| number.parse().ok()).filter(|n| (1..=12).contains(n));
                let named = NAMED_KEYS.iter().find(|(name, _)| *name == rest).map(|(_, code)| *code);
                named.or(function.map(KeyCode::F)).ok_or_else(wrong)?
            }
        };
        if matches!(code, KeyCode::Char(_)) && modifiers.contains(KeyModifiers::SHIFT) {
            return Err(wrong());
        }
        Ok(Self { code, modifiers })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (modifier, prefix) in
            [(KeyModifiers::CONTROL, "ctrl-"), (KeyModifiers::ALT, "alt-"), (KeyModifiers::SHIFT, "shift-")]
        {
            if self.modifiers.contains(modifier) {
                f.write_str(prefix)?;
            }
        }
        match self.code {
            KeyCode::F(number) => write!(f, "f{number}"),
            code => match (NAMED_KEYS.iter().find(|(_, named)| *named == code), code) {
                (Some((name, _)), _) => f.write_str(name),
                (None, KeyCode::Char(letter)) => write!(f, "{letter}"),
                (None, _) => f.write_str("?"),
            },
        }
    }
}

impl Key {
    /// As it is pressed.
    pub fn event(self) -> KeyEvent {
        KeyEvent::new(self.code, self.modifiers)
    }

    /// As the footer shows it: arrows as arrows would need a font, so only short words.
    pub fn short(&self) -> String {
        match self.code {
            KeyCode::Enter if self.modifiers.is_empty() => "enter".to_owned(),
            _ => self.to_string().replace("ctrl-", "^"),
        }
    }
}

/// The keys of every command.
#[derive(Debug, Clone)]
pub struct Keymap {
    keys: Vec<(&'static Entry, Vec<Key>)>,
}

impl Default for Keymap {
    fn default() -> Self {
        let of = |entry: &'static Entry| {
            // The table's keys are keys: a test says so.
            (entry, entry.keys.iter().filter_map(|key| key.parse().ok()).collect())
        };
        Self { keys: TABLE.iter().map(of).collect() }
    }
}

impl Keymap {
    /// The table's keys, but for these commands (by id) others. An error names the command whose keys are wrong.
    pub fn with(changes: &BTreeMap<String, Vec<String>>) -> Result<Self, (String, Error)> {
        let mut keymap = Self::default();
        for (id, keys) in changes {
            let wrong = |error: Error| (id.clone(), error);
            let place = keymap.keys.iter().position(|(entry, _)| entry.id == id).ok_or_else(|| {
                let error = Error::new(Kind::Usage, format!("there is no command `{}`", printable_within(id, 40)));
                wrong(match nearest(id, TABLE.iter().map(|entry| entry.id)) {
                    Some(near) => error.hint(format!("Did you mean `{near}`?")),
                    None => error.hint("`?` shows all commands with their names."),
                })
            })?;
            let keys: Vec<Key> = keys.iter().map(|key| key.parse()).collect::<Result<_>>().map_err(wrong)?;
            if let Some((_, place)) = keymap.keys.get_mut(place) {
                *place = keys;
            }
        }
        for (place, (entry, keys)) in keymap.keys.iter().enumerate() {
            for (other, others) in &keymap.keys[place + 1..] {
                let meet = entry.applies(other.contexts) || other.applies(entry.contexts);
                if let Some(key) = keys.iter().find(|key| meet && others.contains(key)) {
                    let (changed, kept) = if changes.contains_key(other.id) { (other, entry) } else { (entry, other) };
                    let words = format!("the key `{key}` of `{}` is already used by `{}`", changed.id, kept.id);
                    return Err((changed.id.to_owned(), Error::new(Kind::Usage, words)));
                }
            }
        }
        Ok(keymap)
    }

    /// The command of a key where these contexts are; the narrower one first.
    pub fn command(&self, key: Key, contexts: &[Context]) -> Option<Command> {
        let applying = || self.keys.iter().filter(|(entry, keys)| entry.applies(contexts) && keys.contains(&key));
        let narrow = applying().find(|(entry, _)| !entry.contexts.contains(&Context::Everywhere));
        narrow.or_else(|| applying().next()).map(|(entry, _)| entry.command)
    }

    /// Where a key does something that does nothing here, in words.
    pub fn elsewhere(&self, key: Key) -> Option<String> {
        let with_key = self.keys.iter().filter(|(_, keys)| keys.contains(&key));
        let parts: Vec<String> = with_key
            .filter_map(|(entry, _)| {
                let places: Vec<&str> = entry.contexts.iter().filter_map(|context| context.place()).collect();
                (!places.is_empty()).then(|| format!("{} ({})", places.join(", "), entry.id))
            })
            .collect();
        (!parts.is_empty()).then(|| format!("`{}` does something in {}", key.short(), parts.join("; ")))
    }

    /// The key that is shown for a command.
    pub fn key(&self, command: Command) -> Option<Key> {
        self.keys.iter().find(|(entry, _)| entry.command == command).and_then(|(_, keys)| keys.first().copied())
    }

    /// All commands that apply where these contexts are, with their keys.
    pub fn applying<'k>(&'k self, contexts: &'k [Context]) -> impl Iterator<Item = (&'static Entry, &'k [Key])> {
        self.keys.iter().filter(|(entry, _)| entry.applies(contexts)).map(|(entry, keys)| (*entry, keys.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(id: &str, key: &str) -> Result<Keymap, (String, Error)> {
        Keymap::with(&BTreeMap::from([(id.to_owned(), vec![key.to_owned()])]))
    }

    #[test]
    fn the_keys_of_the_table_are_keys() {
        for entry in TABLE {
            for key in entry.keys {
                assert_eq!(key.parse::<Key>().unwrap().to_string(), *key);
            }
        }
    }

    #[test]
    fn events_are_keys() {
        let key = |code, modifiers| Key::from(KeyEvent::new(code, modifiers)).to_string();
        assert_eq!(key(KeyCode::Char('R'), KeyModifiers::SHIFT), "R");
        assert_eq!(key(KeyCode::BackTab, KeyModifiers::SHIFT), "shift-tab");
        assert_eq!(key(KeyCode::Char('D'), KeyModifiers::CONTROL), "ctrl-d");
    }

    #[test]
    fn the_configuration_has_its_way_and_mistakes_are_told() {
        let keymap = changed("add", "f2").unwrap();
        assert_eq!(keymap.command("f2".parse().unwrap(), &[Context::Repositories]), Some(Command::Add));
        assert_eq!(keymap.command("a".parse().unwrap(), &[Context::Repositories]), None);
        let (id, error) = changed("ad", "f2").unwrap_err();
        assert!(id == "ad" && error.hints()[0].contains("`add`"), "{error}");
        let (id, error) = changed("add", "d").unwrap_err();
        assert!(id == "add" && error.to_string().contains("remove"), "{error}");
        assert!(changed("add", "strg-x").is_err());
    }
}
