//! A job as the interface sees it: what it does, how fast, what it waits for, and how it ended.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::super::describe::Row;
use super::super::problem::Problem;
use super::super::work::{JobId, Request, Sample};
use super::log::Level;
use super::wait::Wait;
use crate::engine::job::PublishStep;
use crate::engine::job::{Event, StepState};
use crate::image::Digest;
use crate::text::bytes;

/// How many rates of a job are remembered.
const MAX_RATES: usize = 60;

/// How long no byte may come before that is said.
const STALL_TIMEOUT: Duration = Duration::from_secs(10);

/// State of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobState {
    /// Its plan is being made: nothing was done yet.
    Planning,
    /// Its plan is there, and waits for an answer.
    Ready,
    /// The job runs or waits.
    Running,
    /// It is done, with this to say.
    Done(String),
    /// The job failed; what was verified is kept.
    Failed(Problem),
    /// It was cancelled; what was verified is kept.
    Cancelled,
}

/// A blob that is being fetched.
#[derive(Debug, Clone)]
pub struct Blob {
    /// Digest of the blob that is fetched.
    pub digest: Digest,
    /// The first image that wants it.
    pub image: String,
    /// Size of the blob in bytes.
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

/// A job as the interface shows it.
#[derive(Debug, Clone)]
pub struct Job {
    /// Number of the job in this run of the interface.
    pub id: JobId,
    /// Title in the list of jobs.
    pub title: String,
    /// What it was asked for, to ask again.
    pub request: Option<Request>,
    /// Whether it runs, or how it ended.
    pub state: JobState,
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
    /// Registry or plan that it waits for.
    pub waiting: Option<Wait>,
    /// Steps of a publication: by target.
    pub steps: BTreeMap<String, Vec<(PublishStep, StepState)>>,
    /// What it had to say, newest last.
    pub notes: Vec<String>,
    /// What it plans, or found, line by line.
    pub report: Vec<Row>,
    /// When the last byte came, in running time.
    moved: Duration,
    /// Bytes a second, one figure a second, newest last.
    pub rates: VecDeque<u64>,
    /// Samples of the last seconds: when, and bytes that had come.
    samples: Vec<(Duration, u64)>,
}

impl Job {
    /// A job that begins.
    pub(super) fn new(id: JobId, title: String, request: Option<Request>) -> Self {
        Self {
            id,
            title,
            request,
            state: JobState::Running,
            phase: "starting".to_owned(),
            bytes: (0, 0),
            rate: None,
            running: Duration::ZERO,
            blobs: (0, 0),
            fetching: Vec::new(),
            waiting: None,
            steps: BTreeMap::new(),
            notes: Vec::new(),
            report: Vec::new(),
            moved: Duration::ZERO,
            rates: VecDeque::new(),
            samples: Vec::new(),
        }
    }

    pub(super) fn end(&mut self, state: JobState) {
        self.state = state;
        self.fetching.clear();
        self.waiting = None;
        self.rate = None;
    }

    /// Whether something of it is being done just now.
    pub fn is_running(&self) -> bool {
        matches!(self.state, JobState::Planning | JobState::Running)
    }

    /// Whether it is over.
    pub fn has_ended(&self) -> bool {
        matches!(self.state, JobState::Done(_) | JobState::Failed(_) | JobState::Cancelled)
    }

    /// Whether it ended before its end, so that it makes sense to begin it again.
    pub fn is_unfinished(&self) -> bool {
        matches!(self.state, JobState::Failed(_) | JobState::Cancelled)
    }

    /// Something happened. What is worth a line in the log is given back.
    pub(super) fn event(&mut self, event: Event) -> Option<(Level, String)> {
        if let Some(wait) = Wait::of(&event) {
            // Tries are many and alike; why the last one failed is said when it has.
            let level = if wait.is_retry() { Level::Debug } else { Level::Info };
            let words = wait.words();
            let new = self.waiting.as_ref() != Some(&wait);
            self.waiting = Some(wait);
            return new.then_some((level, words));
        }
        if !matches!(event, Event::Quota { .. }) {
            self.waiting = None;
        }
        match event {
            Event::Proceeding => "running".clone_into(&mut self.phase),
            Event::Resolving { done, total } => self.phase = format!("asking registries, {done} of {total}"),
            Event::Fetching { blobs, .. } => {
                self.blobs.0 += blobs;
                "fetching".clone_into(&mut self.phase);
            }
            Event::BlobStarted { digest, image, size, done } => self.fetching.push(Blob { digest, image, size, done }),
            Event::BlobFinished { digest, failure } => {
                self.fetching.retain(|blob| blob.digest != digest);
                self.blobs.1 += u64::from(failure.is_none());
                // The image that fails with it says so, too.
                return failure.map(|failure| (Level::Debug, format!("{digest}: {failure}")));
            }
            Event::Recorded { image } => return Some((Level::Info, format!("{image} is in the catalog"))),
            Event::Failed { image, reason } => {
                let note = if reason.contains(&image) { reason } else { format!("{image}: {reason}") };
                self.notes.push(note.clone());
                return Some((Level::Warning, note));
            }
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
                return Some((Level::Info, note));
            }
            Event::Quota { .. } | Event::Finished(_) | Event::Waiting { .. } | Event::Queued { .. } => {}
        }
        None
    }

    /// Takes what the counters say now.
    pub(super) fn sample(&mut self, sample: &Sample) {
        let (before, moved_before) = self.samples.last().copied().unwrap_or_default();
        if sample.running.as_secs() > before.as_secs() {
            let passed = sample.running.saturating_sub(before).as_secs_f64().max(0.1);
            let rate = sample.moved.saturating_sub(moved_before) as f64 / passed;
            self.rates.push_back(rate as u64);
            if self.rates.len() > MAX_RATES {
                self.rates.pop_front();
            }
        }
        if sample.bytes.0 != self.bytes.0 || self.fetching.is_empty() {
            self.moved = sample.running;
        }
        self.bytes = sample.bytes;
        self.running = sample.running;
        self.samples.push((sample.running, sample.moved));
        let from = sample.running.saturating_sub(Duration::from_secs(5));
        self.samples.retain(|(at, _)| *at >= from);
        self.rate = self.samples.first().and_then(|(at, moved)| {
            let passed = sample.running.saturating_sub(*at).as_secs_f64();
            (passed >= 0.5).then(|| (sample.moved.saturating_sub(*moved) as f64 / passed) as u64)
        });
    }

    /// How long no byte has come, if that is long enough to say so, and of which image.
    pub fn stalled(&self) -> Option<(&str, u64)> {
        let silent = self.running.saturating_sub(self.moved);
        let image = self.fetching.first().map(|blob| blob.image.as_str())?;
        (silent >= STALL_TIMEOUT).then_some((image, silent.as_secs()))
    }

    /// Whole percent of the bytes while it runs; 100 only when all of them are there. Of what has ended there is no part left to
    /// tell, and the last sample was taken before its end.
    pub fn percent(&self) -> Option<u64> {
        let (done, total) = self.bytes;
        (total > 0 && self.is_running())
            .then(|| if done >= total { 100 } else { (u128::from(done) * 100 / u128::from(total)) as u64 })
    }

    /// Seconds until all bytes are there, if it goes on like this.
    pub fn left(&self) -> Option<u64> {
        let missing = self.bytes.1.saturating_sub(self.bytes.0);
        self.rate.filter(|rate| *rate > 0 && missing > 0).map(|rate| missing.div_ceil(rate))
    }

    /// How far it is and how fast, or for how long it waits: short, and what matters most first.
    pub fn facts(&self) -> Vec<String> {
        if let Some(wait) = &self.waiting {
            return vec![wait.brief()];
        }
        let Some(percent) = self.percent() else { return vec![self.phase.clone()] };
        let mut facts = vec![format!("{percent} %")];
        if let Some((_, seconds)) = self.stalled() {
            facts.push(format!("no byte for {seconds} s"));
            return facts;
        }
        facts.extend(self.left().map(|left| format!("{left} s left")));
        facts.push(format!("{} of {}", bytes(self.bytes.0), bytes(self.bytes.1)));
        facts.extend(self.rate.filter(|rate| *rate > 0).map(|rate| format!("{}/s", bytes(rate))));
        facts
    }

    /// Why it waits, if it does and that is known.
    pub fn reason(&self) -> Option<String> {
        match &self.waiting {
            Some(wait) => Some(wait.reason().to_owned()),
            None => self.stalled().map(|(image, _)| format!("the registry of {image} sends nothing")),
        }
    }

    /// Everything it has to say, in lines: to be copied, or read in a pager.
    pub fn text(&self) -> String {
        let mut text = format!("#{} {}\n", self.id, self.title);
        let _ = match &self.state {
            JobState::Ready => writeln!(text, "the plan is ready"),
            JobState::Planning | JobState::Running => {
                let reason = self.reason().map(|reason| format!(": {reason}")).unwrap_or_default();
                writeln!(text, "{}{reason}", self.facts().join(", "))
            }
            JobState::Done(words) => writeln!(text, "{words}"),
            JobState::Failed(problem) => writeln!(text, "{}", problem.text()),
            JobState::Cancelled => writeln!(text, "cancelled"),
        };
        for (target, steps) in &self.steps {
            for (step, state) in steps {
                let words = match state {
                    StepState::Running => "running",
                    StepState::Done(words) | StepState::Failed(words) => words,
                    StepState::Skipped => "nothing to do",
                };
                let _ = writeln!(text, "{target}: {}: {words}", step_name(*step));
            }
        }
        for note in &self.notes {
            let _ = writeln!(text, "{note}");
        }
        for (_, line) in &self.report {
            let _ = writeln!(text, "{line}");
        }
        text
    }
}

/// What a step of a publication is called.
pub fn step_name(step: PublishStep) -> &'static str {
    match step {
        PublishStep::HandOver => "hand over",
        PublishStep::Pin => "pin",
        PublishStep::Check => "check",
        PublishStep::Dnslink => "DNSLink",
        PublishStep::Ipns => "IPNS",
        PublishStep::Tidy => "tidy",
        PublishStep::Gateways => "gateways",
    }
}
