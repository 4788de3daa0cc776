//! Targets, older roots and what differs between roots, in words.

use super::super::glyphs::Glyphs;
use super::super::work;
use super::{Described, Role, Row, row};
use crate::engine::own_node::SERVE_HINT;
use crate::engine::publish::plan::{PlannedHost, PlannedTarget, PublishOutcome, PublishPlan, TargetOutcome};
use crate::engine::query::diff::{Amount, Difference, RepositoryDifference, TagDifference};
use crate::engine::query::diff::{ChangeKind, TagChange};
use crate::engine::query::history::ForgetPlan;
use crate::engine::targets::{ALLOWED, Check, Outcome, Part, RemoveTargetPlan, Trial};
use crate::error::Error;
use crate::text::{bytes, count};

/// Tags of a repository that are named.
const MAX_NAMED_TAGS: usize = 12;
/// Tags of a repository that are named in a line.
const MAX_TAGS_PER_LINE: usize = 4;
/// Repositories of a plan that are named for a target.
const MAX_NAMED_REPOSITORIES: usize = 8;

/// A publication: what can't be taken back first, then what fails, then each target.
pub(super) fn publish(plan: &PublishPlan) -> Described {
    let mut rows = vec![row(Role::Name, format!("root {}", plan.root))];
    if !plan.first_time_private.is_empty() {
        let names = plan.first_time_private.join(", ");
        rows.push(row(Role::Text, String::new()));
        rows.push(row(
            Role::Danger,
            format!("Private upstream, published for the first time: {names}. This can't be undone."),
        ));
    }
    for failed in &plan.failed {
        rows.push(row(Role::Text, String::new()));
        rows.push(row(Role::Danger, format!("{} is left out: {}", failed.name, failed.error)));
        rows.extend(failed.error.hints().iter().map(|hint| row(Role::Dim, format!("  {hint}"))));
    }
    for (place, target) in plan.targets.iter().enumerate() {
        rows.push(row(Role::Text, String::new()));
        planned(plan, place, target, &mut rows);
    }
    if !plan.left_out.is_empty() {
        let names = plan.left_out.join(", ");
        rows.push(row(Role::Text, String::new()));
        rows.push(row(
            Role::Warning,
            format!("Left out because private: {names}. `:allow` in the list of repositories includes one."),
        ));
    }
    // What a node can't look up has moved, and more is not known.
    let unseen = plan.targets.iter().any(|target| target.ipns.as_ref().is_some_and(|name| name.unseen));
    let point = if unseen { "were moved" } else { "point" };
    let can_run = plan.targets.iter().any(|target| !plan.is_done_at(target));
    let nothing = (!can_run).then(|| {
        if !plan.failed.is_empty() {
            // What failed is to be read.
            String::new()
        } else if plan.targets.is_empty() {
            "There is no target to publish to: `:target-add` sets one up".to_owned()
        } else if let [only] = plan.targets.as_slice() {
            format!("Nothing to publish: {} has this root, and its names {point} to it", only.target.name)
        } else {
            format!("Nothing to publish: every target has this root, and its names {point} to it")
        }
    });
    let verb = if plan.rollback { "roll back" } else { "publish" };
    let title = match (plan.rollback, plan.targets.len()) {
        _ if !can_run && !plan.failed.is_empty() => "Nothing can be published".to_owned(),
        (true, 1) => "Roll back?".to_owned(),
        (true, many) => format!("Roll back {many} targets?"),
        (false, 0 | 1) => "Publish?".to_owned(),
        (false, many) => format!("Publish to {many} targets?"),
    };
    Described { title, rows, verb, destroys: !plan.first_time_private.is_empty(), nothing }
}

/// What one target takes; changes that are those of a target above are not told again.
fn planned(plan: &PublishPlan, place: usize, target: &PlannedTarget, rows: &mut Vec<Row>) {
    let first = if target.former.is_none() { ", for the first time" } else { "" };
    rows.push(row(Role::Name, format!("{}{first}", target.target.name)));
    if plan.is_done_at(target) {
        rows.push(row(Role::Good, "  already has it"));
        return;
    }
    let same = plan.targets[..place].iter().find(|other| !plan.is_done_at(other) && other.changes == target.changes);
    match same {
        Some(other) if !target.changes.is_empty() => {
            rows.push(row(Role::Text, format!("  the same changes as at {}", other.target.name)));
        }
        _ => changes(target, rows),
    }
    if let Some(host) = &target.host {
        objects(host, rows);
        rows.extend(target.notes.iter().map(|note| row(Role::Warning, format!("  {note}"))));
        return;
    }
    rows.push(match target.blocks {
        0 if target.fetches && !target.pinned => row(Role::Text, format!("  asks it to pin {}", plan.root)),
        0 => row(Role::Text, "  sends nothing: the node already has everything"),
        blocks => row(Role::Text, format!("  sends {}, {}", count(blocks, "block", "blocks"), bytes(target.bytes))),
    });
    if let Some(record) = &target.dnslink
        && record.before != record.after
    {
        rows.push(row(Role::Text, format!("  moves the record {}", record.name)));
    }
    if let Some(name) = &target.ipns
        && name.before.as_ref() != Some(&name.after)
    {
        rows.push(row(Role::Text, format!("  moves the IPNS name of the key {}", name.key)));
    }
    if !target.unpin.is_empty() {
        let roots = count(target.unpin.len() as u64, "older root", "older roots");
        rows.push(row(Role::Text, format!("  unpins {roots}")));
    }
    rows.extend(target.notes.iter().map(|note| row(Role::Warning, format!("  {note}"))));
}

/// What a static host takes.
fn objects(host: &PlannedHost, rows: &mut Vec<Row>) {
    let objects = &host.objects;
    let copied = match (objects.copied, host.links) {
        (0, _) => String::new(),
        (copied, true) => format!("; {copied} of them by links there"),
        (copied, false) => format!("; {copied} of them by copying there"),
    };
    rows.push(match objects.stored {
        0 => row(Role::Text, "  stores nothing: the host already has everything"),
        stored => row(
            Role::Text,
            format!("  stores {}, {}{copied}", count(stored, "object", "objects"), bytes(objects.bytes)),
        ),
    });
    if objects.deleted > 0 {
        let deleted = count(objects.deleted, "object that nothing needs", "objects that nothing needs");
        rows.push(row(Role::Text, format!("  deletes {deleted}, {}", bytes(objects.deleted_bytes))));
    }
}

fn changes(target: &PlannedTarget, rows: &mut Vec<Row>) {
    for change in target.changes.iter().take(MAX_NAMED_REPOSITORIES) {
        let (role, line) = changed(&change.repository, change.kind, change.tags.iter());
        rows.push(row(role, format!("  {line}")));
    }
    let more = target.changes.len().saturating_sub(MAX_NAMED_REPOSITORIES);
    if more > 0 {
        rows.push(row(Role::Dim, format!("  and {}", count(more as u64, "more repository", "more repositories"))));
    }
}

/// How a publication came out, and what failed of it.
pub(super) fn published(published: &PublishOutcome) -> (String, Vec<String>) {
    let without = published.targets.iter().filter(|target| target.failure.is_some()).count();
    let failed: Vec<String> = published
        .targets
        .iter()
        .filter_map(|target| match (&target.failure, &target.ipns_failure) {
            (Some((_, error)), _) => Some(format!("{}: {error}", target.name)),
            (None, Some(error)) => Some(format!("{}: its IPNS name did not move: {error}", target.name)),
            (None, None) => None,
        })
        .collect();
    let (all, done) = (published.targets.len() as u64, (published.targets.len() - without) as u64);
    let words = match done {
        _ if without == 0 => format!("{} {} {}", count(all, "target", "targets"), has(all), published.root),
        0 => "no target has the new root".to_owned(),
        done => format!("{done} of {} {} the new root", count(all, "target", "targets"), has(done)),
    };
    (words, failed)
}

/// What is worth knowing of targets that have the root; `serve` says what begins to serve here.
pub(super) fn notes(published: &PublishOutcome, serve: &str) -> Vec<String> {
    let of = |target: &TargetOutcome| -> Vec<String> {
        target.notes.iter().map(|note| format!("{}: {}", target.name, note.replace(SERVE_HINT, serve))).collect()
    };
    published.targets.iter().flat_map(of).collect()
}

fn has(number: u64) -> &'static str {
    if number == 1 { "has" } else { "have" }
}

/// What to do about what failed.
pub fn hints(outcome: &work::Outcome) -> Vec<String> {
    let errors: Vec<&Error> = match outcome {
        work::Outcome::Published(published) => {
            let failed = published.targets.iter().filter_map(|target| target.failure.as_ref()).map(|(_, error)| error);
            failed.chain(published.targets.iter().filter_map(|target| target.ipns_failure.as_deref())).collect()
        }
        work::Outcome::Added(added) => added.failed.iter().map(|failed| &failed.error).collect(),
        _ => return Vec::new(),
    };
    let mut hints: Vec<String> = Vec::new();
    for hint in errors.iter().flat_map(|error| error.hints()) {
        if !hints.contains(hint) {
            hints.push(hint.clone());
        }
    }
    if matches!(outcome, work::Outcome::Published(_)) {
        hints.push("Publishing again continues where it failed.".to_owned());
    }
    hints
}

/// Older roots that are to be kept no longer.
pub(super) fn forget(plan: &ForgetPlan) -> Described {
    let mut rows = Vec::new();
    for root in &plan.roots {
        rows.push(row(Role::Name, root.root.clone()));
        rows.push(row(Role::Dim, format!("  published {} to {}", root.published, root.targets.join(", "))));
        if !root.pinned_by.is_empty() {
            rows.push(row(Role::Dim, format!("  stays pinned at {}", root.pinned_by.join(", "))));
        }
    }
    rows.push(row(
        Role::Text,
        match plan.frees {
            0 => "Frees nothing: all of it is still needed.".to_owned(),
            frees => format!("Frees {} once `gc` runs; this can't be undone.", bytes(frees)),
        },
    ));
    let title = match plan.roots.len() as u64 {
        1 => "Forget this root?".to_owned(),
        many => format!("Forget {}?", count(many, "root", "roots")),
    };
    let nothing = plan.is_empty().then(|| "Nothing to forget: this root is no longer kept".to_owned());
    Described { title, rows, verb: "forget", destroys: true, nothing }
}

/// A target that is to be forgotten.
pub(super) fn remove_target(plan: &RemoveTargetPlan) -> Described {
    let mut rows = Vec::new();
    if let Some(record) = &plan.record {
        rows.push(row(Role::Text, format!("{record} stays as it is.")));
    }
    for root in &plan.pinned {
        rows.push(row(Role::Text, format!("{root} stays pinned at {}.", plan.node)));
    }
    for root in &plan.withdrawn {
        rows.push(row(Role::Warning, format!("{root} is no longer given out by this program.")));
    }
    for root in &plan.released {
        rows.push(row(Role::Warning, format!("{root} is no longer kept here: `gc` may delete it.")));
    }
    rows.push(row(Role::Dim, "Its history stays."));
    Described {
        title: format!("Forget the target {}?", plan.name),
        rows,
        verb: "forget",
        destroys: true,
        nothing: None,
    }
}

/// What was tried of a target: what failed first, then what is worth a look, then the rest. What the node allows is one line.
/// `serve` says what begins to serve here.
pub fn trial(trial: &Trial, glyphs: &Glyphs, serve: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let allowed = |check: &&Check| check.outcome == Outcome::Good && check.detail == ALLOWED;
    for (outcome, role, sign) in [
        (Outcome::Failed, Role::Danger, glyphs.failed),
        (Outcome::Doubtful, Role::Warning, glyphs.outdated),
        (Outcome::Good, Role::Good, glyphs.done),
        (Outcome::Skipped, Role::Dim, glyphs.dot),
    ] {
        for check in trial.checks.iter().filter(|check| check.outcome == outcome && !allowed(check)) {
            let part = if check.part == Part::Node { String::new() } else { format!("{}, ", check.part.name()) };
            rows.push(row(role, format!("{sign} {part}{}: {}", check.what, check.detail)));
            let hint =
                |hint: &String| hint.replace("`roadstead target set`", "`:target-edit`").replace(SERVE_HINT, serve);
            rows.extend(check.hints.iter().map(|text| row(Role::Dim, format!("  {}", hint(text)))));
        }
        let rights: Vec<&str> = trial.checks.iter().filter(allowed).map(|check| check.what.as_str()).collect();
        if outcome == Outcome::Good && !rights.is_empty() {
            rows.push(row(role, format!("{sign} allowed: {}", rights.join(", "))));
        }
    }
    rows
}

/// What differs between two roots.
pub fn difference(difference: &Difference) -> Vec<Row> {
    if difference.is_empty() {
        return vec![row(Role::Good, "No repository differs.")];
    }
    let mut rows = vec![row(Role::Text, summary(difference)), row(Role::Text, String::new())];
    for repository in &difference.repositories {
        let (role, sign) = sign(repository.kind);
        rows.push(row(role, format!("{sign} {}", repository.repository)));
        for tag in repository.tags.iter().take(MAX_NAMED_TAGS) {
            rows.push(tag_row(tag));
        }
        if repository.tags.len() > MAX_NAMED_TAGS {
            let more = count((repository.tags.len() - MAX_NAMED_TAGS) as u64, "more tag", "more tags");
            rows.push(row(Role::Dim, format!("    and {more}")));
        }
    }
    rows
}

fn sign(kind: ChangeKind) -> (Role, &'static str) {
    match kind {
        ChangeKind::Added => (Role::Good, "+"),
        ChangeKind::Changed => (Role::Warning, "~"),
        ChangeKind::Removed => (Role::Danger, "-"),
    }
}

fn tag_row(tag: &TagDifference) -> Row {
    let (role, sign) = sign(tag.change.kind);
    let added = tag.platforms_added.iter().map(|platform| format!(" +{platform}"));
    let removed = tag.platforms_removed.iter().map(|platform| format!(" -{platform}"));
    let platforms: String = added.chain(removed).collect();
    row(role, format!("    {sign} {}{platforms}", tag.change.tag))
}

/// A repository that differs, in a line.
pub fn repository(repository: &RepositoryDifference) -> Row {
    changed(&repository.repository, repository.kind, repository.tags.iter().map(|tag| &tag.change))
}

/// A repository that changes, in a line. Of one that stays each tag has a sign of its own, and what goes comes first: it is
/// never among those that are only counted.
fn changed<'t>(repository: &str, kind: ChangeKind, tags: impl Iterator<Item = &'t TagChange>) -> Row {
    let mut tags: Vec<&TagChange> = tags.collect();
    let (mut role, own) = sign(kind);
    let mut words = vec![own.to_owned(), repository.to_owned()];
    if kind == ChangeKind::Changed {
        tags.sort_by_key(|tag| match tag.kind {
            ChangeKind::Removed => 0,
            ChangeKind::Changed => 1,
            ChangeKind::Added => 2,
        });
        if tags.iter().any(|tag| tag.kind == ChangeKind::Removed) {
            role = Role::Danger;
        }
    }
    words.extend(tags.iter().take(MAX_TAGS_PER_LINE).map(|tag| match kind {
        ChangeKind::Changed => format!("{}{}", sign(tag.kind).1, tag.tag),
        ChangeKind::Added | ChangeKind::Removed => tag.tag.clone(),
    }));
    let more = tags.len().saturating_sub(MAX_TAGS_PER_LINE);
    words.extend((more > 0).then(|| format!("and {more} more")));
    row(role, words.join(" "))
}

fn tags_of(difference: &Difference) -> u64 {
    difference.repositories.iter().map(|repository| repository.tags.len() as u64).sum()
}

/// In a few words: repositories, tags, bytes.
pub fn brief(difference: &Difference) -> String {
    let amount = |amount: &Amount, sign: &str| (amount.blobs > 0).then(|| format!(", {sign}{}", bytes(amount.bytes)));
    let repositories = count(difference.repositories.len() as u64, "repository", "repositories");
    let amounts: String = amount(&difference.added, "+").into_iter().chain(amount(&difference.removed, "-")).collect();
    format!("{repositories}, {}{amounts}", count(tags_of(difference), "tag", "tags"))
}

/// In a line: repositories, tags, bytes.
fn summary(difference: &Difference) -> String {
    let tags = tags_of(difference);
    let amount = |amount: &Amount, sign: &str| {
        (amount.blobs > 0).then(|| format!("{sign}{} in {}", bytes(amount.bytes), count(amount.blobs, "blob", "blobs")))
    };
    let amounts: Vec<String> =
        amount(&difference.added, "+").into_iter().chain(amount(&difference.removed, "-")).collect();
    let amounts = if amounts.is_empty() { "no blob".to_owned() } else { amounts.join(", ") };
    format!(
        "{} and {} differ: {amounts}",
        count(difference.repositories.len() as u64, "repository", "repositories"),
        count(tags, "tag", "tags")
    )
}
