//! What publishing will do: values that both faces show before exactly they are run.

use std::sync::Arc;

use cid::Cid;
use serde::Serialize;

use super::found::Found;
use super::hosted::Standing;
use crate::catalog::targets::Target;
use crate::engine::job::PublishStep;
use crate::engine::query::diff::RepositoryChange;
use crate::error::Error;
use crate::naming::{Atomicity, TxtSet};

/// What to publish, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublishRequest {
    /// Names of targets; none: all of them.
    pub targets: Vec<String>,
    /// An older root instead of what the catalog stands for now: a rollback.
    pub root: Option<Cid>,
    /// Go on although another writer moved the pin or the record.
    pub force: bool,
}

/// A publication to any number of targets.
#[derive(Debug)]
pub struct PublishPlan {
    /// The root that every target gets. Later changes of the catalog are not in it.
    pub root: Cid,
    /// Bytes of all its blocks.
    pub tsize: u64,
    /// It is an older root.
    pub rollback: bool,
    /// What was asked for with `force`.
    pub force: bool,
    /// The targets that can be planned, each with what it takes.
    pub targets: Vec<PlannedTarget>,
    /// Targets that can't, and why; the others go on.
    pub failed: Vec<FailedTarget>,
    /// Private repositories that are left out, and how to let them in is `allow`.
    pub left_out: Vec<String>,
    /// Private repositories that are published for the first time: that can't be taken back.
    pub first_time_private: Vec<String>,
}

impl PublishPlan {
    /// Whether there is nothing to do anywhere.
    pub fn is_done(&self) -> bool {
        self.failed.is_empty() && self.targets.iter().all(|target| self.is_done_at(target))
    }

    /// Whether this target of the plan has the root, its names say so, and it is written down here.
    pub fn is_done_at(&self, target: &PlannedTarget) -> bool {
        target.is_done() && target.former == Some(self.root)
    }
}

/// A target that can't be planned.
#[derive(Debug)]
pub struct FailedTarget {
    /// Name of the target.
    pub name: String,
    /// Why it can't be planned.
    pub error: Error,
}

/// What one target takes.
#[derive(Debug, Clone)]
pub struct PlannedTarget {
    /// Target with its settings when it was planned.
    pub target: Target,
    /// The root that it verifiably still holds, and that the difference is to; none: everything is handed over.
    pub former: Option<Cid>,
    /// A publication that was cut and is continued.
    pub continues: Option<i64>,
    /// What changes for those who pull from it.
    pub changes: Vec<RepositoryChange>,
    /// Blocks to hand over, and their bytes.
    pub blocks: u64,
    /// Bytes of these blocks.
    pub bytes: u64,
    /// Temporary roots on the way from `former` to the root, in order; the root itself is the last.
    pub chain: Vec<Cid>,
    /// The root is pinned already.
    pub pinned: bool,
    /// It takes no blocks: it is asked to pin the root, and fetches that.
    pub fetches: bool,
    /// Roots that are unpinned after success.
    pub unpin: Vec<Cid>,
    /// How the record moves.
    pub dnslink: Option<PlannedRecord>,
    /// How the IPNS name moves.
    pub ipns: Option<PlannedName>,
    /// Why the IPNS name can't move. The target gets the root all the same, and the publication is no full success.
    pub ipns_failure: Option<Arc<Error>>,
    /// Things worth knowing before it is run, in sentences.
    pub notes: Vec<String>,
    /// Requests that planning it took; none: it is not asked by requests.
    pub requests: Option<u64>,
    /// What the run need not find out once more, if it follows soon.
    pub found: Option<Arc<Found>>,
    /// Of a static host: the objects that are stored and deleted there.
    pub host: Option<PlannedHost>,
}

/// What a static host takes.
#[derive(Debug, Clone)]
pub struct PlannedHost {
    /// In numbers.
    pub objects: PlannedObjects,
    /// What is copied within the host is linked there, and takes no room.
    pub links: bool,
    /// How it stands.
    pub(super) standing: Arc<Standing>,
}

/// Objects of a static host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct PlannedObjects {
    /// All that the root has.
    pub total: u64,
    /// Those that are stored.
    pub stored: u64,
    /// Those of them that are copied within the host.
    pub copied: u64,
    /// Bytes of those that are sent.
    pub bytes: u64,
    /// Those that are deleted: nothing has needed them for the grace.
    pub deleted: u64,
    /// Bytes of these.
    pub deleted_bytes: u64,
    /// Those that nothing needs, and that stay for the grace.
    pub unneeded: u64,
    /// The host's record says that the root is whole.
    pub recorded: bool,
}

impl PlannedObjects {
    /// Whether there is nothing to do.
    pub fn is_done(&self) -> bool {
        self.stored == 0 && self.deleted == 0 && self.recorded
    }
}

impl PlannedTarget {
    /// Whether there is nothing to do.
    pub fn is_done(&self) -> bool {
        self.pinned
            && self.continues.is_none()
            && self.blocks == 0
            && self.unpin.is_empty()
            && self.dnslink.as_ref().is_none_or(|record| record.before == record.after)
            && self.ipns.as_ref().is_none_or(|name| name.before.as_deref() == Some(name.after.as_str()))
            && self.ipns_failure.is_none()
            && self.host.as_ref().is_none_or(|host| host.objects.is_done())
    }
}

/// How a DNSLink record moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedRecord {
    /// Full name of the record: `_dnslink.registry.example.com`.
    pub name: String,
    /// The whole TXT set as it is.
    pub before: TxtSet,
    /// The whole TXT set as it will be: one DNSLink value, and foreign values as they are.
    pub after: TxtSet,
    /// How the zone takes it.
    pub atomicity: Atomicity,
}

/// How an IPNS name moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedName {
    /// Name or ID of the node's key, as the target's settings have it.
    pub key: String,
    /// The name: `k51…`. None while its key is not there, which is made when it is needed.
    pub name: Option<String>,
    /// What it points to, as the node sees it; where the node can't look it up, what it was moved to from here.
    pub before: Option<String>,
    /// What it will point to.
    pub after: String,
    /// The node can't look it up, as one without routing can't: that it was moved is all that is known.
    #[serde(skip)]
    pub unseen: bool,
}

/// How one target came out.
#[derive(Debug)]
pub struct TargetOutcome {
    /// Name of the target.
    pub name: String,
    /// The root that it gives out now, as far as is known.
    pub root: Option<Cid>,
    /// Blocks that were handed over, those of temporary roots included.
    pub blocks: u64,
    /// Bytes that were sent, of CARs or of objects.
    pub sent: u64,
    /// Requests that it took, without those of the plan; none: the target is not asked by requests.
    pub requests: Option<u64>,
    /// Roots that were unpinned, temporary ones included.
    pub unpinned: Vec<Cid>,
    /// What is worth knowing: a root that is still pinned, a gateway that is behind …
    pub notes: Vec<String>,
    /// Why the IPNS name did not move, though the target has the root.
    pub ipns_failure: Option<Arc<Error>>,
    /// What failed, and at which step.
    pub failure: Option<(PublishStep, Error)>,
}

impl TargetOutcome {
    /// A target that could not be planned, and got nothing.
    pub fn of_failed(failed: FailedTarget) -> Self {
        Self {
            name: failed.name,
            root: None,
            blocks: 0,
            sent: 0,
            requests: None,
            unpinned: Vec::new(),
            notes: Vec::new(),
            ipns_failure: None,
            failure: Some((PublishStep::HandOver, failed.error)),
        }
    }
}

/// How a publication came out.
#[derive(Debug)]
pub struct PublishOutcome {
    /// Root that was published.
    pub root: Cid,
    /// Every target of the plan.
    pub targets: Vec<TargetOutcome>,
}
