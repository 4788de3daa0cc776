//! `remove`: images out of the catalog.

use clap::Args;

use super::Exit;
use super::arguments::parsed;
use super::completions::catalog_names;
use super::context::Context;
use super::report::{RemoveReport, shown};
use super::style::Tone;
use super::suggest::with_suggestions;
use super::table::{Cell, Column, Table};
use crate::engine::job::Job;
use crate::engine::plan::RemovePlan;
use crate::engine::request::Pick;
use crate::error::Result;
use crate::text::{bytes, count, printable};

/// What to remove.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Images as `list` names them: `name:tag`, `name@digest`, or `name` for all of a repository.
    #[arg(value_name = "REF", required = true, value_parser = parsed::<Pick>, add = catalog_names())]
    pub(super) picks: Vec<Pick>,

    /// Show what would be done and do nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
}

/// Removes images, after asking.
pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    let engine = if arguments.dry_run { context.open_to_read()? } else { context.open_existing()? };
    let plan = with_suggestions(engine.plan_remove(&arguments.picks), &engine, &arguments.picks)?;
    let output = &context.output;
    let table = table(&plan);
    if arguments.dry_run {
        output.json(&RemoveReport { dry_run: true, plan: &plan, root: None })?;
        output.table(&table)?;
        output.finish()?;
        output.message(&format!("{} Nothing was changed.", summary(&plan, "would be removed", "would free")));
        return Ok(Exit::Done);
    }
    let question = format!("Remove {}?", count(plan.images.len() as u64, "image", "images"));
    let question = format!("{} {question}", consequence(&plan));
    if !context.confirm("remove", &[&table], &question)? {
        return Ok(Exit::Declined);
    }
    let root = context.run(async |job: &Job| engine.apply_remove(&plan, job).await)?;
    output.json(&RemoveReport { dry_run: false, plan: &plan, root: Some(shown(root)) })?;
    // Who was asked has seen it.
    if context.global.yes {
        output.table(&table)?;
    }
    output.finish()?;
    output.message(&summary(&plan, "removed", "will free"));
    output.message(&format!("The root is {root}"));
    Ok(Exit::Done)
}

/// What a person wants to know before saying yes.
fn consequence(plan: &RemovePlan) -> String {
    match (plan.frees, stays(plan)) {
        (0, None) => "Nothing becomes free.".to_owned(),
        (0, Some(stays)) => format!("Nothing becomes free: {stays}."),
        (frees, None) => format!("`roadstead gc` can free {} then.", bytes(frees)),
        (frees, Some(stays)) => format!("`roadstead gc` can free {} then; {stays}.", bytes(frees)),
    }
}

/// What does not become free, and why.
fn stays(plan: &RemovePlan) -> Option<String> {
    let shared = (plan.shared > 0).then(|| format!("{} stay because {} them", bytes(plan.shared), sharers(plan)));
    let kept = (plan.kept > 0).then(|| format!("{} stay because published roots need them", bytes(plan.kept)));
    let both: Vec<String> = shared.into_iter().chain(kept).collect();
    (!both.is_empty()).then(|| both.join(", and "))
}

/// Who needs the rest, as the subject of a sentence.
fn sharers(plan: &RemovePlan) -> String {
    let names: Vec<String> = plan.shared_with.iter().map(|name| printable(name)).collect();
    match (names.as_slice(), plan.shared_by.saturating_sub(names.len() as u64)) {
        ([], _) => "others share".to_owned(),
        ([only], 0) => format!("{only} shares"),
        ([first @ .., last], 0) => format!("{} and {last} share", first.join(", ")),
        (some, more) => format!("{} and {} share", some.join(", "), count(more, "other image", "other images")),
    }
}

fn table(plan: &RemovePlan) -> Table {
    let mut table = Table::new(&[("", Column::Text), ("", Column::Digest), ("", Column::Number), ("", Column::Fixed)]);
    for image in &plan.images {
        let note = if image.attached { "attached" } else { "" };
        table.row([
            Cell::toned(Tone::Name, &image.image),
            image.digest.to_string().into(),
            bytes(image.logical).into(),
            Cell::toned(Tone::Dim, note),
        ]);
    }
    table
}

fn summary(plan: &RemovePlan, done: &str, frees: &str) -> String {
    let repositories = match plan.repositories.as_slice() {
        [] => String::new(),
        [only] if plan.images.len() == 1 => format!(", and with it the repository {}", printable(only)),
        [only] => format!(", and with them the repository {}", printable(only)),
        many => format!(", and with them {} repositories", many.len()),
    };
    let room = match (plan.frees, stays(plan)) {
        (0, None) => "; no disk space becomes free".to_owned(),
        (0, Some(stays)) => format!("; no disk space becomes free: {stays}"),
        (frees_bytes, None) => format!("; `roadstead gc` {frees} {}", bytes(frees_bytes)),
        (frees_bytes, Some(stays)) => format!("; `roadstead gc` {frees} {}, and {stays}", bytes(frees_bytes)),
    };
    format!("{} {done}{repositories}{room}.", count(plan.images.len() as u64, "image", "images"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_reads() {
        let mut plan = RemovePlan { frees: 3 << 20, shared: 38 << 20, ..RemovePlan::default() };
        assert_eq!(
            summary(&plan, "removed", "will free"),
            "0 images removed; `roadstead gc` will free 3.0 MiB, and 38 MiB stay because others share them."
        );
        (plan.shared_with, plan.shared_by) = (vec!["a:1".into(), "b:2".into()], 2);
        assert_eq!(stays(&plan).unwrap(), "38 MiB stay because a:1 and b:2 share them");
        plan.shared_by = 12;
        assert_eq!(stays(&plan).unwrap(), "38 MiB stay because a:1, b:2 and 10 other images share them");
        plan.repositories = vec!["library/nginx".into()];
        plan.shared = 0;
        assert_eq!(
            summary(&plan, "removed", "will free"),
            "0 images removed, and with them the repository library/nginx; `roadstead gc` will free 3.0 MiB."
        );
        (plan.frees, plan.kept) = (0, 2 << 20);
        assert_eq!(
            summary(&plan, "would be removed", "would free"),
            "0 images would be removed, and with them the repository library/nginx; no disk space becomes free: 2.0 MiB stay \
             because published roots need them."
        );
        (plan.shared, plan.shared_by) = (1 << 20, 0);
        plan.shared_with.clear();
        assert_eq!(
            consequence(&plan),
            "Nothing becomes free: 1.0 MiB stay because others share them, and 2.0 MiB stay because published roots need them."
        );
    }
}
