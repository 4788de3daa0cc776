//! `root`: the CID that the catalog stands for.

use clap::{Args, ValueHint};

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::parsed::parsed;
use crate::cli::report::RootReport;
use crate::engine::Engine;
use crate::engine::job::Job;
use crate::error::{Error, Kind, Result};
use crate::image::Platform;
use crate::unixfs::Profile;

/// What to set first.
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The CID profile of a new catalog: `unixfs-v1-2025` (default) or `unixfs-v0-2015`.
    #[arg(long, value_name = "PROFILE", value_parser = parsed::<Profile>)]
    pub(in crate::cli) profile: Option<Profile>,

    /// What is `config set name HOST` by now.
    #[arg(long, value_name = "HOST", value_hint = ValueHint::Hostname, hide = true)]
    pub(in crate::cli) name: Option<String>,

    /// What is `config set default-platform PLATFORM` by now.
    #[arg(long, value_name = "PLATFORM", value_parser = parsed::<Platform>, hide = true)]
    pub(in crate::cli) default_platform: Option<Platform>,
}

/// Prints the root, after setting what is to be set.
pub(in crate::cli) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    let (name, platform) = (arguments.name.as_deref(), arguments.default_platform.as_ref());
    let engine = if name.is_some() || platform.is_some() || arguments.profile.is_some() {
        context.open(arguments.profile)?
    } else {
        context.open_to_read()?
    };
    for (flag, setting, said) in [
        ("--name", "name HOST", name.is_some()),
        ("--default-platform", "default-platform PLATFORM", platform.is_some()),
    ] {
        if said {
            context.output.warning(&format!("`root {flag}` has moved: write `roadstead config set {setting}`"));
        }
    }
    let root = if name.is_some() || platform.is_some() {
        context.run(async |job: &Job| engine.configure(name, platform, job).await)?
    } else {
        current(&engine)?
    };
    context.output.json(&RootReport::of(root, &engine.settings()?))?;
    context.output.data(&format!("{root}\n"))?;
    Ok(Exit::Done)
}

fn current(engine: &Engine) -> Result<cid::Cid> {
    engine.root()?.ok_or_else(|| {
        Error::new(Kind::NotFound, format!("the catalog in {} has no root yet", engine.data_dir().display()))
            .hint("`roadstead add REF` mirrors an image and makes one.")
    })
}
