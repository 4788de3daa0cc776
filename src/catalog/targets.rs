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

    /// What is known of a static host; none of a node.
    pub fn host(&self) -> Option<&S3Settings> {
        match self {
            Self::S3(bucket) => Some(bucket),
            Self::Kubo(_) | Self::Own(_) => None,
        }
    }

    /// The same, to be changed.
    pub fn host_mut(&mut self) -> Option<&mut S3Settings> {
        match self {
            Self::S3(bucket) => Some(bucket),
            Self::Kubo(_) | Self::Own(_) => None,
        }
    }

    /// Whether it holds the tree as files, and no blocks.
    pub fn is_host(&self) -> bool {
        matches!(self, Self::S3(_))
    }

    /// Days for which objects stay that nothing needs any more; nodes have none.
    pub fn grace_days(&self) -> u32 {
        match self {
            Self::S3(bucket) => bucket.grace_days,
            Self::Kubo(_) | Self::Own(_) => DEFAULT_GRACE_DAYS,
        }
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
        }
    }

    /// Where its secret is.
    pub fn authorisation(&self) -> Option<&Secret> {
        match self {
            Self::Kubo(kubo) => kubo.authorisation.as_ref(),
            Self::S3(bucket) => bucket.credentials.as_ref(),
            Self::Own(_) => None,
        }
    }

    /// Its secret is there from now on.
    pub fn set_authorisation(&mut self, authorisation: Option<Secret>) {
        match self {
            Self::Kubo(kubo) => kubo.authorisation = authorisation,
            Self::S3(bucket) => bucket.credentials = authorisation,
            Self::Own(_) => {}
        }
    }

    /// How a host is reached, besides its address, for people.
    pub fn reached(&self) -> Vec<(&'static str, String)> {
        let Self::S3(bucket) = self else { return Vec::new() };
        let endpoint = bucket.endpoint.iter().map(|endpoint| ("endpoint", endpoint.clone()));
        let region = bucket.region.iter().map(|region| ("region", region.clone()));
        let grace = ("grace", format!("{} d: how long objects stay that nothing needs", bucket.grace_days));
        endpoint.chain(region).chain([grace]).collect()
    }

    /// Whether two targets share pins, since both mean the same node.
    pub fn is_same_node(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Kubo(one), Self::Kubo(other)) => one.url == other.url,
            (Self::Own(_), Self::Own(_)) => true,
            (Self::S3(one), Self::S3(other)) => one.bucket == other.bucket && one.endpoint == other.endpoint,
            _ => false,
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

/// Adds a target, or gives the one of this name other settings.
pub fn save(writer: &Writer<'_>, name: &str, settings: &TargetSettings, now: i64) -> Result<()> {
    let json = serde_json::to_string(settings)
        .map_err(|error| Error::new(Kind::Unexpected, "can't keep the target's settings").caused_by(error))?;
    writer
        .prepare_cached(
            "INSERT INTO targets (name, settings, added_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (name) DO UPDATE SET settings = excluded.settings",
        )?
        .execute(params![name, json, now])?;
    Ok(())
}

/// Removes a target; its history stays. Whether there was one.
pub fn remove(writer: &Writer<'_>, name: &str) -> Result<bool> {
    Ok(writer.prepare_cached("DELETE FROM targets WHERE name = ?")?.execute([name])? > 0)
}
