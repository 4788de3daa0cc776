//! Targets: adding, changing and removing them, trying whether they would take a publication, and whether they hold one whole.
//!
//! What is kept of a target never holds a secret; `secrets` reads one where it is needed, and nothing else does.

mod adapters;
mod addresses;
mod bucket;
mod change;
mod checks;
mod cluster;
mod key;
mod kinds;
mod look;
mod peers;
mod read_back;
mod secrets;
mod service;
mod setting;
mod static_host;
#[cfg(test)]
mod tests;
mod trial;
mod try_host;
pub(in crate::engine) mod view;
mod walk;

pub use adapters::Adapters;
pub use change::{Clear, MAX_KEPT_ROOTS, MAX_TTL_SECONDS, TargetChange, ZoneKind, check_name};
pub use checks::{Check, Outcome, Part, Trial};
pub use key::{TargetKey, make_key};
pub use kinds::{ADD_TARGET_HINT, KINDS, LOCAL_NODE, LocalNode, NodeAddress, NodeKind, local_node, typed};
pub use look::{Leads, SeenRecord, Sight};
pub use peers::{Connect, Internet, Peers};
pub use secrets::{Found, Variables};
pub(in crate::engine) use secrets::{in_clear as secret_in_clear, read as read_secret};
pub use setting::{Setting, Wrong};
pub use static_host::MAX_GRACE_DAYS;
pub use trial::{ALLOWED, World};
pub use view::TargetView;
pub use walk::Walked;

use std::sync::Arc;

use rusqlite::Connection;
use serde::Serialize;

use self::view::{find, record_name, view};
use super::job::Job;
use super::{Engine, now, own_node};
use crate::catalog::publications::{self, State};
use crate::catalog::targets::{self, NodeSettings, Target, TargetSettings};
use crate::catalog::{Writer, state};
use crate::error::{Error, Kind, Result};

/// What removing a target means.
#[derive(Debug, Clone, Serialize)]
pub struct RemoveTargetPlan {
    /// Name of the target.
    pub name: String,
    /// Its node, where pins stay as they are.
    pub node: String,
    /// The roots that it goes on pinning, as far as is known.
    pub pinned: Vec<String>,
    /// The roots that this program gives out, and then no longer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub withdrawn: Vec<String>,
    /// The record that stays as it is.
    pub record: Option<String>,
    /// Roots that this catalog keeps for this target only, and no longer.
    pub released: Vec<String>,
}

impl Engine {
    /// All targets, by name.
    pub fn targets(&self) -> Result<Vec<TargetView>> {
        let views = {
            let reader = self.catalog.read()?;
            let all = targets::all(&reader)?.into_iter();
            all.map(|target| view(&reader, target)).collect::<Result<Vec<TargetView>>>()?
        };
        Ok(views.into_iter().map(|view| self.with_serving(view)).collect())
    }

    /// The same with what is known of this program's own node, if it is the target's.
    fn with_serving(&self, mut view: TargetView) -> TargetView {
        if matches!(view.settings.node, NodeSettings::Own(_)) {
            view.serving = Some(self.serving());
            if let Some(key) = &view.settings.ipns {
                // A key that can't be read fails where it is used.
                view.ipns_name = self.name_state(key).ok().flatten();
            }
        }
        view
    }

    /// The names of all targets.
    pub fn target_names(&self) -> Result<Vec<String>> {
        let reader = self.catalog.read()?;
        Ok(targets::all(&reader)?.into_iter().map(|target| target.name).collect())
    }

    /// The target of this name; an error of kind `NotFound` names the nearest one.
    pub fn target(&self, name: &str) -> Result<TargetView> {
        let view = {
            let reader = self.catalog.read()?;
            view(&reader, find(&reader, name)?)?
        };
        Ok(self.with_serving(view))
    }

    /// What a target would be if it were added like this. Nothing is saved and nobody is asked.
    pub fn draft_of_new(&self, name: &str, change: &TargetChange) -> Result<Target> {
        change::check_name(name)?;
        let settings = change.added()?;
        change::check_files(&settings, None)?;
        let reader = self.catalog.read()?;
        is_free(&reader, name)?;
        no_other_moves_it(&reader, name, &settings)?;
        Ok(Target { id: 0, name: name.to_owned(), settings, added_at: now() })
    }

    /// What a target would be if it were changed like this. Nothing is saved and nobody is asked.
    pub fn draft_of_changed(&self, name: &str, change: &TargetChange) -> Result<Target> {
        let reader = self.catalog.read()?;
        let target = find(&reader, name)?;
        let settings = change.changed(target.settings.clone())?;
        change::check_files(&settings, Some(&target.settings))?;
        no_other_moves_it(&reader, name, &settings)?;
        Ok(Target { settings, ..target })
    }

    /// Adds a target, after checking that it makes sense by itself; nobody is asked.
    pub fn add_target(&self, name: &str, change: &TargetChange) -> Result<TargetView> {
        change::check_name(name)?;
        let settings = change.added()?;
        change::check_files(&settings, None)?;
        self.catalog.write(|writer| {
            is_free(writer, name)?;
            no_other_moves_it(writer, name, &settings)?;
            targets::save(writer, name, &settings, now())?;
            view(writer, find(writer, name)?)
        })
    }

    /// Gives a target other settings.
    pub fn set_target(&self, name: &str, change: &TargetChange) -> Result<TargetView> {
        let old = find(&*self.catalog.read()?, name)?.settings;
        change::check_files(&change.changed(old.clone())?, Some(&old))?;
        self.catalog.write(|writer| {
            let target = find(writer, name)?;
            let settings = change.changed(target.settings)?;
            no_other_moves_it(writer, name, &settings)?;
            targets::save(writer, name, &settings, now())?;
            own_node::withdraw_unwanted(writer)?;
            view(writer, find(writer, name)?)
        })
    }

    /// Says what removing a target means.
    pub fn plan_remove_target(&self, name: &str) -> Result<RemoveTargetPlan> {
        let reader = self.catalog.read()?;
        let target = find(&reader, name)?;
        let pinned = publications::pinned_roots(&reader, target.id)?;
        let kept = publications::kept_roots(&reader)?;
        let others = publications::kept_roots_but(&reader, Some(target.id))?;
        let now = state::root(&reader)?.map(|link| link.cid);
        let released = kept
            .iter()
            .map(|link| link.cid)
            .filter(|cid| Some(*cid) != now && !others.iter().any(|other| other.cid == *cid));
        let (pinned, withdrawn) = match target.settings.node {
            NodeSettings::Own(_) => (Vec::new(), own_node::only_of(&reader, target.id)?),
            NodeSettings::Kubo(_) | NodeSettings::Cluster(_) | NodeSettings::Pinning(_) => (pinned, Vec::new()),
            // What is stored there stays, and is nobody's pin.
            NodeSettings::S3(_) | NodeSettings::Directory(_) | NodeSettings::Ssh(_) => (Vec::new(), Vec::new()),
        };
        Ok(RemoveTargetPlan {
            name: target.name.clone(),
            pinned: pinned.iter().map(ToString::to_string).collect(),
            withdrawn: withdrawn.iter().map(ToString::to_string).collect(),
            record: target.settings.dnslink.as_ref().map(|dnslink| record_name(&dnslink.domain)),
            released: released.map(|cid| cid.to_string()).collect(),
            node: target.settings.node.url().to_owned(),
        })
    }

    /// Removes a target. Its history stays, and so do the pins of a node and its record; this program gives out no longer what
    /// was published to it.
    pub async fn remove_target(self: &Arc<Self>, plan: &RemoveTargetPlan, job: &Job) -> Result<()> {
        let _lock = self.lock_unfinished(&format!("target remove {}", plan.name), job).await?;
        job.check()?;
        let name = plan.name.clone();
        let remove = move |writer: &Writer<'_>| {
            let target = find(writer, &name)?;
            // One that was cut has nobody left who would continue it.
            if let Some(running) = publications::running(writer, target.id)? {
                publications::finish(writer, running.id, State::Superseded, Some("its target was removed"), now())?;
            }
            targets::remove(writer, &name)?;
            own_node::withdraw_unwanted(writer)
        };
        self.blocking(move |engine| engine.catalog.write(remove)).await
    }
}

fn is_free(connection: &Connection, name: &str) -> Result<()> {
    match targets::by_name(connection, name)? {
        Some(_) => Err(Error::new(Kind::Usage, format!("a target `{name}` already exists"))
            .hint(format!("`roadstead target set {name} …` changes it."))),
        None => Ok(()),
    }
}

/// An error if another target moves the same record: side by side, each would take the other for a foreign writer.
fn no_other_moves_it(connection: &Connection, name: &str, settings: &TargetSettings) -> Result<()> {
    let Some(dnslink) = &settings.dnslink else { return Ok(()) };
    let same = |other: &Target| other.settings.dnslink.as_ref().is_some_and(|theirs| theirs.domain == dnslink.domain);
    match targets::all(connection)?.into_iter().find(|other| other.name != name && same(other)) {
        Some(other) => Err(Error::new(
            Kind::Usage,
            format!("the target `{}` already moves the record of {}", other.name, dnslink.domain),
        )
        .hint("Only one target can move a record. Leave `--dnslink` out for the others.")),
        None => Ok(()),
    }
}
