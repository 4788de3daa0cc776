//! What is asked of a Kubo beside its data: who it is, its peers, its room, its keys and names.
//!
//! The requests are those of `ipfs-api-backend-hyper`; they go over [`Rpc`], as everything does. That library's own client is
//! never made: it reads an error without a cap and without an end, knows no TLS, no path before the RPC and no bearer tokens,
//! and can be given no connector that would bound it. Answers are read here: Kubo has dropped fields that its types insist on.

use ipfs_api_backend_hyper::request::{ApiRequest, Id, KeyList, SwarmPeers, Version};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use std::time::Duration;

use super::failure;
use super::reply::Failed;
use super::rpc::{Call, Rpc};
use crate::error::Result;
use crate::node::{Key, Status};
use crate::text::{printable, printable_within};

/// The most bytes of an answer: some ten thousand peers or keys.
const MAX_ANSWER_BYTES: usize = 4 << 20;

/// `repo/stat` without counting every block, which takes minutes where there are many.
#[derive(Serialize)]
struct RepositorySize {
    #[serde(rename = "size-only")]
    size_only: bool,
}

impl ApiRequest for RepositorySize {
    const PATH: &'static str = "/repo/stat";
}

/// `key/gen` without a size, since Kubo 0.43 takes only one.
#[derive(Serialize)]
struct GenerateKey<'a> {
    arg: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
}

impl ApiRequest for GenerateKey<'_> {
    const PATH: &'static str = "/key/gen";
}

/// `name/publish` with the options that Kubo has now.
#[derive(Serialize)]
struct PublishName<'a> {
    arg: &'a str,
    key: &'a str,
    #[serde(rename = "allow-offline")]
    allow_offline: bool,
    resolve: bool,
}

impl ApiRequest for PublishName<'_> {
    const PATH: &'static str = "/name/publish";
}

/// `name/resolve` of one step, from the records that the node itself has.
#[derive(Serialize)]
struct ResolveName<'a> {
    arg: &'a str,
    recursive: bool,
    nocache: bool,
    offline: bool,
}

impl ApiRequest for ResolveName<'_> {
    const PATH: &'static str = "/name/resolve";
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Identity {
    #[serde(rename = "ID")]
    id: String,
    agent_version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Release {
    version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Peers {
    peers: Option<Vec<serde::de::IgnoredAny>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Room {
    repo_size: u64,
    storage_max: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeyEntry {
    name: String,
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Keys {
    keys: Option<Vec<KeyEntry>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Published {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Resolved {
    path: String,
}

/// The small questions to a Kubo.
#[derive(Clone)]
pub(super) struct Control {
    rpc: Rpc,
}

impl Control {
    pub(super) fn new(rpc: Rpc) -> Self {
        Self { rpc }
    }

    async fn ask<R: ApiRequest, T: DeserializeOwned>(
        &self,
        request: R,
        doing: &str,
        limit: Duration,
    ) -> Result<T, Failed> {
        let options = options_of(&request);
        let query: Vec<(&str, &str)> = options.iter().map(|(name, value)| (&**name, &**value)).collect();
        let call = Call { command: R::PATH.trim_start_matches('/'), query: &query, doing };
        self.rpc.call(&call, limit).await?.only(MAX_ANSWER_BYTES, limit).await
    }

    /// What the node says of itself. A right that is missing is an error, as nobody can publish without.
    pub(super) async fn status(&self) -> Result<Status> {
        let limit = self.rpc.timeouts.answer;
        let doing = "can't identify the node";
        let (release, identity, room, peers) = tokio::join!(
            self.version(),
            self.ask::<_, Identity>(Id { peer: None }, doing, limit),
            self.room("can't read the node's storage limits"),
            self.ask::<_, Peers>(SwarmPeers, "can't list the node's peers", limit),
        );
        let release = release?;
        let fail = |failed: Failed| failed.into_error(&self.rpc.place, doing);
        let (identity, room) = (identity.map_err(fail)?, room?);
        let peers = match peers {
            Ok(peers) => Some(peers.peers.map_or(0, |peers| peers.len() as u64)),
            // It is offline, or we may not know; neither hinders publishing.
            Err(Failed::Refused(_)) => None,
            Err(failed) => return Err(fail(failed)),
        };
        let agent = if identity.agent_version.is_empty() { format!("kubo/{release}") } else { identity.agent_version };
        Ok(Status {
            agent: printable_within(&self.rpc.secrets.clean(&agent), 100),
            peer_id: printable_within(&self.rpc.secrets.clean(&identity.id), 100),
            peers,
            repository_size: room.repo_size,
            storage_max: room.storage_max,
            served_at: None,
            providers: None,
        })
    }

    /// Its version; every known secret may ask for that.
    pub(super) async fn version(&self) -> Result<String> {
        let doing = "can't read the node's version";
        let release = self.ask::<_, Release>(Version, doing, self.rpc.timeouts.answer).await;
        release.map(|release| release.version).map_err(|failed| failed.into_error(&self.rpc.place, doing))
    }

    async fn room(&self, doing: &str) -> Result<Room> {
        let room = self.ask(RepositorySize { size_only: true }, doing, self.rpc.timeouts.answer).await;
        room.map_err(|failed| failed.into_error(&self.rpc.place, doing))
    }

    pub(super) async fn keys(&self) -> Result<Vec<Key>> {
        let doing = "can't list the node's keys";
        let keys = self.ask::<_, Keys>(KeyList, doing, self.rpc.timeouts.answer).await;
        let keys = keys.map_err(|failed| failed.into_error(&self.rpc.place, doing))?;
        keys.keys.unwrap_or_default().into_iter().map(|key| self.key(key, doing)).collect()
    }

    pub(super) async fn generate_key(&self, name: &str) -> Result<Key> {
        let doing = format!("can't create the key {}", printable_within(name, 100));
        let key =
            self.ask::<_, KeyEntry>(GenerateKey { arg: name, kind: "ed25519" }, &doing, self.rpc.timeouts.answer).await;
        self.key(key.map_err(|failed| failed.into_error(&self.rpc.place, &doing))?, &doing)
    }

    fn key(&self, entry: KeyEntry, doing: &str) -> Result<Key> {
        Ok(Key { name: entry.name, id: self.name(entry.id, doing)? })
    }

    /// An IPNS name, which will stand in paths and before people.
    fn name(&self, name: String, doing: &str) -> Result<String> {
        if (1..=128).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Ok(name);
        }
        let why = format!("{} as an IPNS name", printable_within(&name, 100));
        Err(failure::nonsense(&self.rpc.place, doing, &why))
    }

    /// Lets a name point to a path; answers the name.
    pub(super) async fn publish_name(&self, key: &str, path: &str) -> Result<String> {
        let doing = format!("can't publish {path} with the key {}", printable_within(key, 100));
        // The node holds the root already, and is not to look for it.
        let request = PublishName { arg: path, key, allow_offline: true, resolve: false };
        let published = self.ask::<_, Published>(request, &doing, self.rpc.timeouts.walk).await;
        self.name(published.map_err(|failed| failed.into_error(&self.rpc.place, &doing))?.name, &doing)
    }

    /// What a name points to, as this node sees it.
    pub(super) async fn resolve_name(&self, name: &str) -> Result<Option<String>> {
        let doing = format!("can't resolve {}", printable_within(name, 100));
        let request = ResolveName { arg: name, recursive: false, nocache: true, offline: true };
        match self.ask::<_, Resolved>(request, &doing, self.rpc.timeouts.answer).await {
            Ok(resolved) => Ok(Some(printable(&self.rpc.secrets.clean(&resolved.path)))),
            Err(Failed::Refused(answer)) if answer.is_missing_name() => Ok(None),
            Err(failed) => Err(failed.into_error(&self.rpc.place, &doing)),
        }
    }
}

/// A request's options as a query has them.
fn options_of<R: Serialize>(request: &R) -> Vec<(String, String)> {
    let Ok(serde_json::Value::Object(options)) = serde_json::to_value(request) else { return Vec::new() };
    let value = |value: serde_json::Value| match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text),
        other => Some(other.to_string()),
    };
    options.into_iter().filter_map(|(name, option)| Some((name, value(option)?))).collect()
}
