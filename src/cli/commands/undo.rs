//! `undo` and `redo`: the last change of images, taken back, and done again.

use clap::Args;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::report::{UndoReport, shown};
use crate::cli::style::Tone;
use crate::cli::table::{Cell, Column, Table};
use crate::engine::change::undo::UndoPlan;
use crate::engine::job::Job;
use crate::error::Result;
use crate::text::printable;

/// What of it.
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Show what would be done and do nothing.
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
}

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Direction {
    /// Take the last change back.
    Undo,
    /// Do again what was undone.
    Redo,
}

impl Direction {
    /// The verb; at the beginning of a question; as a participle; in the past.
    fn words(self) -> [&'static str; 4] {
        match self {
            Self::Undo => ["undo", "Undo", "Undoing", "Undid"],
            Self::Redo => ["redo", "Redo", "Redoing", "Redid"],
        }
    }
}

/// Undoes the last change, or redoes it, after asking.
pub(in crate::cli) fn run(arguments: &Arguments, context: &Context, direction: Direction) -> Result<Exit> {
    let [verb, ask, doing, did] = direction.words();
    let engine = if arguments.dry_run { context.open_to_read()? } else { context.open_existing()? };
    let plan = match direction {
        Direction::Undo => engine.plan_undo()?,
        Direction::Redo => engine.plan_redo()?,
    };
    let output = &context.output;
    let table = table(&plan);
    if arguments.dry_run {
        output.json(&UndoReport { dry_run: true, plan: &plan, root: None })?;
        output.table(&table)?;
        output.finish()?;
        output.message(&format!("{doing} {} would do this. Nothing was changed.", what(&plan)));
        return Ok(Exit::Done);
    }
    let question = format!("{ask} {}? {}.", what(&plan), plan.consequence());
    if !context.confirm(verb, &[&table], &question)? {
        return Ok(Exit::Declined);
    }
    let root = context.run(async |job: &Job| engine.apply_undo(&plan, job).await)?;
    output.json(&UndoReport { dry_run: false, plan: &plan, root: Some(shown(root)) })?;
    // Who was asked has seen it.
    if context.global.yes {
        output.table(&table)?;
    }
    output.finish()?;
    output.message(&format!("{did} {}: {}.", what(&plan), plan.consequence()));
    output.message(&format!("The root is {root}"));
    Ok(Exit::Done)
}

fn what(plan: &UndoPlan) -> String {
    format!("`{} {}`", plan.verb, printable(&plan.summary))
}

fn table(plan: &UndoPlan) -> Table {
    let mut table = Table::new(&[("", Column::Text), ("", Column::Digest), ("", Column::Fixed), ("", Column::Fixed)]);
    let returns = plan.returns.iter().map(|image| (image, "as before"));
    for (image, word) in returns.chain(plan.goes.iter().map(|image| (image, "goes"))) {
        table.row([
            Cell::toned(Tone::Name, &image.image),
            image.digest.to_string().into(),
            word.into(),
            Cell::toned(Tone::Dim, if image.attached { "attached" } else { "" }),
        ]);
    }
    table
}
