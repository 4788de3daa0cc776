//! Puts units where they are looked for, and never over what somebody else wrote: a file that was written here ends in a comment
//! with the digest of the rest, so that an edited one is known, too.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::units::UnitFile;
use crate::cli::configuration_files::{put, read};
use crate::error::{Context as _, Error, Kind, Result};
use crate::image::Digest;

/// What the last line says before the digest.
const MARK: &str = "Written by `roadstead schedule`: ";

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// It was not there.
    Written,
    /// It was there as it should be.
    Unchanged,
    /// An older one of ours was replaced.
    Replaced,
}

impl Outcome {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Written => "wrote",
            Self::Unchanged => "unchanged",
            Self::Replaced => "replaced",
        }
    }
}

/// A file that was looked after.
#[derive(Debug, Serialize)]
pub(super) struct Written {
    pub(super) file: PathBuf,
    pub(super) outcome: Outcome,
}

/// Writes all files, or none where one of them is somebody else's.
pub(super) fn write(units: &[UnitFile]) -> Result<Vec<Written>> {
    let mut todo = Vec::new();
    for UnitFile { file, text } in units {
        let Some(file) = file else {
            return Err(Error::new(Kind::Usage, "there is no file of this user to write it to"));
        };
        let text = stamped(file, text);
        let outcome = match read(file)? {
            None => Outcome::Written,
            Some(there) if there == text => Outcome::Unchanged,
            Some(there) if is_ours(file, &there) => Outcome::Replaced,
            Some(_) => {
                let words = format!("{} was written or edited by somebody else; nothing was written", file.display());
                return Err(
                    Error::new(Kind::Usage, words).hint("Move it away, or print the units and edit it by hand.")
                );
            }
        };
        todo.push((file, text, outcome));
    }
    let mut done = Vec::new();
    for (file, text, outcome) in todo {
        if outcome != Outcome::Unchanged {
            put(file, &text).context(|| format!("can't write {}", file.display()))?;
        }
        done.push(Written { file: file.clone(), outcome });
    }
    Ok(done)
}

/// The text with the comment at its end.
fn stamped(file: &Path, text: &str) -> String {
    let mark = format!("{MARK}{}", Digest::of(text.as_bytes()));
    let is_xml = file.extension().is_some_and(|extension| extension == "plist");
    if is_xml { format!("{text}<!-- {mark} -->\n") } else { format!("{text}# {mark}\n") }
}

/// Whether a file is as it was written here, by whichever version.
fn is_ours(file: &Path, there: &str) -> bool {
    let last = there.strip_suffix('\n').and_then(|text| text.rfind('\n')).map_or(0, |end| end + 1);
    stamped(file, &there[..last]) == there
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_written_here_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["a.timer", "a.plist"] {
            let files = ["deep/", ""].map(|above| directory.path().join(format!("{above}{name}")));
            let units = |text: &str| files.clone().map(|file| UnitFile { file: Some(file), text: text.to_owned() });
            let outcomes = |text: &str| -> Result<Vec<Outcome>> {
                Ok(write(&units(text))?.into_iter().map(|written| written.outcome).collect())
            };
            assert_eq!(outcomes("<one/>\n").unwrap(), [Outcome::Written; 2]);
            assert_eq!(outcomes("<one/>\n").unwrap(), [Outcome::Unchanged; 2]);
            assert_eq!(outcomes("<two/>\n\n").unwrap(), [Outcome::Replaced; 2]);
            assert_eq!(outcomes("").unwrap(), [Outcome::Replaced; 2], "another version writes something else");
            let [first, second] = files.clone();
            let ours = std::fs::read_to_string(&second).unwrap();
            for theirs in
                [format!("Nice=19\n{ours}"), format!("{ours}\n"), "theirs".to_owned(), String::new(), "\n".to_owned()]
            {
                std::fs::write(&second, &theirs).unwrap();
                let error = outcomes("<three/>\n").unwrap_err();
                assert!(error.kind() == Kind::Usage && error.to_string().contains(name), "{error}");
                assert_eq!(std::fs::read_to_string(&second).unwrap(), theirs);
                assert_eq!(std::fs::read_to_string(&first).unwrap(), ours, "nothing at all is written");
            }
        }
    }

    #[test]
    fn what_goes_into_no_file_is_not_written() {
        assert_eq!(write(&[UnitFile { file: None, text: String::new() }]).unwrap_err().kind(), Kind::Usage);
    }
}
