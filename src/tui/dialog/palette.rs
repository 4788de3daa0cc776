//! The commands by name, by key or by what they do: `:` shows all, `?` those that apply here. Enter carries one out.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

use super::super::command::{Command, Context, Entry, Topic};
use super::super::completing::{Suggestion, common, unfinished};
use super::super::keymap::Keymap;
use super::super::text_field::TextField;
use super::super::typed::is_carried_out_here;

/// State of the palette: a field, and the commands that match it.
#[derive(Debug)]
pub struct Palette {
    /// Field for a command's name or a command line.
    pub field: TextField,
    /// It is the help: it says what applies here.
    pub help: bool,
    /// The commands that are found: with their keys.
    pub found: Vec<(&'static Entry, String)>,
    /// The row under the cursor.
    pub cursor: usize,
    /// What the last word of a command line can become.
    pub suggested: Vec<Suggestion>,
    all: Vec<(&'static Entry, String)>,
    /// The words that suggestions were asked for last.
    asked: Vec<String>,
    /// Which suggestion stands in the field, and what stands before it.
    taken: Option<(usize, String)>,
    /// What was typed before, newest last.
    history: Vec<String>,
    /// The line of it that is shown.
    recalled: Option<usize>,
    /// What was typed before lines were recalled: they begin with it.
    draft: String,
}

/// A line of the list of commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaletteLine {
    /// The heading of what the next commands are about.
    Head(Topic),
    /// A command that is found, by its place.
    Command(usize),
}

/// What a key means to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// Carry out this command of the table.
    Command(Command),
    /// A verb of the command line, as it was typed.
    Typed(String),
    /// The palette closes without a choice.
    Closed,
    /// The palette stays open, and nothing is to be done.
    Stay,
}

impl Palette {
    /// All commands that apply where these contexts are, without those that change something where only looking is allowed; with
    /// what was typed before, newest last.
    pub fn new(keymap: &Keymap, contexts: &[Context], help: bool, only_looks: bool, history: &[String]) -> Self {
        let keys =
            |keys: &[super::super::keymap::Key]| keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let mut all: Vec<_> = keymap
            .applying(contexts)
            .filter(|(entry, _)| !only_looks || !entry.command.changes())
            .map(|(entry, of)| (entry, keys(of)))
            .collect();
        if help {
            all.sort_by_key(|(entry, _)| entry.topic());
        }
        Self {
            field: TextField::default(),
            help,
            found: all.clone(),
            cursor: 0,
            suggested: Vec::new(),
            all,
            asked: Vec::new(),
            taken: None,
            history: history.to_vec(),
            recalled: None,
            draft: String::new(),
        }
    }

    /// Handles a key and says what to do.
    pub fn key(&mut self, key: KeyEvent) -> Choice {
        let last = self.found.len().saturating_sub(1);
        match key.code {
            KeyCode::Esc => return Choice::Closed,
            KeyCode::Tab => self.complete(true),
            KeyCode::BackTab => self.complete(false),
            // Above the first command are the lines that were typed before.
            KeyCode::Up if self.cursor == 0 || self.recalled.is_some() => self.recall_older(),
            KeyCode::Char('p') if key.modifiers.contains(KeyModifiers::CONTROL) => self.recall_older(),
            KeyCode::Down if self.recalled.is_some() => self.recall_newer(),
            KeyCode::Char('n') if key.modifiers.contains(KeyModifiers::CONTROL) => self.recall_newer(),
            KeyCode::Up => self.cursor = self.cursor.saturating_sub(1),
            KeyCode::Down => self.cursor = (self.cursor + 1).min(last),
            KeyCode::PageUp => self.cursor = self.cursor.saturating_sub(10),
            KeyCode::PageDown => self.cursor = (self.cursor + 10).min(last),
            KeyCode::Enter => {
                let typed = self.field.value().trim();
                // A verb that is no command of this view is not taken for one that is called alike.
                let is_verb = is_carried_out_here(typed)
                    && !self.found.iter().any(|(entry, _)| entry.id == typed || entry.title == typed);
                if typed.contains(' ') || is_verb || (self.found.is_empty() && !typed.is_empty()) {
                    return Choice::Typed(typed.to_owned());
                }
                return self.found.get(self.cursor).map_or(Choice::Closed, |(entry, _)| Choice::Command(entry.command));
            }
            _ => {
                if self.field.key(key) {
                    (self.recalled, self.taken) = (None, None);
                    self.search();
                }
            }
        }
        Choice::Stay
    }

    /// Inserts pasted text into the field.
    pub fn paste(&mut self, text: &str) {
        self.field.insert(text);
        (self.recalled, self.taken) = (None, None);
        self.search();
    }

    /// Moves the cursor by so many rows.
    pub fn scroll_by(&mut self, rows: usize, up: bool) {
        let last = self.found.len().saturating_sub(1);
        self.cursor = if up { self.cursor.saturating_sub(rows) } else { (self.cursor + rows).min(last) };
    }

    /// Whether there is something to recall.
    pub fn has_history(&self) -> bool {
        !self.history.is_empty()
    }

    /// The words whose last one suggestions are to be asked for, if they are others than before.
    pub fn wants(&mut self) -> Option<Vec<String>> {
        if self.help || self.taken.is_some() || self.field.value().is_empty() {
            return None;
        }
        let (words, _) = unfinished(self.field.value())?;
        if words == self.asked {
            return None;
        }
        self.suggested.clear();
        self.asked.clone_from(&words);
        Some(words)
    }

    /// Takes what the last of these words can become.
    pub fn suggest(&mut self, words: &[String], mut suggested: Vec<Suggestion>) {
        if words == self.asked && self.taken.is_none() {
            // A verb that is a command of the table stands there already.
            suggested.retain(|suggestion| !self.found.iter().any(|(entry, _)| entry.id == suggestion.word));
            self.suggested = suggested;
        }
    }

    /// The suggestion that stands in the field.
    pub fn taken(&self) -> Option<usize> {
        self.taken.as_ref().map(|(place, _)| *place)
    }

    /// Completes the last word as far as all suggestions are the same; after that, puts one after the other in its place.
    fn complete(&mut self, forward: bool) {
        if self.suggested.is_empty() {
            if let Some((entry, _)) = self.found.get(self.cursor).filter(|_| !self.field.value().is_empty()) {
                self.field = TextField::new(entry.id);
                self.search();
            }
            return;
        }
        let (place, before) = match self.taken.take() {
            Some((place, before)) => {
                let step = if forward { 1 } else { self.suggested.len() - 1 };
                ((place + step) % self.suggested.len(), before)
            }
            None => {
                let Some((words, start)) = unfinished(self.field.value()) else { return };
                let last = words.last().map(String::as_str).unwrap_or_default();
                let before = self.field.value()[..start].to_owned();
                let common = common(self.suggested.iter().map(|suggestion| suggestion.word.as_str()));
                if let [only] = self.suggested.as_slice() {
                    // A repository's name goes on with a tag, a flag's with a value.
                    let more = if only.word.ends_with([':', '=', '/']) { "" } else { " " };
                    self.field = TextField::new(&format!("{before}{}{more}", shell_words::quote(&only.word)));
                    self.search();
                    return;
                }
                if common.len() > last.len() && common.starts_with(last) {
                    self.field = TextField::new(&format!("{before}{}", shell_words::quote(common)));
                    self.search();
                    return;
                }
                (if forward { 0 } else { self.suggested.len() - 1 }, before)
            }
        };
        self.field = TextField::new(&format!("{before}{}", shell_words::quote(&self.suggested[place].word)));
        self.taken = Some((place, before));
        self.search();
    }

    fn recall_older(&mut self) {
        if self.recalled.is_none() {
            self.field.value().clone_into(&mut self.draft);
        }
        let before = &self.history[..self.recalled.unwrap_or(self.history.len())];
        if let Some(place) = before.iter().rposition(|line| line.starts_with(&self.draft) && *line != self.draft) {
            self.show(Some(place));
        }
    }

    fn recall_newer(&mut self) {
        let Some(here) = self.recalled else { return };
        let newer = self.history.iter().enumerate().skip(here + 1);
        let place = newer.filter(|(_, line)| line.starts_with(&self.draft)).map(|(place, _)| place).next();
        self.show(place);
    }

    /// Shows a line of the history, or what was typed before it was gone through.
    fn show(&mut self, place: Option<usize>) {
        let line = place.and_then(|place| self.history.get(place)).unwrap_or(&self.draft);
        self.field = TextField::new(line);
        (self.recalled, self.taken) = (place, None);
        self.search();
    }

    /// The lines of the list: in the help each part has a heading, as long as nothing is looked for.
    pub fn lines(&self) -> Vec<PaletteLine> {
        let mut lines = Vec::with_capacity(self.found.len());
        let mut before = None;
        for (place, (entry, _)) in self.found.iter().enumerate() {
            let topic = Some(entry.topic()).filter(|_| self.help && self.field.value().trim().is_empty());
            if let Some(topic) = topic.filter(|topic| before != Some(*topic)) {
                lines.push(PaletteLine::Head(topic));
            }
            before = topic;
            lines.push(PaletteLine::Command(place));
        }
        lines
    }

    fn search(&mut self) {
        self.cursor = 0;
        let typed = self.field.value().trim();
        if typed.is_empty() {
            self.found.clone_from(&self.all);
            return;
        }
        // What is said with a verb is not a command's name.
        if typed.contains(' ') {
            self.found.clear();
            return;
        }
        let mut matcher = Matcher::new(Config::DEFAULT);
        let pattern = Pattern::parse(typed, CaseMatching::Ignore, Normalization::Smart);
        let mut buffer = Vec::new();
        let mut scored: Vec<(u32, &(&'static Entry, String))> = Vec::new();
        for row in &self.all {
            let (entry, keys) = row;
            // A key is found by itself, a command by its name before what it does.
            let by_key = keys.split(' ').any(|key| key == typed) || entry.id == typed;
            let mut named = |name| pattern.score(Utf32Str::new(name, &mut buffer), &mut matcher);
            let score = if by_key {
                Some(u32::MAX)
            } else {
                // In a sentence any letters are found somewhere, so a part of it has to be typed as it is.
                let told = || entry.explanation.to_lowercase().contains(&typed.to_lowercase()).then_some(1);
                named(entry.id).max(named(entry.title)).map(|score| score + 1000).or_else(told)
            };
            scored.extend(score.map(|score| (score, row)));
        }
        scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        self.found = scored.into_iter().map(|(_, row)| row.clone()).collect();
    }
}

#[cfg(test)]
mod tests {
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
        let new = || Palette::new(&keymap, &[Context::Repositories, Context::List], false, false, &[]);
        assert_eq!(type_in(&mut new(), "publ"), Choice::Command(Command::PublishAll));
        assert_eq!(type_in(&mut new(), "R"), Choice::Command(Command::UpdateAll));
        assert_eq!(type_in(&mut new(), "reclaim"), Choice::Command(Command::Gc));
        assert_eq!(type_in(&mut new(), "add nginx:alpine"), Choice::Typed("add nginx:alpine".into()));
    }

    #[test]
    fn tab_completes_as_far_as_all_are_the_same_and_then_goes_round() {
        let press = |palette: &mut Palette, code| {
            assert_eq!(palette.key(KeyEvent::new(code, KeyModifiers::NONE)), Choice::Stay);
        };
        let typing = |palette: &mut Palette, text: &str| {
            for letter in text.chars() {
                press(palette, KeyCode::Char(letter));
            }
        };
        let suggest = |palette: &mut Palette, words: &[&str], suggested: &[&str]| {
            let words: Vec<String> = words.iter().map(ToString::to_string).collect();
            assert_eq!(palette.wants().as_ref(), Some(&words));
            let suggestion = |word: &&str| Suggestion { word: (*word).to_owned(), help: String::new() };
            palette.suggest(&words, suggested.iter().map(suggestion).collect());
        };
        let mut palette = Palette::new(&Keymap::default(), &[Context::List], false, false, &[]);
        typing(&mut palette, "show l");
        suggest(&mut palette, &["show", "l"], &["library/nginx", "library/nats"]);
        press(&mut palette, KeyCode::Tab);
        assert_eq!(palette.field.value(), "show library/n");
        suggest(&mut palette, &["show", "library/n"], &["library/nginx", "library/nats"]);
        press(&mut palette, KeyCode::Tab);
        press(&mut palette, KeyCode::Tab);
        assert_eq!((palette.field.value(), palette.taken()), ("show library/nats", Some(1)));
        press(&mut palette, KeyCode::Tab);
        press(&mut palette, KeyCode::BackTab);
        assert_eq!(palette.wants(), None);
        assert_eq!(palette.field.value(), "show library/nats");
        typing(&mut palette, ":");
        suggest(&mut palette, &["show", "library/nats:"], &["library/nats:2 odd"]);
        press(&mut palette, KeyCode::Tab);
        assert_eq!(
            palette.field.value(),
            "show 'library/nats:2 odd' ",
            "one alone is taken whole, as a shell reads it"
        );
        // An answer that is late is none any more.
        palette.suggest(
            &["show".to_owned(), "l".to_owned()],
            vec![Suggestion { word: "late".to_owned(), help: String::new() }],
        );
        assert!(palette.wants().is_some() && palette.suggested.is_empty());
    }

    #[test]
    fn tab_completes_the_name_of_a_command_too() {
        let mut palette = Palette::new(&Keymap::default(), &[Context::List], false, false, &[]);
        for letter in "publ".chars() {
            palette.key(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::NONE));
        }
        palette.key(KeyEvent::new(KeyCode::Tab, KeyModifiers::NONE));
        assert_eq!(palette.field.value(), "publish");
    }

    #[test]
    fn the_help_has_parts_until_something_is_looked_for() {
        let mut help = Palette::new(&Keymap::default(), &[Context::Tags, Context::List], true, false, &[]);
        let lines = help.lines();
        let heads: Vec<Topic> = lines
            .iter()
            .filter_map(|line| if let PaletteLine::Head(topic) = line { Some(*topic) } else { None })
            .collect();
        assert_eq!(heads, [Topic::Row, Topic::Shown, Topic::Registry, Topic::Views, Topic::Moving, Topic::Program]);
        assert_eq!((lines[0], lines.len()), (PaletteLine::Head(Topic::Row), help.found.len() + heads.len()));
        help.key(KeyEvent::new(KeyCode::Char('u'), KeyModifiers::NONE));
        assert!(help.lines().iter().all(|line| matches!(line, PaletteLine::Command(_))));
    }

    #[test]
    fn above_the_first_command_is_what_was_typed_before() {
        let history = ["add redis:7", "gc", "add nginx:1"].map(str::to_owned);
        let mut palette = Palette::new(&Keymap::default(), &[Context::List], false, false, &history);
        let mut press = |code| palette.key(KeyEvent::new(code, KeyModifiers::NONE));
        press(KeyCode::Down);
        press(KeyCode::Up);
        press(KeyCode::Up);
        press(KeyCode::Up);
        assert_eq!(press(KeyCode::Enter), Choice::Command(Command::Gc), "a name means its command again");
        press(KeyCode::Down);
        assert_eq!(press(KeyCode::Enter), Choice::Typed("add nginx:1".into()));
        press(KeyCode::Down);
        assert_eq!((palette.field.value(), palette.found.len()), ("", palette.all.len()), "what was typed is back");
        for letter in "add".chars() {
            palette.key(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::NONE));
        }
        let mut press = |code| palette.key(KeyEvent::new(code, KeyModifiers::NONE));
        press(KeyCode::Up);
        press(KeyCode::Up);
        press(KeyCode::Up);
        assert_eq!(press(KeyCode::Enter), Choice::Typed("add redis:7".into()), "only what begins like this");
    }
}
