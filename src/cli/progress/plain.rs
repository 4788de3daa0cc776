//! Lines for a log: what changes, and every ten seconds how far it is.

use std::time::Duration;

use super::super::output::Output;
use super::reporter::Reporter;
use super::tracker::{Phase, Tracker, sentence};
use crate::engine::job::Event;
use crate::text::{bytes, count, printable_within};

const PROGRESS_INTERVAL: Duration = Duration::from_secs(10);

/// Lines on standard error.
pub(super) struct Lines {
    output: Output,
    said: Duration,
}

impl Lines {
    pub(super) fn new(output: Output) -> Self {
        Self { output, said: Duration::ZERO }
    }
}

impl Reporter for Lines {
    fn event(&mut self, tracker: &Tracker, event: &Event) {
        match event {
            Event::Fetching { blobs, bytes: size } if *blobs > 0 => {
                self.output.message(&format!("Fetching {}, {}.", count(*blobs, "blob", "blobs"), bytes(*size)));
                self.said = tracker.now;
            }
            Event::Recorded { image } => self.output.message(&format!("Mirrored {}", printable_within(image, 300))),
            other => {
                if let Some(sentence) = sentence(other) {
                    self.output.message(&sentence);
                }
            }
        }
    }

    fn tick(&mut self, tracker: &Tracker) {
        if tracker.now.saturating_sub(self.said) >= PROGRESS_INTERVAL && tracker.phase != Phase::Beginning {
            self.output.message(&tracker.summary());
            self.said = tracker.now;
        }
    }

    fn note(&mut self, text: &str) {
        self.output.message(text);
    }

    fn finish(&mut self, tracker: &Tracker) {
        for line in tracker.quota_lines() {
            self.output.message(&line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::output::Style;
    use super::super::super::output::tests::captured;
    use super::*;
    use crate::engine::job::Meter;

    #[test]
    fn one_line_every_ten_seconds_and_when_something_changes() {
        let (output, out, err) = captured(Style::default());
        let (mut lines, mut tracker, meter) = (Lines::new(output), Tracker::default(), Meter::default());
        let tell = |tracker: &mut Tracker, lines: &mut Lines, at: u64, event: Event| {
            tracker.event(Duration::from_secs(at), &event);
            lines.event(tracker, &event);
        };
        tell(&mut tracker, &mut lines, 0, Event::Resolving { done: 1, total: 3 });
        meter.expect(100 << 20);
        tell(&mut tracker, &mut lines, 1, Event::Fetching { blobs: 13, bytes: 100 << 20 });
        for second in 2..=25 {
            meter.advance(1 << 20);
            tracker.sample(Duration::from_secs(second), &meter);
            lines.tick(&tracker);
        }
        let failed = Event::Failed { image: "ghcr.io/a/b:1".into(), reason: "not found".into() };
        tell(&mut tracker, &mut lines, 25, failed);
        tell(&mut tracker, &mut lines, 26, Event::Recorded { image: "library/nginx:alpine".into() });
        tell(&mut tracker, &mut lines, 26, Event::Quota { registry: "docker.io".into(), limit: 100, remaining: 37 });
        lines.finish(&tracker);
        assert_eq!(out.text(), "");
        assert_eq!(
            err.text(),
            "Fetching 13 blobs, 100 MiB.\n\
             Fetching: 10 MiB of 100 MiB (10%), 1.0 MiB/s, 1 min 30 s left, 0 of 13 blobs\n\
             Fetching: 20 MiB of 100 MiB (20%), 1.0 MiB/s, 1 min 20 s left, 0 of 13 blobs\n\
             Failed: ghcr.io/a/b:1: not found\n\
             Mirrored library/nginx:alpine\n\
             Docker Hub: 37 of 100 pulls left\n"
        );
    }
}
