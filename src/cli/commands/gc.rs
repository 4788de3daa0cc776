//! `gc`: reclaim what nothing needs any more.

use clap::Args;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::report::GcReport;
use crate::cli::table::{Column, Table};
use crate::engine::job::Job;
use crate::engine::plan::GcPlan;
use crate::error::Result;
use crate::text::{bytes, count};

/// How to reclaim.
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Show what would be done and do nothing.
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,

    /// Exit with 3 if there is nothing to reclaim.
    #[arg(long)]
    pub(in crate::cli) fail_if_unchanged: bool,
}

/// Reclaims room, after asking.
pub(in crate::cli) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    let engine = if arguments.dry_run { context.open_to_read()? } else { context.open_existing()? };
    let plan = engine.plan_gc()?;
    let output = &context.output;
    let kept = kept(&plan);
    if plan.is_empty() {
        output.json(&GcReport { dry_run: arguments.dry_run, plan: &plan })?;
        output.message("There is nothing to reclaim.");
        if let Some(kept) = &kept {
            output.message(kept);
        }
        return Ok(if arguments.fail_if_unchanged { Exit::Noticed } else { Exit::Done });
    }
    let table = table(&plan);
    let all = plan.blob_bytes + plan.partial_bytes + plan.node_bytes;
    if arguments.dry_run {
        output.json(&GcReport { dry_run: true, plan: &plan })?;
        output.table(&table)?;
        output.finish()?;
        output.message(&format!("{} would be reclaimed. Nothing was changed.", bytes(all)));
        if let Some(kept) = &kept {
            output.message(kept);
        }
        return Ok(Exit::Done);
    }
    if !context.confirm("gc", &[&table], &question(all, kept.as_deref()))? {
        return Ok(Exit::Declined);
    }
    context.run(async |job: &Job| engine.apply_gc(&plan, job).await)?;
    output.json(&GcReport { dry_run: false, plan: &plan })?;
    if context.global.yes {
        output.table(&table)?;
    }
    output.finish()?;
    output.message(&format!("Reclaimed {}.", bytes(all)));
    Ok(Exit::Done)
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
            "{roots} {} that nothing else needs; `roadstead history --forget ROOT` gives {them} up.",
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
            "2 published roots keep 5.0 MiB that nothing else needs; `roadstead history --forget ROOT` gives one up. Reclaim 1.0 MiB?"
        );
    }
}
