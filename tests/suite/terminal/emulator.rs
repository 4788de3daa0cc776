//! The program in a real pseudo-terminal with a terminal emulator behind it: keys go in, a screen comes out.
//!
//! The bench of the interface uses it, too.

#![allow(dead_code, reason = "the bench and the suite use different parts of it")]

use std::io::{Read as _, Write as _};
use std::num::NonZero;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// How long something may take to show.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program in a terminal. It ends with this.
pub(crate) struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    input: Box<dyn std::io::Write + Send>,
    shown: Arc<(Mutex<vt100::Parser>, Condvar)>,
    began: Instant,
    _master: Box<dyn MasterPty + Send>,
}

/// How much of this is whole frames: a terminal with synchronised output shows no half of one.
pub(crate) fn whole(bytes: &[u8]) -> usize {
    let last = |of: &[u8]| bytes.windows(of.len()).rposition(|part| part == of);
    match (last(b"\x1b[?2026h"), last(b"\x1b[?2026l")) {
        (Some(begin), None) => begin,
        (Some(begin), Some(end)) if begin > end => begin,
        _ => bytes.len(),
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Terminal {
    /// Starts a program with nothing but these variables.
    pub(crate) fn start(program: &Path, arguments: &[&str], variables: &[(&str, &str)], size: (u16, u16)) -> Self {
        let (cols, rows) = size;
        let pair = native_pty_system().openpty(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).unwrap();
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        command.env_clear();
        command.env("TERM", "xterm-256color");
        for (name, value) in variables {
            command.env(name, value);
        }
        let began = Instant::now();
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut output = pair.master.try_clone_reader().unwrap();
        let input = pair.master.take_writer().unwrap();
        let parser = vt100::Parser::new(NonZero::new(rows).unwrap(), NonZero::new(cols).unwrap(), 0);
        let shown = Arc::new((Mutex::new(parser), Condvar::new()));
        let to = Arc::clone(&shown);
        thread::spawn(move || {
            let mut bytes = vec![0; 1 << 16];
            let mut held = Vec::new();
            while let Ok(read @ 1..) = output.read(&mut bytes) {
                held.extend_from_slice(&bytes[..read]);
                let rest = held.split_off(whole(&held));
                to.0.lock().unwrap().process(&held);
                held = rest;
                to.1.notify_all();
            }
            to.0.lock().unwrap().process(&held);
            to.1.notify_all();
        });
        Self { child, input, shown, began, _master: pair.master }
    }

    /// The program's process.
    pub(crate) fn process(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// How long it has been running.
    pub(crate) fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// Presses keys.
    pub(crate) fn send(&mut self, keys: &str) {
        self.input.write_all(keys.as_bytes()).unwrap();
        self.input.flush().unwrap();
    }

    /// Looks at the screen.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&vt100::Screen) -> T) -> T {
        look(self.shown.0.lock().unwrap().screen())
    }

    /// Waits until the screen is so, and says how long that took.
    #[track_caller]
    pub(crate) fn wait(&self, what: &str, done: impl Fn(&vt100::Screen) -> bool) -> Duration {
        let began = Instant::now();
        let mut shown = self.shown.0.lock().unwrap();
        while !done(shown.screen()) {
            assert!(began.elapsed() < PATIENCE, "waiting for {what}; the screen:\n{}", shown.screen().contents());
            shown = self.shown.1.wait_timeout(shown, Duration::from_millis(200)).unwrap().0;
        }
        began.elapsed()
    }

    /// Waits until a text is on the screen, and says how long that took.
    #[track_caller]
    pub(crate) fn see(&self, text: &str) -> Duration {
        self.wait(text, |screen| screen.contents().contains(text))
    }
}
