//! Lays out files below a directory of this machine: each blob once, as cheaply as the file system allows, and its other names as
//! hard links to that.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::wanted::{Source, Wanted};
use crate::catalog::blobs;
use crate::engine::Engine;
use crate::engine::export::exported::{check_case, clear, make_directory, write_file};
use crate::engine::job::Job;
use crate::error::{Context as _, Error, Kind, Result};
use crate::hosts::trees;
use crate::image::Digest;
use crate::store::LinkKind;

/// Where files are laid out, and how.
#[derive(Debug, Clone)]
pub(super) struct Ground {
    pub(super) directory: PathBuf,
    /// As hard links into the blob store where that is possible.
    pub(super) hard_links: bool,
    /// They are there then; otherwise they are still to be sent.
    pub(super) is_place: bool,
}

/// What was laid out.
#[derive(Debug, Default)]
pub(super) struct LaidOut {
    /// What each file is called by at a host that keeps its time.
    pub(super) tags: Vec<String>,
    /// Files that are the blob store's own.
    pub(super) hard_links: u64,
    /// Bytes of those that take room of their own.
    pub(super) bytes: u64,
}

impl Engine {
    /// Lays out these files, and leaves what is there and right.
    pub(super) fn lay_out(&self, ground: &Ground, files: &[Wanted], job: &Job) -> Result<LaidOut> {
        let directory = ground.directory.as_path();
        trees::check_keys(files.iter().map(|wanted| wanted.key.as_str()))?;
        let parent = directory.parent().unwrap_or(directory);
        fs::create_dir_all(parent).context(|| format!("can't make {}", parent.display()))?;
        make_directory(directory)?;
        let keys: Vec<&str> = files.iter().map(|wanted| wanted.key.as_str()).collect();
        check_case(directory, &keys)?;
        let exporter = self.store.exporter(ground.hard_links);
        let connection = self.catalog.read()?;
        let mut first: HashMap<Digest, PathBuf> = HashMap::new();
        let mut laid = LaidOut::default();
        for wanted in files {
            job.check()?;
            let path = directory.join(&wanted.key);
            make_parents(directory, &wanted.key)?;
            let kind = match first.get(&wanted.digest) {
                Some(first) if link(first, &path)? => None,
                _ => Some(self.lay_one(&connection, &exporter, wanted, &path)?),
            };
            let metadata = fs::symlink_metadata(&path).context(|| format!("can't look at {}", path.display()))?;
            if metadata.len() != wanted.size {
                return Err(Error::new(Kind::Verification, format!("{} has another size", path.display())));
            }
            laid.tags.push(trees::tag(wanted.size, metadata.mtime()));
            match kind {
                Some(LinkKind::HardLink) => laid.hard_links += 1,
                Some(LinkKind::Copy) => laid.bytes += wanted.size,
                Some(LinkKind::Reflink) | None => {}
            }
            if first.insert(wanted.digest, path).is_none() && ground.is_place {
                job.meter().advance(wanted.size);
            }
        }
        self.keep_stamps();
        Ok(laid)
    }

    fn lay_one(
        &self,
        connection: &rusqlite::Connection,
        exporter: &crate::store::Exporter<'_>,
        wanted: &Wanted,
        path: &Path,
    ) -> Result<LinkKind> {
        let Source::Blob(id) = wanted.source else {
            write_file(path, b"")?;
            return Ok(LinkKind::Copy);
        };
        let blob = blobs::by_id(connection, id)?;
        if blob.inline {
            write_file(path, &blobs::bytes(connection, id)?)?;
            return Ok(LinkKind::Copy);
        }
        self.bring(connection, &blob)?;
        self.check_length(&blob)?;
        if let Some(former) = exporter.former(&blob.digest, path) {
            return Ok(former);
        }
        clear(path)?;
        exporter.export(&blob.digest, path).context(|| format!("can't lay out {}", path.display()))
    }
}

fn make_parents(directory: &Path, key: &str) -> Result<()> {
    let mut path = directory.to_owned();
    for part in Path::new(key).parent().into_iter().flat_map(Path::components) {
        path.push(part);
        make_directory(&path)?;
    }
    Ok(())
}

/// Gives a file another name; false where the file system has none, or no more.
fn link(first: &Path, path: &Path) -> Result<bool> {
    let same = |one: &fs::Metadata, other: &fs::Metadata| (one.dev(), one.ino()) == (other.dev(), other.ino());
    if let (Ok(one), Ok(other)) = (fs::symlink_metadata(first), fs::symlink_metadata(path))
        && same(&one, &other)
    {
        return Ok(true);
    }
    clear(path)?;
    Ok(fs::hard_link(first, path).is_ok())
}
