//! Plans and outcomes in words: what a dialog shows before a plan is run, and what is said after.

use super::work::{Outcome, Plan};
use crate::engine::change::undo::UndoPlan;
use crate::engine::plan::{Added, FailedRequest, GcPlan, ImageCount, RemovePlan, RemovedImage};
use crate::engine::query::view::{Currency, UpstreamState};
use crate::text::{bytes, count};

mod adding;
mod comparison;
mod following;
mod publication;
mod pulls;
mod rules;

use adding::add;
pub use comparison::comparison;
pub use following::{fact, facts as following};
pub use publication::{brief, difference, hints, repository, trial};
use publication::{publish, published};
pub use pulls::pulls;
pub use rules::{day, is_quiet};

/// Names that are told in a line.
const MAX_NAMES_PER_LINE: usize = 4;

/// What a line of a dialog means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Text without any other role.
    Text,
    /// Text that matters less than the rest.
    Dim,
    /// Name of an image, repository or target.
    Name,
    /// As it should be.
    Good,
    /// Something that needs attention but destroys nothing.
    Warning,
    /// Takes something away, or failed.
    Danger,
    /// What is chosen of several things.
    Chosen,
}

/// A line of a dialog.
pub type Row = (Role, String);

/// A plan in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// Title, put as a question.
    pub title: String,
    /// Lines that say what the plan will do.
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
        Plan::Rules(run) => rules::run(run),
        Plan::ChangeRules(change) => rules::change(change),
        Plan::Remove(plan) => remove(plan),
        Plan::Undo(plan) => undo(plan, "undo", "comes back"),
        Plan::Redo(plan) => undo(plan, "redo", "comes back"),
        Plan::Gc(plan) => gc(plan),
        Plan::Publish(plan) => publish(plan),
        Plan::Verify { repair } => Described {
            title: if *repair {
                "Check everything, and fetch damaged blobs again?"
            } else {
                "Check everything that \
                is stored?"
            }
            .to_owned(),
            rows: vec![row(
                Role::Text,
                if *repair {
                    "Reads and hashes every blob, and fetches damaged ones again."
                } else {
                    "Reads and hashes every blob, and rebuilds the tree to compare its root."
                },
            )],
            verb: if *repair { "repair" } else { "verify" },
            destroys: false,
            nothing: None,
        },
        Plan::SaveFile(save) => Described {
            title: "Save the file?".to_owned(),
            rows: vec![row(Role::Name, format!("/{}", save.path)), row(Role::Text, save.to.display().to_string())],
            verb: "save",
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
                    "Its upstream registry requires a login. From the next publication on, everyone can pull it \
                     here, and what is published on IPFS can't be taken back."
                } else {
                    "It is left out of the tree from now on. What was already published stays published."
                },
            ));
            let title = if *allowed { "Allow it to be published?" } else { "Leave it out of publications?" };
            let verb = if *allowed { "allow" } else { "revoke" };
            Described { title: title.to_owned(), rows, verb, destroys: *allowed, nothing: None }
        }
        Plan::Forget(plan) => publication::forget(plan),
        Plan::RemoveTarget(plan) => publication::remove_target(plan),
        Plan::StopFollowing(name) => following::stop(name),
        // They are begun without a dialog: a form or a key has asked for exactly that.
        Plan::SaveTarget(_)
        | Plan::TestTarget(_)
        | Plan::Look(_)
        | Plan::Follow { .. }
        | Plan::LookAtName
        | Plan::CheckFollowing => {
            Described { title: plan.title(), rows: Vec::new(), verb: "go on", destroys: false, nothing: None }
        }
    }
}

/// Images of a repository beyond which they are counted instead of listed.
const MAX_LISTED_IMAGES: usize = 12;

/// What becomes of the disk first, then the images: many of them are a line a repository.
fn remove(plan: &RemovePlan) -> Described {
    let mut rows = vec![row(
        Role::Text,
        match plan.frees {
            0 => "Frees no disk space.".to_owned(),
            frees => format!("Frees {} once `gc` runs.", bytes(frees)),
        },
    )];
    if plan.shared > 0 {
        let more = plan.shared_by.saturating_sub(plan.shared_with.len() as u64);
        let more = if more > 0 { format!(" and {}", count(more, "more image", "more images")) } else { String::new() };
        let with = if plan.shared_with.is_empty() { "others".to_owned() } else { plan.shared_with.join(", ") };
        rows.push(row(Role::Text, format!("{} stay: they are shared with {with}{more}.", bytes(plan.shared))));
    }
    if plan.kept > 0 {
        let more = plan.kept_by.len().saturating_sub(MAX_NAMES_PER_LINE);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let roots: Vec<&str> = plan.kept_by.iter().take(MAX_NAMES_PER_LINE).map(String::as_str).collect();
        let words = if plan.kept_by.len() == 1 { "the published root" } else { "the published roots" };
        let need = if plan.kept_by.len() == 1 { "needs" } else { "need" };
        rows.push(row(
            Role::Text,
            format!("{} stay: {words} {}{more} {need} them.", bytes(plan.kept), roots.join(", ")),
        ));
    }
    rows.push(row(Role::Dim, "This can be undone until `gc` runs."));
    rows.push(row(Role::Text, String::new()));
    let name = |image: &str| image.split(['@', ':']).next().unwrap_or(image).to_owned();
    let mut groups: Vec<(String, Vec<&RemovedImage>)> = Vec::new();
    for image in &plan.images {
        // A port in a published name is written with an underscore, so a colon begins the tag.
        let name = name(&image.image);
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, images)) => images.push(image),
            None => groups.push((name, vec![image])),
        }
    }
    let many = plan.images.len() > MAX_LISTED_IMAGES;
    let others = plan.repositories.iter().filter(|name| !groups.iter().any(|(known, _)| known == *name));
    let others: Vec<Row> = others.map(|name| row(Role::Text, format!("the repository {name} goes too"))).collect();
    for (name, images) in groups {
        let whole = if plan.repositories.contains(&name) { " (the repository goes too)" } else { "" };
        if many && images.len() > 1 {
            let logical = images.iter().map(|image| image.logical).sum();
            let number = ImageCount::of(images.iter().map(|image| image.attached));
            rows.push(row(Role::Name, format!("{name}  {number}, {}{whole}", bytes(logical))));
            continue;
        }
        let last = images.len() - 1;
        for (place, image) in images.into_iter().enumerate() {
            let note = if image.attached { ", attached" } else { "" };
            let whole = if place == last { whole } else { "" };
            rows.push(row(Role::Name, format!("{}  {}{note}{whole}", image.image, bytes(image.logical))));
        }
    }
    rows.extend(others);
    Described { title: format!("Remove {}?", plan.count()), rows, verb: "remove", destroys: true, nothing: None }
}

fn undo(plan: &UndoPlan, verb: &'static str, comes: &str) -> Described {
    let returns = plan.returns.iter().map(|image| row(Role::Good, format!("{}  {comes}", image.image)));
    let goes = plan.goes.iter().map(|image| row(Role::Danger, format!("{}  goes away", image.image)));
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
    rows.push(row(Role::Dim, "This can't be undone."));
    let nothing = plan.is_empty().then(|| "Nothing to reclaim.".to_owned());
    Described { title: format!("Reclaim {}?", bytes(total)), rows, verb: "reclaim", destroys: true, nothing }
}

/// What failed of a job, in a sentence: of one image, which the job is named after, the reason alone.
pub fn failure(title: &str, outcome: &Outcome, words: &str, failed: &[String]) -> String {
    // `add 3 images` names none.
    if !title.ends_with(" images")
        && let (Outcome::Added(Added { recorded, failed: requests, .. }), [one]) = (outcome, failed)
        && let ([], [request]) = (recorded.as_slice(), requests.as_slice())
    {
        let reason = one.strip_prefix(&format!("{}: ", request.request)).unwrap_or(one);
        return reason.to_owned();
    }
    if matches!(outcome, Outcome::Ruled(_)) {
        return format!("{words}. {}", capital(&failed.join("; ")));
    }
    format!("{words}, but {}", failed.join("; "))
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// What an outcome says image by image, to be read in the job's details.
pub fn report(outcome: &Outcome, zone: &jiff::tz::TimeZone) -> Vec<Row> {
    match outcome {
        Outcome::Ruled(ruled) => rules::report(&ruled.parts, &[], zone),
        Outcome::Looked { parts, only, beside } => {
            let mut rows = rules::report(parts, only, zone);
            let beside = outdated(beside.iter());
            if !beside.is_empty() {
                rows.push(row(Role::Name, "beside the rules"));
                rows.extend(beside);
            }
            rows
        }
        // Those that are gone are told of beside it.
        Outcome::Checked(checked) => outdated(checked.iter().filter(|row| !matches!(row.state, UpstreamState::Gone))),
        _ => Vec::new(),
    }
}

/// The images of which upstream has something else, or nothing.
fn outdated<'c>(checked: impl Iterator<Item = &'c Currency>) -> Vec<Row> {
    let line = |currency: &Currency| {
        let image = crate::text::printable_within(&currency.image, 300);
        match &currency.state {
            UpstreamState::Current => None,
            UpstreamState::Outdated { .. } => Some(row(Role::Warning, format!("  outdated  {image}"))),
            UpstreamState::Gone => Some(row(Role::Warning, format!("  gone      {image}: stays here"))),
            UpstreamState::Unknown { reason, .. } => {
                let reason = crate::text::printable_within(reason, 400);
                Some(row(Role::Danger, format!("  failed    {image}: {reason}")))
            }
        }
    };
    checked.filter_map(line).collect()
}

fn gone(images: usize) -> String {
    if images == 0 { String::new() } else { format!(", {images} gone upstream") }
}

/// What is worth knowing of an outcome besides that, a line each: images that upstream does not have any more stay here.
/// `serve` says what begins to serve here.
pub fn notices(outcome: &Outcome, serve: &str) -> Vec<String> {
    let gone: Vec<&str> = match outcome {
        Outcome::Added(added) => added.gone.iter().map(String::as_str).collect(),
        Outcome::Checked(checked) => {
            let gone = checked.iter().filter(|row| matches!(row.state, UpstreamState::Gone));
            gone.map(|row| row.image.as_str()).collect()
        }
        Outcome::Ruled(ruled) => return rules::left(&ruled.parts),
        Outcome::Published(published) => return publication::notes(published, serve),
        _ => Vec::new(),
    };
    gone.into_iter().map(|image| format!("{image} is gone upstream; it stays here")).collect()
}

/// What upstream has of images.
fn checked(checked: &[Currency]) -> (String, Vec<String>) {
    let of = |wanted: fn(&UpstreamState) -> bool| checked.iter().filter(|row| wanted(&row.state)).count() as u64;
    let (current, outdated) = (
        of(|state| matches!(state, UpstreamState::Current)),
        of(|state| matches!(state, UpstreamState::Outdated { .. })),
    );
    let failed = checked.iter().filter_map(|row| match &row.state {
        UpstreamState::Unknown { reason, .. } => Some(format!("{}: {reason}", row.image)),
        UpstreamState::Current | UpstreamState::Outdated { .. } | UpstreamState::Gone => None,
    });
    let gone = gone(checked.iter().filter(|row| matches!(row.state, UpstreamState::Gone)).count());
    (format!("{} up to date, {outdated} outdated{gone}", count(current, "image", "images")), failed.collect())
}

/// An outcome in a line, and whether something of it failed.
pub fn outcome(outcome: &Outcome) -> (String, Vec<String>) {
    match outcome {
        Outcome::Added(added) => {
            let failed: Vec<String> = added.failed.iter().map(FailedRequest::words).collect();
            let recorded = count(added.recorded.len() as u64, "image", "images");
            let done = if added.verb == "update" { "updated" } else { "added" };
            (format!("{recorded} {done}, {} fetched{}", bytes(added.fetched), gone(added.gone.len())), failed)
        }
        Outcome::Ruled(ruled) => rules::ran(ruled),
        Outcome::Looked { parts, only, beside } => {
            let faults = parts.iter().filter(|part| only.is_empty() || only.contains(&part.rule));
            let faults = faults.flat_map(|part| part.failed.iter().map(|why| format!("rule {}: {why}", part.rule)));
            let (words, failed) = match beside.as_slice() {
                [] => (rules::looked(parts, only), Vec::new()),
                beside => {
                    let (words, failed) = checked(beside);
                    (format!("{}; beside the rules {words}", rules::looked(parts, only)), failed)
                }
            };
            (words, faults.chain(failed).collect())
        }
        Outcome::RuleSaved { rule, is_new } => {
            (format!("{} the rule {}", if *is_new { "Added" } else { "Changed" }, rule.name), Vec::new())
        }
        Outcome::RuleRemoved(name) => {
            (format!("Removed the rule {name}; what it brought leaves after its time"), Vec::new())
        }
        Outcome::Removed(count) => (format!("Removed {count}"), Vec::new()),
        Outcome::Undone(consequence) => (consequence.clone(), Vec::new()),
        Outcome::Freed(freed) => (format!("{} reclaimed", bytes(*freed)), Vec::new()),
        Outcome::Verified(verified) => {
            // What was damaged and is whole again is no failure.
            let left = verified.damaged.iter().filter(|damage| !verified.repaired.contains(&damage.digest));
            let mut failed: Vec<String> = left.map(|damage| format!("{}: {}", damage.digest, damage.problem)).collect();
            if !verified.root_matches {
                failed.push("the tree does not match the recorded root".to_owned());
            }
            let repaired = verified.repaired.len();
            let repaired = if repaired == 0 { String::new() } else { format!(", {repaired} repaired") };
            (format!("{} checked, {}{repaired}", count(verified.blobs, "file", "files"), bytes(verified.bytes)), failed)
        }
        Outcome::FileSaved(saved) => (
            format!("{} in {}", bytes(saved.size), crate::text::printable(&saved.file.display().to_string())),
            Vec::new(),
        ),
        Outcome::Checked(images) => checked(images),
        Outcome::Published(outcome) => published(outcome),
        Outcome::Allowed(_) => ("done".to_owned(), Vec::new()),
        Outcome::Forgotten(roots) => (format!("{} no longer kept", count(*roots, "root is", "roots are")), Vec::new()),
        Outcome::TargetRemoved(name) => (format!("{name} is forgotten; its history stays"), Vec::new()),
        Outcome::TargetSaved(name, doubts) if doubts.is_empty() => {
            (format!("Saved {name}; `:target-test` tests it"), Vec::new())
        }
        Outcome::TargetSaved(name, doubts) => (format!("Saved {name}. Warning: {}", doubts.join("; ")), Vec::new()),
        Outcome::Following(name) => (format!("Following {name}"), Vec::new()),
        Outcome::NameLookedAt { came, .. } => {
            (came.as_deref().unwrap_or("the name has not moved").trim_end_matches('.').to_owned(), Vec::new())
        }
        Outcome::FollowingStopped(name) => following::stopped(name.as_deref()),
        Outcome::Tested(trial) => {
            let failed: Vec<String> = trial
                .checks
                .iter()
                .filter(|check| check.outcome == crate::engine::targets::Outcome::Failed)
                .map(|check| format!("{}: {}", check.what, check.detail))
                .collect();
            let words = match failed.len() as u64 {
                0 => format!("{} is ready to publish to", trial.target),
                failed => {
                    format!("publishing to {} would fail: {} failed", trial.target, count(failed, "check", "checks"))
                }
            };
            (words, failed)
        }
    }
}
