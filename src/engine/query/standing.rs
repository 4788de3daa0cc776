//! How what the catalog holds stands to what was published, and what upstream has to choose from: what an interactive face
//! shows beside its lists.

use std::collections::HashMap;
use std::sync::Arc;

use cid::Cid;

use super::diff::RepositoryChange;
use crate::catalog::{publications, state, targets};
use crate::engine::Engine;
use crate::error::{Kind, Result};

/// What a target gives out, and how the catalog differs from that.
#[derive(Debug, Clone)]
pub struct TargetStanding {
    /// Name of the target.
    pub target: String,
    /// The root that was published there last; none: nothing was yet.
    pub root: Option<String>,
    /// It pins that root, as far as is known.
    pub pinned: bool,
    /// What the catalog has otherwise. None if that can't be said, since the root is not kept here any more.
    pub changes: Option<Arc<Vec<RepositoryChange>>>,
}

impl Engine {
    /// How the catalog stands to what each target gives out. Empty without targets.
    pub fn standings(&self) -> Result<Vec<TargetStanding>> {
        let reader = self.catalog.read()?;
        let now = state::root(&reader)?.map(|link| link.cid);
        let mut known: HashMap<Cid, Option<Arc<Vec<RepositoryChange>>>> = HashMap::new();
        let mut standings = Vec::new();
        for target in targets::all(&reader)? {
            let newest = publications::newest_published(&reader, target.id)?;
            let (mut root, mut pinned, mut changes) = (None, false, None);
            if let (Some(newest), Some(now)) = (newest, now) {
                let cid = newest.root.cid;
                let found = match known.get(&cid) {
                    Some(found) => found.clone(),
                    None => {
                        let found = match Self::diff_roots(&reader, Some(cid), now) {
                            Ok(changes) => Some(Arc::new(changes)),
                            Err(error) if error.kind() == Kind::NotFound => None,
                            Err(error) => return Err(error),
                        };
                        known.insert(cid, found.clone());
                        found
                    }
                };
                (root, pinned, changes) = (Some(cid.to_string()), newest.pinned, found);
            }
            standings.push(TargetStanding { target: target.name, root, pinned, changes });
        }
        Ok(standings)
    }
}
