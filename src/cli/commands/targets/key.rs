//! `target key`: the keys with which this program's own node moves IPNS names, for keeping them safe and for a second machine.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueHint};
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::table::{Column, Table};
use crate::engine::follow::NewestSequence;
use crate::engine::job::Job;
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
  roadstead target key import ~/safe/roadstead.pem --from https://follower.example.com
  ipfs key export registry --format=pem-pkcs8-cleartext -o k.pem && roadstead target key import k.pem --key registry

Followers believe the record with the highest sequence number. So a key that is imported brings the number along that its name has
reached: the gateways of the targets and the IPFS swarm are asked for it, or whom `--from` names.

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

    /// Who has the newest record of its name: the URL of a follower or a former publisher that serves, of a gateway or a router, or the
    /// multiaddr of a peer (repeatable) [default: the targets' gateways and the IPFS swarm].
    #[arg(long, value_name = "URL|MULTIADDR", value_hint = ValueHint::Url)]
    from: Vec<String>,

    /// The highest sequence number that records of its name have reached; nobody is asked.
    #[arg(long, value_name = "NUMBER", conflicts_with = "from")]
    sequence: Option<u64>,
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
        output.message("No keys yet. `roadstead target add NAME --self --ipns` makes one.");
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
    let engine = context.open(None)?;
    engine.import_own_key(&arguments.key, &key)?;
    let name = key.name();
    let newest = match arguments.sequence {
        Some(sequence) => NewestSequence { sequence: Some(sequence), answered: 0, failures: Vec::new() },
        None => {
            let stopping = "Stopping; the key is imported, but its sequence number is not known.";
            context.run_quietly(stopping, async |_: &Job| engine.newest_sequence(&name, &arguments.from).await)?
        }
    };
    if let Some(sequence) = newest.sequence {
        engine.go_on_from_sequence(&name, sequence)?;
    }
    let output = &context.output;
    output.json(&json!({ "name": arguments.key, "id": name.to_string(), "sequence": newest.sequence }))?;
    output.message(&format!("Imported the key of {name}."));
    match newest.sequence {
        Some(sequence) => {
            output.message(&format!(
                "Its records have reached sequence number {sequence}; publishing continues from there."
            ));
        }
        None if newest.failures.is_empty() => {
            output.message("Nobody has a record of it: publishing begins at sequence number 1.");
        }
        None => output.warning(&unknown(&newest, &shell_words::quote(&arguments.file.display().to_string()))),
    }
    Ok(Exit::Done)
}

/// What it means that the sequence of a name is not known, why it is not, and what to do.
fn unknown(newest: &NewestSequence, file: &str) -> String {
    let why: Vec<String> = newest.failures.iter().map(ToString::to_string).collect();
    let who = if newest.answered == 0 { "nobody could be asked" } else { "not everybody could be asked" };
    let file = printable_within(file, 200);
    format!(
        "{who} for the newest record of its name ({}). Publishing begins at sequence number 1, and whoever knows a higher one ignores \
         it. Name somebody who has the record, `roadstead target key import {file} --from URL`, or the number: `--sequence NUMBER`.",
        why.join("; ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_that_is_not_known_is_said_with_what_to_do() {
        let failures = vec![Error::new(Kind::Network, "the swarm could not be asked")];
        let newest = NewestSequence { sequence: None, answered: 0, failures };
        let words = unknown(&newest, "k.pem");
        assert!(
            words.starts_with("nobody could be asked for the newest record of its name (the swarm could"),
            "{words}"
        );
        assert!(words.contains("import k.pem --from URL`") && words.contains("`--sequence NUMBER`"), "{words}");
        assert!(unknown(&NewestSequence { answered: 1, ..newest }, "k.pem").starts_with("not everybody"));
    }
}
