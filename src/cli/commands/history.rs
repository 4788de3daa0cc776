//! `history`: the roots that were published, and giving some of them up.

use std::sync::Arc;

use cid::Cid;
use clap::Args;
use serde::Serialize;

use crate::catalog::publications::State;
use crate::cli::completers::{published_roots, target_names};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::planned::{self, Done, DryRun, Note, Planned};
use crate::cli::report::PlanReport;
use crate::cli::rule_report::day;
use crate::cli::style::Tone;
use crate::cli::table::{Cell, Column, Table};
use crate::engine::Engine;
use crate::engine::job::Job;
use crate::engine::query::history::{ForgetPlan, PublicationView};
use crate::engine::targets::TargetView;
use crate::error::Result;
use crate::rules::EventKind;
use crate::text::{bytes, count, printable};

const WORDS: &str = "\
A kept root is complete here: `roadstead rollback ROOT` publishes it again. A target's --keep says how many are kept.
A pinned root is complete at the target: rolling back to it sends nothing.";

/// Runs that are shown.
const MAX_SHOWN_RUNS: u32 = 20;

/// What to show, or to give up.
#[derive(Debug, Args)]
#[command(after_help = WORDS)]
pub(in crate::cli) struct Arguments {
    /// A target [default: all of them].
    #[arg(value_name = "TARGET", add = target_names(), conflicts_with = "forget")]
    target: Option<String>,

    /// Show what the last runs of the rules did.
    #[arg(long, conflicts_with_all = ["target", "forget"])]
    runs: bool,

    /// Forget these roots, and free what only they need.
    #[arg(long, value_name = "ROOT", num_args = 1.., value_parser = root, add = published_roots())]
    forget: Vec<Cid>,

    /// Show what would happen, and change nothing.
    #[arg(long, requires = "forget")]
    dry_run: bool,
}

/// A root as people copy it, with or without `/ipfs/`.
fn root(text: &str) -> Result<Cid, String> {
    let text = text.trim_start_matches("/ipfs/").trim_end_matches('/');
    text.parse().map_err(|_| "not a CID; `roadstead history` shows the published roots".to_owned())
}

/// Shows what was published, or forgets.
pub(in crate::cli) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    if !arguments.forget.is_empty() {
        let dry_run = DryRun { dry_run: arguments.dry_run };
        let engine = context.open_for(dry_run)?;
        return planned::carry_out(&Forget { engine, roots: &arguments.forget }, dry_run, context);
    }
    let engine = context.open_to_read()?;
    if arguments.runs {
        return show_runs(&engine, context);
    }
    let rows = engine.history(arguments.target.as_deref())?;
    let output = &context.output;
    output.json(&rows)?;
    if rows.is_empty() {
        let runs = if engine.last_run()?.is_some() { " `--runs` shows what the rules did." } else { "" };
        output.message(&format!("No publications yet. `roadstead publish` makes one.{runs}"));
    } else {
        output.table(&publications(&rows))?;
        output.finish()?;
        let now = jiff::Timestamp::now();
        let shown = |target: &&TargetView| rows.iter().any(|row| row.current && row.target == target.name);
        engine.targets()?.iter().filter(shown).filter_map(|target| lag(target, now)).for_each(|it| output.message(&it));
    }
    Ok(Exit::Done)
}

fn show_runs(engine: &Engine, context: &Context) -> Result<Exit> {
    let runs = engine.rule_runs(MAX_SHOWN_RUNS)?;
    let output = &context.output;
    output.json(&runs)?;
    let mut table = Table::new(&[
        ("RUN", Column::Fixed),
        ("EVENT", Column::Fixed),
        ("IMAGE", Column::Text),
        ("DETAIL", Column::Text),
    ]);
    for run in &runs {
        let mut when = day(run.run);
        for event in &run.events {
            let tone = match event.kind {
                EventKind::New | EventKind::Moved | EventKind::Published | EventKind::Finished => Tone::Good,
                EventKind::Failed | EventKind::Gone => Tone::Bad,
                EventKind::Refused | EventKind::Leaving | EventKind::Held | EventKind::Quota => Tone::Warning,
            };
            let about = event.image.as_ref().or(event.rule.as_ref()).cloned().unwrap_or_default();
            let detail = event.detail.clone().or_else(|| event.to.map(|digest| digest.to_string())).unwrap_or_default();
            table.row([
                Cell::toned(Tone::Dim, std::mem::take(&mut when)),
                Cell::toned(tone, event.kind.name()),
                Cell::toned(Tone::Name, printable(&about)),
                Cell::toned(Tone::Dim, printable(&detail)),
            ]);
        }
    }
    output.table(&table)?;
    output.finish()?;
    output.message(&match runs.len() as u64 {
        0 => "No runs of rules yet. `roadstead update` makes one.".to_owned(),
        1 => "The only run so far. `roadstead undo` takes it back.".to_owned(),
        number => format!("The last {number} runs. `roadstead undo` takes the newest one back."),
    });
    Ok(Exit::Done)
}

/// What is to know of a target whose record moved so short a time ago that caches may not have it yet.
fn lag(target: &TargetView, now: jiff::Timestamp) -> Option<String> {
    let dnslink = target.settings.dnslink.as_ref()?;
    let published: jiff::Timestamp = target.published.as_ref()?.parse().ok()?;
    let ago = now.as_second() - published.as_second();
    let lags = (0..i64::from(dnslink.ttl)).contains(&ago);
    let (domain, ttl) = (printable(&dnslink.domain), dnslink.ttl);
    lags.then(|| format!("{domain} moved {ago} s ago; caches may lag up to {ttl} s."))
}

struct Forget<'a> {
    engine: Arc<Engine>,
    roots: &'a [Cid],
}

impl Planned for Forget<'_> {
    type Plan = ForgetPlan;
    type Outcome = ();

    fn verb(&self) -> &'static str {
        "history --forget"
    }

    async fn plan(&self, _: &Context, _: &Job) -> Result<ForgetPlan> {
        self.engine.plan_forget(self.roots)
    }

    fn is_empty(&self, plan: &ForgetPlan) -> bool {
        plan.is_empty()
    }

    fn question(&self, plan: &ForgetPlan) -> Option<String> {
        Some(format!("{} Forget {}?", consequence(plan), count(plan.roots.len() as u64, "root", "roots")))
    }

    async fn apply(&self, plan: &mut ForgetPlan, _: &Context, job: &Job) -> Result<()> {
        self.engine.apply_forget(plan, job).await
    }

    fn document(&self, done: &Done<'_, ForgetPlan, ()>) -> impl Serialize {
        PlanReport { dry_run: done.dry_run, plan: done.plan }
    }

    fn tables(&self, plan: &ForgetPlan) -> Vec<Table> {
        if plan.is_empty() { Vec::new() } else { vec![forgotten(plan)] }
    }

    fn summary(&self, done: &Done<'_, ForgetPlan, ()>) -> Vec<Note> {
        vec![Note::Message(match (done.plan.is_empty(), done.outcome) {
            (true, _) => "Nothing to do: none of them is kept any more.".to_owned(),
            (false, Some(())) => consequence(done.plan),
            (false, None) => format!("{} Nothing was changed.", consequence(done.plan)),
        })]
    }
}

fn consequence(plan: &ForgetPlan) -> String {
    match plan.frees {
        0 => "Frees nothing: all of it is still needed.".to_owned(),
        frees => format!("Frees {} once `roadstead gc` runs; this can't be undone.", bytes(frees)),
    }
}

fn forgotten(plan: &ForgetPlan) -> Table {
    let mut table = Table::new(&[("ROOT", Column::Digest), ("PUBLISHED", Column::Fixed), ("STATE", Column::Text)]);
    for root in &plan.roots {
        let note = match (root.kept, root.pinned_by.is_empty()) {
            (false, _) => "not kept any more".to_owned(),
            (true, true) => String::new(),
            (true, false) => format!("stays pinned at {}", root.pinned_by.join(", ")),
        };
        table.row([Cell::toned(Tone::Name, &root.root), (&root.published).into(), Cell::toned(Tone::Dim, note)]);
    }
    table
}

fn publications(rows: &[PublicationView]) -> Table {
    let mut table = Table::new(&[
        ("PUBLISHED", Column::Fixed),
        ("TARGET", Column::Fixed),
        ("ROOT", Column::Digest),
        ("CHANGES", Column::Text),
        ("SENT", Column::Number),
        ("REQUESTS", Column::Number),
        ("STATE", Column::Fixed),
    ]);
    for row in rows {
        let state = match row.state {
            State::Running => Cell::toned(Tone::Warning, "not finished"),
            State::Failed => Cell::toned(Tone::Bad, "failed"),
            State::Superseded => Cell::toned(Tone::Dim, "not finished, superseded"),
            State::Published => {
                let mut words = Vec::new();
                if row.current {
                    words.push("current");
                }
                if row.pinned {
                    words.push("pinned");
                }
                words.push(if row.kept { "kept" } else { "not kept" });
                let tone = if row.current { Tone::Good } else { Tone::Dim };
                Cell::toned(tone, words.join(", "))
            }
        };
        let summary = match (&row.failure, row.verb.as_str()) {
            (Some(failure), _) => failure.clone(),
            (None, "publish") => row.summary.clone(),
            (None, verb) => format!("{verb}: {}", row.summary),
        };
        let target = if row.target_removed { format!("({})", row.target) } else { row.target.clone() };
        table.row([
            (&row.begun).into(),
            Cell::toned(Tone::Name, target),
            (&row.root).into(),
            summary.into(),
            bytes(row.bytes).into(),
            row.requests.map(|requests| requests.to_string()).unwrap_or_default().into(),
            state,
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::style::Paint;

    fn sample() -> Vec<PublicationView> {
        let first = PublicationView {
            id: 1,
            target: "home".into(),
            target_removed: false,
            root: "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi".into(),
            former: None,
            verb: "publish".into(),
            state: State::Published,
            current: false,
            same_root: false,
            begun: "2026-11-24T12:00:00Z".into(),
            ended: Some("2026-11-24T12:01:00Z".into()),
            blocks: 900,
            bytes: 43 << 20,
            requests: Some(61),
            summary: "3 repositories added".into(),
            failure: None,
            pinned: true,
            kept: true,
        };
        let failed = PublicationView {
            id: 2,
            state: State::Failed,
            failure: Some("http://127.0.0.1:5001 does not answer".into()),
            former: Some(first.root.clone()),
            pinned: false,
            bytes: 0,
            ..first.clone()
        };
        let back = PublicationView {
            id: 3,
            verb: "rollback".into(),
            summary: "1 tag moved".into(),
            current: true,
            target: "away".into(),
            target_removed: true,
            ..first.clone()
        };
        vec![back, failed, first]
    }

    #[test]
    fn the_columns_of_the_interface_are_known_here() {
        let table = publications(&sample()).render(None, Paint::new(false));
        let json = serde_json::to_value(&sample()[0]).unwrap();
        for column in &crate::tui::columns::HISTORY {
            assert!(table.lines().next().unwrap().contains(column.title), "{}", column.title);
            assert!(json.get(column.json).is_some(), "{}: {json}", column.json);
        }
    }

    #[test]
    fn what_was_published() {
        let shown = publications(&sample()).render(Some(150), Paint::new(false));
        insta::assert_snapshot!("history", format!("{shown}\n{}", serde_json::to_string_pretty(&sample()).unwrap()));
    }

    #[test]
    fn roots_are_read_as_they_are_copied() {
        let text = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi";
        assert_eq!(root(&format!("/ipfs/{text}/")).unwrap().to_string(), text);
        assert!(root("v1").is_err());
    }
}
