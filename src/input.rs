//! Files under names that somebody else may have made: opened without waiting for anybody, and replaced as a whole.
//!
//! A pipe in the place of a file would be waited for, and an interrupt does not end that. Knows kinds of files, and neither who
//! reads them nor what is in them.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

use crate::error::{Error, Kind, Result};

/// Opens whatever is there to read it, and never waits for a writer. What it is has to be looked at.
pub fn open(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NONBLOCK | OFlags::CLOEXEC).bits();
    OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path)
}

/// Opens a regular file.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let file = open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        return Ok(file);
    }
    Err(if kind.is_dir() { io::ErrorKind::IsADirectory.into() } else { io::Error::other("it is not a regular file") })
}

/// The bytes of a regular file of at most `cap` bytes.
pub fn read_regular(path: &Path, cap: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.take(cap + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > cap {
        return Err(io::Error::other(format!("it is larger than {}", crate::text::bytes(cap))));
    }
    Ok(bytes)
}

/// The text of a regular file of at most `cap` bytes. `what` is said of it where it can't be read, which is the user's to mend.
pub fn read_text(path: &Path, cap: u64, what: impl Fn() -> String) -> Result<String> {
    let bytes = read_regular(path, cap).map_err(|error| {
        let kind = if error.kind() == io::ErrorKind::NotFound { Kind::NotFound } else { Kind::Usage };
        Error::new(kind, what()).caused_by(error)
    })?;
    String::from_utf8(bytes).map_err(|_| Error::new(Kind::Usage, format!("{}: it is not UTF-8", what())))
}

/// Writes a file, or replaces one: a reader sees it as it was or as it will be, never half of it.
pub fn replace(path: &Path, text: &str) -> io::Result<()> {
    // A link is followed, as an editor would; what is replaced keeps who may read it.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let permissions = fs::metadata(&path).map_or_else(|_| Permissions::from_mode(0o644), |there| there.permissions());
    let mut file = tempfile::Builder::new().prefix(".roadstead-").tempfile_in(directory)?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(permissions)?;
    file.as_file().sync_all()?;
    file.persist(&path).map(drop).map_err(|error| error.error)
}

/// Opens what a user names: a file, a device such as `/dev/null`, or a pipe that somebody writes to, as a shell makes of
/// `<(command)`.
pub fn open_named(path: &Path) -> io::Result<impl Read> {
    let mut file = open(path)?;
    let mut first = Vec::new();
    if file.metadata()?.file_type().is_fifo() {
        let mut buffer = [0; 4096];
        match file.read(&mut buffer) {
            Ok(0) => return Err(io::Error::other("it is a pipe that nobody writes to")),
            Ok(read) => first.extend_from_slice(&buffer[..read]),
            // Somebody will.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        rustix::fs::fcntl_setfl(&file, OFlags::empty())?;
    }
    Ok(io::Cursor::new(first).chain(file))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn fifo(directory: &Path) -> std::path::PathBuf {
        let path = directory.join("fifo");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        path
    }

    #[test]
    fn nobody_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = fifo(directory.path());
        assert!(open(&fifo).is_ok());
        assert!(open_regular(&fifo).unwrap_err().to_string().contains("regular file"));
        assert!(read_regular(&fifo, 10).is_err());
        assert!(open_named(&fifo).err().unwrap().to_string().contains("nobody writes"));
        assert!(open_regular(directory.path()).is_err());
        assert_eq!(open_regular(&directory.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
        let file = directory.path().join("file");
        std::fs::write(&file, "0123456789").unwrap();
        assert_eq!(read_regular(&file, 10).unwrap(), b"0123456789");
        assert!(read_regular(&file, 9).is_err());
    }

    #[test]
    fn a_user_may_name_a_pipe_and_a_device() {
        let read = |path: &Path| {
            let mut text = String::new();
            open_named(path).and_then(|mut from| from.read_to_string(&mut text)).map(|_| text)
        };
        assert_eq!(read(Path::new("/dev/null")).unwrap(), "");
        let directory = tempfile::tempdir().unwrap();
        let fifo = fifo(directory.path());
        // Held open for both, so that opening it to write does not wait for a reader either.
        let both = OpenOptions::new().read(true).write(true).open(&fifo).unwrap();
        let mut writer = OpenOptions::new().write(true).open(&fifo).unwrap();
        writer.write_all(b"written before").unwrap();
        let mut reader = open_named(&fifo).unwrap();
        drop((both, writer));
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "written before");
    }
}
