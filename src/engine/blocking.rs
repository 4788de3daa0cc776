//! Work that waits for SQLite, files or the processor: never on a thread of the runtime.

use std::sync::Arc;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::{block_in_place, spawn_blocking};

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

/// Runs what is short and borrows from its surroundings, a few rows looked up for example, without keeping a thread of the runtime
/// from its other tasks: another thread takes them over meanwhile, where there are others.
pub(super) fn in_place<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => block_in_place(work),
        _ => work(),
    }
}

/// A panic on another thread as an error.
pub(super) fn panicked(error: tokio::task::JoinError) -> Error {
    Error::new(Kind::Unexpected, "a bug in this program").caused_by(error).hint("Please report it.")
}
