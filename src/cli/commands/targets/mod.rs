//! `target`: places that hold the registry and names that point to it.

mod key;
mod settings;
mod trial;

use std::sync::Arc;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::catalog::targets::{DnslinkSettings, Secret, Target, ZoneSettings};
use crate::cli::completers::target_names;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::planned::{self, Done, DryRun, Note, Planned};
use crate::cli::report::{PlanReport, TargetReport};
use crate::cli::style::Tone;
use crate::cli::table::{Cell, Column, Table};
use crate::engine::Engine;
use crate::engine::job::Job;
use crate::engine::own_node::{SERVE_HINT, report};
use crate::engine::targets::{ADD_TARGET_HINT, RemoveTargetPlan, TargetKey, TargetView, Variables, make_key};
use crate::error::{Error, Kind, Result};
use crate::text::{count, printable};
use settings::{Cleared, NodeArguments, SettingsArguments};

const EXAMPLES: &str = "\
Examples:
  roadstead target add home --self --ipns
  roadstead target add home --kubo http://127.0.0.1:5001
  roadstead target add home --kubo https://node.example.com --auth-file ~/.config/roadstead/node \\
      --dnslink registry.example.com --dns rfc2136 --dns-server ns1.example.com:53 \\
      --tsig-name roadstead --tsig-secret-file ~/.config/roadstead/tsig
  roadstead target add home --kubo http://127.0.0.1:5001 --ipns registry --make-key
  roadstead target add bucket --s3 s3://registry --endpoint https://s3.example.com
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
    /// Read every block of a target's newest root from its node and verify it.
    Verify(NameArguments),
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
        TargetVerb::Verify(arguments) => trial::verify(&arguments.name, context),
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
        output.message(&format!("There is no target yet. {ADD_TARGET_HINT}"));
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

fn targets_table(targets: &[TargetView]) -> Table {
    let mut table = Table::new(&[
        ("TARGET", Column::Fixed),
        ("NODE", Column::Text),
        ("NAMES", Column::Text),
        ("ROOT", Column::Digest),
        ("PUBLISHED", Column::Fixed),
        ("STATE", Column::Fixed),
    ]);
    for target in targets {
        let state = match (&target.running, &target.root, target.behind) {
            (Some(_), ..) => Cell::toned(Tone::Warning, "not finished"),
            (None, None, _) => Cell::toned(Tone::Dim, "never published"),
            (None, Some(_), true) => Cell::toned(Tone::Warning, "behind"),
            (None, Some(_), false) => Cell::toned(Tone::Good, "current"),
        };
        let domain = target.settings.dnslink.as_ref().map(|dnslink| dnslink.domain.clone());
        let ipns = target.settings.ipns.as_ref().map(|key| format!("ipns:{key}"));
        let names: Vec<String> = domain.into_iter().chain(ipns).collect();
        table.row([
            Cell::toned(Tone::Name, &target.name),
            target.settings.node.url().into(),
            names.join(", ").into(),
            target.root.as_deref().unwrap_or_default().into(),
            target.published.as_deref().unwrap_or_default().into(),
            state,
        ]);
    }
    table
}

/// Where a secret is; what it is, nobody is told.
fn place(secret: &Secret) -> String {
    match secret {
        Secret::File(file) => format!("in {}", file.display()),
        Secret::Variable(name) => format!("in the variable {name}"),
    }
}

fn zone(dnslink: &DnslinkSettings) -> Vec<(&'static str, String)> {
    let mut facts = vec![("DNSLink", dnslink.domain.clone())];
    match &dnslink.zone {
        ZoneSettings::Rfc2136 { server, key, algorithm, secret } => {
            facts.push(("DNS", format!("signed updates to {server}")));
            facts.push(("TSIG key", format!("{key} ({algorithm}), {}", place(secret))));
        }
        ZoneSettings::Provider { provider, token } => {
            facts.push(("DNS", format!("{provider}, in several requests: a change is not atomic")));
            facts.push(("token", place(token)));
        }
        ZoneSettings::Manual => {
            facts.push(("DNS", "by hand: `publish` shows the record to set and waits for it".to_owned()));
        }
    }
    facts.push(("TTL", format!("{} s: how long caches may lag after publishing", dnslink.ttl)));
    facts
}

fn facts(target: &TargetView) -> Table {
    let mut table = Table::new(&[("", Column::Fixed), ("", Column::Fact)]);
    let mut fact = |name: &str, value: &str| table.row([Cell::toned(Tone::Dim, name), printable(value).into()]);
    fact("target", &target.name);
    let is_host = target.settings.node.is_host();
    fact(if is_host { "host" } else { "node" }, target.settings.node.url());
    for (name, value) in target.settings.node.reached() {
        fact(name, &value);
    }
    if let Some(secret) = target.settings.node.authorisation() {
        fact("auth", &place(secret));
    }
    let newest = target.root.as_deref();
    let now = jiff::Timestamp::now();
    for said in target.serving.iter().flat_map(|all| report::served(all, SERVE_HINT)) {
        fact(said.label, &said.text);
    }
    for said in target.ipns_name.iter().flat_map(|name| report::name(name, newest, now)) {
        fact(said.label, &said.text);
    }
    if let Some(all) = &target.serving {
        for said in report::followers_in_full(all, newest, now.as_second()).into_iter().chain(report::taken(all)) {
            fact(said.label, &said.text);
        }
    }
    let keeps = target.settings.keep.into();
    fact(
        "keeps",
        &if is_host {
            count(keeps, "published root here, to go back to", "published roots here, to go back to")
        } else {
            count(keeps, "published root pinned", "published roots pinned")
        },
    );
    if let Some(key) = &target.settings.ipns {
        fact("IPNS key", key);
    }
    for (name, value) in target.settings.dnslink.iter().flat_map(zone) {
        fact(name, &value);
    }
    for gateway in &target.settings.gateways {
        fact("gateway", gateway);
    }
    fact("added", &target.added);
    match (&target.root, &target.published) {
        (Some(root), Some(published)) => {
            fact("root", root);
            fact("published", published);
            fact("state", if target.behind { "behind: the catalog has another root now" } else { "current" });
        }
        _ => fact("root", "nothing published yet"),
    }
    if let Some(root) = &target.running {
        fact("not finished", root);
    }
    if !is_host {
        fact("pins", &count(target.pinned, "root", "roots"));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::targets::{KuboSettings, NodeSettings, TargetSettings};
    use crate::cli::style::Paint;

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
