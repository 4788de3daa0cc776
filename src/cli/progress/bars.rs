//! Bars on a terminal: one for each running blob, a few at most, and one for everything.
//!
//! They appear only when a job takes longer than a moment, and are gone when it has ended.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::super::output::Output;
use super::reporter::Reporter;
use super::tracker::{Phase, Tracker, capitalised, seconds, sentence};
use crate::engine::job::Event;
use crate::text::{bytes, printable_within};

/// What takes less is over before one could read it.
const SHOW_DELAY: Duration = Duration::from_millis(250);
const MAX_BLOB_BARS: usize = 6;
const DRAWS_PER_SECOND: u8 = 15;

/// Bars on standard error.
pub(super) struct Bars {
    output: Output,
    drawn: MultiProgress,
    colour: bool,
    blobs: Vec<ProgressBar>,
    total: Option<ProgressBar>,
    ended: bool,
}

impl Bars {
    pub(super) fn new(output: Output) -> Self {
        let colour = output.message_paint.is_colour();
        let drawn = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND));
        Self { output, drawn, colour, blobs: Vec::new(), total: None, ended: false }
    }

    fn style(template: &str) -> ProgressStyle {
        // The templates are ours; a wrong one shows in the test below.
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸─")
    }

    fn blob_template(&self) -> &'static str {
        if self.colour { BLOB_BAR_COLOUR } else { BLOB_BAR }
    }

    fn draw(&mut self, tracker: &Tracker) {
        let total = match &self.total {
            Some(total) => total.clone(),
            None => self.total.insert(self.drawn.add(ProgressBar::new(0))).clone(),
        };
        let wanted = tracker.running.len().min(MAX_BLOB_BARS);
        while self.blobs.len() > wanted {
            if let Some(bar) = self.blobs.pop() {
                self.drawn.remove(&bar);
            }
        }
        while self.blobs.len() < wanted {
            let style = Self::style(self.blob_template());
            let bar = self.drawn.insert_before(&total, ProgressBar::new(0).with_style(style));
            self.blobs.push(bar);
        }
        for (bar, blob) in self.blobs.iter().zip(&tracker.running) {
            bar.set_length(blob.size);
            bar.set_position(blob.done());
            bar.set_prefix(format!("{} {}", &blob.digest.hex()[..12], ending(&blob.image, 26)));
            bar.set_message(format!("{} of {}", bytes(blob.done()), bytes(blob.size)));
        }
        let (done, length, template) = match &tracker.phase {
            Phase::Fetching | Phase::HandingOver => {
                (tracker.bytes.0, tracker.bytes.1, if self.colour { TOTAL_BAR_COLOUR } else { TOTAL_BAR })
            }
            Phase::Beginning | Phase::Queued { .. } | Phase::Busy { .. } | Phase::Step { total: 0, .. } => {
                (0, 0, TEXT_BAR)
            }
            Phase::Resolving { done, total } | Phase::Step { done, total, .. } => {
                (*done, *total, if self.colour { TOTAL_BAR_COLOUR } else { TOTAL_BAR })
            }
        };
        total.set_style(Self::style(template));
        total.set_length(length);
        total.set_position(done);
        total.set_prefix(prefix(tracker));
        total.set_message(words(tracker));
    }
}

const BLOB_BAR: &str = "  {prefix:39} {bar:16} {msg}";
const BLOB_BAR_COLOUR: &str = "  {prefix:39} {bar:16.cyan/dim} {msg:.dim}";
const TOTAL_BAR: &str = "{prefix} {bar:14} {wide_msg}";
const TOTAL_BAR_COLOUR: &str = "{prefix:.bold} {bar:14.green/dim} {wide_msg}";
const TEXT_BAR: &str = "{prefix} {wide_msg}";

/// The end of a name, which tells more than its beginning. The tracker has made it printable.
fn ending(name: &str, width: usize) -> String {
    let length = name.chars().count();
    if length <= width {
        return name.to_owned();
    }
    std::iter::once('…').chain(name.chars().skip(length + 1 - width)).collect()
}

fn prefix(tracker: &Tracker) -> String {
    match &tracker.phase {
        Phase::Beginning => "Working".to_owned(),
        Phase::Queued { .. } => "Waiting".to_owned(),
        Phase::Resolving { .. } => "Asking registries".to_owned(),
        Phase::Fetching => "Fetching".to_owned(),
        Phase::HandingOver => "Handing over".to_owned(),
        Phase::Busy { words } => words.clone(),
        Phase::Step { what, .. } => capitalised(what),
    }
}

fn words(tracker: &Tracker) -> String {
    match &tracker.phase {
        Phase::Beginning | Phase::Busy { .. } => String::new(),
        Phase::Queued { behind } => format!("for {}", printable_within(behind, 120)),
        Phase::Step { done, total: 0, .. } => done.to_string(),
        Phase::Resolving { done, total } | Phase::Step { done, total, .. } => format!("{done} of {total}"),
        Phase::Fetching | Phase::HandingOver => {
            let (done, total) = tracker.bytes;
            let mut words = vec![format!("{} of {}", bytes(done.min(total)), bytes(total))];
            words.push(format!("{}%", tracker.percent()));
            words.extend(tracker.rate().map(|rate| format!("{}/s", bytes(rate))));
            words.extend(tracker.left().map(|left| format!("{} left", seconds(left))));
            if tracker.phase == Phase::Fetching {
                words.push(format!("{}/{} blobs", tracker.fetched, tracker.blobs));
            }
            // The end is what a narrow terminal cuts off.
            words.extend(tracker.quota_lines());
            words.join("  ")
        }
    }
}

impl Reporter for Bars {
    fn event(&mut self, _: &Tracker, event: &Event) {
        if let Some(text) = sentence(event).filter(|_| !matches!(event, Event::Queued { .. })) {
            self.note(&text);
        }
    }

    fn tick(&mut self, tracker: &Tracker) {
        if tracker.now >= SHOW_DELAY && !self.ended {
            self.draw(tracker);
        }
    }

    fn note(&mut self, text: &str) {
        self.drawn.suspend(|| self.output.message(text));
    }

    fn finish(&mut self, tracker: &Tracker) {
        self.ended = true;
        for bar in self.blobs.drain(..).chain(self.total.take()) {
            bar.finish_and_clear();
        }
        for line in tracker.quota_lines() {
            self.output.message(&line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_valid() {
        for template in [BLOB_BAR, BLOB_BAR_COLOUR, TOTAL_BAR, TOTAL_BAR_COLOUR, TEXT_BAR] {
            ProgressStyle::with_template(template).unwrap();
        }
    }

    #[test]
    fn a_long_name_keeps_its_end() {
        assert_eq!(ending("library/nginx:alpine", 10), "…nx:alpine");
        assert_eq!(ending("nginx:é", 10), "nginx:é");
    }

    #[test]
    fn the_line_for_everything() {
        let mut tracker = Tracker::default();
        (tracker.bytes, tracker.blobs, tracker.fetched) = ((43 << 20, 100 << 20), 13, 7);
        tracker.event(Duration::ZERO, &Event::Fetching { blobs: 0, bytes: 0 });
        tracker.event(Duration::ZERO, &Event::Quota { registry: "docker.io".into(), limit: 100, remaining: 37 });
        assert_eq!(words(&tracker), "43 MiB of 100 MiB  43%  7/13 blobs  Docker Hub: 37 of 100 pulls left");
        tracker.event(Duration::ZERO, &Event::Progress { what: "files", done: 3, total: 9 });
        assert_eq!((prefix(&tracker), words(&tracker)), ("Files".to_owned(), "3 of 9".to_owned()));
    }
}
