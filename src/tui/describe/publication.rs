//! Targets, older roots and what differs between roots, in words.

use super::{Described, Role, Row, row};
use crate::engine::diff::{Amount, Difference, TagDifference};
use crate::engine::history::ForgetPlan;
use crate::engine::publish::plan::ChangeKind;
use crate::engine::target::{Outcome, RemoveTargetPlan, Trial};
use crate::text::{bytes, count};

/// Tags of a repository that are named.
const TAGS: usize = 12;

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
            0 => "Nothing becomes free: all of it is needed otherwise.".to_owned(),
            frees => format!("`gc` can free {} then, and there is no way back from here.", bytes(frees)),
        },
    ));
    let title = match plan.roots.len() as u64 {
        1 => "Keep this root no longer?".to_owned(),
        many => format!("Keep {} no longer?", count(many, "root", "roots")),
    };
    let nothing = plan.is_empty().then(|| "This root is not kept any more: there is nothing to forget".to_owned());
    Described { title, rows, verb: "forget", destroys: true, nothing }
}

/// A target that is to be forgotten.
pub(super) fn remove_target(plan: &RemoveTargetPlan) -> Described {
    let mut rows = Vec::new();
    if let Some(record) = &plan.record {
        rows.push(row(Role::Text, format!("{record} stays as it is.")));
    }
    for root in &plan.pinned {
        rows.push(row(Role::Text, format!("{root} stays pinned at {}.", plan.kubo)));
    }
    for root in &plan.released {
        rows.push(row(Role::Warning, format!("{root} is not kept here any more: `gc` may take it.")));
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

/// What was tried of a target.
pub fn trial(trial: &Trial) -> Vec<Row> {
    let mut rows = Vec::new();
    for check in &trial.checks {
        let (part, word) = (check.part.name(), check.outcome.word());
        let role = match check.outcome {
            Outcome::Good => Role::Good,
            Outcome::Doubtful => Role::Warning,
            Outcome::Failed => Role::Danger,
            Outcome::Skipped => Role::Dim,
        };
        rows.push(row(role, format!("{word}: {part}, {}: {}", check.what, check.detail)));
        rows.extend(check.hints.iter().map(|hint| row(Role::Dim, format!("  {hint}"))));
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
        for tag in repository.tags.iter().take(TAGS) {
            rows.push(tag_row(tag));
        }
        if repository.tags.len() > TAGS {
            let more = count((repository.tags.len() - TAGS) as u64, "tag", "tags");
            rows.push(row(Role::Dim, format!("    and {more} more")));
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

/// In a line: repositories, tags, bytes.
pub fn summary(difference: &Difference) -> String {
    let tags: u64 = difference.repositories.iter().map(|repository| repository.tags.len() as u64).sum();
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
