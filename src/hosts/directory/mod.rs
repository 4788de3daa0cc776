//! A directory of this machine that a web server gives out: trees side by side, switched by renaming a link.
//!
//! Only directories that are new, empty or ours are written to. Symbolic links inside are never followed, but for the link that says
//! which tree is given out. Publishers take turns by a lock on the record's directory.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use rustix::fs::OFlags;
use tempfile::NamedTempFile;
use tokio_util::io::ReaderStream;

use self::files::{FILE_MODE, found, link, make_directory, make_parents, sync_files, sync_names, walk};
use super::trees::{
    CURRENT, INCOMING, MAX_RECORD_BYTES, NewTree, RECORD, TREES, Trees, check_keys, check_record, is_name, record_of,
    record_tag, tag,
};
use super::{
    ByteStream, Condition, Content, CopyObjects, Host, HostStatus, Listed, Object, Openness, Page, Read, Stored, Tried,
    Uploads,
};
use crate::error::{Error, Kind, Result};
use crate::text::bytes;

mod files;
mod trial;

/// The file that publishers lock while they change the record or switch.
const LOCK: &str = ".roadstead.lock";
/// Bytes that are read of a file at once.
const READ_BYTES: usize = 128 << 10;

/// A directory of this machine.
#[derive(Debug, Clone)]
pub struct Directory {
    place: PathBuf,
    incoming: PathBuf,
    hard_links: bool,
}

impl Directory {
    /// The directory at this path. With `hard_links`, files may be the blob store's own.
    pub fn new(place: PathBuf, hard_links: bool) -> Self {
        let incoming = place.join(INCOMING);
        Self { place, incoming, hard_links }
    }

    fn shown(&self) -> String {
        self.place.display().to_string()
    }

    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&Self) -> Result<T> + Send + 'static) -> Result<T> {
        let own = self.clone();
        tokio::task::spawn_blocking(move || work(&own))
            .await
            .map_err(|error| Error::new(Kind::Unexpected, "a thread ended early").caused_by(error))?
    }

    fn name_now(&self) -> Result<Option<String>> {
        let linked = match found(fs::read_link(self.place.join(CURRENT))) {
            Ok(linked) => linked,
            Err(error) if error.kind() == ErrorKind::InvalidInput => {
                return Err(Error::new(Kind::Usage, format!("{} is not a link", self.place.join(CURRENT).display()))
                    .hint("Publishing replaces a link of that name. Choose another directory."));
            }
            Err(error) => return Err(self.failed(&error, &format!("read {}", self.shown()))),
        };
        let name = linked.as_deref().and_then(|path| path.strip_prefix(TREES).ok()).and_then(Path::to_str);
        Ok(name.filter(|name| is_name(name)).map(str::to_owned))
    }

    fn tree_now(&self) -> Result<Option<PathBuf>> {
        Ok(self.name_now()?.map(|name| self.place.join(TREES).join(name)))
    }

    /// Makes the place, if it is new; an error if it is neither empty nor ours.
    fn claim(&self) -> Result<()> {
        let doing = || format!("publish to {}", self.shown());
        let parent = self.place.parent().unwrap_or(&self.place);
        if !parent.is_dir() {
            return Err(Error::new(Kind::Usage, format!("there is no directory {}", parent.display()))
                .hint("Make it, or mount its disk."));
        }
        self.tell(make_directory(&self.place), doing)?;
        let ours = [RECORD, LOCK, CURRENT].iter().any(|name| fs::symlink_metadata(self.place.join(name)).is_ok());
        if !ours && self.tell(fs::read_dir(&self.place), doing)?.next().is_some() {
            return Err(Error::new(Kind::Usage, format!("{} is not empty, and not published to before", self.shown()))
                .hint("Choose a new directory; nothing in this one was touched."));
        }
        Ok(())
    }

    /// Another publisher has it for milliseconds.
    fn lock(&self) -> Result<File> {
        let doing = || format!("lock {}", self.shown());
        // A pipe or a link that somebody has put there is neither waited for nor followed.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC).bits();
        let mut options = File::options();
        options.create(true).truncate(false).read(true).write(true).custom_flags(flags.cast_signed());
        let file = self.tell(options.open(self.place.join(LOCK)), doing)?;
        match file.lock() {
            Ok(()) => Ok(file),
            // Network file systems may have no locks: the record is compared all the same.
            Err(error) if error.kind() == ErrorKind::Unsupported => Ok(file),
            Err(error) => Err(self.failed(&error, &doing())),
        }
    }

    fn record(&self) -> Result<Option<Bytes>> {
        let path = self.place.join(RECORD);
        let read = found(crate::input::read_regular(&path, MAX_RECORD_BYTES));
        Ok(self.tell(read, || format!("read {}", path.display()))?.map(Bytes::from))
    }

    fn record_holds(&self, condition: &Condition) -> Result<bool> {
        let there = self.record()?.map(|bytes| record_tag(&bytes));
        Ok(match condition {
            Condition::Always => true,
            Condition::Absent => there.is_none(),
            Condition::Tag(tag) => there.as_ref() == Some(tag),
        })
    }

    fn write_record(&self, bytes: &[u8], condition: &Condition) -> Result<Stored> {
        self.claim()?;
        let _lock = self.lock()?;
        if !self.record_holds(condition)? {
            return Ok(Stored::Refused);
        }
        let write = || -> io::Result<()> {
            let mut new = NamedTempFile::with_prefix_in(".roadstead-", &self.place)?;
            new.write_all(bytes)?;
            drop(new.as_file().set_permissions(Permissions::from_mode(FILE_MODE)));
            new.as_file().sync_all()?;
            new.persist(self.place.join(RECORD))?;
            sync_names(&self.place)
        };
        self.tell(write(), || format!("write {}", self.place.join(RECORD).display()))?;
        Ok(Stored::Now(record_tag(bytes)))
    }

    fn listed(&self) -> Result<Vec<Listed>> {
        let mut objects = Vec::new();
        if let Some(record) = self.record()? {
            objects.push(Listed { key: RECORD.to_owned(), size: record.len() as u64, tag: record_tag(&record) });
        }
        let Some(tree) = self.tree_now()? else { return Ok(objects) };
        let walked = found(walk(&tree, &mut |key, metadata| {
            objects.push(Listed { key, size: metadata.len(), tag: tag(metadata.len(), metadata.mtime()) });
            Ok(())
        }));
        self.tell(walked, || format!("list {}", tree.display()))?;
        Ok(objects)
    }

    fn file(&self, key: &str) -> Result<Option<File>> {
        check_keys([key].into_iter())?;
        let path = match self.tree_now()? {
            _ if key == RECORD => self.place.join(RECORD),
            Some(tree) => tree.join(key),
            None => return Ok(None),
        };
        self.tell(found(crate::input::open_regular(&path)), || format!("read {}", path.display()))
    }

    fn made(&self, new: &NewTree) -> Result<()> {
        check_keys(new.without.iter().chain(&new.new).map(String::as_str))?;
        check_keys(new.same.iter().flat_map(|(from, to)| [from.as_str(), to.as_str()]))?;
        let trees = self.place.join(TREES);
        let tree = trees.join(&new.name);
        let doing = || format!("make {}", tree.display());
        if !is_name(&new.name) || self.name_now()?.as_ref() == Some(&new.name) {
            return Err(Error::new(Kind::Unexpected, format!("can't {}", doing())));
        }
        let without: std::collections::HashSet<&str> = new.without.iter().map(String::as_str).collect();
        let former = self.tree_now()?;
        let fill = || -> io::Result<()> {
            found(fs::remove_dir_all(&tree))?;
            make_directory(&trees)?;
            make_directory(&tree)?;
            if let Some(former) = &former {
                found(walk(former, &mut |key, _| {
                    if without.contains(key.as_str()) {
                        return Ok(());
                    }
                    make_parents(&tree, &key)?;
                    link(&former.join(&key), &tree.join(&key))
                }))?;
            }
            for key in &new.new {
                make_parents(&tree, key)?;
                link(&self.incoming.join(key), &tree.join(key))?;
            }
            for (from, to) in &new.same {
                make_parents(&tree, to)?;
                link(&tree.join(from), &tree.join(to))?;
            }
            sync_files(&tree)
        };
        self.tell(fill(), doing)
    }

    fn switched(&self, name: &str, record: &str) -> Result<Stored> {
        let _lock = self.lock()?;
        if !self.record_holds(&Condition::Tag(record.to_owned()))? {
            return Ok(Stored::Refused);
        }
        let (link, new) = (self.place.join(CURRENT), self.place.join(".current.new"));
        let switch = || -> io::Result<()> {
            found(fs::remove_file(&new))?;
            symlink(Path::new(TREES).join(name), &new)?;
            fs::rename(&new, &link)?;
            sync_names(&self.place)
        };
        self.tell(switch(), || format!("switch {}", link.display()))?;
        Ok(Stored::Now(name.to_owned()))
    }

    fn tidied(&self) -> Result<u64> {
        let Some(now) = self.name_now()? else { return Ok(0) };
        let tidy = || -> io::Result<u64> {
            found(fs::remove_dir_all(&self.incoming))?;
            let mut removed = 0;
            for entry in found(fs::read_dir(self.place.join(TREES)))?.into_iter().flatten() {
                let entry = entry?;
                if entry.file_name().to_str().is_some_and(|name| is_name(name) && name != now) {
                    found(fs::remove_dir_all(entry.path()))?;
                    removed += 1;
                }
            }
            Ok(removed)
        };
        self.tell(tidy(), || format!("tidy {}", self.shown()))
    }

    /// Bytes that are free where the place is or will be.
    fn free(&self) -> Option<u64> {
        let there = if self.place.is_dir() { self.place.as_path() } else { self.place.parent()? };
        let found = rustix::fs::statvfs(there).ok()?;
        Some(found.f_bavail.saturating_mul(found.f_frsize))
    }

    /// What failed, in words of this place: a full disk, a directory of somebody else.
    fn failed(&self, error: &io::Error, doing: &str) -> Error {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                let free = self.free().map_or_else(String::new, |free| format!(": {} free", bytes(free)));
                Error::new(Kind::Node, format!("can't {doing}: {} is full{free}", self.shown()))
                    .hint("Readers still get the former tree. Make room, then run this again.")
            }
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                Error::new(Kind::Node, format!("can't {doing}: {error}")).hint("Check who may write there.")
            }
            _ => Error::new(Kind::Node, format!("can't {doing}: {error}")),
        }
    }

    fn tell<T>(&self, result: io::Result<T>, doing: impl FnOnce() -> String) -> Result<T> {
        result.map_err(|error| self.failed(&error, &doing()))
    }
}

#[async_trait]
impl Host for Directory {
    fn place(&self) -> String {
        self.shown()
    }

    async fn status(&self) -> Result<HostStatus> {
        self.blocking(|own| {
            let there = if own.place.exists() { &own.place } else { own.place.parent().unwrap_or(&own.place) };
            own.tell(fs::read_dir(there), || format!("read {}", there.display()))?;
            Ok(HostStatus { agent: "directory".to_owned(), url: own.place.join(CURRENT).display().to_string() })
        })
        .await
    }

    async fn try_rights(&self) -> Vec<Tried> {
        self.blocking(|own| Ok(trial::run(own))).await.unwrap_or_default()
    }

    async fn list(&self, _: Option<&str>) -> Result<Page> {
        Ok(Page { objects: self.blocking(Self::listed).await?, next: None })
    }

    async fn read(&self, key: &str, most: u64) -> Result<Option<Read>> {
        let key = key.to_owned();
        self.blocking(move |own| {
            let Some(file) = own.file(&key)? else { return Ok(None) };
            let mut bytes = Vec::new();
            let read = file.metadata().and_then(|metadata| {
                file.take(most + 1).read_to_end(&mut bytes)?;
                Ok(metadata)
            });
            let metadata = own.tell(read, || format!("read {key} in {}", own.shown()))?;
            if bytes.len() as u64 > most {
                return Err(Error::new(Kind::Node, format!("{key} in {} is too large", own.shown())));
            }
            let tag = if key == RECORD { record_tag(&bytes) } else { tag(metadata.len(), metadata.mtime()) };
            Ok(Some(Read { bytes: bytes.into(), tag, content_type: String::new() }))
        })
        .await
    }

    async fn open(&self, key: &str) -> Result<Option<ByteStream>> {
        let key = key.to_owned();
        let file = self.blocking(move |own| own.file(&key)).await?;
        Ok(file.map(|file| ReaderStream::with_capacity(tokio::fs::File::from_std(file), READ_BYTES).boxed()))
    }

    async fn put(
        &self,
        object: &Object,
        content: &dyn Content,
        condition: &Condition,
        _: &dyn Uploads,
    ) -> Result<Stored> {
        check_record(&object.key)?;
        let (bytes, condition) = (record_of(object, content).await?, condition.clone());
        self.blocking(move |own| own.write_record(&bytes, &condition)).await
    }

    async fn delete(&self, key: &str, _: Option<&str>) -> Result<Stored> {
        check_record(key)?;
        self.blocking(|own| {
            own.tell(found(fs::remove_file(own.place.join(RECORD))), || format!("tidy {}", own.shown()))?;
            Ok(Stored::Now(String::new()))
        })
        .await
    }

    fn copies(&self) -> Option<&dyn CopyObjects> {
        None
    }

    fn trees(&self) -> Option<&dyn Trees> {
        Some(self)
    }

    /// Who may read is said by the web server.
    async fn openness(&self, _: &str) -> Openness {
        Openness { read: Some(true), list: false }
    }
}

#[async_trait]
impl Trees for Directory {
    fn layout(&self) -> &Path {
        &self.incoming
    }

    fn hard_links(&self) -> bool {
        self.hard_links
    }

    fn is_remote(&self) -> bool {
        false
    }

    async fn current(&self) -> Result<Option<String>> {
        self.blocking(Self::name_now).await
    }

    /// They are there: new files are laid out where they are wanted.
    async fn send(&self, _: &[String], _: &dyn Uploads) -> Result<()> {
        Ok(())
    }

    async fn make(&self, tree: &NewTree) -> Result<()> {
        let tree = tree.clone();
        self.blocking(move |own| own.made(&tree)).await
    }

    async fn switch(&self, name: &str, record: &str) -> Result<Stored> {
        let (name, record) = (name.to_owned(), record.to_owned());
        self.blocking(move |own| own.switched(&name, &record)).await
    }

    async fn tidy(&self) -> Result<u64> {
        self.blocking(Self::tidied).await
    }
}

#[cfg(test)]
mod tests;
