//! The adapters of this program.

use std::sync::Arc;

use url::Url;

use super::Connect;
use crate::catalog::targets::{DnslinkSettings, ZoneSettings};
use crate::error::{Error, Kind, Result};
use crate::naming::Zone;
use crate::naming::rfc2136::Rfc2136;
use crate::node::Node;
use crate::node::kubo::{Kubo, KuboOptions};
use crate::text::printable_within;

/// Real nodes and real zones.
#[derive(Debug, Clone, Copy)]
pub struct Adapters;

impl Connect for Adapters {
    fn node(&self, url: &str, authorisation: Option<&str>) -> Result<Arc<dyn Node>> {
        let parsed = Url::parse(url).map_err(|_| {
            Error::new(Kind::Usage, format!("`{}` is not the URL of a node", printable_within(url, 200)))
                .hint("Write it like `http://127.0.0.1:5001`.")
        })?;
        let options = KuboOptions { authorisation: authorisation.map(str::to_owned), ..KuboOptions::new(parsed) };
        Ok(Arc::new(Kubo::new(&options)?))
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
