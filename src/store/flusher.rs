//! A thread that hands a large file to the disk while it is being written.
//!
//! Without it the disk idles until the last byte came, and then the caller waits for all of it.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

/// Bytes between two syncs; a file that has no more than that is only synced at its end.
pub(super) const SYNC_STEP_BYTES: u64 = 32 << 20;

/// The thread and the way to wake it.
#[derive(Debug, Default)]
pub(super) struct Flusher {
    running: Option<(SyncSender<()>, JoinHandle<io::Result<()>>)>,
}

impl Flusher {
    /// Asks for a sync of everything written so far, and says what went wrong in an earlier one.
    pub(super) fn request(&mut self, file: &Arc<File>) -> io::Result<()> {
        let (wake, _) = match &mut self.running {
            Some(running) => running,
            none => none.insert(start(Arc::clone(file))?),
        };
        match wake.try_send(()) {
            // Full: a sync is waiting to begin, and will include these bytes.
            Ok(()) | Err(TrySendError::Full(())) => Ok(()),
            Err(TrySendError::Disconnected(())) => self.finish(),
        }
    }

    /// Waits for the last sync; a sync's error is told once by the system, so it must not get lost here.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        let Some((wake, thread)) = self.running.take() else { return Ok(()) };
        drop(wake);
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the syncing thread panicked")))
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        // Nothing is committed any more; but the lock of the file lasts until the thread has let go of it.
        drop(self.finish());
    }
}

fn start(file: Arc<File>) -> io::Result<(SyncSender<()>, JoinHandle<io::Result<()>>)> {
    let (wake, woken) = sync_channel(1);
    let thread = thread::Builder::new()
        .name("blob-sync".to_owned())
        .spawn(move || woken.into_iter().try_for_each(|()| file.sync_data()))?;
    Ok((wake, thread))
}
