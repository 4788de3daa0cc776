//! The adapters of this program.

use std::fmt;
use std::sync::Arc;

use super::{Connect, Variables, kinds, static_host};
use crate::catalog::targets::{DnslinkSettings, NodeSettings, ZoneSettings};
use crate::engine::Engine;
use crate::error::Result;
use crate::hosts::Host;
use crate::naming::manual::{Manual, Prompt};
use crate::naming::provider::Provider;
use crate::naming::rfc2136::Rfc2136;
use crate::naming::{TxtSet, Zone};
use crate::node::Node;

/// Real nodes and real zones.
#[derive(Clone)]
pub struct Adapters {
    engine: Arc<Engine>,
    prompt: Prompt,
}

impl fmt::Debug for Adapters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adapters").finish_non_exhaustive()
    }
}

impl Adapters {
    /// `engine` is what the program's own node gives out. Where a person changes the record, `prompt` tells them its name and what it
    /// has to say.
    pub fn new(engine: Arc<Engine>, prompt: impl Fn(&str, &TxtSet) + Send + Sync + 'static) -> Self {
        Self { engine, prompt: Arc::new(prompt) }
    }
}

impl Connect for Adapters {
    fn node(&self, node: &NodeSettings, authorisation: Option<&str>) -> Result<Arc<dyn Node>> {
        kinds::connect(node, authorisation, &self.engine)
    }

    fn host(&self, node: &NodeSettings, variables: &Variables) -> Option<Result<Arc<dyn Host>>> {
        static_host::connect(node, variables, &self.engine)
    }

    fn zone(&self, dnslink: &DnslinkSettings, secret: Option<&str>) -> Result<Arc<dyn Zone>> {
        let secret = secret.unwrap_or_default();
        Ok(match &dnslink.zone {
            ZoneSettings::Rfc2136 { server, key, algorithm, .. } => {
                Arc::new(Rfc2136::new(server, key, algorithm, secret)?)
            }
            ZoneSettings::Provider { provider, .. } => Arc::new(Provider::new(provider, secret)?),
            ZoneSettings::Manual => Arc::new(Manual::new(Arc::clone(&self.prompt))),
        })
    }
}
