//! The files that a path with wildcards names, in the order of their names.
//!
//! Below `**` no link to a directory is followed: a link may lead back to where it is. However the path is written, no more than
//! so many entries are looked at.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::engine::job::Job;
use crate::error::{Error, Kind, Result};
use crate::text::printable_within;

/// Files that one source may name.
const MAX_SOURCE_FILES: usize = 10_000;
/// Entries of directories that are looked at for one source.
const MAX_ENTRIES: usize = 1_000_000;
/// Entries after which it is asked whether to go on.
const ENTRIES_BETWEEN_CHECKS: usize = 1000;

/// A part of a path.
#[derive(Debug)]
enum Part {
    Name(String),
    Wildcard(glob::Pattern),
    /// `**`: the directory, and all below it.
    Below,
}

/// One walk.
struct Walk<'a> {
    path: &'a str,
    job: &'a Job,
    entries: usize,
    found: Vec<PathBuf>,
}

/// The files that `path` names, which is relative to `base`.
pub(super) fn matching(path: &str, base: &Path, job: &Job) -> Result<Vec<PathBuf>> {
    let mut walk = Walk { path, job, entries: 0, found: Vec::new() };
    let begin = if path.starts_with('/') { Path::new("/") } else { base };
    walk.go(begin.to_owned(), &parts(path)?)?;
    let mut found = walk.found;
    found.sort_unstable();
    found.dedup();
    if found.is_empty() {
        return Err(Error::new(Kind::NotFound, format!("there is no file `{}`", shown(path))));
    }
    Ok(found)
}

fn parts(path: &str) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        // `**.yaml` is said for `**/*.yaml`.
        let rest = match part.strip_prefix("**") {
            Some(rest) => {
                if !matches!(parts.last(), Some(Part::Below)) {
                    parts.push(Part::Below);
                }
                if rest.is_empty() {
                    continue;
                }
                format!("*{rest}")
            }
            None => part.to_owned(),
        };
        parts.push(if rest.contains(['*', '?', '[']) {
            let refused =
                |error: glob::PatternError| Error::new(Kind::Usage, format!("`{}`: {}", shown(path), error.msg));
            Part::Wildcard(glob::Pattern::new(&rest).map_err(refused)?)
        } else {
            Part::Name(rest)
        });
    }
    Ok(parts)
}

impl Walk<'_> {
    fn go(&mut self, at: PathBuf, parts: &[Part]) -> Result<()> {
        match parts {
            [] => self.take(at),
            [Part::Name(name), rest @ ..] => {
                let next = at.join(name);
                // Most files have no such directory; what is wrong with one that is there is said where it is read.
                if rest.is_empty() || next.is_dir() { self.go(next, rest) } else { Ok(()) }
            }
            [Part::Wildcard(pattern), rest @ ..] => {
                for (name, next) in self.entries(&at)? {
                    if pattern.matches(&name) && (rest.is_empty() || next.is_dir()) {
                        self.go(next, rest)?;
                    }
                }
                Ok(())
            }
            [Part::Below, rest @ ..] => {
                // Not by calling itself: how deep directories are is somebody else's choice.
                let mut waiting = vec![at];
                while let Some(directory) = waiting.pop() {
                    for (_, next) in self.entries(&directory)? {
                        let about = fs::symlink_metadata(&next);
                        if about.is_ok_and(|about| about.is_dir()) {
                            waiting.push(next);
                        } else if rest.is_empty() {
                            self.take(next)?;
                        }
                    }
                    if !rest.is_empty() {
                        self.go(directory, rest)?;
                    }
                }
                Ok(())
            }
        }
    }

    /// Takes what is there and is no directory.
    fn take(&mut self, file: PathBuf) -> Result<()> {
        if fs::metadata(&file).is_ok_and(|about| !about.is_dir()) {
            self.found.push(file);
        }
        if self.found.len() > MAX_SOURCE_FILES {
            let message = format!("`{}` names more than {MAX_SOURCE_FILES} files", shown(self.path));
            return Err(Error::new(Kind::Usage, message));
        }
        Ok(())
    }

    /// The entries of a directory; none where there is no directory. Names that are not UTF-8 match nothing that can be written.
    fn entries(&mut self, directory: &Path) -> Result<Vec<(String, PathBuf)>> {
        let unreadable = |error: io::Error| {
            let what = printable_within(&directory.display().to_string(), 300);
            Error::new(Kind::Usage, format!("{what} can't be read")).caused_by(error)
        };
        let list = match fs::read_dir(directory) {
            Ok(list) => list,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(Vec::new());
            }
            Err(error) => return Err(unreadable(error)),
        };
        let mut entries = Vec::new();
        for entry in list {
            let entry = entry.map_err(unreadable)?;
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                let message = format!("`{}` leads through more than {MAX_ENTRIES} files", shown(self.path));
                return Err(Error::new(Kind::Usage, message).hint("Name the directories that have them."));
            }
            if self.entries.is_multiple_of(ENTRIES_BETWEEN_CHECKS) {
                self.job.check()?;
            }
            if let Some(name) = entry.file_name().to_str() {
                entries.push((name.to_owned(), entry.path()));
            }
        }
        Ok(entries)
    }
}

fn shown(path: &str) -> String {
    printable_within(path, 300)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn found(path: &str, base: &Path) -> Vec<String> {
        let files = matching(path, base, &Job::new().0).unwrap_or_default();
        files.iter().map(|file| file.strip_prefix(base).unwrap().display().to_string()).collect()
    }

    #[test]
    fn wildcards_stand_for_names_and_for_directories() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        for file in ["a.yaml", "b.txt", "[x].txt", "one/a.yaml", "one/two/a.yaml", "one/two/b.yml"] {
            std::fs::create_dir_all(at.join(file).parent().unwrap()).unwrap();
            std::fs::write(at.join(file), "").unwrap();
        }
        std::fs::create_dir(at.join("dir.yaml")).unwrap();
        for (path, files) in [
            ("a.yaml", &["a.yaml"][..]),
            ("./a.yaml", &["a.yaml"]),
            ("*.yaml", &["a.yaml"]),
            ("*/a.yaml", &["one/a.yaml"]),
            ("**.yaml", &["a.yaml", "one/a.yaml", "one/two/a.yaml"]),
            ("**/*.yaml", &["a.yaml", "one/a.yaml", "one/two/a.yaml"]),
            ("**/a.yaml", &["a.yaml", "one/a.yaml", "one/two/a.yaml"]),
            ("one/**", &["one/a.yaml", "one/two/a.yaml", "one/two/b.yml"]),
            ("**/two/*", &["one/two/a.yaml", "one/two/b.yml"]),
            ("?.txt", &["b.txt"]),
            ("[[]x].txt", &["[x].txt"]),
            ("one/../a.yaml", &["one/../a.yaml"]),
            ("one", &[]),
            ("none/*", &[]),
            ("a.yaml/*", &[]),
        ] {
            assert_eq!(found(path, at), files, "{path}");
        }
        let whole = format!("{}/one/*.yaml", at.display());
        assert_eq!(found(&whole, at), ["one/a.yaml"]);
        assert!(matching("[", at, &Job::new().0).unwrap_err().to_string().starts_with("`[`: "));
    }

    #[test]
    fn links_that_lead_back_are_not_followed_for_ever() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        std::fs::write(at.join("a.yaml"), "").unwrap();
        symlink("a.yaml", at.join("link.yaml")).unwrap();
        for number in 0..16 {
            symlink(".", at.join(format!("loop{number}"))).unwrap();
        }
        assert_eq!(found("**.yaml", at), ["a.yaml", "link.yaml"]);
        // Where links are named they are followed, as far as the path says.
        assert_eq!(found("loop1/a.yaml", at), ["loop1/a.yaml"]);
        let error = matching("*/*/*/*/*/*.txt", at, &Job::new().0).unwrap_err();
        assert!(error.to_string().contains("more than 1000000 files"), "{error}");
        let (job, watch) = Job::new();
        watch.cancel.cancel();
        assert_eq!(matching("*/*/*/*.txt", at, &job).unwrap_err().kind(), Kind::Interrupted);
    }
}
