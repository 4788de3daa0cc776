//! Files of trees: linked, listed and synced; nothing that is there is written to.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

/// What a web server reads as another user, whatever the umask is.
const DIRECTORY_MODE: u32 = 0o755;
pub(super) const FILE_MODE: u32 = 0o644;
/// Levels of directories that a tree may have: a repository's name has 255 bytes at most.
const MAX_DEPTH: usize = 200;

/// What a caller should know of a file that is not there.
pub(super) fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn make_directory(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(DIRECTORY_MODE).create(path) {
        Ok(()) => {
            // Not every file system has modes.
            drop(fs::set_permissions(path, Permissions::from_mode(DIRECTORY_MODE)));
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists && fs::symlink_metadata(path)?.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes the directories between a tree and a file in it.
pub(super) fn make_parents(tree: &Path, key: &str) -> io::Result<()> {
    let mut path = tree.to_owned();
    for part in Path::new(key).parent().into_iter().flat_map(Path::components) {
        path.push(part);
        if let Err(error) = make_directory(&path) {
            // A file of a former tree is in the way of a directory.
            fs::remove_file(&path).map_err(|_| error)?;
            make_directory(&path)?;
        }
    }
    Ok(())
}

/// A hard link, or a copy with its time where the file system has none or no more of them.
pub(super) fn link(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => return Ok(()),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::AlreadyExists) => return Err(error),
        Err(_) => {}
    }
    let source = crate::input::open_regular(from)?;
    let mut target = File::create_new(to)?;
    io::copy(&mut &source, &mut target)?;
    drop(target.set_permissions(Permissions::from_mode(FILE_MODE)));
    drop(target.set_times(fs::FileTimes::new().set_modified(source.metadata()?.modified()?)));
    Ok(())
}

/// Makes what happened to the names in a directory durable, where the file system can.
pub(super) fn sync_names(directory: &Path) -> io::Result<()> {
    match crate::input::open(directory)?.sync_all() {
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        synced => synced,
    }
}

/// Brings all files of a file system to the disk.
pub(super) fn sync_files(directory: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::fs::syncfs(crate::input::open(directory)?)?;
    #[cfg(not(target_os = "linux"))]
    {
        let _ = directory;
        rustix::fs::sync();
    }
    Ok(())
}

/// Every file below a directory, by its path there.
pub(super) fn walk(directory: &Path, visit: &mut dyn FnMut(String, &fs::Metadata) -> io::Result<()>) -> io::Result<()> {
    let mut left = vec![(directory.to_owned(), String::new(), 0_usize)];
    while let Some((path, key, depth)) = left.pop() {
        for entry in fs::read_dir(&path)? {
            let entry = entry?;
            // A name that is no text is none of ours; it stays in the former tree.
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            let key = if key.is_empty() { name } else { format!("{key}/{name}") };
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                if depth < MAX_DEPTH {
                    left.push((entry.path(), key, depth + 1));
                }
            } else if metadata.is_file() {
                visit(key, &metadata)?;
            }
        }
    }
    Ok(())
}
