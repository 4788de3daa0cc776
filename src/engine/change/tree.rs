//! The published tree, kept up to date: looks again at what a change touched, rewrites the directories on the way up, and
//! returns the root. Work is proportional to the change; a rebuild from nothing must give the same root (tested).

use std::collections::BTreeMap;

use super::generated::{Edits, generated};
use super::nested::Hanging;
use super::touched::{Touched, TouchedRepository};
use crate::catalog::repositories::{self, BLOBS, Repository};
use crate::catalog::settings::Settings;
use crate::catalog::{Writer, blobs, images, nodes, state};
use crate::error::{Error, Kind, Result};
use crate::image::{Digest, RepositoryName, Tag, media};
use crate::site::{lists, paths};
use crate::unixfs::{Link, directory, tree};

/// Brings the tree up to date and returns its root.
pub(in crate::engine) fn update(writer: &Writer<'_>, settings: &Settings, touched: &Touched) -> Result<Link> {
    let root = state::root(writer)?;
    let mut edits = Edits::new();
    if root.is_none() || touched.everything {
        let ping = generated(writer, settings, crate::site::ping(settings.site_version))?;
        edits.insert(format!("{}/{}", paths::GATEWAY, paths::PING), Some(ping));
        edits.insert(format!("{}/{}", paths::NATIVE, paths::PING), Some(ping));
    }
    let mut names_changed = root.is_none();
    for gone in &touched.removed {
        if gone.repository.is_published() {
            names_changed = true;
            for (place, link) in &gone.directories {
                for (view, name) in places(&gone.repository, place) {
                    let hanging = Hanging { name: &name, before: Some(link), now: None };
                    hanging.edit(writer, touched, format!("{view}/{name}"), &mut edits)?;
                }
            }
        }
    }
    for (id, repository_touched) in &touched.repositories {
        let repository = repositories::by_id(writer, *id)?;
        let before: BTreeMap<String, Link> = nodes::directories(writer, *id)?.into_iter().collect();
        tracing::debug_span!("directories")
            .in_scope(|| update_directories(writer, settings, &repository, repository_touched))?;
        let after: BTreeMap<String, Link> = nodes::directories(writer, *id)?.into_iter().collect();
        let appears = repository.is_published() && (repository_touched.whole || !repository_touched.was_published);
        let vanishes = !repository.is_published() && repository_touched.was_published;
        names_changed |= appears || vanishes;
        // A repository is listed in the gateway view while something of it can be said there.
        names_changed |= repository.is_published()
            && before.contains_key(GATEWAY_MANIFESTS) != after.contains_key(GATEWAY_MANIFESTS);
        if !repository.is_published() && !vanishes {
            continue;
        }
        for place in before.keys().chain(after.keys()) {
            let now = if vanishes { None } else { after.get(place) };
            if appears || vanishes || before.get(place) != now {
                let was_there = before.get(place).filter(|_| repository_touched.was_published);
                for (view, name) in places(&repository, place) {
                    let hanging = Hanging { name: &name, before: was_there, now };
                    hanging.edit(writer, touched, format!("{view}/{name}"), &mut edits)?;
                }
            }
        }
    }
    if names_changed {
        let native = repositories::published_names(writer)?;
        let gateway = repositories::published_names_with(writer, GATEWAY_MANIFESTS)?;
        for (view, names) in [(paths::NATIVE, native), (paths::GATEWAY, gateway)] {
            let names: Vec<RepositoryName> = names.iter().map(|name| name.parse()).collect::<Result<_>>()?;
            let link = generated(writer, settings, &lists::catalog_list(&names))?;
            edits.insert(format!("{view}/{}", paths::REPOSITORY_LIST), Some(link));
        }
    }
    tracing::debug_span!("pages")
        .in_scope(|| super::pages::update(writer, settings, touched, root.is_none(), &mut edits))?;
    let _timed = tracing::debug_span!("root").entered();
    let mut store = nodes::Nodes::inside(writer);
    tree::edit(settings.profile, &mut store, root.as_ref(), &edits)
}

const GATEWAY_MANIFESTS: &str = "v2/manifests";
const GATEWAY_TAGS: &str = "v2/tags";
const NATIVE_MANIFESTS: &str = "oci/manifests";
const NATIVE_TAGS: &str = "oci/tags";

/// Where a repository's directory hangs in the tree, under its name and its alias: the view, and the path in it.
fn places(repository: &Repository, place: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for name in repository.names() {
        let mut hangs = |view: &str, directory: &str| all.push((view.to_owned(), format!("{name}/{directory}")));
        match place {
            BLOBS => {
                hangs(paths::NATIVE, paths::BLOBS);
                hangs(paths::GATEWAY, paths::BLOBS);
            }
            GATEWAY_MANIFESTS => hangs(paths::GATEWAY, paths::MANIFESTS),
            GATEWAY_TAGS => hangs(paths::GATEWAY, paths::TAGS),
            NATIVE_MANIFESTS => hangs(paths::NATIVE, paths::MANIFESTS),
            NATIVE_TAGS => hangs(paths::NATIVE, paths::TAGS),
            slug => hangs(&paths::of_type(slug), paths::MANIFESTS),
        }
    }
    all
}

/// Looks again at what is touched of a repository and rewrites its directories.
fn update_directories(
    writer: &Writer<'_>,
    settings: &Settings,
    repository: &Repository,
    touched: &TouchedRepository,
) -> Result<()> {
    let id = repository.id;
    let mut blob_edits = Edits::new();
    for blob in &touched.blobs {
        let row = blobs::by_id(writer, *blob)?;
        let held = images::holds_blob(writer, id, *blob)?;
        blob_edits.insert(row.digest.to_string(), held.then_some(row.link));
    }
    edit(writer, settings, id, BLOBS, &blob_edits)?;
    update_native(writer, settings, repository, touched)?;
    update_gateway(writer, settings, repository, touched)
}

fn update_native(
    writer: &Writer<'_>,
    settings: &Settings,
    repository: &Repository,
    touched: &TouchedRepository,
) -> Result<()> {
    let id = repository.id;
    // What each name is now: a link and the media type, or nothing.
    let mut names: BTreeMap<String, Option<(Link, String)>> = BTreeMap::new();
    let mut manifests = touched.manifests.clone();
    for subject in &touched.subjects {
        manifests.extend(images::referrer_list(writer, id, subject)?);
        let entries = crate::engine::query::referrers::entries(writer, id, subject)?;
        let list = if entries.is_empty() { None } else { Some(referrer_list(writer, settings, &entries)?) };
        images::set_referrer_list(writer, id, subject, list)?;
        manifests.extend(list);
        let name = lists::fallback_tag(subject).to_string();
        // Upstream's own tag of that name, if it was added as an image, stays what upstream says.
        if images::by_tag(writer, id, &name)?.is_none() {
            let now = list.map(|list| blobs::by_id(writer, list)).transpose()?;
            names.insert(name, now.map(|blob| (blob.link, media::OCI_INDEX.to_owned())));
        }
    }
    for blob in &manifests {
        let row = blobs::by_id(writer, *blob)?;
        let held = images::held_manifest(writer, id, &row.digest)?;
        names.insert(row.digest.to_string(), held.map(|held| (row.link, held.media_type)));
    }
    let mut tag_set_changed = false;
    let old_manifests = nodes::directory(writer, id, NATIVE_MANIFESTS)?;
    for tag in &touched.tags {
        let subject = crate::engine::query::referrers::subject_of(tag);
        let now = match images::by_tag(writer, id, tag)? {
            Some(image) => {
                let media_type = blobs::manifest(writer, image.manifest)?.map(|row| row.media_type).unwrap_or_default();
                Some((blobs::by_id(writer, image.manifest)?.link, media_type))
            }
            // Where upstream's own list was, ours takes its place.
            None => match subject {
                Some(subject) => match images::referrer_list(writer, id, &subject)? {
                    Some(list) => Some((blobs::by_id(writer, list)?.link, media::OCI_INDEX.to_owned())),
                    None => None,
                },
                None => None,
            },
        };
        let before = match &old_manifests {
            Some(old) => directory::lookup(&mut nodes::Nodes::inside(writer), old, tag)?,
            None => None,
        };
        // A list of referrers has a name here and is no tag: that the name is there says nothing.
        tag_set_changed |= subject.is_some() || before.is_some() != now.is_some();
        names.insert(tag.clone(), now);
    }
    let all: Edits = names.iter().map(|(name, now)| (name.clone(), now.as_ref().map(|(link, _)| *link))).collect();
    edit(writer, settings, id, NATIVE_MANIFESTS, &all)?;
    for (media_type, slug) in media::MANIFEST_TYPES {
        let of_type: Edits = names
            .iter()
            .map(|(name, now)| (name.clone(), now.as_ref().filter(|(_, its)| its == media_type).map(|(link, _)| *link)))
            .collect();
        edit(writer, settings, id, slug, &of_type)?;
    }
    if tag_set_changed || nodes::directory(writer, id, NATIVE_TAGS)?.is_none() {
        let tags = images::tags(writer, id, None, None)?;
        set_tag_list(writer, settings, repository, NATIVE_TAGS, &tags)?;
    }
    Ok(())
}

/// The list of referrers as a manifest of its own, by row.
fn referrer_list(writer: &Writer<'_>, settings: &Settings, entries: &[lists::ReferrerEntry]) -> Result<i64> {
    let bytes = lists::referrers_index(entries);
    generated(writer, settings, &bytes)?;
    let blob = blobs::by_digest(writer, &Digest::of(&bytes))?
        .ok_or_else(|| Error::new(Kind::Unexpected, "a list of referrers was recorded and is not there"))?;
    blobs::record_manifest(writer, blob.id, media::OCI_INDEX, None, None)?;
    Ok(blob.id)
}

fn update_gateway(
    writer: &Writer<'_>,
    settings: &Settings,
    repository: &Repository,
    touched: &TouchedRepository,
) -> Result<()> {
    let id = repository.id;
    let old_manifests = nodes::directory(writer, id, GATEWAY_MANIFESTS)?;
    let mut tag_set_changed = false;
    let mut edits = Edits::new();
    for name in &touched.gateway_tags {
        let now = match images::gateway_by_name(writer, id, name)? {
            Some(blob) => Some(blobs::by_id(writer, blob)?.link),
            None => None,
        };
        let before = match &old_manifests {
            Some(old) => directory::lookup(&mut nodes::Nodes::inside(writer), old, name)?,
            None => None,
        };
        tag_set_changed |= before.is_some() != now.is_some();
        edits.insert(name.clone(), now);
    }
    for digest in &touched.gateway_digests {
        let now = match images::gateway_by_payload(writer, id, digest)? {
            Some(blob) => Some(blobs::by_id(writer, blob)?.link),
            None => None,
        };
        edits.insert(digest.to_string(), now);
    }
    edit(writer, settings, id, GATEWAY_MANIFESTS, &edits)?;
    if tag_set_changed {
        let names = images::gateway_names(writer, id)?;
        set_tag_list(writer, settings, repository, GATEWAY_TAGS, &names)?;
    }
    Ok(())
}

/// `tags/list` names the canonical repository, under the alias too.
fn set_tag_list(
    writer: &Writer<'_>,
    settings: &Settings,
    repository: &Repository,
    place: &str,
    tags: &[String],
) -> Result<()> {
    let list = if tags.is_empty() && place == GATEWAY_TAGS {
        None
    } else {
        let tags: Vec<Tag> = tags.iter().map(|tag| tag.parse()).collect::<Result<_>>()?;
        Some(generated(writer, settings, &lists::tags_list(&repository.name, &tags))?)
    };
    edit(writer, settings, repository.id, place, &Edits::from([(paths::LIST.to_owned(), list)]))
}

/// Edits one directory of a repository and records it.
fn edit(writer: &Writer<'_>, settings: &Settings, repository: i64, place: &str, edits: &Edits) -> Result<()> {
    if edits.is_empty() {
        return Ok(());
    }
    let old = nodes::directory(writer, repository, place)?;
    let new = directory::edit(settings.profile, &mut nodes::Nodes::inside(writer), old.as_ref(), edits)?;
    if new != old { nodes::set_directory(writer, repository, place, new.as_ref()) } else { Ok(()) }
}
