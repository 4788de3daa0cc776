//! `rule try` and `rule suggest`: what a pattern takes, and a pattern for a tag.

use clap::{Args, ValueHint};
use serde::Serialize;

use super::flags::{TagFlags, subject};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::style::Tone;
use crate::cli::table::{Cell, Column, Table};
use crate::engine::job::Job;
use crate::engine::rules::Tried;
use crate::error::{Error, Kind, Result};
use crate::image::Reference;
use crate::image::tags::{self, TagRule};
use crate::rules::Subject;
use crate::text::count;

/// Tags that just missed and are shown.
const MAX_SHOWN_OTHERS: usize = 10;

/// What to try.
#[derive(Debug, Args)]
pub(super) struct TryArguments {
    /// A repository with a pattern for its tags; several of one repository are one rule.
    #[arg(value_name = "REPO:PATTERN", required = true, value_hint = ValueHint::Other)]
    patterns: Vec<String>,

    #[command(flatten)]
    tags: TagFlags,

    /// The registry speaks plain HTTP.
    #[arg(long)]
    insecure: bool,

    /// Show everything that missed.
    #[arg(short, long)]
    all: bool,
}

/// What to find a pattern for.
#[derive(Debug, Args)]
pub(super) struct SuggestArguments {
    /// An image with the tag whose versions are meant.
    #[arg(value_name = "REF", value_hint = ValueHint::Other)]
    reference: String,
}

/// A pattern for a tag.
#[derive(Debug, Serialize)]
struct Suggestion {
    /// `registry/repository`.
    repository: String,
    tag: String,
    pattern: String,
    /// With its repository, as `rule try` and `rule add` take it.
    rule: String,
}

pub(super) fn attempt(arguments: &TryArguments, context: &Context) -> Result<Exit> {
    let (_, subject) = subject(&arguments.patterns, &arguments.tags)?;
    let Subject::Repository { upstream, tags } = subject else {
        return Err(Error::new(Kind::Usage, "sources name their images: there is no pattern to try"));
    };
    // Where there is no catalog, an empty one elsewhere can ask as well.
    let (engine, _directory) = match context.open_to_read() {
        Err(error) if error.kind() == Kind::NotFound => {
            let (engine, directory) = context.open_empty(None)?;
            (engine, Some(directory))
        }
        opened => (opened?, None),
    };
    let insecure = arguments.insecure.then_some(true);
    let listed = context.run(async |job: &Job| engine.all_tags(&upstream, insecure, job).await)?;
    let tried = Tried::of(&upstream, &tags, &listed);
    let output = &context.output;
    output.json(&tried)?;
    output.table(&table(&tried, &tags, arguments.all))?;
    output.finish()?;
    output.message(&summary(&tried, arguments.all));
    Ok(Exit::Done)
}

fn table(tried: &Tried, rule: &TagRule, all: bool) -> Table {
    let mut table = Table::new(&[("CHOICE", Column::Fixed), ("TAG", Column::Text), ("REASON", Column::Text)]);
    for tag in &tried.selected {
        table.row([Cell::toned(Tone::Good, "take"), Cell::toned(Tone::Name, tag), String::new().into()]);
    }
    let shown = if all { tried.others.len() } else { MAX_SHOWN_OTHERS };
    for other in tried.others.iter().take(shown) {
        table.row([
            Cell::toned(Tone::Dim, "leave"),
            Cell::toned(Tone::Dim, &other.tag),
            Cell::toned(Tone::Dim, other.reason.words(rule)),
        ]);
    }
    table
}

fn summary(tried: &Tried, all: bool) -> String {
    let taken = count(tried.selected.len() as u64, "tag", "tags");
    let mut summary = format!("Would take {taken} of {} of {}.", tried.listed, tried.repository);
    let hidden = tried.others.len().saturating_sub(MAX_SHOWN_OTHERS);
    if hidden > 0 && !all {
        let more = count(hidden as u64, "tag more that matches", "tags more that match");
        summary = format!("{summary} {more} {} not shown: `--all` shows all.", if hidden == 1 { "is" } else { "are" });
    }
    if tried.selected.is_empty() && tried.others.is_empty() {
        summary = format!("{summary} No tag matches: a pattern matches the whole tag.");
    }
    summary
}

pub(super) fn suggest(arguments: &SuggestArguments, context: &Context) -> Result<Exit> {
    let reference: Reference = arguments.reference.parse()?;
    let Some(tag) = &reference.tag else {
        return Err(Error::new(Kind::Usage, "a pattern is suggested for a tag, not for a digest"));
    };
    let pattern = tags::suggest(tag.as_str());
    let suggestion = Suggestion {
        repository: reference.upstream.to_string(),
        tag: tag.to_string(),
        rule: format!(
            "{}:{pattern}",
            arguments.reference.strip_suffix(&format!(":{tag}")).unwrap_or(&arguments.reference)
        ),
        pattern,
    };
    let output = &context.output;
    output.json(&suggestion)?;
    let mut table = Table::new(&[("", Column::Text)]);
    table.row([Cell::toned(Tone::Name, &suggestion.pattern)]);
    output.table(&table)?;
    output.finish()?;
    output.message(&if suggestion.pattern == suggestion.tag {
        format!("{tag} has no version: this pattern takes it alone.")
    } else {
        format!("Try it: `roadstead rule try '{}' --newest 3`.", suggestion.rule)
    });
    Ok(Exit::Done)
}
