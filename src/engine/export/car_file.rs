//! The file that a CAR is written to: it appears under its name only when it is complete.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::exported::sync_directory;
use crate::error::{Error, Kind, Result};

/// Mode of a file that anybody may read, as far as the umask allows.
const FILE_MODE: u32 = 0o666;
/// Mode of one with private repositories.
const PRIVATE_FILE_MODE: u32 = 0o600;
const PARTIAL_SUFFIX: &str = ".part";

/// A file with a random hidden name beside the one it becomes: never one that somebody else has put there. Locked, so that it
/// is told from what a kill has left; removed if it does not come to a rename.
pub(in crate::engine) struct CarFile {
    file: NamedTempFile,
    target: PathBuf,
}

impl CarFile {
    /// Makes it, and removes those that killed exports to the same target have left.
    pub(in crate::engine) fn beside(target: &Path, private: bool) -> Result<Self> {
        let name = target
            .file_name()
            .ok_or_else(|| Error::new(Kind::Usage, format!("{} is not the name of a file", target.display())))?;
        let mut prefix = OsString::from(".");
        prefix.push(name);
        prefix.push(".");
        let directory = directory_of(target);
        sweep(directory, &prefix);
        let mode = if private { PRIVATE_FILE_MODE } else { FILE_MODE };
        let file = tempfile::Builder::new()
            .prefix(&prefix)
            .suffix(PARTIAL_SUFFIX)
            .permissions(Permissions::from_mode(mode))
            .tempfile_in(directory)?;
        // A file system without locks only means that what a kill leaves may be removed too early or not at all.
        let _ = file.as_file().try_lock();
        Ok(Self { file, target: target.to_owned() })
    }

    /// Gives it its name, once its bytes are on the disk.
    pub(in crate::engine) fn finish(self) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file.persist(&self.target)?;
        sync_directory(directory_of(&self.target))
    }
}

impl Write for CarFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn directory_of(target: &Path) -> &Path {
    target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Removes the unfinished files of this prefix that nobody has locked. Best effort: they are only in the way of room.
fn sweep(directory: &Path, prefix: &OsStr) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let middle = name.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes());
        let middle = middle.and_then(|rest| rest.strip_suffix(PARTIAL_SUFFIX.as_bytes()));
        let ours = middle.is_some_and(|middle| !middle.is_empty() && middle.iter().all(u8::is_ascii_alphanumeric));
        if ours && entry.file_type().is_ok_and(|kind| kind.is_file()) && is_free(&entry.path()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether nobody has a file locked. Opening it waits for nobody, whatever it has become.
fn is_free(path: &Path) -> bool {
    let flags = (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits();
    let opened = OpenOptions::new().read(true).custom_flags(flags as i32).open(path);
    opened.is_ok_and(|file: File| file.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_kill_left_goes_and_what_another_writes_stays() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("tree.car");
        let count = || fs::read_dir(directory.path()).unwrap().count();
        for left in [".tree.car.4711.part", ".tree.car.aB3xYz.part"] {
            fs::write(directory.path().join(left), "x").unwrap();
        }
        fs::write(directory.path().join(".tree.car.notes.txt"), "mine").unwrap();
        let first = CarFile::beside(&target, false).unwrap();
        assert_eq!(count(), 2);
        let mut second = CarFile::beside(&target, true).unwrap();
        assert_eq!(count(), 3, "the first one is being written");
        second.write_all(b"car").unwrap();
        second.finish().unwrap();
        assert_eq!(target.metadata().unwrap().permissions().mode() & 0o777, PRIVATE_FILE_MODE);
        drop(first);
        assert_eq!((fs::read(&target).unwrap(), count()), (b"car".to_vec(), 2));
    }

    #[test]
    fn a_link_that_somebody_has_put_there_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let (target, precious) = (directory.path().join("tree.car"), directory.path().join("precious"));
        fs::write(&precious, "precious").unwrap();
        // Where an older version would have written.
        let guessed = directory.path().join(format!(".tree.car.{}.part", std::process::id()));
        std::os::unix::fs::symlink(&precious, &guessed).unwrap();
        std::os::unix::fs::symlink(&precious, &target).unwrap();
        let mut file = CarFile::beside(&target, false).unwrap();
        file.write_all(b"car").unwrap();
        file.finish().unwrap();
        assert_eq!(fs::read(&precious).unwrap(), b"precious");
        assert!(target.symlink_metadata().unwrap().is_file());
    }
}
