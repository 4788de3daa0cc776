//! How a place did of late that is asked for blocks.
//!
//! Knows answers and failures. Must not know who is asked.

use std::time::{Duration, Instant};

use crate::error::Kind;

/// How long a place is put back after its first failure; each further one doubles it.
const FIRST_PUT_BACK: Duration = Duration::from_secs(15);
/// The longest that a place is put back.
const MAX_PUT_BACK: Duration = Duration::from_mins(10);
/// How long a place is put back that sent other bytes than those it was asked for.
const LIAR_PUT_BACK: Duration = Duration::from_mins(10);
/// How much the newest answer counts for how fast a place is.
const NEWEST_WEIGHT: f64 = 0.2;

/// What is known of a place.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// Failures since the last good answer.
    failures: u32,
    put_back_until: Option<Instant>,
    /// How long it takes to answer.
    pub(super) seconds: f64,
    /// It lacked the last block that it was asked for and somebody else had.
    pub(super) lacks: bool,
}

impl Standing {
    pub(super) fn answered(&mut self, after: Duration) {
        self.failures = 0;
        self.put_back_until = None;
        self.lacks = false;
        self.seconds += (after.as_secs_f64() - self.seconds) * NEWEST_WEIGHT;
    }

    /// Somebody else was faster, who was asked later.
    pub(super) fn overtaken(&mut self, after: Duration) {
        self.seconds = self.seconds.max(after.as_secs_f64());
    }

    pub(super) fn failed(&mut self, kind: Kind) {
        let pause = if kind == Kind::Verification {
            LIAR_PUT_BACK
        } else {
            FIRST_PUT_BACK.saturating_mul(1 << self.failures.min(10)).min(MAX_PUT_BACK)
        };
        self.failures = self.failures.saturating_add(1);
        self.put_back_until = Some(Instant::now() + pause);
    }

    pub(super) fn is_put_back(&self) -> bool {
        self.put_back_until.is_some_and(|until| until > Instant::now())
    }
}
