//! Whom the catalog follows, as the catalog and the processes that serve it say, and the looks at the name while the interface is open.

use std::time::Duration;

use super::super::dialog::flag_form::FlagForm;
use super::super::question::Question;
use super::super::work::JobId;
use crate::engine::follow::Following;
use crate::engine::own_node::Serving;

/// How often it is asked who serves what is held, while that is shown.
const SERVING_INTERVAL: Duration = Duration::from_secs(2);

/// A look at the name that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looking {
    /// The job.
    pub job: JobId,
    /// Somebody asked for it.
    pub asked: bool,
    /// Whether it is in the list of jobs: one that brings nothing is not worth a row.
    pub listed: bool,
}

/// State of a catalog that follows, or may.
#[derive(Debug, Default)]
pub struct FollowState {
    /// Whom, and how far it is; none if it is a catalog of its own, or not known yet.
    pub following: Option<Box<Following>>,
    /// Who gives out what is held.
    pub serving: Vec<Serving>,
    /// The look that goes on.
    pub looking: Option<Looking>,
    /// A form that a job carries out: in case that fails, it is shown again.
    pub saving: Option<(JobId, Box<FlagForm>)>,
    /// When the name was looked at last from here, since the start.
    looked_at: Option<Duration>,
    /// What went wrong with the last looks: it is told once.
    told: Vec<String>,
    asked: bool,
    asked_at: Duration,
}

impl FollowState {
    /// The name that is followed, if one is.
    pub fn name(&self) -> Option<String> {
        self.following.as_ref().map(|following| following.setting.name.to_string())
    }

    /// Asks again for what is shown.
    pub fn refresh(&mut self) {
        self.asked = false;
    }

    /// What it wants to know; `shown`: somebody looks at it.
    pub fn wants(&mut self, now: Duration, shown: bool) -> Option<Question> {
        let is_due = !self.asked || self.is_due(now, shown);
        is_due.then(|| {
            (self.asked, self.asked_at) = (true, now);
            Question::Following
        })
    }

    /// Whether it is to be asked again although nothing changed in the catalog.
    pub fn is_due(&self, now: Duration, shown: bool) -> bool {
        shown && now.saturating_sub(self.asked_at) >= SERVING_INTERVAL
    }

    /// Takes what the catalog knows.
    pub fn answer(&mut self, following: Option<Box<Following>>, serving: Vec<Serving>) {
        (self.following, self.serving) = (following, serving);
    }

    /// Whether it is time to look at the name: nobody has for as long as the setting says, here or in another process.
    pub fn is_look_due(&self, now: Duration, wall: i64) -> bool {
        let Some(following) = self.following.as_ref().filter(|_| self.looking.is_none()) else { return false };
        let every = following.setting.every;
        let long_ago = following.checked_at.is_none_or(|at| {
            // A clock that was set back is no reason to wait.
            at > wall || wall - at >= every.as_secs() as i64
        });
        long_ago && self.looked_at.is_none_or(|at| now.saturating_sub(at) >= every)
    }

    /// A look begins.
    pub fn begin_look(&mut self, job: JobId, asked: bool, now: Duration) {
        (self.looking, self.looked_at) = (Some(Looking { job, asked, listed: asked }), Some(now));
    }

    /// The next look may come at once.
    pub fn look_soon(&mut self) {
        self.looked_at = None;
    }

    /// Of these, what was not wrong with the look before.
    pub fn untold(&mut self, now: Vec<String>) -> Vec<String> {
        let new = now.iter().filter(|line| !self.told.contains(line)).cloned().collect();
        self.told = now;
        new
    }
}
