//! The program's log as the interface sees it: a layer that sends what is logged to the view, and the way back, which writes
//! what the interface says into the same log.

use std::fmt::{self, Write as _};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::state::log::{Level, Line};

/// Lines that the interface has said itself, and does not want to hear again.
const SAID: &str = "roadstead::tui::said";
/// More of one line is cut.
const MAX_LINE_BYTES: usize = 4 << 10;

/// A layer of `tracing` that sends what is logged to the interface.
#[derive(Debug)]
pub struct Feed {
    lines: UnboundedSender<Line>,
}

/// What comes out of it.
#[derive(Debug)]
pub struct Lines {
    lines: UnboundedReceiver<Line>,
}

impl Lines {
    /// The next line; none once nothing can be logged any more.
    pub async fn next(&mut self) -> Option<Line> {
        self.lines.recv().await
    }
}

/// A layer, and what comes out of it.
pub fn feed() -> (Feed, Lines) {
    let (sender, lines) = unbounded_channel();
    (Feed { lines: sender }, Lines { lines })
}

impl<S: Subscriber> Layer<S> for Feed {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == SAID {
            return;
        }
        let mut text = Text::default();
        event.record(&mut text);
        let level = match *event.metadata().level() {
            tracing::Level::ERROR => Level::Error,
            tracing::Level::WARN => Level::Warning,
            tracing::Level::INFO => Level::Info,
            _ => Level::Debug,
        };
        let at =
            jiff::Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::system()).strftime("%H:%M:%S").to_string();
        let text = crate::text::printable_within(&text.0, MAX_LINE_BYTES);
        let _ = self.lines.send(Line { at, level, job: None, text });
    }
}

/// An event in a line: its message, then its fields.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let rest = std::mem::take(&mut self.0);
            let _ = write!(self.0, "{value:?}{rest}");
        } else {
            let _ = write!(self.0, " {}={value:?}", field.name());
        }
    }
}

/// Writes what the interface said into the log.
pub(super) fn write(lines: &[Line]) {
    for line in lines {
        let text = line.text_with_job();
        match line.level {
            Level::Error => tracing::error!(target: SAID, "{text}"),
            Level::Warning => tracing::warn!(target: SAID, "{text}"),
            Level::Info => tracing::info!(target: SAID, "{text}"),
            Level::Debug => tracing::debug!(target: SAID, "{text}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[tokio::test]
    async fn what_is_logged_is_a_line_and_what_was_said_is_not_heard_again() {
        let (feed, mut lines) = feed();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(feed), || {
            write(&[Line { at: String::new(), level: Level::Info, job: Some(7), text: "add begins".into() }]);
            tracing::warn!(registry = "example.com", "it is\nslow");
        });
        let line = lines.next().await.unwrap();
        assert_eq!((line.level, line.text.as_str()), (Level::Warning, "it is\\u{a}slow registry=\"example.com\""));
        assert!(lines.next().await.is_none());
    }
}
