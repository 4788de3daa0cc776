//! The roots that were published: when, where, and which of them this catalog still has whole; and giving some of them up.

use std::sync::Arc;

use cid::Cid;
use rusqlite::Connection;
use serde::Serialize;

use crate::catalog::publications::{self, Publication, State};
use crate::catalog::targets::NodeSettings;
use crate::catalog::{Writer, blobs, nodes, state, targets};
use crate::engine::Engine;
use crate::engine::job::Job;
use crate::engine::keep::needed::Needed;
use crate::engine::own_node;
use crate::engine::targets::view::{find, time};
use crate::error::{Error, Kind, Result};
use crate::unixfs::Link;

/// A publication as it is shown.
#[derive(Debug, Clone, Serialize)]
pub struct PublicationView {
    /// Row in the table `publications`; later ones are larger.
    pub id: i64,
    /// The name of its target.
    pub target: String,
    /// The target is not there any more.
    pub target_removed: bool,
    /// CID of the published root.
    pub root: String,
    /// The root that the target had before.
    pub former: Option<String>,
    /// Verb that began it: `publish` or `rollback`.
    pub verb: String,
    /// State that the row says.
    pub state: State,
    /// It is what the target gives out.
    pub current: bool,
    /// Whether the target gives out the root now, by this publication or by a later one.
    pub same_root: bool,
    /// When it began (RFC 3339).
    pub begun: String,
    /// When it ended (RFC 3339).
    pub ended: Option<String>,
    /// Blocks that were handed over.
    pub blocks: u64,
    /// Bytes that were handed over.
    pub bytes: u64,
    /// Requests that it took, the plan's included; none: the target is not asked by requests, or they were not counted.
    pub requests: Option<u64>,
    /// Changes by this publication, in words.
    pub summary: String,
    /// Text of the error, if it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// The target still pins the root.
    pub pinned: bool,
    /// This catalog keeps what the root needs: going back to it sends what the node lacks.
    pub kept: bool,
}

/// Roots that are to be given up.
#[derive(Debug, Clone, Serialize)]
pub struct ForgetPlan {
    /// The roots, in the order that they were named.
    pub roots: Vec<ForgottenRoot>,
    /// Bytes that nothing needs any more then; `gc` reclaims them.
    pub frees: u64,
}

/// A root of a [`ForgetPlan`].
#[derive(Debug, Clone, Serialize)]
pub struct ForgottenRoot {
    /// CID of the root that is given up.
    pub root: String,
    /// The last time that it was published (RFC 3339).
    pub published: String,
    /// The targets that it was published to.
    pub targets: Vec<String>,
    /// Those that pin it, as far as is known; they go on doing so.
    pub pinned_by: Vec<String>,
    /// This catalog keeps it, up to now.
    pub kept: bool,
    #[serde(skip)]
    cid: Option<Cid>,
}

impl ForgetPlan {
    /// Whether none of the roots is kept.
    pub fn is_empty(&self) -> bool {
        self.roots.iter().all(|root| !root.kept)
    }
}

impl Engine {
    /// What was published, newest first; to one target, which may have been removed, or to all of them.
    pub fn history(&self, target: Option<&str>) -> Result<Vec<PublicationView>> {
        let reader = self.catalog.read()?;
        let all = publications::of(&reader, target, None, None)?;
        if let (Some(name), true) = (target, all.is_empty()) {
            find(&reader, name)?;
        }
        let mut kept: Vec<Cid> = publications::kept_roots(&reader)?.into_iter().map(|link| link.cid).collect();
        kept.extend(state::root(&reader)?.map(|link| link.cid));
        let mut current = Vec::new();
        for target in targets::all(&reader)? {
            current.extend(publications::newest_published(&reader, target.id)?);
        }
        Ok(all.into_iter().map(|publication| view(publication, &kept, &current)).collect())
    }

    /// The roots that were published, newest first, each once; for shells.
    pub fn published_roots(&self) -> Result<Vec<String>> {
        let reader = self.catalog.read()?;
        let mut roots = Vec::new();
        for publication in publications::of(&reader, None, Some(1000), None)? {
            let root = publication.root.cid.to_string();
            if !roots.contains(&root) {
                roots.push(root);
            }
        }
        Ok(roots)
    }

    /// Plans to give up what only these roots need. What a target gives out now is refused.
    pub fn plan_forget(&self, roots: &[Cid]) -> Result<ForgetPlan> {
        let reader = self.catalog.read()?;
        let kept = publications::kept_roots(&reader)?;
        // What is forgotten here, this program gives out no longer; other nodes keep their pins.
        let own =
            targets::all(&reader)?.into_iter().filter(|target| matches!(target.settings.node, NodeSettings::Own(_)));
        let own: Vec<i64> = own.map(|target| target.id).collect();
        let mut plan = ForgetPlan { roots: Vec::new(), frees: 0 };
        for (index, root) in roots.iter().enumerate() {
            if roots[..index].contains(root) {
                continue;
            }
            let all = publications::of_root(&reader, root)?;
            let Some(newest) = all.first() else {
                return Err(Error::new(Kind::NotFound, format!("{root} was never published"))
                    .hint("`roadstead history` shows which roots were."));
            };
            check_not_in_use(&reader, root)?;
            let mut names: Vec<String> = all.iter().map(|row| row.target_name.clone()).collect();
            let mut pinned: Vec<String> = all
                .iter()
                .filter(|row| row.pinned && row.target.is_some_and(|target| !own.contains(&target)))
                .map(|row| row.target_name.clone())
                .collect();
            for list in [&mut names, &mut pinned] {
                list.sort();
                list.dedup();
            }
            plan.roots.push(ForgottenRoot {
                root: root.to_string(),
                published: time(newest.begun_at),
                targets: names,
                pinned_by: pinned,
                kept: kept.iter().any(|link| link.cid == *root),
                cid: Some(*root),
            });
        }
        if !plan.is_empty() {
            plan.frees = frees(&reader, kept, roots)?;
        }
        Ok(plan)
    }

    /// Gives up exactly these roots; refused if one is in use by now.
    pub async fn apply_forget(self: &Arc<Self>, plan: &ForgetPlan, job: &Job) -> Result<()> {
        let _lock = self.lock_unfinished("history --forget", job).await?;
        job.check()?;
        let roots: Vec<Cid> = plan.roots.iter().filter_map(|root| root.cid).collect();
        let forget = move |writer: &Writer<'_>| {
            roots.iter().try_for_each(|cid| {
                check_not_in_use(writer, cid)?;
                publications::set_kept(writer, cid, false)
            })?;
            own_node::withdraw_unwanted(writer)
        };
        self.blocking(move |engine| engine.catalog.write(forget)).await
    }
}

/// An error if a target gives this root out, or is about to.
fn check_not_in_use(connection: &Connection, root: &Cid) -> Result<()> {
    for target in targets::all(connection)? {
        if publications::newest_published(connection, target.id)?.is_some_and(|newest| newest.root.cid == *root) {
            return Err(Error::new(Kind::Usage, format!("{root} is the current root of {}", target.name))
                .hint("Publish another root there first, or remove the target."));
        }
        if publications::running(connection, target.id)?.is_some_and(|running| running.root.cid == *root) {
            return Err(Error::new(Kind::Locked, format!("{root} is being published to {}", target.name))
                .hint(format!("`roadstead publish {}` continues it if it was interrupted.", target.name)));
        }
    }
    Ok(())
}

/// Bytes that only these of the kept roots need.
fn frees(connection: &Connection, kept: Vec<Link>, roots: &[Cid]) -> Result<u64> {
    let (gone, left): (Vec<Link>, Vec<Link>) = kept.into_iter().partition(|link| roots.contains(&link.cid));
    let needed = Needed::with(connection, left)?;
    let all = needed.and(connection, gone)?;
    let mut bytes = 0;
    nodes::each(connection, |cid, size| {
        if all.only_kept_node(&cid) {
            bytes += size;
        }
    })?;
    let mut look = |blob: blobs::Blob| {
        if all.only_kept_blob(connection, &blob)? {
            bytes += blob.size;
        }
        Ok(())
    };
    blobs::each_inline(connection, &mut look)?;
    blobs::each_stored(connection, &mut look)?;
    Ok(bytes)
}

fn view(publication: Publication, kept: &[Cid], current: &[Publication]) -> PublicationView {
    PublicationView {
        id: publication.id,
        target: publication.target_name,
        target_removed: publication.target.is_none(),
        root: publication.root.cid.to_string(),
        former: publication.former.map(|cid| cid.to_string()),
        verb: publication.verb,
        state: publication.state,
        current: current.iter().any(|newest| newest.id == publication.id),
        same_root: current
            .iter()
            .any(|newest| newest.target == publication.target && newest.root.cid == publication.root.cid),
        begun: time(publication.begun_at),
        ended: publication.ended_at.map(time),
        blocks: publication.blocks,
        bytes: publication.bytes,
        requests: publication.requests,
        summary: publication.summary,
        failure: publication.failure,
        pinned: publication.pinned && publication.target.is_some(),
        kept: kept.contains(&publication.root.cid),
    }
}
