//! Whether the file with the rules was written since it was looked at last: nothing in the catalog says so.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio::sync::mpsc::UnboundedSender;

use super::message::Msg;

/// A file, and when it was written and how long it was, if it was there.
type Stamp = (PathBuf, Option<(SystemTime, u64)>);

/// The file as it was seen last.
#[derive(Debug, Clone, Default)]
pub(super) struct RuleFile(Arc<Mutex<Option<Stamp>>>);

impl RuleFile {
    /// Looks at it, on a thread that may block, and says if it is another one than before.
    pub(super) fn look(&self, file: PathBuf, messages: &UnboundedSender<Msg>) {
        let stamp = std::fs::metadata(&file).ok().and_then(|of| Some((of.modified().ok()?, of.len())));
        let now = Some((file, stamp));
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.is_some() && *seen != now {
            let _ = messages.send(Msg::RulesChanged);
        }
        *seen = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_written_or_gone_is_said_once() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("mirror.toml");
        std::fs::write(&file, "version = 1\n").unwrap();
        let (sender, mut messages) = tokio::sync::mpsc::unbounded_channel();
        let (watch, mut changed) = (RuleFile::default(), Vec::new());
        for text in [None, None, Some("version = 1\n\n"), None] {
            if let Some(text) = text {
                std::fs::write(&file, text).unwrap();
            }
            watch.look(file.clone(), &sender);
            changed.push(messages.try_recv().is_ok());
        }
        assert_eq!(changed, [false, false, true, false]);
        std::fs::remove_file(&file).unwrap();
        watch.look(file, &sender);
        assert!(messages.try_recv().is_ok());
    }
}
