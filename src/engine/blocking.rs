//! Work that waits for SQLite, files or the processor: never on a thread of the runtime.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::Engine;
use crate::error::{Error, Kind, Result};

impl Engine {
    /// Runs `work` on a thread that may wait. It goes on to its end, even if nobody waits for the result any more.
    pub(super) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Arc<Self>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let engine = Arc::clone(self);
        blocking(move || work(&engine)).await
    }
}

/// The same for work that needs no engine.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    spawn_blocking(work).await.map_err(panicked)?
}

/// A panic on another thread as an error.
pub(super) fn panicked(error: tokio::task::JoinError) -> Error {
    Error::new(Kind::Unexpected, "a bug in this program").caused_by(error).hint("Please report it.")
}
