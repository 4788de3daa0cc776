//! `add`: mirror images.

use std::io;
use std::sync::Arc;

use clap::{Args, ValueHint};
use tempfile::TempDir;

use crate::cli::commands::rules::flags::{RuleFlags, TagFlags, has_pattern, subject};
use crate::cli::completers::references;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::mirroring::{Mirror, Ruled, Wanted};
use crate::cli::parsed::parsed;
use crate::cli::planned::{self, DryRun};
use crate::engine::Engine;
use crate::engine::request::{AddOptions, AddRequest, PublishedAs, Source};
use crate::engine::rules::{RulesInForce, RunOptions};
use crate::error::{Error, Kind, Result};
use crate::image::{Platform, Selection};
use crate::unixfs::Profile;

const EXAMPLES: &str = "\
Examples:
  roadstead add nginx:alpine quay.io/coreos/etcd:v3.5.0
  roadstead add --platform linux/amd64,linux/arm64 ghcr.io/org/app:v1
  roadstead add --as mirror/app:stable oci-archive:app.tar
  roadstead add 'nginx:1.#.#-alpine' --newest 3
  kubeadm config images list | roadstead add -

A tag with `#`, `*`, `[…]` or `{…}` is a pattern, and makes a rule that `update` carries out; see `roadstead rule --help`.
The `gate` of the rules, if there is one, is asked before an image enters, also for what is added by hand.";

/// What to mirror, and how much of it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    /// Images as podman and docker name them; `oci:DIR[:TAG]` or `oci-archive:FILE`; `-` reads them from standard input. A pattern
    /// for tags (`nginx:1.#.#`) makes a rule.
    #[arg(value_name = "REF", required = true, value_hint = ValueHint::Other, add = references())]
    pub(in crate::cli) references: Vec<String>,

    /// Platforms to mirror: `os/arch[/variant]`, or `all`; repeatable [default: this machine's].
    #[arg(long, value_name = "PLATFORM", value_parser = parsed::<Selection>)]
    pub(in crate::cli) platform: Vec<Selection>,

    /// Also keep the manifests of platforms that are left out.
    #[arg(long)]
    pub(in crate::cli) all_manifests: bool,

    /// Publish under this name (and tag) instead of the usual one.
    #[arg(long = "as", value_name = "NAME[:TAG]", value_parser = parsed::<PublishedAs>)]
    pub(in crate::cli) name: Option<PublishedAs>,

    /// The registry speaks plain HTTP; remembered for registries that were mirrored from with this flag.
    #[arg(long)]
    pub(in crate::cli) insecure: bool,

    /// The registry speaks HTTPS, although it was mirrored from over plain HTTP before.
    #[arg(long, conflicts_with = "insecure")]
    pub(in crate::cli) no_insecure: bool,

    /// The CID profile of a new catalog: `unixfs-v1-2025` (default) or `unixfs-v0-2015`.
    #[arg(long, value_name = "PROFILE", value_parser = parsed::<Profile>)]
    pub(in crate::cli) profile: Option<Profile>,

    /// For a pattern: which of the tags that match.
    #[command(flatten)]
    pub(in crate::cli) tags: TagFlags,

    #[command(flatten)]
    pub(in crate::cli) dry_run: DryRun,

    /// Exit with 3 if everything is already mirrored.
    #[arg(long)]
    pub(in crate::cli) fail_if_unchanged: bool,
}

/// Mirrors images.
pub(in crate::cli) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    if arguments.references.iter().any(|text| has_pattern(text)) {
        return run_rule(arguments, context);
    }
    if !arguments.tags.is_empty() {
        return Err(Error::new(Kind::Usage, "there is no pattern whose tags could be chosen")
            .hint("Write one in quotes: `roadstead add 'nginx:1.#.#' --newest 3`."));
    }
    let sources = crate::cli::references::sources(&arguments.references, &mut io::stdin().lock())?;
    let selection = arguments.platform.iter().cloned().reduce(Selection::union);
    let requests = requests(sources, arguments, selection.as_ref())?;
    let (engine, _directory) = open(arguments, context)?;
    let mirror = Mirror {
        dry_run: arguments.dry_run,
        fail_if_unchanged: arguments.fail_if_unchanged,
        is_first: engine.repositories()?.is_empty(),
        host: selection.is_none().then(|| Platform::host().to_string()),
        engine,
        wanted: Wanted::Added(requests),
    };
    planned::carry_out(&mirror, mirror.dry_run, context)
}

/// A dry run makes no catalog: where there is none, an empty one elsewhere gives the same plan.
fn open(arguments: &Arguments, context: &Context) -> Result<(Arc<Engine>, Option<TempDir>)> {
    if !arguments.dry_run.dry_run {
        return Ok((context.open(arguments.profile)?, None));
    }
    match context.open_read_only(context.options(arguments.profile)?) {
        Err(error) if error.kind() == Kind::NotFound => {
            let (engine, directory) = context.open_empty(arguments.profile)?;
            Ok((engine, Some(directory)))
        }
        opened => Ok((opened?, None)),
    }
}

/// Makes a rule, and carries it out.
fn run_rule(arguments: &Arguments, context: &Context) -> Result<Exit> {
    if arguments.all_manifests || arguments.insecure || arguments.no_insecure {
        let message = "a rule asks a registry as it was asked before: these flags are for single images";
        return Err(Error::new(Kind::Usage, message)
            .hint("Plain HTTP is set for a registry in the configuration, or remembered of an image that was added."));
    }
    let (name, subject) = subject(&arguments.references, &arguments.tags)?;
    let published_as = match &arguments.name {
        Some(PublishedAs { tag: Some(_), .. }) => {
            return Err(Error::new(Kind::Usage, "`--as NAME:TAG` names one image, and a pattern takes several"));
        }
        name => name.as_ref().map(|name| name.name.clone()),
    };
    let flags = RuleFlags::default();
    let rule = crate::rules::Rule {
        platforms: arguments.platform.iter().cloned().reduce(Selection::union),
        published_as,
        ..flags.rule(&name, subject)?
    };
    let (engine, _directory) = open(arguments, context)?;
    let before = engine.rules()?;
    before.check_trust()?;
    let (base, trust) = (before.base(), Some(before.clone()));
    let text = crate::rules::add_rule(&before.text, &rule).map_err(|error| {
        Error::new(Kind::Usage, error.to_string())
            .hint("`roadstead rule set` changes it; `roadstead rule add --name NAME` makes another one.")
    })?;
    let mirror = Mirror {
        is_first: engine.repositories()?.is_empty(),
        wanted: Wanted::Ruled(Box::new(Ruled {
            rules: RulesInForce::read(text, before.file.clone())?,
            before: Some(before),
            lock: None,
            options: RunOptions { only: vec![rule.name.to_string()], base, trust, ..RunOptions::default() },
            beside: false,
        })),
        engine,
        dry_run: arguments.dry_run,
        fail_if_unchanged: arguments.fail_if_unchanged,
        host: None,
    };
    planned::carry_out(&mirror, mirror.dry_run, context)
}

fn requests(sources: Vec<Source>, arguments: &Arguments, selection: Option<&Selection>) -> Result<Vec<AddRequest>> {
    let options = AddOptions {
        selection: selection.cloned(),
        all_manifests: arguments.all_manifests,
        name: arguments.name.clone(),
        insecure: (arguments.insecure || arguments.no_insecure).then_some(arguments.insecure),
    };
    options.requests(sources)
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches as _;

    use super::*;
    use crate::cli::arguments;

    fn arguments(words: &[&str]) -> Arguments {
        let words = ["roadstead", "add"].iter().chain(words);
        let matches = arguments::command().try_get_matches_from(words).unwrap();
        match arguments::Arguments::from_arg_matches(&matches).unwrap().verb {
            Some(arguments::Verb::Add(arguments)) => arguments,
            other => panic!("{other:?}"),
        }
    }

    fn requested(words: &[&str]) -> Result<Vec<AddRequest>> {
        let arguments = arguments(words);
        let sources = crate::cli::references::sources(&arguments.references, &mut io::empty())?;
        let selection = arguments.platform.iter().cloned().reduce(Selection::union);
        requests(sources, &arguments, selection.as_ref())
    }

    #[test]
    fn platforms_add_up() {
        let selection = |words: &[&str]| requested(words).unwrap()[0].selection.as_ref().map(ToString::to_string);
        assert_eq!(selection(&["x"]), None);
        let words = ["x", "--platform", "linux/arm64,linux/amd64", "--platform", "linux/arm/v7"];
        assert_eq!(selection(&words).unwrap(), "linux/amd64,linux/arm/v7,linux/arm64");
        assert_eq!(selection(&["x", "--platform", "linux/arm64", "--platform", "all"]).unwrap(), "all");
    }

    #[test]
    fn one_name_is_for_one_repository() {
        assert!(requested(&["--as", "mirror/x", "a:1", "a:2"]).is_ok());
        for words in [["--as", "mirror/x:1", "a:1", "a:2"], ["--as", "mirror/x", "a:1", "b:1"]] {
            assert_eq!(requested(&words).unwrap_err().kind(), Kind::Usage, "{words:?}");
        }
        let request =
            requested(&["--as", "mirror/x:stable", "--insecure", "--all-manifests", "h:1/a"]).unwrap().remove(0);
        assert!(request.insecure == Some(true) && request.all_manifests);
        assert_eq!(request.name.unwrap().tag.unwrap().as_str(), "stable");
    }
}
