//! `diff`: what differs between two images, or between two roots.

use clap::Args;

use crate::cli::completers::what_differs;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::style::Tone;
use crate::cli::suggest::with_suggestions;
use crate::cli::table::{Cell, Column, Table};
use crate::engine::query::comparison::{self, ImageDifference, Sign};
use crate::engine::query::diff::ChangeKind;
use crate::engine::query::diff::{Amount, Difference, TagDifference};
use crate::engine::request::Pick;
use crate::error::{Error, Kind, Result};
use crate::text::{bytes, count, printable_within};

const WORDS: &str = "\
Two images, as `roadstead list` names them (`name:tag` or `name@digest`), are compared platform by platform: layers,
configuration, and packages where an SBOM of each (SPDX 2 or CycloneDX, as JSON) was mirrored with it.

A root is a CID as `roadstead history` shows it, a target (its published root), or `now` (the catalog as it is).
`A..` is the same as `A now`.";

/// What to compare.
#[derive(Debug, Args)]
#[command(after_help = WORDS)]
pub(in crate::cli) struct Arguments {
    /// An image, or a root; also `A..` or `A..B`.
    #[arg(value_name = "A", add = what_differs())]
    before: String,

    /// Another one [default for roots: now].
    #[arg(value_name = "B", add = what_differs())]
    after: Option<String>,
}

pub(in crate::cli) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    if let Some(picks) = images(&arguments.before, arguments.after.as_deref())? {
        let engine = context.open_to_read()?;
        let compared = engine.compare_images(&picks[0], &picks[1]);
        let difference = with_suggestions(compared, &engine, &picks)?;
        return write_images(&difference, &context.output);
    }
    let (before, after) = sides(&arguments.before, arguments.after.as_deref())?;
    let engine = context.open_to_read()?;
    let difference = engine.diff(&engine.root_named(before)?, &engine.root_named(after)?)?;
    let output = &context.output;
    output.json(&difference)?;
    output.table(&table(&difference))?;
    output.finish()?;
    output.message(&summary(&difference));
    Ok(Exit::Done)
}

/// Both images, where images are meant: no root and no target has a colon, an @ or a slash in its name.
fn images(before: &str, after: Option<&str>) -> Result<Option<[Pick; 2]>> {
    let is_image = |text: &str| text.contains([':', '@', '/']) && !text.starts_with('/');
    if !is_image(before) && !after.is_some_and(is_image) {
        return Ok(None);
    }
    let Some(after) = after else {
        let words =
            format!("`{}` is an image, and needs another one to compare it with", printable_within(before, 200));
        return Err(Error::new(Kind::Usage, words).hint("`roadstead list NAME` shows the tags of a repository."));
    };
    Ok(Some([before.parse()?, after.parse()?]))
}

fn write_images(difference: &ImageDifference, output: &Output) -> Result<Exit> {
    output.json(difference)?;
    if !output.is_json() {
        for line in comparison::lines(difference, "->") {
            let tone = match line.sign {
                Sign::Heading => Tone::Heading,
                Sign::Note => Tone::Plain,
                Sign::Removed => Tone::Bad,
                Sign::Added => Tone::Good,
                Sign::Changed => Tone::Warning,
            };
            output.data(&format!("{}\n", output.paint.tone(tone, &line.text)))?;
        }
    }
    output.finish()?;
    output.message(&comparison::summary(difference));
    Ok(Exit::Done)
}

/// Both sides by their names.
fn sides<'a>(before: &'a str, after: Option<&'a str>) -> Result<(&'a str, &'a str)> {
    let named = |text: &'a str| if text.is_empty() { "now" } else { text };
    match (before, after) {
        ("..", after) => Ok(("now", after.unwrap_or("now"))),
        (before, after) => match (before.split_once(".."), after) {
            (Some((before, range)), None) => Ok((named(before), named(range))),
            (Some((before, "")), Some(after)) => Ok((named(before), after)),
            (Some(_), Some(_)) => Err(Error::new(Kind::Usage, "`A..B` already names both sides")),
            (None, after) => Ok((before, after.unwrap_or("now"))),
        },
    }
}

fn word(kind: ChangeKind) -> (Tone, &'static str) {
    match kind {
        ChangeKind::Added => (Tone::Good, "added"),
        ChangeKind::Changed => (Tone::Warning, "changed"),
        ChangeKind::Removed => (Tone::Bad, "removed"),
    }
}

fn table(difference: &Difference) -> Table {
    let mut table = Table::new(&[
        ("CHANGE", Column::Fixed),
        ("IMAGE", Column::Text),
        ("DIGEST", Column::Digest),
        ("PLATFORMS", Column::Text),
    ]);
    for repository in &difference.repositories {
        // The tags of one that comes or goes say it themselves; one whose tags are all as before says that it differs.
        if repository.tags.is_empty() {
            let (tone, word) = word(repository.kind);
            let note = Cell::toned(Tone::Dim, "no tag differs");
            table.row([Cell::toned(tone, word), Cell::toned(Tone::Name, &repository.repository), "".into(), note]);
        }
        for tag in &repository.tags {
            let (tone, word) = match tag.change.kind {
                ChangeKind::Changed if tag.change.before != tag.change.after => (Tone::Warning, "moved"),
                kind => word(kind),
            };
            let digest = tag.change.after.or(tag.change.before).map(|digest| digest.to_string()).unwrap_or_default();
            let separator = if tag.change.tag.contains(':') { "@" } else { ":" };
            let image = format!("{}{separator}{}", repository.repository, tag.change.tag);
            table.row([
                Cell::toned(tone, word),
                Cell::toned(Tone::Name, image),
                digest.into(),
                Cell::toned(Tone::Dim, platforms(tag)),
            ]);
        }
    }
    table
}

/// `+linux/arm64 -linux/386`.
fn platforms(tag: &TagDifference) -> String {
    let added = tag.platforms_added.iter().map(|platform| format!("+{platform}"));
    let removed = tag.platforms_removed.iter().map(|platform| format!("-{platform}"));
    added.chain(removed).collect::<Vec<_>>().join(" ")
}

fn summary(difference: &Difference) -> String {
    if difference.is_empty() {
        return "No repository differs.".to_owned();
    }
    let tags: u64 = difference.repositories.iter().map(|repository| repository.tags.len() as u64).sum();
    let amount = |amount: &Amount, sign: &str| match amount.blobs {
        0 => None,
        blobs => Some(format!("{sign}{} in {}", bytes(amount.bytes), count(blobs, "blob", "blobs"))),
    };
    let amounts: Vec<String> =
        amount(&difference.added, "+").into_iter().chain(amount(&difference.removed, "-")).collect();
    let amounts = if amounts.is_empty() { "no blob".to_owned() } else { amounts.join(", ") };
    format!(
        "{}, {} differ: {amounts}.",
        count(difference.repositories.len() as u64, "repository", "repositories"),
        count(tags, "tag", "tags")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::style::Paint;
    use crate::engine::query::diff::RepositoryDifference;
    use crate::engine::query::diff::TagChange;
    use crate::image::Digest;

    #[test]
    fn both_sides_by_their_names() {
        for (words, expected) in [
            (("a", None), ("a", "now")),
            (("a..", None), ("a", "now")),
            (("a..b", None), ("a", "b")),
            (("..b", None), ("now", "b")),
            (("a", Some("b")), ("a", "b")),
            (("a", Some("..")), ("a", "..")),
            (("..", None), ("now", "now")),
            (("..", Some("b")), ("now", "b")),
        ] {
            assert_eq!(sides(words.0, words.1).unwrap(), expected, "{words:?}");
        }
        assert!(sides("a..b", Some("c")).is_err());
    }

    #[test]
    fn images_are_told_from_roots() {
        let images = |before, after| {
            images(before, after)
                .map(|picks| picks.map(|picks| picks.map(|pick| pick.to_string())))
                .map_err(|error| error.kind())
        };
        let both = |before: &str, after: &str| Ok(Some([before.to_owned(), after.to_owned()]));
        assert_eq!(images("nginx:1", Some("nginx:2")), both("nginx:1", "nginx:2"));
        assert_eq!(images("nginx:1", Some("nginx")), both("nginx:1", "nginx"));
        assert_eq!(images("bafy", Some("home")), Ok(None));
        assert_eq!(images("shop/web", Some("shop/worker")), both("shop/web", "shop/worker"));
        assert_eq!(images("bafy..", None), Ok(None));
        assert_eq!(images("/ipfs/bafy", Some("now")), Ok(None));
        assert_eq!(images("nginx:1", None), Err(Kind::Usage));
        assert_eq!(images("nginx:1", Some("nginx@1")), Err(Kind::Usage));
    }

    #[test]
    fn what_differs() {
        let tag = |tag: &str, kind, before: Option<&str>, after: Option<&str>| TagDifference {
            change: TagChange {
                tag: tag.into(),
                kind,
                before: before.map(|text| Digest::of(text.as_bytes())),
                after: after.map(|text| Digest::of(text.as_bytes())),
            },
            platforms_added: vec![],
            platforms_removed: vec![],
        };
        let mut moved = tag("1.27", ChangeKind::Changed, Some("a"), Some("b"));
        moved.platforms_added = vec!["linux/arm64".into()];
        moved.platforms_removed = vec!["linux/386".into()];
        let difference = Difference {
            before: "bafyA".into(),
            after: "bafyB".into(),
            repositories: vec![
                RepositoryDifference {
                    repository: "library/nginx".into(),
                    kind: ChangeKind::Changed,
                    tags: vec![moved, tag("1.28", ChangeKind::Added, None, Some("c"))],
                },
                RepositoryDifference {
                    repository: "library/redis".into(),
                    kind: ChangeKind::Removed,
                    tags: vec![tag("7", ChangeKind::Removed, Some("d"), None)],
                },
                RepositoryDifference { repository: "app".into(), kind: ChangeKind::Changed, tags: vec![] },
            ],
            added: Amount { blobs: 3, bytes: 12 << 20 },
            removed: Amount { blobs: 1, bytes: 500 },
        };
        let shown = table(&difference).render(Some(120), Paint::new(false));
        let json = serde_json::to_string_pretty(&difference).unwrap();
        insta::assert_snapshot!("diff", format!("{shown}{}\n\n{json}", summary(&difference)));
    }
}
