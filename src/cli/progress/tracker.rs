//! What is known of a running job: pure state, changed by events and samples.
//!
//! Time comes in as what has passed since the job began, so that a test decides what time it is.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::engine::job::PublishStep;
use crate::engine::job::{Event, Meter, StepState};
use crate::holder::HeldBy;
use crate::image::Digest;
use crate::text::{bytes, printable_within};

/// What the job is busy with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing that could be counted yet.
    #[default]
    Beginning,
    /// Waiting for another process.
    Queued {
        behind: String,
    },
    Resolving {
        done: u64,
        total: u64,
    },
    Fetching,
    /// Handing blocks over to nodes.
    HandingOver,
    /// Busy with something that has no count.
    Busy {
        /// What it does, after the target's name.
        words: String,
    },
    Step {
        what: &'static str,
        done: u64,
        /// All; 0 if that is not known.
        total: u64,
    },
}

/// A blob that is being fetched.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) digest: Digest,
    /// The image that wants it.
    pub(super) image: String,
    pub(super) size: u64,
    done: Arc<AtomicU64>,
}

impl Running {
    /// Bytes that are there.
    pub(super) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed).min(self.size)
    }
}

/// How far back the rate looks.
const RATE_WINDOW: Duration = Duration::from_secs(5);

/// What is known of a job.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    /// Since the job began.
    pub(super) now: Duration,
    pub(super) phase: Phase,
    /// Blobs that are being fetched, in the order they were begun.
    pub(super) running: Vec<Running>,
    pub(super) blobs: u64,
    /// Blobs that are there.
    pub(super) fetched: u64,
    /// Bytes that are there, of all.
    pub(super) bytes: (u64, u64),
    /// Bytes that came, without those that were here before.
    moved: u64,
    /// Registry, pulls left, of how many.
    pub(super) quotas: BTreeMap<String, (u64, u64)>,
    samples: VecDeque<(Duration, u64)>,
    /// Targets that blocks are being handed to.
    handing_over: u64,
}

impl Tracker {
    pub(super) fn event(&mut self, now: Duration, event: &Event) {
        self.now = now;
        match event {
            Event::Resolving { done, total } => self.phase = Phase::Resolving { done: *done, total: *total },
            Event::Queued { behind } => self.phase = Phase::Queued { behind: behind.to_string() },
            Event::Proceeding => self.phase = Phase::Beginning,
            Event::Fetching { blobs, .. } => {
                self.phase = Phase::Fetching;
                self.blobs += blobs;
            }
            Event::BlobStarted { digest, image, size, done } => {
                let image = printable_within(image, 200);
                self.running.push(Running { digest: *digest, image, size: *size, done: Arc::clone(done) });
            }
            Event::BlobFinished { digest, failure } => {
                self.running.retain(|running| running.digest != *digest);
                self.fetched += u64::from(failure.is_none());
            }
            Event::Quota { registry, limit, remaining } => {
                self.quotas.insert(registry.clone(), (*remaining, *limit));
            }
            Event::Progress { what, done, total } => {
                self.phase = Phase::Step { what, done: *done, total: *total };
            }
            Event::Step { target, step, state } => self.step(target, *step, state),
            Event::Recorded { .. }
            | Event::Failed { .. }
            | Event::Waiting { .. }
            | Event::Note(_)
            | Event::Finished(_) => {}
        }
    }

    /// Of targets that run side by side, one that is being handed something is shown before others.
    fn step(&mut self, target: &str, step: PublishStep, state: &StepState) {
        if step == PublishStep::HandOver {
            match state {
                StepState::Running => self.handing_over += 1,
                StepState::Skipped => {}
                StepState::Done(_) | StepState::Failed(_) => self.handing_over = self.handing_over.saturating_sub(1),
            }
        }
        if self.handing_over > 0 {
            self.phase = Phase::HandingOver;
        } else if *state == StepState::Running {
            let words = format!("{}: {}", printable_within(target, 60), doing(step));
            self.phase = Phase::Busy { words };
        }
    }

    /// Looks at the bytes.
    pub(super) fn sample(&mut self, now: Duration, meter: &Meter) {
        self.now = now;
        self.bytes = (meter.done(), meter.total());
        self.moved = meter.moved();
        if self.samples.back().is_none_or(|(at, _)| now.saturating_sub(*at) >= Duration::from_millis(100)) {
            self.samples.push_back((now, self.moved));
        }
        while self.samples.front().is_some_and(|(at, _)| now.saturating_sub(*at) > RATE_WINDOW) {
            self.samples.pop_front();
        }
    }

    /// Bytes a second over the last seconds.
    pub(super) fn rate(&self) -> Option<u64> {
        let (from, before) = self.samples.front()?;
        let passed = self.now.checked_sub(*from).filter(|passed| *passed >= Duration::from_millis(500))?;
        Some((self.moved.saturating_sub(*before) as f64 / passed.as_secs_f64()) as u64)
    }

    /// Seconds until all bytes are there, if it goes on like this.
    pub(super) fn left(&self) -> Option<u64> {
        let missing = self.bytes.1.saturating_sub(self.bytes.0);
        self.rate().filter(|rate| *rate > 0 && missing > 0).map(|rate| missing.div_ceil(rate))
    }

    /// Whole percent of the bytes; 100 only when all of them are there.
    pub(super) fn percent(&self) -> u64 {
        let (done, total) = self.bytes;
        if done >= total { 100 } else { (u128::from(done) * 100 / u128::from(total)) as u64 }
    }

    /// `Docker Hub: 37 of 100 pulls left`, a line a registry.
    pub(super) fn quota_lines(&self) -> impl Iterator<Item = String> {
        self.quotas.iter().map(|(registry, (remaining, limit))| {
            format!("{}: {remaining} of {limit} pulls left", registry_name(registry))
        })
    }

    /// Everything in one line: what is done, of how much, how fast.
    pub(super) fn summary(&self) -> String {
        match &self.phase {
            Phase::Beginning => "Working".to_owned(),
            Phase::Queued { behind } => format!("Waiting for {}", printable_within(behind, 160)),
            Phase::Resolving { done, total } => format!("Asking registries: {done} of {total}"),
            Phase::Step { what, done, total: 0 } => format!("{}: {done}", capitalised(what)),
            Phase::Step { what, done, total } => format!("{}: {done} of {total}", capitalised(what)),
            Phase::Busy { words } => words.clone(),
            Phase::Fetching | Phase::HandingOver => {
                let (done, total) = self.bytes;
                let what = if self.phase == Phase::Fetching { "Fetching" } else { "Handing over" };
                let mut line = format!("{what}: {} of {} ({}%)", bytes(done.min(total)), bytes(total), self.percent());
                if let Some(rate) = self.rate() {
                    let _ = write!(line, ", {}/s", bytes(rate));
                }
                if let Some(left) = self.left() {
                    let _ = write!(line, ", {} left", seconds(left));
                }
                if self.phase == Phase::Fetching {
                    let _ = write!(line, ", {} of {} blobs", self.fetched, self.blobs);
                }
                line
            }
        }
    }
}

/// What happened, in a sentence, if a person wants to hear of it: everything that is no count.
pub(super) fn sentence(event: &Event) -> Option<String> {
    Some(match event {
        // Two targets of one run take turns: that is nothing to tell.
        Event::Queued { behind: HeldBy(Some(holder)) } if holder.is_this_process() => return None,
        Event::Queued { behind } => format!("Waiting for {}.", printable_within(&behind.to_string(), 160)),
        Event::Failed { image, reason } => {
            format!("Failed: {}: {}", printable_within(image, 200), printable_within(reason, 400))
        }
        Event::Waiting { registry, pause, reason, asked } => {
            let pause = seconds(pause.as_secs_f64().ceil() as u64);
            let reason = printable_within(reason, 300);
            let name = registry_name(registry);
            if *asked {
                format!("{name} asks us to wait {pause}: {reason}")
            } else {
                format!("{name}: trying again in {pause}: {reason}")
            }
        }
        Event::Step { target, step, state } => {
            let target = printable_within(target, 60);
            match state {
                StepState::Running | StepState::Skipped => return None,
                StepState::Done(text) => format!("{target}: {}", done(*step, &printable_within(text, 300))),
                // Why is said once, at the end.
                StepState::Failed(_) => format!("{target}: {} failed", doing(*step)),
            }
        }
        Event::Note(text) => printable_within(text, 500),
        _ => return None,
    })
}

/// What a step does.
fn doing(step: PublishStep) -> &'static str {
    match step {
        PublishStep::HandOver => "handing over",
        PublishStep::Pin => "pinning",
        PublishStep::Check => "checking what it holds",
        PublishStep::Dnslink => "moving the record",
        PublishStep::Ipns => "moving the IPNS name",
        PublishStep::Tidy => "unpinning older roots",
        PublishStep::Gateways => "asking gateways",
    }
}

/// What a step did.
fn done(step: PublishStep, text: &str) -> String {
    match step {
        PublishStep::HandOver => format!("handed over {text}"),
        PublishStep::Pin => format!("pinned {text}"),
        PublishStep::Check => format!("checked: {text}"),
        PublishStep::Dnslink | PublishStep::Ipns => format!("moved {text}"),
        PublishStep::Tidy => format!("unpinned older roots: {text}"),
        PublishStep::Gateways => format!("asked gateways: {text}"),
    }
}

/// A registry as people call it.
pub(super) fn registry_name(registry: &str) -> String {
    if registry == "docker.io" { "Docker Hub".to_owned() } else { printable_within(registry, 100) }
}

/// `34 s`, `3 min 5 s`, `2 h 10 min`.
pub(super) fn seconds(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// `files` → `Files`.
pub(super) fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_time_left_come_from_the_last_seconds() {
        let (meter, mut tracker) = (Meter::default(), Tracker::default());
        meter.expect(10 << 20);
        tracker.event(Duration::ZERO, &Event::Fetching { blobs: 3, bytes: 10 << 20 });
        tracker.sample(Duration::ZERO, &meter);
        assert_eq!(tracker.summary(), "Fetching: 0 B of 10 MiB (0%), 0 of 3 blobs");
        for second in 1..=4 {
            meter.advance(1 << 20);
            tracker.sample(Duration::from_secs(second), &meter);
        }
        assert_eq!(tracker.rate(), Some(1 << 20));
        assert_eq!(tracker.summary(), "Fetching: 4.0 MiB of 10 MiB (40%), 1.0 MiB/s, 6 s left, 0 of 3 blobs");
        // Nothing comes any more: after the window the rate is nothing, and nothing is promised.
        for second in 5..=20 {
            tracker.sample(Duration::from_secs(second), &meter);
        }
        assert_eq!((tracker.rate(), tracker.left()), (Some(0), None));
        assert!(tracker.samples.len() < 100);
    }

    #[test]
    fn what_was_here_before_is_no_speed() {
        let (meter, mut tracker) = (Meter::default(), Tracker::default());
        meter.expect(100 << 20);
        tracker.sample(Duration::ZERO, &meter);
        meter.find(60 << 20);
        meter.advance(4 << 20);
        tracker.sample(Duration::from_secs(1), &meter);
        assert_eq!((tracker.bytes, tracker.rate()), ((64 << 20, 100 << 20), Some(4 << 20)));
        assert_eq!(tracker.left(), Some(9));
    }

    #[test]
    fn steps_of_targets_are_told() {
        let (mut tracker, meter) = (Tracker::default(), Meter::default());
        let tell = |tracker: &mut Tracker, target: &str, step, state| {
            let event = Event::Step { target: target.into(), step, state };
            tracker.event(Duration::ZERO, &event);
            sentence(&event)
        };
        meter.expect(4 << 20);
        meter.advance(1 << 20);
        assert_eq!(tell(&mut tracker, "home", PublishStep::HandOver, StepState::Running), None);
        assert_eq!(tell(&mut tracker, "away", PublishStep::Pin, StepState::Running), None);
        tracker.sample(Duration::ZERO, &meter);
        assert_eq!(tracker.summary(), "Handing over: 1.0 MiB of 4.0 MiB (25%)");
        assert_eq!(
            tell(&mut tracker, "home", PublishStep::HandOver, StepState::Done("7 blocks of 4.0 MiB in 1 CAR".into()))
                .unwrap(),
            "home: handed over 7 blocks of 4.0 MiB in 1 CAR"
        );
        tell(&mut tracker, "home", PublishStep::Pin, StepState::Running);
        assert_eq!(tracker.summary(), "home: pinning");
        assert_eq!(
            tell(&mut tracker, "away", PublishStep::Pin, StepState::Failed("no\u{1b}".into())).unwrap(),
            "away: pinning failed"
        );
    }

    #[test]
    fn nearly_all_is_not_all() {
        let tracker = Tracker { bytes: (999_999, 1_000_000), ..Tracker::default() };
        assert_eq!(tracker.percent(), 99);
        assert_eq!(Tracker { bytes: (0, 0), ..Tracker::default() }.percent(), 100);
        assert_eq!(Tracker { bytes: (u64::MAX - 1, u64::MAX), ..Tracker::default() }.percent(), 99);
    }

    #[test]
    fn waits_are_explained() {
        let waiting = |registry: &str, reason: &str, asked| {
            let event = Event::Waiting {
                registry: registry.into(),
                pause: Duration::from_millis(33_200),
                reason: reason.into(),
                asked,
            };
            sentence(&event).unwrap()
        };
        assert_eq!(
            waiting("docker.io", "429 Too Many Requests", true),
            "Docker Hub asks us to wait 34 s: 429 Too Many Requests"
        );
        assert_eq!(
            waiting("ghcr.io", "connection reset\u{1b}", false),
            "ghcr.io: trying again in 34 s: connection reset\\u{1b}"
        );
        let mut tracker = Tracker::default();
        tracker.event(Duration::ZERO, &Event::Quota { registry: "docker.io".into(), limit: 100, remaining: 37 });
        assert_eq!(tracker.quota_lines().collect::<Vec<_>>(), ["Docker Hub: 37 of 100 pulls left"]);
        assert_eq!((seconds(5), seconds(185), seconds(7800)), ("5 s".into(), "3 min 5 s".into(), "2 h 10 min".into()));
    }
}
