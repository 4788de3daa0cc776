//! What is asked of a Kubo beside its data: who it is, its peers, its room, its keys and names.
//!
//! A node on this machine is asked through `ipfs-api-backend-hyper`, any other through [`Rpc`]; both send the same requests.
//! That library knows no TLS, no path before the RPC and no bearer tokens, and reads errors without a cap, so it is not
//! used for a node that is not ours. Its answers are read here: Kubo has dropped fields that its types insist on.

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use ipfs_api_backend_hyper::request::{ApiRequest, Id, KeyList, SwarmPeers, Version};
use ipfs_api_backend_hyper::{Error as LocalError, IpfsApi, IpfsClient, TryFromUri as _};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use std::time::Duration;

use super::failure::{self, Answer};
use super::options::{Authorisation, KuboOptions};
use super::reply::Failed;
use super::rpc::{Call, Rpc};
use crate::error::Result;
use crate::node::{Key, Status};
use crate::text::{printable, printable_within};

/// The most bytes of an answer: some ten thousand peers or keys.
const ANSWER: usize = 4 << 20;

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
    local: Option<IpfsClient>,
}

impl Control {
    /// Chooses the way to the node.
    pub(super) fn new(rpc: Rpc, options: &KuboOptions, authorisation: Option<&Authorisation>) -> Self {
        let is_plain = options.url.scheme() == "http" && rpc.is_local && rpc.has_no_prefix();
        let credentials = authorisation.map(|authorisation| authorisation.basic.clone());
        let local = match credentials {
            _ if !is_plain => None,
            None => IpfsClient::from_str(options.url.as_str()).ok(),
            Some(None) => None,
            Some(Some((user, password))) => {
                IpfsClient::from_str(options.url.as_str()).ok().map(|client| client.with_credentials(user, password))
            }
        };
        Self { rpc, local }
    }

    /// Whether the node is asked through the library for nodes on this machine.
    pub(super) fn is_local(&self) -> bool {
        self.local.is_some()
    }

    async fn ask<R: ApiRequest, T: DeserializeOwned>(
        &self,
        request: R,
        doing: &str,
        limit: Duration,
    ) -> Result<T, Failed> {
        match &self.local {
            Some(local) => self.ask_local(local, request, doing, limit).await,
            None => self.ask_remote(request, doing, limit).await,
        }
    }

    async fn ask_local<R: ApiRequest, T: DeserializeOwned>(
        &self,
        local: &IpfsClient,
        request: R,
        doing: &str,
        limit: Duration,
    ) -> Result<T, Failed> {
        let place = &self.rpc.place;
        let secrets = &self.rpc.secrets;
        let nonsense = |why: &str| Failed::Broken(failure::nonsense(place, doing, &secrets.clean(why)));
        match timeout(limit, collect(local, request)).await {
            Err(_) => Err(Failed::Broken(failure::stalled(place, doing, limit.as_secs()))),
            Ok(Ok(Some(bytes))) => serde_json::from_slice(&bytes).map_err(|error| nonsense(&error.to_string())),
            Ok(Ok(None)) => Err(nonsense("more than it could be")),
            Ok(Err(LocalError::Api(error))) => {
                Err(Failed::Refused(Answer::read(None, error.message.as_bytes()).clean(secrets)))
            }
            Ok(Err(LocalError::Client(error))) if error.is_connect() => {
                Err(Failed::Broken(failure::unreachable(place, doing, &innermost(&error), true)))
            }
            Ok(Err(LocalError::IpfsClientError(error))) => {
                Err(Failed::Refused(Answer::read(None, unrecognised(&error.to_string()).as_bytes()).clean(secrets)))
            }
            Ok(Err(error)) => Err(Failed::Broken(failure::cut(place, doing, &innermost(&error)))),
        }
    }

    async fn ask_remote<R: ApiRequest, T: DeserializeOwned>(
        &self,
        request: R,
        doing: &str,
        limit: Duration,
    ) -> Result<T, Failed> {
        let options = options_of(&request);
        let query: Vec<(&str, &str)> = options.iter().map(|(name, value)| (&**name, &**value)).collect();
        let call = Call { command: R::PATH.trim_start_matches('/'), query: &query, doing };
        self.rpc.call(&call, limit).await?.only(ANSWER, limit).await
    }

    /// What the node says of itself. A right that is missing is an error, as nobody can publish without.
    pub(super) async fn status(&self) -> Result<Status> {
        let limit = self.rpc.timeouts.answer;
        let doing = "can't ask the node what it is";
        let (release, identity, room, peers) = tokio::join!(
            self.version(),
            self.ask::<_, Identity>(Id { peer: None }, doing, limit),
            self.room("can't ask the node for its room"),
            self.ask::<_, Peers>(SwarmPeers, "can't ask the node for its peers", limit),
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
        })
    }

    /// Its version; every known secret may ask for that.
    pub(super) async fn version(&self) -> Result<String> {
        let doing = "can't ask the node for its version";
        let release = self.ask::<_, Release>(Version, doing, self.rpc.timeouts.answer).await;
        release.map(|release| release.version).map_err(|failed| failed.into_error(&self.rpc.place, doing))
    }

    async fn room(&self, doing: &str) -> Result<Room> {
        let room = self.ask(RepositorySize { size_only: true }, doing, self.rpc.timeouts.answer).await;
        room.map_err(|failed| failed.into_error(&self.rpc.place, doing))
    }

    /// The keys it has.
    pub(super) async fn keys(&self) -> Result<Vec<Key>> {
        let doing = "can't list the node's keys";
        let keys = self.ask::<_, Keys>(KeyList, doing, self.rpc.timeouts.answer).await;
        let keys = keys.map_err(|failed| failed.into_error(&self.rpc.place, doing))?;
        keys.keys.unwrap_or_default().into_iter().map(|key| self.key(key, doing)).collect()
    }

    /// Makes a key.
    pub(super) async fn generate_key(&self, name: &str) -> Result<Key> {
        let doing = format!("can't make the key {}", printable_within(name, 100));
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

/// The answer through the library; nothing if it is too large.
async fn collect<B: IpfsApi, R: ApiRequest>(client: &B, request: R) -> Result<Option<Bytes>, B::Error> {
    let request = client.build_base_request(request, None)?;
    let mut pieces = client.request_stream(request, |response| B::response_to_byte_stream(response));
    let mut whole = BytesMut::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        if whole.len() + piece.len() > ANSWER {
            return Ok(None);
        }
        whole.extend_from_slice(&piece);
    }
    Ok(Some(whole.freeze()))
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

/// An error that is not in JSON, without the library's words around it.
fn unrecognised(text: &str) -> &str {
    let text = text.strip_prefix("api returned an unknown error").unwrap_or(text).trim();
    text.trim_matches('`')
}

fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
