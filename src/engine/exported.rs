//! Where an export goes: never touches anything that is not an export, and turns a former one into the new one.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use crate::error::{Context as _, Error, Kind, Result};

/// Marks a directory as an export. Hidden, so that `ipfs add -r` leaves it out and the root stays exactly ours.
const MARK: &str = ".roadstead-export";

/// Makes the directory ours: it is new, empty, or a former export.
pub(super) fn claim(target: &Path) -> Result<()> {
    match fs::create_dir(target) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let mut entries = fs::read_dir(target).context(|| format!("can't export to {}", target.display()))?;
            let empty = entries.next().is_none();
            let marked = fs::symlink_metadata(target.join(MARK)).is_ok_and(|mark| mark.is_file());
            if !empty && !marked {
                return Err(Error::new(Kind::Usage, format!("{} is not empty and no former export", target.display()))
                    .hint("Choose a directory that is not there yet; nothing in this one was touched."));
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(Error::new(
                Kind::Usage,
                format!("can't make {}: the directory above it is not there", target.display()),
            ));
        }
        Err(error) => return Err(Error::from(error).context(format!("can't make {}", target.display()))),
    }
    mark(target, "not complete\n")
}

/// Writes the mark under another name and renames it: what has its name is replaced, never followed or written into.
fn mark(target: &Path, text: &str) -> Result<()> {
    let words = || format!("can't export to {}", target.display());
    let new = target.join(format!("{MARK}.{}", std::process::id()));
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(Error::from(error).context(words())),
        _ => {}
    }
    fs::File::create_new(&new).and_then(|mut file| file.write_all(text.as_bytes())).context(words)?;
    fs::rename(&new, target.join(MARK)).context(words)
}

/// The root that a complete export is marked with; none if it is not complete, or no export.
pub(super) fn root_of(target: &Path) -> Result<Option<cid::Cid>> {
    use std::io::Read as _;
    let Ok(file) = crate::input::open_regular(&target.join(MARK)) else { return Ok(None) };
    let mut text = String::new();
    file.take(200).read_to_string(&mut text).context(|| format!("can't read {}", target.join(MARK).display()))?;
    Ok(text.trim().parse().ok())
}

/// Says that the export is complete.
pub(super) fn finish(target: &Path, root: &str) -> Result<()> {
    mark(target, &format!("{root}\n"))
}

/// Removes what a former export had here and this one has not.
pub(super) fn remove_others(directory: &Path, names: &HashSet<&str>) -> Result<()> {
    for entry in fs::read_dir(directory).context(|| format!("can't read {}", directory.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        if name == OsStr::new(MARK) || name.to_str().is_some_and(|name| names.contains(name)) {
            continue;
        }
        let path = entry.path();
        let removed = if entry.file_type()?.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.context(|| format!("can't remove {}", path.display()))?;
    }
    Ok(())
}

/// Makes a directory, in place of a file if a former export had one there.
pub(super) fn make_directory(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => fs::remove_file(path)
            .and_then(|()| fs::create_dir(path))
            .context(|| format!("can't make {}", path.display())),
        Err(_) => fs::create_dir(path).context(|| format!("can't make {}", path.display())),
    }
}

/// Writes a small file, unless it is what it should be; whether it was written. A new file replaces an old one: it might be a
/// hard link.
pub(super) fn write_file(path: &Path, bytes: &[u8]) -> Result<bool> {
    let words = || format!("can't write {}", path.display());
    if let Ok(found) = fs::symlink_metadata(path) {
        if found.is_file()
            && found.len() == bytes.len() as u64
            && crate::input::read_regular(path, found.len()).is_ok_and(|old| old == bytes)
        {
            return Ok(false);
        }
        clear(path).context(words)?;
    }
    fs::write(path, bytes).context(words).map(|()| true)
}

/// Removes what is in the way of a link, unless it is that link; whether it is.
pub(super) fn clear_unless_same(path: &Path, blob: &Path) -> Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(found) = fs::symlink_metadata(path) else { return Ok(false) };
    let same = fs::metadata(blob).is_ok_and(|blob| blob.ino() == found.ino() && blob.dev() == found.dev());
    if !same {
        clear(path).context(|| format!("can't replace {}", path.display()))?;
    }
    Ok(same)
}

fn clear(path: &Path) -> std::io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

/// A locked file beside the one it becomes by a rename; removed if it does not come to that.
pub(super) struct Temporary {
    pub(super) path: PathBuf,
}

impl Temporary {
    /// Makes it, and removes those that killed exports to the same target have left.
    pub(super) fn beside(target: &Path) -> Result<(Self, File)> {
        let name = target
            .file_name()
            .ok_or_else(|| Error::new(Kind::Usage, format!("{} is not the name of a file", target.display())))?;
        let mut prefix = OsString::from(".");
        prefix.push(name);
        prefix.push(".");
        sweep(target, &prefix);
        let mut temporary = prefix;
        temporary.push(format!("{}.part", std::process::id()));
        let path = target.with_file_name(temporary);
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(&path)?;
        // A file system without locks only means that what a kill leaves may be removed too early or not at all.
        let _ = file.try_lock();
        Ok((Self { path }, file))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Removes the unfinished files of this prefix that nobody has locked. Best effort: they are only in the way of room.
fn sweep(target: &Path, prefix: &OsStr) {
    let directory = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let number = name.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes());
        let number = number.and_then(|rest| rest.strip_suffix(b".part"));
        let ours = number.is_some_and(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit));
        if ours
            && entry.file_type().is_ok_and(|kind| kind.is_file())
            && crate::input::open_regular(&entry.path()).is_ok_and(|file| file.try_lock().is_ok())
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}
