//! `rule list` and `rule show`: the rules and what came of them.

use clap::Args;
use serde::Serialize;

use crate::cli::commands::update::no_such_rule;
use crate::cli::completers::rule_names;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::rule_report::day;
use crate::cli::style::Tone;
use crate::cli::table::{Cell, Column, Table};
use crate::engine::Engine;
use crate::engine::rules::RuleOutcome;
use crate::error::Result;
use crate::rules::{Rule, Subject, write_rule};
use crate::text::{count, printable_within};

/// A rule.
#[derive(Debug, Args)]
pub(super) struct NameArguments {
    /// The rule.
    #[arg(value_name = "NAME", add = rule_names())]
    name: String,
}

/// A rule and its last run.
#[derive(Debug, Serialize)]
struct RuleRow {
    /// The rule's name.
    rule: String,
    /// `registry/repository`; none: it has sources.
    repository: Option<String>,
    /// Patterns.
    tags: Vec<String>,
    /// Sources.
    sources: Vec<String>,
    /// When it ran last, in seconds since 1970.
    ran_at: Option<i64>,
    /// What came of it.
    outcome: Option<RuleOutcome>,
}

/// A rule, its definition, and what it has here.
#[derive(Debug, Serialize)]
struct RuleDetails {
    #[serde(flatten)]
    row: RuleRow,
    /// Its `[[rule]]` as TOML.
    definition: String,
    /// The images that it selects or brought.
    images: Vec<RuleImageRow>,
}

/// An image of a rule.
#[derive(Debug, Serialize)]
struct RuleImageRow {
    /// `name:tag` or `name@digest`.
    image: String,
    /// Whether it is here; else the next run brings it.
    here: bool,
    /// Whether a rule brought it; what was here before, no rule removes.
    brought: bool,
    /// Since when no rule selects it, in seconds since 1970.
    leaving_since: Option<i64>,
}

impl RuleRow {
    fn of(engine: &Engine, rule: &Rule) -> Result<Self> {
        let run = engine.last_rule_run(rule.name.as_str())?;
        let (repository, tags, sources) = match &rule.subject {
            Subject::Repository { upstream, tags } => {
                (Some(upstream.to_string()), tags.tags.iter().map(ToString::to_string).collect(), Vec::new())
            }
            Subject::Sources(sources) => (None, Vec::new(), sources.iter().map(ToString::to_string).collect()),
        };
        Ok(Self {
            rule: rule.name.to_string(),
            repository,
            tags,
            sources,
            ran_at: run.as_ref().map(|(at, _)| *at),
            outcome: run.map(|(_, outcome)| outcome),
        })
    }
}

pub(super) fn list(context: &Context) -> Result<Exit> {
    let engine = context.open_to_read()?;
    let in_force = engine.rules()?;
    let rows = in_force.rules.rules.iter().map(|rule| RuleRow::of(&engine, rule)).collect::<Result<Vec<_>>>()?;
    let output = &context.output;
    output.json(&rows)?;
    output.table(&table(&rows))?;
    output.finish()?;
    if let Some((events, why)) = engine.untold()? {
        let events = count(events, "event", "events");
        output.warning(&format!("hooks were not told of {events} yet, the last time: {}", printable_within(&why, 300)));
    }
    output.message(&match (rows.len() as u64, &in_force.file) {
        (0, None) => "No rules yet. `roadstead rule add 'nginx:1.#.#' --newest 3` makes one.".to_owned(),
        (number, Some(file)) => {
            format!("{} in {}.", count(number, "rule", "rules"), printable_within(&file.display().to_string(), 300))
        }
        (number, None) => format!("{}. `roadstead update` carries them out.", count(number, "rule", "rules")),
    });
    Ok(Exit::Done)
}

fn table(rows: &[RuleRow]) -> Table {
    let mut table = Table::new(&[
        ("RULE", Column::Text),
        ("TAKES", Column::Text),
        ("SELECTED", Column::Number),
        ("LAST RUN", Column::Fixed),
        ("FAILURE", Column::Text),
    ]);
    for row in rows {
        let takes = if row.tags.is_empty() { row.sources.join(" ") } else { row.tags.join(" ") };
        let outcome = row.outcome.as_ref();
        let failed = outcome.and_then(|outcome| outcome.failed.first()).cloned().unwrap_or_default();
        table.row([
            Cell::toned(Tone::Name, printable_within(&row.rule, 100)),
            takes.into(),
            outcome.map_or_else(String::new, |outcome| outcome.selected.to_string()).into(),
            row.ran_at.map_or_else(|| "never".to_owned(), day).into(),
            Cell::toned(Tone::Bad, printable_within(&failed, 200)),
        ]);
    }
    table
}

pub(super) fn show(arguments: &NameArguments, context: &Context) -> Result<Exit> {
    let engine = context.open_to_read()?;
    let in_force = engine.rules()?;
    let rule = in_force.rules.by_name(&arguments.name).ok_or_else(|| no_such_rule(&arguments.name))?;
    let images = engine.images_of_rule(&arguments.name)?.into_iter().map(|(image, here)| RuleImageRow {
        image: format!("{}{}{}", image.repository, if image.tag.contains(':') { '@' } else { ':' }, image.tag),
        here,
        brought: image.brought,
        leaving_since: image.leaving_at,
    });
    let details =
        RuleDetails { row: RuleRow::of(&engine, rule)?, definition: write_rule(rule), images: images.collect() };
    let output = &context.output;
    if output.is_json() {
        output.json(&details)?;
        return Ok(Exit::Done);
    }
    output.data(&details.definition)?;
    output.data("\n")?;
    let mut table = Table::new(&[("IMAGE", Column::Text), ("STATE", Column::Text)]);
    for image in &details.images {
        let state = match (image.here, image.brought, image.leaving_since) {
            (false, _, None) => "waits for the next run".to_owned(),
            (false, _, Some(_)) => "not here any more".to_owned(),
            (true, _, Some(since)) => format!("not selected since {}", day(since)),
            (true, true, None) => format!("here, by {}", printable_within(&arguments.name, 100)),
            (true, false, None) => "here, by hand".to_owned(),
        };
        table.row([Cell::toned(Tone::Name, &image.image), Cell::toned(Tone::Dim, state)]);
    }
    output.table(&table)?;
    output.finish()?;
    let run = match (details.row.ran_at, &details.row.outcome) {
        (Some(at), Some(outcome)) => match outcome.failed.first() {
            Some(failed) => format!("Last run {}: {}", day(at), printable_within(failed, 300)),
            None => format!("Last run {}: {} selected.", day(at), outcome.selected),
        },
        _ => format!("Never run. `roadstead update --rule '{}'` does.", printable_within(&arguments.name, 200)),
    };
    output.message(&run);
    Ok(Exit::Done)
}
