//! What a plan found out about a target and its node, kept for the run that mostly follows at once: reading the catalog for a
//! difference and asking a node for its large blocks take as long as what is done with them.

use std::time::{Duration, Instant};

use cid::Cid;

use super::chain::Chain;
use super::difference::Difference;
use crate::unixfs::directory::Node;

/// How long it can be gone by. A node that collects garbage in between loses what was found there; that shows when the root is
/// pinned, and is handed over then.
const FOUND_LIFETIME: Duration = Duration::from_mins(1);

/// A difference to a former root, and the way to pin it.
#[derive(Debug, Clone)]
pub struct Found {
    at: Instant,
    /// What it is the difference to. There is none without: then it is as large as the registry, and nothing to keep twice.
    former: Cid,
    /// The root was pinned.
    pinned: bool,
    /// The publication that was to be continued.
    continues: Option<i64>,
    pub(super) difference: Difference,
    pub(super) chain: Chain,
    pub(super) temporary: Vec<Node>,
}

impl Found {
    pub(super) fn new(
        former: Cid,
        pinned: bool,
        continues: Option<i64>,
        difference: Difference,
        chain: Chain,
        temporary: Vec<Node>,
    ) -> Self {
        Self { at: Instant::now(), former, pinned, continues, difference, chain, temporary }
    }

    /// Whether this is still so, by what costs next to nothing to ask.
    pub(super) fn holds(&self, former: Option<Cid>, pinned: bool, continues: Option<i64>) -> bool {
        former == Some(self.former)
            && pinned == self.pinned
            && continues == self.continues
            && self.at.elapsed() <= FOUND_LIFETIME
    }
}
