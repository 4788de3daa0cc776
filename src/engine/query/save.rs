//! One file of an image, saved on this machine: as a whole or not at all, and never over another one.

use std::fs::Permissions;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::files::ImageFiles;
use crate::engine::Engine;
use crate::engine::job::Job;
use crate::error::{Context as _, Error, Kind, Result};
use crate::image::Digest;
use crate::text::printable_within;

/// What was saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SavedFile {
    /// Path in the image, as it was asked for.
    pub path: String,
    /// File of this machine.
    pub file: PathBuf,
    /// Bytes of it.
    pub size: u64,
    /// Digest of its content.
    pub digest: Option<Digest>,
}

/// The name that a file of an image has on this machine unless another one is chosen: the last part of its path. None where that
/// is no name for a file.
pub fn usual_name(path: &str) -> Option<&str> {
    let name = path.trim_end_matches('/').rsplit('/').next()?;
    let is_plain = !name.is_empty() && name != "." && name != ".." && !name.contains('\0');
    is_plain.then_some(name)
}

impl Engine {
    /// As [`Engine::save_image_file`], on a thread that may wait.
    pub async fn save_out(
        self: &Arc<Self>,
        files: Arc<ImageFiles>,
        path: String,
        layer: usize,
        to: PathBuf,
        job: &Job,
    ) -> Result<SavedFile> {
        let job = job.clone();
        self.blocking(move |engine| engine.save_image_file(&files, &path, layer, &to, &job)).await
    }

    /// Saves a file of an image as of a layer. Into a directory under its own name; executable where it is that in the image, and
    /// readable by whom a new file is.
    pub fn save_image_file(
        &self,
        files: &ImageFiles,
        path: &str,
        layer: usize,
        to: &Path,
        job: &Job,
    ) -> Result<SavedFile> {
        let stored = files.tree.stored(path, layer).map_err(|error| error.context(&files.image))?;
        let no_name = || {
            let path = printable_within(path, 200);
            Error::new(Kind::Usage, format!("{path} has no name that a file here could have"))
                .hint("Name the file to write.")
        };
        let file = if to.is_dir() { to.join(usual_name(path).ok_or_else(no_name)?) } else { to.to_owned() };
        let shown = printable_within(&file.display().to_string(), 300);
        let taken =
            || Error::new(Kind::Usage, format!("{shown} is there already")).hint("Remove it, or name another file.");
        if file.symlink_metadata().is_ok() {
            return Err(taken());
        }
        let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let runs = if stored.entry.mode & 0o111 != 0 { 0o777 } else { 0o666 };
        let mut temporary = tempfile::Builder::new()
            .prefix(".roadstead-")
            .permissions(Permissions::from_mode(runs))
            .tempfile_in(directory)
            .context(|| format!("can't write {shown}"))?;
        let size = self.read_image_file(files, path, layer, job, |part| {
            temporary.write_all(part).context(|| format!("can't write {shown}"))
        })?;
        temporary.as_file().sync_all().context(|| format!("can't write {shown}"))?;
        match temporary.persist_noclobber(&file) {
            Ok(_) => Ok(SavedFile { path: path.to_owned(), file, size, digest: stored.entry.digest }),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Err(taken()),
            Err(error) => Err(error.error).context(|| format!("can't write {shown}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_called_what_its_path_ends_in() {
        for (path, name) in [
            ("etc/passwd", Some("passwd")),
            ("/usr/bin/", Some("bin")),
            ("a", Some("a")),
            ("", None),
            ("/", None),
            ("a/..", None),
            ("x\0y", None),
        ] {
            assert_eq!(usual_name(path), name, "{path:?}");
        }
    }
}
