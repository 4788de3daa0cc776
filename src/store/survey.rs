//! What the disk under a data directory can do, found out by trying.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use super::disk;

/// What a directory's file system can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Survey {
    /// Bytes that can still be written; `u64::MAX` where the file system doesn't say.
    pub free: u64,
    /// Whether files can have several names.
    pub hard_links: bool,
    /// Whether files can share their blocks.
    pub reflinks: bool,
    /// Whether it is on another machine, as far as its type says: the database needs what such file systems do badly.
    pub remote: bool,
}

impl Survey {
    /// Tries, with a few files in a hidden directory that is gone afterwards. Fails where nothing can be written.
    pub fn of(directory: &Path) -> io::Result<Self> {
        let trial = tempfile::Builder::new().prefix(".roadstead-doctor-").tempdir_in(directory)?;
        let at = |name: &str| trial.path().join(name);
        let mut file = File::create_new(at("file"))?;
        file.write_all(&[0x5a; 8 << 10])?;
        file.sync_all()?;
        let hard_links = fs::hard_link(at("file"), at("link")).is_ok();
        let reflinks = disk::share_extents(&File::open(at("file"))?, &File::create_new(at("copy"))?).is_ok();
        let free = disk::free_space(directory)?;
        trial.close()?;
        Ok(Self { free, hard_links, reflinks, remote: is_remote(directory) })
    }
}

/// Whether the type is NFS, SMB or CIFS (statfs(2)).
#[cfg(target_os = "linux")]
fn is_remote(directory: &Path) -> bool {
    let kind = rustix::fs::statfs(directory).map_or(0, |found| found.f_type as u32);
    matches!(kind, 0x6969 | 0x517b | 0xff53_4d42 | 0xfe53_4d42)
}

#[cfg(not(target_os = "linux"))]
fn is_remote(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_behind() {
        let directory = tempfile::tempdir().unwrap();
        let survey = Survey::of(directory.path()).unwrap();
        assert!(survey.free > 0 && survey.hard_links, "{survey:?}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        assert!(Survey::of(&directory.path().join("missing")).is_err());
    }
}
