//! `verify`: everything stored against its digests, the tree against its root.

use clap::Args;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::style::Tone;
use crate::cli::table::{Cell, Column, Table};
use crate::engine::job::Job;
use crate::engine::query::view::{Damage, Verified};
use crate::error::{Error, Kind, Result};
use crate::text::{bytes, count};

/// Whether to repair.
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Fetch damaged blobs again.
    #[arg(long)]
    pub(in crate::cli) repair: bool,
}

pub(in crate::cli) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    let engine = if arguments.repair { context.open_existing()? } else { context.open_to_read()? };
    let verified = context.run(async |job: &Job| engine.verify(arguments.repair, job).await)?;
    report(&verified, arguments.repair, context)
}

/// Says what was found; what is damaged and was not repaired is an error.
pub(in crate::cli) fn report(verified: &Verified, repair: bool, context: &Context) -> Result<Exit> {
    let output = &context.output;
    output.json(verified)?;
    output.table(&table(verified))?;
    output.finish()?;
    if let Some(error) = failure(verified, repair) {
        return Err(error);
    }
    output.message(&summary(verified));
    Ok(Exit::Done)
}

fn is_repaired(verified: &Verified, damage: &Damage) -> bool {
    verified.repaired.contains(&damage.digest)
}

fn table(verified: &Verified) -> Table {
    let mut table = Table::new(&[
        ("STATE", Column::Fixed),
        ("BLOB", Column::Digest),
        ("PROBLEM", Column::Text),
        ("IMAGES", Column::Text),
    ]);
    for damage in &verified.damaged {
        let state = if is_repaired(verified, damage) {
            Cell::toned(Tone::Good, "repaired")
        } else {
            Cell::toned(Tone::Bad, "damaged")
        };
        let images = damage.images.join(", ");
        table.row([state, damage.digest.to_string().into(), (&damage.problem).into(), Cell::toned(Tone::Dim, images)]);
    }
    table
}

fn summary(verified: &Verified) -> String {
    let repaired = match verified.repaired.len() as u64 {
        0 => String::new(),
        number => format!(" {} repaired.", count(number, "blob was", "blobs were")),
    };
    let elsewhere = match verified.left {
        0 => String::new(),
        left => format!(" {} where a lazy restore left them.", count(left, "blob is still", "blobs are still")),
    };
    let published = match verified.published_roots {
        0 => String::new(),
        roots => format!(
            " {} complete.",
            count(roots, "published root that is kept is", "published roots that are kept are")
        ),
    };
    format!(
        "Read {} of images{}, {}: all match their digests, and the tree matches its \
         root.{published}{elsewhere}{repaired}",
        count(verified.blobs, "blob", "blobs"),
        match verified.others {
            0 => String::new(),
            others => format!(" and {}", count(others, "generated file", "generated files")),
        },
        bytes(verified.bytes)
    )
}

fn failure(verified: &Verified, repaired: bool) -> Option<Error> {
    let left = verified.damaged.iter().filter(|damage| !is_repaired(verified, damage)).count() as u64;
    let missing = verified.missing.len() as u64;
    if missing > 0 && left == 0 && verified.root_matches {
        let parts =
            count(missing, "directory or file of a published root is", "directories and files of published roots are");
        return Some(Error::new(Kind::Verification, format!("{parts} missing")).hint(
            "The current root is complete. Rolling back to the damaged ones is impossible; `roadstead \
                    history --forget ROOT` forgets one.",
        ));
    }
    let error = match (left, verified.root_matches) {
        (0, true) => return None,
        (0, false) => Error::new(Kind::Verification, "the rebuilt tree does not have the recorded root")
            .hint("Please report it, with what was done since the last `roadstead verify` that succeeded."),
        (left, matches) => {
            let blobs = count(left, "blob is", "blobs are");
            let tree = if matches { "" } else { ", and the rebuilt tree does not have the recorded root" };
            Error::new(Kind::Verification, format!("{blobs} damaged{tree}"))
        }
    };
    Some(match (left, repaired) {
        (0, _) => error,
        (_, false) => error.hint("`roadstead verify --repair` fetches them again."),
        (_, true) => error.hint("Upstream did not provide them; remove the images that need them, or try again later."),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::style::Paint;
    use crate::image::Digest;

    fn sample() -> Verified {
        Verified {
            repair: false,
            blobs: 40,
            others: 22,
            bytes: 700 << 20,
            left: 2,
            damaged: vec![
                Damage {
                    digest: Digest::of(b"1"),
                    problem: "is missing".into(),
                    images: vec!["library/nginx:1".into()],
                },
                Damage { digest: Digest::of(b"2"), problem: "has different bytes".into(), images: vec![] },
            ],
            repaired: vec![Digest::of(b"2")],
            root_matches: true,
            published_roots: 0,
            missing: vec![],
        }
    }

    #[test]
    fn what_is_left_damaged_is_an_error() {
        let error = failure(&sample(), true).unwrap();
        assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Verification, "1 blob is damaged"));
        let mut verified = sample();
        verified.repaired.push(Digest::of(b"1"));
        assert!(failure(&verified, true).is_none());
        assert!(summary(&verified).ends_with("left them. 2 blobs were repaired."), "{}", summary(&verified));
        verified.published_roots = 1;
        assert!(summary(&verified).contains("1 published root that is kept is complete."), "{}", summary(&verified));
        verified.missing.push("bafy".into());
        assert!(
            failure(&verified, false).unwrap().to_string().starts_with("1 directory or file of a published root is")
        );
        verified.root_matches = false;
        assert_eq!(failure(&verified, false).unwrap().kind(), Kind::Verification);
        let shown = table(&sample()).render(Some(80), Paint::new(false));
        assert!(shown.contains("damaged   sha256:") && shown.contains("repaired  sha256:"), "{shown}");
    }

    #[test]
    fn the_shape_in_json() {
        insta::assert_snapshot!("verify", serde_json::to_string_pretty(&sample()).unwrap());
    }
}
