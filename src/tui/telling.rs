//! What the interface says: for a moment, until it is seen, and in the log.

use std::time::Duration;

use super::app::{App, Toast};
use super::cells::{cut_middle, width};
use super::problem::Problem;
use super::state::log::{Level, Line};
use super::work::JobId;
use crate::error::Kind;

/// How long what went well is said.
const TOAST_TIMEOUT: Duration = Duration::from_secs(4);
/// The columns that a job's name has at least where what came of it is said.
const MIN_JOB_NAME_COLUMNS: usize = 36;

impl App {
    /// Says for a moment what went well.
    pub(super) fn say(&mut self, text: impl Into<String>) {
        let text = text.into();
        self.note(Level::Info, None, text.clone());
        self.toast = Some(Toast { text, until: self.now + TOAST_TIMEOUT, good: true });
    }

    /// A job's name, as long as it may be where other words are more important.
    pub(super) fn short(&self, title: &str) -> String {
        cut_middle(title, MIN_JOB_NAME_COLUMNS.max(usize::from(self.size.0 / 2)), &self.look.glyphs)
    }

    /// Says for a moment what is to know: nothing was done.
    pub(super) fn hint(&mut self, text: impl Into<String>) {
        self.toast = Some(Toast { text: text.into(), until: self.now + TOAST_TIMEOUT, good: false });
    }

    /// Says what came of a job: for a moment, or what was waited for until a key shows that somebody has seen it. The log has its
    /// name whole.
    pub(super) fn tell(&mut self, job: JobId, title: &str, words: &str, until_seen: bool) {
        self.note(Level::Info, Some(job), format!("{title}: {words}"));
        // Without the sign; what is longer goes on in the next row, but the name does not fill rows alone.
        let room = usize::from(self.size.0).saturating_sub(width(words) + 6).max(MIN_JOB_NAME_COLUMNS);
        let text = format!("{}: {words}", cut_middle(title, room, &self.look.glyphs));
        let until = if until_seen { Duration::MAX } else { self.now + TOAST_TIMEOUT };
        self.toast = Some(Toast { text, until, good: true });
    }

    /// Refuses what would change something, with words, where only looking is allowed; whether it did.
    pub(super) fn refuses(&mut self, what: &str) -> bool {
        let Some(why) = self.read_only else { return false };
        let message = format!("{what} would change something, but this interface is read-only: {why}");
        self.complain(Problem { message, hints: Vec::new(), kind: Kind::Usage });
        true
    }

    /// Shows what failed until it is seen.
    pub(super) fn complain(&mut self, problem: Problem) {
        self.note(Level::Error, None, problem.message.clone());
        self.problems.push(problem);
    }

    pub(super) fn note(&mut self, level: Level, job: Option<u64>, text: String) {
        let at = self.wall.to_zoned_datetime(self.zone.clone()).strftime("%H:%M:%S").to_string();
        let line = Line { at, level, job, text };
        self.unwritten.push(line.clone());
        self.log.push(line);
    }

    /// The lines that are not in the file of the log yet.
    pub(super) fn take_unwritten(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.unwritten)
    }
}
