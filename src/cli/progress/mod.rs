//! Progress of a job, as suits who looks: bars on a terminal, a line now and then in a log, events for a program.
//!
//! Events change the [`Tracker`] at once; bytes are sampled from the meter when something is drawn. Signals are heard here
//! too, because here is who can say that the job is being stopped.

mod bars;
mod ndjson;
mod plain;
mod reporter;
mod tracker;

use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

use super::output::Output;
use crate::engine::job::{Event, Watch};
use crate::error::Kind;
use reporter::Reporter;
use tracker::Tracker;

/// How progress is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Mode {
    /// Bars on a terminal, events with `--json`, lines otherwise.
    #[default]
    Auto,
    /// Bars.
    Bar,
    /// A line every 10 seconds, and when something changes.
    Plain,
    /// One JSON object a line on standard error.
    Json,
    /// Nothing.
    None,
}

impl Mode {
    /// What `auto` means here. With a log on standard error bars would be torn.
    pub(super) fn resolved(self, output: &Output, logging: bool) -> Self {
        match self {
            Self::Auto if output.quiet() > 0 => Self::None,
            Self::Auto if output.is_json() => Self::Json,
            Self::Auto if output.interactive && !logging => Self::Bar,
            Self::Auto => Self::Plain,
            Self::Bar if !output.interactive => Self::Plain,
            chosen => chosen,
        }
    }
}

struct Silent(Output);

impl Reporter for Silent {
    fn event(&mut self, _: &Tracker, _: &Event) {}
    fn tick(&mut self, _: &Tracker) {}
    fn note(&mut self, text: &str) {
        self.0.message(text);
    }
    fn finish(&mut self, _: &Tracker) {}
}

/// How often the meter is looked at.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(100);

/// What a first SIGTERM does to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Terminated {
    /// It is cancelled.
    AtOnce,
    /// It ends after the blobs that are being fetched; a second signal cancels it.
    AfterBlobs,
}

/// Shows a job until it has ended. The first SIGINT or SIGTERM cancels it, with the words `stopping`; a second SIGINT ends the process.
pub(super) async fn follow(mut watch: Watch, output: Output, mode: Mode, stopping: &str, terminated: Terminated) {
    let begun = Instant::now();
    let mut tracker = Tracker::default();
    let mut reporter: Box<dyn Reporter> = match mode {
        Mode::Bar => Box::new(bars::Bars::new(output)),
        Mode::Json => Box::new(ndjson::Lines::new(output)),
        Mode::None => Box::new(Silent(output)),
        Mode::Plain | Mode::Auto => Box::new(plain::Lines::new(output)),
    };
    let mut ticks = tokio::time::interval(SAMPLE_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut signals = Signals::new();
    let mut winds_down = false;
    loop {
        tokio::select! {
            biased;
            signal = signals.next() => {
                if watch.cancel.is_cancelled() && signal == Signal::Interrupt {
                    reporter.finish(&tracker);
                    exit_at_once();
                }
                if signal == Signal::Terminate && terminated == Terminated::AfterBlobs && !winds_down {
                    winds_down = true;
                    watch.wind_down();
                    reporter.note("Stopping after the blobs that are being fetched.");
                } else if !watch.cancel.is_cancelled() {
                    watch.cancel.cancel();
                    reporter.note(stopping);
                }
            }
            event = watch.events.recv() => {
                let Some(event) = event else { break };
                tracker.sample(begun.elapsed(), &watch.meter);
                tracker.event(begun.elapsed(), &event);
                reporter.event(&tracker, &event);
                if matches!(event, Event::Finished(_)) {
                    break;
                }
            }
            _ = ticks.tick() => {
                tracker.sample(begun.elapsed(), &watch.meter);
                reporter.tick(&tracker);
            }
        }
    }
    reporter.finish(&tracker);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signal {
    Interrupt,
    Terminate,
}

/// The signals that stop a job. If they can't be heard, they do what they always do.
struct Signals {
    interrupt: Option<tokio::signal::unix::Signal>,
    terminate: Option<tokio::signal::unix::Signal>,
}

impl Signals {
    fn new() -> Self {
        Self { interrupt: signal(SignalKind::interrupt()).ok(), terminate: signal(SignalKind::terminate()).ok() }
    }

    async fn next(&mut self) -> Signal {
        async fn heard(signal: &mut Option<tokio::signal::unix::Signal>) {
            if let Some(signal) = signal
                && signal.recv().await.is_some()
            {
                return;
            }
            std::future::pending::<()>().await;
        }
        tokio::select! {
            () = heard(&mut self.interrupt) => Signal::Interrupt,
            () = heard(&mut self.terminate) => Signal::Terminate,
        }
    }
}

#[expect(clippy::exit, reason = "the second ^C must end the process even if the job no longer listens")]
fn exit_at_once() -> ! {
    std::process::exit(i32::from(Kind::Interrupted.exit_code()))
}

#[cfg(test)]
mod tests {
    use super::super::output::Style;
    use super::super::output::tests::captured;
    use super::*;

    #[test]
    fn auto_suits_who_looks() {
        let resolved = |json, quiet, interactive, logging| {
            let (mut output, ..) = captured(Style { json, quiet, ..Style::default() });
            output.interactive = interactive;
            Mode::Auto.resolved(&output, logging)
        };
        assert_eq!(resolved(false, 0, true, false), Mode::Bar);
        assert_eq!(resolved(false, 0, true, true), Mode::Plain);
        assert_eq!(resolved(false, 0, false, false), Mode::Plain);
        assert_eq!(resolved(true, 0, true, false), Mode::Json);
        assert_eq!(resolved(true, 1, true, false), Mode::None);
    }
}
