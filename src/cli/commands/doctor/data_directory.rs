//! The data directory: there, writable, with room, on a file system that can link.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::finding::{Check, Finding, State};
use crate::config::{Origin, Settings};
use crate::error::Result;
use crate::store::{Survey, private};
use crate::text::bytes;

const SUBJECT: &str = "data directory";
/// Less room than this is worth a word: many images are larger.
const LOW_SPACE_BYTES: u64 = 1 << 30;
/// With less than this nothing can be done: the database needs some of it.
const MIN_SPACE_BYTES: u64 = 16 << 20;

pub(super) struct DataDirectory {
    place: Result<PathBuf, Finding>,
    /// Nobody has named it: it is made when it is needed.
    usual: bool,
}

impl DataDirectory {
    pub(super) fn new(settings: &Settings) -> Self {
        let place = settings.data_dir().map(Path::to_owned);
        Self {
            place: place.map_err(|error| Finding::of_error(SUBJECT, State::Fail, &error)),
            usual: settings.data_dir.as_ref().is_some_and(|data_dir| data_dir.origin == Origin::Default),
        }
    }

    fn missing(&self, directory: &Path) -> Vec<Finding> {
        let above = directory.ancestors().skip(1).find(|above| above.is_dir()).unwrap_or(Path::new("."));
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !self.usual && !parent.is_dir() {
            return vec![Finding::fail(
                SUBJECT,
                format!("neither {} nor its parent directory exists", directory.display()),
                "Mount its disk, or create the parent directory; `--data-dir` names another one.",
            )];
        }
        match Survey::of(above) {
            Ok(survey) => {
                let mut findings = described(above, survey);
                let first = format!("{} does not exist yet; the first `roadstead add` creates it", directory.display());
                findings.insert(0, Finding::ok(SUBJECT, first));
                findings
            }
            Err(error) => vec![Finding::fail(
                SUBJECT,
                format!("can't create {}: {error}", directory.display()),
                "Check its permissions, or name another directory with `--data-dir`.",
            )],
        }
    }
}

fn described(directory: &Path, survey: Survey) -> Vec<Finding> {
    let mut findings = Vec::new();
    if survey.free != u64::MAX {
        let free = format!("{} free at {}", bytes(survey.free), directory.display());
        let advice = "Free some space there, or name another directory with `--data-dir`; `roadstead gc` reclaims \
            what no image needs.";
        findings.push(if survey.free < MIN_SPACE_BYTES {
            Finding::fail(SUBJECT, free, advice)
        } else if survey.free < LOW_SPACE_BYTES {
            Finding::warn(SUBJECT, free, advice)
        } else {
            Finding::ok(SUBJECT, free)
        });
    }
    findings.push(match (survey.hard_links, survey.reflinks) {
        (true, reflinks) => {
            let also = if reflinks { " and reflinks" } else { "" };
            Finding::ok(SUBJECT, format!("hard links{also}: an export on the same file system takes no space"))
        }
        (false, true) => Finding::ok(SUBJECT, "reflinks: an export on the same file system takes no space"),
        (false, false) => Finding::warn(
            SUBJECT,
            "no hard links and no reflinks: an export takes the space of all blobs again",
            "Linux file systems (ext4, xfs, btrfs …) have them.",
        ),
    });
    if survey.remote {
        findings.push(Finding::warn(
            SUBJECT,
            "it is on a network file system, where the database may break when two machines use it",
            "Keep it on a local disk, and export to the other machine.",
        ));
    }
    findings
}

/// That other users of this machine get in: what is in it may be private images.
fn exposed(directory: &Path) -> Option<Finding> {
    let mode = private::exposed(directory)?;
    Some(Finding::warn(
        SUBJECT,
        format!("{} has mode {mode:04o}: other users can look into it", directory.display()),
        format!("`chmod 700 {}`; keep an exported tree for a web server in another directory.", directory.display()),
    ))
}

#[async_trait]
impl Check for DataDirectory {
    async fn look(&self) -> Vec<Finding> {
        let directory = match &self.place {
            Ok(directory) => directory,
            Err(finding) => return vec![finding.clone()],
        };
        if !directory.exists() {
            return self.missing(directory);
        }
        if !directory.is_dir() {
            return vec![Finding::fail(
                SUBJECT,
                format!("{} is not a directory", directory.display()),
                "Name another one with `--data-dir`.",
            )];
        }
        match Survey::of(directory) {
            Ok(survey) => {
                let mut findings = vec![Finding::ok(SUBJECT, format!("{} is writable", directory.display()))];
                findings.extend(exposed(directory));
                findings.extend(described(directory, survey));
                findings
            }
            Err(error) => vec![Finding::warn(
                SUBJECT,
                format!("can't write to {}: {error}", directory.display()),
                "Verbs that only read work; for the others, check its permissions.",
            )],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Given, Setting};

    async fn look(directory: &Path) -> Vec<Finding> {
        let given = Given { data_dir: Some(Setting::new(directory.to_owned(), Origin::Flag)), ..Given::default() };
        DataDirectory::new(&Settings::without_file(&given)).look().await
    }

    #[tokio::test]
    async fn what_can_be_used_and_what_not() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        assert!(look(directory.path()).await[0].message.ends_with("is writable"));
        assert!(look(&at("new")).await[0].message.contains("creates it"));
        assert!(!at("new").exists(), "a doctor changes nothing");
        assert_eq!(look(&at("not/mounted")).await[0].state, State::Fail);
        std::fs::write(at("file"), "").unwrap();
        assert_eq!(look(&at("file")).await[0].state, State::Fail);
    }

    #[tokio::test]
    async fn one_that_others_can_look_into_is_told() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let set = |mode| {
            std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        };
        set(0o700);
        let states = async || look(directory.path()).await.iter().map(|finding| finding.state).collect::<Vec<_>>();
        assert!(!states().await.contains(&State::Warn));
        set(0o755);
        assert!(states().await.contains(&State::Warn));
        let said = look(directory.path()).await.into_iter().find(|finding| finding.state == State::Warn).unwrap();
        assert!(said.message.contains("has mode 0755"), "{}", said.message);
    }

    #[test]
    fn little_room_is_told() {
        let survey = Survey { free: 5 << 30, hard_links: true, reflinks: false, remote: false };
        let state = |survey| described(Path::new("/x"), survey).iter().map(|finding| finding.state).collect::<Vec<_>>();
        assert_eq!(state(survey), [State::Ok, State::Ok]);
        assert_eq!(state(Survey { free: 500 << 20, ..survey }), [State::Warn, State::Ok]);
        assert_eq!(state(Survey { free: 5 << 20, ..survey }), [State::Fail, State::Ok]);
        let poor = Survey { hard_links: false, remote: true, ..survey };
        assert_eq!(state(poor), [State::Ok, State::Warn, State::Warn]);
    }
}
