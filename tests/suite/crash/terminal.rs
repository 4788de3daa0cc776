//! The program on a terminal: what it shows, what is typed.

use crate::peers::wait_for;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read as _, Write};
use std::process::Command;
use std::sync::{Arc, Mutex};

/// A terminal with the program on it.
pub(super) struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    shown: Arc<Mutex<Vec<u8>>>,
    typed: Box<dyn Write + Send>,
    _master: Box<dyn MasterPty + Send>,
}

impl Terminal {
    /// Starts the command on a terminal of 100 columns.
    pub(super) fn start(command: &Command) -> Self {
        let size = PtySize { rows: 40, cols: 100, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a terminal");
        let mut builder = CommandBuilder::new(command.get_program());
        builder.args(command.get_args());
        builder.env_clear();
        for (name, value) in command.get_envs() {
            builder.env(name, value.expect("a value"));
        }
        builder.env("TERM", "xterm");
        builder.cwd(command.get_current_dir().expect("a directory"));
        let child = pair.slave.spawn_command(builder).expect("a process");
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let typed = pair.master.take_writer().expect("a writer");
        let shown: Arc<Mutex<Vec<u8>>> = Arc::default();
        let into = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // It ends with the terminal.
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                into.lock().expect("a lock").extend_from_slice(&buffer[..count]);
            }
        });
        Self { child, shown, typed, _master: pair.master }
    }

    /// What was shown so far.
    pub(super) fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().expect("a lock")).into_owned()
    }

    /// Waits until it shows this.
    pub(super) fn wait_for(&self, words: &str) {
        wait_for(words, || self.shown(), || self.shown().contains(words).then_some(()));
    }

    pub(super) fn type_in(&mut self, text: &str) {
        self.typed.write_all(text.as_bytes()).expect("a terminal");
    }

    /// Waits for the end and for these words; gives the exit code.
    pub(super) fn end(mut self, words: &[&str]) -> u32 {
        let (child, shown) = (&mut self.child, Arc::clone(&self.shown));
        let log = || String::from_utf8_lossy(&shown.lock().expect("a lock")).into_owned();
        let status = wait_for("its end", log, || child.try_wait().expect("a child"));
        for word in words {
            self.wait_for(word);
        }
        status.exit_code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
    }
}
