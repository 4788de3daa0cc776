//! The lists of the distribution spec, written out: tags, repositories, referrers ("Listing Tags", "Listing Referrers").
//!
//! Knows their JSON and how a page leads to the next. Must not know where the items come from.

use bytes::Bytes;
use serde::Serialize;

use super::content_source::{RepositoryPage, TagPage};
use super::entity::Entity;
use crate::error::{Error, Kind, Result};
use crate::image::{Descriptor, media};

/// How to ask for the next page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Next {
    /// At most so many items.
    pub(super) number: usize,
    pub(super) last: String,
}

#[derive(Serialize)]
struct Tags<'a> {
    name: &'a str,
    tags: &'a [String],
}

#[derive(Serialize)]
struct Repositories<'a> {
    repositories: &'a [String],
}

#[derive(Serialize)]
struct Referrers {
    #[serde(rename = "schemaVersion")]
    schema_version: u8,
    #[serde(rename = "mediaType")]
    media_type: &'static str,
    manifests: Vec<Descriptor>,
}

/// Tags of a repository, at most `limit`.
pub(super) fn tags(mut page: TagPage, limit: usize) -> Result<(Entity, Option<Next>)> {
    let next = cut(&mut page.tags, page.more, limit);
    let body = written(&Tags { name: page.name.as_str(), tags: &page.tags })?;
    Ok((Entity::plain(body, "application/json")?, next))
}

/// Names of repositories, at most `limit`.
pub(super) fn repositories(mut page: RepositoryPage, limit: usize) -> Result<(Entity, Option<Next>)> {
    let next = cut(&mut page.names, page.more, limit);
    let body = written(&Repositories { repositories: &page.names })?;
    Ok((Entity::plain(body, "application/json")?, next))
}

/// What refers to a manifest; of one type if that is asked for.
pub(super) fn referrers(mut manifests: Vec<Descriptor>, artifact_type: Option<&str>) -> Result<Entity> {
    if artifact_type.is_some() {
        manifests.retain(|manifest| manifest.artifact_type.as_deref() == artifact_type);
    }
    let body = written(&Referrers { schema_version: 2, media_type: media::OCI_INDEX, manifests })?;
    Entity::plain(body, media::OCI_INDEX)
}

/// Cuts a page to its length and says what leads to the next one.
fn cut(items: &mut Vec<String>, more: bool, limit: usize) -> Option<Next> {
    // The spec wants `n=0` to be an empty list that leads nowhere.
    items.truncate(limit);
    items.last().filter(|_| more).map(|last| Next { number: limit, last: last.clone() })
}

fn written(list: &impl Serialize) -> Result<Bytes> {
    let bytes = serde_json::to_vec(list)
        .map_err(|error| Error::new(Kind::Unexpected, "a list can't be written").caused_by(error))?;
    // Without what the vector has grown beyond its content: the list is counted as it is.
    Ok(Bytes::from(bytes.into_boxed_slice()))
}
