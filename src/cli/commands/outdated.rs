//! `outdated`: which mirrored images have moved upstream.

use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use crate::cli::completers::catalog_names;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::parsed::parsed;
use crate::cli::rule_report;
use crate::cli::style::Tone;
use crate::cli::suggest::with_suggestions;
use crate::cli::table::{Cell, Column, Table};
use crate::engine::Engine;
use crate::engine::job::Job;
use crate::engine::query::view::{Currency, UpstreamState};
use crate::engine::request::Pick;
use crate::engine::rules::RunOptions;
use crate::engine::rules::plan::RulePart;
use crate::error::{Error, Kind, Result};
use crate::text::count;

/// What to ask about.
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Repositories or images as `list` names them [default: everything].
    #[arg(value_name = "REPO", value_parser = parsed::<Pick>, add = catalog_names())]
    pub(in crate::cli) picks: Vec<Pick>,

    /// Also show what is up to date.
    #[arg(short, long)]
    pub(in crate::cli) all: bool,

    /// Exit with 3 if anything has moved or is gone.
    #[arg(long)]
    pub(in crate::cli) fail_if_outdated: bool,
}

/// Asks registries which images have moved.
pub(in crate::cli) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    // What upstream said is noted in the catalog where that can be written; asking works anyhow.
    let reading = context.open_to_read()?;
    let engine = context.open(None).unwrap_or(reading);
    let picks = &arguments.picks;
    if picks.is_empty() && engine.has_rules()? {
        return by_rules(arguments, &engine, context);
    }
    let rows = context.run(async |job: &Job| with_suggestions(engine.outdated(picks, job).await, &engine, picks))?;
    let output = &context.output;
    output.json(&rows)?;
    output.table(&table(&rows, arguments.all))?;
    output.finish()?;
    let tally = Tally::of(&rows);
    output.message(&tally.summary());
    if let Some(error) = tally.failure(&rows) {
        return Err(error);
    }
    Ok(if arguments.fail_if_outdated && tally.outdated + tally.gone > 0 { Exit::Noticed } else { Exit::Done })
}

/// What the rules would do, and how what no rule selects stands.
#[derive(Debug, Serialize)]
struct RuledReport<'a> {
    rules: &'a [RulePart],
    /// What no rule selects.
    images: &'a [Currency],
}

fn by_rules(arguments: &Arguments, engine: &Arc<Engine>, context: &Context) -> Result<Exit> {
    let in_force = engine.rules()?;
    in_force.check_trust()?;
    let options = RunOptions { look: true, base: in_force.base(), ..RunOptions::default() };
    let (plan, rows) = context.run(async |job: &Job| {
        let plan = engine.plan_rules(&in_force.rules, &options, job).await?;
        Ok((plan, engine.outdated_beside_rules(job).await?))
    })?;
    let output = &context.output;
    output.json(&RuledReport { rules: &plan.rules, images: &rows })?;
    output.table(&rule_report::looked(&plan.rules))?;
    output.table(&rule_report::images(&plan.rules))?;
    output.table(&table(&rows, arguments.all))?;
    output.finish()?;
    for warning in rule_report::warnings(&plan.rules) {
        output.warning(&warning);
    }
    let tally = Tally::of(&rows);
    if !rows.is_empty() {
        output.message(&tally.summary());
    }
    let changes: u64 = plan.rules.iter().map(RulePart::changes).sum();
    output.message(&match changes {
        0 => "The rules have nothing to do.".to_owned(),
        _ => format!("{} by rules. `roadstead update` carries them out.", count(changes, "change", "changes")),
    });
    if let Some(error) = tally.failure(&rows) {
        return Err(error);
    }
    if plan.faults().next().is_some() {
        return Err(Error::new(Kind::Partial, "not all rules could be looked at (see above)"));
    }
    let is_outdated = changes > 0 || tally.outdated + tally.gone > 0;
    Ok(if arguments.fail_if_outdated && is_outdated { Exit::Noticed } else { Exit::Done })
}

#[derive(Debug, Default)]
struct Tally {
    current: u64,
    outdated: u64,
    gone: u64,
    unknown: u64,
}

impl Tally {
    fn of(rows: &[Currency]) -> Self {
        let mut tally = Self::default();
        for row in rows {
            *match row.state {
                UpstreamState::Current => &mut tally.current,
                UpstreamState::Outdated { .. } => &mut tally.outdated,
                UpstreamState::Gone => &mut tally.gone,
                UpstreamState::Unknown { .. } => &mut tally.unknown,
            } += 1;
        }
        tally
    }

    fn summary(&self) -> String {
        if self.outdated + self.gone + self.unknown == 0 {
            return match self.current {
                0 => "Nothing to check.".to_owned(),
                number => format!("All up to date: {}.", count(number, "image", "images")),
            };
        }
        let mut parts = vec![format!("{} outdated", self.outdated)];
        if self.gone > 0 {
            parts.push(format!("{} gone upstream", self.gone));
        }
        if self.unknown > 0 {
            parts.push(format!("{} without an answer", self.unknown));
        }
        parts.push(format!("{} up to date", self.current));
        let next = if self.outdated > 0 { " `roadstead update` fetches what has moved." } else { "" };
        format!("{}.{next}", parts.join(", "))
    }

    /// Answers that are missing make the whole answer partial, or a failure if there are no others.
    fn failure(&self, rows: &[Currency]) -> Option<Error> {
        let first = rows.iter().find_map(|row| match &row.state {
            UpstreamState::Unknown { kind, reason } => Some((*kind, &row.image, reason)),
            _ => None,
        });
        let (kind, image, reason) = first?;
        let kind = if self.unknown == rows.len() as u64 { kind } else { Kind::Partial };
        let message = match self.unknown {
            1 => format!("{image}: {reason}"),
            number => format!("{number} images could not be checked, the first: {image}: {reason}"),
        };
        Some(Error::new(kind, message))
    }
}

fn table(rows: &[Currency], all: bool) -> Table {
    let mut table = Table::new(&[
        ("STATE", Column::Fixed),
        ("IMAGE", Column::Text),
        ("DIGEST", Column::Digest),
        ("UPSTREAM", Column::Digest),
    ]);
    for row in rows {
        let (tone, state, then) = match &row.state {
            UpstreamState::Current if !all => continue,
            UpstreamState::Current => (Tone::Dim, "current", String::new()),
            UpstreamState::Outdated { upstream_digest } => (Tone::Warning, "outdated", upstream_digest.to_string()),
            UpstreamState::Gone => (Tone::Bad, "gone", String::new()),
            UpstreamState::Unknown { .. } => (Tone::Bad, "unknown", String::new()),
        };
        table.row([
            Cell::toned(tone, state),
            Cell::toned(Tone::Name, &row.image),
            row.digest.to_string().into(),
            then.into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::style::Paint;
    use crate::image::Digest;

    fn row(image: &str, state: UpstreamState) -> Currency {
        Currency { image: image.into(), upstream: format!("docker.io/{image}"), digest: Digest::of(b"1"), state }
    }

    fn rows() -> Vec<Currency> {
        vec![
            row("library/a:1", UpstreamState::Current),
            row("library/b:1", UpstreamState::Outdated { upstream_digest: Digest::of(b"2") }),
            row("library/c:1", UpstreamState::Gone),
            row("library/d:1", UpstreamState::Unknown { reason: "no answer".into(), kind: Kind::Network }),
        ]
    }

    #[test]
    fn what_a_person_sees() {
        let shown = table(&rows(), false).render(Some(80), Paint::new(false));
        assert_eq!(shown.lines().count(), 4);
        assert!(
            shown.starts_with("STATE     IMAGE        DIGEST") && shown.contains("\noutdated  library/b:1  sha256:"),
            "{shown}"
        );
        let tally = Tally::of(&rows());
        assert_eq!(
            tally.summary(),
            "1 outdated, 1 gone upstream, 1 without an answer, 1 up to date. `roadstead update` fetches what has moved."
        );
        let error = tally.failure(&rows()).unwrap();
        assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Partial, "library/d:1: no answer"));
        let only = &rows()[3..];
        assert_eq!(Tally::of(only).failure(only).unwrap().kind(), Kind::Network);
        let current = &rows()[..1];
        assert_eq!(Tally::of(current).summary(), "All up to date: 1 image.");
        assert!(Tally::of(current).failure(current).is_none());
    }

    #[test]
    fn the_shape_in_json() {
        insta::assert_snapshot!("outdated", serde_json::to_string_pretty(&rows()).unwrap());
    }
}
