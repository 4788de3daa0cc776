//! `remove`: images out of the catalog.

use std::sync::Arc;

use cid::Cid;
use clap::Args;
use serde::Serialize;

use crate::cli::completers::catalog_names;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::parsed::parsed;
use crate::cli::planned::{self, Done, DryRun, Note, Planned};
use crate::cli::report::{ChangeReport, shown};
use crate::cli::style::Tone;
use crate::cli::suggest::with_suggestions;
use crate::cli::table::{Cell, Column, Table};
use crate::engine::Engine;
use crate::engine::job::Job;
use crate::engine::plan::RemovePlan;
use crate::engine::request::Pick;
use crate::error::Result;
use crate::text::{bytes, count, printable};

/// What to remove.
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Images as `list` names them: `name:tag`, `name@digest`, or `name` for all of a repository.
    #[arg(value_name = "REF", required = true, value_parser = parsed::<Pick>, add = catalog_names())]
    pub(in crate::cli) picks: Vec<Pick>,

    #[command(flatten)]
    pub(in crate::cli) dry_run: DryRun,
}

/// Removes images, after asking.
pub(in crate::cli) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    let engine = context.open_for(arguments.dry_run)?;
    planned::carry_out(&Remove { engine, picks: &arguments.picks }, arguments.dry_run, context)
}

struct Remove<'a> {
    engine: Arc<Engine>,
    picks: &'a [Pick],
}

impl Planned for Remove<'_> {
    type Plan = RemovePlan;
    type Outcome = Cid;

    fn verb(&self) -> &'static str {
        "remove"
    }

    async fn plan(&self, _: &Context, _: &Job) -> Result<RemovePlan> {
        with_suggestions(self.engine.plan_remove(self.picks), &self.engine, self.picks)
    }

    fn question(&self, plan: &RemovePlan) -> Option<String> {
        Some(format!("{} Remove {}?", consequence(plan), plan.count()))
    }

    async fn apply(&self, plan: &mut RemovePlan, _: &Context, job: &Job) -> Result<Cid> {
        self.engine.apply_remove(plan, job).await
    }

    fn document(&self, done: &Done<'_, RemovePlan, Cid>) -> impl Serialize {
        ChangeReport { dry_run: done.dry_run, plan: done.plan, root: done.outcome.copied().map(shown) }
    }

    fn tables(&self, plan: &RemovePlan) -> Vec<Table> {
        vec![table(plan)]
    }

    fn summary(&self, done: &Done<'_, RemovePlan, Cid>) -> Vec<Note> {
        match done.outcome {
            None => vec![Note::Message(format!("{} Nothing was changed.", summary(done.plan, "Would remove")))],
            Some(root) => [summary(done.plan, "Removed"), format!("The root is {root}")].map(Note::Message).into(),
        }
    }
}

/// What a person wants to know before saying yes.
fn consequence(plan: &RemovePlan) -> String {
    match (plan.frees, stays(plan)) {
        (0, None) => "Frees nothing.".to_owned(),
        (0, Some(stays)) => format!("Frees nothing: {stays}."),
        (frees, None) => format!("Frees {} once `roadstead gc` runs.", bytes(frees)),
        (frees, Some(stays)) => format!("Frees {} once `roadstead gc` runs; {stays}.", bytes(frees)),
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
    let mut table = Table::new(&[
        ("IMAGE", Column::Text),
        ("DIGEST", Column::Digest),
        ("SIZE", Column::Number),
        ("STATE", Column::Fixed),
    ]);
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

fn summary(plan: &RemovePlan, removed: &str) -> String {
    let repositories = match plan.repositories.as_slice() {
        [] => String::new(),
        [only] => format!(" and the repository {}", printable(only)),
        many => format!(" and {}", count(many.len() as u64, "repository", "repositories")),
    };
    format!("{removed} {}{repositories}. {}", plan.count(), consequence(plan))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::plan::RemovedImage;

    #[test]
    fn what_a_person_reads() {
        let mut plan = RemovePlan { frees: 3 << 20, shared: 38 << 20, ..RemovePlan::default() };
        let image = |attached| RemovedImage::example("library/nginx:1", attached);
        plan.images = [false, false, true].map(image).to_vec();
        assert_eq!(
            summary(&plan, "Removed"),
            "Removed 2 images (1 attached). Frees 3.0 MiB once `roadstead gc` runs; 38 MiB stay because others share them."
        );
        (plan.shared_with, plan.shared_by) = (vec!["a:1".into(), "b:2".into()], 2);
        assert_eq!(stays(&plan).unwrap(), "38 MiB stay because a:1 and b:2 share them");
        plan.shared_by = 12;
        assert_eq!(stays(&plan).unwrap(), "38 MiB stay because a:1, b:2 and 10 other images share them");
        plan.repositories = vec!["library/nginx".into()];
        plan.shared = 0;
        assert_eq!(
            summary(&plan, "Removed"),
            "Removed 2 images (1 attached) and the repository library/nginx. Frees 3.0 MiB once `roadstead gc` runs."
        );
        (plan.frees, plan.kept) = (0, 2 << 20);
        assert_eq!(
            summary(&plan, "Would remove"),
            "Would remove 2 images (1 attached) and the repository library/nginx. Frees nothing: 2.0 MiB stay because \
             published roots need them."
        );
        (plan.shared, plan.shared_by) = (1 << 20, 0);
        plan.shared_with.clear();
        assert_eq!(
            consequence(&plan),
            "Frees nothing: 1.0 MiB stay because others share them, and 2.0 MiB stay because published roots need them."
        );
    }
}
