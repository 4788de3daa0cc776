//! `rule add`, `set` and `remove`: the text of the rules changes, and nothing else.

use clap::{Args, ValueHint};
use serde::Serialize;

use super::flags::{RuleFlags, subject};
use crate::cli::commands::update::no_such_rule;
use crate::cli::completers::rule_names;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::planned::DryRun;
use crate::engine::Engine;
use crate::engine::rules::RulesInForce;
use crate::error::{Error, Kind, Result};
use crate::rules::{self, EditError, Kept, Moves, Rule, Subject, write_rule};
use crate::text::printable_within;

/// A rule that comes.
#[derive(Debug, Args)]
pub(super) struct AddArguments {
    /// A repository with a pattern for its tags (several of one repository are one rule), or sources: `compose:FILE`,
    /// `kubernetes:FILE`, `dockerfile:FILE`, `list:FILE`, `command:WORDS`. `kubernetes:FILE#.spec.image,.spec.nodes[].image` also
    /// takes what custom resources have there.
    #[arg(value_name = "REPO:PATTERN|SOURCE", required = true, value_hint = ValueHint::Other)]
    subjects: Vec<String>,

    /// Name of the rule [default: its repository, or its first source].
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    #[command(flatten)]
    flags: RuleFlags,

    #[command(flatten)]
    dry_run: DryRun,
}

/// A rule that changes.
#[derive(Debug, Args)]
pub(super) struct SetArguments {
    /// The rule.
    #[arg(value_name = "NAME", add = rule_names())]
    name: String,

    /// Patterns or sources in the place of those that it has.
    #[arg(value_name = "REPO:PATTERN|SOURCE", value_hint = ValueHint::Other)]
    subjects: Vec<String>,

    #[command(flatten)]
    flags: RuleFlags,

    /// Setting to remove (repeatable).
    #[arg(long, value_enum, value_name = "WHAT")]
    clear: Vec<Cleared>,

    #[command(flatten)]
    dry_run: DryRun,
}

/// A rule that goes.
#[derive(Debug, Args)]
pub(super) struct RemoveArguments {
    /// The rule.
    #[arg(value_name = "NAME", add = rule_names())]
    name: String,

    #[command(flatten)]
    dry_run: DryRun,
}

/// A setting that can be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Cleared {
    Newest,
    Per,
    Lines,
    AtLeast,
    Below,
    Except,
    Age,
    Moves,
    Former,
    FormerTag,
    Leave,
    Gone,
    MaxNew,
    Reserve,
    Platform,
    As,
    Every,
}

/// A rule as it is now.
#[derive(Debug, Serialize)]
struct RuleReport {
    dry_run: bool,
    /// The rule's name.
    rule: String,
    /// Its `[[rule]]` as TOML; none of one that was removed.
    definition: Option<String>,
    /// The file that has it; none: the catalog.
    file: Option<String>,
}

pub(super) fn add(arguments: &AddArguments, context: &Context) -> Result<Exit> {
    let (name, subject) = subject(&arguments.subjects, &arguments.flags.tags)?;
    let rule = arguments.flags.rule(arguments.name.as_deref().unwrap_or(&name), subject)?;
    let change = |before: &RulesInForce| {
        let text = rules::add_rule(&before.text, &rule).map_err(|error| refused(&error))?;
        Ok((rule.clone(), text))
    };
    edit("Added", arguments.dry_run, change, context)
}

pub(super) fn set(arguments: &SetArguments, context: &Context) -> Result<Exit> {
    let change = |before: &RulesInForce| {
        let known = before.rules.by_name(&arguments.name).ok_or_else(|| no_such_rule(&arguments.name))?;
        let mut changed = known.clone();
        for cleared in &arguments.clear {
            clear(&mut changed, *cleared);
        }
        if !arguments.subjects.is_empty() {
            let (_, subject) = subject(&arguments.subjects, &super::flags::TagFlags::default())?;
            changed.subject = match (subject, changed.subject) {
                (Subject::Repository { upstream, tags }, Subject::Repository { tags: before, .. }) => {
                    Subject::Repository { upstream, tags: crate::image::tags::TagRule { tags: tags.tags, ..before } }
                }
                (subject, _) => subject,
            };
        }
        let changed = arguments.flags.changed(&changed)?;
        if changed == *known {
            return Err(Error::new(Kind::Usage, "no change was given")
                .hint("`roadstead rule set --help` lists what can be set."));
        }
        let text = rules::replace_rule(&before.text, &arguments.name, &changed).map_err(|error| refused(&error))?;
        Ok((changed, text))
    };
    edit("Changed", arguments.dry_run, change, context)
}

pub(super) fn remove(arguments: &RemoveArguments, context: &Context) -> Result<Exit> {
    let engine = context.open_for(arguments.dry_run)?;
    let change = |before: &RulesInForce| {
        if before.rules.by_name(&arguments.name).is_none() {
            return Err(no_such_rule(&arguments.name));
        }
        Ok(((), rules::remove_rule(&before.text, &arguments.name).map_err(|error| refused(&error))?))
    };
    let ((), before) = changed(&engine, arguments.dry_run, change)?;
    let rule = arguments.name.clone();
    report(&before, arguments.dry_run, rule, None, context)?;
    let name = printable_within(&arguments.name, 200);
    context.output.message(&if arguments.dry_run.dry_run {
        format!("Would remove the rule {name}. Nothing was changed.")
    } else {
        format!("Removed the rule {name}. What it brought leaves after its time; `roadstead remove` removes it now.")
    });
    Ok(Exit::Done)
}

fn edit(
    did: &str,
    dry_run: DryRun,
    change: impl FnOnce(&RulesInForce) -> Result<(Rule, String)>,
    context: &Context,
) -> Result<Exit> {
    let engine = if dry_run.dry_run { context.open_for(dry_run)? } else { context.open(None)? };
    let (rule, before) = changed(&engine, dry_run, change)?;
    let definition = write_rule(&rule);
    report(&before, dry_run, rule.name.to_string(), Some(definition.clone()), context)?;
    if !context.output.is_json() {
        context.output.data(&definition)?;
        context.output.finish()?;
    }
    let name = printable_within(rule.name.as_str(), 200);
    context.output.message(&if dry_run.dry_run {
        "Nothing was changed.".to_owned()
    } else {
        format!("{did} the rule {name}. `roadstead update --rule '{name}'` carries it out.")
    });
    Ok(Exit::Done)
}

/// Changes the rules, or only tries it, and gives back what they were before.
fn changed<T>(
    engine: &Engine,
    dry_run: DryRun,
    change: impl FnOnce(&RulesInForce) -> Result<(T, String)>,
) -> Result<(T, RulesInForce)> {
    if !dry_run.dry_run {
        // Whoever types a command has seen it.
        return engine.edit_rules(true, change);
    }
    let before = engine.rules()?;
    let (value, text) = change(&before)?;
    RulesInForce::read(text, before.file.clone())?;
    Ok((value, before))
}

fn report(
    before: &RulesInForce,
    dry_run: DryRun,
    rule: String,
    definition: Option<String>,
    context: &Context,
) -> Result<()> {
    let file = before.file.as_ref().map(|file| file.display().to_string());
    context.output.json(&RuleReport { dry_run: dry_run.dry_run, rule, definition, file })
}

fn refused(error: &EditError) -> Error {
    Error::new(Kind::Usage, error.to_string())
}

fn clear(rule: &mut Rule, cleared: Cleared) {
    if let Subject::Repository { tags, .. } = &mut rule.subject {
        match cleared {
            Cleared::Newest => tags.newest = None,
            Cleared::Per => (tags.per, tags.lines) = (None, None),
            Cleared::Lines => tags.lines = None,
            Cleared::AtLeast => tags.at_least = None,
            Cleared::Below => tags.below = None,
            Cleared::Except => tags.except.clear(),
            _ => {}
        }
    }
    match cleared {
        Cleared::Age => rule.age = None,
        Cleared::Moves => rule.moves = Moves::default(),
        Cleared::Former => rule.former = None,
        Cleared::FormerTag => rule.former_tag = None,
        Cleared::Leave => rule.leave = Rule::default_leave(),
        Cleared::Gone => rule.gone = Kept::Always,
        Cleared::MaxNew => rule.max_new = Rule::DEFAULT_MAX_NEW,
        Cleared::Reserve => rule.reserve = Rule::DEFAULT_RESERVE,
        Cleared::Platform => rule.platforms = None,
        Cleared::As => rule.published_as = None,
        Cleared::Every => rule.every = None,
        Cleared::Newest | Cleared::Per | Cleared::Lines | Cleared::AtLeast | Cleared::Below | Cleared::Except => {}
    }
}
