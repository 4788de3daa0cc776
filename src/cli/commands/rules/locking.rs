//! `rule lock`: the images that are here, by their digests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::style::Tone;
use crate::cli::table::{Cell, Column, Table};
use crate::error::{Context as _, Error, Kind, Result};
use crate::input;
use crate::rules::{Lock, LockEntry, MAX_LOCK_BYTES};
use crate::text::{count, printable_within};

/// What to do with which file.
#[derive(Debug, Args)]
pub(super) struct LockArguments {
    /// The lock file.
    #[arg(value_name = "FILE", default_value = "mirror.lock", value_hint = ValueHint::FilePath)]
    file: PathBuf,

    /// Write nothing, and exit with 3 if the file says something else than what is here.
    #[arg(long)]
    check: bool,

    /// Print the lock as an ImagesLock of imgpkg (YAML; JSON with `--json`), and write nothing.
    #[arg(long, conflicts_with = "check")]
    images_lock: bool,
}

/// A lock and how it differs from its file.
#[derive(Debug, Serialize)]
struct LockReport {
    file: String,
    /// How many images it has.
    images: u64,
    /// Lines that the file has and the catalog has not.
    missing: Vec<String>,
    /// Lines that the catalog has and the file has not.
    added: Vec<String>,
}

/// An ImagesLock as JSON, which is YAML, too.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ImagesLock {
    api_version: &'static str,
    kind: &'static str,
    images: Vec<LockedImage>,
}

#[derive(Debug, Serialize)]
struct LockedImage {
    /// `registry/repository@digest`.
    image: String,
    /// Where it came from, for kbld.
    annotations: BTreeMap<&'static str, String>,
}

impl ImagesLock {
    fn of(lock: &Lock) -> Self {
        let images = lock.entries().iter().map(|LockEntry { upstream, tag, digest, .. }| {
            let image = format!("{upstream}@{digest}");
            let id = tag.as_ref().map_or_else(|| image.clone(), |tag| format!("{upstream}:{tag}"));
            LockedImage { image, annotations: BTreeMap::from([("kbld.carvel.dev/id", id)]) }
        });
        Self { api_version: "imgpkg.carvel.dev/v1alpha1", kind: "ImagesLock", images: images.collect() }
    }
}

pub(super) fn lock(arguments: &LockArguments, context: &Context) -> Result<Exit> {
    let engine = context.open_to_read()?;
    let (lock, left_out) = engine.lock_of_images()?;
    if !left_out.is_empty() {
        let images = count(left_out.len() as u64, "image", "images");
        context.output.warning(&format!(
            "{images} can't be locked, since they came from a file, the first: {}",
            printable_within(&left_out[0], 300)
        ));
    }
    let output = &context.output;
    if arguments.images_lock {
        output.data(&lock.images_lock())?;
        output.json(&ImagesLock::of(&lock))?;
        output.finish()?;
        return Ok(Exit::Done);
    }
    let text = lock.to_string();
    let before = read(&arguments.file)?;
    if arguments.check && before.is_none() {
        return Err(Error::new(Kind::NotFound, format!("there is no lock file {}", shown(&arguments.file)))
            .hint("`roadstead rule lock` writes one."));
    }
    let report = report(&arguments.file, before.as_deref(), &text, &lock);
    let is_same = report.missing.is_empty() && report.added.is_empty();
    if !arguments.check && before.as_deref() != Some(text.as_str()) {
        let what = || format!("the lock file {} can't be written", shown(&arguments.file));
        input::replace(&arguments.file, &text).context(what)?;
    }
    output.json(&report)?;
    if before.is_some() {
        output.table(&table(&report))?;
    }
    output.finish()?;
    let images = count(report.images, "image", "images");
    let file = shown(&arguments.file);
    output.message(&match (arguments.check, is_same) {
        (true, true) => format!("{file} is what is here: {images}."),
        (true, false) => format!("{file} is not what is here. `roadstead rule lock` writes it anew."),
        (false, true) if before.is_some() => format!("{file} stays as it is: {images}."),
        (false, _) => format!("Wrote {file}: {images}. `roadstead update --locked={file}` takes exactly these."),
    });
    Ok(if arguments.check && !is_same { Exit::Noticed } else { Exit::Done })
}

fn report(file: &Path, before: Option<&str>, text: &str, lock: &Lock) -> LockReport {
    let lines = |text: &str| -> std::collections::BTreeSet<String> {
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    };
    let (before, now) = (lines(before.unwrap_or_default()), lines(text));
    LockReport {
        file: file.display().to_string(),
        images: lock.entries().len() as u64,
        missing: before.difference(&now).cloned().collect(),
        added: now.difference(&before).cloned().collect(),
    }
}

fn table(report: &LockReport) -> Table {
    let mut table = Table::new(&[("", Column::Fixed), ("", Column::Text)]);
    for (sign, tone, lines) in [("-", Tone::Bad, &report.missing), ("+", Tone::Good, &report.added)] {
        for line in lines {
            table.row([Cell::toned(tone, sign), Cell::toned(tone, printable_within(line, 400))]);
        }
    }
    table
}

fn read(file: &Path) -> Result<Option<String>> {
    let what = || format!("the lock file {} can't be read", shown(file));
    match input::read_text(file, MAX_LOCK_BYTES as u64, what) {
        Err(error) if error.kind() == Kind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

fn shown(file: &Path) -> String {
    printable_within(&file.display().to_string(), 300)
}
