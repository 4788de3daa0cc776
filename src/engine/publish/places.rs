//! How publishing reaches what a target names.

use std::fmt;
use std::sync::Arc;

use crate::catalog::targets::Target;
use crate::error::Result;
use crate::hosts::Host;
use crate::naming::Zone;
use crate::node::Node;

/// Turns a target's settings into the node or host, and the zone, that they describe.
pub trait Places: fmt::Debug + Send + Sync {
    /// The static host that holds the registry; none where it is a node.
    fn host(&self, _: &Target) -> Result<Option<Arc<dyn Host>>> {
        Ok(None)
    }

    /// The node that holds the registry; an error where it is a host.
    fn node(&self, target: &Target) -> Result<Arc<dyn Node>>;

    /// Who can change the DNSLink record; nobody where the target has none.
    fn zone(&self, target: &Target) -> Result<Option<Arc<dyn Zone>>>;

    /// What is wrong with how its secrets are kept, in sentences.
    fn warnings(&self, target: &Target) -> Vec<String>;
}
