//! The only place that writes to standard output and standard error.
//!
//! Data goes to standard output, messages and progress to standard error. With `--json`
//!
//! - standard output holds exactly one JSON document, pretty-printed with two spaces, or nothing if the verb failed before it had
//!   an answer; the shapes are in [`super::report`] and in `engine::view`;
//! - standard error holds one JSON object a line: `{"warning":{"message":…}}`,
//!   `{"error":{"kind":…,"message":…,"hints":[…],"exit_code":…}}`, and with `--progress json` the events of `progress/ndjson.rs`.
//!
//! A reader that has gone away (a broken pipe) is no error; a full disk is.

use std::fmt::Write as _;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde_json::json;

use super::style::{Paint, Tone};
use super::table::Table;
use crate::error::{Error, Kind, Result};
use crate::text::printable;

/// When to use colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Colour {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How output is to look.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Style {
    /// One JSON document instead of text for people.
    pub(super) json: bool,
    /// 1: no messages and no progress; 2: no warnings either.
    pub(super) quiet: u8,
    /// When to use colour.
    pub(super) colour: Colour,
}

type Sink = Arc<Mutex<Box<dyn Write + Send>>>;

/// Where everything that is said goes.
#[derive(Clone)]
pub(super) struct Output {
    style: Style,
    out: Sink,
    err: Sink,
    /// How standard output is painted.
    pub(super) paint: Paint,
    /// How standard error is painted.
    pub(super) message_paint: Paint,
    /// Columns of standard output, if it is a terminal.
    width: Option<usize>,
    /// Whether standard error is a terminal.
    pub(super) interactive: bool,
}

impl Output {
    /// The process's own streams.
    pub(super) fn of_process(style: Style) -> Self {
        let (out, err) = (io::stdout(), io::stderr());
        let may = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let colour = |terminal: bool| match style.colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => terminal && may,
        };
        let width = out.is_terminal().then(crossterm::terminal::size).and_then(io::Result::ok);
        Self {
            style,
            paint: Paint::new(colour(out.is_terminal())),
            message_paint: Paint::new(colour(err.is_terminal())),
            width: width.map(|(columns, _)| usize::from(columns)).filter(|columns| *columns > 0),
            interactive: err.is_terminal(),
            out: Arc::new(Mutex::new(Box::new(BufWriter::new(out)))),
            err: Arc::new(Mutex::new(Box::new(err))),
        }
    }

    /// Whether the answer is to be JSON.
    pub(super) fn is_json(&self) -> bool {
        self.style.json
    }

    /// How much is not to be said.
    pub(super) fn quiet(&self) -> u8 {
        self.style.quiet
    }

    /// Writes data for people; nothing with `--json`.
    pub(super) fn data(&self, text: &str) -> Result<()> {
        if self.style.json { Ok(()) } else { self.raw(text.as_bytes()) }
    }

    /// Writes a table as data, as wide as the terminal at most.
    pub(super) fn table(&self, table: &Table) -> Result<()> {
        self.data(&table.render(self.width, self.paint))
    }

    /// Writes data as they are, with `--json` too.
    pub(super) fn raw(&self, bytes: &[u8]) -> Result<()> {
        write(&self.out, bytes).map_err(failed)
    }

    /// Writes the JSON document, with `--json` only.
    pub(super) fn json(&self, document: &impl Serialize) -> Result<()> {
        if !self.style.json {
            return Ok(());
        }
        let mut text = serde_json::to_string_pretty(document)
            .map_err(|error| Error::new(Kind::Unexpected, "the answer can't be written as JSON").caused_by(error))?;
        text.push('\n');
        self.raw(escaped(&text).as_bytes())
    }

    /// Brings everything out. The last word on whether data arrived.
    pub(super) fn finish(&self) -> Result<()> {
        lock(&self.out).flush().map_err(failed)
    }

    /// A sentence for people about what was done.
    pub(super) fn message(&self, text: &str) {
        if self.style.quiet == 0 && !self.style.json {
            self.say(&format!("{}\n", harmless(text)));
        }
    }

    /// Something that a script waits for on standard error, also when it is to be quiet; nothing with `--json`.
    pub(super) fn announce(&self, text: &str) {
        if !self.style.json {
            self.say(&format!("{}\n", harmless(text)));
        }
    }

    /// Something that the user should know before the data are trusted.
    pub(super) fn warning(&self, text: &str) {
        if self.style.quiet > 1 {
            return;
        }
        if self.style.json {
            self.json_line(&json!({ "warning": { "message": text } }));
        } else {
            self.say(&format!("{} {}\n", self.message_paint.tone(Tone::Warning, "warning:"), harmless(text)));
        }
    }

    /// A plan that is asked about, on standard error.
    pub(super) fn ask_table(&self, table: &Table) {
        self.say(&table.render(self.width, self.message_paint));
    }

    /// A question; the answer is read elsewhere.
    pub(super) fn question(&self, text: &str) {
        self.say(&format!("{text} "));
    }

    /// An error with what to do next.
    pub(super) fn error(&self, error: &Error) {
        if self.style.json {
            self.json_line(&json!({ "error": error_document(error) }));
            return;
        }
        let message = harmless(&error.to_string());
        let mut text = format!("{} {message}\n", self.message_paint.tone(Tone::Bad, "error:"));
        for hint in error.hints() {
            let label = self.message_paint.tone(Tone::Name, "hint:");
            let _ = writeln!(text, "{label} {}", harmless(hint));
        }
        self.say(&text);
    }

    /// One JSON object in one line on standard error.
    pub(super) fn json_line(&self, value: &serde_json::Value) {
        self.say(&format!("{}\n", escaped(&value.to_string())));
    }

    /// Writes to standard error, where nothing can be done about a failure.
    pub(super) fn say(&self, text: &str) {
        let mut err = lock(&self.err);
        let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
    }
}

/// Lines of text with everything that could steer a terminal made visible.
pub(super) fn harmless(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

/// JSON with everything escaped that could steer a terminal; JSON itself only wants that of ASCII.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if (c.is_ascii() && c != '\u{7f}') || printable(&c.to_string()).starts_with(c) {
            text.push(c);
        } else {
            text.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    text
}

/// An error as it is in JSON.
pub(super) fn error_document(error: &Error) -> serde_json::Value {
    json!({
        "kind": error.kind().name(),
        "message": error.to_string(),
        "hints": error.hints(),
        "exit_code": error.kind().exit_code(),
    })
}

/// Whether this error only says that nobody reads any more.
pub(super) fn is_broken_pipe(error: &Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    source.is_some_and(|source| source.kind() == io::ErrorKind::BrokenPipe)
}

fn lock(sink: &Sink) -> std::sync::MutexGuard<'_, Box<dyn Write + Send>> {
    // A panic elsewhere leaves at worst half a line.
    sink.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write(sink: &Sink, bytes: &[u8]) -> io::Result<()> {
    lock(sink).write_all(bytes)
}

fn failed(error: io::Error) -> Error {
    Error::new(Kind::Unexpected, "can't write to standard output").caused_by(error)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Collects what is written.
    #[derive(Clone, Default)]
    pub(in crate::cli) struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Captured {
        pub(in crate::cli) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    /// An output into memory, 100 columns wide, and what was written to both streams.
    pub(in crate::cli) fn captured(style: Style) -> (Output, Captured, Captured) {
        let (out, err) = (Captured::default(), Captured::default());
        let paint = Paint::new(style.colour == Colour::Always);
        let output = Output {
            style,
            out: Arc::new(Mutex::new(Box::new(out.clone()))),
            err: Arc::new(Mutex::new(Box::new(err.clone()))),
            paint,
            message_paint: paint,
            width: Some(100),
            interactive: false,
        };
        (output, out, err)
    }

    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    fn broken(kind: io::ErrorKind) -> Output {
        let (output, ..) = captured(Style::default());
        Output { out: Arc::new(Mutex::new(Box::new(Broken(kind)))), ..output }
    }

    #[test]
    fn errors_with_hints() {
        let error = Error::new(Kind::NotFound, "`x` is not here").hint("Did you mean `y`?");
        let (output, out, err) = captured(Style::default());
        output.error(&error);
        assert_eq!(
            (out.text().as_str(), err.text().as_str()),
            ("", "error: `x` is not here\nhint: Did you mean `y`?\n")
        );
        let (output, out, err) = captured(Style { json: true, ..Style::default() });
        output.error(&error);
        output.message("only for people");
        output.warning("for both");
        assert_eq!(out.text(), "");
        assert_eq!(
            err.text(),
            "{\"error\":{\"kind\":\"not_found\",\"message\":\"`x` is not here\",\"hints\":[\"Did you mean `y`?\"],\"exit_code\":4}}\n\
             {\"warning\":{\"message\":\"for both\"}}\n"
        );
    }

    #[test]
    fn json_does_not_steer_the_terminal_and_says_the_same() {
        let (output, out, _) = captured(Style { json: true, ..Style::default() });
        let text = "a\u{1b}\u{7f}\u{9b}\u{202e}\u{e0001}é漢\n";
        output.json(&[text]).unwrap();
        assert!(out.text().chars().all(|c| c == '\n' || printable(&c.to_string()).starts_with(c)), "{:?}", out.text());
        assert_eq!(serde_json::from_str::<Vec<String>>(&out.text()).unwrap(), [text]);
    }

    #[test]
    fn quiet_and_more_quiet() {
        for (quiet, expected) in [(0, "m\nwarning: w\nerror: e\n"), (1, "warning: w\nerror: e\n"), (2, "error: e\n")] {
            let (output, _, err) = captured(Style { quiet, ..Style::default() });
            output.message("m");
            output.warning("w");
            output.error(&Error::new(Kind::Unexpected, "e"));
            assert_eq!(err.text(), expected);
        }
    }

    #[test]
    fn a_broken_pipe_is_told_from_a_full_disk() {
        assert!(is_broken_pipe(&broken(io::ErrorKind::BrokenPipe).data("x").unwrap_err()));
        let full = broken(io::ErrorKind::StorageFull).data("x").unwrap_err();
        assert!(!is_broken_pipe(&full));
        assert!(full.to_string().starts_with("can't write to standard output"), "{full}");
        assert!(is_broken_pipe(&broken(io::ErrorKind::BrokenPipe).finish().unwrap_err()));
    }
}
