//! `update`: bring mirrored images up to date, and carry out the rules.

use clap::Args;

use crate::cli::completers::catalog_names;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::mirroring::{Mirror, Ruled, Wanted};
use crate::cli::parsed::parsed;
use crate::cli::planned::{self, DryRun};
use crate::engine::request::Pick;
use crate::engine::rules::{RulesInForce, RunOptions};
use crate::error::{Error, Kind, Result};

/// What to update.
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Repositories or images as `list` names them [default: all rules, and everything that no rule selects].
    #[arg(value_name = "REPO", value_parser = parsed::<Pick>, add = catalog_names(), conflicts_with_all = ["rule", "force"])]
    pub(in crate::cli) picks: Vec<Pick>,

    /// Run only this rule (repeatable).
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) rule: Vec<String>,

    /// Remove images that no rule selects any more even if they are more than half of what a rule brought.
    #[arg(long)]
    pub(in crate::cli) force: bool,

    #[command(flatten)]
    pub(in crate::cli) dry_run: DryRun,

    /// Exit with 3 if everything is up to date.
    #[arg(long)]
    pub(in crate::cli) fail_if_unchanged: bool,
}

/// Brings mirrored images up to date.
pub(in crate::cli) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    let engine = context.open_for(arguments.dry_run)?;
    let wanted = if arguments.picks.is_empty() && (engine.has_rules()? || !arguments.rule.is_empty()) {
        let rules = engine.rules()?;
        rules.check_trust()?;
        check_names(&rules, &arguments.rule)?;
        let base = rules.base();
        Wanted::Ruled(Ruled {
            rules,
            before: None,
            options: RunOptions { only: arguments.rule.clone(), force: arguments.force, base, look: false },
            beside: arguments.rule.is_empty(),
        })
    } else {
        Wanted::Updated(&arguments.picks)
    };
    let mirror = Mirror {
        engine,
        wanted,
        dry_run: arguments.dry_run,
        fail_if_unchanged: arguments.fail_if_unchanged,
        is_first: false,
        host: None,
    };
    planned::carry_out(&mirror, mirror.dry_run, context)
}

/// Refuses names that no rule has.
fn check_names(rules: &RulesInForce, names: &[String]) -> Result<()> {
    match names.iter().find(|name| rules.rules.by_name(name).is_none()) {
        None => Ok(()),
        Some(name) => Err(no_such_rule(name)),
    }
}

/// There is no rule of this name.
pub(in crate::cli) fn no_such_rule(name: &str) -> Error {
    Error::new(Kind::NotFound, format!("there is no rule `{}`", crate::text::printable_within(name, 200)))
        .hint("`roadstead rule list` shows what there is.")
}
