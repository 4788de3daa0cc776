//! Where an export goes: never touches anything that is not an export, and turns a former one into the new one.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use tempfile::NamedTempFile;

use crate::error::{Context as _, Error, Kind, Result};
use crate::text::printable_within;

/// Marks a directory as an export. Hidden, so that `ipfs add -r` leaves it out and the root stays exactly ours.
const MARK_FILE: &str = ".roadstead-export";

/// What a web server reads as another user, whatever the umask was.
const DIRECTORY_MODE: u32 = 0o755;
const FILE_MODE: u32 = 0o644;
/// A new directory that gets private repositories: its owner decides who else may enter it.
const PRIVATE_DIRECTORY_MODE: u32 = 0o700;

/// Makes the directory ours: it is new, empty, or a former export. A new one that gets private repositories is its owner's.
pub(in crate::engine) fn claim(target: &Path, private: bool) -> Result<()> {
    match new_directory(target, if private { PRIVATE_DIRECTORY_MODE } else { DIRECTORY_MODE }) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let mut entries = fs::read_dir(target).context(|| format!("can't export to {}", target.display()))?;
            let empty = entries.next().is_none();
            let marked = fs::symlink_metadata(target.join(MARK_FILE)).is_ok_and(|mark| mark.is_file());
            if !empty && !marked {
                return Err(Error::new(
                    Kind::Usage,
                    format!("{} is not empty, and not a previous export", target.display()),
                )
                .hint("Choose a new directory; nothing in this one was touched."));
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(Error::new(
                Kind::Usage,
                format!("can't create {}: its parent directory does not exist", target.display()),
            ));
        }
        Err(error) => return Err(Error::from(error).context(format!("can't make {}", target.display()))),
    }
    mark(target, "not complete\n").context(|| format!("can't export to {}", target.display()))
}

fn new_directory(path: &Path, mode: u32) -> io::Result<()> {
    DirBuilder::new().mode(mode).create(path)?;
    // Not every file system has modes.
    drop(fs::set_permissions(path, Permissions::from_mode(mode)));
    Ok(())
}

/// Writes the mark under a random name and renames it: what has its name is replaced, never followed or written into.
fn mark(target: &Path, text: &str) -> io::Result<()> {
    let mut new = NamedTempFile::with_prefix_in(format!("{MARK_FILE}."), target)?;
    new.write_all(text.as_bytes())?;
    drop(new.as_file().set_permissions(Permissions::from_mode(FILE_MODE)));
    new.as_file().sync_all()?;
    new.persist(target.join(MARK_FILE))?;
    sync_directory(target)
}

/// Makes what happened to the names in a directory durable, where the file system can.
pub(in crate::engine) fn sync_directory(directory: &Path) -> io::Result<()> {
    match crate::input::open(directory)?.sync_all() {
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        synced => synced,
    }
}

/// Brings everything below the target to the disk: one call for all of its files and directories.
#[cfg(target_os = "linux")]
fn sync_all(target: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(crate::input::open(target)?)?)
}

/// Brings everything below the target to the disk: one call for all of its files and directories.
#[cfg(not(target_os = "linux"))]
fn sync_all(_: &Path) -> io::Result<()> {
    rustix::fs::sync();
    Ok(())
}

/// The root that a complete export is marked with; none if it is not complete, or no export.
pub(in crate::engine) fn root_of(target: &Path) -> Result<Option<cid::Cid>> {
    use std::io::Read as _;
    let Ok(file) = crate::input::open_regular(&target.join(MARK_FILE)) else { return Ok(None) };
    let mut text = String::new();
    file.take(200).read_to_string(&mut text).context(|| format!("can't read {}", target.join(MARK_FILE).display()))?;
    Ok(text.trim().parse().ok())
}

/// Says that the export is complete, once all of it is on the disk: after a power cut, too, the mark tells the truth.
pub(in crate::engine) fn finish(target: &Path, root: &str) -> Result<()> {
    let words = || format!("can't export to {}", target.display());
    sync_all(target).context(words)?;
    mark(target, &format!("{root}\n")).context(words)
}

/// Refuses names of one directory that its file system takes for one: `Latest` and `latest` on one that doesn't tell case.
pub(in crate::engine) fn check_case(directory: &Path, names: &[&str]) -> Result<()> {
    check_told(directory, names, || tells_case(directory))
}

fn check_told(directory: &Path, names: &[&str], tells_case: impl FnOnce() -> io::Result<bool>) -> Result<()> {
    let mut folded: HashMap<String, &str> = HashMap::new();
    let pair = names.iter().find_map(|name| Some((folded.insert(name.to_ascii_lowercase(), name)?, *name)));
    let Some((one, other)) = pair else { return Ok(()) };
    if tells_case().context(|| format!("can't write in {}", directory.display()))? {
        return Ok(());
    }
    Err(Error::new(
        Kind::Usage,
        format!(
            "can't export to {}: its file system treats `{}` and `{}` as one name",
            directory.display(),
            printable_within(one, 120),
            printable_within(other, 120)
        ),
    )
    .hint(
        "Export to a case-sensitive file system (ext4, xfs, btrfs …), or to a CAR file: `roadstead export FILE.car`.",
    ))
}

/// Whether a file is there by its own name alone; found out by trying.
fn tells_case(directory: &Path) -> io::Result<bool> {
    let trial = tempfile::Builder::new().prefix(".roadstead-case-").tempfile_in(directory)?;
    let name = trial.path().file_name().unwrap_or_default().to_ascii_uppercase();
    Ok(fs::symlink_metadata(directory.join(name)).is_err())
}

/// Removes what a former export had here and this one has not.
pub(in crate::engine) fn remove_others(directory: &Path, names: &HashSet<&str>) -> Result<()> {
    for entry in fs::read_dir(directory).context(|| format!("can't read {}", directory.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        if name == OsStr::new(MARK_FILE) || name.to_str().is_some_and(|name| names.contains(name)) {
            continue;
        }
        let path = entry.path();
        let removed = if entry.file_type()?.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.context(|| format!("can't remove {}", path.display()))?;
    }
    Ok(())
}

/// Makes a directory, in place of a file if a former export had one there.
pub(in crate::engine) fn make_directory(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => fs::remove_file(path).and_then(|()| new_directory(path, DIRECTORY_MODE)),
        Err(_) => new_directory(path, DIRECTORY_MODE),
    }
    .context(|| format!("can't make {}", path.display()))
}

/// Writes a small file, unless it is what it should be; whether it was written. A new file replaces an old one: it might be a
/// hard link.
pub(in crate::engine) fn write_file(path: &Path, bytes: &[u8]) -> Result<bool> {
    let words = || format!("can't write {}", path.display());
    if let Ok(found) = fs::symlink_metadata(path) {
        if found.is_file()
            && found.len() == bytes.len() as u64
            && crate::input::read_regular(path, found.len()).is_ok_and(|old| old == bytes)
        {
            return Ok(false);
        }
        clear(path)?;
    }
    let new = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path);
    let written = new.and_then(|mut file| {
        file.write_all(bytes)?;
        drop(file.set_permissions(Permissions::from_mode(FILE_MODE)));
        Ok(())
    });
    written.context(words).map(|()| true)
}

/// Removes what is in the way of a file.
pub(in crate::engine) fn clear(path: &Path) -> Result<()> {
    let cleared = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    };
    cleared.context(|| format!("can't replace {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_in_case_are_told_apart_by_trying() {
        let directory = tempfile::tempdir().unwrap();
        assert!(tells_case(directory.path()).unwrap());
        check_case(directory.path(), &["Latest", "latest", "b"]).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "a trial leaves nothing");
        // Nothing is tried where no two names could be one.
        let told = |names: &[&str], tells: bool| check_told(directory.path(), names, || Ok(tells));
        check_case(&directory.path().join("missing"), &["a", "b"]).unwrap();
        told(&["Latest", "latest"], true).unwrap();
        let error = told(&["a", "Latest", "latest"], false).unwrap_err();
        assert!(error.to_string().contains("treats `Latest` and `latest` as one name"), "{error}");
    }
}
