//! `list`: repositories, or the images of one.

use clap::Args;

use crate::cli::completers::catalog_names;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::parsed::parsed;
use crate::cli::style::Tone;
use crate::cli::suggest::with_suggestions;
use crate::cli::table::{Cell, Column, Table};
use crate::engine::query::view::{ImageRow, RepositoryRow};
use crate::engine::request::Pick;
use crate::error::{Kind, Result};
use crate::text::{bytes, count};

const COLUMNS: &str = "\
Columns of repositories:
  SIZE      every image in full
  STORED    each blob once
  UNIQUE    the part of it that no other repository needs
  UPSTREAM  where it is mirrored from; only the registry if the name says the rest";

/// What somebody reads who has just begun.
const EMPTY: &str = "Nothing is mirrored yet. `roadstead add nginx:alpine` mirrors a first image; `roadstead demo` \
    shows it all without network.";

/// What to list.
#[derive(Debug, Args)]
#[command(after_help = COLUMNS)]
pub(in crate::cli) struct Arguments {
    /// List this repository's images.
    #[arg(value_name = "REPO", value_parser = parsed::<Pick>, add = catalog_names())]
    pub(in crate::cli) pick: Option<Pick>,
}

pub(in crate::cli) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    let output = &context.output;
    let engine = match context.open_to_read() {
        Ok(engine) => engine,
        // Nobody has named a place, so nothing is missing: it is the beginning.
        Err(error) if error.kind() == Kind::NotFound && arguments.pick.is_none() && context.is_new() => {
            output.json(&[(); 0])?;
            output.message(EMPTY);
            return Ok(Exit::Done);
        }
        Err(error) => return Err(error),
    };
    if let Some(pick) = &arguments.pick {
        let rows = with_suggestions(engine.images(pick), &engine, std::slice::from_ref(pick))?;
        output.json(&rows)?;
        output.table(&images(&rows))?;
        return Ok(Exit::Done);
    }
    let rows = engine.repositories()?;
    output.json(&rows)?;
    if rows.is_empty() {
        output.message(EMPTY);
    } else {
        output.table(&repositories(&rows))?;
    }
    Ok(Exit::Done)
}

/// Whether it may be published, in words, where that is not plain.
fn visibility(private: bool, published: bool) -> Cell {
    match (private, published) {
        (false, _) => Cell::toned(Tone::Plain, ""),
        (true, true) => Cell::toned(Tone::Warning, "private, allowed"),
        (true, false) => Cell::toned(Tone::Warning, "private"),
    }
}

/// Where a repository is from: its registry, and the rest only where the name that it has here does not say it.
fn upstream(row: &RepositoryRow) -> &str {
    let Some(upstream) = row.upstream.as_deref() else { return "a file" };
    let Some((registry, rest)) = upstream.split_once('/') else { return upstream };
    let says_it = row.name == rest
        || row.name.strip_suffix(rest).and_then(|host| host.strip_suffix('/')) == Some(&registry.replace(':', "_"));
    if says_it { registry } else { upstream }
}

/// A table of repositories.
pub(in crate::cli) fn repositories(rows: &[RepositoryRow]) -> Table {
    let mut table = Table::new(&[
        ("REPOSITORY", Column::Text),
        ("IMAGES", Column::Number),
        ("SIZE", Column::Number),
        ("STORED", Column::Number),
        ("UNIQUE", Column::Number),
        ("UPSTREAM", Column::Aside),
        ("STATE", Column::Fixed),
    ]);
    for row in rows {
        table.row([
            Cell::toned(Tone::Name, &row.name),
            row.images.to_string().into(),
            bytes(row.figures.logical).into(),
            bytes(row.figures.stored).into(),
            bytes(row.figures.unique).into(),
            Cell::toned(Tone::Dim, upstream(row)),
            visibility(row.private, row.published),
        ]);
    }
    table
}

fn images(rows: &[ImageRow]) -> Table {
    let mut table = Table::new(&[
        ("IMAGE", Column::Text),
        ("PLATFORMS", Column::Text),
        ("SIZE", Column::Number),
        ("DIGEST", Column::Digest),
        ("ADDED", Column::Fixed),
        ("STATE", Column::Fixed),
    ]);
    for row in rows {
        let image = match &row.tag {
            Some(tag) => format!("{}:{tag}", row.name),
            // The digest has its own column.
            None => format!("{} (no tag)", row.name),
        };
        let platforms = match row.platforms.len() {
            0..=3 => row.platforms.join(", "),
            more => format!("{}, {}", row.platforms[..2].join(", "), count(more as u64 - 2, "more", "more")),
        };
        let state = match (&row.gone, &row.outdated) {
            (Some(_), _) => "gone upstream",
            (None, Some(_)) => "outdated",
            (None, None) => "",
        };
        table.row([
            Cell::toned(Tone::Name, image),
            platforms.into(),
            bytes(row.logical).into(),
            row.digest.to_string().into(),
            // The date of an RFC 3339 time.
            Cell::toned(Tone::Dim, row.added.split('T').next().unwrap_or_default()),
            Cell::toned(Tone::Warning, state),
        ]);
    }
    table
}

#[cfg(test)]
pub(in crate::cli) mod tests {
    use super::*;
    use crate::catalog::statistics::Figures;
    use crate::cli::style::Paint;
    use crate::image::Digest;

    pub(in crate::cli) fn sample_repositories() -> Vec<RepositoryRow> {
        let figures = |logical, stored, unique| Figures { logical, stored, unique };
        vec![
            RepositoryRow {
                name: "ghcr.io/org/app".into(),
                alias: None,
                upstream: Some("ghcr.io/org/app".into()),
                private: true,
                published: false,
                images: 1,
                outdated: 0,
                gone: 0,
                added: None,
                figures: figures(612 << 20, 612 << 20, 574 << 20),
            },
            RepositoryRow {
                name: "library/nginx".into(),
                alias: Some("nginx".into()),
                upstream: Some("docker.io/library/nginx".into()),
                private: false,
                published: true,
                images: 12,
                outdated: 2,
                gone: 1,
                added: Some(1_764_000_000),
                figures: figures(492 << 20, 88 << 20, 3 << 20),
            },
        ]
    }

    pub(in crate::cli) fn sample_image() -> ImageRow {
        ImageRow {
            name: "library/nginx".into(),
            tag: Some("alpine".into()),
            digest: Digest::of(b"1"),
            cid: "bafkreidltnazcovfinsnihfpcfr6xbxwbatbqimxhfv6pxhfkaxaexampl".into(),
            platforms: ["linux/amd64", "linux/arm/v7", "linux/arm64", "linux/s390x"].map(String::from).into(),
            logical: 41 << 20,
            added: "2026-11-24T07:55:00Z".into(),
            outdated: Some(Digest::of(b"2")),
            gone: None,
        }
    }

    #[test]
    fn what_a_person_sees() {
        assert_eq!(
            repositories(&sample_repositories()).render(None, Paint::new(false)),
            "REPOSITORY       IMAGES     SIZE   STORED   UNIQUE  UPSTREAM   STATE\n\
             ghcr.io/org/app       1  612 MiB  612 MiB  574 MiB  ghcr.io    private\n\
             library/nginx        12  492 MiB   88 MiB  3.0 MiB  docker.io\n"
        );
        let shown = images(&[sample_image(), ImageRow { tag: None, outdated: None, ..sample_image() }]);
        insta::assert_snapshot!("images", shown.render(Some(100), Paint::new(false)));
        let gone = images(&[ImageRow { gone: Some("2026-11-24T07:55:00Z".into()), ..sample_image() }]);
        assert!(gone.render(None, Paint::new(false)).ends_with("gone upstream\n"));
    }

    #[test]
    fn an_upstream_is_as_long_as_it_has_to_be() {
        for (name, from, shown) in [
            ("library/nginx", Some("docker.io/library/nginx"), "docker.io"),
            ("quay.io/coreos/etcd", Some("quay.io/coreos/etcd"), "quay.io"),
            ("127.0.0.1_5000/debian", Some("127.0.0.1:5000/debian"), "127.0.0.1:5000"),
            ("web", Some("docker.io/library/nginx"), "docker.io/library/nginx"),
            ("mine", None, "a file"),
        ] {
            let row = RepositoryRow {
                name: name.into(),
                upstream: from.map(String::from),
                ..sample_repositories().remove(0)
            };
            assert_eq!(upstream(&row), shown);
        }
    }

    /// What has a column in the interface has the same name there as here, and is in the JSON.
    #[test]
    fn the_columns_of_the_interface_are_known_here() {
        use crate::tui::columns::{REPOSITORIES, TAGS};
        let heading = |table: Table| table.render(None, Paint::new(false)).lines().next().unwrap().to_owned();
        let known = [heading(repositories(&sample_repositories())), heading(images(&[sample_image()]))];
        let known: Vec<&str> = known.iter().flat_map(|line| line.split_whitespace()).collect();
        let json = serde_json::json!([sample_repositories()[1], sample_image()]);
        for (title, id, key, row) in REPOSITORIES
            .iter()
            .map(|column| (column.title, column.id, column.json, &json[0]))
            .chain(TAGS.iter().map(|column| (column.title, column.id, column.json, &json[1])))
        {
            // When a repository got its last image, and a tag without its repository, are in no table of the command line.
            assert!(known.contains(&title) || title == "TAG", "{title} of {known:?}");
            assert!(row.get(key).is_some(), "{id}: {key} of {row}");
        }
    }

    #[test]
    fn the_shapes_in_json() {
        let text = serde_json::to_string_pretty(&serde_json::json!([sample_repositories(), [sample_image()]])).unwrap();
        insta::assert_snapshot!("lists", text);
    }
}
