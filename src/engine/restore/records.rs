//! What a published tree says of itself: its records, read whole and checked, before anything is made of them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use cid::Cid;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::tree::{BlockTree, Tree};
use crate::engine::Engine;
use crate::engine::job::{Event, Job};
use crate::error::{Context as _, Error, Kind, Result};
use crate::image::{Platform, RepositoryName};
use crate::site::records::{self, CatalogRecord, PartRecord, RepositoriesRecord, RepositoryRecord, TagsRecord};
use crate::site::{SITE_VERSION, paths};
use crate::text::printable_within;
use crate::unixfs::Profile;

/// Records that are read at the same time.
const MAX_CONCURRENT_RECORDS: usize = 8;
/// Most bytes of records in all: far above what a catalog that fits one machine has.
pub(in crate::engine) const MAX_RECORDS_BYTES: u64 = 512 << 20;
/// Most parts of one list.
const MAX_LIST_PARTS: usize = 100_000;

/// A published registry, as its records say it.
#[derive(Debug, Clone)]
pub struct Records {
    pub(super) tree: Tree,
    /// The root that was asked for, or that the place itself names.
    pub root: Option<Cid>,
    /// The profile of its CIDs.
    pub profile: Profile,
    /// Which bytes its pages consist of.
    pub site_version: u32,
    /// Host name that the pages show in pull commands.
    pub name: Option<String>,
    /// What the pages say of the registry.
    pub description: Option<String>,
    /// The platform whose image has the plain tag in the gateway view.
    pub default_platform: Platform,
    /// Only what changed since another root is there.
    pub partial: bool,
    /// Records of the repositories, each with all tags.
    pub(super) repositories: Vec<RepositoryRecord>,
}

impl Records {
    /// Reads and checks the records of a tree.
    pub(super) async fn read(tree: Tree, root: Option<Cid>, job: &Job) -> Result<Self> {
        let place = tree.place();
        let read = Self::read_all(tree, root, job).await;
        read.context(|| format!("can't read the registry at {place}"))
    }

    /// Reads what changed since a root that this catalog has merged before.
    pub(super) async fn read_partial(tree: BlockTree, engine: &Engine, job: &Job) -> Result<Self> {
        let place = tree.source.place();
        let read = super::partial::read(&tree, engine, job).await;
        let repositories = read.context(|| format!("can't read the registry at {place}"))?;
        let profile = if tree.root.version() == cid::Version::V0 { Profile::V0_2015 } else { Profile::V1_2025 };
        let (root, tree) = (Some(tree.root), Tree::Blocks(tree));
        let default_platform = Platform::host();
        Ok(Self {
            root,
            profile,
            site_version: SITE_VERSION,
            name: None,
            description: None,
            default_platform,
            partial: true,
            repositories,
            tree,
        })
    }

    async fn read_all(tree: Tree, root: Option<Cid>, job: &Job) -> Result<Self> {
        let reader = Reader { tree: &tree, left: AtomicU64::new(MAX_RECORDS_BYTES) };
        let bytes =
            reader.tree.small(paths::CATALOG_JSON, records::MAX_RECORD_BYTES as u64).await?.ok_or_else(|| {
                Error::new(Kind::NotFound, "there is no `catalog.json`")
                    .hint("Only what Roadstead published can be restored: name the root itself, not a directory in it.")
            })?;
        let catalog: CatalogRecord = records::read_catalog(&bytes)?;
        super::fields::check_catalog(&catalog)?;
        let profile: Profile = catalog
            .profile
            .parse()
            .map_err(|error: Error| Error::new(Kind::Verification, error.to_string()).context(paths::CATALOG_JSON))?;
        let names = reader.names(&catalog).await?;
        let total = names.len() as u64;
        job.tell(Event::Progress { what: "records", done: 0, total });
        let mut repositories = Vec::with_capacity(names.len().min(1 << 16));
        let mut reading = stream::iter(names)
            .map(|name| {
                let reader = &reader;
                async move { job.or_cancelled(reader.repository(name)).await }
            })
            .buffered(MAX_CONCURRENT_RECORDS);
        while let Some(record) = reading.try_next().await? {
            repositories.push(record);
            job.tell(Event::Progress { what: "records", done: repositories.len() as u64, total });
        }
        drop(reading);
        let platforms: BTreeSet<&Platform> = repositories
            .iter()
            .flat_map(|record| &record.tags)
            .filter_map(|tag| tag.default_platform.as_ref())
            .collect();
        if platforms.len() > 1 {
            return Err(Error::new(Kind::Verification, "its records name several default platforms"));
        }
        let default_platform = platforms.into_iter().next().cloned().unwrap_or_else(Platform::host);
        Ok(Self {
            root,
            profile,
            site_version: catalog.site_version,
            name: catalog.name,
            description: catalog.description,
            default_platform,
            partial: false,
            repositories,
            tree,
        })
    }
}

pub(in crate::engine) fn too_much() -> Error {
    Error::new(
        Kind::Verification,
        format!("its records are larger than {} together", crate::text::bytes(MAX_RECORDS_BYTES)),
    )
}

/// Reads records, those of several repositories at the same time and all of them together no more than is allowed.
struct Reader<'t> {
    tree: &'t Tree,
    left: AtomicU64,
}

impl Reader<'_> {
    /// The names of all repositories, in order.
    async fn names(&self, catalog: &CatalogRecord) -> Result<BTreeSet<RepositoryName>> {
        let mut names = BTreeSet::new();
        check_parts(&catalog.repositories)?;
        for part in &catalog.repositories {
            let file = part.file.strip_prefix(paths::CATALOG).and_then(|rest| rest.strip_prefix('/'));
            let path = file.filter(|file| is_plain(file)).map(|_| part.file.as_str()).ok_or_else(|| strange(part))?;
            let bytes = self.required(path).await?;
            let record: RepositoriesRecord = records::read(path, &bytes)?;
            names.extend(record.repositories);
        }
        Ok(names)
    }

    /// The record of a repository with all its tags.
    async fn repository(&self, name: RepositoryName) -> Result<RepositoryRecord> {
        let path = paths::repository_record(&name);
        let bytes = self.required(&path).await?;
        let mut record: RepositoryRecord = records::read(&path, &bytes)?;
        let refuse = |why: String| Error::new(Kind::Verification, format!("`{}`: {why}", printable_within(&path, 300)));
        if record.name != name {
            return Err(refuse(format!("it is about {}", record.name)));
        }
        check_parts(&record.parts)?;
        for part in std::mem::take(&mut record.parts) {
            if !is_plain(&part.file) {
                return Err(strange(&part));
            }
            let path = format!("{}/{name}/{}", paths::CATALOG, part.file);
            let bytes = self.required(&path).await?;
            record.tags.extend(records::read::<TagsRecord>(&path, &bytes)?.tags);
        }
        check(&record)?;
        Ok(record)
    }

    async fn required(&self, path: &str) -> Result<bytes::Bytes> {
        let found = self.tree.small(path, records::MAX_RECORD_BYTES as u64).await?;
        let bytes = found.ok_or_else(|| {
            Error::new(Kind::Verification, format!("its record `{}` is missing", printable_within(path, 300)))
        })?;
        let take = |left: u64| left.checked_sub(bytes.len() as u64);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).map_err(|_| too_much())?;
        Ok(bytes)
    }
}

/// Each tag has one record, and every field is one that this program writes.
pub(in crate::engine) fn check(record: &RepositoryRecord) -> Result<()> {
    let mut seen = BTreeSet::new();
    match record.tags.iter().find(|tag| !seen.insert(tag.name())) {
        None => super::fields::check(record),
        Some(twice) => {
            let words = format!("{} has {} twice", record.name, printable_within(&twice.name(), 150));
            Err(Error::new(Kind::Verification, words))
        }
    }
}

fn check_parts(parts: &[PartRecord]) -> Result<()> {
    if parts.len() > MAX_LIST_PARTS {
        return Err(Error::new(Kind::Verification, format!("a list has more than {MAX_LIST_PARTS} parts")));
    }
    Ok(())
}

/// Whether this is the name of a file, and no path.
fn is_plain(file: &str) -> bool {
    !file.is_empty() && !file.contains(['/', '\0']) && !file.starts_with('.')
}

fn strange(part: &PartRecord) -> Error {
    let words = format!("`{}` can't be a part of a record", printable_within(&part.file, 200));
    Error::new(Kind::Verification, words)
}
