//! Puts a recipe's files where they are wanted, and nothing over what somebody else has written.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::docker;
use super::recipe::{File, Kept};
use crate::cli::configuration_files::{put, read};
use crate::error::{Context as _, Error, Kind, Result};

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// The file was not there, and was written.
    Written,
    /// It was there as it should be.
    Unchanged,
    /// Other text was replaced.
    Replaced,
    /// What was there stays, with ours added.
    Merged,
}

impl Outcome {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Written => "wrote",
            Self::Unchanged => "unchanged",
            Self::Replaced => "replaced",
            Self::Merged => "added to",
        }
    }
}

/// A file that was looked after.
#[derive(Debug, Serialize)]
pub(super) struct Written {
    pub(super) file: PathBuf,
    pub(super) outcome: Outcome,
}

/// Writes the files below a directory, which is made. Files with other text are replaced only by `force`; without it, if there
/// is one, nothing at all is written.
pub(super) fn write(directory: &Path, files: &[File], force: bool) -> Result<Vec<Written>> {
    let mut todo = Vec::new();
    for file in files {
        let path = directory.join(&file.path);
        let there = read(&path)?;
        let (text, outcome) = match there {
            None => (file.text.clone(), Outcome::Written),
            Some(there) if there == file.text => (there, Outcome::Unchanged),
            Some(there) => match file.kept {
                Kept::Nothing => (file.text.clone(), Outcome::Replaced),
                Kept::Settings => {
                    let merged =
                        docker::merge(&there, &file.text).context(|| format!("can't add to {}", path.display()))?;
                    let outcome = if same_json(&merged, &there) { Outcome::Unchanged } else { Outcome::Merged };
                    (merged, outcome)
                }
            },
        };
        if matches!(outcome, Outcome::Replaced | Outcome::Merged) && !force {
            let (what, hint) = if outcome == Outcome::Merged {
                ("has different settings", "`--force` adds ours and keeps them.")
            } else {
                (
                    "has different contents",
                    "Look at it first; `--force` replaces it, and `--write` with another directory leaves it alone.",
                )
            };
            return Err(Error::new(Kind::Usage, format!("{} exists and {what}; nothing was written", path.display()))
                .hint(hint));
        }
        todo.push((path, text, outcome));
    }
    let mut done = Vec::new();
    for (file, text, outcome) in todo {
        if outcome != Outcome::Unchanged {
            put(&file, &text).context(|| format!("can't write {}", file.display()))?;
        }
        done.push(Written { file, outcome });
    }
    Ok(done)
}

fn same_json(one: &str, other: &str) -> bool {
    let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    parse(one).is_some_and(|one| Some(one) == parse(other))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn file(path: &str, text: &str, kept: Kept) -> File {
        File { path: path.to_owned(), text: text.to_owned(), kept, is_aside: false }
    }

    fn outcomes(written: &[Written]) -> Vec<Outcome> {
        written.iter().map(|written| written.outcome).collect()
    }

    #[test]
    fn nothing_of_others_is_overwritten_unasked() {
        let directory = tempfile::tempdir().unwrap();
        let at = |path: &str| directory.path().join(path);
        let files = [file("a/hosts.toml", "one\n", Kept::Nothing), file("b.conf", "two\n", Kept::Nothing)];
        assert_eq!(outcomes(&write(directory.path(), &files, false).unwrap()), [Outcome::Written; 2]);
        assert_eq!(fs::metadata(at("b.conf")).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(outcomes(&write(directory.path(), &files, false).unwrap()), [Outcome::Unchanged; 2]);

        fs::write(at("b.conf"), "theirs\n").unwrap();
        fs::remove_file(at("a/hosts.toml")).unwrap();
        let error = write(directory.path(), &files, false).unwrap_err();
        assert!(error.kind() == Kind::Usage && error.to_string().contains("b.conf exists"), "{error}");
        assert!(!at("a/hosts.toml").exists(), "nothing at all was written");
        assert_eq!(fs::read_to_string(at("b.conf")).unwrap(), "theirs\n");
        let forced = write(directory.path(), &files, true).unwrap();
        assert_eq!(outcomes(&forced), [Outcome::Written, Outcome::Replaced]);
        assert_eq!(fs::read_to_string(at("b.conf")).unwrap(), "two\n");
        let left = fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(left, 2, "no temporary file stays");
    }

    #[test]
    fn settings_are_added_to() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("daemon.json");
        fs::write(&path, r#"{"log-driver":"local"}"#).unwrap();
        let files = [file("daemon.json", "{\"registry-mirrors\": [\"https://a\"]}\n", Kept::Settings)];
        assert!(write(directory.path(), &files, false).is_err());
        assert_eq!(outcomes(&write(directory.path(), &files, true).unwrap()), [Outcome::Merged]);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("local") && text.contains("https://a"), "{text}");
        assert_eq!(outcomes(&write(directory.path(), &files, false).unwrap()), [Outcome::Unchanged]);
        fs::write(&path, "not json").unwrap();
        assert!(write(directory.path(), &files, true).is_err(), "what is not understood is never replaced");
    }
}
