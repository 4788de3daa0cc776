//! Something that is read from files, and read again when they change.
//!
//! Knows files and time. Must not know what is in them.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, Kind, Result};

/// How often the files are looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What tells that a file is not the one that was read; nothing if there is none.
type Stamp = Option<(u64, u64, (i64, i64), (i64, i64))>;

/// What counts while changed files can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fallback {
    /// What was read before.
    Former,
    Nothing,
}

/// A value made from files.
pub(super) struct Watched<T> {
    what: &'static str,
    files: Vec<PathBuf>,
    read: Arc<dyn Fn() -> Result<T> + Send + Sync>,
    fallback: Fallback,
    state: Mutex<State<T>>,
    looking: tokio::sync::Mutex<()>,
}

struct State<T> {
    /// Of the files that were read; nothing if they are to be read whatever they are.
    stamps: Option<Vec<Stamp>>,
    looked: Option<Instant>,
    value: Option<Arc<T>>,
    /// Why the files can't be used, as it was said.
    complaint: Option<String>,
}

impl<T: Send + Sync + 'static> Watched<T> {
    /// Reads the files for the first time; `what` they are is for messages.
    pub(super) fn load(
        what: &'static str,
        files: Vec<PathBuf>,
        fallback: Fallback,
        read: impl Fn() -> Result<T> + Send + Sync + 'static,
    ) -> Result<Self> {
        // Before they are read: a change meanwhile is seen at the next look.
        let stamps = files.iter().map(stamp).collect();
        let value = Some(Arc::new(read()?));
        let state = State { stamps: Some(stamps), looked: Some(Instant::now()), value, complaint: None };
        let read = Arc::new(read);
        Ok(Self { what, files, read, fallback, state: Mutex::new(state), looking: tokio::sync::Mutex::default() })
    }

    /// The value, as the files have it now; nothing if they can't be used and nothing else counts.
    pub(super) async fn get(&self) -> Option<Arc<T>> {
        if let Fresh::Yes(value) = self.fresh() {
            return value;
        }
        let _looking = self.looking.lock().await;
        if let Fresh::Yes(value) = self.fresh() {
            return value;
        }
        let (files, read, before) = (self.files.clone(), Arc::clone(&self.read), self.state().stamps.clone());
        let reading = tokio::task::spawn_blocking(move || {
            let now = Some(files.iter().map(stamp).collect::<Vec<_>>());
            if now == before { None } else { Some((now, read())) }
        });
        let found = reading.await.unwrap_or_else(|error| {
            Some((None, Err(Error::new(Kind::Unexpected, "reading broke off").caused_by(error))))
        });
        let mut state = self.state();
        state.looked = Some(Instant::now());
        match found {
            None => {}
            Some((stamps, Ok(value))) => {
                tracing::info!("read {} again", self.what);
                (state.stamps, state.value, state.complaint) = (stamps, Some(Arc::new(value)), None);
            }
            Some((_, Err(error))) => {
                // Tried again at the next look, and said once.
                state.stamps = None;
                let complaint = error.to_string();
                if state.complaint.as_ref() != Some(&complaint) {
                    match self.fallback {
                        Fallback::Former => {
                            tracing::error!(%error, "can't use {}; keeping the previous one", self.what);
                        }
                        Fallback::Nothing => tracing::error!(%error, "can't use {}; refusing everyone", self.what),
                    }
                    state.complaint = Some(complaint);
                }
                if self.fallback == Fallback::Nothing {
                    state.value = None;
                }
            }
        }
        state.value.clone()
    }

    /// Reads the files at the next occasion, whether they seem to have changed or not.
    pub(super) fn read_again(&self) {
        let mut state = self.state();
        (state.stamps, state.looked) = (None, None);
    }

    fn fresh(&self) -> Fresh<T> {
        let state = self.state();
        match state.looked {
            Some(looked) if looked.elapsed() < LOOK_AGAIN => Fresh::Yes(state.value.clone()),
            _ => Fresh::No,
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the files at the next occasion, as when time has passed.
    #[cfg(test)]
    pub(super) fn look_again(&self) {
        self.state().looked = None;
    }
}

/// Whether the files were looked at a moment ago, and the value then.
enum Fresh<T> {
    Yes(Option<Arc<T>>),
    No,
}

fn stamp(file: &PathBuf) -> Stamp {
    let of = |metadata: Metadata| {
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        (metadata.ino(), metadata.len(), modified, (metadata.ctime(), metadata.ctime_nsec()))
    };
    std::fs::metadata(file).ok().map(of)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn watched(directory: &Path, fallback: Fallback, readings: &Arc<AtomicUsize>) -> Watched<String> {
        let files: Vec<PathBuf> = ["one", "two"].iter().map(|name| directory.join(name)).collect();
        let (paths, readings) = (files.clone(), Arc::clone(readings));
        Watched::load("two files", files, fallback, move || {
            readings.fetch_add(1, Ordering::Relaxed);
            Ok(paths.iter().map(std::fs::read_to_string).collect::<std::io::Result<Vec<_>>>()?.concat())
        })
        .unwrap()
    }

    #[tokio::test]
    async fn changed_files_are_read_again_and_others_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        write("one", "1");
        write("two", "2");
        let readings = Arc::default();
        let watched = watched(directory.path(), Fallback::Former, &readings);
        let get = async || watched.get().await.map(|value| String::clone(&value));
        assert_eq!(get().await.as_deref(), Some("12"));
        watched.look_again();
        assert_eq!(get().await.as_deref(), Some("12"));
        assert_eq!(readings.load(Ordering::Relaxed), 1);
        write("two", "zwei");
        watched.look_again();
        assert_eq!(get().await.as_deref(), Some("1zwei"));
        watched.read_again();
        assert_eq!(get().await.as_deref(), Some("1zwei"));
        assert_eq!(readings.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn what_counts_while_files_cannot_be_used() {
        for (fallback, expected) in [(Fallback::Former, Some("12")), (Fallback::Nothing, None)] {
            let directory = tempfile::tempdir().unwrap();
            let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
            write("one", "1");
            write("two", "2");
            let readings = Arc::default();
            let watched = watched(directory.path(), fallback, &readings);
            std::fs::remove_file(directory.path().join("two")).unwrap();
            for _ in 0..2 {
                watched.look_again();
                assert_eq!(watched.get().await.as_ref().map(|value| value.as_str()), expected);
            }
            write("two", "3");
            watched.look_again();
            assert_eq!(watched.get().await.as_ref().map(|value| value.as_str()), Some("13"));
        }
    }
}
