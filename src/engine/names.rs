//! Which published names are free, and which would need a path that is a file and a directory at once.

use rusqlite::Connection;

use super::resolve::Placed;
use crate::catalog::images;
use crate::catalog::repositories::{self, Repository};
use crate::error::{Error, Kind, Result};
use crate::image::{RepositoryName, Tag};
use crate::site::conflict::{Published, conflict};
use crate::site::paths;

fn taken(name: &str, by: &Repository) -> Error {
    let from = by.upstream.as_ref().map_or_else(|| "a local image".to_owned(), ToString::to_string);
    Error::new(Kind::Usage, format!("the name `{name}` belongs to what is mirrored from {from}"))
        .hint("Choose another name with `--as NAME`.")
}

/// Whether a name that the catalog has is mirrored from the same upstream.
pub(super) fn check_same_upstream(repository: &Repository, placed: &Placed) -> Result<()> {
    // Local images may take their place under any name that has local images.
    if repository.upstream == placed.upstream { Ok(()) } else { Err(taken(repository.name.as_str(), repository)) }
}

/// Whether a new repository finds its name and its alias free.
pub(super) fn check_new(
    connection: &Connection,
    name: &RepositoryName,
    alias: Option<&RepositoryName>,
    tag: Option<&Tag>,
) -> Result<()> {
    let tags: Vec<&str> = tag.iter().map(|tag| tag.as_str()).collect();
    for name in std::iter::once(name).chain(alias) {
        if let Some(other) = repositories::by_name_or_alias(connection, name.as_str())? {
            return Err(taken(name.as_str(), &other));
        }
        check_directories(connection, name)?;
        check(connection, name, &tags)?;
    }
    Ok(())
}

/// Whether a new tag of a repository that is there finds its path free.
pub(super) fn check_tag(connection: &Connection, repository: &Repository, tag: &Tag) -> Result<()> {
    for name in std::iter::once(&repository.name).chain(&repository.alias) {
        check(connection, name, &[tag.as_str()])?;
    }
    Ok(())
}

/// The directories of a repository hang in the tree as a whole, so nothing else can be inside one.
fn check_directories(connection: &Connection, name: &RepositoryName) -> Result<()> {
    const DIRECTORIES: [&str; 3] = [paths::BLOBS, paths::MANIFESTS, paths::TAGS];
    let name = name.as_str();
    let refuse = |new: &str, of: &str, directory: &str| {
        Err(Error::new(
            Kind::Usage,
            format!("`{new}` can't be published: `{of}/{directory}` has the {directory} of `{of}`"),
        )
        .hint("Choose another name with `--as NAME`."))
    };
    for (at, _) in name.match_indices('/') {
        let (above, below) = (&name[..at], name[at + 1..].split('/').next().unwrap_or_default());
        if DIRECTORIES.contains(&below) && repositories::by_name_or_alias(connection, above)?.is_some() {
            return refuse(name, above, below);
        }
    }
    for directory in DIRECTORIES {
        if is_name_or_above(connection, &format!("{name}/{directory}"))? {
            return Err(Error::new(
                Kind::Usage,
                format!(
                    "`{name}` can't be published: a repository lies in `{name}/{directory}`, which has its {directory}"
                ),
            )
            .hint("Choose another name with `--as NAME`."));
        }
    }
    Ok(())
}

fn check(connection: &Connection, name: &RepositoryName, tags: &[&str]) -> Result<()> {
    // A failing query counts as "taken": the plan is refused, and the next query says what is wrong.
    let published = Published {
        is_name: &|other| repositories::by_name_or_alias(connection, other).map_or(true, |found| found.is_some()),
        is_name_or_above: &|path| is_name_or_above(connection, path).unwrap_or(true),
        has_manifest: &|other, tag| has_manifest(connection, other, tag).unwrap_or(true),
    };
    match conflict(&published, name, tags.iter().copied()) {
        None => Ok(()),
        Some(conflict) => {
            Err(Error::new(Kind::Usage, conflict.to_string()).hint("Choose another name with `--as NAME[:TAG]`."))
        }
    }
}

fn is_name_or_above(connection: &Connection, path: &str) -> Result<bool> {
    let mut statement = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM repositories WHERE name = ?1 OR alias = ?1 OR (name > ?1 || '/' AND name < ?1 || '0')
         OR (alias > ?1 || '/' AND alias < ?1 || '0'))",
    )?;
    Ok(statement.query_row([path], |row| row.get(0))?)
}

fn has_manifest(connection: &Connection, name: &str, tag: &str) -> Result<bool> {
    let Some(repository) = repositories::by_name_or_alias(connection, name)? else { return Ok(false) };
    Ok(images::by_tag(connection, repository.id, tag)?.is_some()
        || images::gateway_by_name(connection, repository.id, tag)?.is_some())
}
