//! Whom a catalog follows, in words.

use super::super::cells::age;
use super::{Described, Role, Row, row};
use crate::engine::follow::{Following, report};
use crate::engine::own_node::report::{Fact, Weight};
use crate::text::printable_within;

/// Columns of a name.
const NAME_COLUMNS: usize = 200;

/// A fact as a row, as the command line says it.
pub fn fact(fact: &Fact) -> Row {
    let role = match fact.weight {
        Weight::Plain => Role::Text,
        Weight::Good => Role::Good,
        Weight::Warning => Role::Warning,
        Weight::Dim => Role::Dim,
    };
    row(role, format!("{:<9} {}", fact.label, fact.text))
}

/// Everything about it; `now` is the time of day in seconds since 1970.
pub fn facts(following: &Following, now: i64) -> Vec<Row> {
    report::facts(following, |at| format!("{} ago", age(now - at))).iter().map(fact).collect()
}

pub(super) fn stop(name: &str) -> Described {
    let rows = vec![
        row(Role::Name, printable_within(name, NAME_COLUMNS)),
        row(Role::Text, "The catalog keeps what it holds, and becomes one of its own that can be changed."),
        row(
            Role::Warning,
            "It takes nothing new from this name any more, and no longer gives out what it holds as a follower.",
        ),
    ];
    Described { title: "Stop following?".to_owned(), rows, verb: "stop", destroys: true, nothing: None }
}

pub(super) fn stopped(name: Option<&str>) -> (String, Vec<String>) {
    let words = match name {
        Some(name) => format!("No longer following {}", printable_within(name, NAME_COLUMNS)),
        None => "nothing to do: this catalog follows nothing".to_owned(),
    };
    (words, Vec::new())
}
