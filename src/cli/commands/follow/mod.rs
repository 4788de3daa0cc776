//! `follow`: an empty data directory becomes the verified copy of a published registry, and stays it.

mod running;
mod status;

use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand, ValueHint};
use serde_json::json;

use crate::cli::commands::verify;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::parsed::parsed;
use crate::engine::follow::{Followed, Follower, Mode, Resolver, Setting};
use crate::engine::job::Job;
use crate::engine::{Engine, SwarmMember};
use crate::error::{Error, Kind, Result};
use crate::rules::Period;
use crate::unixfs::Profile;

pub(in crate::cli) use running::keep_following;

/// How often a name is looked at unless something else is said.
const DEFAULT_PERIOD: Duration = Duration::from_mins(1);
/// Said where a first look needs somebody to ask.
const NAME_HINT: &str = "Name what to follow: `roadstead follow NAME --from URL`.";

const EXAMPLES: &str = "\
Examples:
  roadstead follow k51… --from https://registry.example.com
  roadstead follow registry.example.com --from https://a.example.com --mode lazy
  roadstead follow --once                      look once, for a timer
  roadstead follow status

A new root is taken only when all of it is here and verified; until then the former one stays.
`roadstead serve --ipfs` gives out what is held, so that others can follow from here.";

/// Whom to follow, or what to know of it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct Arguments {
    /// What to do instead of following.
    #[command(subcommand)]
    verb: Option<FollowVerb>,

    #[command(flatten)]
    whom: SettingArguments,

    /// Look once and end, instead of looking again and again.
    #[arg(long)]
    once: bool,
}

#[derive(Debug, Subcommand)]
enum FollowVerb {
    /// Show whom this catalog follows, and how far it is.
    Status,
    /// Check everything that is held against the root.
    Check,
    /// Stop following: the catalog keeps what it holds, and can be changed again.
    Stop,
}

/// Whom to follow, from where, and how.
#[derive(Debug, Args)]
struct SettingArguments {
    /// IPNS name (k51…) or domain of a published registry; none goes on with the one that is followed already.
    #[arg(value_name = "NAME", value_parser = parsed::<Followed>)]
    name: Option<Followed>,

    #[command(flatten)]
    how: HowArguments,
}

/// From where to follow, and how.
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct HowArguments {
    /// Where blocks and records are: the URL of the publisher's `serve --ipfs`, of another follower or of a trustless gateway, or the
    /// multiaddr of a peer (repeatable) [default: the IPFS swarm].
    #[arg(long, value_name = "URL|MULTIADDR", value_hint = ValueHint::Url)]
    pub(in crate::cli) from: Vec<String>,

    /// Peer of the swarm to begin with, in place of the public DHT: for networks of their own (repeatable).
    #[arg(long, value_name = "MULTIADDR")]
    pub(in crate::cli) swarm_peer: Vec<String>,

    /// Which blobs to fetch before they are pulled: `all`, those of `tags` and not of images pinned by digest, or none (`lazy`).
    #[arg(long, value_name = "MODE", value_parser = parsed::<Mode>)]
    pub(in crate::cli) mode: Option<Mode>,

    /// How often to look whether the name has moved; a minute if nothing is said.
    #[arg(long, value_name = "PERIOD", value_parser = period)]
    pub(in crate::cli) every: Option<Period>,
}

pub(in crate::cli) fn period(text: &str) -> Result<Period, String> {
    let period: Period = text.parse().map_err(str::to_owned)?;
    if period.seconds() == 0 { Err("a second is the shortest".to_owned()) } else { Ok(period) }
}

pub(in crate::cli) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    match &arguments.verb {
        Some(FollowVerb::Status) => status::run(context),
        Some(FollowVerb::Check) => check(context),
        Some(FollowVerb::Stop) => stop(context),
        None => {
            let engine = prepare(arguments.whom.name.as_ref(), &arguments.whom.how, context)?;
            if arguments.once { running::once(&engine, context) } else { running::run(&engine, context) }
        }
    }
}

/// Opens the catalog and makes it follow what is said; one that is not there yet is made with the profile of what it is to hold.
pub(in crate::cli) fn prepare(name: Option<&Followed>, how: &HowArguments, context: &Context) -> Result<Arc<Engine>> {
    context.may_change()?;
    let is_there = context.settings.data_dir()?.join("catalog.db").exists();
    let known = if is_there { context.open_to_read()?.following()? } else { None };
    let known = known.map(|known| known.setting);
    let name = name.cloned().or_else(|| known.as_ref().map(|known| known.name.clone()));
    let name = name.ok_or_else(|| Error::new(Kind::Usage, "this catalog follows nothing yet").hint(NAME_HINT))?;
    let before = known.filter(|known| known.name == name);
    let said = |sources: &[String]| sources.iter().map(|url| url.trim_end_matches('/').to_owned()).collect();
    let setting = Setting {
        sources: match &before {
            Some(before) if how.from.is_empty() => before.sources.clone(),
            _ => said(&how.from),
        },
        mode: how.mode.or(before.as_ref().map(|before| before.mode)).unwrap_or_default(),
        every: how.every.map(Duration::from).or(before.as_ref().map(|before| before.every)).unwrap_or(DEFAULT_PERIOD),
        name,
    };
    setting.check()?;
    let profile = if is_there {
        None
    } else {
        let swarm = Arc::new(SwarmMember::new(context.settings.local_discovery.value));
        swarm.begin_with(&how.swarm_peer)?;
        let first =
            async |job: &Job| job.or_cancelled(Follower::first_root(&setting, Arc::new(Resolver), &swarm)).await;
        let root = context.run(first)?;
        Some(if root.version() == cid::Version::V0 { Profile::V0_2015 } else { Profile::V1_2025 })
    };
    let engine = context.open(profile)?;
    engine.swarm().begin_with(&how.swarm_peer)?;
    if before.as_ref() != Some(&setting) {
        context.run(async |job: &Job| engine.follow(&setting, job).await)?;
    }
    Ok(engine)
}

fn check(context: &Context) -> Result<Exit> {
    let engine = context.open_to_read()?;
    let (_, verified) = context.run(async |job: &Job| engine.check_following(job).await)?;
    verify::report(&verified, false, context)
}

fn stop(context: &Context) -> Result<Exit> {
    let engine = context.open_existing()?;
    let stopped = context.run(async |job: &Job| engine.stop_following(job).await)?;
    let name = stopped.map(|stopped| stopped.setting.name.to_string());
    context.output.json(&json!({ "stopped": name }))?;
    context.output.message(&match &name {
        Some(name) => format!("No longer following {name}. The catalog keeps what it holds, and can be changed."),
        None => "Nothing to do: this catalog follows nothing.".to_owned(),
    });
    Ok(Exit::Done)
}
