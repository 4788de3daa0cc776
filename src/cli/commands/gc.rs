//! `gc`: reclaim what nothing needs any more.

use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::planned::{self, Done, DryRun, Note, Planned};
use crate::cli::report::PlanReport;
use crate::cli::table::{Column, Table};
use crate::engine::Engine;
use crate::engine::job::Job;
use crate::engine::plan::GcPlan;
use crate::error::Result;
use crate::text::{bytes, count};

/// How to reclaim.
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    pub(in crate::cli) dry_run: DryRun,

    /// Exit with 3 if there is nothing to reclaim.
    #[arg(long)]
    pub(in crate::cli) fail_if_unchanged: bool,
}

/// Reclaims room, after asking.
pub(in crate::cli) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    let engine = context.open_for(arguments.dry_run)?;
    planned::carry_out(&Gc { engine, arguments }, arguments.dry_run, context)
}

struct Gc<'a> {
    engine: Arc<Engine>,
    arguments: &'a Arguments,
}

impl Planned for Gc<'_> {
    type Plan = GcPlan;
    type Outcome = ();

    fn verb(&self) -> &'static str {
        "gc"
    }

    async fn plan(&self, _: &Context, _: &Job) -> Result<GcPlan> {
        self.engine.plan_gc()
    }

    fn is_empty(&self, plan: &GcPlan) -> bool {
        plan.is_empty()
    }

    fn question(&self, plan: &GcPlan) -> Option<String> {
        Some(question(reclaimed(plan), kept(plan).as_deref()))
    }

    async fn apply(&self, plan: &mut GcPlan, _: &Context, job: &Job) -> Result<()> {
        self.engine.apply_gc(plan, job).await
    }

    fn document(&self, done: &Done<'_, GcPlan, ()>) -> impl Serialize {
        PlanReport { dry_run: done.dry_run, plan: done.plan }
    }

    fn tables(&self, plan: &GcPlan) -> Vec<Table> {
        vec![table(plan)]
    }

    fn summary(&self, done: &Done<'_, GcPlan, ()>) -> Vec<Note> {
        let all = bytes(reclaimed(done.plan));
        if done.outcome.is_some() {
            return vec![Note::Message(format!("Reclaimed {all}."))];
        }
        let first = if done.plan.is_empty() {
            "Nothing to reclaim.".to_owned()
        } else {
            format!("Would reclaim {all}. Nothing was changed.")
        };
        [Some(first), kept(done.plan)].into_iter().flatten().map(Note::Message).collect()
    }

    fn end(&self, plan: GcPlan, _: Option<()>) -> Result<Exit> {
        Ok(if plan.is_empty() && self.arguments.fail_if_unchanged { Exit::Noticed } else { Exit::Done })
    }
}

/// Bytes of everything that goes.
fn reclaimed(plan: &GcPlan) -> u64 {
    plan.blob_bytes + plan.partial_bytes + plan.node_bytes
}

fn question(all: u64, kept: Option<&str>) -> String {
    match kept {
        Some(kept) => format!("{kept} Reclaim {}?", bytes(all)),
        None => format!("Reclaim {}?", bytes(all)),
    }
}

fn table(plan: &GcPlan) -> Table {
    let mut table = Table::new(&[("", Column::Text), ("", Column::Number)]);
    let blobs = plan.blobs.len() as u64;
    if blobs > 0 {
        table.row([
            format!("{} that no image needs", count(blobs, "blob", "blobs")).into(),
            bytes(plan.blob_bytes).into(),
        ]);
    }
    if plan.partial_files > 0 {
        let files = count(plan.partial_files, "file", "files");
        table.row([format!("{files} of interrupted transfers").into(), bytes(plan.partial_bytes).into()]);
    }
    if plan.nodes > 0 {
        let nodes = count(plan.nodes, "generated file or directory", "generated files and directories");
        table.row([format!("{nodes} of earlier roots").into(), bytes(plan.node_bytes).into()]);
    }
    table
}

/// What stays for published roots, if they keep anything.
fn kept(plan: &GcPlan) -> Option<String> {
    let roots = count(plan.kept_roots, "published root keeps", "published roots keep");
    let them = if plan.kept_roots == 1 { "it" } else { "one" };
    (plan.kept_roots > 0 && plan.kept_bytes > 0).then(|| {
        format!(
            "{roots} {} that nothing else needs; `roadstead history --forget ROOT` forgets {them}.",
            bytes(plan.kept_bytes)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::style::Paint;

    #[test]
    fn what_a_person_sees() {
        let mut plan = GcPlan::default();
        (plan.partial_files, plan.partial_bytes) = (1, 3 << 20);
        (plan.nodes, plan.node_bytes) = (12, 900);
        assert_eq!(
            table(&plan).render(None, Paint::new(false)),
            "1 file of interrupted transfers                      3.0 MiB\n\
             12 generated files and directories of earlier roots    900 B\n"
        );
        assert_eq!(kept(&plan), None);
        (plan.kept_roots, plan.kept_bytes) = (2, 5 << 20);
        assert_eq!(
            question(1 << 20, kept(&plan).as_deref()),
            "2 published roots keep 5.0 MiB that nothing else needs; `roadstead history --forget ROOT` forgets one. \
             Reclaim 1.0 MiB?"
        );
    }
}
