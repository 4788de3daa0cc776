//! Targets: places that hold the registry and names that point to it.
//!
//! Knows what is kept of them. A secret is never kept: only the file or the variable it is in.

use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::{Deserialize, Serialize};

use super::Writer;
use crate::error::{Error, Kind, Result};

/// What stands for the program's own node where others have a URL.
pub const OWN_NODE: &str = "self";

/// Where a secret is kept. The secret itself is read when it is used and never enters the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Secret {
    /// In this file; white space around it does not belong to it.
    File(PathBuf),
    /// In this environment variable.
    Variable(String),
}

/// What holds the registry's blocks: one of several kinds, told apart by the name of their first field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum NodeSettings {
    /// Kubo (go-ipfs), reached by its RPC API.
    Kubo(KuboSettings),
    /// This program: `serve --ipfs` gives out what is published to it.
    Own(OwnSettings),
    /// A bucket that speaks the S3 API, which holds the tree as objects.
    S3(S3Settings),
    /// IPFS Cluster, reached by its REST API.
    Cluster(ClusterSettings),
    /// A service that fetches and keeps what it is told to.
    Pinning(PinningSettings),
    /// A directory of this machine, which holds the tree as files.
    Directory(DirectorySettings),
    /// A directory of another machine, reached by ssh.
    Ssh(SshSettings),
}

/// How to reach a cluster by its REST API (ipfscluster.io/documentation/reference/api).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterSettings {
    /// The URL of its REST API. Never with credentials.
    #[serde(rename = "cluster")]
    pub url: String,
    /// What it wants to see: `basic:USER:PASSWORD`, `bearer:TOKEN`, or a bare token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorisation: Option<Secret>,
    /// At how many peers roots are kept; none: as the cluster is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication: Option<ReplicationSettings>,
}

/// At how many peers of a cluster a root is kept; -1 stands for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicationSettings {
    /// Fewer are an error.
    pub min: i32,
    /// More are not wanted.
    pub max: i32,
}

/// How to reach a pinning service (ipfs.github.io/pinning-services-api-spec).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinningSettings {
    /// The URL of its API, below which `/pins` is. Never with credentials.
    #[serde(rename = "pinning")]
    pub url: String,
    /// The access token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorisation: Option<Secret>,
}

/// How the program's own node is told from others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnSettings {
    /// Always [`SelfWord`]: there is one in a data directory, and it has no address.
    #[serde(rename = "self")]
    pub word: SelfWord,
}

/// The word that stands where other nodes have an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SelfWord {
    /// `serve`.
    #[serde(rename = "serve")]
    Serve,
}

/// How to reach a Kubo node by its RPC API (docs.ipfs.tech/reference/kubo/rpc).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KuboSettings {
    /// The URL of its RPC; a path before `/api/v0` is kept. Never with credentials.
    #[serde(rename = "kubo")]
    pub url: String,
    /// What it wants to see: `bearer:TOKEN`, `basic:USER:PASSWORD`, or a bare token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorisation: Option<Secret>,
}

/// How to reach a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct S3Settings {
    /// `s3://BUCKET[/PREFIX]`.
    #[serde(rename = "s3")]
    pub bucket: String,
    /// Where requests go; none: AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The region; none: the one that AWS's variables and profiles say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// A file as `~/.aws/credentials`, instead of where AWS's tools look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Secret>,
    /// Days for which objects stay that nothing needs any more.
    #[serde(default = "default_grace_days")]
    pub grace_days: u32,
}

/// A directory of this machine that a web server gives out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectorySettings {
    /// Its absolute path.
    #[serde(rename = "directory")]
    pub path: String,
    /// No hard links into the blob store: files of their own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub copy: bool,
    /// Days for which files stay that nothing needs any more.
    #[serde(default = "default_grace_days")]
    pub grace_days: u32,
}

/// How to reach a directory of another machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshSettings {
    /// `ssh://[USER@]HOST[:PORT]/PATH`, where `/~/` is the user's own directory.
    #[serde(rename = "ssh")]
    pub address: String,
    /// A file with the private key, instead of those that ssh tries by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Secret>,
    /// Days for which files stay that nothing needs any more.
    #[serde(default = "default_grace_days")]
    pub grace_days: u32,
}

/// Days for which objects stay that nothing needs any more, where nothing else is said.
pub const DEFAULT_GRACE_DAYS: u32 = 7;

fn default_grace_days() -> u32 {
    DEFAULT_GRACE_DAYS
}

impl NodeSettings {
    /// A bucket of AWS, with credentials as AWS's tools find them.
    pub fn s3(bucket: impl Into<String>) -> Self {
        Self::S3(S3Settings {
            bucket: bucket.into(),
            endpoint: None,
            region: None,
            credentials: None,
            grace_days: DEFAULT_GRACE_DAYS,
        })
    }

    /// A directory of this machine.
    pub fn directory(path: impl Into<String>) -> Self {
        Self::Directory(DirectorySettings { path: path.into(), copy: false, grace_days: DEFAULT_GRACE_DAYS })
    }

    /// A directory of another machine, with the keys that ssh tries by itself.
    pub fn ssh(address: impl Into<String>) -> Self {
        Self::Ssh(SshSettings { address: address.into(), key: None, grace_days: DEFAULT_GRACE_DAYS })
    }

    /// What is known of a bucket; none of others.
    pub fn bucket(&self) -> Option<&S3Settings> {
        match self {
            Self::S3(bucket) => Some(bucket),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub fn bucket_mut(&mut self) -> Option<&mut S3Settings> {
        match self {
            Self::S3(bucket) => Some(bucket),
            _ => None,
        }
    }

    /// Whether it holds the tree as files, and no blocks.
    pub fn is_host(&self) -> bool {
        matches!(self, Self::S3(_) | Self::Directory(_) | Self::Ssh(_))
    }

    /// Days for which objects stay that nothing needs any more; nodes have none.
    pub fn grace_days(&self) -> u32 {
        match self {
            Self::S3(bucket) => bucket.grace_days,
            Self::Directory(directory) => directory.grace_days,
            Self::Ssh(ssh) => ssh.grace_days,
            Self::Kubo(_) | Self::Own(_) | Self::Cluster(_) | Self::Pinning(_) => DEFAULT_GRACE_DAYS,
        }
    }

    /// The same, to be changed; none of nodes.
    pub fn grace_days_mut(&mut self) -> Option<&mut u32> {
        match self {
            Self::S3(bucket) => Some(&mut bucket.grace_days),
            Self::Directory(directory) => Some(&mut directory.grace_days),
            Self::Ssh(ssh) => Some(&mut ssh.grace_days),
            Self::Kubo(_) | Self::Own(_) | Self::Cluster(_) | Self::Pinning(_) => None,
        }
    }

    /// Whether a directory gets files of its own instead of hard links into the blob store.
    pub fn copies(&self) -> bool {
        matches!(self, Self::Directory(directory) if directory.copy)
    }

    /// At how many peers roots are kept, where that is said.
    pub fn replication(&self) -> Option<ReplicationSettings> {
        match self {
            Self::Cluster(cluster) => cluster.replication,
            _ => None,
        }
    }

    /// Whether it stands for several peers that keep roots.
    pub fn has_peers(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }

    /// Whether what it holds can be read back from it. If not, that is only known of what a gateway gave out.
    pub fn can_be_read(&self) -> bool {
        !matches!(self, Self::Cluster(_) | Self::Pinning(_))
    }

    /// Whether it can publish IPNS names.
    pub fn has_names(&self) -> bool {
        matches!(self, Self::Kubo(_) | Self::Own(_))
    }

    /// A cluster that wants no credentials, with as many copies as it is configured for.
    pub fn cluster(url: impl Into<String>) -> Self {
        Self::Cluster(ClusterSettings { url: url.into(), authorisation: None, replication: None })
    }

    /// A pinning service, without its access token.
    pub fn pinning(url: impl Into<String>) -> Self {
        Self::Pinning(PinningSettings { url: url.into(), authorisation: None })
    }

    /// The program's own node.
    pub fn own() -> Self {
        Self::Own(OwnSettings { word: SelfWord::Serve })
    }

    /// A Kubo node that wants no credentials.
    pub fn kubo(url: impl Into<String>) -> Self {
        Self::Kubo(KuboSettings { url: url.into(), authorisation: None })
    }

    /// Where it is, for people, and where its secret goes.
    pub fn url(&self) -> &str {
        match self {
            Self::Kubo(kubo) => &kubo.url,
            Self::Own(_) => OWN_NODE,
            Self::S3(bucket) => &bucket.bucket,
            Self::Cluster(cluster) => &cluster.url,
            Self::Pinning(service) => &service.url,
            Self::Directory(directory) => &directory.path,
            Self::Ssh(ssh) => &ssh.address,
        }
    }

    /// Where its secret is.
    pub fn authorisation(&self) -> Option<&Secret> {
        match self {
            Self::Kubo(kubo) => kubo.authorisation.as_ref(),
            Self::S3(bucket) => bucket.credentials.as_ref(),
            Self::Cluster(cluster) => cluster.authorisation.as_ref(),
            Self::Pinning(service) => service.authorisation.as_ref(),
            Self::Ssh(ssh) => ssh.key.as_ref(),
            Self::Own(_) | Self::Directory(_) => None,
        }
    }

    /// Its secret is there from now on.
    pub fn set_authorisation(&mut self, authorisation: Option<Secret>) {
        match self {
            Self::Kubo(kubo) => kubo.authorisation = authorisation,
            Self::S3(bucket) => bucket.credentials = authorisation,
            Self::Cluster(cluster) => cluster.authorisation = authorisation,
            Self::Pinning(service) => service.authorisation = authorisation,
            Self::Ssh(ssh) => ssh.key = authorisation,
            Self::Own(_) | Self::Directory(_) => {}
        }
    }

    /// How a host or a cluster is reached and used, besides its address, for people.
    pub fn reached(&self) -> Vec<(&'static str, String)> {
        let mut facts = Vec::new();
        match self {
            Self::S3(bucket) => {
                facts.extend(bucket.endpoint.iter().map(|endpoint| ("endpoint", endpoint.clone())));
                facts.extend(bucket.region.iter().map(|region| ("region", region.clone())));
            }
            Self::Directory(directory) => {
                let files = if directory.copy { "copies" } else { "hard links into the blob store where possible" };
                facts.push(("files", files.to_owned()));
            }
            Self::Ssh(_) => {}
            Self::Cluster(cluster) => {
                facts.extend(cluster.replication.map(|replication| ("replication", replication.words())));
                return facts;
            }
            Self::Kubo(_) | Self::Own(_) | Self::Pinning(_) => return facts,
        }
        facts.push(("grace", format!("{} d: how long objects stay that nothing needs", self.grace_days())));
        facts
    }

    /// Whether two targets of different kinds may be one place by two ways in: a cluster has the API of a pinning service, too.
    pub fn may_be_same_place(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Cluster(_), Self::Pinning(_)) | (Self::Pinning(_), Self::Cluster(_)))
    }

    /// Whether two targets share pins, since both mean the same node.
    pub fn is_same_node(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Kubo(one), Self::Kubo(other)) => one.url == other.url,
            (Self::Own(_), Self::Own(_)) => true,
            (Self::Cluster(one), Self::Cluster(other)) => one.url == other.url,
            (Self::Pinning(one), Self::Pinning(other)) => one.url == other.url,
            (Self::S3(one), Self::S3(other)) => one.bucket == other.bucket && one.endpoint == other.endpoint,
            (Self::Directory(one), Self::Directory(other)) => one.path == other.path,
            (Self::Ssh(one), Self::Ssh(other)) => one.address == other.address,
            _ => false,
        }
    }
}

impl ReplicationSettings {
    /// At all peers.
    pub const ALL: Self = Self { min: -1, max: -1 };

    /// As a flag takes it: `2`, `2-3`, `all`.
    pub fn text(self) -> String {
        match (self.min, self.max) {
            (min, _) if min < 0 => "all".to_owned(),
            (min, max) if min == max => min.to_string(),
            (min, max) => format!("{min}-{max}"),
        }
    }

    /// In words.
    pub fn words(self) -> String {
        match (self.min, self.max) {
            (min, _) if min < 0 => "all peers keep each root".to_owned(),
            (1, 1) => "1 peer keeps each root".to_owned(),
            (min, max) if min == max => format!("{min} peers keep each root"),
            (min, max) => format!("{min} to {max} peers keep each root"),
        }
    }
}

/// Who can change the DNSLink record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum ZoneSettings {
    /// A server that takes updates (RFC 2136) signed with TSIG (RFC 8945).
    Rfc2136 {
        /// `HOST:PORT`, where the port is always given; DNS listens on 53.
        server: String,
        /// Name of the TSIG key, as the server's configuration has it.
        key: String,
        /// HMAC algorithm of the key (RFC 8945, section 6): `hmac-sha256` …
        algorithm: String,
        /// Where the key is, in base64.
        secret: Secret,
    },
    /// A hosted DNS provider, reached by its web API.
    Provider {
        /// Its name: `cloudflare`, `digitalocean`, `desec`, `ovh`, `route53` …
        provider: String,
        /// Its token; where it wants several values, they are separated by colons.
        token: Secret,
    },
    /// A person; the program says what to set, and waits.
    Manual,
}

impl ZoneSettings {
    /// Where the key or the token is.
    pub fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Rfc2136 { secret, .. } | Self::Provider { token: secret, .. } => Some(secret),
            Self::Manual => None,
        }
    }
}

/// A DNSLink record and who can change it (dnslink.dev).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnslinkSettings {
    /// The domain; its record is at `_dnslink.` below it.
    pub domain: String,
    /// Who can change the record.
    pub zone: ZoneSettings,
    /// Its time to live in seconds.
    pub ttl: u32,
}

/// What is known of a target, besides its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetSettings {
    /// The node that holds the registry.
    pub node: NodeSettings,
    /// How many published roots stay pinned, the newest included.
    pub keep: u32,
    /// The node's key whose IPNS name points to the newest root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipns: Option<String>,
    /// The DNSLink record that points to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dnslink: Option<DnslinkSettings>,
    /// Gateways that are asked for the new root after publishing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gateways: Vec<String>,
}

/// A target as the catalog has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Row in `targets`. Removing it leaves its publications, which name no target any more.
    pub id: i64,
    /// Unique among targets; what people type.
    pub name: String,
    /// Kept as one JSON document.
    pub settings: TargetSettings,
    /// When it was added, in seconds since 1970.
    pub added_at: i64,
}

fn target(row: &Row<'_>) -> rusqlite::Result<Target> {
    let settings: String = row.get(2)?;
    let settings = serde_json::from_str(&settings)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(2, rusqlite::types::Type::Text, Box::new(error)))?;
    Ok(Target { id: row.get(0)?, name: row.get(1)?, settings, added_at: row.get(3)? })
}

/// All targets, by name.
pub fn all(connection: &Connection) -> Result<Vec<Target>> {
    let mut statement = connection.prepare_cached("SELECT id, name, settings, added_at FROM targets ORDER BY name")?;
    let rows = statement.query_map([], target)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The target of this name.
pub fn by_name(connection: &Connection, name: &str) -> Result<Option<Target>> {
    let mut statement = connection.prepare_cached("SELECT id, name, settings, added_at FROM targets WHERE name = ?")?;
    Ok(statement.query_row([name], target).optional()?)
}

/// Adds a target, or gives the one of this name other settings: what was found out about its host may be true no longer.
pub fn save(writer: &Writer<'_>, name: &str, settings: &TargetSettings, now: i64) -> Result<()> {
    let json = serde_json::to_string(settings)
        .map_err(|error| Error::new(Kind::Unexpected, "can't keep the target's settings").caused_by(error))?;
    writer
        .prepare_cached(
            "INSERT INTO targets (name, settings, added_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (name) DO UPDATE SET settings = excluded.settings, listed_at = NULL, conditional = NULL",
        )?
        .execute(params![name, json, now])?;
    Ok(())
}

/// Removes a target; its history stays. Whether there was one.
pub fn remove(writer: &Writer<'_>, name: &str) -> Result<bool> {
    Ok(writer.prepare_cached("DELETE FROM targets WHERE name = ?")?.execute([name])? > 0)
}
