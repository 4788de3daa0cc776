//! Opens what a target names: reads its secrets, and gives them to the adapter that needs them and to nobody else.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use url::Url;

use super::secrets::{self, Variables};
use super::static_host;
use super::trial::World;
use crate::catalog::targets::{DnslinkSettings, NodeSettings, Secret, Target};
use crate::engine::publish::Places;
use crate::error::{Context as _, Error, Kind, Result};
use crate::hosts::Host;
use crate::naming::{TxtSet, Zone, world};
use crate::node::Node;
use crate::text::printable_within;

/// How long a gateway may take to answer.
const GATEWAY_TIMEOUT: Duration = Duration::from_secs(20);
/// An empty block inside its own CID (multihash `identity`): every gateway has it, and asks nobody for it.
const EMPTY_BLOCK: &str = "bafkqaaa";

/// Makes the adapters. A test has its own.
pub trait Connect: fmt::Debug + Send + Sync {
    /// This node; `authorisation` is what it wants to see.
    fn node(&self, node: &NodeSettings, authorisation: Option<&str>) -> Result<Arc<dyn Node>>;

    /// This static host; none where the settings are a node's.
    fn host(&self, _: &NodeSettings, _: &Variables) -> Option<Result<Arc<dyn Host>>> {
        None
    }

    /// Who changes this record; `secret` is the key or the token.
    fn zone(&self, dnslink: &DnslinkSettings, secret: Option<&str>) -> Result<Arc<dyn Zone>>;
}

/// The places that targets name, by the adapters of `connect`.
#[derive(Debug)]
pub struct Peers {
    variables: Variables,
    connect: Box<dyn Connect>,
}

impl Peers {
    /// Reads secrets from files and from these variables.
    pub fn new(variables: Variables, connect: impl Connect + 'static) -> Self {
        Self { variables, connect: Box::new(connect) }
    }

    /// How variables are read.
    pub fn variables(&self) -> &Variables {
        &self.variables
    }

    fn read(&self, secret: Option<&Secret>, target: &Target) -> Result<Option<secrets::Found>> {
        let found = secret.map(|secret| secrets::read(secret, &self.variables)).transpose();
        found
            .map_err(|error| match error.kind() {
                Kind::NotFound => error.hint("Name another file with `roadstead target set`."),
                _ => error,
            })
            .context(|| format!("target {}", target.name))
    }
}

fn zone_secret(target: &Target) -> Option<&Secret> {
    target.settings.dnslink.as_ref()?.zone.secret()
}

impl Places for Peers {
    fn host(&self, target: &Target) -> Result<Option<Arc<dyn Host>>> {
        let host = self.connect.host(&target.settings.node, &self.variables).transpose();
        host.context(|| format!("target {}", target.name))
    }

    fn node(&self, target: &Target) -> Result<Arc<dyn Node>> {
        let settings = &target.settings.node;
        if settings.is_host() {
            return Err(Error::new(
                Kind::Usage,
                format!("{} holds files, and no blocks, pins or names", settings.url()),
            ));
        }
        let secret = self.read(settings.authorisation(), target)?;
        self.connect.node(settings, secret.as_ref().map(secrets::Found::expose))
    }

    fn zone(&self, target: &Target) -> Result<Option<Arc<dyn Zone>>> {
        let Some(dnslink) = &target.settings.dnslink else { return Ok(None) };
        let secret = self.read(zone_secret(target), target)?;
        self.connect.zone(dnslink, secret.as_ref().map(secrets::Found::expose)).map(Some)
    }

    fn warnings(&self, target: &Target) -> Vec<String> {
        let node = &target.settings.node;
        if let Some(warnings) = static_host::warnings(node) {
            return warnings;
        }
        let in_clear = node.authorisation().and_then(|_| secrets::in_clear(node.url()));
        let secrets = [node.authorisation(), zone_secret(target)];
        let found = secrets.into_iter().flatten().filter_map(|secret| secrets::read(secret, &self.variables).ok());
        in_clear.into_iter().chain(found.filter_map(|found| found.warning)).collect()
    }
}

/// The network as this machine sees it.
#[derive(Debug, Clone, Copy)]
pub struct Internet;

#[async_trait]
impl World for Internet {
    async fn txt(&self, name: &str) -> Result<TxtSet> {
        world::txt(name).await
    }

    async fn gateway(&self, url: &str) -> Result<()> {
        let shown = printable_within(url, 200);
        let mut address =
            Url::parse(url).map_err(|_| Error::new(Kind::Usage, format!("invalid gateway URL `{shown}`")))?;
        if let Ok(mut parts) = address.path_segments_mut() {
            parts.pop_if_empty().extend(["ipfs", EMPTY_BLOCK]);
        }
        let client = crate::http::client()
            .redirect(crate::http::safe_redirects(3))
            .timeout(GATEWAY_TIMEOUT)
            .build()
            .map_err(|error| Error::new(Kind::Unexpected, "can't ask gateways").caused_by(error))?;
        let answer = client.get(address).send().await.map_err(|error| {
            Error::new(Kind::Network, format!("{shown} does not answer")).caused_by(error.without_url())
        })?;
        if !answer.status().is_success() {
            return Err(Error::new(Kind::Network, format!("{shown} answers {} for an empty block", answer.status()))
                .hint("It may not be a gateway, or serve only what it holds itself."));
        }
        Ok(())
    }
}
