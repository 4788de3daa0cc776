//! How publishing reaches what a target names.

use std::fmt;
use std::sync::Arc;

use crate::catalog::targets::Target;
use crate::error::Result;
use crate::naming::Zone;
use crate::node::Node;

/// Turns a target's settings into the node and the zone that they describe.
pub trait Places: fmt::Debug + Send + Sync {
    /// The node that holds the registry.
    fn node(&self, target: &Target) -> Result<Arc<dyn Node>>;

    /// Who can change the DNSLink record; nobody where the target has none.
    fn zone(&self, target: &Target) -> Result<Option<Arc<dyn Zone>>>;

    /// What is wrong with how its secrets are kept, in sentences.
    fn warnings(&self, target: &Target) -> Vec<String>;
}
