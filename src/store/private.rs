//! Who may read what is kept: the user whose data directory it is, and nobody else of this machine.
//!
//! A umask only takes rights away, so what is made with these modes is open to others at no moment. Blobs alone are 0444:
//! a hard link in an exported tree is the blob's own file, and a web server has to read it there. The directories above
//! them are 0700, so that nobody else gets to them in the store.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

/// Mode of a directory.
pub const DIRECTORY_MODE: u32 = 0o700;
/// Mode of a file.
pub const FILE_MODE: u32 = 0o600;
/// Rights of everybody else.
const OTHERS_MODE: u32 = 0o077;
/// Others may put files there, as in `/tmp`.
const STICKY_MODE: u32 = 0o1000;

/// Makes a directory, and those above it that are missing.
pub fn make_directories(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory)
}

/// Takes the rights of others from what an older version or somebody else has made. Where that is not permitted it stays as
/// it is; a link is not followed.
pub fn tighten(path: &Path) {
    let Ok(found) = path.symlink_metadata() else { return };
    let mode = found.permissions().mode();
    if (found.is_file() || found.is_dir()) && mode & OTHERS_MODE != 0 && mode & STICKY_MODE == 0 {
        drop(fs::set_permissions(path, Permissions::from_mode(mode & DIRECTORY_MODE)));
    }
}

/// The mode of what others have rights to; none if they have no right to it.
pub fn exposed(path: &Path) -> Option<u32> {
    let mode = path.metadata().ok()?.permissions().mode() & 0o7777;
    (mode & OTHERS_MODE != 0).then_some(mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_lose_their_rights_and_the_owner_keeps_what_there_is() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let mode = |name: &str| at(name).symlink_metadata().unwrap().permissions().mode() & 0o7777;
        fs::write(at("file"), "").unwrap();
        fs::set_permissions(at("file"), Permissions::from_mode(0o464)).unwrap();
        std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
        tighten(&at("link"));
        assert_eq!(exposed(&at("file")), Some(0o464));
        tighten(&at("file"));
        assert_eq!((mode("file"), exposed(&at("file"))), (0o400, None));
        fs::create_dir(at("shared")).unwrap();
        fs::set_permissions(at("shared"), Permissions::from_mode(0o1777)).unwrap();
        tighten(&at("shared"));
        assert_eq!(mode("shared"), 0o1777, "a directory that everybody uses is nobody's data directory");
        make_directories(&at("a/b")).unwrap();
        assert_eq!((mode("a"), mode("a/b")), (0o700, 0o700));
    }
}
