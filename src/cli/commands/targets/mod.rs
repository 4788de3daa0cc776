//! `target`: places that hold the registry and names that point to it.

mod key;
mod settings;
mod shown;
mod trial;

use std::sync::Arc;

use clap::{Args, Subcommand, ValueHint};
use serde::Serialize;

use crate::catalog::targets::Target;
use crate::cli::completers::target_names;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::planned::{self, Done, DryRun, Note, Planned};
use crate::cli::report::{PlanReport, TargetReport};
use crate::cli::style::Tone;
use crate::cli::table::{Cell, Column, Table};
use crate::engine::Engine;
use crate::engine::job::Job;
use crate::engine::targets::{ADD_TARGET_HINT, RemoveTargetPlan, TargetKey, Variables, make_key};
use crate::error::{Error, Kind, Result};
use crate::text::printable;
use settings::{Cleared, NodeArguments, SettingsArguments};
use shown::{facts, targets_table};

const EXAMPLES: &str = "\
Examples:
  roadstead target add home --self --ipns
  roadstead target add home --kubo http://127.0.0.1:5001
  roadstead target add home --kubo https://node.example.com --auth-file ~/.config/roadstead/node \\
      --dnslink registry.example.com --dns rfc2136 --dns-server ns1.example.com:53 \\
      --tsig-name roadstead --tsig-secret-file ~/.config/roadstead/tsig
  roadstead target add home --kubo http://127.0.0.1:5001 --ipns registry --make-key
  roadstead target add bucket --s3 s3://registry --endpoint https://s3.example.com
  roadstead target add cluster --cluster http://127.0.0.1:9094 --replication 2
  roadstead target add files --directory /srv/registry
  roadstead target test home
  roadstead publish home

Secrets stay in the files and variables that you name; the catalog keeps only the names.";

/// What to do.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    /// The verb.
    #[command(subcommand)]
    verb: TargetVerb,
}

/// What can be done.
#[derive(Debug, Subcommand)]
enum TargetVerb {
    /// Add a target; no connection is made, except by `--make-key`.
    Add(AddArguments),
    /// List targets and the root that each serves.
    #[command(visible_alias = "ls")]
    List,
    /// Show everything about a target.
    Show(NameArguments),
    /// Change a target; settings that are not given stay.
    Set(SetArguments),
    /// Check each part of a target with the permissions that publishing needs, without lasting changes.
    Test(NameArguments),
    /// Read every block of a target's newest root from its node and verify it, or a sample from a gateway.
    Verify(VerifyArguments),
    /// Remove a target; its history stays.
    #[command(visible_alias = "rm")]
    Remove(RemoveArguments),
    /// Export or import the keys with which this program moves IPNS names.
    Key(key::Arguments),
}

/// A target that comes.
#[derive(Debug, Args)]
struct AddArguments {
    /// Name of the new target.
    #[arg(value_name = "NAME")]
    name: String,

    #[command(flatten)]
    node: NodeArguments<true>,

    #[command(flatten)]
    settings: SettingsArguments,
}

/// A target that changes.
#[derive(Debug, Args)]
struct SetArguments {
    /// The target.
    #[arg(value_name = "NAME", add = target_names())]
    name: String,

    #[command(flatten)]
    node: NodeArguments<false>,

    #[command(flatten)]
    settings: SettingsArguments,

    /// Setting to remove (repeatable).
    #[arg(long, value_enum, value_name = "WHAT")]
    clear: Vec<Cleared>,
}

/// A target.
#[derive(Debug, Args)]
struct NameArguments {
    /// The target.
    #[arg(value_name = "NAME", add = target_names())]
    name: String,
}

/// A target that is verified.
#[derive(Debug, Args)]
struct VerifyArguments {
    /// The target.
    #[arg(value_name = "NAME", add = target_names())]
    name: String,

    /// Ask this trustless gateway for a sample instead: for nodes that can't be read from [default: the target's first
    /// `--check-gateway`].
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    gateway: Option<String>,
}

/// A target that goes.
#[derive(Debug, Args)]
struct RemoveArguments {
    /// The target.
    #[arg(value_name = "NAME", add = target_names())]
    name: String,

    #[command(flatten)]
    dry_run: DryRun,
}

pub(in crate::cli) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    match &arguments.verb {
        TargetVerb::Add(arguments) => add(arguments, context),
        TargetVerb::List => list(context),
        TargetVerb::Show(arguments) => show(arguments, context),
        TargetVerb::Set(arguments) => set(arguments, context),
        TargetVerb::Test(arguments) => trial::test(&arguments.name, context),
        TargetVerb::Verify(arguments) => trial::verify(&arguments.name, arguments.gateway.as_deref(), context),
        TargetVerb::Remove(arguments) => remove(arguments, context),
        TargetVerb::Key(arguments) => key::run(arguments, context),
    }
}

fn add(arguments: &AddArguments, context: &Context) -> Result<Exit> {
    let change = arguments.settings.change(arguments.node.address.as_ref(), &[])?;
    let engine = context.open(None)?;
    let key = if arguments.settings.make_key {
        Some(with_key(&engine, &engine.draft_of_new(&arguments.name, &change)?, context)?)
    } else {
        None
    };
    let view = engine.add_target(&arguments.name, &change)?;
    warn(&engine, &view.name, context)?;
    context.output.json(&TargetReport { target: &view, key: key.as_ref() })?;
    say_key(key.as_ref(), context);
    context.output.message(&format!("Added {}. `roadstead target test {}` checks it.", view.name, view.name));
    Ok(Exit::Done)
}

fn set(arguments: &SetArguments, context: &Context) -> Result<Exit> {
    if arguments.node.address.is_none() && arguments.clear.is_empty() && arguments.settings.is_empty() {
        return Err(
            Error::new(Kind::Usage, "no change was given").hint("`roadstead target set --help` lists what can be set.")
        );
    }
    let change = arguments.settings.change(arguments.node.address.as_ref(), &arguments.clear)?;
    let engine = context.open_existing()?;
    let key = if arguments.settings.make_key {
        Some(with_key(&engine, &engine.draft_of_changed(&arguments.name, &change)?, context)?)
    } else {
        None
    };
    let view = engine.set_target(&arguments.name, &change)?;
    warn(&engine, &view.name, context)?;
    context.output.json(&TargetReport { target: &view, key: key.as_ref() })?;
    say_key(key.as_ref(), context);
    context.output.message(&format!("Changed {}. `roadstead target test {}` checks it.", view.name, view.name));
    Ok(Exit::Done)
}

/// Makes the key of the target's IPNS name. If that fails, nothing is saved.
fn with_key(engine: &Arc<Engine>, target: &Target, context: &Context) -> Result<TargetKey> {
    let places = context.peers(engine);
    context.run_quietly("Stopping; nothing was saved.", async |job: &Job| make_key(target, &places, job).await)
}

fn say_key(key: Option<&TargetKey>, context: &Context) {
    if let Some(TargetKey { name, id, made }) = key {
        let name = printable(name);
        let verb =
            if *made { format!("Created the key `{name}`") } else { format!("The node already has the key `{name}`") };
        context.output.message(&format!("{verb}: its IPNS name is {id}."));
    }
}

/// Says what is doubtful about the target's secrets: it is saved all the same.
fn warn(engine: &Engine, name: &str, context: &Context) -> Result<()> {
    for doubt in engine.target_doubts(name, &Variables::of_process())? {
        context.output.warning(&format!("{doubt}."));
    }
    Ok(())
}

fn list(context: &Context) -> Result<Exit> {
    let targets = context.open_to_read()?.targets()?;
    let output = &context.output;
    output.json(&targets)?;
    if targets.is_empty() {
        output.message(&format!("No targets yet. {ADD_TARGET_HINT}"));
    } else {
        output.table(&targets_table(&targets))?;
    }
    Ok(Exit::Done)
}

fn show(arguments: &NameArguments, context: &Context) -> Result<Exit> {
    let view = context.open_to_read()?.target(&arguments.name)?;
    context.output.json(&TargetReport { target: &view, key: None })?;
    context.output.table(&facts(&view))?;
    Ok(Exit::Done)
}

fn remove(arguments: &RemoveArguments, context: &Context) -> Result<Exit> {
    let engine = context.open_for(arguments.dry_run)?;
    planned::carry_out(&RemoveTarget { engine, name: &arguments.name }, arguments.dry_run, context)
}

struct RemoveTarget<'a> {
    engine: Arc<Engine>,
    name: &'a str,
}

impl Planned for RemoveTarget<'_> {
    type Plan = RemoveTargetPlan;
    type Outcome = ();

    fn verb(&self) -> &'static str {
        "target remove"
    }

    async fn plan(&self, _: &Context, _: &Job) -> Result<RemoveTargetPlan> {
        self.engine.plan_remove_target(self.name)
    }

    fn question(&self, plan: &RemoveTargetPlan) -> Option<String> {
        Some(format!("Remove {}?", plan.name))
    }

    async fn apply(&self, plan: &mut RemoveTargetPlan, _: &Context, job: &Job) -> Result<()> {
        self.engine.remove_target(plan, job).await
    }

    fn document(&self, done: &Done<'_, RemoveTargetPlan, ()>) -> impl Serialize {
        PlanReport { dry_run: done.dry_run, plan: done.plan }
    }

    fn tables(&self, plan: &RemoveTargetPlan) -> Vec<Table> {
        vec![remains(plan)]
    }

    fn summary(&self, done: &Done<'_, RemoveTargetPlan, ()>) -> Vec<Note> {
        vec![Note::Message(match done.outcome {
            None => format!("{} would be removed. Nothing was changed.", done.plan.name),
            Some(()) => format!("Removed {}; its history stays.", done.plan.name),
        })]
    }
}

/// What stays as it is when a target goes, and what does not.
fn remains(plan: &RemoveTargetPlan) -> Table {
    let mut table = Table::new(&[("", Column::Fixed), ("", Column::Digest), ("", Column::Text)]);
    if let Some(record) = &plan.record {
        table.row(["record".into(), record.into(), Cell::toned(Tone::Dim, "stays as it is")]);
    }
    for root in &plan.pinned {
        let note = format!("stays pinned at {}", plan.node);
        table.row(["pin".into(), root.into(), Cell::toned(Tone::Dim, note)]);
    }
    for root in &plan.withdrawn {
        table.row(["root".into(), root.into(), Cell::toned(Tone::Warning, "no longer given out by this program")]);
    }
    for root in &plan.released {
        table.row(["root".into(), root.into(), Cell::toned(Tone::Warning, "no longer kept here: `gc` may remove it")]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::targets::{DnslinkSettings, KuboSettings, NodeSettings, Secret, TargetSettings, ZoneSettings};
    use crate::cli::style::Paint;
    use crate::engine::targets::TargetView;

    const ROOT: &str = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi";

    fn sample() -> TargetView {
        TargetView {
            name: "home".into(),
            settings: TargetSettings {
                node: NodeSettings::Kubo(KuboSettings {
                    url: "https://node.example.com".into(),
                    authorisation: Some(Secret::Variable("NODE_TOKEN".into())),
                }),
                keep: 5,
                ipns: Some("self".into()),
                dnslink: Some(DnslinkSettings {
                    domain: "registry.example.com".into(),
                    zone: ZoneSettings::Rfc2136 {
                        server: "ns1.example.com:53".into(),
                        key: "roadstead".into(),
                        algorithm: "hmac-sha256".into(),
                        secret: Secret::File("/etc/roadstead/tsig".into()),
                    },
                    ttl: 60,
                }),
                gateways: vec!["https://ipfs.example.com".into()],
            },
            added: "2026-11-24T12:00:00Z".into(),
            root: Some(ROOT.into()),
            published: Some("2026-11-24T13:00:00Z".into()),
            behind: true,
            running: None,
            pinned: 3,
            sent: Some(43 << 20),
            requests: Some(61),
            holders: Vec::new(),
            unverified: false,
            serving: None,
            ipns_name: None,
        }
    }

    #[test]
    fn what_a_person_sees() {
        let other = TargetView {
            name: "away".into(),
            settings: TargetSettings {
                node: NodeSettings::kubo("http://127.0.0.1:5001"),
                keep: 1,
                ipns: None,
                dnslink: None,
                gateways: vec![],
            },
            root: None,
            published: None,
            pinned: 0,
            sent: None,
            requests: None,
            serving: None,
            ipns_name: None,
            ..sample()
        };
        let plan = RemoveTargetPlan {
            name: "home".into(),
            node: "https://node.example.com".into(),
            pinned: vec![ROOT.into()],
            record: Some("_dnslink.registry.example.com".into()),
            withdrawn: Vec::new(),
            released: vec![ROOT.into()],
        };
        let paint = Paint::new(false);
        let shown = [
            targets_table(&[other, sample()]).render(Some(140), paint),
            facts(&sample()).render(None, paint),
            remains(&plan).render(Some(140), paint),
        ];
        insta::assert_snapshot!("target", shown.join("\n"));
    }

    #[test]
    fn the_columns_of_the_interface_are_known_here() {
        let table = targets_table(&[sample()]).render(None, Paint::new(false));
        let json = serde_json::to_value(sample()).unwrap();
        for column in &crate::tui::columns::TARGETS {
            assert!(table.lines().next().unwrap().contains(column.title), "{}", column.title);
            assert!(json.get(column.json).is_some(), "{}: {json}", column.json);
        }
    }

    #[test]
    fn the_shapes_in_json() {
        insta::assert_snapshot!(
            "target_json",
            serde_json::to_string_pretty(&TargetReport { target: &sample(), key: None }).unwrap()
        );
    }
}
