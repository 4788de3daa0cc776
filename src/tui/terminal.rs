//! The terminal as a resource: taken once, always given back.
//!
//! `ratatui::init` is not used: its panic hook gives the terminal back when any thread panics, its `restore` leaves mouse
//! capture and bracketed paste on, and `Terminal::clear` asks where the cursor is, which not every terminal answers.

use std::io::{self, Stdout, Write as _, stdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::{panic, thread};

use crossterm::clipboard::CopyToClipboard;
use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture};
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode,
};
use crossterm::{execute, queue};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

/// Whether the terminal is ours, so that it is given back once, whoever does it.
static TAKEN: AtomicBool = AtomicBool::new(false);
static MOUSE: AtomicBool = AtomicBool::new(true);
/// Whether something else has the terminal for a while.
static LENT: AtomicBool = AtomicBool::new(false);

/// Owns the screen. Dropping it gives the terminal back, whatever happened.
pub(super) struct Screen {
    pub(super) terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Screen {
    /// Takes the terminal over.
    pub(super) fn enter(mouse: bool) -> io::Result<Self> {
        // crossterm writes every colour as a full reset where NO_COLOR is set, which wipes the selection, too: our themes
        // decide about colour.
        crossterm::style::force_color_output(true);
        MOUSE.store(mouse, Ordering::SeqCst);
        install_panic_hook();
        let screen = Self { terminal: Terminal::new(CrosstermBackend::new(stdout()))? };
        take()?;
        Ok(screen)
    }

    /// Lends the terminal to something else: a pager, a shell that this process is stopped for.
    pub(super) fn lend<T>(&mut self, to: impl FnOnce() -> T) -> io::Result<T> {
        LENT.store(true, Ordering::SeqCst);
        give_back();
        let value = to();
        LENT.store(false, Ordering::SeqCst);
        take()?;
        self.redraw()?;
        Ok(value)
    }

    /// Whether something else has it for a while: signals of the keyboard are meant for that then.
    pub(super) fn is_lent() -> bool {
        LENT.load(Ordering::SeqCst)
    }

    /// Forgets what the terminal shows, so that the next frame is drawn whole.
    pub(super) fn redraw(&mut self) -> io::Result<()> {
        let size = self.terminal.size()?;
        self.terminal.resize(size.into())
    }

    /// Lets the terminal show nothing until a frame is whole, or show it: synchronised output, which terminals that don't know
    /// it pass over.
    pub(super) fn hold(on: bool) -> io::Result<()> {
        // It is sent with the frame that it begins.
        if on { queue!(stdout(), BeginSynchronizedUpdate) } else { execute!(stdout(), EndSynchronizedUpdate) }
    }

    /// Copies through the terminal (OSC 52), so that it works over SSH, too.
    pub(super) fn copy(text: &str) -> io::Result<()> {
        execute!(stdout(), CopyToClipboard::to_clipboard_from(text))
    }

    /// Writes a control sequence that changes nothing on the screen.
    pub(super) fn write(sequence: &str) -> io::Result<()> {
        let mut output = stdout();
        output.write_all(sequence.as_bytes())?;
        output.flush()
    }

    /// Turns the mouse on or off.
    pub(super) fn set_mouse(on: bool) -> io::Result<()> {
        MOUSE.store(on, Ordering::SeqCst);
        if on { execute!(stdout(), EnableMouseCapture) } else { execute!(stdout(), DisableMouseCapture) }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn take() -> io::Result<()> {
    TAKEN.store(true, Ordering::SeqCst);
    enable_raw_mode()?;
    execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste)?;
    if MOUSE.load(Ordering::SeqCst) {
        execute!(stdout(), EnableMouseCapture)?;
    }
    Ok(())
}

fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = execute!(
            stdout(),
            EndSynchronizedUpdate,
            DisableBracketedPaste,
            DisableMouseCapture,
            LeaveAlternateScreen,
            crossterm::cursor::Show
        );
        let _ = disable_raw_mode();
        let _ = stdout().flush();
    }
}

/// Gives the terminal back when the interface panics, and only then: a worker that panics is a failed job, and must not
/// pull the screen from under a program that lives on.
fn install_panic_hook() {
    let interface = thread::current().id();
    let previous = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if thread::current().id() == interface {
            give_back();
            previous(info);
        } else {
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            let why = crate::text::printable_within(info.payload_as_str().unwrap_or("no reason"), 300);
            tracing::error!("a worker panicked at {place}: {why}");
        }
    }));
}
