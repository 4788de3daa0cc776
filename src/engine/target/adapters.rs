//! The adapters of this program.

use std::sync::Arc;

use super::Connect;
use crate::catalog::targets::{DnslinkSettings, ZoneSettings};
use crate::error::{Error, Kind, Result};
use crate::naming::Zone;
use crate::naming::rfc2136::Rfc2136;
use crate::node::Node;

/// Real nodes and real zones.
#[derive(Debug, Clone, Copy)]
pub struct Adapters;

impl Connect for Adapters {
    fn node(&self, _url: &str, _authorisation: Option<&str>) -> Result<Arc<dyn Node>> {
        Err(Error::new(Kind::Usage, "this build of the program can't speak to IPFS nodes")
            .hint("`roadstead export FILE.car` writes the registry for `ipfs dag import`."))
    }

    fn zone(&self, dnslink: &DnslinkSettings, secret: Option<&str>) -> Result<Arc<dyn Zone>> {
        let secret = secret.unwrap_or_default();
        match &dnslink.zone {
            ZoneSettings::Rfc2136 { server, key, algorithm, .. } => {
                Ok(Arc::new(Rfc2136::new(server, key, algorithm, secret)?))
            }
            _ => Err(Error::new(Kind::Usage, "this build of the program can't change DNS records")
                .hint("Set the TXT record by hand: `dnslink=/ipfs/ROOT`.")),
        }
    }
}
