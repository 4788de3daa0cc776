//! The adapters of this program.

use std::fmt;
use std::sync::Arc;

use url::Url;

use super::Connect;
use crate::catalog::targets::{DnslinkSettings, KuboSettings, NodeSettings, ZoneSettings};
use crate::error::{Error, Kind, Result};
use crate::naming::manual::{Manual, Prompt};
use crate::naming::provider::Provider;
use crate::naming::rfc2136::Rfc2136;
use crate::naming::{TxtSet, Zone};
use crate::node::Node;
use crate::node::kubo::{Kubo, KuboOptions};
use crate::text::printable_within;

/// Real nodes and real zones.
#[derive(Clone)]
pub struct Adapters {
    prompt: Prompt,
}

impl fmt::Debug for Adapters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adapters").finish_non_exhaustive()
    }
}

impl Adapters {
    /// Where a person changes the record, `prompt` tells them its name and what it has to say.
    pub fn new(prompt: impl Fn(&str, &TxtSet) + Send + Sync + 'static) -> Self {
        Self { prompt: Arc::new(prompt) }
    }
}

impl Connect for Adapters {
    fn node(&self, node: &NodeSettings, authorisation: Option<&str>) -> Result<Arc<dyn Node>> {
        let NodeSettings::Kubo(KuboSettings { url, .. }) = node;
        let parsed = Url::parse(url).map_err(|_| {
            Error::new(Kind::Usage, format!("`{}` is not the URL of a node", printable_within(url, 200)))
                .hint("Write it like `http://127.0.0.1:5001`.")
        })?;
        let options = KuboOptions { authorisation: authorisation.map(str::to_owned), ..KuboOptions::new(parsed) };
        Ok(Arc::new(Kubo::new(&options)?))
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
