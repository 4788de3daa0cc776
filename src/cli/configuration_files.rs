//! Configuration files of other programs: read with a cap, and replaced as a whole.
//!
//! Knows neither what is in them nor whether one may be replaced; whoever calls has looked.

use std::fs::{self, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::error::{Context as _, Error, Kind, Result};

/// Most bytes of a configuration that is there.
const MAX_CONFIGURATION_BYTES: u64 = 1 << 20;

/// The text of a file; nothing if there is none.
pub(super) fn read(path: &Path) -> Result<Option<String>> {
    let what = || format!("can't read {}", path.display());
    let file = match crate::input::open_regular(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).context(what),
    };
    let mut bytes = Vec::new();
    file.take(MAX_CONFIGURATION_BYTES + 1).read_to_end(&mut bytes).context(what)?;
    if bytes.len() as u64 > MAX_CONFIGURATION_BYTES {
        return Err(Error::new(Kind::Usage, format!("{} is too large for a configuration", path.display())));
    }
    // What is not text is other text.
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// A reader sees the file as it was or as it will be, never half of it.
pub(super) fn put(path: &Path, text: &str) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    // A link is followed, as an editor would; what is replaced keeps who may read it.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let directory = path.parent().unwrap_or(directory);
    let permissions = fs::metadata(&path).map_or_else(|_| Permissions::from_mode(0o644), |there| there.permissions());
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(permissions)?;
    file.as_file().sync_all()?;
    file.persist(&path).map(drop).map_err(|error| error.error)
}
