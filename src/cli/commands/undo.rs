//! `undo` and `redo`: the last change of images, taken back, and done again.

use std::sync::Arc;

use cid::Cid;
use clap::Args;
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::planned::{self, Done, DryRun, Note, Planned};
use crate::cli::report::{ChangeReport, shown};
use crate::cli::style::Tone;
use crate::cli::table::{Cell, Column, Table};
use crate::engine::Engine;
use crate::engine::change::undo::UndoPlan;
use crate::engine::job::Job;
use crate::error::Result;
use crate::text::printable;

/// What of it.
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    pub(in crate::cli) dry_run: DryRun,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Direction {
    /// Take the last change back.
    Undo,
    /// Do again what was undone.
    Redo,
}

impl Direction {
    /// The verb; at the beginning of a question; in the past.
    fn words(self) -> [&'static str; 3] {
        match self {
            Self::Undo => ["undo", "Undo", "Undid"],
            Self::Redo => ["redo", "Redo", "Redid"],
        }
    }
}

/// Undoes the last change, or redoes it, after asking.
pub(in crate::cli) fn run(arguments: &Arguments, context: &Context, direction: Direction) -> Result<Exit> {
    let engine = context.open_for(arguments.dry_run)?;
    planned::carry_out(&Undo { engine, direction }, arguments.dry_run, context)
}

struct Undo {
    engine: Arc<Engine>,
    direction: Direction,
}

impl Planned for Undo {
    type Plan = UndoPlan;
    type Outcome = Cid;

    fn verb(&self) -> &'static str {
        let [verb, ..] = self.direction.words();
        verb
    }

    async fn plan(&self, _: &Context, _: &Job) -> Result<UndoPlan> {
        match self.direction {
            Direction::Undo => self.engine.plan_undo(),
            Direction::Redo => self.engine.plan_redo(),
        }
    }

    fn question(&self, plan: &UndoPlan) -> Option<String> {
        let [_, ask, ..] = self.direction.words();
        Some(format!("{ask} {}? {}.", what(plan), plan.consequence()))
    }

    async fn apply(&self, plan: &mut UndoPlan, _: &Context, job: &Job) -> Result<Cid> {
        self.engine.apply_undo(plan, job).await
    }

    fn document(&self, done: &Done<'_, UndoPlan, Cid>) -> impl Serialize {
        ChangeReport { dry_run: done.dry_run, plan: done.plan, root: done.outcome.copied().map(shown) }
    }

    fn tables(&self, plan: &UndoPlan) -> Vec<Table> {
        vec![table(plan)]
    }

    fn summary(&self, done: &Done<'_, UndoPlan, Cid>) -> Vec<Note> {
        let [verb, _, did] = self.direction.words();
        match done.outcome {
            None => vec![Note::Message(format!("Would {verb} {}. Nothing was changed.", what(done.plan)))],
            Some(root) => {
                let said = format!("{did} {}: {}.", what(done.plan), done.plan.consequence());
                [said, format!("The root is {root}")].map(Note::Message).into()
            }
        }
    }
}

fn what(plan: &UndoPlan) -> String {
    format!("`{} {}`", plan.verb, printable(&plan.summary))
}

fn table(plan: &UndoPlan) -> Table {
    let mut table = Table::new(&[
        ("IMAGE", Column::Text),
        ("DIGEST", Column::Digest),
        ("CHANGE", Column::Fixed),
        ("STATE", Column::Fixed),
    ]);
    let returns = plan.returns.iter().map(|image| (image, "restored"));
    for (image, word) in returns.chain(plan.goes.iter().map(|image| (image, "removed"))) {
        table.row([
            Cell::toned(Tone::Name, &image.image),
            image.digest.to_string().into(),
            word.into(),
            Cell::toned(Tone::Dim, if image.attached { "attached" } else { "" }),
        ]);
    }
    table
}
