//! The kinds of nodes and hosts that a target may have: one line of a table for each, from which the command line has its flags, a form its
//! fields, and publishing its adapters.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use super::addresses::{parsed, web_url};
use super::setting::Setting;
use super::{cluster, service, static_host};
use crate::catalog::targets::{KuboSettings, NodeSettings, OWN_NODE};
use crate::engine::Engine;
use crate::engine::own_node::OwnNode;
use crate::error::{Error, Kind, Result};
use crate::hosts::s3::address::Address as Bucket;
use crate::hosts::ssh::address::Address;
use crate::node::Node;
use crate::node::kubo::{Kubo, KuboOptions, Probed, probe};

/// A kind of node.
#[derive(Debug, Clone, Copy)]
pub struct NodeKind {
    /// The flag of the command line that takes its address, without dashes.
    pub flag: &'static str,
    /// What the flag is given: `URL`. None: the kind has no address, and the flag stands alone.
    pub value: Option<&'static str>,
    /// What the flag says in `--help`.
    pub help: &'static str,
    /// What a form says of the field.
    pub hint: &'static str,
    /// The address that a form takes if none is typed: a node on this machine.
    pub usual: &'static str,
    /// What its addresses begin with, where that tells it from others.
    pub scheme: &'static str,
    /// It holds the tree as files, and no blocks: it has no pins and no names.
    pub is_host: bool,
    /// It can publish IPNS names.
    pub has_names: bool,
    /// It stands for several peers that keep roots.
    pub has_peers: bool,
    /// Of a host: what can be set of it that others don't have.
    pub settings_of_hosts: &'static [Setting],
    /// The settings of one at this address, which wants no credentials; an error if it is no such address.
    settings: fn(&str) -> Result<NodeSettings>,
    /// The adapter for these settings, if they are of this kind, with these credentials.
    connect: Connector,
}

impl NodeKind {
    /// Whether its addresses are paths of this machine.
    pub fn is_path(&self) -> bool {
        self.scheme == "/"
    }
}

type Connector = fn(&NodeSettings, Option<&str>, &Arc<Engine>) -> Option<Result<Arc<dyn Node>>>;

/// All of them; the first is the one that is proposed.
pub const KINDS: &[NodeKind] = &[
    NodeKind {
        flag: "self",
        value: None,
        help: "Give the registry out with this program: `roadstead serve --ipfs`",
        hint: "empty or `self`: this program, while it serves; or a Kubo node's RPC URL, s3://BUCKET, /DIR, ssh://HOST/DIR, cluster:URL, pinning:URL",
        usual: OWN_NODE,
        scheme: "",
        is_host: false,
        has_names: true,
        has_peers: false,
        settings: |_| Ok(NodeSettings::own()),
        connect: |settings, _, engine| match settings {
            NodeSettings::Own(_) => Some(Ok(Arc::new(OwnNode::new(Arc::clone(engine))))),
            _ => None,
        },
        settings_of_hosts: &[],
    },
    NodeKind {
        flag: "kubo",
        value: Some("URL"),
        help: "RPC URL of the Kubo node",
        hint: "RPC URL of the Kubo node",
        usual: "http://127.0.0.1:5001",
        scheme: "",
        is_host: false,
        has_names: true,
        has_peers: false,
        settings: |address| Ok(NodeSettings::kubo(rpc_url(address)?)),
        connect: |settings, authorisation, _| match settings {
            NodeSettings::Kubo(KuboSettings { url, .. }) => Some(kubo(url, authorisation)),
            _ => None,
        },
        settings_of_hosts: &[],
    },
    NodeKind {
        flag: "s3",
        value: Some("BUCKET"),
        help: "Bucket that speaks the S3 API: `s3://BUCKET` or `s3://BUCKET/PREFIX`",
        hint: "the bucket, like s3://registry",
        usual: "s3://registry",
        scheme: "s3://",
        is_host: true,
        has_names: false,
        has_peers: false,
        settings: |address| Ok(NodeSettings::s3(Bucket::parse(address)?.text())),
        settings_of_hosts: &[Setting::AuthFile, Setting::Endpoint, Setting::Region, Setting::Grace],
        connect: |_, _, _| None,
    },
    NodeKind {
        flag: "directory",
        value: Some("DIR"),
        help: "Directory that a web server gives out: `DIR/current` is the tree, and is switched at once",
        hint: "the directory, like /srv/registry; a web server gives out `current` in it",
        usual: "/srv/registry",
        scheme: "/",
        is_host: true,
        has_names: false,
        has_peers: false,
        settings: |address| Ok(NodeSettings::directory(static_host::directory_path(address)?)),
        settings_of_hosts: &[Setting::Grace, Setting::Copy],
        connect: |_, _, _| None,
    },
    NodeKind {
        flag: "ssh",
        value: Some("ADDRESS"),
        help: "Directory of another machine, by ssh and rsync: `[USER@]HOST:DIR` or `ssh://[USER@]HOST[:PORT]/DIR`",
        hint: "the directory, like ssh://web@www.example.com/srv/registry; a web server there gives out `current` in it",
        usual: "ssh://www.example.com/srv/registry",
        scheme: "ssh://",
        is_host: true,
        has_names: false,
        has_peers: false,
        settings: |address| Ok(NodeSettings::ssh(Address::parse(address)?.text())),
        settings_of_hosts: &[Setting::AuthFile, Setting::Grace],
        connect: |_, _, _| None,
    },
    NodeKind {
        flag: "cluster",
        value: Some("URL"),
        help: "REST API URL of an IPFS Cluster",
        hint: "REST API URL of a cluster, like cluster:http://127.0.0.1:9094",
        usual: "http://127.0.0.1:9094",
        scheme: cluster::SCHEME,
        is_host: false,
        has_names: false,
        has_peers: true,
        settings_of_hosts: &[],
        settings: cluster::settings,
        connect: |settings, authorisation, _| match settings {
            NodeSettings::Cluster(settings) => Some(cluster::connect(settings, authorisation)),
            _ => None,
        },
    },
    NodeKind {
        flag: "pinning",
        value: Some("URL"),
        help: "URL of a Pinning Service API, which fetches what this program gives out",
        hint: "URL of a Pinning Service API, like pinning:https://api.example.com/psa",
        usual: "https://api.example.com/psa",
        scheme: service::SCHEME,
        is_host: false,
        has_names: false,
        has_peers: false,
        settings_of_hosts: &[],
        settings: service::settings,
        connect: |settings, authorisation, engine| match settings {
            NodeSettings::Pinning(settings) => Some(service::connect(settings, authorisation, engine)),
            _ => None,
        },
    },
];

/// How a target is added, for those who have none.
pub const ADD_TARGET_HINT: &str = "`roadstead target add NAME --self` adds one.";

/// Where a node is.
#[derive(Debug, Clone)]
pub struct NodeAddress {
    /// Of which kind it is.
    pub kind: &'static NodeKind,
    /// As it is given.
    pub address: String,
}

impl NodeAddress {
    /// What a person means who is asked for one address, whatever its kind: the word of a kind without one, or an address.
    pub fn typed(text: &str) -> Self {
        let kind = KINDS.iter().find(|kind| kind.value.is_none() && text.trim().eq_ignore_ascii_case(kind.usual));
        let by_scheme = |kind: &&NodeKind| !kind.scheme.is_empty() && text.trim().starts_with(kind.scheme);
        let kind = kind.or_else(|| KINDS.iter().find(by_scheme));
        let kind = kind.or_else(|| KINDS.iter().find(|kind| kind.value.is_some())).unwrap_or(&KINDS[0]);
        Self { kind, address: text.to_owned() }
    }

    /// Settings with this address, which wants no credentials.
    pub(super) fn settings(&self) -> Result<NodeSettings> {
        (self.kind.settings)(&self.address)
    }
}

/// The adapter for a node with these settings.
pub(super) fn connect(
    settings: &NodeSettings,
    authorisation: Option<&str>,
    engine: &Arc<Engine>,
) -> Result<Arc<dyn Node>> {
    let connected = KINDS.iter().find_map(|kind| (kind.connect)(settings, authorisation, engine));
    connected.unwrap_or_else(|| Err(Error::new(Kind::Unexpected, "this kind of node is not supported")))
}

/// The address of a node as a person types it who may name any kind.
pub fn typed(settings: &NodeSettings) -> String {
    match settings {
        NodeSettings::Cluster(cluster) => format!("{}{}", cluster::SCHEME, cluster.url),
        NodeSettings::Pinning(service) => format!("{}{}", service::SCHEME, service.url),
        _ => settings.url().to_owned(),
    }
}

/// What is said if a target is to be added without a node: `--kubo URL`.
pub(super) fn flags() -> String {
    let flags = KINDS.iter().map(|kind| match kind.value {
        Some(value) => format!("`--{} {value}`", kind.flag),
        None => format!("`--{}`", kind.flag),
    });
    flags.collect::<Vec<_>>().join(" or ")
}

fn rpc_url(text: &str) -> Result<String> {
    let url = web_url(text, "the node", "https://node.example.com:5001")?;
    // Whoever copies it from a manual has the end of it too.
    Ok(url.strip_suffix("/api/v0").unwrap_or(&url).trim_end_matches('/').to_owned())
}

fn kubo(url: &str, authorisation: Option<&str>) -> Result<Arc<dyn Node>> {
    let options = KuboOptions { authorisation: authorisation.map(str::to_owned), ..KuboOptions::new(parsed(url)?) };
    Ok(Arc::new(Kubo::new(&options)?))
}

/// What answers on this machine where nodes usually do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocalNode {
    /// A node: what it is and its version.
    Found(String),
    /// Something else, or a node that wants credentials.
    Other,
    /// Nothing listens there.
    Nothing,
}

/// Where nodes usually answer on this machine.
pub const LOCAL_NODE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 5001);

/// Asks [`LOCAL_NODE`] for its version. Takes a second at most.
pub async fn local_node() -> LocalNode {
    match probe(LOCAL_NODE).await {
        Probed::Kubo(version) => LocalNode::Found(format!("Kubo {version}")),
        Probed::Other => LocalNode::Other,
        Probed::Nothing => LocalNode::Nothing,
    }
}
