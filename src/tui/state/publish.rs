//! Targets, and what was published.

use super::super::command::Command;

/// The view.
#[derive(Debug, Default)]
pub struct Publish {
    /// The row under the cursor.
    pub cursor: usize,
}

impl Publish {
    /// Carries a command out, if it is one of this view's.
    pub fn command(&mut self, _command: Command) -> bool {
        false
    }
}
