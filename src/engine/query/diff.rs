//! What differs between two roots: repositories, tags, platforms and bytes, from the records and trees of both.
//!
//! Only directories that differ are read, so looking costs what changed. Knows the trees that this catalog keeps; a root whose
//! nodes are gone can't be compared.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cid::Cid;
use rusqlite::Connection;
use serde::Serialize;

use crate::catalog::{blobs, nodes, publications, state, targets};
use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::image::{Body, Digest, Manifest, RepositoryName};
use crate::site::paths;
use crate::site::records::{self, RepositoryRecord, TagRecord, TagsRecord};
use crate::text::printable_within;
use crate::unixfs::directory::{self, difference};
use crate::unixfs::{Link, tree};

/// What a publication changes in one repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RepositoryChange {
    /// Name that the repository is published under.
    pub repository: String,
    /// Whether it is added, changed or removed.
    pub kind: ChangeKind,
    /// Tags that change, sorted by name; all tags of a repository that is added or removed.
    pub tags: Vec<TagChange>,
}

/// What happens to a repository or a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// Only the later root has it.
    Added,
    /// Something of it changes.
    Changed,
    /// Only the earlier root has it.
    Removed,
}

/// What happens to a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TagChange {
    /// Tag whose digest differs.
    pub tag: String,
    /// Whether it is added, changed or removed.
    pub kind: ChangeKind,
    /// The digest it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Digest>,
    /// The digest it will have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Digest>,
}

/// What differs between two roots.
#[derive(Debug, Clone, Serialize)]
pub struct Difference {
    /// The one that is compared.
    pub before: String,
    /// The one that it is compared to.
    pub after: String,
    /// Repositories that differ, by name.
    pub repositories: Vec<RepositoryDifference>,
    /// Blobs and manifests that only `after` has.
    pub added: Amount,
    /// Blobs and manifests that only `before` has.
    pub removed: Amount,
}

/// How much there is of something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Amount {
    /// Blobs and manifests, each once.
    pub blobs: u64,
    /// Bytes of these blobs and manifests.
    pub bytes: u64,
}

/// What differs in a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RepositoryDifference {
    /// Name that the repository is published under.
    pub repository: String,
    /// Whether it is added, changed or removed.
    pub kind: ChangeKind,
    /// The tags that differ, sorted by name.
    pub tags: Vec<TagDifference>,
}

/// What differs in a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TagDifference {
    /// What happens to it.
    #[serde(flatten)]
    pub change: TagChange,
    /// Platforms that only the later root has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub platforms_added: Vec<String>,
    /// Platforms that only the earlier root has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub platforms_removed: Vec<String>,
}

impl Difference {
    /// Whether nobody who pulls sees a difference.
    pub fn is_empty(&self) -> bool {
        self.repositories.is_empty()
    }
}

impl Engine {
    /// What changes for those who pull, from one root to another; from none, everything comes.
    pub fn diff_roots(connection: &Connection, before: Option<Cid>, after: Cid) -> Result<Vec<RepositoryChange>> {
        let before = before.map(|cid| Tree::open(connection, cid)).transpose()?;
        let after = Tree::open(connection, after)?;
        let found = changed(connection, before.as_ref(), &after)?;
        Ok(found.into_iter().map(|changed| changed.change).collect())
    }

    /// What differs between two roots, with platforms and bytes.
    pub fn diff(&self, before: &Cid, after: &Cid) -> Result<Difference> {
        let reader = self.catalog.read()?;
        let (old, new) = (Tree::open(&reader, *before)?, Tree::open(&reader, *after)?);
        let mut repositories = Vec::new();
        let (mut coming, mut going) = (BTreeSet::new(), BTreeSet::new());
        for found in changed(&reader, Some(&old), &new)? {
            let name: RepositoryName = found.change.repository.parse()?;
            contents(&reader, &old, &new, &name, &mut coming, &mut going)?;
            let mut tags = Vec::new();
            for change in found.change.tags {
                let (was, is) = found.records.get(&change.tag).cloned().unwrap_or_default();
                let was = self.platforms(&reader, &old, &name, was.as_ref())?;
                let is = self.platforms(&reader, &new, &name, is.as_ref())?;
                let only =
                    |of: &BTreeSet<String>, not: &BTreeSet<String>| of.difference(not).cloned().collect::<Vec<_>>();
                tags.push(TagDifference {
                    change,
                    platforms_added: only(&is, &was),
                    platforms_removed: only(&was, &is),
                });
            }
            repositories.push(RepositoryDifference {
                repository: found.change.repository,
                kind: found.change.kind,
                tags,
            });
        }
        Ok(Difference {
            before: before.to_string(),
            after: after.to_string(),
            repositories,
            added: amount(&reader, coming, &old)?,
            removed: amount(&reader, going, &new)?,
        })
    }

    /// The root that a user means: `now` or `..` for what the catalog stands for, a target for what it gives out, or a CID.
    pub fn root_named(&self, text: &str) -> Result<Cid> {
        let reader = self.catalog.read()?;
        if matches!(text, "now" | "..") {
            return state::root(&reader)?
                .map(|link| link.cid)
                .ok_or_else(|| Error::new(Kind::NotFound, "the catalog has no root yet"));
        }
        if let Some(target) = targets::by_name(&reader, text)? {
            return publications::newest_published(&reader, target.id)?
                .map(|publication| publication.root.cid)
                .ok_or_else(|| Error::new(Kind::NotFound, format!("nothing was published to {text} yet")));
        }
        text.trim_start_matches("/ipfs/").trim_end_matches('/').parse().map_err(|_| {
            Error::new(Kind::Usage, format!("`{}` is neither a root nor a target", printable_within(text, 100)))
                .hint("A root is a CID as `roadstead root` and `roadstead history` show it, or `now`.")
        })
    }

    /// The platforms that a tag has in a tree.
    fn platforms(
        &self,
        connection: &Connection,
        tree: &Tree,
        name: &RepositoryName,
        record: Option<&TagRecord>,
    ) -> Result<BTreeSet<String>> {
        let shown = |platform: &crate::image::Platform| printable_within(&platform.to_string(), 60);
        let Some(record) = record else { return Ok(BTreeSet::new()) };
        let Some(blob) = blobs::by_digest(connection, &record.digest)?.filter(|blob| blob.inline) else {
            return Ok(BTreeSet::new());
        };
        let manifest = Manifest::parse(&blobs::bytes(connection, blob.id)?, Some(&record.media_type))?;
        match manifest.body {
            Body::Image { config, .. } => {
                let config = self.stored_bytes(&config.digest, config.size)?;
                let platform = config.and_then(|config| crate::engine::add::closure::platform_in(&config));
                Ok(platform.iter().map(shown).collect())
            }
            Body::Index { manifests } => {
                let mut found = BTreeSet::new();
                for descriptor in manifests {
                    let Some(platform) = descriptor.runs_on() else { continue };
                    let path = format!("{}/{name}/{}/{}", paths::NATIVE, paths::MANIFESTS, descriptor.digest);
                    if tree.lookup(connection, &path)?.is_some() {
                        found.insert(shown(&platform));
                    }
                }
                Ok(found)
            }
        }
    }
}

/// A root whose nodes are here.
struct Tree {
    root: Link,
}

impl Tree {
    fn open(connection: &Connection, cid: Cid) -> Result<Self> {
        let node = directory::NodeStore::get(&mut nodes::Nodes::of(connection), &cid)?.ok_or_else(|| {
            Error::new(Kind::NotFound, format!("the root {cid} is not kept here"))
                .hint("`roadstead history` shows which roots are.")
        })?;
        Ok(Self { root: node.link() })
    }

    fn lookup(&self, connection: &Connection, path: &str) -> Result<Option<Link>> {
        tree::lookup(&mut nodes::Nodes::of(connection), &self.root, path)
    }
}

/// A repository that differs, with the records of its tags that do, before and after.
struct Changed {
    change: RepositoryChange,
    records: Records,
}

type Records = HashMap<String, (Option<TagRecord>, Option<TagRecord>)>;

/// Every repository whose records differ, by name.
fn changed(connection: &Connection, before: Option<&Tree>, after: &Tree) -> Result<Vec<Changed>> {
    let old = before.map(|tree| tree.lookup(connection, paths::CATALOG)).transpose()?.flatten();
    let new = after.lookup(connection, paths::CATALOG)?;
    let mut found = Vec::new();
    let mut todo = vec![(String::new(), old, new)];
    while let Some((path, old, new)) = todo.pop() {
        let mut files = Vec::new();
        difference(&mut nodes::Nodes::of(connection), old.as_ref(), new.as_ref(), &mut |name, old, new| {
            if name.starts_with(paths::OWN) {
                files.push((name.to_owned(), old, new));
            } else {
                let path = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
                todo.push((path, old, new));
            }
            Ok(())
        })?;
        // Above all repositories are the lists of their names.
        if !path.is_empty() && !files.is_empty() {
            found.extend(repository(connection, &path, [old.as_ref(), new.as_ref()], files)?);
        }
    }
    found.sort_by(|a, b| a.change.repository.cmp(&b.change.repository));
    Ok(found)
}

type File = (String, Option<Link>, Option<Link>);

/// What differs in one repository, from the files of its records that do.
fn repository(
    connection: &Connection,
    name: &str,
    directories: [Option<&Link>; 2],
    files: Vec<File>,
) -> Result<Option<Changed>> {
    let own = paths::repository_record(&name.parse()?);
    let own = own.rsplit('/').next().unwrap_or_default();
    let mut is_there = [false; 2];
    for (is_there, directory) in is_there.iter_mut().zip(directories) {
        *is_there = match directory {
            Some(link) => directory::lookup(&mut nodes::Nodes::of(connection), link, own)?.is_some(),
            None => false,
        };
    }
    let kind = match is_there {
        [false, false] => return Ok(None),
        [false, true] => ChangeKind::Added,
        [true, false] => ChangeKind::Removed,
        [true, true] => ChangeKind::Changed,
    };
    let mut records = Records::new();
    for (file, old, new) in files {
        for (link, is_new) in [(old, false), (new, true)] {
            let Some(link) = link else { continue };
            let path = format!("{}/{name}/{file}", paths::CATALOG);
            let bytes = file_bytes(connection, &link, &path)?;
            let tags = if file == own {
                records::read::<RepositoryRecord>(&path, &bytes)?.tags
            } else {
                records::read::<TagsRecord>(&path, &bytes)?.tags
            };
            for tag in tags {
                let sides = records.entry(tag.name()).or_default();
                let side = if is_new { &mut sides.1 } else { &mut sides.0 };
                *side = Some(tag);
            }
        }
    }
    records.retain(|_, (old, new)| old != new);
    let sorted: BTreeMap<_, _> = records.iter().collect();
    let tags = sorted.into_iter().map(|(tag, (old, new))| TagChange {
        tag: tag.clone(),
        kind: match (old, new) {
            (None, _) => ChangeKind::Added,
            (_, None) => ChangeKind::Removed,
            _ => ChangeKind::Changed,
        },
        before: old.as_ref().map(|record| record.digest),
        after: new.as_ref().map(|record| record.digest),
    });
    let change = RepositoryChange { repository: name.to_owned(), kind, tags: tags.collect() };
    Ok(Some(Changed { change, records }))
}

fn file_bytes(connection: &Connection, link: &Link, path: &str) -> Result<bytes::Bytes> {
    match blobs::by_cid(connection, &link.cid)? {
        Some(blob) if blob.inline => blobs::bytes(connection, blob.id),
        _ => Err(Error::new(Kind::NotFound, format!("{} of this root is not here", printable_within(path, 300)))),
    }
}

/// Adds what the blobs and manifests of one repository differ in.
fn contents(
    connection: &Connection,
    before: &Tree,
    after: &Tree,
    name: &RepositoryName,
    coming: &mut BTreeSet<Digest>,
    going: &mut BTreeSet<Digest>,
) -> Result<()> {
    for place in FLAT_DIRECTORIES {
        let path = format!("{}/{name}/{place}", paths::NATIVE);
        let (old, new) = (before.lookup(connection, &path)?, after.lookup(connection, &path)?);
        difference(&mut nodes::Nodes::of(connection), old.as_ref(), new.as_ref(), &mut |name, old, new| {
            // Besides digests there are tags, which are the same manifests once more.
            if let Ok(digest) = name.parse::<Digest>() {
                match (old, new) {
                    (None, Some(_)) => drop(coming.insert(digest)),
                    (Some(_), None) => drop(going.insert(digest)),
                    _ => {}
                }
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// Where a repository's blobs and manifests are.
const FLAT_DIRECTORIES: [&str; 2] = [paths::BLOBS, paths::MANIFESTS];

/// How much these are, without what the other tree has anywhere.
fn amount(connection: &Connection, mut digests: BTreeSet<Digest>, other: &Tree) -> Result<Amount> {
    let mut todo: Vec<(String, Link)> = Vec::new();
    if !digests.is_empty() {
        todo.extend(other.lookup(connection, paths::CATALOG)?.map(|link| (String::new(), link)));
    }
    let mut store = nodes::Nodes::of(connection);
    while let Some((path, link)) = todo.pop() {
        let mut is_repository = false;
        directory::list(&mut store, &link, &mut |name, link| {
            if name.starts_with(paths::OWN) {
                is_repository = true;
            } else {
                todo.push((if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }, link));
            }
            Ok(())
        })?;
        if !is_repository || path.is_empty() {
            continue;
        }
        for place in FLAT_DIRECTORIES {
            let Some(link) = other.lookup(connection, &format!("{}/{path}/{place}", paths::NATIVE))? else { continue };
            directory::list(&mut store, &link, &mut |name, _| {
                if let Ok(digest) = name.parse::<Digest>() {
                    digests.remove(&digest);
                }
                Ok(())
            })?;
        }
        if digests.is_empty() {
            break;
        }
    }
    let mut amount = Amount::default();
    for digest in digests {
        if let Some(blob) = blobs::by_digest(connection, &digest)? {
            amount.blobs += 1;
            amount.bytes += blob.size;
        }
    }
    Ok(amount)
}
