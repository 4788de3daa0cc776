//! The data directory as a whole: what of it is the engine's, and who may read it.
//!
//! Everything in it is its user's alone, since images may be private. The directory itself stays open where an exported tree
//! lies in it, which a web server reads; what the engine keeps there is closed by itself.

use std::path::Path;

use super::exported;
use crate::store::private;

/// Files and directories that the catalog and the publications keep there; the store looks after its own.
const KEPT: [&str; 5] = ["catalog.db", "catalog.db-wal", "catalog.db-shm", "lock", "publishing"];

/// Closes what an older version has left open to other users. Where that is not permitted, it stays as it is: `doctor` tells.
pub(super) fn close(directory: &Path) {
    for name in KEPT {
        private::tighten(&directory.join(name));
    }
    // It may be named by a link.
    let Ok(directory) = directory.canonicalize() else { return };
    if private::exposed(&directory).is_some() && !exported::is_among(&directory) {
        private::tighten(&directory);
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn made() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for name in KEPT {
            fs::write(directory.path().join(name), "").unwrap();
            fs::set_permissions(directory.path().join(name), Permissions::from_mode(0o644)).unwrap();
        }
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        directory
    }

    fn open_ones(directory: &Path) -> Vec<&'static str> {
        let mut open: Vec<_> =
            KEPT.into_iter().filter(|name| private::exposed(&directory.join(name)).is_some()).collect();
        open.extend(private::exposed(directory).map(|_| "itself"));
        open
    }

    #[test]
    fn one_of_an_older_version_is_closed_when_it_is_opened() {
        let directory = made();
        assert_eq!(open_ones(directory.path()).len(), KEPT.len() + 1);
        let link = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(directory.path(), link.path().join("data")).unwrap();
        close(&link.path().join("data"));
        assert_eq!(open_ones(directory.path()), [""; 0]);
    }

    #[test]
    fn an_exported_tree_in_it_can_still_be_served() {
        let directory = made();
        fs::create_dir(directory.path().join("www")).unwrap();
        exported::claim(&directory.path().join("www/tree"), false).unwrap();
        close(directory.path());
        assert_eq!(open_ones(directory.path()), [""; 0], "a tree further down is no reason");
        let directory = made();
        exported::claim(&directory.path().join("www"), false).unwrap();
        close(directory.path());
        assert_eq!(open_ones(directory.path()), ["itself"]);
    }
}
