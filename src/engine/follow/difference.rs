//! Which records differ between two published trees. Only directories that differ are read, several at a time.
//!
//! The new tree may be written by anybody. What is read of it is capped, each directory is walked once, and what it says is
//! believed no further than the root that follows from it proves.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use cid::Cid;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::engine::job::Job;
use crate::engine::restore::records::{MAX_RECORDS_BYTES, check, too_much};
use crate::engine::restore::tree::{BlockTree, Tree};
use crate::error::{Error, Kind, Result};
use crate::image::{Digest, Platform, RepositoryName, Tag};
use crate::site::paths;
use crate::site::records::{self, CatalogRecord, RepositoryRecord, TagRecord, TagsRecord};
use crate::text::printable_within;
use crate::unixfs::{Link, Profile, directory};

/// Directories and repositories that are read at the same time.
const MAX_CONCURRENT_READS: usize = 8;
/// Most directories of records that differ: far above what a catalog that fits one machine has.
const MAX_DIRECTORIES: usize = 1_000_000;
/// The longest path of a directory of records: names of repositories have at most 255 characters.
const MAX_PATH_BYTES: usize = 400;

/// What differs.
#[derive(Debug)]
pub(super) struct Difference {
    /// Host name that the pages show.
    pub(super) name: Option<String>,
    /// What the pages say of the registry.
    pub(super) description: Option<String>,
    /// Which bytes its pages consist of.
    pub(super) site_version: u32,
    /// The platform whose image has the plain tag in the gateway view, if what differs says it.
    pub(super) default_platform: Option<Platform>,
    pub(super) repositories: Vec<Changed>,
}

/// A repository whose records differ.
#[derive(Debug)]
pub(super) struct Changed {
    pub(super) name: RepositoryName,
    /// What it is in the new tree, with the tags that come or change; nothing if it goes.
    pub(super) record: Option<RepositoryRecord>,
    /// Images that go or change: by tag, or by digest where they have none.
    pub(super) gone: Vec<(Option<Tag>, Digest)>,
    /// Nothing of what is here stays.
    pub(super) replaced: bool,
}

/// A directory on both sides.
type Pair = (String, Option<Link>, Option<Link>);

/// Compares the records of two trees; without an old one, everything is new.
pub(super) async fn read(old: Option<&BlockTree>, new: &BlockTree, profile: Profile, job: &Job) -> Result<Difference> {
    let reader = Reader {
        old: old.map(|old| Tree::Blocks(old.clone())),
        new: Tree::Blocks(new.clone()),
        left: AtomicU64::new(MAX_RECORDS_BYTES),
    };
    let catalog = reader.catalog(profile).await?;
    let found = walk(old, new, job).await?;
    let mut reading = stream::iter(found)
        .map(|(path, files)| {
            let reader = &reader;
            async move { job.or_cancelled(reader.repository(&path, files)).await }
        })
        .buffered(MAX_CONCURRENT_READS);
    let mut repositories = Vec::new();
    let mut default_platform: Option<Platform> = None;
    while let Some(changed) = reading.try_next().await? {
        for tag in changed.record.iter().flat_map(|record| &record.tags) {
            match (&default_platform, &tag.default_platform) {
                (Some(known), Some(other)) if known != other => {
                    return Err(Error::new(Kind::Verification, "its records name several default platforms"));
                }
                (None, Some(platform)) => default_platform = Some(platform.clone()),
                _ => {}
            }
        }
        repositories.push(changed);
    }
    drop(reading);
    Ok(Difference {
        name: catalog.name,
        description: catalog.description,
        site_version: catalog.site_version,
        default_platform,
        repositories,
    })
}

/// The directories of repositories in which files differ, each with the names of these files.
async fn walk(old: Option<&BlockTree>, new: &BlockTree, job: &Job) -> Result<BTreeMap<String, Vec<String>>> {
    let old_top = match old {
        Some(old) => old.lookup(paths::CATALOG).await?,
        None => None,
    };
    let mut todo: Vec<Pair> = vec![(String::new(), old_top, new.lookup(paths::CATALOG).await?)];
    let mut found = BTreeMap::new();
    let mut walked: HashSet<Cid> = HashSet::new();
    while !todo.is_empty() {
        job.check()?;
        let now = todo.split_off(todo.len().saturating_sub(MAX_CONCURRENT_READS));
        for (path, _, link) in &now {
            // Every directory of records holds a record with its own name in it, so no block can be at two places, and a few
            // that link each other would be endless paths.
            let twice = link.is_some_and(|link| !walked.insert(link.cid));
            if twice || path.len() > MAX_PATH_BYTES || walked.len() > MAX_DIRECTORIES {
                let words = format!("the directory `{}` can't be one of records", printable_within(path, 300));
                return Err(Error::new(Kind::Verification, words));
            }
        }
        let reading = now.into_iter().map(|(path, old, new_link)| one(new, path, old, new_link));
        let each: Vec<(String, Vec<String>, Vec<Pair>)> =
            job.or_cancelled(futures::future::try_join_all(reading)).await?;
        for (path, files, below) in each {
            // Above all repositories are the lists of their names.
            if !path.is_empty() && !files.is_empty() {
                found.insert(path, files);
            }
            todo.extend(below);
        }
    }
    Ok(found)
}

/// What differs in one directory: its files, and the directories below it. The old one is read through the new tree, whose
/// source has the blocks of both.
async fn one(
    tree: &BlockTree,
    path: String,
    old: Option<Link>,
    new: Option<Link>,
) -> Result<(String, Vec<String>, Vec<Pair>)> {
    let (mut files, mut below) = (Vec::new(), Vec::new());
    let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
    let read = tree.read(format!("{}/{path}", paths::CATALOG), move |store| {
        directory::difference(store, old.as_ref(), new.as_ref(), &mut |name, old, new| {
            if name.starts_with(paths::OWN) {
                files.push(name.to_owned());
            } else {
                below.push((format!("{prefix}{name}"), old, new));
            }
            Ok(())
        })?;
        Ok((files, below))
    });
    let (files, below) = read.await?;
    Ok((path, files, below))
}

struct Reader {
    old: Option<Tree>,
    new: Tree,
    /// How many bytes of records of the new tree may still be read.
    left: AtomicU64,
}

impl Reader {
    async fn small(&self, path: &str) -> Result<Option<Bytes>> {
        let bytes = self.new.small(path, records::MAX_RECORD_BYTES as u64).await?;
        if let Some(bytes) = &bytes {
            let take = |left: u64| left.checked_sub(bytes.len() as u64);
            self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).map_err(|_| too_much())?;
        }
        Ok(bytes)
    }

    async fn old(&self, path: &str) -> Result<Option<Bytes>> {
        match &self.old {
            Some(old) => old.small(path, records::MAX_RECORD_BYTES as u64).await,
            None => Ok(None),
        }
    }

    async fn catalog(&self, profile: Profile) -> Result<CatalogRecord> {
        let bytes = self.small(paths::CATALOG_JSON).await?.ok_or_else(|| {
            Error::new(Kind::Verification, "there is no `catalog.json`")
                .hint("Only what Roadstead published can be followed.")
        })?;
        let catalog = records::read_catalog(&bytes)?;
        if catalog.profile != profile.to_string() {
            let words = format!(
                "its CIDs have the profile {}, but this catalog has {profile}",
                printable_within(&catalog.profile, 60)
            );
            return Err(Error::new(Kind::Verification, words)
                .hint("A profile is chosen once: follow it in another data directory with `--data-dir`."));
        }
        crate::engine::restore::fields::check_catalog(&catalog)?;
        Ok(catalog)
    }

    /// What differs in one repository, by the files of its records that do.
    async fn repository(&self, path: &str, mut files: Vec<String>) -> Result<Changed> {
        let name: RepositoryName = path.parse().map_err(|_| {
            Error::new(Kind::Verification, format!("`{}` is no repository", printable_within(path, 300)))
        })?;
        let own = paths::repository_record(&name);
        let own_file = own.rsplit('/').next().unwrap_or_default().to_owned();
        let parse = |bytes: Option<Bytes>| -> Result<Option<RepositoryRecord>> {
            let record: Option<RepositoryRecord> = bytes.map(|bytes| records::read(&own, &bytes)).transpose()?;
            match record {
                Some(other) if other.name != name => {
                    Err(Error::new(Kind::Verification, format!("the record of {name} is about {}", other.name)))
                }
                record => Ok(record),
            }
        };
        let (old, new) = (parse(self.old(&own).await?)?, parse(self.small(&own).await?)?);
        let Some(mut record) = new else {
            return Ok(Changed { name, record: None, gone: Vec::new(), replaced: true });
        };
        let replaced = old.as_ref().is_some_and(|old| (&old.upstream, &old.alias) != (&record.upstream, &record.alias));
        if replaced {
            // What belongs to another upstream is another repository.
            files = record.parts.iter().map(|part| part.file.clone()).chain([own_file.clone()]).collect();
        }
        let mut before: BTreeMap<String, TagRecord> = BTreeMap::new();
        let mut after: BTreeMap<String, TagRecord> = BTreeMap::new();
        for file in &files {
            if *file == own_file {
                let tags = old.iter().flat_map(|old| &old.tags);
                before.extend(tags.map(|tag| (tag.name(), tag.clone())));
                after.extend(std::mem::take(&mut record.tags).into_iter().map(|tag| (tag.name(), tag)));
            } else if file.starts_with("_tags-") && !file.contains('/') {
                let path = format!("{}/{name}/{file}", paths::CATALOG);
                let tags = |bytes: Option<Bytes>| -> Result<Vec<TagRecord>> {
                    bytes.map_or(Ok(Vec::new()), |bytes| Ok(records::read::<TagsRecord>(&path, &bytes)?.tags))
                };
                let (old, new) = (tags(self.old(&path).await?)?, tags(self.small(&path).await?)?);
                before.extend(old.into_iter().map(|tag| (tag.name(), tag)));
                after.extend(new.into_iter().map(|tag| (tag.name(), tag)));
            }
        }
        if replaced {
            before.clear();
        }
        let gone = before.iter().filter(|(key, tag)| after.get(*key) != Some(*tag));
        let gone = gone.map(|(_, tag)| (tag.tag.clone(), tag.digest)).collect();
        after.retain(|key, tag| before.get(key) != Some(tag));
        record.tags = after.into_values().collect();
        record.parts.clear();
        check(&record)?;
        Ok(Changed { name, record: Some(record), gone, replaced })
    }
}
