//! What one layer holds.

use std::collections::VecDeque;
use std::io::Read;

use sha2::{Digest as _, Sha256};

use super::archive::{Head, Walk};
use super::{MAX_FILES, MAX_FOOTPRINT_BYTES, MAX_PATHS_BYTES};
use crate::error::{Error, Kind, Result};
use crate::image::Digest;

/// Prefix of a name that takes the rest of it away from the layers below (OCI image spec, layer.md, "Whiteouts").
const WHITEOUT: &str = ".wh.";
/// Name of a file that takes away everything that the layers below have in its directory ("Opaque Whiteout").
const OPAQUE: &str = ".wh..wh..opq";
/// What AUFS kept for itself begins so, and belongs to no image (moby, pkg/archive/whiteouts.go).
const AUFS: &str = ".wh..wh.";

/// What sort of file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// Another name of a file of the same layer.
    HardLink,
    /// A character device.
    CharacterDevice,
    /// A block device.
    BlockDevice,
    /// A named pipe.
    Fifo,
}

impl FileKind {
    /// Its letter in a list, as `ls -l` has it; a hard link is `h`, as `tar tv` has it.
    pub fn letter(self) -> char {
        match self {
            Self::Regular => '-',
            Self::Directory => 'd',
            Self::Symlink => 'l',
            Self::HardLink => 'h',
            Self::CharacterDevice => 'c',
            Self::BlockDevice => 'b',
            Self::Fifo => 'p',
        }
    }

    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Regular => "file",
            Self::Directory => "directory",
            Self::Symlink => "symlink",
            Self::HardLink => "hardlink",
            Self::CharacterDevice => "character_device",
            Self::BlockDevice => "block_device",
            Self::Fifo => "fifo",
        }
    }
}

/// A file of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Path from the root of the image, without a slash before or behind it; untrusted text.
    pub path: Box<str>,
    /// What sort of file it is.
    pub kind: FileKind,
    /// Bytes of a regular file; of everything else 0.
    pub size: u64,
    /// Permissions, with set-user-ID, set-group-ID and sticky bit.
    pub mode: u32,
    /// Number of its owner.
    pub uid: u64,
    /// Number of its group.
    pub gid: u64,
    /// Where a link points to, as it is written there; untrusted text.
    pub link: Option<Box<str>>,
    /// Digest of a regular file's content; none if parts of it are not in the archive.
    pub digest: Option<Digest>,
    /// Its place in the archive, from 0.
    pub number: u32,
}

impl Entry {
    /// Whether it is the same file as another one: all but when it was written.
    pub fn is_same(&self, other: &Self) -> bool {
        let of = |entry: &Self| (entry.kind, entry.size, entry.mode, entry.uid, entry.gid, entry.digest);
        of(self) == of(other) && self.link == other.link
    }

    /// Kind and permissions as `ls -l` writes them: `-rwxr-xr-x`.
    pub fn permissions(&self) -> String {
        let bit = |bit: u32| self.mode & bit != 0;
        let mut text = String::with_capacity(10);
        text.push(self.kind.letter());
        for (shift, special, (set, set_only)) in
            [(6, 0o4000, ('s', 'S')), (3, 0o2000, ('s', 'S')), (0, 0o1000, ('t', 'T'))]
        {
            text.push(if bit(4 << shift) { 'r' } else { '-' });
            text.push(if bit(2 << shift) { 'w' } else { '-' });
            text.push(match (bit(1 << shift), bit(special)) {
                (true, true) => set,
                (false, true) => set_only,
                (true, false) => 'x',
                (false, false) => '-',
            });
        }
        text
    }
}

/// What one layer adds and takes away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layer {
    /// Its files, in the order of the archive.
    pub entries: Vec<Entry>,
    /// Paths that it takes away from the layers below.
    pub whiteouts: Vec<Box<str>>,
    /// Directories of which it takes away everything that the layers below have in them.
    pub opaque: Vec<Box<str>>,
}

impl Layer {
    /// Reads the tar archive of a layer, decompressed already. Refuses one that goes beyond a limit of this room.
    pub fn read(archive: impl Read) -> Result<Self> {
        Self::read_within(archive, MAX_FILES, MAX_PATHS_BYTES)
    }

    pub(super) fn read_within(archive: impl Read, max_files: usize, max_paths_bytes: usize) -> Result<Self> {
        let (mut walk, mut layer) = (Walk::new(archive), Self::default());
        let (mut number, mut path_bytes) = (0_u32, 0_usize);
        while let Some(head) = walk.next()? {
            if number as usize >= max_files {
                return Err(Error::new(Kind::Usage, format!("it has more than {max_files} files")));
            }
            let path = normal(&head.path);
            path_bytes += path.len() + head.link.as_ref().map_or(0, String::len);
            if path_bytes > max_paths_bytes {
                let most = crate::text::bytes(max_paths_bytes as u64);
                return Err(Error::new(Kind::Usage, format!("its paths have more than {most}")));
            }
            let (directory, name) = path.rsplit_once('/').unwrap_or(("", &path));
            if name == OPAQUE {
                layer.opaque.push(directory.into());
            } else if name.starts_with(AUFS) || path.is_empty() && head.kind != FileKind::Directory {
                // Of no image; and the root is a directory, whatever an archive says.
            } else if let Some(gone) = name.strip_prefix(WHITEOUT) {
                if !gone.is_empty() {
                    layer.whiteouts.push(join(directory, gone).into());
                }
            } else {
                let digest = content(&mut walk, &head)?;
                layer.entries.push(entry(path.into(), head, digest, number));
            }
            number += 1;
        }
        Ok(layer)
    }

    /// Gives the content of the regular file that has this place in a layer's archive, part by part.
    pub fn copy(archive: impl Read, number: u32, take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut walk = Walk::new(archive);
        let mut at = 0;
        while walk.next()?.is_some() {
            if at == number {
                return walk.body(take);
            }
            at += 1;
        }
        Err(Error::new(Kind::Verification, "it has fewer files than before"))
    }

    /// About how many bytes it takes in memory.
    pub fn footprint(&self) -> usize {
        let paths = |paths: &[Box<str>]| paths.iter().map(|path| path.len() + size_of::<Box<str>>()).sum::<usize>();
        let of =
            |entry: &Entry| size_of::<Entry>() + entry.path.len() + entry.link.as_ref().map_or(0, |link| link.len());
        self.entries.iter().map(of).sum::<usize>() + paths(&self.whiteouts) + paths(&self.opaque)
    }
}

/// Refuses layers whose lists of files take more bytes of memory than those of one image may.
pub fn check_footprint(bytes: usize) -> Result<()> {
    if bytes <= MAX_FOOTPRINT_BYTES {
        return Ok(());
    }
    let most = crate::text::bytes(MAX_FOOTPRINT_BYTES as u64);
    Err(Error::new(Kind::Usage, format!("its layers have too many files: the lists of them have more than {most}")))
}

fn entry(path: Box<str>, head: Head, digest: Option<Digest>, number: u32) -> Entry {
    Entry {
        path,
        kind: head.kind,
        size: if head.kind == FileKind::Regular { head.size } else { 0 },
        mode: head.mode,
        uid: head.uid,
        gid: head.gid,
        link: head.link.map(Into::into),
        digest,
        number,
    }
}

fn content(walk: &mut Walk<impl Read>, head: &Head) -> Result<Option<Digest>> {
    if head.kind != FileKind::Regular || head.is_sparse {
        return Ok(None);
    }
    let mut hasher = Sha256::new();
    walk.body(|part| {
        hasher.update(part);
        Ok(())
    })?;
    Ok(Some(Digest::from_bytes(hasher.finalize().into())))
}

/// A path without what says nothing: slashes at its ends, doubled ones, and `.`. A `..` stays a name like others.
pub(super) fn normal(written: &str) -> String {
    parts(written).collect::<Vec<_>>().join("/")
}

pub(super) fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".")
}

pub(super) fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") }
}

/// Which layer each step of a configuration's `history` made (OCI image spec, config.md): the commands of the layers, in their
/// order. None where the configuration doesn't say it for all of them.
pub fn commands(configuration: &[u8], layers: usize) -> Vec<Option<String>> {
    #[derive(serde::Deserialize)]
    struct Wire {
        #[serde(default)]
        history: VecDeque<Step>,
    }
    #[derive(serde::Deserialize)]
    struct Step {
        created_by: Option<String>,
        comment: Option<String>,
        #[serde(default)]
        empty_layer: bool,
    }
    let steps = serde_json::from_slice::<Wire>(configuration).map(|wire| wire.history).unwrap_or_default();
    let made: Vec<Option<String>> = steps
        .into_iter()
        .filter(|step| !step.empty_layer)
        .map(|step| step.created_by.or(step.comment).filter(|text| !text.is_empty()))
        .collect();
    if made.len() == layers { made } else { vec![None; layers] }
}
