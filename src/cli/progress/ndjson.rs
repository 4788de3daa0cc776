//! Events for programs: one JSON object a line on standard error.
//!
//! | event | fields |
//! |---|---|
//! | `resolving` | `done`, `total`: requests to registries |
//! | `queued` | `behind`: who is changing the catalog |
//! | `proceeding` | none: the wait is over |
//! | `fetching` | `blobs`, `bytes` to fetch |
//! | `blob.started` | `digest`, `image`, `size` |
//! | `blob.progress` | `digest`, `done`, `size`: bytes; at most once a second |
//! | `blob.finished` | `digest`, `failure` (or null) |
//! | `bytes` | `done`, `total` of the whole job; at most once a second |
//! | `image.recorded` | `image` |
//! | `image.failed` | `image`, `reason` |
//! | `registry.waiting` | `registry`, `seconds`, `reason`, `asked`: whether the registry asked for the wait |
//! | `registry.quota` | `registry`, `limit`, `remaining` |
//! | `step` | `what`, `done`, `total`; at most ten a second, and the last |
//! | `target.step` | `target`, `step`: `hand_over`, `pin`, `check` …, `state`: `running`, `done`, `skipped`, `failed`; `text` of what was done or failed |
//! | `note` | `text` |
//! | `finished` | `outcome`: `done`, `failed` or `cancelled`; `reason` of a failure |

use std::time::Duration;

use serde_json::{Value, json};

use super::super::output::Output;
use super::reporter::Reporter;
use super::tracker::Tracker;
use crate::engine::job::{End, Event, StepState};

const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);
const STEP_INTERVAL: Duration = Duration::from_millis(100);

/// Lines on standard error.
pub(super) struct Lines {
    output: Output,
    sampled: Duration,
    bytes: (u64, u64),
    stepped: Option<Duration>,
}

impl Lines {
    pub(super) fn new(output: Output) -> Self {
        Self { output, sampled: Duration::ZERO, bytes: (0, 0), stepped: None }
    }

    fn line(&self, value: &Value) {
        self.output.json_line(value);
    }

    /// Whether a count is worth a line: the last one, or the first after a while.
    fn counts(&mut self, now: Duration, last: bool) -> bool {
        let due = self.stepped.is_none_or(|at| now.saturating_sub(at) >= STEP_INTERVAL);
        if due || last {
            self.stepped = Some(now);
        }
        due || last
    }
}

impl Reporter for Lines {
    fn event(&mut self, tracker: &Tracker, event: &Event) {
        let line = match event {
            Event::Resolving { done, total } => {
                if !self.counts(tracker.now, done == total) {
                    return;
                }
                json!({ "event": "resolving", "done": done, "total": total })
            }
            Event::Progress { what, done, total } => {
                if !self.counts(tracker.now, done == total) {
                    return;
                }
                json!({ "event": "step", "what": what, "done": done, "total": total })
            }
            Event::Queued { behind } => json!({ "event": "queued", "behind": behind.to_string() }),
            Event::Proceeding => json!({ "event": "proceeding" }),
            Event::Fetching { blobs, bytes } => json!({ "event": "fetching", "blobs": blobs, "bytes": bytes }),
            Event::BlobStarted { digest, image, size, .. } => {
                json!({ "event": "blob.started", "digest": digest, "image": image, "size": size })
            }
            Event::BlobFinished { digest, failure } => {
                json!({ "event": "blob.finished", "digest": digest, "failure": failure })
            }
            Event::Recorded { image } => json!({ "event": "image.recorded", "image": image }),
            Event::Failed { image, reason } => json!({ "event": "image.failed", "image": image, "reason": reason }),
            Event::Waiting { registry, pause, reason, asked } => json!({
                "event": "registry.waiting", "registry": registry, "seconds": pause.as_secs_f64(), "reason": reason, "asked": asked,
            }),
            Event::Quota { registry, limit, remaining } => json!({
                "event": "registry.quota", "registry": registry, "limit": limit, "remaining": remaining,
            }),
            Event::Step { target, step, state } => {
                let (state, text) = match state {
                    StepState::Running => ("running", None),
                    StepState::Done(text) => ("done", Some(text)),
                    StepState::Skipped => ("skipped", None),
                    StepState::Failed(reason) => ("failed", Some(reason)),
                };
                json!({ "event": "target.step", "target": target, "step": step, "state": state, "text": text })
            }
            Event::Note(text) => json!({ "event": "note", "text": text }),
            Event::Finished(end) => match end {
                End::Done => json!({ "event": "finished", "outcome": "done" }),
                End::Failed(reason) => json!({ "event": "finished", "outcome": "failed", "reason": reason }),
                End::Cancelled => json!({ "event": "finished", "outcome": "cancelled" }),
            },
        };
        self.line(&line);
    }

    fn tick(&mut self, tracker: &Tracker) {
        if tracker.now.saturating_sub(self.sampled) < PROGRESS_INTERVAL || tracker.bytes == self.bytes {
            return;
        }
        (self.sampled, self.bytes) = (tracker.now, tracker.bytes);
        for blob in &tracker.running {
            self.line(
                &json!({ "event": "blob.progress", "digest": blob.digest, "done": blob.done(), "size": blob.size }),
            );
        }
        self.line(&json!({ "event": "bytes", "done": tracker.bytes.0, "total": tracker.bytes.1 }));
    }

    fn note(&mut self, text: &str) {
        self.line(&json!({ "event": "note", "text": text }));
    }

    fn finish(&mut self, _: &Tracker) {}
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;

    use super::super::super::output::Style;
    use super::super::super::output::tests::captured;
    use super::*;
    use crate::engine::job::Meter;
    use crate::holder::{HeldBy, Holder};
    use crate::image::Digest;

    /// The shapes of all events: programs rely on them.
    #[test]
    fn every_event_is_one_line() {
        let (output, out, err) = captured(Style { json: true, ..Style::default() });
        let (mut lines, mut tracker, meter) = (Lines::new(output), Tracker::default(), Meter::default());
        let digest = Digest::of(b"");
        let done = Arc::new(AtomicU64::new(512));
        meter.expect(1024);
        let events = [
            Event::Resolving { done: 1, total: 1 },
            Event::Queued { behind: HeldBy(Some(Holder { process: 7, doing: "add x".into(), since: None })) },
            Event::Proceeding,
            Event::Fetching { blobs: 1, bytes: 1024 },
            Event::BlobStarted { digest, image: "library/x:1".into(), size: 1024, done },
            Event::Note("A note.".into()),
        ];
        for event in &events {
            tracker.event(Duration::ZERO, event);
            lines.event(&tracker, event);
        }
        meter.advance(512);
        for milliseconds in [500, 1000, 1500, 2500] {
            tracker.sample(Duration::from_millis(milliseconds), &meter);
            lines.tick(&tracker);
        }
        let events = [
            Event::BlobFinished { digest, failure: None },
            Event::Waiting {
                registry: "docker.io".into(),
                pause: Duration::from_millis(1500),
                reason: "429".into(),
                asked: true,
            },
            Event::Quota { registry: "docker.io".into(), limit: 100, remaining: 37 },
            Event::Recorded { image: "library/x:1".into() },
            Event::Failed { image: "y".into(), reason: "not found\n\u{1b}".into() },
            Event::Progress { what: "files", done: 1, total: 3 },
            Event::Progress { what: "files", done: 2, total: 3 },
            Event::Progress { what: "files", done: 3, total: 3 },
            Event::Finished(End::Failed("no".into())),
            Event::Finished(End::Cancelled),
            Event::Finished(End::Done),
        ];
        for event in &events {
            tracker.event(Duration::from_secs(3), event);
            lines.event(&tracker, event);
        }
        lines.finish(&tracker);
        assert_eq!(out.text(), "");
        for line in err.text().lines() {
            serde_json::from_str::<Value>(line).unwrap();
        }
        insta::assert_snapshot!("events", err.text());
    }
}
