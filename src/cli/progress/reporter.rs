//! One way to show progress, whatever it looks like.

use super::tracker::Tracker;
use crate::engine::job::Event;

/// One way to show progress.
pub(super) trait Reporter: Send {
    /// Something happened; the tracker knows of it already.
    fn event(&mut self, tracker: &Tracker, event: &Event);
    fn tick(&mut self, tracker: &Tracker);
    /// A sentence for the user.
    fn note(&mut self, text: &str);
    /// The job has ended.
    fn finish(&mut self, tracker: &Tracker);
}
