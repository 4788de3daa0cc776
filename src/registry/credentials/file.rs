//! One credential file: docker's `config.json` or podman's `auth.json`.
//!
//! Chooses the entry; the entry itself is decoded by `docker_credential`.

use std::collections::BTreeMap;
use std::path::Path;

use docker_credential::{CredentialRetrievalError, DockerCredential};
use serde::Deserialize;

use super::{Credential, Secret};
use crate::error::{Error, Kind, Result};

/// Largest credential file that is read.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// The key under which docker keeps Docker Hub's credentials.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuthFile {
    #[serde(default)]
    pub(super) auths: Option<BTreeMap<String, serde_json::Map<String, serde_json::Value>>>,
    #[serde(default)]
    pub(super) creds_store: Option<String>,
    #[serde(default)]
    pub(super) cred_helpers: Option<BTreeMap<String, String>>,
}

/// Where a file says the credential is.
pub(super) enum Entry {
    Credential(Credential),
    /// Ask this helper for these servers, in this order.
    Helper {
        name: String,
        servers: Vec<String>,
    },
    /// There is one under this key, but it can't be decoded.
    Broken(String),
}

impl AuthFile {
    pub(super) async fn read(path: &Path, must_exist: bool) -> Result<Option<Self>> {
        let refuse = |why: String| Error::new(Kind::Auth, format!("credential file {}: {why}", path.display()));
        let from = path.to_owned();
        let read = tokio::task::spawn_blocking(move || crate::input::read_regular(&from, MAX_FILE_BYTES)).await;
        match read.unwrap_or_else(|error| Err(std::io::Error::other(error))) {
            // The parser's own message could quote a secret.
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| {
                refuse(format!("it can't be read as JSON (line {}, column {})", error.line(), error.column()))
            }),
            Err(error)
                if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
                    && !must_exist =>
            {
                Ok(None)
            }
            Err(error) => Err(refuse(error.to_string())),
        }
    }

    /// The entry for a repository at a host.
    pub(super) fn entry(&self, host: &str, repository: &str) -> Option<Entry> {
        let names = names_of(host);
        // Helpers of one host come before everything else, as for docker and podman.
        for name in &names {
            if let Some(helper) =
                self.cred_helpers.as_ref().and_then(|helpers| helpers.get(*name)).filter(|helper| !helper.is_empty())
            {
                return Some(Entry::Helper { name: helper.clone(), servers: servers(&names, name) });
            }
        }
        if let Some(auths) = &self.auths {
            for key in keys(&names, repository) {
                let found = auths.get_key_value(&key).or_else(|| {
                    // Older files have `https://host/v1/` and the like.
                    auths.iter().find(|(written, _)| bare(written).is_some_and(|written| written == key))
                });
                if let Some((key, fields)) = found
                    && let Some(entry) = decode(key, fields)
                {
                    return Some(entry);
                }
            }
        }
        let store = self.creds_store.as_ref().filter(|store| !store.is_empty())?;
        Some(Entry::Helper { name: store.clone(), servers: servers(&names, names[0]) })
    }
}

/// Whether a file with this content has an entry for a repository at a host. Asks no helper.
#[cfg(feature = "fuzzing")]
pub(in crate::registry) fn is_found(bytes: &[u8], host: &str, repository: &str) -> bool {
    serde_json::from_slice::<AuthFile>(bytes).is_ok_and(|file| file.entry(host, repository).is_some())
}

/// All names of one host in these files.
fn names_of(host: &str) -> Vec<&str> {
    if matches!(host, "docker.io" | "index.docker.io" | "registry-1.docker.io") {
        vec!["docker.io", DOCKER_HUB, "index.docker.io", "registry-1.docker.io"]
    } else {
        vec![host]
    }
}

/// What to ask a helper for: Docker Hub is asked for by docker's key, then by the name that was found.
fn servers(names: &[&str], found: &str) -> Vec<String> {
    let mut servers = Vec::new();
    if names.contains(&DOCKER_HUB) {
        servers.push(DOCKER_HUB.to_owned());
    }
    if !servers.iter().any(|server| server == found) {
        servers.push(found.to_owned());
    }
    servers
}

/// Keys from the longest namespace to the bare host.
fn keys(names: &[&str], repository: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let mut namespace = Some(repository).filter(|repository| !repository.is_empty());
    while let Some(path) = namespace {
        keys.push(format!("{}/{path}", names[0]));
        namespace = path.rsplit_once('/').map(|(parent, _)| parent);
    }
    keys.extend(names.iter().map(|name| (*name).to_owned()));
    keys
}

/// The host of a key that is written as a URL or with an API version.
fn bare(key: &str) -> Option<&str> {
    let stripped = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://"));
    match stripped {
        Some(rest) => rest.split('/').next(),
        None => key.trim_end_matches('/').strip_suffix("/v1").or_else(|| key.trim_end_matches('/').strip_suffix("/v2")),
    }
}

/// Decodes one entry; nothing if it is empty, as docker leaves it beside a helper.
fn decode(key: &str, fields: &serde_json::Map<String, serde_json::Value>) -> Option<Entry> {
    let kept: serde_json::Map<_, _> = fields
        .iter()
        .filter(|(name, value)| {
            matches!(name.as_str(), "auth" | "username" | "password" | "identitytoken")
                && value.as_str().is_some_and(|text| !text.is_empty())
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if kept.is_empty() {
        return None;
    }
    let alone = serde_json::json!({"auths": {key: kept}}).to_string();
    Some(match docker_credential::get_credential_from_reader(alone.as_bytes(), key) {
        Ok(DockerCredential::UsernamePassword(user, password)) => {
            // Files end their passwords with NUL sometimes (docker/cli pads `auth`).
            let password = Secret::new(password.trim_end_matches('\0'));
            Entry::Credential(Credential::Password { user, password })
        }
        Ok(DockerCredential::IdentityToken(token)) => Entry::Credential(Credential::IdentityToken(Secret::new(token))),
        Err(CredentialRetrievalError::NoCredentialConfigured) => return None,
        Err(_) => Entry::Broken(key.to_owned()),
    })
}
