//! `target key`: the keys with which this program's own node moves IPNS names, for keeping them safe and for a second machine.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueHint};
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::table::{Column, Table};
use crate::engine::own_node::OWN_KEY;
use crate::error::{Context as _, Error, Kind, Result};
use crate::input;
use crate::ipns::{MAX_KEY_FILE_BYTES, PrivateKey};
use crate::text::printable_within;

const EXAMPLES: &str = "\
Examples:
  roadstead target key list
  roadstead target key export ~/safe/roadstead.pem
  roadstead target key import ~/safe/roadstead.pem
  ipfs key export registry --format=pem-pkcs8-cleartext -o k.pem && roadstead target key import k.pem --key registry

Whoever has a key can move its IPNS name. The files are readable by their owner only; keep a copy of them elsewhere.";

/// What to do with a key.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The verb.
    #[command(subcommand)]
    verb: KeyVerb,
}

#[derive(Debug, Subcommand)]
enum KeyVerb {
    /// List the keys and their IPNS names.
    #[command(visible_alias = "ls")]
    List,
    /// Write a key to a new file.
    Export(ExportArguments),
    /// Take a key from a file: PEM (PKCS#8), or what `ipfs key export` writes.
    Import(ImportArguments),
}

#[derive(Debug, Args)]
struct ExportArguments {
    /// File to write.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: PathBuf,

    /// The key.
    #[arg(long, value_name = "KEY", default_value = OWN_KEY)]
    key: String,

    /// Write libp2p's format, which `ipfs key import` takes by default, instead of PEM.
    #[arg(long)]
    libp2p: bool,
}

#[derive(Debug, Args)]
struct ImportArguments {
    /// File to read.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: PathBuf,

    /// What to call the key.
    #[arg(long, value_name = "KEY", default_value = OWN_KEY)]
    key: String,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    match &arguments.verb {
        KeyVerb::List => list(context),
        KeyVerb::Export(arguments) => export(arguments, context),
        KeyVerb::Import(arguments) => import(arguments, context),
    }
}

fn list(context: &Context) -> Result<Exit> {
    let keys = context.open_to_read()?.own_keys()?;
    let output = &context.output;
    let documents = keys.iter().map(|own| {
        let name = own.key.name();
        json!({ "name": own.name, "id": name.to_string(), "peer_id": name.peer_id() })
    });
    output.json(&documents.collect::<Vec<_>>())?;
    if keys.is_empty() {
        output.message("There is no key yet. The first one is made when something is published with `--ipns`.");
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&[("KEY", Column::Fixed), ("IPNS NAME", Column::Fixed)]);
    for own in &keys {
        table.row([own.name.as_str().into(), own.key.name().to_string().into()]);
    }
    output.table(&table)?;
    Ok(Exit::Done)
}

fn export(arguments: &ExportArguments, context: &Context) -> Result<Exit> {
    let shown = printable_within(&arguments.key, 80);
    let key = context.open_to_read()?.own_key(&arguments.key)?.ok_or_else(|| {
        Error::new(Kind::NotFound, format!("there is no key `{shown}`"))
            .hint("`roadstead target key list` shows what there is.")
    })?;
    let bytes = if arguments.libp2p { key.to_protobuf()? } else { key.to_pem()?.into_bytes() };
    write_new(&arguments.file, &bytes)?;
    let (name, file) = (key.name(), arguments.file.display().to_string());
    context.output.json(&json!({ "name": arguments.key, "id": name.to_string(), "file": file }))?;
    context.output.message(&format!("Wrote the key of {name} to {file}. Whoever has it can move that name."));
    Ok(Exit::Done)
}

/// Writes a file that was not there, and that only its owner may read.
fn write_new(file: &Path, bytes: &[u8]) -> Result<()> {
    let words = || format!("can't write {}", file.display());
    let mut options = std::fs::OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(0o600).open(file);
    let mut opened = opened.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Error::new(Kind::Usage, format!("{} already exists", file.display()))
            .hint("It may be another key: name a new file."),
        _ => Error::from(error).context(words()),
    })?;
    let written = opened.write_all(bytes).and_then(|()| opened.sync_all());
    if written.is_err() {
        drop(std::fs::remove_file(file));
    }
    written.context(words)
}

fn import(arguments: &ImportArguments, context: &Context) -> Result<Exit> {
    let words = || format!("can't read {}", arguments.file.display());
    let bytes = input::read_regular(&arguments.file, MAX_KEY_FILE_BYTES as u64).context(words)?;
    let key = PrivateKey::from_file(&bytes).context(words)?;
    context.open(None)?.import_own_key(&arguments.key, &key)?;
    let name = key.name();
    context.output.json(&json!({ "name": arguments.key, "id": name.to_string() }))?;
    context.output.message(&format!("Imported the key of {name}."));
    Ok(Exit::Done)
}
