//! `client`: how podman, docker, containerd and others are told of this registry.
//!
//! Asks the catalog for what it mirrors, and with `--probe` the host for what it sends. The texts are made by the files beside
//! this one, which do no I/O; only `writing` writes.

mod all;
mod containerd;
mod containers;
mod docker;
mod gateway;
mod k3s;
mod kubernetes;
mod kubo;
mod mirrors;
mod nodes;
mod recipe;
mod source;
mod systemd;
#[cfg(test)]
mod tests;
mod writing;

use std::path::PathBuf;

use clap::{Args, ValueHint};
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::engine::job::Job;
use crate::error::{Context as _, Error, Kind, Result};
use crate::image::{Reference, media};
use crate::registry::Registries;
use mirrors::Mirrors;
use nodes::NodeArguments;
use recipe::{Client, ClientSetup, Recipe};
use source::{HostKind, Source};
use writing::Written;

const EXAMPLES: &str = "\
Examples:
  roadstead client podman                                   pull from `roadstead serve` on this machine
  roadstead client containerd --from https://registry.example.com --write /etc/containerd/certs.d
  roadstead client podman --from https://CID.ipfs.dweb.link pull from an IPFS gateway
  roadstead client containerd --from https://ipfs.io/ipfs/CID --types-from https://registry.example.com
  roadstead client kubo --from http://127.0.0.1:5050 | sh   let a Kubo take blocks from `roadstead serve --ipfs`
  roadstead client kubernetes --follow k51… --from https://registry.example.com | kubectl apply -f -";

/// Which client, and where it pulls from.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    /// The client.
    #[arg(value_enum, value_name = "NAME")]
    client: Client,

    /// Where it pulls from: a host, or the root's address at a gateway; for kubernetes, where nodes follow from, repeatable [default: the name set by `config set name`, else http://127.0.0.1:5050].
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    from: Vec<String>,

    /// The kind of host, if its address doesn't tell: `serve` (roadstead), `static` (any that sets media types), `gateway`.
    #[arg(long, value_enum, value_name = "KIND", hide_possible_values = true)]
    kind: Option<HostKind>,

    /// Ask the host which kind it is.
    #[arg(long, conflicts_with = "kind")]
    probe: bool,

    /// For containerd with a gateway: a host that resolves tags, while the bytes come from the gateway.
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    types_from: Option<String>,

    /// A registry to act as a mirror of; repeatable [default: those that the catalog mirrors].
    #[arg(long, value_name = "REGISTRY", conflicts_with = "no_mirrors")]
    upstream: Vec<String>,

    /// Don't act as a mirror of other registries.
    #[arg(long)]
    no_mirrors: bool,

    #[command(flatten)]
    nodes: NodeArguments,

    /// Write the files into this directory; if one exists with different contents, write nothing.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    write: Option<PathBuf>,

    /// Replace files with different contents; a daemon.json keeps its settings and gains ours.
    #[arg(long, requires = "write")]
    force: bool,
}

/// What a catalog says, if there is one.
#[derive(Debug, Default)]
struct Known {
    name: Option<String>,
    mirrors: Option<Mirrors>,
    example: Option<String>,
}

/// Prints or writes the configuration.
pub(in crate::cli) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    let known = known(context)?;
    let setup = setup(arguments, known, context)?;
    let recipe = all::of(&setup)?;
    let output = &context.output;
    let Some(directory) = &arguments.write else {
        output.json(&recipe)?;
        print(&recipe, context)?;
        return Ok(Exit::Done);
    };
    context.may_change()?;
    if !recipe.usable {
        let error = Error::new(Kind::Usage, format!("{} can't pull from {}", setup.client.name(), setup.source));
        return Err(recipe.notes.into_iter().fold(error, Error::hint));
    }
    let written = writing::write(directory, &recipe.files, arguments.force)?;
    output.json(&Report { recipe: &recipe, written: &written })?;
    for Written { file, outcome } in &written {
        output.message(&format!("{} {}", outcome.word(), file.display()));
    }
    explain(&recipe, context);
    Ok(Exit::Done)
}

/// The document of `client --write`.
#[derive(Debug, Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    recipe: &'a Recipe,
    written: &'a [Written],
}

/// What the catalog says. Whoever pulls needs none.
fn known(context: &Context) -> Result<Known> {
    let engine = match context.open_to_read() {
        Ok(engine) => engine,
        Err(error) if error.kind() == Kind::NotFound => return Ok(Known::default()),
        Err(error) => return Err(error),
    };
    let rows = engine.repositories()?;
    let from = rows.iter().filter_map(|row| Some((row.name.as_str(), row.upstream.as_deref()?)));
    Ok(Known {
        name: engine.settings()?.name,
        mirrors: (!rows.is_empty()).then(|| Mirrors::of_catalog(from)),
        example: super::serve::example(&engine, &rows, false)?,
    })
}

fn setup(arguments: &Arguments, known: Known, context: &Context) -> Result<ClientSetup> {
    let client = arguments.client;
    let nodes = match (client, &arguments.nodes.follow) {
        (Client::Kubernetes, _) => Some(arguments.nodes.setup(&arguments.from)?),
        (_, None) => None,
        (_, Some(_)) => {
            let words = format!("`--follow` is for `client kubernetes`, and {} follows nothing", client.name());
            return Err(Error::new(Kind::Usage, words));
        }
    };
    let source = match (&nodes, arguments.from.as_slice(), &known.name) {
        (Some(nodes), ..) => nodes.client_source()?,
        (None, [from], _) => Source::parse(from)?,
        (None, [], Some(name)) => Source::parse(name)?,
        (None, [], None) => Source::of_serve(),
        (None, ..) => {
            let words = format!("{} pulls from one host: give `--from` once", client.name());
            return Err(Error::new(Kind::Usage, words));
        }
    };
    let types_from = arguments.types_from.as_deref().map(Source::parse).transpose()?;
    if types_from.as_ref().is_some_and(|host| host.kind == Some(HostKind::Gateway)) {
        return Err(Error::new(Kind::Usage, "`--types-from` names a gateway, which can't set media types"));
    }
    let mirrors = if arguments.no_mirrors {
        Mirrors::default()
    } else if !arguments.upstream.is_empty() {
        Mirrors::of_names(&arguments.upstream)?
    } else {
        known.mirrors.unwrap_or_else(Mirrors::usual)
    };
    let probed = if arguments.probe { Some(probe(&source, known.example.as_deref(), context)?) } else { None };
    // Nothing else answers what these ask.
    let only = matches!(client, Client::Kubo | Client::Kubernetes).then_some(HostKind::Serve);
    let told = arguments.kind.or(probed).or(source.kind).or(only);
    let mirrors = mirrors.without(&source.host);
    Ok(ClientSetup {
        client: arguments.client,
        kind: told.unwrap_or(HostKind::Static),
        sure: told.is_some(),
        source,
        types_from,
        mirrors,
        nodes,
        example: known.example,
    })
}

/// Asks the host for an image that the catalog has, and looks what it calls its manifest.
fn probe(source: &Source, example: Option<&str>, context: &Context) -> Result<HostKind> {
    if source.kind == Some(HostKind::Gateway) {
        return Ok(HostKind::Gateway);
    }
    let example = example.ok_or_else(|| {
        Error::new(Kind::NotFound, format!("the catalog has no image to ask {} for", source.host))
            .hint("Name its kind with `--kind serve`, `--kind static` or `--kind gateway`.")
    })?;
    let reference: Reference = format!("{}/{example}", source.host).parse()?;
    let options = context.options(None)?.registries;
    let answer = context.run(async |job: &Job| {
        let registry = Registries::new(options).open(&reference.upstream.registry, source.plain)?;
        let target = reference.target();
        job.or_cancelled(registry.head(&reference.upstream.repository, &target)).await
    });
    let media_type = answer.context(|| format!("can't find out what kind of host {} is", source.host))?.media_type;
    let sets_types = media_type.is_some_and(|media_type| media::is_manifest(&media::essence(&media_type)));
    Ok(if sets_types { HostKind::Static } else { HostKind::Gateway })
}

/// The files on standard output, each under where it goes; what to know on standard error.
fn print(recipe: &Recipe, context: &Context) -> Result<()> {
    let output = &context.output;
    output.data(&recipe.printed())?;
    output.finish()?;
    if let (Some(file), Some(place)) = (recipe.files.first(), recipe.place.filter(|place| !place.is_empty())) {
        let user = recipe.user_place.map(|place| format!(", for one user {place}")).unwrap_or_default();
        let name = recipe.client.name();
        let what = if recipe.files.len() == 1 { file.path.as_str() } else { "These files" };
        let goes = if recipe.files.len() == 1 { "goes" } else { "go" };
        output.message(&format!(
            "\n{what} {goes} to {place}{user}; `roadstead client {name} … --write DIR` writes there."
        ));
    }
    explain(recipe, context);
    Ok(())
}

fn explain(recipe: &Recipe, context: &Context) {
    let output = &context.output;
    if !recipe.usable {
        output.warning(&format!("{} can't pull from {} alone", recipe.client.name(), recipe.from));
    }
    for note in &recipe.notes {
        output.message(&format!("- {note}"));
    }
    for command in &recipe.reload {
        output.message(&format!("Then:  {command}"));
    }
    for command in &recipe.pull {
        output.message(&format!("Pull:  {command}"));
    }
}
