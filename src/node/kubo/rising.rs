//! A number that shows that something gets on, for as long as it rises.
//!
//! Knows time. Must not know what is counted.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// The highest number so far, and since when it is that.
#[derive(Debug)]
pub(super) struct Rising(Mutex<(u64, Instant)>);

impl Rising {
    pub(super) fn new() -> Self {
        Self(Mutex::new((0, Instant::now())))
    }

    /// Whether this number is higher than those before it.
    pub(super) fn note(&self, number: u64) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rises = number > last.0;
        if rises {
            *last = (number, Instant::now());
        }
        rises
    }

    /// The highest number, and since when it is that.
    pub(super) fn last(&self) -> (u64, Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
