//! `update`: bring mirrored images up to date, and carry out the rules.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueHint};

use crate::cli::commands::publish;
use crate::cli::completers::catalog_names;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::hooks;
use crate::cli::mirroring::{Mirror, Ruled, Wanted};
use crate::cli::parsed::parsed;
use crate::cli::planned::{self, DryRun};
use crate::engine::Engine;
use crate::engine::publish::plan::PublishRequest;
use crate::engine::request::Pick;
use crate::engine::rules::{RulesInForce, RunOptions};
use crate::error::{Error, Kind, Result};
use crate::input;
use crate::rules::{Lock, MAX_LOCK_BYTES};
use crate::text::printable_within;

const NOTES: &str = "\
`roadstead outdated` shows what has moved and uses no quota. `--dry-run` also asks for the
manifests of what is new: registries count them as pulls, and the next run asks for them again.";

/// What to update.
#[derive(Debug, Args)]
#[command(after_help = NOTES)]
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

    /// Take exactly the images that a lock file says, by their digests; nothing is listed.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "mirror.lock", require_equals = true,
          value_hint = ValueHint::FilePath, conflicts_with_all = ["rule", "picks"])]
    pub(in crate::cli) locked: Option<PathBuf>,

    /// Publish to every target afterwards, if there is anything new for it.
    #[arg(long)]
    pub(in crate::cli) publish: bool,

    #[command(flatten)]
    pub(in crate::cli) dry_run: DryRun,

    /// Exit with 0 if nothing failed and images only wait for the next run.
    #[arg(long)]
    pub(in crate::cli) allow_postponed: bool,

    /// Exit with 3 if everything is up to date.
    #[arg(long)]
    pub(in crate::cli) fail_if_unchanged: bool,
}

/// Brings mirrored images up to date.
pub(in crate::cli) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    let is_dry = arguments.dry_run.dry_run;
    // A lock fills a new catalog, too.
    let engine = match arguments.locked {
        Some(_) if !is_dry => context.open(None)?,
        _ => context.open_for(arguments.dry_run)?,
    };
    if !arguments.picks.is_empty() || !(engine.has_rules()? || !arguments.rule.is_empty() || arguments.locked.is_some())
    {
        let ended = mirror(Arc::clone(&engine), Wanted::Updated(&arguments.picks), arguments, context);
        return published_after(ended, arguments, context);
    }
    let rules = engine.rules().and_then(|rules| rules.check_trust().map(|()| rules));
    let rules = match rules {
        Ok(rules) => rules,
        Err(error) if is_dry => return Err(error),
        Err(error) => {
            hooks::tell_failure(&engine, &error, context);
            return Err(error);
        }
    };
    check_names(&engine, &rules, &arguments.rule)?;
    let lock = arguments.locked.as_deref().map(read_lock).transpose()?;
    let ruled = Ruled {
        before: None,
        options: RunOptions {
            only: arguments.rule.clone(),
            force: arguments.force,
            base: rules.base(),
            look: false,
            trust: Some(rules.clone()),
        },
        beside: arguments.rule.is_empty() && lock.is_none(),
        lock,
        rules: rules.clone(),
    };
    let ended = hooks::around(&engine, &rules, arguments.dry_run, context, || {
        let ended = mirror(Arc::clone(&engine), Wanted::Ruled(Box::new(ruled)), arguments, context);
        published_after(ended, arguments, context)
    });
    match ended {
        Err(error) if arguments.allow_postponed && error.is_postponed() => {
            context.output.message(&format!("{error}."));
            Ok(Exit::Done)
        }
        ended => ended,
    }
}

fn mirror(engine: Arc<Engine>, wanted: Wanted<'_>, arguments: &Arguments, context: &Context) -> Result<Exit> {
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

/// Publishes what came, also where only a part did. What failed before is said in the end.
fn published_after(ended: Result<Exit>, arguments: &Arguments, context: &Context) -> Result<Exit> {
    let is_partial = matches!(&ended, Err(error) if error.kind() == Kind::Partial);
    if !arguments.publish || arguments.dry_run.dry_run || !(ended.is_ok() || is_partial) {
        return ended;
    }
    let request = PublishRequest { targets: Vec::new(), root: None, force: false };
    match publish::carry_out("publish", request, arguments.dry_run, &[], context) {
        Ok(Exit::Declined) if ended.is_ok() => Ok(Exit::Declined),
        Ok(_) => ended,
        Err(error) => Err(error),
    }
}

fn read_lock(file: &Path) -> Result<Lock> {
    let shown = printable_within(&file.display().to_string(), 300);
    let text = input::read_text(file, MAX_LOCK_BYTES as u64, || format!("the lock file {shown} can't be read"))
        .map_err(|error| error.hint("`roadstead rule lock` writes one."))?;
    Lock::read(&text).map_err(|faults| {
        let lines = faults.iter().take(10).map(|fault| format!("\n  {}", printable_within(&fault.to_string(), 400)));
        Error::new(Kind::Usage, format!("{shown}:{}", lines.collect::<String>()))
    })
}

/// Refuses names that no rule has, nor one that is not there any more and has left images.
fn check_names(engine: &Engine, rules: &RulesInForce, names: &[String]) -> Result<()> {
    for name in names {
        if rules.rules.by_name(name).is_none() && engine.images_of_rule(name)?.is_empty() {
            return Err(no_such_rule(name));
        }
    }
    Ok(())
}

/// There is no rule of this name.
pub(in crate::cli) fn no_such_rule(name: &str) -> Error {
    Error::new(Kind::NotFound, format!("there is no rule `{}`", printable_within(name, 200)))
        .hint("`roadstead rule list` shows what there is.")
}
