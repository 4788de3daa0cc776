//! `add`: mirror images.

use std::io;

use clap::{Args, ValueHint};

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::mirroring::{Mirror, Wanted};
use crate::cli::parsed::parsed;
use crate::cli::planned::{self, DryRun};
use crate::cli::references;
use crate::engine::request::{AddOptions, AddRequest, PublishedAs, Source};
use crate::error::{Kind, Result};
use crate::image::{Platform, Selection};
use crate::unixfs::Profile;

const EXAMPLES: &str = "\
Examples:
  roadstead add nginx:alpine quay.io/coreos/etcd:v3.5.0
  roadstead add --platform linux/amd64,linux/arm64 ghcr.io/org/app:v1
  roadstead add --as mirror/app:stable oci-archive:app.tar
  kubeadm config images list | roadstead add -";

/// What to mirror, and how much of it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    /// Images as podman and docker name them; `oci:DIR[:TAG]` or `oci-archive:FILE`; `-` reads them from standard input.
    #[arg(value_name = "REF", required = true, value_hint = ValueHint::Other)]
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

    #[command(flatten)]
    pub(in crate::cli) dry_run: DryRun,

    /// Exit with 3 if everything is already mirrored.
    #[arg(long)]
    pub(in crate::cli) fail_if_unchanged: bool,
}

/// Mirrors images.
pub(in crate::cli) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    let sources = references::sources(&arguments.references, &mut io::stdin().lock())?;
    let selection = arguments.platform.iter().cloned().reduce(Selection::union);
    let requests = requests(sources, arguments, selection.as_ref())?;
    // A dry run makes no catalog: where there is none, an empty one elsewhere gives the same plan.
    let (engine, _directory) = if arguments.dry_run.dry_run {
        match context.open_read_only(context.options(arguments.profile)?) {
            Err(error) if error.kind() == Kind::NotFound => {
                let (engine, directory) = context.open_empty(arguments.profile)?;
                (engine, Some(directory))
            }
            opened => (opened?, None),
        }
    } else {
        (context.open(arguments.profile)?, None)
    };
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
        let sources = references::sources(&arguments.references, &mut io::empty())?;
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
