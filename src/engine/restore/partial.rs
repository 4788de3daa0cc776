//! A CAR file that holds only what changed since a root: its records, as far as they are there.
//!
//! What is neither in the file nor in the catalog has not changed since that root, and whoever has merged that root has it.
//! So the directories of records are walked block by block, and what is missing is passed over.

use std::collections::{BTreeMap, HashSet};

use cid::Cid;

use super::body::FileStream;
use super::records::{check, too_much};
use super::tree::BlockTree;
use crate::engine::Engine;
use crate::engine::blocking::in_place;
use crate::engine::blocks::short;
use crate::engine::job::Job;
use crate::error::{Context as _, Error, Kind, Result};
use crate::image::RepositoryName;
use crate::node::source::BlockSource;
use crate::site::paths;
use crate::site::records::{self, RepositoryRecord, TagsRecord};
use crate::text::printable_within;
use crate::unixfs::directory::DirectoryBlock;
use crate::unixfs::file::FileNode;
use crate::unixfs::{DAG_PB, NodeKind};

/// Most blocks and files that are looked at: far above what a catalog that fits one machine has.
const MAX_ENTRIES: usize = 10_000_000;
/// Most bytes of records in all.
const MAX_RECORDS_BYTES: u64 = 512 << 20;
/// The hexadecimal digits of a slot before each name in a shard.
const SLOT_DIGITS: usize = 2;

/// Whether a place has every block of a root. Reads those that link others, and keeps half a digest of each.
pub(super) async fn is_whole(source: &dyn BlockSource, root: Cid, job: &Job) -> Result<bool> {
    let mut seen = HashSet::new();
    let mut todo = vec![root];
    while let Some(cid) = todo.pop() {
        job.check()?;
        if !source.holds(&cid).await? {
            return Ok(false);
        }
        if cid.codec() == DAG_PB && seen.insert(short(&cid)) {
            let Some(block) = source.block(&cid).await? else { return Ok(false) };
            if NodeKind::of(&block)?.is_directory() {
                todo.extend(DirectoryBlock::parse(&block)?.links.into_iter().map(|(_, link)| link.cid));
            } else {
                todo.extend(FileNode::parse(&block)?.children.into_iter().map(|(link, _)| link.cid));
            }
        }
    }
    Ok(true)
}

/// The repositories of which anything changed, each with the tags whose records are there.
pub(super) async fn read(tree: &BlockTree, engine: &Engine, job: &Job) -> Result<Vec<RepositoryRecord>> {
    let mut left = MAX_RECORDS_BYTES;
    let mut found: BTreeMap<RepositoryName, RepositoryRecord> = BTreeMap::new();
    let mut parts = Vec::new();
    for (path, cid) in files(tree, job).await? {
        let Some((name, file)) = path.rsplit_once('/') else { continue };
        let Ok(name) = name.parse::<RepositoryName>() else { continue };
        let is_record = path.ends_with("/_repository.json");
        let is_part = file.strip_prefix("_tags-").is_some_and(|key| key.strip_suffix(".json").is_some());
        if !is_record && !is_part {
            continue;
        }
        let bytes = FileStream::open(std::sync::Arc::clone(&tree.source), &cid, 0).await?;
        let bytes = bytes.whole(records::MAX_RECORD_BYTES as u64).await.context(|| path.clone())?;
        left = left.checked_sub(bytes.len() as u64).ok_or_else(too_much)?;
        if is_record {
            let mut record: RepositoryRecord = records::read(&path, &bytes)?;
            if record.name != name {
                return Err(Error::new(Kind::Verification, format!("the record of {name} is about {}", record.name)));
            }
            record.parts.clear();
            found.insert(name, record);
        } else {
            parts.push((name, records::read::<TagsRecord>(&path, &bytes)?));
        }
    }
    for (name, part) in parts {
        let record = match found.entry(name) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(vacant) => {
                // Its own record has not changed, so it says what the catalog says.
                let Some(known) = in_place(|| engine.known_record(vacant.key()))? else {
                    let words = format!("the record of {} is missing", vacant.key());
                    return Err(Error::new(Kind::NotFound, words).hint(
                        "The file holds only what changed since a root that was never imported here: import that root first.",
                    ));
                };
                vacant.insert(known)
            }
        };
        record.tags.extend(part.tags);
    }
    let all: Vec<RepositoryRecord> = found.into_values().collect();
    all.iter().try_for_each(check)?;
    Ok(all)
}

/// Every file below the directory of records whose first block is there, by its path below that directory.
///
/// Each block of a directory is walked once: every directory of records holds a record with its own name in it, so no block can
/// be at two places, and a few that link each other would be endless paths.
async fn files(tree: &BlockTree, job: &Job) -> Result<Vec<(String, Cid)>> {
    let Some(top) = tree.lookup(paths::CATALOG).await? else { return Ok(Vec::new()) };
    let mut files = Vec::new();
    let mut todo = vec![(String::new(), top.cid)];
    let mut walked = HashSet::new();
    let mut looked_at = 0;
    while let Some((path, cid)) = todo.pop() {
        looked_at += 1;
        if looked_at > MAX_ENTRIES {
            return Err(Error::new(Kind::Verification, "its records are more than any registry has"));
        }
        job.check()?;
        let Some(block) = tree.source.block(&cid).await? else { continue };
        let kind = if cid.codec() == DAG_PB { NodeKind::of(&block)? } else { NodeKind::File };
        if !kind.is_directory() {
            files.push((path, cid));
            continue;
        }
        if !walked.insert(cid) {
            let words = format!("the directory `{}` is in the tree twice", printable_within(&path, 300));
            return Err(Error::new(Kind::Verification, words));
        }
        for (name, link) in DirectoryBlock::parse(&block)?.links {
            let name = if kind == NodeKind::Shard { name.get(SLOT_DIGITS..).unwrap_or_default() } else { &name[..] };
            // A shard of the next level belongs to the same directory.
            if kind == NodeKind::Shard && name.is_empty() {
                todo.push((path.clone(), link.cid));
                continue;
            }
            let name = std::str::from_utf8(name).ok().filter(|name| !name.is_empty() && !name.contains('/'));
            let name =
                name.ok_or_else(|| Error::new(Kind::Verification, "a directory of records has an invalid name"))?;
            let below = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
            // Names of repositories have at most 255 characters.
            if below.len() <= 400 {
                todo.push((below, link.cid));
            }
        }
    }
    Ok(files)
}
