//! Jobs: what runs, what ended and how.

use std::collections::BTreeMap;

use super::super::command::Command;
use super::super::describe::Row;
use super::super::work::{JobId, Request, Sample};
use super::job::{Job, JobState};
use super::log::Level;
use crate::engine::job::Event;

/// How many jobs that have ended are remembered.
const MAX_ENDED_JOBS: usize = 200;

/// State of the view Jobs: what runs, and what ended.
#[derive(Debug, Default)]
pub struct Jobs {
    /// Newest first.
    pub jobs: Vec<Job>,
    /// The row under the cursor.
    pub cursor: usize,
    /// Rows of the list on the screen.
    pub height: usize,
    /// The keys go to what the job under the cursor says, and scroll it.
    pub open: bool,
    /// Lines of that text that are scrolled out at the top.
    pub scroll: u16,
    /// How far it can be, as it is drawn.
    pub scroll_end: u16,
    /// Pulls left by registry, of how many.
    pub quotas: BTreeMap<String, (u64, u64)>,
}

impl Jobs {
    /// Jobs that have not ended, newest first.
    pub fn running(&self) -> impl Iterator<Item = &Job> {
        self.jobs.iter().filter(|job| job.is_running())
    }

    /// Those of them whose plan is being carried out.
    pub fn begun(&self) -> impl Iterator<Item = &Job> {
        self.jobs.iter().filter(|job| job.state == JobState::Running)
    }

    /// The one that waits longest for an answer to its plan.
    pub fn ready(&self) -> Option<&Job> {
        self.jobs.iter().rfind(|job| job.state == JobState::Ready)
    }

    /// The one under the cursor.
    pub fn current(&self) -> Option<&Job> {
        self.jobs.get(self.cursor)
    }

    /// Whether the footer offers a command: what the job under the cursor can, and what makes sense here.
    pub fn offers(&self, command: Command) -> bool {
        match command {
            // Nothing is filtered or marked here, and images are added elsewhere.
            Command::Mark | Command::Undo => false,
            Command::Add => self.jobs.is_empty(),
            Command::Open => !self.open && !self.jobs.is_empty(),
            Command::Copy => !self.jobs.is_empty(),
            Command::Cancel => self.current().is_some_and(|job| !job.has_ended()),
            Command::Retry => self.current().is_some_and(|job| job.is_unfinished() && job.request.is_some()),
            Command::Clear => self.jobs.iter().any(Job::has_ended),
            _ => true,
        }
    }

    /// Adds a job whose plan is being made.
    pub fn plan(&mut self, id: JobId, title: String, request: Request) {
        self.begin(id, title, Some(request));
        if let Some(job) = self.job(id) {
            (job.state, job.phase) = (JobState::Planning, "planning".to_owned());
        }
    }

    /// The plan of a job is there.
    pub fn set_ready(&mut self, id: JobId) {
        self.end(id, JobState::Ready);
    }

    /// What a job plans, or found.
    pub fn report(&mut self, id: JobId, report: Vec<Row>) {
        if let Some(job) = self.job(id) {
            job.report = report;
        }
    }

    /// A job is none any more.
    pub fn forget(&mut self, id: JobId) {
        let Some(place) = self.jobs.iter().position(|job| job.id == id) else { return };
        self.jobs.remove(place);
        if place < self.cursor || place == self.cursor && self.open {
            (self.cursor, self.open) = (self.cursor.saturating_sub(1), self.open && place != self.cursor);
        }
        self.cursor = self.cursor.min(self.jobs.len().saturating_sub(1));
    }

    /// A job begins, one that was planned or another one; the request is there if it can be made again.
    pub fn begin(&mut self, id: JobId, title: String, request: Option<Request>) {
        if let Some(job) = self.job(id) {
            let report = std::mem::take(&mut job.report);
            *job = Job::new(id, title, request);
            job.report = report;
            return;
        }
        self.jobs.insert(0, Job::new(id, title, request));
        // The cursor stays on what is read.
        if self.cursor > 0 || self.open {
            self.cursor += 1;
        }
        while self.jobs.len() > MAX_ENDED_JOBS {
            let Some(place) = self.jobs.iter().rposition(Job::has_ended) else { break };
            self.jobs.remove(place);
        }
        self.cursor = self.cursor.min(self.jobs.len().saturating_sub(1));
    }

    fn job(&mut self, id: JobId) -> Option<&mut Job> {
        self.jobs.iter_mut().find(|job| job.id == id)
    }

    /// Something happened to a job. What is worth a line in the log is returned.
    pub fn event(&mut self, id: JobId, event: Event) -> Option<(Level, String)> {
        if let Event::Quota { registry, limit, remaining } = &event {
            self.quotas.insert(registry.clone(), (*remaining, *limit));
        }
        self.job(id)?.event(event)
    }

    /// A job has this to say.
    pub fn note(&mut self, id: JobId, notes: impl IntoIterator<Item = String>) {
        if let Some(job) = self.job(id) {
            job.notes.extend(notes);
        }
    }

    /// Records how a job ended; does nothing for a job that is unknown.
    pub fn end(&mut self, id: JobId, state: JobState) {
        if let Some(job) = self.job(id) {
            job.end(state);
        }
    }

    /// Takes what the counters say now.
    pub fn sample(&mut self, samples: Vec<Sample>) {
        for sample in samples {
            if let Some(job) = self.job(sample.id) {
                job.sample(&sample);
            }
        }
    }

    /// Carries a command out, if it is one of this view's.
    pub fn command(&mut self, command: Command) -> bool {
        match command {
            Command::Open => {
                if !self.open && self.current().is_some() {
                    (self.open, self.scroll) = (true, 0);
                }
                return true;
            }
            Command::Back if self.open => {
                (self.open, self.scroll) = (false, 0);
                return true;
            }
            Command::Clear => {
                self.jobs.retain(|job| !job.has_ended());
                (self.open, self.scroll, self.cursor) = (false, 0, 0);
                return true;
            }
            _ => {}
        }
        let page = self.height.max(1);
        if self.open {
            let end = usize::from(self.scroll_end);
            let Some(scroll) = moved(command, usize::from(self.scroll).min(end), page, end) else { return false };
            self.scroll = u16::try_from(scroll).unwrap_or(u16::MAX);
            return true;
        }
        let last = self.jobs.len().saturating_sub(1);
        let Some(cursor) = moved(command, self.cursor, page, last) else { return false };
        self.cursor = cursor;
        true
    }
}

/// Where a command leads from here.
fn moved(command: Command, from: usize, page: usize, last: usize) -> Option<usize> {
    let to = match command {
        Command::Up => from.saturating_sub(1),
        Command::Down => from + 1,
        Command::PageUp => from.saturating_sub(page),
        Command::PageDown => from + page,
        Command::HalfUp => from.saturating_sub(page / 2),
        Command::HalfDown => from + page / 2,
        Command::First => 0,
        Command::Last => last,
        _ => return None,
    };
    Some(to.min(last))
}
