//! Files under names that somebody else may have made: opened without waiting for anybody.
//!
//! A pipe in the place of a file would be waited for, and an interrupt does not end that. Knows kinds of files, and neither who
//! reads them nor what is in them.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

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
