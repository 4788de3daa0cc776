//! A file's values with their places, and maps whose keys are taken one by one, so that what is left can be named.

use super::report::Report;
use crate::rules::yaml::{Node, Value};

/// A value, and where it is.
#[derive(Debug, Clone)]
pub(super) struct Item<'n> {
    pub(super) path: String,
    pub(super) node: &'n Node,
}

/// The keys of a map that nobody took yet.
#[derive(Debug)]
pub(super) struct Fields<'n> {
    path: String,
    rest: Vec<(&'n str, &'n Node)>,
}

/// A text, and where it is.
#[derive(Debug, Clone)]
pub(super) struct Text<'n> {
    pub(super) path: String,
    pub(super) text: &'n str,
}

impl<'n> Item<'n> {
    pub(super) fn new(path: String, node: &'n Node) -> Self {
        Self { path, node }
    }

    /// The keys of a map; anything else is named.
    pub(super) fn fields(&self, report: &mut Report) -> Fields<'n> {
        if !self.node.is_map() {
            report.left(&self.path, "it is no map");
        }
        let rest = self.node.entries().iter().map(|(key, node)| (key.as_str(), node)).collect();
        Fields { path: self.path.clone(), rest }
    }

    /// The items of a list; anything else is named.
    pub(super) fn items(&self, report: &mut Report) -> Vec<Item<'n>> {
        if !matches!(self.node.value, Value::List(_)) {
            report.left(&self.path, "it is no list");
        }
        let items = self.node.items().iter().enumerate();
        items.map(|(number, node)| Item { path: format!("{}[{number}]", self.path), node }).collect()
    }

    /// A text; anything else is named.
    pub(super) fn text(&self, report: &mut Report) -> Option<Text<'n>> {
        match self.node.text() {
            Some(text) => Some(Text { path: self.path.clone(), text: text.trim() }),
            None => {
                report.left(&self.path, if self.node.value == Value::Null { "it is empty" } else { "it is no text" });
                None
            }
        }
    }

    /// The texts of a list, or the one that is there instead of a list.
    pub(super) fn texts(&self, report: &mut Report) -> Vec<Text<'n>> {
        match self.node.value {
            Value::List(_) => self.items(report).iter().filter_map(|item| item.text(report)).collect(),
            _ => self.text(report).into_iter().collect(),
        }
    }
}

impl<'n> Item<'n> {
    /// The same where what is left out would make a rule take more: nothing at all unless everything is a text. What is empty
    /// says nothing.
    pub(super) fn only_texts(&self, report: &mut Report) -> Option<Vec<Text<'n>>> {
        let texts = self.texts(report);
        match &self.node.value {
            Value::Null => Some(texts),
            Value::List(items) if texts.len() == items.len() => Some(texts),
            Value::List(_) => {
                for text in texts {
                    report.left(&text.path, "it is left out with the rest of its list");
                }
                None
            }
            Value::Scalar(_) | Value::Map(_) => (!texts.is_empty()).then_some(texts),
        }
    }

    /// Whether it is a map, or nothing.
    pub(super) fn is_map_or_nothing(&self) -> bool {
        self.node.is_map() || self.node.value == Value::Null
    }
}

impl<'n> Fields<'n> {
    /// Takes a key.
    pub(super) fn take(&mut self, key: &str) -> Option<Item<'n>> {
        let place = self.rest.iter().position(|(known, _)| *known == key)?;
        let (_, node) = self.rest.remove(place);
        Some(Item { path: self.path_of(key), node })
    }

    /// Takes a key, however its letters are written.
    pub(super) fn take_any_case(&mut self, key: &str) -> Option<Item<'n>> {
        let place = self.rest.iter().position(|(known, _)| known.eq_ignore_ascii_case(key))?;
        let (written, node) = self.rest.remove(place);
        Some(Item { path: self.path_of(written), node })
    }

    /// Takes the text of a key.
    pub(super) fn text(&mut self, key: &str, report: &mut Report) -> Option<Text<'n>> {
        self.take(key)?.text(report)
    }

    /// Takes all that is left.
    pub(super) fn drain(&mut self) -> Vec<(&'n str, Item<'n>)> {
        let rest = std::mem::take(&mut self.rest);
        rest.into_iter().map(|(key, node)| (key, Item { path: self.path_of(key), node })).collect()
    }

    /// Names what nobody took.
    pub(super) fn finish(mut self, report: &mut Report) {
        for (_, item) in self.drain() {
            report.unknown(&item.path, item.node);
        }
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}
