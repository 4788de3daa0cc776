//! Marked rows of a list: by name, each with its bytes, so that the footer can say how much a command is about.

use std::collections::{BTreeMap, BTreeSet};

/// Names of marked rows, with their bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    marked: BTreeMap<String, u64>,
}

impl Marks {
    /// How many rows are marked.
    pub fn len(&self) -> usize {
        self.marked.len()
    }

    /// Whether no row is marked.
    pub fn is_empty(&self) -> bool {
        self.marked.is_empty()
    }

    /// Logical bytes of all marked rows.
    pub fn bytes(&self) -> u64 {
        self.marked.values().fold(0, |sum, bytes| sum.saturating_add(*bytes))
    }

    /// Whether this row is.
    pub fn contains(&self, name: &str) -> bool {
        self.marked.contains_key(name)
    }

    /// Names of the marked rows, sorted.
    pub fn names(&self) -> Vec<String> {
        self.marked.keys().cloned().collect()
    }

    /// Marks a row, or no longer.
    pub fn toggle(&mut self, name: String, bytes: u64) {
        if self.marked.remove(&name).is_none() {
            self.marked.insert(name, bytes);
        }
    }

    /// Marks these rows in addition: name and bytes.
    pub fn add(&mut self, rows: Vec<(String, u64)>) {
        self.marked.extend(rows);
    }

    /// Marks all of these, or none of them if all are.
    pub fn toggle_all(&mut self, rows: Vec<(String, u64)>) {
        if rows.iter().all(|(name, _)| self.contains(name)) {
            let unmarked: BTreeSet<&String> = rows.iter().map(|(name, _)| name).collect();
            self.marked.retain(|name, _| !unmarked.contains(name));
        } else {
            self.marked.extend(rows);
        }
    }

    /// No row is marked any more.
    pub fn clear(&mut self) {
        self.marked.clear();
    }
}
