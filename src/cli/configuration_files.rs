//! Configuration files of other programs: read with a cap, and replaced as a whole.
//!
//! Knows neither what is in them nor whether one may be replaced; whoever calls has looked.

use std::fs;
use std::io::{self, Read as _};
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

/// Writes or replaces a file, and makes the directories above it.
pub(super) fn put(path: &Path, text: &str) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    crate::input::replace(path, text)
}
