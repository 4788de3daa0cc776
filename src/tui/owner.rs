//! The terminal's owner: what the loop does on a real terminal.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use crossterm::event::EventStream;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

use super::notices::Notices;
use super::run::Face;
use super::terminal::Screen;

pub(super) struct Owner {
    pub(super) screen: Screen,
    /// The pager: `$PAGER`, or `less`.
    pub(super) pager: OsString,
    /// This program as a command line, with what it was told about where everything is: a verb goes behind it.
    pub(super) program: Vec<OsString>,
    /// How the terminal tells that a job has ended.
    pub(super) notices: Notices,
}

impl Face for Owner {
    type Backend = CrosstermBackend<io::Stdout>;
    type Events = EventStream;

    fn events(&mut self) -> EventStream {
        EventStream::new()
    }

    fn size(&mut self) -> io::Result<(u16, u16)> {
        crossterm::terminal::size()
    }

    fn terminal(&mut self) -> &mut Terminal<Self::Backend> {
        &mut self.screen.terminal
    }

    fn hold(&mut self, on: bool) -> io::Result<()> {
        Screen::hold(on)
    }

    fn copy(&mut self, text: &str) -> io::Result<()> {
        Screen::copy(text)
    }

    fn notify(&mut self, text: &str) -> io::Result<()> {
        Screen::write(&self.notices.sequence(text))
    }

    fn set_mouse(&mut self, on: bool) -> io::Result<()> {
        Screen::set_mouse(on)
    }

    fn redraw(&mut self) -> io::Result<()> {
        self.screen.redraw()
    }

    fn suspend(&mut self) -> io::Result<()> {
        // Raw mode made ^Z a key, so the signal has to come from here; STOP works for an orphaned process group, too.
        self.screen
            .lend(|| rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP))??;
        Ok(())
    }

    fn page(&mut self, text: &str) -> io::Result<()> {
        let pager = self.pager.clone();
        self.screen.lend(|| {
            let mut words = pager_words(&pager)?.into_iter();
            let Some(program) = words.next() else { return Ok(()) };
            let mut child = Command::new(program).args(words).stdin(Stdio::piped()).spawn()?;
            if let Some(mut input) = child.stdin.take() {
                // A pager that is left early closes its end.
                let lines: Vec<String> = text.lines().map(crate::text::printable).collect();
                let _ = input.write_all(format!("{}\n", lines.join("\n")).as_bytes());
            }
            child.wait().map(drop)
        })?
    }

    fn page_file(&mut self, file: &Path) -> io::Result<()> {
        let pager = self.pager.clone();
        self.screen.lend(|| {
            let mut words = pager_words(&pager)?.into_iter();
            let Some(program) = words.next() else { return Ok(()) };
            Command::new(program).args(words).arg(file).status().map(drop)
        })?
    }

    fn verb(&mut self, words: &[String]) -> io::Result<()> {
        let (program, given) = self.program.split_first().ok_or(io::ErrorKind::NotFound)?;
        self.screen.lend(|| {
            let mut output = io::stdout();
            writeln!(output, "$ roadstead {}", crate::text::printable(&shell_words::join(words)))?;
            let status = Command::new(program).args(given).args(words).status()?;
            let verb = words.first().map(|verb| crate::text::printable(verb)).unwrap_or_default();
            let how = if status.success() { "is done".to_owned() } else { format!("ended with {status}") };
            // What it said stays until somebody has read it.
            write!(output, "`{verb}` {how}. Press Enter to return to the interface. ")?;
            output.flush()?;
            io::stdin().read_line(&mut String::new()).map(drop)
        })?
    }

    fn browse(&mut self, url: &str) -> io::Result<()> {
        Command::new("xdg-open")
            .arg(url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map(drop)
    }
}

/// Words of it are arguments, as in a shell: `less -R`.
fn pager_words(pager: &OsStr) -> io::Result<Vec<String>> {
    shell_words::split(&pager.to_string_lossy()).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
}
