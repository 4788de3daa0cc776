//! Jobs: what runs, what ended and how.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::super::command::Command;
use super::super::problem::Problem;
use super::super::work::{JobId, Request, Sample};
use crate::engine::job::{Event, StepState};
use crate::engine::publish::plan::Step;
use crate::image::Digest;

/// How many jobs that have ended are remembered.
const REMEMBERED: usize = 200;

/// How many rates of a job are remembered.
const RATES: usize = 60;

/// How long no byte may come before that is said.
const STALLED: Duration = Duration::from_secs(10);

/// How a job stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It runs.
    Running,
    /// It is done, with this to say.
    Done(String),
    /// It failed.
    Failed(Problem),
    /// It was cancelled; what was verified is kept.
    Cancelled,
}

/// A blob that is being fetched.
#[derive(Debug, Clone)]
pub struct Blob {
    /// Its digest.
    pub digest: Digest,
    /// The first image that wants it.
    pub image: String,
    /// Its size in bytes.
    pub size: u64,
    /// Bytes that are there.
    pub done: Arc<AtomicU64>,
}

impl Blob {
    /// Bytes that are there.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed).min(self.size)
    }
}

/// A job.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// What it is called.
    pub title: String,
    /// What it was asked for, to ask again.
    pub request: Option<Request>,
    /// How it stands.
    pub standing: Standing,
    /// What it does, in a few words.
    pub phase: String,
    /// Bytes that are done, and all.
    pub bytes: (u64, u64),
    /// Bytes a second, over the last seconds.
    pub rate: Option<u64>,
    /// How long it has been running, or ran.
    pub running: Duration,
    /// Blobs to fetch, and those that are there.
    pub blobs: (u64, u64),
    /// Blobs that are being fetched.
    pub fetching: Vec<Blob>,
    /// Why it waits: of which registry, how long, since when.
    pub waiting: Option<(String, Duration)>,
    /// Steps of a publication: by target.
    pub steps: BTreeMap<String, Vec<(Step, StepState)>>,
    /// What it had to say, newest last.
    pub notes: Vec<String>,
    /// When the last byte came, in running time.
    moved: Duration,
    /// Bytes a second, one figure a second, newest last.
    pub rates: std::collections::VecDeque<u64>,
    /// Its samples of the last seconds: when, and bytes.
    samples: Vec<(Duration, u64)>,
}

/// The view.
#[derive(Debug, Default)]
pub struct Jobs {
    /// Newest first.
    pub jobs: Vec<Job>,
    /// The row under the cursor.
    pub cursor: usize,
    /// Rows of the list on the screen.
    pub height: usize,
    /// Pulls left by registry, of how many.
    pub quotas: BTreeMap<String, (u64, u64)>,
}

impl Jobs {
    /// Those that run.
    pub fn running(&self) -> impl Iterator<Item = &Job> {
        self.jobs.iter().filter(|job| job.standing == Standing::Running)
    }

    /// The one under the cursor.
    pub fn current(&self) -> Option<&Job> {
        self.jobs.get(self.cursor)
    }

    /// A job begins.
    pub fn begin(&mut self, id: JobId, title: String, request: Option<Request>) {
        self.jobs.insert(
            0,
            Job {
                id,
                title,
                request,
                standing: Standing::Running,
                phase: "starting".to_owned(),
                bytes: (0, 0),
                rate: None,
                running: Duration::ZERO,
                blobs: (0, 0),
                fetching: Vec::new(),
                waiting: None,
                steps: BTreeMap::new(),
                notes: Vec::new(),
                moved: Duration::ZERO,
                rates: std::collections::VecDeque::new(),
                samples: Vec::new(),
            },
        );
        if self.cursor > 0 {
            self.cursor += 1;
        }
        while self.jobs.len() > REMEMBERED {
            let Some(place) = self.jobs.iter().rposition(|job| job.standing != Standing::Running) else { break };
            self.jobs.remove(place);
        }
        self.cursor = self.cursor.min(self.jobs.len().saturating_sub(1));
    }

    fn job(&mut self, id: JobId) -> Option<&mut Job> {
        self.jobs.iter_mut().find(|job| job.id == id)
    }

    /// Something happened to a job. What is worth a line in the log is returned.
    pub fn event(&mut self, id: JobId, event: Event) -> Option<String> {
        if let Event::Quota { registry, limit, remaining } = &event {
            self.quotas.insert(registry.clone(), (*remaining, *limit));
        }
        let job = self.job(id)?;
        job.event(event)
    }

    /// A job has this to say.
    pub fn note(&mut self, id: JobId, notes: impl IntoIterator<Item = String>) {
        if let Some(job) = self.job(id) {
            job.notes.extend(notes);
        }
    }

    /// A job ended.
    pub fn end(&mut self, id: JobId, standing: Standing) {
        if let Some(job) = self.job(id) {
            job.standing = standing;
            job.fetching.clear();
            job.waiting = None;
            job.rate = None;
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
        let last = self.jobs.len().saturating_sub(1);
        let page = self.height.max(1);
        self.cursor = match command {
            Command::Up => self.cursor.saturating_sub(1),
            Command::Down => self.cursor + 1,
            Command::PageUp => self.cursor.saturating_sub(page),
            Command::PageDown => self.cursor + page,
            Command::HalfUp => self.cursor.saturating_sub(page / 2),
            Command::HalfDown => self.cursor + page / 2,
            Command::First => 0,
            Command::Last => last,
            Command::Clear => {
                self.jobs.retain(|job| job.standing == Standing::Running);
                0
            }
            _ => return false,
        }
        .min(self.jobs.len().saturating_sub(1));
        true
    }
}

impl Job {
    fn event(&mut self, event: Event) -> Option<String> {
        if !matches!(event, Event::Quota { .. } | Event::Waiting { .. }) {
            self.waiting = None;
        }
        match event {
            Event::Resolving { done, total } => self.phase = format!("asking registries, {done} of {total}"),
            Event::Queued { behind } => self.phase = format!("waiting for {behind}"),
            Event::Fetching { blobs, .. } => {
                self.blobs.0 += blobs;
                "fetching".clone_into(&mut self.phase);
            }
            Event::BlobStarted { digest, image, size, done } => self.fetching.push(Blob { digest, image, size, done }),
            Event::BlobFinished { digest, failure } => {
                self.fetching.retain(|blob| blob.digest != digest);
                self.blobs.1 += u64::from(failure.is_none());
                return failure.map(|failure| format!("{digest}: {failure}"));
            }
            Event::Recorded { image } => return Some(format!("{image} is in the catalog")),
            Event::Failed { image, reason } => {
                let note = format!("{image}: {reason}");
                self.notes.push(note.clone());
                return Some(note);
            }
            Event::Waiting { registry, pause, reason, asked } => {
                let why = if asked {
                    format!("{registry} asks us to wait: {reason}")
                } else {
                    format!("{registry}: {reason}")
                };
                self.waiting = Some((why.clone(), pause));
                return Some(format!("{why} ({} s)", pause.as_secs_f64().ceil()));
            }
            Event::Quota { .. } | Event::Finished(_) => {}
            Event::Progress { what, done, total: 0 } => self.phase = format!("{done} {what}"),
            Event::Progress { what, done, total } => self.phase = format!("{done} of {total} {what}"),
            Event::Step { target, step, state } => {
                let steps = self.steps.entry(target).or_default();
                match steps.iter_mut().find(|(known, _)| *known == step) {
                    Some((_, known)) => *known = state,
                    None => steps.push((step, state)),
                }
            }
            Event::Note(note) => {
                self.notes.push(note.clone());
                return Some(note);
            }
        }
        None
    }

    fn sample(&mut self, sample: &Sample) {
        let (before, bytes_before) = self.samples.last().copied().unwrap_or_default();
        if sample.running.as_secs() > before.as_secs() {
            let passed = sample.running.saturating_sub(before).as_secs_f64().max(0.1);
            let rate = sample.bytes.0.saturating_sub(bytes_before) as f64 / passed;
            self.rates.push_back(rate as u64);
            if self.rates.len() > RATES {
                self.rates.pop_front();
            }
        }
        if sample.bytes.0 != self.bytes.0 || self.fetching.is_empty() {
            self.moved = sample.running;
        }
        self.bytes = sample.bytes;
        self.running = sample.running;
        self.samples.push((sample.running, sample.bytes.0));
        let from = sample.running.saturating_sub(Duration::from_secs(5));
        self.samples.retain(|(at, _)| *at >= from);
        self.rate = self.samples.first().and_then(|(at, bytes)| {
            let passed = sample.running.saturating_sub(*at).as_secs_f64();
            (passed >= 0.5).then(|| (sample.bytes.0.saturating_sub(*bytes) as f64 / passed) as u64)
        });
    }

    /// How long no byte has come, if that is long enough to say so, and of which image.
    pub fn stalled(&self) -> Option<(&str, u64)> {
        let silent = self.running.saturating_sub(self.moved);
        let image = self.fetching.first().map(|blob| blob.image.as_str())?;
        (silent >= STALLED).then_some((image, silent.as_secs()))
    }

    /// Whole percent of the bytes; 100 only when all of them are there. Of what is done there is no part left to tell, and the
    /// last sample was taken before its end.
    pub fn percent(&self) -> Option<u64> {
        let (done, total) = self.bytes;
        (total > 0 && !matches!(self.standing, Standing::Done(_)))
            .then(|| if done >= total { 100 } else { (u128::from(done) * 100 / u128::from(total)) as u64 })
    }

    /// Seconds until all bytes are there, if it goes on like this.
    pub fn left(&self) -> Option<u64> {
        let missing = self.bytes.1.saturating_sub(self.bytes.0);
        self.rate.filter(|rate| *rate > 0 && missing > 0).map(|rate| missing.div_ceil(rate))
    }
}
