//! How a layout on this machine is written: `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]` (containers-transports(5)).
//!
//! Pure text; whether anything is there, the layout finds out.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::error::{Error, Kind};
use crate::text::{printable, printable_within};

/// The two shapes of a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LayoutKind {
    /// A directory with `oci-layout`, `index.json` and `blobs/`.
    Directory,
    /// An uncompressed tar archive.
    Archive,
}

/// A layout on this machine, and which image in it is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LocalSource {
    /// Whether the path is a directory or an archive.
    pub kind: LayoutKind,
    /// Path of the directory or archive.
    pub path: PathBuf,
    /// The image's tag or name in it; without one it must be the only image.
    pub name: Option<String>,
}

impl LocalSource {
    /// Whether this text is meant as a layout and not as a reference.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with("oci:") || text.starts_with("oci-archive:")
    }
}

impl FromStr for LocalSource {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = |why: &str| {
            Error::new(Kind::Usage, format!("`{}` is not an image layout: {why}", printable_within(text, 200)))
                .hint("Write `oci:DIR`, `oci:DIR:TAG`, `oci-archive:FILE` or `oci-archive:FILE:TAG`.")
        };
        let (kind, rest) = match (text.strip_prefix("oci:"), text.strip_prefix("oci-archive:")) {
            (Some(rest), _) => (LayoutKind::Directory, rest),
            (_, Some(rest)) => (LayoutKind::Archive, rest),
            _ => return Err(refuse("it begins with neither `oci:` nor `oci-archive:`")),
        };
        // As skopeo does it: the first colon ends the path, since names may have colons of their own.
        let (path, name) = match rest.split_once(':') {
            Some((_, "")) => return Err(refuse("nothing follows its last colon")),
            Some((path, name)) => (path, Some(name.to_owned())),
            None => (rest, None),
        };
        if path.is_empty() {
            return Err(refuse("it names no path"));
        }
        if path.contains('\0') || name.as_ref().is_some_and(|name| name.len() > 1024) {
            return Err(refuse("it is too long or has a zero byte in it"));
        }
        Ok(Self { kind, path: path.into(), name })
    }
}

impl fmt::Display for LocalSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            LayoutKind::Directory => "oci",
            LayoutKind::Archive => "oci-archive",
        };
        write!(f, "{kind}:{}", printable(&self.path.display().to_string()))?;
        self.name.iter().try_for_each(|name| write!(f, ":{}", printable(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_as_skopeo_writes_them() {
        let read = |text: &str| {
            let source: LocalSource = text.parse().unwrap();
            assert_eq!(source.to_string(), text);
            (source.kind, source.path.display().to_string(), source.name)
        };
        assert_eq!(read("oci:dir"), (LayoutKind::Directory, "dir".into(), None));
        assert_eq!(read("oci:/a/b:1.0"), (LayoutKind::Directory, "/a/b".into(), Some("1.0".into())));
        assert_eq!(
            read("oci-archive:x.tar:docker.io/library/a:1"),
            (LayoutKind::Archive, "x.tar".into(), Some("docker.io/library/a:1".into()))
        );
        for bad in ["", "oci:", "oci::1", "oci:dir:", "docker:x", "oci-archive:", "oci:a\0b"] {
            assert!(bad.parse::<LocalSource>().is_err(), "{bad:?}");
        }
        assert!(LocalSource::is_meant("oci:x") && !LocalSource::is_meant("ocix/y:oci:z"));
    }
}
