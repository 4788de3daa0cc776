//! Plans and outcomes in words: what a dialog shows before a plan is run, and what is said after.

use super::work::{Outcome, Plan};
use crate::engine::plan::{AddPlan, Change, FailedRequest, GcPlan, RemovePlan};
use crate::engine::undo::UndoPlan;
use crate::engine::view::Standing;
use crate::text::{bytes, count};

mod publication;
mod pulls;

pub use publication::{brief, difference, hints, repository, trial};
use publication::{publish, published};
pub use pulls::pulls;

/// What a line of a dialog means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Ordinary.
    Text,
    /// Of less weight.
    Dim,
    /// A name.
    Name,
    /// As it should be.
    Good,
    /// Worth a look.
    Warning,
    /// Takes something away, or failed.
    Danger,
}

/// A line of a dialog.
pub type Row = (Role, String);

/// A plan in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// What is asked.
    pub title: String,
    /// What will happen.
    pub rows: Vec<Row>,
    /// The verb that does it.
    pub verb: &'static str,
    /// It takes something away: Enter keeps, only an explicit key goes on.
    pub destroys: bool,
    /// There is nothing to do, for this reason.
    pub nothing: Option<String>,
}

fn row(role: Role, text: impl Into<String>) -> Row {
    (role, text.into())
}

/// A plan in words.
pub fn plan(plan: &Plan) -> Described {
    match plan {
        Plan::Add(plan) => add(plan, "Add", "add"),
        Plan::Update(plan) => add(plan, "Update", "update"),
        Plan::Remove(plan) => remove(plan),
        Plan::Undo(plan) => undo(plan, "undo", "as before"),
        Plan::Redo(plan) => undo(plan, "redo", "comes"),
        Plan::Gc(plan) => gc(plan),
        Plan::Publish(plan) => publish(plan),
        Plan::Verify { repair } => Described {
            title: if *repair { "Check all, and fetch what is damaged again?" } else { "Check all that is stored?" }
                .to_owned(),
            rows: vec![row(
                Role::Text,
                if *repair {
                    "Every blob is read and hashed; what is damaged is fetched again."
                } else {
                    "Every blob is read and hashed, and the tree is built again beside the recorded root."
                },
            )],
            verb: if *repair { "repair" } else { "verify" },
            destroys: false,
            nothing: None,
        },
        Plan::Check(picks) => Described {
            title: "Ask upstream?".to_owned(),
            rows: picks.iter().map(|pick| row(Role::Name, pick.to_string())).collect(),
            verb: "ask",
            destroys: false,
            nothing: None,
        },
        Plan::Allow { repositories, allowed } => {
            let mut rows: Vec<Row> = repositories.iter().map(|pick| row(Role::Name, pick.to_string())).collect();
            rows.push(row(
                Role::Warning,
                if *allowed {
                    "Its upstream gives it only to those who log in. From the next publication on everyone can pull it here, and \
                     what is published on IPFS can't be taken back."
                } else {
                    "It is left out of the tree from now on. What was published of it stays where others keep it."
                },
            ));
            let title = if *allowed { "Let it be published?" } else { "Keep it out of what is published?" };
            let verb = if *allowed { "allow" } else { "revoke" };
            Described { title: title.to_owned(), rows, verb, destroys: *allowed, nothing: None }
        }
        Plan::Forget(plan) => publication::forget(plan),
        Plan::RemoveTarget(plan) => publication::remove_target(plan),
        // They are begun without a dialog: a form or a key has asked for exactly that.
        Plan::SaveTarget(_) | Plan::TestTarget(_) => {
            Described { title: plan.title(), rows: Vec::new(), verb: "go on", destroys: false, nothing: None }
        }
    }
}

fn add(plan: &AddPlan, title: &str, verb: &'static str) -> Described {
    let mut rows = Vec::new();
    let changing = plan.images.iter().filter(|image| image.change != Change::Unchanged);
    for image in changing.clone() {
        let what = match image.change {
            Change::Added => "new",
            Change::Moved { .. } => "moved",
            Change::Extended => "more of it",
            Change::Unchanged => "unchanged",
        };
        rows.push(row(Role::Name, image.shown()));
        let new = if image.new_bytes == 0 {
            "nothing of it to fetch".to_owned()
        } else {
            format!("{} of it to fetch", bytes(image.new_bytes))
        };
        let private = if image.private || image.upstream.is_none() { "" } else { ", public upstream" };
        let attached = match image.attached.len() {
            0 => String::new(),
            many => format!(", {many} attached"),
        };
        rows.push(row(
            Role::Dim,
            format!("  {what}, {}, {}, {new}{attached}{private}", image.platforms.join(" "), bytes(image.logical)),
        ));
        if image.private {
            rows.push(row(Role::Warning, "  private upstream: it stays out of what is published until it is allowed"));
        }
        for left in image.left_out.iter().take(4) {
            let of = left.platform.as_deref().map(|platform| format!("{platform}: ")).unwrap_or_default();
            rows.push(row(Role::Dim, format!("  left out: {of}{}", left.reason)));
        }
    }
    for failed in &plan.failed {
        rows.push(row(Role::Danger, failed.words()));
        rows.extend(failed.error.hints().iter().map(|hint| row(Role::Dim, format!("  {hint}"))));
    }
    let changed = changing.count();
    if !plan.images.is_empty() {
        let known = bytes(plan.known_bytes);
        rows.push(row(Role::Text, format!("{} to fetch, {known} here already.", bytes(plan.new_bytes))));
    }
    let unchanged = plan.images.len() - changed;
    let nothing = (changed == 0).then(|| {
        if plan.failed.is_empty() {
            format!(
                "{} as upstream has {}.",
                count(unchanged as u64, "image is", "images are"),
                if unchanged == 1 { "it" } else { "them" }
            )
        } else {
            String::new()
        }
    });
    let title = format!("{title} {}?", count(changed as u64, "image", "images"));
    Described { title, rows, verb, destroys: false, nothing }
}

fn remove(plan: &RemovePlan) -> Described {
    let mut rows: Vec<Row> = plan
        .images
        .iter()
        .map(|image| {
            let note = if image.attached { ", attached" } else { "" };
            row(Role::Name, format!("{}  {}{note}", image.image, bytes(image.logical)))
        })
        .collect();
    rows.extend(plan.repositories.iter().map(|name| row(Role::Text, format!("and with it the repository {name}"))));
    if plan.kept > 0 {
        rows.push(row(
            Role::Text,
            format!("{} stay because published roots that are kept here need them.", bytes(plan.kept)),
        ));
    }
    rows.push(row(
        Role::Text,
        match (plan.frees, plan.shared) {
            (0, 0) => "No disk space becomes free.".to_owned(),
            (0, shared) => format!("No disk space becomes free: others share {} of it.", bytes(shared)),
            (frees, 0) => format!("`gc` can free {} then.", bytes(frees)),
            (frees, shared) => {
                format!("`gc` can free {} then; {} stay because others share them.", bytes(frees), bytes(shared))
            }
        },
    ));
    if !plan.shared_with.is_empty() {
        let more = plan.shared_by.saturating_sub(plan.shared_with.len() as u64);
        let more = if more > 0 { format!(" and {} more", count(more, "image", "images")) } else { String::new() };
        rows.push(row(Role::Dim, format!("  shared with {}{more}", plan.shared_with.join(", "))));
    }
    rows.push(row(Role::Dim, "It can be undone until `gc` runs."));
    let title = format!("Remove {}?", count(plan.images.len() as u64, "image", "images"));
    Described { title, rows, verb: "remove", destroys: true, nothing: None }
}

fn undo(plan: &UndoPlan, verb: &'static str, comes: &str) -> Described {
    let returns = plan.returns.iter().map(|image| row(Role::Good, format!("{}  {comes}", image.image)));
    let goes = plan.goes.iter().map(|image| row(Role::Danger, format!("{}  goes", image.image)));
    Described {
        title: format!("{}{} `{} {}`?", verb[..1].to_uppercase(), &verb[1..], plan.verb, plan.summary),
        rows: returns.chain(goes).collect(),
        verb,
        destroys: !plan.goes.is_empty(),
        nothing: None,
    }
}

fn gc(plan: &GcPlan) -> Described {
    let total = plan.blob_bytes + plan.partial_bytes + plan.node_bytes;
    let kept = (plan.kept_roots > 0).then(|| {
        let roots = count(plan.kept_roots, "published root keeps", "published roots keep");
        row(Role::Text, format!("{roots} {} that nothing else needs.", bytes(plan.kept_bytes)))
    });
    let mut rows = vec![row(
        Role::Text,
        format!("{} that nothing needs, {}", count(plan.blobs.len() as u64, "blob", "blobs"), bytes(plan.blob_bytes)),
    )];
    if plan.partial_files > 0 {
        rows.push(row(
            Role::Text,
            format!(
                "{}, {}",
                count(plan.partial_files, "interrupted transfer", "interrupted transfers"),
                bytes(plan.partial_bytes)
            ),
        ));
    }
    if plan.nodes > 0 {
        rows.push(row(
            Role::Text,
            format!(
                "{}, {}",
                count(plan.nodes, "generated file or directory", "generated files and directories"),
                bytes(plan.node_bytes)
            ),
        ));
    }
    rows.extend(kept);
    rows.push(row(Role::Dim, "What is reclaimed can't be undone any more."));
    let nothing = plan.is_empty().then(|| "There is nothing to reclaim.".to_owned());
    Described { title: format!("Reclaim {}?", bytes(total)), rows, verb: "reclaim", destroys: true, nothing }
}

/// An outcome in a line, and whether something of it failed.
pub fn outcome(outcome: &Outcome) -> (String, Vec<String>) {
    match outcome {
        Outcome::Added(added) => {
            let failed: Vec<String> = added.failed.iter().map(FailedRequest::words).collect();
            let recorded = count(added.recorded.len() as u64, "image", "images");
            (format!("{recorded} recorded, {} fetched", bytes(added.fetched)), failed)
        }
        Outcome::Root(root) => (format!("the root is {root}"), Vec::new()),
        Outcome::Freed(freed) => (format!("{} reclaimed", bytes(*freed)), Vec::new()),
        Outcome::Verified(verified) => {
            let mut failed: Vec<String> =
                verified.damaged.iter().map(|damage| format!("{}: {}", damage.digest, damage.problem)).collect();
            if !verified.root_matches {
                failed.push("the tree is not what the recorded root says".to_owned());
            }
            let repaired = verified.repaired.len();
            let repaired = if repaired == 0 { String::new() } else { format!(", {repaired} repaired") };
            (format!("{} checked, {}{repaired}", count(verified.blobs, "file", "files"), bytes(verified.bytes)), failed)
        }
        Outcome::Checked(checked) => {
            let of = |wanted: fn(&Standing) -> bool| checked.iter().filter(|row| wanted(&row.standing)).count() as u64;
            let (current, stale) = (
                of(|standing| matches!(standing, Standing::Current)),
                of(|standing| matches!(standing, Standing::Outdated { .. })),
            );
            let failed = checked.iter().filter_map(|row| match &row.standing {
                Standing::Gone => Some(format!("{} is gone upstream", row.image)),
                Standing::Unknown { reason, .. } => Some(format!("{}: {reason}", row.image)),
                Standing::Current | Standing::Outdated { .. } => None,
            });
            (format!("{} up to date, {stale} stale", count(current, "image", "images")), failed.collect())
        }
        Outcome::Published(outcome) => published(outcome),
        Outcome::Allowed(names) => (names.join(", "), Vec::new()),
        Outcome::Forgotten(roots) => (format!("{} kept no longer", count(*roots, "root is", "roots are")), Vec::new()),
        Outcome::TargetRemoved(name) => (format!("{name} is forgotten; its history stays"), Vec::new()),
        Outcome::TargetSaved(name, doubts) if doubts.is_empty() => {
            (format!("{name} is saved; `:target-test` tries it"), Vec::new())
        }
        Outcome::TargetSaved(name, doubts) => (format!("{name} is saved, but {}", doubts.join(", and ")), Vec::new()),
        Outcome::Tested(trial) => {
            let failed: Vec<String> = trial
                .checks
                .iter()
                .filter(|check| check.outcome == crate::engine::target::Outcome::Failed)
                .map(|check| format!("{}: {}", check.what, check.detail))
                .collect();
            let words = match failed.len() as u64 {
                0 => format!("{} would take a publication", trial.target),
                failed => {
                    format!("publishing to {} would fail: {} failed", trial.target, count(failed, "check", "checks"))
                }
            };
            (words, failed)
        }
    }
}
