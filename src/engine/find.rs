//! The repository and the images that a user means by a name, and what they are called in messages.

use rusqlite::Connection;

use super::request::Pick;
use crate::catalog::images::{self, Image};
use crate::catalog::repositories::{self, Repository};
use crate::error::{Error, Kind, Result};
use crate::image::{Digest, Reference};

/// `name:tag` or `name@digest`.
pub(super) fn shown(repository: &Repository, image: &Image) -> String {
    match &image.tag {
        Some(tag) => format!("{}:{tag}", repository.name),
        None => format!("{}@{}", repository.name, image.digest),
    }
}

/// The repository that a user means: its published name, its alias, or the reference it was added by.
pub(super) fn find_repository(connection: &Connection, name: &str) -> Result<Repository> {
    if let Some(found) = repositories::by_name_or_alias(connection, name)? {
        return Ok(found);
    }
    if let Ok(reference) = name.parse::<Reference>() {
        if let Ok(published) = reference.upstream.published_name()
            && let Some(found) = repositories::by_name(connection, published.as_str())?
            && found.upstream.as_ref() == Some(&reference.upstream)
        {
            return Ok(found);
        }
        if let Some(found) = repositories::by_upstream(connection, &reference.upstream)? {
            return Ok(found);
        }
    }
    Err(Error::new(
        Kind::NotFound,
        format!("there is no repository `{}` here", crate::text::printable_within(name, 200)),
    )
    .hint("`roadstead list` shows what there is."))
}

/// The images that a user means.
pub(super) fn find(connection: &Connection, pick: &Pick) -> Result<(Repository, Vec<Image>)> {
    let repository = find_repository(connection, &pick.name)?;
    let missing = || {
        Error::new(Kind::NotFound, format!("there is no `{pick}` here"))
            .hint(format!("`roadstead list {}` shows what there is of it.", repository.name))
    };
    let found = match (&pick.tag, &pick.digest) {
        (None, None) => images::of_repository(connection, repository.id, false)?,
        (Some(tag), digest) => {
            let image = images::by_tag(connection, repository.id, tag.as_str())?.ok_or_else(missing)?;
            if digest.is_some_and(|digest| digest != image.digest) {
                return Err(missing());
            }
            vec![image]
        }
        (None, Some(digest)) => {
            let all = images::of_repository(connection, repository.id, true)?;
            let found: Vec<Image> =
                all.into_iter().filter(|image| image.digest == *digest && (image.tag.is_none())).collect();
            if found.is_empty() {
                return Err(missing());
            }
            found
        }
    };
    Ok((repository, found))
}

/// The image that has this tag in the repository of this published name, or is there by this digest alone.
pub(super) fn image_at(connection: &Connection, name: &str, tag_or_digest: &str) -> Result<Option<Image>> {
    match repositories::by_name(connection, name)? {
        Some(repository) => image_in(connection, &repository, tag_or_digest),
        None => Ok(None),
    }
}

/// The same in a repository.
pub(super) fn image_in(connection: &Connection, repository: &Repository, tag_or_digest: &str) -> Result<Option<Image>> {
    match tag_or_digest.parse::<Digest>() {
        Ok(digest) => images::by_digest(connection, repository.id, &digest),
        Err(_) => images::by_tag(connection, repository.id, tag_or_digest),
    }
}

/// `name:tag` or `name@digest` of an image, for messages.
pub(super) fn name_of(connection: &Connection, image: &Image) -> Result<String> {
    Ok(shown(&repositories::by_id(connection, image.repository)?, image))
}
