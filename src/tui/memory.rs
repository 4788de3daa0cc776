//! What the interface remembers, in `interface.json` of the data directory: beside the catalog, not in it.
//!
//! Remembering is a courtesy: where it can't be done, nothing else fails. Two interfaces share the file, so each change is
//! made to what the file says then.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::remembered::{Memorable, Remembered};

const FILE: &str = "interface.json";
/// The most that is read of it.
const MAX_FILE_BYTES: u64 = 1 << 20;

#[derive(Debug)]
pub(super) struct Memory {
    path: PathBuf,
    read_only: bool,
}

impl Memory {
    /// Of this data directory.
    pub(super) fn of(data_dir: &Path, read_only: bool) -> Self {
        Self { path: data_dir.join(FILE), read_only }
    }

    /// What is remembered; nothing where the file is not there or is not one of ours.
    pub(super) fn read(&self) -> Remembered {
        let Ok(file) = File::open(&self.path) else { return Remembered::default() };
        let mut text = String::new();
        match file.take(MAX_FILE_BYTES).read_to_string(&mut text) {
            Ok(_) => serde_json::from_str::<Remembered>(&text).unwrap_or_default().sound(),
            Err(_) => Remembered::default(),
        }
    }

    pub(super) fn keep(&self, what: &Memorable) {
        if self.read_only {
            return;
        }
        let mut remembered = self.read();
        let before = remembered.clone();
        remembered.take(what);
        if remembered != before
            && let Err(error) = self.write(&remembered)
        {
            tracing::debug!("can't save to {}: {error}", self.path.display());
        }
    }

    /// In one piece: who reads meanwhile reads the old file.
    fn write(&self, remembered: &Remembered) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(remembered)?;
        let mut file = NamedTempFile::with_prefix_in(".interface-", self.path.parent().unwrap_or(Path::new(".")))?;
        file.write_all(&text)?;
        file.persist(&self.path)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::remembered::Orders;
    use super::*;
    use crate::engine::query::browse::{ImageOrder, RepositoryOrder};

    fn typed(text: &str) -> Memorable {
        Memorable::Typed(text.to_owned())
    }

    #[test]
    fn two_interfaces_remember_what_both_were_told() {
        let directory = tempfile::tempdir().unwrap();
        let (first, second) = (Memory::of(directory.path(), false), Memory::of(directory.path(), false));
        first.keep(&typed("add a:1"));
        second.keep(&typed("add b:1"));
        let orders = Orders::new((RepositoryOrder::Size, true), (ImageOrder::Tag, false));
        first.keep(&Memorable::Orders(orders.clone()));
        assert_eq!(second.read().typed(), ["add a:1", "add b:1"]);
        assert_eq!(*second.read().orders(), orders);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing else is left behind");
    }

    #[test]
    fn what_is_in_the_file_is_not_trusted() {
        let directory = tempfile::tempdir().unwrap();
        let memory = Memory::of(directory.path(), false);
        for text in ["", "[]", "{\"typed\":7}", "\u{0}"] {
            fs::write(&memory.path, text).unwrap();
            assert_eq!(memory.read(), Remembered::default(), "{text:?}");
        }
        fs::write(&memory.path, r#"{"typed":["add \u001b]52;c;AAAA\u0007","add a:1"],"more":1}"#).unwrap();
        assert_eq!(memory.read().typed(), ["add a:1"]);
    }

    #[test]
    fn where_nothing_can_be_written_nothing_fails() {
        let directory = tempfile::tempdir().unwrap();
        let memory = Memory::of(&directory.path().join("gone"), false);
        memory.keep(&typed("add a:1"));
        assert_eq!(memory.read(), Remembered::default());
        let memory = Memory::of(directory.path(), true);
        memory.keep(&typed("add a:1"));
        assert!(!memory.path.exists(), "it was told to write nothing");
    }
}
