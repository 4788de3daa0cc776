//! What the interface knows from one start to the next: what was typed into the palette, how lists were sorted, how it was served.
//!
//! Values only; `memory` keeps them in a file. What comes out of a file is not trusted: what makes no sense is left
//! out, and nothing that could steer a terminal comes in.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::columns::{self, Column, REPOSITORIES, TAGS};
use crate::engine::query::browse::{ImageOrder, RepositoryOrder};

/// How many lines are remembered.
const MAX_LINES: usize = 200;
/// The longest line that is remembered, in bytes.
const MAX_LINE_BYTES: usize = 1 << 10;
/// Folded registries that are remembered.
const MAX_FOLDED: usize = 1000;
/// Flags that are remembered.
const MAX_FLAGS: usize = 50;

/// Content of `interface.json`: what outlives the interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Remembered {
    /// Lines of the palette, newest last.
    typed: Vec<String>,
    /// How lists are sorted.
    orders: Orders,
    /// How repositories are put.
    grouping: Grouping,
    /// How the registry was served last, by flags.
    serve: BTreeMap<String, String>,
    /// What following needs besides what the catalog says of it, by flags.
    follow: BTreeMap<String, String>,
}

/// Whether repositories stand under their registries, and which of these are folded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Grouping {
    by_registry: bool,
    folded: BTreeSet<String>,
}

/// How lists are sorted, in words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Orders {
    repositories: Sorting,
    tags: Sorting,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Sorting {
    by: String,
    descending: bool,
}

/// A change to what [`Remembered`] holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Memorable {
    /// A line of the palette that was carried out.
    Typed(String),
    /// Lists are sorted like this.
    Orders(Orders),
    /// Repositories are put like this.
    Grouping(Grouping),
    /// The registry is served like this.
    Serve(BTreeMap<String, String>),
    /// Following needs this besides what the catalog says of it.
    Follow(BTreeMap<String, String>),
}

fn is_sound(line: &str) -> bool {
    !line.trim().is_empty() && line.len() <= MAX_LINE_BYTES && !line.contains(char::is_control)
}

impl Remembered {
    /// What of it makes sense.
    #[must_use]
    pub fn sound(mut self) -> Self {
        self.typed.retain(|line| is_sound(line));
        self.typed.drain(..self.typed.len().saturating_sub(MAX_LINES));
        self.grouping = self.grouping.sound();
        for flags in [&mut self.serve, &mut self.follow] {
            flags.retain(|flag, value| is_sound(flag) && is_sound(value));
            if flags.len() > MAX_FLAGS {
                flags.clear();
            }
        }
        self
    }

    /// Lines of the palette, newest last.
    pub fn typed(&self) -> &[String] {
        &self.typed
    }

    /// How lists are sorted.
    pub fn orders(&self) -> &Orders {
        &self.orders
    }

    /// How repositories are put.
    pub fn grouping(&self) -> &Grouping {
        &self.grouping
    }

    /// How the registry was served last, by flags.
    pub fn serve(&self) -> &BTreeMap<String, String> {
        &self.serve
    }

    /// What following needs besides what the catalog says of it, by flags.
    pub fn follow(&self) -> &BTreeMap<String, String> {
        &self.follow
    }

    /// Applies one change; unsound lines are left out.
    pub fn take(&mut self, what: &Memorable) {
        match what {
            Memorable::Typed(line) if is_sound(line) => {
                // What is typed once more moves to the end.
                self.typed.retain(|known| known != line);
                self.typed.push(line.clone());
                self.typed.drain(..self.typed.len().saturating_sub(MAX_LINES));
            }
            Memorable::Typed(_) => {}
            Memorable::Orders(orders) => self.orders = orders.clone(),
            Memorable::Grouping(grouping) => self.grouping = grouping.clone().sound(),
            Memorable::Serve(values) => self.serve = sound(values),
            Memorable::Follow(values) => self.follow = sound(values),
        }
    }
}

/// Flags and values that can be remembered.
fn sound(values: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let sound = values.iter().filter(|(flag, value)| is_sound(flag) && is_sound(value));
    sound.take(MAX_FLAGS).map(|(flag, value)| (flag.clone(), value.clone())).collect()
}

impl Grouping {
    /// As a tree or as one list; these registries are folded.
    pub fn new(by_registry: bool, folded: BTreeSet<String>) -> Self {
        Self { by_registry, folded }.sound()
    }

    /// Names that can be a registry's; the empty one stands for what came from files.
    fn sound(mut self) -> Self {
        self.folded.retain(|name| name.is_empty() || is_sound(name));
        if self.folded.len() > MAX_FOLDED {
            self.folded.clear();
        }
        self
    }

    /// Whether repositories stand under their registries.
    pub fn is_tree(&self) -> bool {
        self.by_registry
    }

    /// Names of the registries that are folded.
    pub fn folded(&self) -> &BTreeSet<String> {
        &self.folded
    }
}

impl Orders {
    /// These; the other way around where it says so.
    pub fn new(repositories: (RepositoryOrder, bool), tags: (ImageOrder, bool)) -> Self {
        Self { repositories: written(&REPOSITORIES, repositories), tags: written(&TAGS, tags) }
    }

    /// Order of the list of repositories, and whether it is turned around.
    pub fn repositories(&self) -> (RepositoryOrder, bool) {
        read(&REPOSITORIES, &self.repositories)
    }

    /// Order of a repository's tags, and whether it is turned around.
    pub fn tags(&self) -> (ImageOrder, bool) {
        read(&TAGS, &self.tags)
    }
}

fn written<Cells, Order: PartialEq>(columns: &[Column<Cells, Order>], (order, descending): (Order, bool)) -> Sorting {
    Sorting { by: columns::id_of(columns, &order).to_owned(), descending }
}

/// The usual order where the name is none.
fn read<Cells, Order: Copy + Default>(columns: &[Column<Cells, Order>], sorting: &Sorting) -> (Order, bool) {
    let order = columns::order_of(columns, &sorting.by);
    order.map_or((Order::default(), false), |order| (order, sorting.descending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_stay_each_once_and_none_that_could_do_harm() {
        let mut remembered = Remembered::default();
        for number in 0..MAX_LINES + 5 {
            remembered.take(&Memorable::Typed(format!("add nginx:{number}")));
        }
        for line in ["add nginx:7", "", "  ", "add \u{1b}[31mred", "add a\nquit"] {
            remembered.take(&Memorable::Typed(line.to_owned()));
        }
        remembered.take(&Memorable::Typed("x".repeat(MAX_LINE_BYTES + 1)));
        assert_eq!(remembered.typed().len(), MAX_LINES);
        assert_eq!(remembered.typed().last().unwrap(), "add nginx:7");
        assert_eq!(remembered.typed()[0], "add nginx:5");
    }

    #[test]
    fn folded_registries_come_back_but_none_that_could_do_harm() {
        let text = r#"{"grouping":{"by_registry":true,"folded":["ghcr.io","a\u001b[31m",""]}}"#;
        let remembered = serde_json::from_str::<Remembered>(text).unwrap().sound();
        assert!(remembered.grouping().is_tree());
        assert_eq!(*remembered.grouping().folded(), ["", "ghcr.io"].map(str::to_owned).into());
        assert!(!Remembered::default().grouping().is_tree());
    }

    #[test]
    fn orders_come_back_and_unknown_ones_are_the_usual_ones() {
        let orders = Orders::new((RepositoryOrder::Size, true), (ImageOrder::Added, false));
        assert_eq!((orders.repositories(), orders.tags()), ((RepositoryOrder::Size, true), (ImageOrder::Added, false)));
        let strange: Orders = serde_json::from_str(r#"{"tags":{"by":"colour","descending":true}}"#).unwrap();
        assert_eq!(
            (strange.repositories(), strange.tags()),
            ((RepositoryOrder::Name, false), (ImageOrder::Tag, false))
        );
    }
}
