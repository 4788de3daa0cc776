//! What can be done with a row: the commands of the table that apply to it, each with its key.

use crossterm::event::{KeyCode, KeyEvent};

use super::super::command::{Command, Entry};
use super::super::keymap::Key;

/// A command that is offered, with its keys.
#[derive(Debug, Clone)]
pub struct Action {
    /// Row of the table of commands.
    pub entry: &'static Entry,
    /// Keys that carry it out; the first one is shown.
    pub keys: Vec<Key>,
}

/// State of the menu of a row.
#[derive(Debug)]
pub struct Actions {
    /// What the commands are about.
    pub subject: String,
    /// Commands, from top to bottom.
    pub all: Vec<Action>,
    /// The command under the cursor.
    pub cursor: usize,
    /// The key that opened it, which closes it again.
    opener: Option<Key>,
}

/// What a key means to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Carry out this command; the menu closes.
    Command(Command),
    /// The menu closes without a choice.
    Closed,
    /// The menu stays open, and nothing is to be done.
    Stay,
}

impl Actions {
    /// A menu of these commands, opened by this key.
    pub fn new(subject: String, all: Vec<Action>, opener: Option<Key>) -> Self {
        // What Enter does at once destroys nothing.
        let cursor = all.iter().position(|action| !action.entry.destroys).unwrap_or(0);
        Self { subject, all, cursor, opener }
    }

    /// Handles a key and says what to do. A command's own key means it, whatever the key means to other menus.
    pub fn key(&mut self, key: KeyEvent) -> Choice {
        let last = self.all.len().saturating_sub(1);
        let pressed = Key::from(key);
        match key.code {
            KeyCode::Esc => return Choice::Closed,
            KeyCode::Enter => {
                return self
                    .all
                    .get(self.cursor)
                    .map_or(Choice::Closed, |action| Choice::Command(action.entry.command));
            }
            KeyCode::Up => self.cursor = self.cursor.saturating_sub(1),
            KeyCode::Down => self.cursor = (self.cursor + 1).min(last),
            KeyCode::Home => self.cursor = 0,
            KeyCode::End => self.cursor = last,
            code => {
                if let Some(action) = self.all.iter().find(|action| action.keys.contains(&pressed)) {
                    return Choice::Command(action.entry.command);
                }
                match code {
                    _ if self.opener == Some(pressed) => return Choice::Closed,
                    KeyCode::Char('q') => return Choice::Closed,
                    KeyCode::Char('j') => self.cursor = (self.cursor + 1).min(last),
                    KeyCode::Char('k') => self.cursor = self.cursor.saturating_sub(1),
                    _ => {}
                }
            }
        }
        Choice::Stay
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyModifiers;

    use super::*;

    fn menu(commands: &[Command]) -> Actions {
        let action = |command: &Command| {
            let entry = command.entry();
            Action { entry, keys: entry.keys.iter().map(|key| key.parse().unwrap()).collect() }
        };
        Actions::new("library/nginx".to_owned(), commands.iter().map(action).collect(), "m".parse().ok())
    }

    #[test]
    fn arrows_letters_and_the_commands_own_keys_choose() {
        let commands = [Command::Open, Command::Remove, Command::Copy];
        let mut menu = menu(&commands);
        let mut press = |code| menu.key(KeyEvent::new(code, KeyModifiers::NONE));
        assert_eq!(press(KeyCode::Enter), Choice::Command(Command::Open));
        assert_eq!(press(KeyCode::Delete), Choice::Command(Command::Remove));
        assert_eq!(press(KeyCode::Char('y')), Choice::Command(Command::Copy));
        assert_eq!(press(KeyCode::Char('j')), Choice::Stay);
        assert_eq!(press(KeyCode::Enter), Choice::Command(Command::Remove));
        assert_eq!(press(KeyCode::End), Choice::Stay);
        assert_eq!(press(KeyCode::Down), Choice::Stay);
        assert_eq!(press(KeyCode::Enter), Choice::Command(Command::Copy));
        assert_eq!(press(KeyCode::Char('u')), Choice::Stay, "it is about no row");
        for closes in [KeyCode::Esc, KeyCode::Char('q'), KeyCode::Char('m')] {
            assert_eq!(press(closes), Choice::Closed);
        }
    }
}
