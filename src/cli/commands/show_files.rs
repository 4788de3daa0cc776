//! `show --files` and `show --save`: the files of an image, and one of them.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{ArgGroup, Args};

use super::file_listing::Listing;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::suggest::with_suggestions;
use crate::engine::Engine;
use crate::engine::job::Job;
use crate::engine::query::files::{ImageFiles, Which};
use crate::engine::query::save::usual_name;
use crate::engine::request::Pick;
use crate::error::{Error, Kind, Result};
use crate::image::files::{NodeId, Stage, Tree};
use crate::text::{bytes, count, printable, printable_within};

/// Looking into the layers.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("look").multiple(false))]
#[group(skip)]
pub(in crate::cli) struct Arguments {
    /// List the files of the image, what each layer did, and what the layers waste.
    #[arg(long, group = "look")]
    pub(in crate::cli) files: bool,
    /// Save one file of the image, in the current directory unless `--to` names another place. Links are followed within the image.
    #[arg(long, value_name = "PATH", group = "look")]
    pub(in crate::cli) save: Option<String>,
    /// Write the saved file here, or into this directory; `-` is standard output. No file is overwritten.
    #[arg(long, value_name = "FILE", requires = "save")]
    pub(in crate::cli) to: Option<PathBuf>,
    /// List only what this layer adds, changes and deletes; with `--save`, take the file as this layer leaves it. The base is 1.
    #[arg(long, value_name = "N", requires = "look", value_parser = clap::value_parser!(u16).range(1..))]
    pub(in crate::cli) layer: Option<u16>,
    /// List only this path and what is below it.
    #[arg(long, value_name = "PATH", requires = "files")]
    pub(in crate::cli) path: Option<String>,
}

impl Arguments {
    /// Whether the layers are to be looked into.
    pub(in crate::cli) fn looks(&self) -> bool {
        self.files || self.save.is_some()
    }
}

pub(super) fn run(
    arguments: &Arguments,
    pick: &Pick,
    which: Which,
    engine: &Arc<Engine>,
    context: &Context,
) -> Result<Exit> {
    let looked = context.run(async |job: &Job| engine.look_into(pick.clone(), which, job).await);
    let files = with_suggestions(looked, engine, std::slice::from_ref(pick))?;
    let layer = match arguments.layer.map(usize::from) {
        Some(number) if number > files.layers.len() => {
            let has = count(files.layers.len() as u64, "layer", "layers");
            return Err(Error::new(Kind::NotFound, format!("{} has no layer {number}", files.image))
                .hint(format!("It has {has}.")));
        }
        Some(number) => number - 1,
        None => files.layers.len().saturating_sub(1),
    };
    if let Some(path) = &arguments.save {
        return save(arguments, path, files, layer, engine, context);
    }
    let below = match &arguments.path {
        Some(path) => found(&files, path, arguments.layer.is_some(), layer)?,
        None => Tree::ROOT,
    };
    let stage = Stage::of(&files.tree, layer);
    let listing = Listing { files: &files, stage: &stage, only_changes: arguments.layer.is_some(), below };
    context.output.json(&listing.document())?;
    if !context.output.is_json() {
        listing.write(&context.output, arguments.path.is_none())?;
    }
    Ok(Exit::Done)
}

/// The path to list below: as it is called, since that is what the list shows, or where links lead.
fn found(files: &ImageFiles, path: &str, with_deleted: bool, layer: usize) -> Result<NodeId> {
    let is_shown = |node: &NodeId| {
        let now = files.tree.at(*node, layer);
        with_deleted || now.is_some()
    };
    match files.tree.find(path).filter(is_shown) {
        Some(node) => Ok(node),
        None => files.tree.resolve(path, layer).map_err(|error| error.context(&files.image)),
    }
}

fn save(
    arguments: &Arguments,
    path: &str,
    files: ImageFiles,
    layer: usize,
    engine: &Arc<Engine>,
    context: &Context,
) -> Result<Exit> {
    let output = &context.output;
    let (path, files) = (path.to_owned(), Arc::new(files));
    let to = match &arguments.to {
        Some(to) if to.as_os_str() == "-" => {
            if output.is_json() {
                return Err(Error::new(Kind::Usage, "`--to -` writes the file itself, which is no JSON")
                    .hint("Leave out `--json`, or name a file."));
            }
            let sink = output.clone();
            context
                .run(async |job: &Job| engine.read_out(files, path, layer, job, move |part| sink.raw(part)).await)?;
            return Ok(Exit::Done);
        }
        Some(to) => to.clone(),
        None => PathBuf::from(
            usual_name(&path)
                .ok_or_else(|| Error::new(Kind::Usage, format!("{} names no file", printable_within(&path, 200))))?,
        ),
    };
    let saved = context.run(async |job: &Job| engine.save_out(files, path, layer, to, job).await)?;
    output.json(&saved)?;
    let file = printable(&saved.file.display().to_string());
    output.message(&format!("Saved {} to {file}: {}.", printable(&saved.path), bytes(saved.size)));
    Ok(Exit::Done)
}
