//! One walk over a tar stream, header by header (POSIX.1-2001 ustar and pax, GNU long names and sparse files).
//!
//! Fields of a header are decoded by `tar`; walking is done here, because that crate reads names of any length into memory.

use std::io::{self, Read};

use tar::{EntryType, Header};

use super::layer::FileKind;
use super::{MAX_EXTENSION_BYTES, MAX_LAYER_BYTES, MAX_PATH_BYTES};
use crate::error::{Error, Kind, Result};
use crate::text::printable_within;

const BLOCK_BYTES: usize = 512;
const BUFFER_BYTES: usize = 64 << 10;

/// What a header says of a file, with what the extensions before it said.
#[derive(Debug)]
pub(super) struct Head {
    /// As it is written there.
    pub(super) path: String,
    pub(super) kind: FileKind,
    /// Bytes of the file: more than what follows, if it is sparse.
    pub(super) size: u64,
    /// Parts of it are not in the archive.
    pub(super) is_sparse: bool,
    pub(super) mode: u32,
    pub(super) uid: u64,
    pub(super) gid: u64,
    /// What a link points to.
    pub(super) link: Option<String>,
}

/// What extension headers say about the file after them.
#[derive(Default)]
struct Extension {
    path: Option<String>,
    link: Option<String>,
    size: Option<u64>,
    uid: Option<u64>,
    gid: Option<u64>,
    real_size: Option<u64>,
    is_sparse: bool,
}

/// A walk over the files of an archive.
pub(super) struct Walk<R> {
    reader: R,
    /// Bytes of the file that have not been read, and what fills its last block.
    left: u64,
    padding: u64,
    buffer: Box<[u8]>,
}

fn broken(why: impl Into<String>) -> Error {
    Error::new(Kind::Verification, why)
}

/// What stopped a read: a limit, or bytes that can't be decompressed.
fn stopped(error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(limit) => limit,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => broken("it ends before one of its files does"),
        Err(error) => broken(format!("it can't be decompressed: {}", printable_within(&error.to_string(), 200))),
    }
}

impl<R: Read> Walk<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, left: 0, padding: 0, buffer: vec![0; BUFFER_BYTES].into_boxed_slice() }
    }

    /// The next file; what of the former one was not read is passed over.
    pub(super) fn next(&mut self) -> Result<Option<Head>> {
        let mut extension = Extension::default();
        loop {
            self.body(|_| Ok(()))?;
            let Some(header) = self.header()? else { return Ok(None) };
            let kind = header.entry_type();
            let written = header.entry_size().map_err(|_| broken("a size in it can't be read"))?;
            if kind.is_pax_local_extensions() || kind.is_gnu_longname() || kind.is_gnu_longlink() {
                let bytes = self.extension(written)?;
                let text = || String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_owned();
                match kind {
                    EntryType::GNULongName => extension.path = Some(text()),
                    EntryType::GNULongLink => extension.link = Some(text()),
                    _ => read_pax(&bytes, &mut extension)?,
                }
                continue;
            }
            if kind.is_pax_global_extensions() {
                self.follows(written);
                continue;
            }
            return self.file(&header, written, extension).map(Some);
        }
    }

    fn file(&mut self, header: &Header, written: u64, extension: Extension) -> Result<Head> {
        let path = extension.path.unwrap_or_else(|| String::from_utf8_lossy(&header.path_bytes()).into_owned());
        let kind = kind_of(header.entry_type(), &path);
        let link = extension.link.or_else(|| Some(String::from_utf8_lossy(&header.link_name_bytes()?).into_owned()));
        let link = link.filter(|_| matches!(kind, FileKind::Symlink | FileKind::HardLink));
        if path.len().max(link.as_ref().map_or(0, String::len)) > MAX_PATH_BYTES {
            let begins = printable_within(&path, 60);
            return Err(Error::new(
                Kind::Usage,
                format!("a path in it is longer than {MAX_PATH_BYTES} bytes: {begins}"),
            ));
        }
        // Links, directories and devices have nothing behind their header, whatever it says (Go, archive/tar).
        let stored = if kind == FileKind::Regular { extension.size.unwrap_or(written) } else { 0 };
        let mut head = Head {
            path,
            kind,
            size: extension.real_size.unwrap_or(stored),
            is_sparse: extension.is_sparse,
            mode: header.mode().unwrap_or_default() & 0o7777,
            uid: extension.uid.or_else(|| header.uid().ok()).unwrap_or_default(),
            gid: extension.gid.or_else(|| header.gid().ok()).unwrap_or_default(),
            link,
        };
        if let (EntryType::GNUSparse, Some(gnu)) = (header.entry_type(), header.as_gnu()) {
            head.is_sparse = true;
            head.size = gnu.real_size().map_err(|_| broken("a size in it can't be read"))?;
            let mut goes_on = gnu.is_extended();
            while goes_on {
                let mut block = [0; BLOCK_BYTES];
                self.reader.read_exact(&mut block).map_err(stopped)?;
                // struct sparse_header: 21 entries of 24 bytes, then `isextended`.
                goes_on = block[504] != 0;
            }
        }
        // What is not in the archive is limited by nothing else.
        if head.size > MAX_LAYER_BYTES {
            let most = crate::text::bytes(MAX_LAYER_BYTES);
            return Err(Error::new(Kind::Usage, format!("a file in it has more than {most}")));
        }
        self.follows(stored);
        Ok(head)
    }

    /// Gives the bytes of the file that was named last.
    pub(super) fn body(&mut self, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        while self.left > 0 {
            let wanted = self.buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
            let read = self.read(wanted)?;
            self.left -= read as u64;
            take(&self.buffer[..read])?;
        }
        while self.padding > 0 {
            let read = self.read(self.padding as usize)?;
            self.padding -= read as u64;
        }
        Ok(())
    }

    fn read(&mut self, wanted: usize) -> Result<usize> {
        loop {
            match self.reader.read(&mut self.buffer[..wanted]) {
                Ok(0) => return Err(stopped(io::ErrorKind::UnexpectedEof.into())),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read.map_err(stopped),
            }
        }
    }

    fn follows(&mut self, bytes: u64) {
        self.left = bytes;
        self.padding = (BLOCK_BYTES as u64 - bytes % BLOCK_BYTES as u64) % BLOCK_BYTES as u64;
    }

    fn extension(&mut self, size: u64) -> Result<Vec<u8>> {
        if size > MAX_EXTENSION_BYTES {
            return Err(Error::new(Kind::Usage, "a name in it is far too long"));
        }
        self.follows(size);
        let mut bytes = Vec::with_capacity(size as usize);
        self.body(|part| {
            bytes.extend_from_slice(part);
            Ok(())
        })?;
        Ok(bytes)
    }

    /// The next header; none at the end, which is a block of zeros or just the end.
    fn header(&mut self) -> Result<Option<Header>> {
        let mut header = Header::new_old();
        let mut have = 0;
        while have < BLOCK_BYTES {
            match self.reader.read(&mut header.as_mut_bytes()[have..]) {
                Ok(0) if have == 0 => return Ok(None),
                Ok(0) => return Err(stopped(io::ErrorKind::UnexpectedEof.into())),
                Ok(read) => have += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(stopped(error)),
            }
        }
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        check_sum(&header)?;
        Ok(Some(header))
    }
}

fn kind_of(kind: EntryType, path: &str) -> FileKind {
    match kind {
        EntryType::Link => FileKind::HardLink,
        EntryType::Symlink => FileKind::Symlink,
        EntryType::Char => FileKind::CharacterDevice,
        EntryType::Block => FileKind::BlockDevice,
        EntryType::Directory => FileKind::Directory,
        EntryType::Fifo => FileKind::Fifo,
        // Before POSIX a directory was a file whose name ends like this.
        EntryType::Regular if path.ends_with('/') => FileKind::Directory,
        // What is not known is a file (POSIX.1-2001, pax, "typeflag").
        _ => FileKind::Regular,
    }
}

/// Records `LENGTH KEY=VALUE\n` (POSIX.1-2001, pax).
fn read_pax(mut bytes: &[u8], extension: &mut Extension) -> Result<()> {
    let wrong = || broken("a pax header in it can't be read");
    while !bytes.is_empty() {
        let space = bytes.iter().position(|byte| *byte == b' ').ok_or_else(wrong)?;
        let length: usize = std::str::from_utf8(&bytes[..space]).ok().and_then(|n| n.parse().ok()).ok_or_else(wrong)?;
        if length <= space + 1 || length > bytes.len() || bytes[length - 1] != b'\n' {
            return Err(wrong());
        }
        let record = &bytes[space + 1..length - 1];
        let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(wrong)?;
        let (key, value) = (&record[..equals], String::from_utf8_lossy(&record[equals + 1..]));
        let number = || value.parse::<u64>().map_err(|_| wrong());
        match key {
            b"path" => extension.path = Some(value.into_owned()),
            b"linkpath" => extension.link = Some(value.into_owned()),
            b"size" => extension.size = Some(number()?),
            b"uid" => extension.uid = Some(number()?),
            b"gid" => extension.gid = Some(number()?),
            // GNU tar, "Storing Sparse Files": in pax headers the file has another name, and its true size is beside it.
            b"GNU.sparse.name" => (extension.path, extension.is_sparse) = (Some(value.into_owned()), true),
            b"GNU.sparse.realsize" | b"GNU.sparse.size" => {
                (extension.real_size, extension.is_sparse) = (Some(number()?), true);
            }
            _ => {}
        }
        bytes = &bytes[length..];
    }
    Ok(())
}

fn check_sum(header: &Header) -> Result<()> {
    let bytes = header.as_bytes().iter().enumerate();
    let byte = |at: usize, byte: u8| if (148..156).contains(&at) { b' ' } else { byte };
    // Old programs added signed bytes (POSIX.1-2001 wants unsigned ones).
    let sums = bytes.fold((0_u32, 0_i64), |(unsigned, signed), (at, of)| {
        let of = byte(at, *of);
        (unsigned + u32::from(of), signed + i64::from(of.cast_signed()))
    });
    match header.cksum() {
        Ok(written) if written == sums.0 || i64::from(written) == sums.1 => Ok(()),
        _ => Err(broken("it is not a tar archive, or it is damaged")),
    }
}
