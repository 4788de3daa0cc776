//! Pinning services as targets: their address, and the adapter, which has them fetch from this program's own node.

use std::sync::Arc;

use super::addresses::{parsed, web_url};
use crate::catalog::targets::{NodeSettings, PinningSettings};
use crate::engine::Engine;
use crate::engine::own_node::OwnGiver;
use crate::error::Result;
use crate::node::Node;
use crate::node::pinning::{PinningOptions, PinningService};

/// What its addresses begin with where several kinds may be typed.
pub(super) const SCHEME: &str = "pinning:";

/// The settings of a service at this address.
pub(super) fn settings(address: &str) -> Result<NodeSettings> {
    let address = address.trim();
    let url = address.strip_prefix(SCHEME).unwrap_or(address);
    let url = web_url(url, "the service", "https://api.example.com/psa")?;
    // Whoever copies it from a manual has the end of it too.
    Ok(NodeSettings::pinning(url.strip_suffix("/pins").unwrap_or(&url)))
}

/// The adapter for a service, which fetches what `engine` gives out.
pub(super) fn connect(
    settings: &PinningSettings,
    authorisation: Option<&str>,
    engine: &Arc<Engine>,
) -> Result<Arc<dyn Node>> {
    let options = PinningOptions {
        authorisation: authorisation.map(str::to_owned),
        ..PinningOptions::new(parsed(&settings.url)?)
    };
    Ok(Arc::new(PinningService::new(&options, Arc::new(OwnGiver::new(Arc::clone(engine))))?))
}
