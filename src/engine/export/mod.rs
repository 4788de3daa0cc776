//! The tree as files, and as a CAR: what any web host, and any IPFS node, takes as it is.

mod car_file;
pub(in crate::engine) mod exported;
pub(in crate::engine) mod since;

use std::collections::HashSet;
use std::io::{BufWriter, Write};
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use cid::Cid;
use rusqlite::Connection;
use serde::Serialize;

use self::car_file::CarFile;
use super::Engine;
use super::blocks::{blob_of, is_directory, short};
use super::job::{Event, Job};
use super::restore::unfinished::check_finished;
use crate::catalog::blobs::{self, Blob};
use crate::catalog::{Reader, TemporaryCopy, nodes, state};
use crate::error::{Context as _, Error, Kind, Result};
use crate::store::{Exporter, LinkKind};
use crate::unixfs::{Link, car, directory};

/// What an export wrote.
#[derive(Debug, Clone, Serialize)]
pub struct Exported {
    /// Root of the tree that was exported.
    #[serde(serialize_with = "as_text")]
    pub root: Cid,
    /// Files; none in a CAR.
    pub files: u64,
    /// Bytes of the files, or of the CAR.
    pub bytes: u64,
    /// Files that take no room because they are hard links into the blob store.
    pub hard_links: u64,
    /// Files that take no room because they share their blocks with the blob store.
    pub reflinks: u64,
    /// Files that are copies.
    pub copies: u64,
    /// Files that this export wrote; the others were there from a former one.
    pub written: u64,
    /// Bytes of what it wrote that take room of their own: links don't.
    pub written_bytes: u64,
    /// Blocks of a CAR.
    pub blocks: u64,
}

impl Exported {
    fn of(root: Cid) -> Self {
        Self {
            root,
            files: 0,
            bytes: 0,
            hard_links: 0,
            reflinks: 0,
            copies: 0,
            written: 0,
            written_bytes: 0,
            blocks: 0,
        }
    }

    /// Counts a file that was not there; `room` is what it takes.
    fn wrote(&mut self, room: u64) {
        self.written += 1;
        self.written_bytes += room;
    }
}

fn as_text<S: serde::Serializer>(cid: &Cid, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_str(cid)
}

/// How the tree is written as files.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExportOptions {
    /// As if every private repository were allowed.
    pub include_private: bool,
    /// No hard links into the blob store: files of their own, so that changing one changes nothing else.
    pub copy: bool,
}

impl Engine {
    fn root_to_export(connection: &Connection) -> Result<Link> {
        check_finished(connection)?;
        state::root(connection)?.ok_or_else(|| {
            Error::new(Kind::NotFound, "there is nothing to export yet").hint("`roadstead add REF` adds an image.")
        })
    }

    /// Writes the tree below a directory that is not there or empty, or holds a former export, which becomes this one.
    pub async fn export_directory(
        self: &Arc<Self>,
        target: &Path,
        options: ExportOptions,
        job: &Job,
    ) -> Result<Exported> {
        let _lease = self.lease(&format!("export {}", target.display()), job).await?;
        let (job, target) = (job.clone(), target.to_owned());
        self.blocking(move |engine| engine.write_directory(&target, options, &job)).await
    }

    fn write_directory(&self, target: &Path, options: ExportOptions, job: &Job) -> Result<Exported> {
        let state = self.state_to_export(options.include_private)?;
        let root = Self::root_to_export(&state)?;
        exported::claim(target, options.include_private)?;
        let mut files = Files {
            engine: self,
            connection: &state,
            exporter: self.store.exporter(!options.copy),
            job,
            exported: Exported::of(root.cid),
        };
        let written = files.write(&root, target);
        self.keep_stamps();
        written?;
        exported::finish(target, &root.cid.to_string())?;
        Ok(files.exported)
    }

    /// What is exported: the catalog as it is now, or a copy of it with the private repositories.
    fn state_to_export(&self, include_private: bool) -> Result<State<'_>> {
        Ok(if include_private { State::Copy(self.copy_with_private()?) } else { State::Now(self.catalog.read()?) })
    }

    /// Writes every block of the tree into a CARv1 file, which appears under its name only when it is complete.
    /// With `include_private`, as if every private repository were allowed; with `since`, without the blocks that this root
    /// has, which the catalog must still hold whole.
    pub async fn export_car(
        self: &Arc<Self>,
        target: &Path,
        include_private: bool,
        since: Option<Cid>,
        job: &Job,
    ) -> Result<Exported> {
        let _lease = self.lease(&format!("export {}", target.display()), job).await?;
        let (job, target) = (job.clone(), target.to_owned());
        self.blocking(move |engine| engine.write_car(&target, include_private, since.as_ref(), &job)).await
    }

    fn write_car(&self, target: &Path, include_private: bool, since: Option<&Cid>, job: &Job) -> Result<Exported> {
        let state = self.state_to_export(include_private)?;
        let root = Self::root_to_export(&state)?;
        let there = match since {
            Some(since) => self::since::blocks_of(&state, self.profile, since, job)?,
            None => HashSet::new(),
        };
        job.meter().expect(root.tsize);
        let words = || format!("can't write {}", target.display());
        let file = CarFile::beside(target, include_private).context(words)?;
        let mut out = Out { writer: BufWriter::with_capacity(1 << 20, file), job, blocks: 0, bytes: 0 };
        let written = self.write_blocks(&state, &root, there, &mut out);
        self.keep_stamps();
        let finished = written.and_then(|()| {
            let file = out.writer.into_inner().map_err(|error| Error::from(error.into_error()))?;
            Ok(file.finish()?)
        });
        finished.context(words)?;
        Ok(Exported {
            bytes: out.bytes,
            written: 1,
            written_bytes: out.bytes,
            blocks: out.blocks,
            ..Exported::of(root.cid)
        })
    }

    /// Every block below the root that is not `seen`, each directory and file once, parents before their children.
    fn write_blocks(
        &self,
        connection: &Connection,
        root: &Link,
        mut seen: HashSet<u128>,
        out: &mut Out<'_>,
    ) -> Result<()> {
        out.write(&car::header(&[root.cid]))?;
        let mut todo = vec![*root];
        let mut store = nodes::Nodes::of(connection);
        while let Some(link) = todo.pop() {
            if !seen.insert(short(&link.cid)) {
                continue;
            }
            if is_directory(connection, &link)? {
                directory::nodes(&mut store, &link, &mut |node| {
                    if node.cid == link.cid || seen.insert(short(&node.cid)) {
                        out.block(&node.cid, &node.bytes)
                    } else {
                        Ok(())
                    }
                })?;
                directory::list(&mut store, &link, &mut |_, child| {
                    todo.push(child);
                    Ok(())
                })?;
                continue;
            }
            let blob = blob_of(connection, &link)?;
            self.write_file_blocks(connection, &blob, &mut seen, out)?;
        }
        Ok(())
    }

    fn write_file_blocks(
        &self,
        connection: &Connection,
        blob: &Blob,
        seen: &mut HashSet<u128>,
        out: &mut Out<'_>,
    ) -> Result<()> {
        // A block of several files is written once; the root has been seen by who found the file.
        let mut wanted = |_: usize, cid: &Cid| *cid == blob.link.cid || seen.insert(short(cid));
        self.file_blocks(connection, blob, &mut wanted, &mut |block| out.block(&block.cid, block.bytes))
    }
}

/// A state of the catalog that is exported.
enum State<'c> {
    Now(Reader<'c>),
    Copy(TemporaryCopy),
}

impl Deref for State<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        match self {
            Self::Now(reader) => reader,
            Self::Copy(copy) => copy,
        }
    }
}

/// The tree on its way to files.
struct Files<'e> {
    engine: &'e Engine,
    connection: &'e Connection,
    exporter: Exporter<'e>,
    job: &'e Job,
    exported: Exported,
}

impl Files<'_> {
    /// Writes a directory and everything below it.
    fn write(&mut self, link: &Link, target: &Path) -> Result<()> {
        self.job.check()?;
        let mut entries: Vec<(String, Link)> = Vec::new();
        let mut store = nodes::Nodes::of(self.connection);
        directory::list(&mut store, link, &mut |name, link| {
            entries.push((name.to_owned(), link));
            Ok(())
        })?;
        let names: Vec<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
        exported::check_case(target, &names)?;
        exported::remove_others(target, &names.into_iter().collect())?;
        for (name, link) in &entries {
            if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
                return Err(Error::new(
                    Kind::Verification,
                    format!("`{}` can't be the name of a file", crate::text::printable(name)),
                ));
            }
            let path = target.join(name);
            if is_directory(self.connection, link)? {
                exported::make_directory(&path)?;
                self.write(link, &path)?;
                continue;
            }
            self.file(&blob_of(self.connection, link)?, &path)?;
            if self.exported.files.is_multiple_of(256) {
                self.job.tell(Event::Progress { what: "files", done: self.exported.files, total: 0 });
                self.job.check()?;
            }
        }
        Ok(())
    }

    fn file(&mut self, blob: &Blob, path: &Path) -> Result<()> {
        self.exported.files += 1;
        self.exported.bytes += blob.size;
        if blob.inline {
            if exported::write_file(path, &blobs::bytes(self.connection, blob.id)?)? {
                self.exported.wrote(blob.size);
            }
            self.exported.copies += 1;
            return Ok(());
        }
        self.engine.bring(self.connection, blob)?;
        self.engine.check_length(blob)?;
        let kind = match self.exporter.former(&blob.digest, path) {
            Some(former) => former,
            None => {
                exported::clear(path)?;
                let exported = self.exporter.export(&blob.digest, path);
                let kind = exported.context(|| format!("can't export to {}", path.display()))?;
                self.exported.wrote(if kind == LinkKind::Copy { blob.size } else { 0 });
                kind
            }
        };
        match kind {
            LinkKind::HardLink => self.exported.hard_links += 1,
            LinkKind::Reflink => self.exported.reflinks += 1,
            LinkKind::Copy => self.exported.copies += 1,
        }
        Ok(())
    }
}

struct Out<'j> {
    writer: BufWriter<CarFile>,
    job: &'j Job,
    blocks: u64,
    bytes: u64,
}

impl Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.writer.write_all(bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn block(&mut self, cid: &Cid, bytes: &[u8]) -> Result<()> {
        self.job.check()?;
        self.write(&car::block_prefix(cid, bytes.len() as u64))?;
        self.write(bytes)?;
        self.blocks += 1;
        self.job.meter().advance(bytes.len() as u64);
        Ok(())
    }
}
