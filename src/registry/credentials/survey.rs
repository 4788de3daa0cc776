//! Which credential files there are and whom they have something for. Reads no secret out of them and runs no helper.

use std::path::{Path, PathBuf};

use super::Credentials;
use super::file::AuthFile;
use crate::error::Result;

/// A file where credentials are looked for.
#[derive(Debug)]
pub struct Surveyed {
    /// Path of the file, whether or not it is there.
    pub path: PathBuf,
    /// What is in it; nothing if it is not there.
    pub found: Result<Option<Found>>,
}

/// What a credential file has.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Registries that it has an entry for, as it writes them.
    pub hosts: Vec<String>,
    /// Helper programs that it names, and where each was found on PATH.
    pub helpers: Vec<(String, Option<PathBuf>)>,
    /// Whether everyone on this machine may read it.
    pub open_to_all: bool,
}

impl Credentials {
    /// Looks at each file that is asked for credentials, in the order in which they are asked.
    pub async fn survey(&self) -> Vec<Surveyed> {
        let mut all = Vec::new();
        for path in &self.files {
            let found = AuthFile::read(path, false).await;
            all.push(Surveyed { path: path.clone(), found: found.map(|file| Some(self.look(path, &file?))) });
        }
        all
    }

    fn look(&self, path: &Path, file: &AuthFile) -> Found {
        let filled = |fields: &serde_json::Map<String, serde_json::Value>| {
            fields.values().any(|value| value.as_str().is_some_and(|value| !value.is_empty()))
        };
        let auths = file.auths.iter().flatten();
        // Docker leaves an empty entry beside a helper.
        let hosts: Vec<String> = auths.filter(|(_, fields)| filled(fields)).map(|(host, _)| host.clone()).collect();
        let mut names: Vec<&String> = file.cred_helpers.iter().flat_map(|helpers| helpers.values()).collect();
        names.extend(&file.creds_store);
        names.retain(|name| !name.is_empty());
        names.sort();
        names.dedup();
        let helpers = names.into_iter().map(|name| {
            let program = format!("docker-credential-{name}");
            let place = self.search_path.as_deref().and_then(|search_path| {
                // A name with a slash would lead out of PATH; it is no helper's.
                let mut places = std::env::split_paths(search_path).filter(|_| !name.contains('/'));
                places.find_map(|directory| Some(directory.join(&program)).filter(|file| file.is_file()))
            });
            (program, place)
        });
        let helpers = helpers.collect();
        Found { open_to_all: !hosts.is_empty() && is_open(path), hosts, helpers }
    }
}

fn is_open(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|found| found.permissions().mode() & 0o004 != 0)
}

#[cfg(test)]
mod tests {
    use super::super::Environment;
    use super::*;

    #[tokio::test]
    async fn whom_there_is_something_for_and_no_secret() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config.json");
        let text = r#"{"auths": {"ghcr.io": {"auth": "bWU6Y2FuYXJ5"}, "quay.io": {}}, "credsStore": "here", "credHelpers": {"a.b": "gone"}}"#;
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        let helper = directory.path().join("docker-credential-here");
        std::fs::write(&helper, "").unwrap();
        let environment = Environment {
            docker_config: Some(directory.path().to_owned()),
            path: Some(directory.path().into()),
            ..Environment::default()
        };
        let surveyed = Credentials::new(&environment, &[]).survey().await;
        let found = surveyed.into_iter().find(|surveyed| surveyed.path == file).unwrap().found.unwrap().unwrap();
        let helpers =
            vec![("docker-credential-gone".to_owned(), None), ("docker-credential-here".to_owned(), Some(helper))];
        let expected = Found { hosts: vec!["ghcr.io".to_owned()], helpers, open_to_all: true };
        assert_eq!(found, expected);
        assert!(!format!("{found:?}").contains("bWU6"));
    }
}
