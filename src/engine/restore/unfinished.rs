//! A restore that goes on or was cut: what may be done meanwhile, and what not.
//!
//! Until it is finished the catalog is a part of what was published, under a root that nobody asked for. So nothing gives
//! that root out, and nothing changes what is there: the restore itself is what goes on.

use rusqlite::Connection;

use crate::catalog::restoring;
use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::text::printable_within;

impl Engine {
    /// What is said of a restore that is not finished, and how it goes on; nothing where there is none.
    pub fn unfinished_restore(&self) -> Result<Option<String>> {
        let under_way = restoring::load(&*self.catalog.read()?)?;
        Ok(under_way.map(|root| format!("{}. {}", capital(&words(&root)), how_to_go_on(&root))))
    }
}

/// Fails while a restore is not finished.
pub(in crate::engine) fn check_finished(connection: &Connection) -> Result<()> {
    match restoring::load(connection)? {
        None => Ok(()),
        Some(root) => Err(Error::new(Kind::Usage, words(&root))
            .hint(how_to_go_on(&root))
            .hint("To abandon it, delete the data directory, or use another one with `--data-dir`.")),
    }
}

fn words(root: &str) -> String {
    let what = if root.is_empty() { "a registry".to_owned() } else { printable_within(root, 120) };
    format!("the restore of {what} is not finished, so the catalog holds only a part of it")
}

fn how_to_go_on(root: &str) -> String {
    if root.is_empty() {
        return "The same `roadstead restore` continues where it stopped.".to_owned();
    }
    let root = printable_within(root, 120);
    format!("`roadstead restore {root} --from SOURCE` continues where it stopped, from the same source or another one.")
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
