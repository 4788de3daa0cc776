//! Where the files of a layout lie within a tar archive.
//!
//! Reads headers only, once (POSIX.1-2001 ustar and pax, GNU long names). Fields of a header are decoded by `tar`; walking is
//! done here, because that crate reads names of any length into memory and trusts sizes.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use tar::{EntryType, Header};

use crate::error::{Error, Kind, Result};
use crate::text::printable_within;

const TAR_BLOCK_BYTES: u64 = 512;

/// Most entries an archive may have.
const MAX_ENTRIES: usize = 100_000;

/// Largest pax header or long name.
const MAX_EXTENSION_BYTES: u64 = 1 << 20;

/// The layout's files in an archive: name → first byte and size.
#[derive(Debug)]
pub(super) struct TarIndex {
    file: File,
    files: BTreeMap<String, (u64, u64)>,
}

/// What an extension header says about the entry after it.
#[derive(Default)]
struct Extension {
    name: Option<String>,
    size: Option<u64>,
}

fn refuse(why: impl Into<String>) -> Error {
    Error::new(Kind::Usage, why)
}

impl TarIndex {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let file = crate::input::open(path).map_err(super::missing)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(refuse("it is a directory").hint(format!("For a directory write `oci:{}`.", path.display())));
        }
        if !metadata.is_file() {
            return Err(refuse("it is not a regular file").hint("Save it to a file first."));
        }
        let length = metadata.len();
        check_compression(&file, path)?;
        let mut files = BTreeMap::new();
        let mut extension = Extension::default();
        let (mut position, mut entries, mut docker_archive) = (0, 0, false);
        while position + TAR_BLOCK_BYTES <= length {
            let mut header = Header::new_old();
            file.read_exact_at(header.as_mut_bytes(), position)?;
            if header.as_bytes().iter().all(|byte| *byte == 0) {
                break;
            }
            position += TAR_BLOCK_BYTES;
            check_sum(&header)?;
            entries += 1;
            if entries > MAX_ENTRIES {
                return Err(refuse(format!("it has more than {MAX_ENTRIES} entries")));
            }
            let kind = header.entry_type();
            let is_extension = kind.is_pax_local_extensions() || kind.is_gnu_longname();
            let written = header.entry_size().map_err(|_| refuse("a size in it can't be read"))?;
            let size = if is_extension { written } else { extension.size.take().unwrap_or(written) };
            let end = position.checked_add(size).filter(|end| *end <= length);
            let end = end.ok_or_else(|| refuse("it ends before one of its files does; it may be cut off"))?;
            if is_extension {
                if size > MAX_EXTENSION_BYTES {
                    return Err(refuse("a name in it is far too long"));
                }
                let mut bytes = vec![0; size as usize];
                file.read_exact_at(&mut bytes, position)?;
                if kind.is_gnu_longname() {
                    extension.name = Some(String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_owned());
                } else {
                    read_pax(&bytes, &mut extension)?;
                }
            } else if !matches!(kind, EntryType::XGlobalHeader | EntryType::GNULongLink) {
                let name = extension.name.take();
                let name = name.unwrap_or_else(|| String::from_utf8_lossy(&header.path_bytes()).into_owned());
                docker_archive |= name == "manifest.json";
                if let Some(name) = layout_name(&name)? {
                    if !matches!(kind, EntryType::Regular | EntryType::Continuous) {
                        return Err(refuse(format!("`{name}` in it is not a regular file")));
                    }
                    if files.insert(name.clone(), (position, size)).is_some() {
                        return Err(refuse(format!("`{name}` is in it twice")));
                    }
                }
            }
            position = end.next_multiple_of(TAR_BLOCK_BYTES);
        }
        if !files.contains_key("index.json") {
            return Err(if entries == 0 {
                refuse("it is not a tar archive")
            } else if docker_archive {
                refuse("it is an archive of docker older than 25, which holds no OCI layout").hint(
                    "Save it again with docker 25 or later or `podman save --format oci-archive`, or convert it: `skopeo copy docker-archive:FILE oci-archive:FILE`.",
                )
            } else {
                refuse("there is no index.json in it, so it is not an OCI layout")
            });
        }
        Ok(Self { file, files })
    }

    /// The archive, and where in it this file lies.
    pub(super) fn file(&self, name: &str) -> Result<(File, u64, u64)> {
        let place = self.files.get(name);
        let &(start, size) = place.ok_or_else(|| Error::new(Kind::NotFound, format!("{name} is not in it")))?;
        Ok((self.file.try_clone()?, start, size))
    }
}

/// The name of a file that belongs to a layout; nothing for what is beside it. No archive of ours has a reason to climb.
fn layout_name(written: &str) -> Result<Option<String>> {
    if written.starts_with('/') || written.split('/').any(|part| part == "..") {
        return Err(refuse(format!("it has a path that leads out of it: `{}`", printable_within(written, 200))));
    }
    let parts: Vec<&str> = written.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let is_hex =
        |text: &str| text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    Ok(match parts.as_slice() {
        ["index.json" | "oci-layout"] => Some(parts.join("/")),
        ["blobs", "sha256", hex] if is_hex(hex) => Some(parts.join("/")),
        _ => None,
    })
}

/// Records `LENGTH KEY=VALUE\n` (POSIX.1-2001, pax).
fn read_pax(mut bytes: &[u8], extension: &mut Extension) -> Result<()> {
    let broken = || refuse("a pax header in it can't be read");
    while !bytes.is_empty() {
        let space = bytes.iter().position(|byte| *byte == b' ').ok_or_else(broken)?;
        let length: usize =
            std::str::from_utf8(&bytes[..space]).ok().and_then(|n| n.parse().ok()).ok_or_else(broken)?;
        if length <= space + 1 || length > bytes.len() || bytes[length - 1] != b'\n' {
            return Err(broken());
        }
        let record = String::from_utf8_lossy(&bytes[space + 1..length - 1]);
        match record.split_once('=') {
            Some(("path", path)) => extension.name = Some(path.to_owned()),
            Some(("size", size)) => extension.size = Some(size.parse().map_err(|_| broken())?),
            _ => {}
        }
        bytes = &bytes[length..];
    }
    Ok(())
}

fn check_sum(header: &Header) -> Result<()> {
    let sum: u32 = header
        .as_bytes()
        .iter()
        .enumerate()
        .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) })
        .sum();
    match header.cksum() {
        Ok(written) if written == sum => Ok(()),
        _ => Err(refuse("it is not a tar archive, or it is damaged")),
    }
}

fn check_compression(file: &File, path: &Path) -> Result<()> {
    let mut magic = [0; 6];
    let read = file.read_at(&mut magic, 0)?;
    let (name, command) = match &magic[..read] {
        [0x1f, 0x8b, ..] => ("gzip", "gunzip --keep"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => ("zstd", "unzstd --keep"),
        [b'B', b'Z', b'h', ..] => ("bzip2", "bunzip2 --keep"),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => ("xz", "unxz --keep"),
        _ => return Ok(()),
    };
    Err(refuse(format!(
        "it is compressed with {name}; only plain tar archives are supported, because blobs are read in place"
    ))
    .hint(format!("Decompress it first: `{command} {}`.", printable_within(&path.display().to_string(), 200))))
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn damaged_archives_never_panic(at in 0usize..4096, with in 0u8..=255, length in 0usize..4096, fix in proptest::bool::ANY) {
            let mut archive = Vec::new();
            for (kind, content) in [(b'x', &b"27 path=blobs/x size=1\n18 size=99999999\n"[..]), (b'L', b"index.json\0"), (b'0', b"{}")] {
                let mut header = Header::new_ustar();
                header.as_mut_bytes()[..10].copy_from_slice(b"index.json");
                header.set_entry_type(EntryType::new(kind));
                header.set_size(content.len() as u64);
                header.set_cksum();
                archive.extend_from_slice(header.as_bytes());
                archive.extend_from_slice(content);
                archive.resize(archive.len().next_multiple_of(512), 0);
            }
            let end = archive.len() - 1;
            archive[at.min(end)] = with;
            if fix {
                for block in archive.chunks_exact_mut(1024) {
                    let mut header = Header::new_old();
                    header.as_mut_bytes().copy_from_slice(&block[..512]);
                    header.set_cksum();
                    block[..512].copy_from_slice(header.as_bytes());
                }
            }
            archive.truncate(length.max(600));
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), &archive).unwrap();
            if let Ok(index) = TarIndex::read(file.path()) {
                for (start, size) in index.files.values() {
                    proptest::prop_assert!(start + size <= archive.len() as u64);
                }
            }
        }

        #[test]
        fn pax_records_never_panic(bytes in "([0-9]{1,2} (path|size|x)=[a-z0-9é]{0,9}\n?){0,3}|\\PC{0,20}") {
            let _ = read_pax(bytes.as_bytes(), &mut Extension::default());
        }
    }
}
