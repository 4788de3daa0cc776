//! How a verb that did not fail ended.

use crate::error::Kind;

/// How a verb that did not fail ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    Done,
    /// With what a `--fail-if` flag watches for.
    Noticed,
    /// The user said no.
    Declined,
}

impl Exit {
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Noticed => Kind::Unchanged.exit_code(),
            Self::Declined => Kind::Interrupted.exit_code(),
        }
    }
}
