//! A request with its place in the catalog: what resolving it, and reading what belongs to it, work on.

use std::collections::HashMap;
use std::sync::Arc;

use super::asked::Asked;
use crate::catalog::follows::Follows;
use crate::catalog::repositories::Transport;
use crate::engine::plan::{LeftOut, LeftOutReason};
use crate::engine::request::AddRequest;
use crate::image::{Digest, RepositoryName, Tag, Target, Upstream};
use crate::registry::Registry;

/// Requests that are resolved at the same time.
pub(in crate::engine) const MAX_CONCURRENT_REQUESTS: usize = 8;

/// What records say is attached to each manifest: tag and digest.
pub(in crate::engine) type RecordedAttachments = HashMap<Digest, Vec<(Option<Tag>, Digest)>>;

/// A request with its place in the catalog worked out.
pub(in crate::engine) struct Placed {
    pub(in crate::engine) request: AddRequest,
    pub(in crate::engine) registry: Arc<dyn Registry>,
    /// Repository to ask for.
    pub(in crate::engine) repository: RepositoryName,
    pub(in crate::engine) target: Target,
    pub(in crate::engine) upstream: Option<Upstream>,
    pub(in crate::engine) name: RepositoryName,
    pub(in crate::engine) alias: Option<RepositoryName>,
    pub(in crate::engine) tag: Option<Tag>,
    /// What it will follow upstream.
    pub(in crate::engine) follows: Follows,
    /// What will be recorded of how its upstream is asked.
    pub(in crate::engine) transport: Transport,
    /// What is attached, where records say so. None: the registry is asked.
    pub(in crate::engine) recorded: Option<RecordedAttachments>,
    /// It becomes exactly what is asked for, whatever is here under this name.
    pub(in crate::engine) exact: bool,
    /// What the plan has asked already.
    pub(in crate::engine) asked: Asked,
}

/// What was left out, for display.
pub(in crate::engine) fn left_out(digest: Digest, platform: Option<String>, reason: LeftOutReason) -> LeftOut {
    LeftOut { digest, platform, reason }
}
