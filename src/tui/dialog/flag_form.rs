//! The flags of a verb as a form: a field each, shown where it means something, and the command line that comes of them.
//!
//! What a value may be is decided by whoever takes the words; this only knows which words they are.

use std::collections::BTreeMap;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::super::problem::Problem;
use super::super::text_field::TextField;

/// What can be said in a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A value of the flag.
    Text,
    /// Values with spaces between them: the flag is repeated.
    List,
    /// One of these words, of which the first one is usual.
    Choice(&'static [&'static str]),
}

/// A field of a form.
#[derive(Debug, PartialEq, Eq)]
pub struct Spec {
    /// The flag that says it, in whose words mistakes are told; an argument without a flag in capitals.
    pub flag: &'static str,
    /// What the field is called.
    pub label: &'static str,
    /// What belongs into it.
    pub hint: &'static str,
    /// What it means while it is empty.
    pub otherwise: &'static str,
    /// What can be said.
    pub input: Input,
    /// Fields, by their flags, that have to say `yes` for it to mean something.
    pub needs: &'static [&'static str],
}

/// What a form is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// How the registry is served.
    Serve,
    /// Whom the catalog follows, and how.
    Follow,
}

/// What fields say, by their flags; what is empty is not there.
pub type Values = BTreeMap<String, String>;

/// A field and what is in it.
#[derive(Debug)]
pub struct Field {
    /// Which field it is.
    pub spec: &'static Spec,
    /// What is in it.
    pub text: TextField,
}

/// A verb, field by field.
#[derive(Debug)]
pub struct FlagForm {
    /// What it is about.
    pub subject: Subject,
    /// All fields; some are only shown if others say so.
    pub fields: Vec<Field>,
    /// Which of `fields` has the cursor.
    pub focus: usize,
    /// In which field something is wrong, and what, until something is typed.
    pub mistake: Option<(usize, String)>,
    /// Fields that can't be changed are not shown.
    fixed: Vec<&'static str>,
}

/// What a key means to it.
#[derive(Debug, PartialEq, Eq)]
pub enum Choice {
    /// Do it.
    Done,
    /// Close without doing anything.
    Closed,
    /// Keep the dialog open.
    Stay,
}

impl FlagForm {
    /// A form that says this at first. What is `fixed` is not shown.
    pub fn new(subject: Subject, values: &Values, fixed: &[&'static str]) -> Self {
        let specs: &'static [Spec] = match subject {
            Subject::Serve => super::serve_fields::FIELDS,
            Subject::Follow => super::follow_fields::FIELDS,
        };
        let field = |spec: &'static Spec| {
            let given = values.get(spec.flag).map(String::as_str);
            let text = match spec.input {
                Input::Choice(words) => given.filter(|given| words.contains(given)).unwrap_or(words[0]),
                Input::Text | Input::List => given.unwrap_or_default(),
            };
            Field { spec, text: TextField::new(text) }
        };
        let mut form =
            Self { subject, fields: specs.iter().map(field).collect(), focus: 0, mistake: None, fixed: fixed.to_vec() };
        let first = form.shown().next().map(|(place, _)| place);
        form.focus = first.unwrap_or(0);
        form
    }

    /// What a field says: nothing where it is not shown.
    pub fn value(&self, flag: &str) -> &str {
        let field = self.fields.iter().find(|field| field.spec.flag == flag);
        field.filter(|field| self.means(field.spec)).map_or("", |field| field.text.value().trim())
    }

    /// All that the fields say, for the next time: also what is not shown.
    pub fn values(&self) -> Values {
        let said = self.fields.iter().map(|field| (field.spec.flag.to_owned(), field.text.value().trim().to_owned()));
        said.filter(|(_, value)| !value.is_empty()).collect()
    }

    /// Whether a field means something with what the others say.
    fn means(&self, spec: &Spec) -> bool {
        spec.needs.iter().all(|needed| self.value(needed) == "yes")
    }

    /// The fields that are shown.
    pub fn shown(&self) -> impl Iterator<Item = (usize, &Field)> {
        let shows = |field: &Field| self.means(field.spec) && !self.fixed.contains(&field.spec.flag);
        self.fields.iter().enumerate().filter(move |(_, field)| shows(field))
    }

    /// The words that follow the verb.
    pub fn words(&self) -> Vec<String> {
        match self.subject {
            Subject::Serve => super::serve_fields::words(self),
            Subject::Follow => super::follow_fields::words(self),
        }
    }

    /// The same as it is typed into a shell.
    pub fn command_line(&self) -> String {
        let verb = match self.subject {
            Subject::Serve => "serve",
            Subject::Follow => "follow",
        };
        format!("roadstead {verb} {}", shell_words::join(self.words())).trim_end().to_owned()
    }

    /// A flag with its value, if the field has one; a list repeats it.
    pub(super) fn flagged(&self, flag: &str) -> Vec<String> {
        let value = self.value(flag);
        let is_list = self.fields.iter().any(|field| field.spec.flag == flag && field.spec.input == Input::List);
        let values: Vec<&str> = if is_list { value.split_whitespace().collect() } else { vec![value] };
        let some = values.into_iter().filter(|value| !value.is_empty());
        some.flat_map(|value| [flag.to_owned(), value.to_owned()]).collect()
    }

    /// What a key means.
    pub fn key(&mut self, key: KeyEvent) -> Choice {
        match key.code {
            KeyCode::Esc => return Choice::Closed,
            KeyCode::Enter => return Choice::Done,
            KeyCode::Tab if key.modifiers.contains(KeyModifiers::SHIFT) => self.step(false),
            KeyCode::Tab | KeyCode::Down => self.step(true),
            KeyCode::BackTab | KeyCode::Up => self.step(false),
            _ => {
                let Some(field) = self.fields.get_mut(self.focus) else { return Choice::Stay };
                let changed = match field.spec.input {
                    Input::Choice(words) => choose(&mut field.text, words, key),
                    Input::Text | Input::List => field.text.key(key),
                };
                if changed {
                    self.mistake = None;
                }
            }
        }
        Choice::Stay
    }

    /// Text was pasted into the field with the cursor.
    pub fn paste(&mut self, text: &str) {
        if let Some(field) = self.fields.get_mut(self.focus)
            && !matches!(field.spec.input, Input::Choice(_))
        {
            field.text.insert(text.trim());
            self.mistake = None;
        }
    }

    /// A field has to say something: it gets the cursor.
    pub fn require(&mut self, flag: &str) {
        if let Some(place) = self.fields.iter().position(|field| field.spec.flag == flag) {
            self.focus = place;
            self.mistake = Some((place, format!("Required: {}", self.fields[place].spec.hint)));
        }
    }

    /// It could not be done: the field that the reason is about gets the cursor.
    pub fn refuse(&mut self, problem: &Problem) {
        let shown: Vec<usize> = self.shown().map(|(place, _)| place).collect();
        let find = |names: &dyn Fn(&Field) -> bool| shown.iter().copied().find(|place| names(&self.fields[*place]));
        let text = problem.sentences();
        // Whole flags: `--swarm` is the beginning of others.
        let flagged = |field: &Field| {
            let mut after = text.split(field.spec.flag).skip(1);
            after.any(|rest| !rest.starts_with(|next: char| next == '-' || next.is_alphanumeric()))
        };
        let named = |field: &Field| {
            let is_text = !matches!(field.spec.input, Input::Choice(_));
            is_text && field.text.value().split_whitespace().any(|word| text.contains(word))
        };
        let place = find(&flagged).or_else(|| find(&named)).unwrap_or(self.focus);
        self.focus = place;
        let text = match self.fields.get(place) {
            Some(field) => {
                let told = text.replace(&format!("`{}`", field.spec.flag), field.spec.label);
                let mut letters = told.chars();
                let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
                format!("{first}{}", letters.as_str())
            }
            None => text,
        };
        self.mistake = Some((place, text));
    }

    fn step(&mut self, forward: bool) {
        let shown: Vec<usize> = self.shown().map(|(place, _)| place).collect();
        let here = shown.iter().position(|place| *place == self.focus).unwrap_or(0);
        let next = if forward { here + 1 } else { here + shown.len().saturating_sub(1) };
        if let Some(place) = shown.get(next % shown.len().max(1)) {
            self.focus = *place;
        }
    }
}

/// Space, an arrow or a first letter choose another word; whether one did.
fn choose(text: &mut TextField, words: &'static [&'static str], key: KeyEvent) -> bool {
    let here = words.iter().position(|word| *word == text.value()).unwrap_or(0);
    let next = match key.code {
        KeyCode::Char(' ') | KeyCode::Right => Some(words[(here + 1) % words.len()]),
        KeyCode::Left => Some(words[(here + words.len() - 1) % words.len()]),
        KeyCode::Char(letter) if key.modifiers.is_empty() => {
            words.iter().copied().find(|word| word.starts_with(letter))
        }
        _ => None,
    };
    let Some(next) = next else { return false };
    *text = TextField::new(next);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn press(form: &mut FlagForm, code: KeyCode) -> Choice {
        form.key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    fn fill(form: &mut FlagForm, flag: &str, text: &str) {
        form.focus = form.fields.iter().position(|field| field.spec.flag == flag).unwrap();
        for letter in text.chars() {
            press(form, KeyCode::Char(letter));
        }
    }

    #[test]
    fn fields_are_shown_where_they_mean_something() {
        let mut form = FlagForm::new(Subject::Serve, &Values::new(), &[]);
        let count = |form: &FlagForm| form.shown().count();
        let without = count(&form);
        fill(&mut form, "--ipfs", " ");
        assert!(count(&form) > without + 3);
        fill(&mut form, "--router", "https://r.example.com https://s.example.com");
        fill(&mut form, "--swarm-upload", "3");
        assert!(
            form.command_line()
                .ends_with("--ipfs --swarm-upload 3 --router 'https://r.example.com' --router 'https://s.example.com'")
                || form.command_line().ends_with("--router https://r.example.com --router https://s.example.com"),
            "{}",
            form.command_line()
        );
        fill(&mut form, "SWARM", "n");
        assert!(form.command_line().contains(" --no-swarm") && !form.command_line().contains("upload"));
        fill(&mut form, "--ipfs", "n");
        assert_eq!(form.command_line(), "roadstead serve");
        // What was typed is there again.
        let again = FlagForm::new(Subject::Serve, &form.values(), &[]);
        assert_eq!(again.values(), form.values());
    }

    #[test]
    fn a_mistake_is_told_where_it_was_made() {
        let values = [("--ipfs", "yes"), ("--swarm-peer", "x"), ("--swarm", "y")];
        let values = values.map(|(flag, value)| (flag.to_owned(), value.to_owned())).into();
        let mut form = FlagForm::new(Subject::Serve, &values, &[]);
        let problem = |message: &str| Problem { message: message.into(), hints: Vec::new(), kind: Kind::Usage };
        form.refuse(&problem("invalid value `x` for `--swarm-peer`"));
        assert_eq!(form.fields[form.focus].spec.flag, "--swarm-peer");
        assert_eq!(form.mistake.as_ref().unwrap().1, "Invalid value `x` for Swarm peers");
        press(&mut form, KeyCode::Char('a'));
        assert!(form.mistake.is_none());
    }
}
