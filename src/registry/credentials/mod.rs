//! Credentials as docker and podman keep them: which files, which entry, which helper.
//!
//! Knows the file formats (docker's `config.json`, containers-auth.json(5)) and the protocol of credential helpers
//! (docker-credential-helpers). Must not know what credentials are used for. No secret leaves it but by [`Credential`],
//! which does not show it.

mod environment;
mod file;
#[cfg(feature = "fuzzing")]
pub(super) use file::is_found;
mod helper_program;
mod survey;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Error, Kind, Result};

pub use environment::Environment;
pub use survey::{Found, Surveyed};

use file::{AuthFile, Entry};

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text from being shown.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret text; not to be shown or logged.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

/// What someone has to show to a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A user and a password.
    Password {
        /// User name, as the credential file has it.
        user: String,
        /// Password or personal access token.
        password: Secret,
    },
    /// A token that buys access tokens (docker's `identitytoken`).
    IdentityToken(Secret),
}

/// Finds credentials; cheap to clone.
#[derive(Debug, Clone)]
pub struct Credentials {
    files: Vec<PathBuf>,
    must_exist: bool,
    search_path: Option<std::ffi::OsString>,
    helper_timeout: Duration,
}

impl Credentials {
    /// Looks into these files, or, if there are none, into those the environment points to: podman's first, then docker's.
    pub fn new(environment: &Environment, files: &[PathBuf]) -> Self {
        Self {
            must_exist: !files.is_empty(),
            files: if files.is_empty() { environment.credential_files() } else { files.to_vec() },
            search_path: environment.path.clone(),
            helper_timeout: Duration::from_secs(30),
        }
    }

    /// The credential for a repository at a host (`docker.io` is Docker Hub), if there is one. The first file that has one wins;
    /// within a file the longest key, then the host's helper, then the common helper.
    pub async fn find(&self, host: &str, repository: &str) -> Result<Option<Credential>> {
        for path in &self.files {
            let Some(file) = AuthFile::read(path, self.must_exist).await? else { continue };
            match file.entry(host, repository) {
                Some(Entry::Credential(credential)) => return Ok(Some(credential)),
                Some(Entry::Helper { name, servers }) => {
                    for server in servers {
                        let asked =
                            helper_program::get(&name, &server, self.search_path.as_deref(), self.helper_timeout).await;
                        match asked {
                            Ok(None) => {}
                            other => return other.map_err(|error| error.context(path.display())),
                        }
                    }
                }
                Some(Entry::Broken(key)) => {
                    return Err(Error::new(
                        Kind::Auth,
                        format!(
                            "{}: the entry for `{}` can't be read",
                            path.display(),
                            crate::text::printable_within(&key, 200)
                        ),
                    )
                    .hint(format!("Create it again: `podman login {host}` or `docker login {host}`.")));
                }
                None => {}
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use base64::Engine as _;

    use super::*;

    fn auth(user: &str, password: &str) -> String {
        base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"))
    }

    fn home(dir: &Path) -> Environment {
        Environment { home: Some(dir.to_owned()), ..Environment::default() }
    }

    fn write(path: &Path, value: &serde_json::Value) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, value.to_string()).unwrap();
    }

    async fn user(credentials: &Credentials, host: &str, repository: &str) -> Option<String> {
        match credentials.find(host, repository).await.unwrap()? {
            Credential::Password { user, password } => Some(format!("{user}/{}", password.reveal())),
            Credential::IdentityToken(token) => Some(format!("token {}", token.reveal())),
        }
    }

    #[tokio::test]
    async fn dockers_file() {
        let dir = tempfile::tempdir().unwrap();
        write(
            &dir.path().join(".docker/config.json"),
            &serde_json::json!({"auths": {
                "https://index.docker.io/v1/": {"auth": auth("hub", "p:w")},
                "ghcr.io": {"auth": auth("gh", "x")},
                "https://old.example.com/v1/": {"auth": auth("old", "x")},
                "127.0.0.1:5000": {"username": "plain", "password": "x"},
                "azure.example.com": {"auth": auth("00000000-0000-0000-0000-000000000000", ""), "identitytoken": "tok"},
                "empty.example.com": {},
            }, "HttpHeaders": {"a": "b"}}),
        );
        let credentials = Credentials::new(&home(dir.path()), &[]);
        for (host, expected) in [
            ("docker.io", Some("hub/p:w")),
            ("ghcr.io", Some("gh/x")),
            ("old.example.com", Some("old/x")),
            ("127.0.0.1:5000", Some("plain/x")),
            ("127.0.0.1:5001", None),
            ("azure.example.com", Some("token tok")),
            ("empty.example.com", None),
            ("example.com", None),
        ] {
            assert_eq!(user(&credentials, host, "a/b").await.as_deref(), expected, "{host}");
        }
    }

    #[tokio::test]
    async fn podmans_file_comes_first_and_its_longest_key_wins() {
        let dir = tempfile::tempdir().unwrap();
        let environment = Environment { xdg_runtime_dir: Some(dir.path().join("run")), ..home(dir.path()) };
        write(
            &dir.path().join("run/containers/auth.json"),
            &serde_json::json!({"auths": {
                "quay.io": {"auth": auth("all", "x")},
                "quay.io/org": {"auth": auth("org", "x")},
                "quay.io/org/app": {"auth": auth("app", "x")},
                "docker.io/library": {"auth": auth("library", "x")},
            }}),
        );
        write(
            &dir.path().join(".docker/config.json"),
            &serde_json::json!({"auths": {"quay.io": {"auth": auth("docker", "x")}, "ghcr.io": {"auth": auth("docker", "x")}}}),
        );
        let credentials = Credentials::new(&environment, &[]);
        for (host, repository, expected) in [
            ("quay.io", "org/app", Some("app/x")),
            ("quay.io", "org/app/deep", Some("app/x")),
            ("quay.io", "org/apple", Some("org/x")),
            ("quay.io", "other", Some("all/x")),
            ("docker.io", "library/nginx", Some("library/x")),
            ("docker.io", "user/app", None),
            ("ghcr.io", "a", Some("docker/x")),
        ] {
            assert_eq!(user(&credentials, host, repository).await.as_deref(), expected, "{host}/{repository}");
        }
        // An explicit list replaces them all, and what it names must exist.
        let own = dir.path().join("own.json");
        let only = Credentials::new(&environment, std::slice::from_ref(&own));
        assert!(only.find("quay.io", "a").await.unwrap_err().to_string().contains("own.json"));
        write(&own, &serde_json::json!({"auths": {}}));
        assert_eq!(user(&only, "quay.io", "a").await, None);
    }

    #[tokio::test]
    async fn broken_files_are_named_and_not_quoted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".docker/config.json");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "{\"auths\": {\"ghcr.io\": {\"auth\": \"canary").unwrap();
        let credentials = Credentials::new(&home(dir.path()), &[]);
        let error = credentials.find("ghcr.io", "a").await.unwrap_err();
        assert!(error.to_string().contains("config.json") && !format!("{error:?}").contains("canary"), "{error:?}");

        write(&path, &serde_json::json!({"auths": {"ghcr.io": {"auth": "canary!"}}}));
        let error = credentials.find("ghcr.io", "a").await.unwrap_err();
        assert!(error.to_string().contains("ghcr.io") && !format!("{error:?}").contains("canary"), "{error:?}");
    }

    fn helper(dir: &Path, name: &str, script: &str) {
        let path = dir.join(format!("docker-credential-{name}"));
        fs::write(&path, format!("#!/bin/sh\n{script}")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[tokio::test]
    async fn helpers() {
        let dir = tempfile::tempdir().unwrap();
        helper(
            dir.path(),
            "good",
            r#"read server; [ "$1" = get ] || exit 1
case "$server" in
  https://index.docker.io/v1/) echo '{"ServerURL":"x","Username":"hub","Secret":"s"}';;
  ghcr.io) echo '{"Username":"<token>","Secret":"identity"}';;
  quay.io) echo '{"Username":"quay","Secret":"s"}';;
  bad.example.com) echo 'canary: the keychain is locked' >&2; exit 1;;
  garbage.example.com) echo '{"Secret":"canary"';;
  endless.example.com) while :; do echo canarycanarycanary; done;;
  *) echo 'credentials not found in native keychain'; exit 1;;
esac"#,
        );
        write(
            &dir.path().join(".docker/config.json"),
            &serde_json::json!({
                "auths": {"ghcr.io": {}},
                "credsStore": "good",
                "credHelpers": {"quay.io": "good", "missing.example.com": "nowhere", "evil.example.com": "../../x"},
            }),
        );
        let path = std::env::join_paths(
            std::iter::once(dir.path().to_owned()).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
        )
        .unwrap();
        let environment = Environment { path: Some(path), ..home(dir.path()) };
        let credentials = Credentials::new(&environment, &[]);
        assert_eq!(user(&credentials, "docker.io", "library/a").await.as_deref(), Some("hub/s"));
        assert_eq!(user(&credentials, "ghcr.io", "a").await.as_deref(), Some("token identity"));
        assert_eq!(user(&credentials, "quay.io", "a").await.as_deref(), Some("quay/s"));
        assert_eq!(user(&credentials, "unknown.example.com", "a").await, None);
        for (host, words) in [
            ("bad.example.com", "docker-credential-good"),
            ("garbage.example.com", "docker-credential-good"),
            ("endless.example.com", "docker-credential-good"),
            ("missing.example.com", "docker-credential-nowhere"),
            ("evil.example.com", "credential helper"),
        ] {
            let error = credentials.find(host, "a").await.unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
            assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        }
    }

    #[tokio::test]
    async fn a_helper_that_hangs_is_given_up() {
        let dir = tempfile::tempdir().unwrap();
        helper(dir.path(), "slow", "exec sleep 60");
        write(&dir.path().join(".docker/config.json"), &serde_json::json!({"credsStore": "slow"}));
        let mut path = dir.path().as_os_str().to_owned();
        path.push(":/bin:/usr/bin");
        let environment = Environment { path: Some(path), ..home(dir.path()) };
        let mut credentials = Credentials::new(&environment, &[]);
        credentials.helper_timeout = Duration::from_millis(50);
        let error = credentials.find("ghcr.io", "a").await.unwrap_err();
        assert!(error.to_string().contains("did not answer"), "{error}");
    }
}
