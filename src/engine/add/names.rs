//! Which published names are free, and which would need a path that is a file and a directory at once.

use rusqlite::Connection;

use super::placed::Placed;
use crate::catalog::images;
use crate::catalog::repositories::{self, Repository};
use crate::engine::plan::PlannedImage;
use crate::error::{Error, Kind, Result};
use crate::image::{RepositoryName, Tag, Upstream};
use crate::site::conflict::{Conflict, Published, conflict};

fn taken(name: &str, by: Option<&Upstream>) -> Error {
    let from = by.map_or_else(|| "a local image".to_owned(), ToString::to_string);
    Error::new(Kind::Usage, format!("the name `{name}` already belongs to {from}"))
        .hint("Choose another name with `--as NAME`.")
}

/// Whether a name that the catalog has is mirrored from the same upstream.
pub(in crate::engine) fn check_same_upstream(repository: &Repository, placed: &Placed) -> Result<()> {
    // Local images may take their place under any name that has local images.
    if repository.upstream == placed.upstream {
        Ok(())
    } else {
        Err(taken(repository.name.as_str(), repository.upstream.as_ref()))
    }
}

/// Whether a new repository finds its name and its alias free.
pub(in crate::engine) fn check_new(connection: &Connection, placed: &Placed) -> Result<()> {
    check_free(connection, &placed.name, placed.alias.as_ref(), placed.tag.as_ref())
}

fn check_free(
    connection: &Connection,
    name: &RepositoryName,
    alias: Option<&RepositoryName>,
    tag: Option<&Tag>,
) -> Result<()> {
    let tags: Vec<&str> = tag.iter().map(|tag| tag.as_str()).collect();
    for name in std::iter::once(name).chain(alias) {
        if let Some(other) = repositories::by_name_or_alias(connection, name.as_str())? {
            return Err(taken(name.as_str(), other.upstream.as_ref()));
        }
        check(connection, name, &tags)?;
    }
    Ok(())
}

/// Whether an image of a plan finds its names free now that it is recorded: another one may have come first.
pub(in crate::engine) fn check_planned(connection: &Connection, image: &PlannedImage) -> Result<()> {
    match (repositories::by_name(connection, image.name.as_str())?, &image.tag) {
        (None, tag) => check_free(connection, &image.name, image.alias.as_ref(), tag.as_ref()),
        (Some(repository), Some(tag)) => check_tag(connection, &repository, tag),
        (Some(_), None) => Ok(()),
    }
}

/// Whether an image can be published beside others of the same plan.
pub(in crate::engine) fn check_beside(planned: &[PlannedImage], new: &PlannedImage) -> Result<()> {
    let all = || planned.iter().flat_map(|image| image.names().map(move |name| (name.as_str(), image)));
    let inside =
        |name: &str, path: &str| name.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let published = Published {
        is_name: &|other| all().any(|(name, _)| name == other),
        is_name_or_above: &|path| all().any(|(name, _)| inside(name, path)),
        has_manifest: &|other, tag| {
            all().any(|(name, image)| name == other && image.tag.as_ref().is_some_and(|its| its.as_str() == tag))
        },
    };
    for name in new.names() {
        if let Some((_, other)) = all().find(|(other, image)| *other == name.as_str() && image.upstream != new.upstream)
        {
            return Err(taken(name.as_str(), other.upstream.as_ref()));
        }
        refuse(conflict(&published, name, new.tag.iter().map(Tag::as_str)))?;
    }
    Ok(())
}

/// Whether a new tag of a repository that is there finds its path free.
pub(in crate::engine) fn check_tag(connection: &Connection, repository: &Repository, tag: &Tag) -> Result<()> {
    for name in repository.names() {
        check(connection, name, &[tag.as_str()])?;
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
    refuse(conflict(&published, name, tags.iter().copied()))
}

/// A conflict as an error.
pub(in crate::engine) fn refuse(conflict: Option<Conflict>) -> Result<()> {
    match conflict {
        None => Ok(()),
        Some(conflict) => {
            Err(Error::new(Kind::Usage, conflict.to_string()).hint("Choose another name with `--as NAME[:TAG]`."))
        }
    }
}

/// Whether a repository or an alias has this name or lies below it.
pub(in crate::engine) fn is_name_or_above(connection: &Connection, path: &str) -> Result<bool> {
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
