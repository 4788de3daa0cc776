//! The data directory as a whole: what in it is ours, and who may read it.
//!
//! Everything in it is its user's alone, since images may be private. What we keep there is closed one by one; the directory
//! itself too, unless something else lies in it, such as an exported tree that a web server reads.

use std::fs;
use std::path::Path;

use crate::store::private;

/// Files and directories of the catalog and the publications; the store looks after its own.
const PRIVATE_NAMES: [&str; 5] = ["catalog.db", "catalog.db-wal", "catalog.db-shm", "lock", "publishing"];
/// What else is there: the store, and what a file system has by itself.
const OTHER_NAMES: [&str; 4] = ["blobs", "partial", "leases", "lost+found"];
/// How the names of what comes and goes there begin: of the database, of the terminal interface, of trials.
const TRANSIENT_PREFIXES: [&str; 5] = ["catalog.db-", "interface", ".interface-", "roadstead.log", ".roadstead-"];

/// Closes what an older version has left open to other users. Where that is not permitted, it stays as it is: `doctor` tells.
pub(super) fn close(directory: &Path) {
    for name in PRIVATE_NAMES {
        private::tighten(&directory.join(name));
    }
    // It may be named by a link.
    let Ok(directory) = directory.canonicalize() else { return };
    if private::exposed(&directory).is_some() && holds_only_ours(&directory) {
        private::tighten(&directory);
    }
}

fn holds_only_ours(directory: &Path) -> bool {
    let is_ours = |name: &str| {
        PRIVATE_NAMES.contains(&name)
            || OTHER_NAMES.contains(&name)
            || TRANSIENT_PREFIXES.iter().any(|beginning| name.starts_with(beginning))
    };
    let Ok(mut entries) = fs::read_dir(directory) else { return false };
    entries.all(|entry| entry.is_ok_and(|entry| entry.file_name().to_str().is_some_and(is_ours)))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn made() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for name in PRIVATE_NAMES {
            fs::write(directory.path().join(name), "").unwrap();
            fs::set_permissions(directory.path().join(name), Permissions::from_mode(0o644)).unwrap();
        }
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        directory
    }

    fn open_ones(directory: &Path) -> Vec<&'static str> {
        let mut open: Vec<_> =
            PRIVATE_NAMES.into_iter().filter(|name| private::exposed(&directory.join(name)).is_some()).collect();
        open.extend(private::exposed(directory).map(|_| "itself"));
        open
    }

    #[test]
    fn one_of_an_older_version_is_closed_when_it_is_opened() {
        let directory = made();
        assert_eq!(open_ones(directory.path()).len(), PRIVATE_NAMES.len() + 1);
        let link = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(directory.path(), link.path().join("data")).unwrap();
        close(&link.path().join("data"));
        assert_eq!(open_ones(directory.path()), [""; 0]);
    }

    #[test]
    fn one_that_holds_something_else_stays_open_and_what_is_ours_in_it_not() {
        let directory = made();
        fs::create_dir(directory.path().join("www")).unwrap();
        close(directory.path());
        assert_eq!(open_ones(directory.path()), ["itself"]);
    }
}
