//! `allow`: private repositories that may be published, or no longer.

use std::sync::Arc;

use clap::Args;

use crate::cli::completers::catalog_names;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::parsed::parsed;
use crate::cli::report::{AllowReport, shown};
use crate::cli::suggest::with_suggestions;
use crate::engine::Engine;
use crate::engine::job::Job;
use crate::engine::query::view::RepositoryRow;
use crate::engine::request::Pick;
use crate::error::{Error, Kind, Result};
use crate::text::printable;

/// What to allow.
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Repositories as `list` names them.
    #[arg(value_name = "REPO", required = true, value_parser = parsed::<Pick>, add = catalog_names())]
    pub(in crate::cli) picks: Vec<Pick>,

    /// Take the permission back. What was published stays wherever it was put.
    #[arg(long)]
    pub(in crate::cli) revoke: bool,

    /// Show what would be done and do nothing.
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
}

/// Allows repositories, or no longer.
pub(in crate::cli) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    if let Some(pick) = arguments.picks.iter().find(|pick| pick.tag.is_some() || pick.digest.is_some()) {
        return Err(Error::new(
            Kind::Usage,
            format!("`{pick}` is an image, and a permission is for a whole repository"),
        )
        .hint(format!("Write `{}`.", printable(&pick.name))));
    }
    let allowed = !arguments.revoke;
    let report = if arguments.dry_run {
        let engine = context.open_to_read()?;
        let changed = would_change(&engine.repositories()?, &arguments.picks, allowed);
        let changed = with_suggestions(changed, &engine, &arguments.picks)?;
        AllowReport { dry_run: true, allowed, changed, root: engine.root()?.map(shown) }
    } else {
        let engine = context.open_existing()?;
        let changed = apply(context, &engine, &arguments.picks, allowed)?;
        AllowReport { dry_run: false, allowed, changed, root: engine.root()?.map(shown) }
    };
    let output = &context.output;
    output.json(&report)?;
    for name in &report.changed {
        output.data(&format!("{}\n", printable(name)))?;
    }
    output.finish()?;
    output.message(&summary(&report));
    if let (false, false, Some(root)) = (report.dry_run, report.changed.is_empty(), &report.root) {
        output.message(&format!("The root is {root}"));
    }
    Ok(Exit::Done)
}

fn apply(context: &Context, engine: &Arc<Engine>, picks: &[Pick], allowed: bool) -> Result<Vec<String>> {
    context.run(async |job: &Job| with_suggestions(engine.allow(picks, allowed, job).await, engine, picks))
}

/// The repositories for which a permission would be news.
fn would_change(rows: &[RepositoryRow], picks: &[Pick], allowed: bool) -> Result<Vec<String>> {
    let mut changed = Vec::new();
    for pick in picks {
        let names = |row: &&RepositoryRow| {
            [Some(&row.name), row.alias.as_ref(), row.upstream.as_ref()]
                .into_iter()
                .flatten()
                .any(|name| *name == pick.name)
        };
        let row = rows.iter().find(names);
        let row = row.ok_or_else(|| Error::new(Kind::NotFound, format!("there is no repository `{pick}`")))?;
        if allowed && !row.private {
            return Err(Error::new(Kind::Usage, format!("{} is not private: it is published already", row.name)));
        }
        if row.private && row.published != allowed {
            changed.push(row.name.clone());
        }
    }
    Ok(changed)
}

fn summary(report: &AllowReport) -> String {
    if report.changed.is_empty() {
        return "Nothing changes: that is how it is already.".to_owned();
    }
    let effect = match (report.dry_run, report.allowed) {
        (true, true) => "would be part of the root from now on",
        (true, false) => "would no longer be part of the root",
        (false, true) => "is part of the root from now on. What is published on IPFS can't be taken back",
        (false, false) => "is no longer part of the root. What was published before stays wherever it was put",
    };
    let what =
        if report.changed.len() == 1 { "The repository".to_owned() } else { "Each of the repositories".to_owned() };
    format!("{what} {effect}.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::statistics::Figures;

    #[test]
    fn a_dry_run_knows_what_would_change() {
        let row = |name: &str, private, published| RepositoryRow {
            name: name.into(),
            alias: None,
            upstream: Some(format!("ghcr.io/{name}")),
            private,
            published,
            images: 1,
            outdated: 0,
            gone: 0,
            added: None,
            figures: Figures::default(),
        };
        let rows = [row("a", true, false), row("b", false, true), row("c", true, true)];
        let picks = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect::<Vec<Pick>>();
        let all = picks(&["ghcr.io/a", "b", "c"]);
        assert_eq!(would_change(&rows, &picks(&["ghcr.io/a", "c"]), true).unwrap(), ["a"]);
        assert_eq!(would_change(&rows, &all, true).unwrap_err().kind(), Kind::Usage);
        assert_eq!(would_change(&rows, &all, false).unwrap(), ["c"]);
        assert_eq!(would_change(&rows, &picks(&["d"]), true).unwrap_err().kind(), Kind::NotFound);
    }
}
