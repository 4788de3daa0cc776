//! Plans a publication: which root, to whom, and what that takes at each target.

use std::sync::Arc;

use cid::Cid;
use futures::future::join_all;

use super::holders;
use super::names;
use super::places::Places;
use super::plan::{FailedTarget, PlannedTarget, PublishPlan, PublishRequest};
use super::shared;
use super::survey::Survey;
use crate::catalog::nodes::Nodes;
use crate::catalog::targets::{self, Target};
use crate::catalog::{publications, state, unfinished};
use crate::engine::Engine;
use crate::engine::job::Job;
use crate::engine::restore::unfinished::check_finished;
use crate::engine::targets::ADD_TARGET_HINT;
use crate::error::{Error, Kind, Result};
use crate::naming::Atomicity;
use crate::node::Intake;
use crate::text::printable_within;
use crate::unixfs::Link;
use crate::unixfs::directory::NodeStore as _;

impl Engine {
    /// Plans to publish what the catalog stands for now, or an older root, to some targets or all of them.
    pub async fn plan_publish(
        self: &Arc<Self>,
        request: &PublishRequest,
        places: &dyn Places,
        job: &Job,
    ) -> Result<PublishPlan> {
        let chosen = {
            let request = request.clone();
            self.blocking(move |engine| engine.choose(&request)).await?
        };
        let Chosen { root, rollback, targets, left_out, first_time_private } = chosen;
        let surveys = join_all(targets.into_iter().map(|target| async move {
            let planned = self.plan_target(&target, &root, rollback, request.force, places, job).await;
            (target, planned)
        }));
        let mut plan = PublishPlan {
            root: root.cid,
            tsize: root.tsize,
            rollback,
            force: request.force,
            targets: Vec::new(),
            failed: Vec::new(),
            left_out,
            first_time_private,
        };
        for (target, planned) in surveys.await {
            match planned {
                Ok(planned) => plan.targets.push(planned),
                Err(error) if error.kind() == Kind::Interrupted => return Err(error),
                Err(error) => plan.failed.push(FailedTarget { name: target.name, error }),
            }
        }
        Ok(plan)
    }

    fn choose(&self, request: &PublishRequest) -> Result<Chosen> {
        let reader = self.catalog.read()?;
        let now = state::root(&reader)?;
        let (root, rollback) = match request.root {
            None => (now.ok_or_else(nothing)?, false),
            Some(cid) => match now.filter(|now| now.cid == cid) {
                Some(now) => (now, false),
                None => (older(&reader, &cid)?, true),
            },
        };
        if !rollback {
            check_finished(&reader)?;
        }
        let mut all = targets::all(&reader)?;
        if all.is_empty() {
            return Err(Error::new(Kind::NotFound, "there is no target to publish to").hint(ADD_TARGET_HINT));
        }
        for name in &request.targets {
            if !all.iter().any(|target| target.name == *name) {
                return Err(Error::new(
                    Kind::NotFound,
                    format!("there is no target `{}`", printable_within(name, 100)),
                )
                .hint("`roadstead target list` shows what there is."));
            }
        }
        if !request.targets.is_empty() {
            all.retain(|target| request.targets.contains(&target.name));
        } else if rollback {
            // Back goes who was there.
            let were: Vec<Option<i64>> =
                publications::of_root(&reader, &root.cid)?.iter().map(|publication| publication.target).collect();
            if all.iter().any(|target| were.contains(&Some(target.id))) {
                all.retain(|target| were.contains(&Some(target.id)));
            }
        }
        let (mut left_out, mut first_time_private) = (Vec::new(), Vec::new());
        if !rollback {
            left_out = unfinished::left_out(&reader)?;
            for repository in unfinished::allowed_private(&reader)? {
                if !publications::was_published_private(&reader, &repository)? {
                    first_time_private.push(repository);
                }
            }
        }
        Ok(Chosen { root, rollback, targets: all, left_out, first_time_private })
    }

    async fn plan_target(
        self: &Arc<Self>,
        target: &Target,
        root: &Link,
        rollback: bool,
        force: bool,
        places: &dyn Places,
        job: &Job,
    ) -> Result<PlannedTarget> {
        if let Some(host) = places.host(target)? {
            return self.plan_hosted(target, &*host, root, force, places.warnings(target), job).await;
        }
        let mut survey = Survey::of(self, places, target, root, force, None, job).await?;
        let mut notes = places.warnings(target);
        for shared in job.or_cancelled(shared::of(self, places, target, &*survey.node)).await? {
            survey.unpin.retain(|root| !shared.keeps(root));
            notes.push(format!(
                "It is the same place as the target `{}`: roots that either of them keeps stay pinned.",
                printable_within(&shared.name, 100)
            ));
        }
        if let Some(pin) = survey.pinned.as_ref().filter(|_| !survey.pinned_by_us) {
            let name = pin
                .name
                .as_deref()
                .map_or_else(|| "without a name".to_owned(), |name| format!("as `{}`", printable_within(name, 100)));
            notes.push(format!("Someone else pins this root there, {name}: that pin is used and not changed."));
        }
        if survey.rolled_back && !rollback && survey.served.is_some_and(|served| served != root.cid) {
            notes.push("It was rolled back before; this publishes what the catalog has now.".to_owned());
        }
        if survey.served.is_some() && survey.former.is_none() {
            notes.push("The node no longer has an earlier root in full, so it is asked for every block.".to_owned());
        }
        if survey
            .record
            .as_ref()
            .is_some_and(|record| record.atomicity == Atomicity::NotAtomic && record.before != record.after)
        {
            notes.push(
                "Changing the record takes several requests: an interruption between them can leave no record."
                    .to_owned(),
            );
        }
        notes.extend(without(&survey));
        if matches!(survey.node.intake(), Intake::Fetches) && survey.needs_pin() {
            notes.extend(survey.node.advice().await);
        }
        if let Some(served) = survey.served.filter(|_| !survey.noted.is_empty()) {
            // A node that can't be asked for this is found out by what follows.
            let now = async { Ok(holders::now(&*survey.node, &served, &survey.noted).await.unwrap_or_default()) };
            notes.extend(holders::lacking(&job.or_cancelled(now).await?));
        }
        let last = survey.named.as_deref().zip(survey.served.as_ref());
        let (ipns, ipns_failure) =
            match job.or_cancelled(async { Ok(names::plan_name(&*survey.node, target, &root.cid, last).await) }).await?
            {
                None => (None, None),
                Some(Ok(planned)) => (Some(planned), None),
                Some(Err(error)) => {
                    notes.push(format!("The IPNS name will not move: {error}."));
                    (None, Some(Arc::new(error)))
                }
            };
        let changes = {
            let root = root.cid;
            let before = survey.served.filter(|_| survey.whole).or(survey.former.map(|former| former.cid));
            self.blocking(move |engine| Self::diff_roots(&*engine.catalog.read()?, before, root)).await?
        };
        Ok(PlannedTarget {
            target: target.clone(),
            former: survey.former.map(|link| link.cid),
            continues: survey.continues,
            changes,
            blocks: survey.blocks(),
            bytes: survey.bytes(),
            chain: survey.way(&root.cid),
            pinned: !survey.needs_pin(),
            fetches: matches!(survey.node.intake(), Intake::Fetches),
            requests: survey.node.requests(),
            found: survey.found(),
            host: None,
            unpin: survey.unpin,
            dnslink: survey.record,
            ipns,
            ipns_failure,
            notes,
        })
    }
}

/// What it means that the node is of a kind with fewer capabilities than others.
fn without(survey: &Survey) -> Vec<String> {
    let node = &survey.node;
    let mut notes = Vec::new();
    if matches!(node.intake(), Intake::Fetches) && survey.needs_pin() {
        notes.push("It takes no blocks: it fetches the root from whoever gives it out.".to_owned());
    }
    if node.blocks().is_none() {
        notes.push("It can't be read from: what it holds is unverified until a gateway is asked.".to_owned());
    }
    match node.pins() {
        None => notes.push("The node keeps every block that it gets: older roots stay there.".to_owned()),
        Some(pins) if pins.walks() && survey.former.is_some() && survey.needs_pin() && node.pin_updates().is_none() => {
            notes.push("The node can't pin by difference, so it walks the whole root.".to_owned());
        }
        Some(_) => {}
    }
    notes
}

/// What is published to whom.
struct Chosen {
    root: Link,
    rollback: bool,
    targets: Vec<Target>,
    left_out: Vec<String>,
    first_time_private: Vec<String>,
}

fn nothing() -> Error {
    Error::new(Kind::NotFound, "nothing to publish yet").hint("`roadstead add REF` adds an image.")
}

/// A root that was published and is kept whole.
fn older(connection: &rusqlite::Connection, cid: &Cid) -> Result<Link> {
    let kept = publications::kept_roots(connection)?.into_iter().find(|link| link.cid == *cid);
    if let Some(link) = kept
        && Nodes::of(connection).get(cid)?.is_some()
    {
        return Ok(link);
    }
    let known = !publications::of_root(connection, cid)?.is_empty();
    let why = if known { "is no longer kept in full" } else { "was not published from here" };
    Err(Error::new(Kind::NotFound, format!("the root {cid} {why}"))
        .hint("`roadstead history` shows the roots that can be published again."))
}
