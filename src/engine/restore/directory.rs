//! A published tree as an exported directory: files, and no blocks.
//!
//! Links are never followed: a directory from a stick or an archive may hold anything.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::error::{Context as _, Error, Kind, Result};

/// A directory that holds a published tree.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Directory {
    path: PathBuf,
    top: Arc<OwnedFd>,
}

fn refuse(path: &str, what: &str) -> Error {
    Error::new(Kind::Verification, format!("`{}` is {what}", crate::text::printable_within(path, 300)))
}

impl Directory {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let top = rustix::fs::openat(CWD, path, flags, Mode::empty())
            .map_err(std::io::Error::from)
            .context(|| format!("can't read {}", crate::text::printable(&path.display().to_string())))?;
        Ok(Self { path: path.to_owned(), top: Arc::new(top) })
    }

    pub(super) fn place(&self) -> String {
        crate::text::printable(&self.path.display().to_string())
    }

    /// Opens what is at this path; nothing if it is not there.
    fn at(&self, path: &str, last: OFlags) -> Result<Option<OwnedFd>> {
        let mut names = path.split('/').peekable();
        let mut here: Option<OwnedFd> = None;
        while let Some(name) = names.next() {
            if matches!(name, "" | "." | "..") {
                return Err(refuse(path, "not a path in a tree"));
            }
            let kind = if names.peek().is_some() { OFlags::DIRECTORY } else { last };
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | kind;
            let from = here.as_ref().unwrap_or(&self.top);
            here = match rustix::fs::openat(from, name, flags, Mode::empty()) {
                Ok(found) => Some(found),
                Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
                Err(Errno::LOOP) => return Err(refuse(path, "a symbolic link, which is not followed")),
                Err(error) => return Err(Error::from(std::io::Error::from(error)).context(path)),
            };
        }
        Ok(here)
    }

    /// A file and its size.
    pub(super) fn file(&self, path: &str) -> Result<Option<(File, u64)>> {
        let Some(found) = self.at(path, OFlags::empty())? else { return Ok(None) };
        let file = File::from(found);
        let metadata = file.metadata().context(|| path.to_owned())?;
        if !metadata.is_file() {
            return Err(refuse(path, "not a regular file"));
        }
        Ok(Some((file, metadata.len())))
    }

    pub(super) fn small(&self, path: &str, cap: u64) -> Result<Option<Bytes>> {
        use std::io::Read as _;
        let Some((file, size)) = self.file(path)? else { return Ok(None) };
        if size > cap {
            return Err(refuse(path, "larger than the limit for reading"));
        }
        let mut bytes = Vec::with_capacity(size as usize);
        file.take(cap + 1).read_to_end(&mut bytes).context(|| path.to_owned())?;
        if bytes.len() as u64 > cap {
            return Err(refuse(path, "larger than the limit for reading"));
        }
        Ok(Some(Bytes::from(bytes)))
    }

    /// The names of files in a directory with their sizes, at most so many.
    pub(super) fn list(&self, path: &str, most: usize) -> Result<Vec<(String, u64)>> {
        let Some(found) = self.at(path, OFlags::DIRECTORY)? else { return Ok(Vec::new()) };
        let words = || path.to_owned();
        let mut all = Vec::new();
        for entry in rustix::fs::Dir::read_from(&found).map_err(std::io::Error::from).context(words)? {
            let entry = entry.map_err(std::io::Error::from).context(words)?;
            let stat = rustix::fs::statat(&found, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)
                .map_err(std::io::Error::from)
                .context(words)?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
                all.push((name.to_owned(), u64::try_from(stat.st_size).unwrap_or_default()));
            }
            if all.len() > most {
                return Err(refuse(path, "a directory of more files than any registry has"));
            }
        }
        Ok(all)
    }
}
