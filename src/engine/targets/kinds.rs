//! The kinds of nodes and hosts that a target may have: one line of a table for each, from which the command line has its flags, a form its
//! fields, and publishing its adapters.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use url::Url;

use super::addresses::web_url;
use super::bucket;
use super::secrets::Variables;
use crate::catalog::targets::{KuboSettings, NodeSettings, OWN_NODE};
use crate::engine::Engine;
use crate::engine::own_node::OwnNode;
use crate::error::{Error, Kind, Result};
use crate::hosts::Host;
use crate::hosts::s3::address::Address;
use crate::node::Node;
use crate::node::kubo::{Kubo, KuboOptions, Probed, probe};
use crate::text::printable_within;

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
    /// The settings of one at this address, which wants no credentials; an error if it is no such address.
    settings: fn(&str) -> Result<NodeSettings>,
    /// The adapter for these settings, if they are of this kind, with these credentials.
    connect: Connector,
}

type Connector = fn(&NodeSettings, Option<&str>, &Arc<Engine>) -> Option<Result<Arc<dyn Node>>>;

/// All of them; the first is the one that is proposed.
pub const KINDS: &[NodeKind] = &[
    NodeKind {
        flag: "self",
        value: None,
        help: "Give the registry out with this program: `roadstead serve --ipfs`",
        hint: "empty or `self`: `roadstead serve --ipfs`; or the RPC URL of a Kubo node, or a bucket like s3://registry",
        usual: OWN_NODE,
        scheme: "",
        is_host: false,
        settings: |_| Ok(NodeSettings::own()),
        connect: |settings, _, engine| match settings {
            NodeSettings::Own(_) => Some(Ok(Arc::new(OwnNode::new(Arc::clone(engine))))),
            _ => None,
        },
    },
    NodeKind {
        flag: "kubo",
        value: Some("URL"),
        help: "RPC URL of the Kubo node",
        hint: "RPC URL of the Kubo node",
        usual: "http://127.0.0.1:5001",
        scheme: "",
        is_host: false,
        settings: |address| Ok(NodeSettings::kubo(rpc_url(address)?)),
        connect: |settings, authorisation, _| match settings {
            NodeSettings::Kubo(KuboSettings { url, .. }) => Some(kubo(url, authorisation)),
            _ => None,
        },
    },
    NodeKind {
        flag: "s3",
        value: Some("BUCKET"),
        help: "Bucket that speaks the S3 API: `s3://BUCKET` or `s3://BUCKET/PREFIX`",
        hint: "the bucket, like s3://registry",
        usual: "s3://registry",
        scheme: "s3://",
        is_host: true,
        settings: |address| Ok(NodeSettings::s3(Address::parse(address)?.text())),
        connect: |_, _, _| None,
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

/// The adapter for a static host with these settings; none where they are a node's.
pub(super) fn connect_host(settings: &NodeSettings, variables: &Variables) -> Option<Result<Arc<dyn Host>>> {
    match settings {
        NodeSettings::S3(settings) => Some(bucket::connect(settings, variables)),
        NodeSettings::Own(_) | NodeSettings::Kubo(_) => None,
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
    let parsed = Url::parse(url).map_err(|_| {
        Error::new(Kind::Usage, format!("invalid node URL `{}`", printable_within(url, 200)))
            .hint("Write it like `http://127.0.0.1:5001`.")
    })?;
    let options = KuboOptions { authorisation: authorisation.map(str::to_owned), ..KuboOptions::new(parsed) };
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
