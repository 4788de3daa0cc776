//! `list`: repositories, or the images of one.

use clap::Args;
use clap::builder::PossibleValuesParser;

use crate::cli::completers::catalog_names;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::mistakes::listed;
use crate::cli::parsed::parsed;
use crate::cli::style::Tone;
use crate::cli::suggest::with_suggestions;
use crate::cli::table::{Cell, Column, Table};
use crate::engine::query::view::{ImageRow, RepositoryRow};
use crate::engine::request::Pick;
use crate::error::{Error, Kind, Result};
use crate::text::{bytes, platforms};
use crate::tui::columns::{self, REPOSITORIES, TAGS};

const COLUMNS: &str = "\
Examples:
  roadstead list nginx              list the images of one repository
  roadstead list --all              list every image of every repository, with signatures and SBOMs
  roadstead list --sort unique -r   list repositories, those first that alone need most

Columns of repositories:
  SIZE      every image in full
  STORED    each blob once
  UNIQUE    the part of it that no other repository needs
  UPSTREAM  where it is mirrored from; only the registry if the name says the rest";

/// What somebody reads who has just begun.
const EMPTY: &str = "No images yet. `roadstead add nginx:alpine` mirrors a first image; `roadstead demo` \
    shows it all without network.";

/// What to list.
#[derive(Debug, Args)]
#[command(after_help = COLUMNS)]
pub(in crate::cli) struct Arguments {
    /// List this repository's images.
    #[arg(value_name = "REPO", value_parser = parsed::<Pick>, add = catalog_names())]
    pub(in crate::cli) pick: Option<Pick>,

    /// Also list what is attached to images (signatures, SBOMs); without REPO, list the images of all repositories.
    #[arg(short, long)]
    pub(in crate::cli) all: bool,

    /// Sort by this column: repositories by name, images, size, unique, added or state; images by tag, platforms, size, added or
    /// state.
    #[arg(long, value_name = "COLUMN", value_parser = PossibleValuesParser::new(column_ids()), hide_possible_values = true)]
    pub(in crate::cli) sort: Option<String>,

    /// Reverse the order.
    #[arg(short, long)]
    pub(in crate::cli) reverse: bool,
}

/// What either list can be sorted by, as the interface calls its columns.
fn column_ids() -> Vec<&'static str> {
    let mut ids: Vec<&str> = REPOSITORIES.iter().map(|column| column.id).collect();
    let others = TAGS.iter().map(|column| column.id).filter(|id| !ids.contains(id)).collect::<Vec<_>>();
    ids.extend(others);
    ids
}

/// The column of a list that it is to be sorted by; the usual one if none is named.
fn order<Cells, Order: Copy + Default, const N: usize>(
    columns: &[columns::Column<Cells, Order>; N],
    asked: Option<&str>,
    of: &str,
) -> Result<Order> {
    let Some(id) = asked else { return Ok(Order::default()) };
    columns::order_of(columns, id).ok_or_else(|| {
        let ids: Vec<String> = columns.iter().map(|column| format!("`{}`", column.id)).collect();
        Error::new(Kind::Usage, format!("{of} have no column `{id}`")).hint(format!("Choose {}.", listed(&ids, "or")))
    })
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
    let sort = arguments.sort.as_deref();
    if let Some(pick) = arguments.pick.as_ref().filter(|pick| pick.tag.is_some() || pick.digest.is_some()) {
        if arguments.all {
            return Err(Error::new(Kind::Usage, format!("`--all` is for a repository, and `{pick}` is one image"))
                .hint(format!("`roadstead show {pick}` shows what is attached to it.")));
        }
        order(&TAGS, sort, "images")?;
        let rows = with_suggestions(engine.images(pick), &engine, std::slice::from_ref(pick))?;
        output.json(&rows)?;
        output.table(&images(&rows))?;
        return Ok(Exit::Done);
    }
    if arguments.pick.is_some() || arguments.all {
        let order = order(&TAGS, sort, "images")?;
        let name = arguments.pick.as_ref().map(|pick| pick.name.as_str());
        let rows = engine.sorted_images(name, arguments.all, order, arguments.reverse);
        let rows = with_suggestions(rows, &engine, arguments.pick.as_slice())?;
        output.json(&rows)?;
        if rows.is_empty() {
            output.message(EMPTY);
        } else {
            output.table(&images(&rows))?;
        }
        return Ok(Exit::Done);
    }
    let rows = engine.sorted_repositories(order(&REPOSITORIES, sort, "repositories")?, arguments.reverse)?;
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
        let state = match (&row.gone, &row.outdated, &row.attached_to) {
            (Some(_), ..) => Cell::toned(Tone::Warning, "gone upstream"),
            (None, Some(_), _) => Cell::toned(Tone::Warning, "outdated"),
            (None, None, Some(_)) => Cell::toned(Tone::Dim, "attached"),
            (None, None, None) => "".into(),
        };
        table.row([
            Cell::toned(Tone::Name, image),
            platforms(&row.platforms).into(),
            bytes(row.logical).into(),
            row.digest.to_string().into(),
            // The date of an RFC 3339 time.
            Cell::toned(Tone::Dim, row.added.split('T').next().unwrap_or_default()),
            state,
        ]);
    }
    table
}

#[cfg(test)]
pub(in crate::cli) mod tests {
    use super::*;
    use crate::catalog::statistics::Figures;
    use crate::cli::style::Paint;
    use crate::engine::query::browse::{ImageOrder, RepositoryOrder};
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
            attached_to: None,
            outdated: Some(Digest::of(b"2")),
            gone: None,
        }
    }

    #[test]
    fn each_list_is_sorted_by_its_own_columns() {
        assert_eq!(order(&REPOSITORIES, Some("unique"), "repositories").unwrap(), RepositoryOrder::Unique);
        assert_eq!(order(&TAGS, Some("platforms"), "images").unwrap(), ImageOrder::Platforms);
        assert_eq!(order(&TAGS, None, "images").unwrap(), ImageOrder::Tag);
        let error = order(&TAGS, Some("unique"), "images").unwrap_err();
        assert_eq!(
            (error.to_string().as_str(), error.hints()),
            (
                "images have no column `unique`",
                &["Choose `tag`, `platforms`, `size`, `added` or `state`.".to_owned()][..]
            )
        );
        assert_eq!(
            column_ids(),
            ["name", "images", "size", "unique", "added", "state", "tag", "platforms"],
            "the help of `--sort` names them"
        );
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
