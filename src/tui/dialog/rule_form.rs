//! A rule as a form, with what it would take beside it. What is typed is read at each key; lists are asked when typing has
//! rested.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::super::preview::Preview;
use super::super::rule_text::{self, Mistake, Setting};
use super::super::text_field::TextField;
use crate::rules::Rule;

/// An input field of the form.
#[derive(Debug, Clone)]
pub struct Field {
    /// Setting that the field edits.
    pub setting: Setting,
    /// Text as it is typed.
    pub text: TextField,
}

/// Dialog that makes or changes a rule.
#[derive(Debug)]
pub struct RuleForm {
    /// The rule that is changed, as it was; none: a new one.
    pub old: Option<Rule>,
    /// All fields; some are only shown if others say so.
    pub fields: Vec<Field>,
    /// Which of `fields` has the cursor.
    pub focus: usize,
    /// The rule that is typed, or why it is none.
    pub rule: Result<Rule, Mistake>,
    /// What it would take.
    pub preview: Preview,
    /// How far the preview is scrolled.
    pub scroll: u16,
    /// Counts changes, so that a rest is known to be the newest one's.
    pub typing: u64,
    /// It was tried to be saved: what is wrong is shown where it is.
    pub tried: bool,
    /// It is saved as soon as its sources are read.
    pub saving: bool,
    /// Why it could not be saved, in sentences.
    pub refusal: Option<String>,
    taken: Vec<String>,
}

/// What a key means to it.
#[derive(Debug)]
pub enum Choice {
    /// Save the rule.
    Save(Box<Rule>),
    /// The text is another one.
    Changed,
    /// Close without saving.
    Closed,
    /// Keep the dialog open.
    Stay,
}

/// Rows of the preview that a page key scrolls.
const PAGE_ROWS: u16 = 8;

impl RuleForm {
    /// A form for a new rule, or for this one; `taken` are the names of all.
    pub fn new(old: Option<&Rule>, taken: Vec<String>) -> Self {
        let said = old.map(rule_text::said);
        let text = |setting| {
            let found = said.as_ref().and_then(|said| said.iter().find(|(of, _)| *of == setting));
            found.map(|(_, text)| text.clone()).unwrap_or_default()
        };
        let fields: Vec<Field> =
            Setting::ALL.into_iter().map(|setting| Field { setting, text: TextField::new(&text(setting)) }).collect();
        let mut form = Self {
            old: old.cloned(),
            fields,
            focus: 0,
            rule: Err(Mistake { setting: Setting::Image, text: String::new() }),
            preview: Preview::default(),
            scroll: 0,
            typing: 0,
            tried: false,
            saving: false,
            refusal: None,
            taken,
        };
        // Where one begins: what it takes.
        let first = if form.shows(Setting::Image) { Setting::Image } else { Setting::Sources };
        let first = if old.is_some() && first == Setting::Image { Setting::Tags } else { first };
        form.focus = form.fields.iter().position(|field| field.setting == first).unwrap_or(0);
        form.read();
        form
    }

    fn text(&self, setting: Setting) -> &str {
        self.fields.iter().find(|field| field.setting == setting).map_or("", |field| field.text.value().trim())
    }

    /// Whether a field means something with what the others say.
    pub fn shows(&self, setting: Setting) -> bool {
        let (image, sources) = (!self.text(Setting::Image).is_empty(), !self.text(Setting::Sources).is_empty());
        match setting.is_of_image() {
            Some(true) => !sources || image,
            Some(false) => !image || sources,
            None => true,
        }
    }

    /// The fields that are shown.
    pub fn shown(&self) -> impl Iterator<Item = (usize, &Field)> {
        self.fields.iter().enumerate().filter(|(_, field)| self.shows(field.setting))
    }

    /// What is wrong, where it is worth saying: not of a form in which nothing was typed.
    pub fn mistake(&self) -> Option<&Mistake> {
        let mistake = self.rule.as_ref().err()?;
        (self.tried || self.typing > 0).then_some(mistake).filter(|mistake| !mistake.text.is_empty())
    }

    fn read(&mut self) {
        let fields = self.fields.iter().filter(|field| self.shows(field.setting));
        self.rule = rule_text::rule(fields.map(|field| (field.setting, field.text.value())));
        let before = self.old.as_ref().map(|rule| rule.name.as_str());
        if let Ok(rule) = &self.rule
            && before != Some(rule.name.as_str())
            && self.taken.iter().any(|name| name == rule.name.as_str())
        {
            let name = crate::text::printable_within(rule.name.as_str(), 60);
            let text = format!("A rule is already called {name}. Give this one another name.");
            self.rule = Err(Mistake { setting: Setting::Name, text });
        }
    }

    /// The text is another one: what it says is read anew.
    fn changed(&mut self) -> Choice {
        (self.typing, self.scroll) = (self.typing + 1, 0);
        (self.saving, self.refusal) = (false, None);
        self.read();
        Choice::Changed
    }

    /// What a key means.
    pub fn key(&mut self, key: KeyEvent) -> Choice {
        match key.code {
            KeyCode::Esc => return Choice::Closed,
            KeyCode::Tab if key.modifiers.contains(KeyModifiers::SHIFT) => self.step(false),
            KeyCode::Tab | KeyCode::Down => self.step(true),
            KeyCode::BackTab | KeyCode::Up => self.step(false),
            KeyCode::PageDown => self.scroll = self.scroll.saturating_add(PAGE_ROWS),
            KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(PAGE_ROWS),
            KeyCode::Enter => match &self.rule {
                Ok(rule) => return Choice::Save(Box::new(rule.clone())),
                Err(mistake) => {
                    let setting = mistake.setting;
                    self.tried = true;
                    self.focus = self.fields.iter().position(|field| field.setting == setting).unwrap_or(self.focus);
                }
            },
            _ => {
                if let Some(field) = self.fields.get_mut(self.focus)
                    && field.text.key(key)
                {
                    return self.changed();
                }
            }
        }
        Choice::Stay
    }

    /// Text was pasted into the field with the cursor.
    pub fn paste(&mut self, text: &str) {
        if let Some(field) = self.fields.get_mut(self.focus) {
            field.text.insert(text.trim());
            self.changed();
        }
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
