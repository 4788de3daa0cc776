//! The adapters of this program.

use std::sync::Arc;

use super::Connect;
use crate::catalog::targets::DnslinkSettings;
use crate::error::{Error, Kind, Result};
use crate::naming::Zone;
use crate::node::Node;

/// Real nodes and real zones.
#[derive(Debug, Clone, Copy)]
pub struct Adapters;

impl Connect for Adapters {
    fn node(&self, _url: &str, _authorisation: Option<&str>) -> Result<Arc<dyn Node>> {
        Err(Error::new(Kind::Usage, "this build of the program can't speak to IPFS nodes")
            .hint("`roadstead export FILE.car` writes the registry for `ipfs dag import`."))
    }

    fn zone(&self, _dnslink: &DnslinkSettings, _secret: Option<&str>) -> Result<Arc<dyn Zone>> {
        Err(Error::new(Kind::Usage, "this build of the program can't change DNS records")
            .hint("Set the TXT record by hand: `dnslink=/ipfs/ROOT`."))
    }
}
