//! The program on a pseudo-terminal with an emulator behind it. Waits for what it shows, never for time.

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{Read as _, Write};
use std::num::NonZero;
use std::process::Command;
use std::sync::{Arc, Mutex};

use super::emulator::whole;
use crate::peers::wait_for;

/// A terminal with the program on it.
pub(crate) struct Session {
    master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    input: Box<dyn Write + Send>,
    screen: Arc<Mutex<vt100::Parser>>,
    raw: Arc<Mutex<Vec<u8>>>,
}

fn pty_size((columns, rows): (u16, u16)) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

impl Session {
    /// Starts the command on a terminal of so many columns and rows.
    pub(crate) fn start(command: &Command, size: (u16, u16)) -> Self {
        let pair = native_pty_system().openpty(pty_size(size)).expect("a terminal");
        let mut builder = CommandBuilder::new(command.get_program());
        builder.args(command.get_args());
        builder.env_clear();
        for (name, value) in command.get_envs() {
            builder.env(name, value.expect("a value"));
        }
        builder.cwd(command.get_current_dir().expect("a directory"));
        let child = pair.slave.spawn_command(builder).expect("a process");
        // The terminal is gone when the program is.
        drop(pair.slave);
        let mut output = pair.master.try_clone_reader().expect("a reader");
        let input = pair.master.take_writer().expect("a writer");
        let cells = |number| NonZero::new(number).expect("a size");
        let screen = Arc::new(Mutex::new(vt100::Parser::new(cells(size.1), cells(size.0), 0)));
        let raw: Arc<Mutex<Vec<u8>>> = Arc::default();
        let (into, raw_into) = (Arc::clone(&screen), Arc::clone(&raw));
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            let mut held = Vec::new();
            // It ends with the terminal.
            while let Ok(count @ 1..) = output.read(&mut buffer) {
                raw_into.lock().expect("a lock").extend_from_slice(&buffer[..count]);
                held.extend_from_slice(&buffer[..count]);
                let rest = held.split_off(whole(&held));
                into.lock().expect("a lock").process(&held);
                held = rest;
            }
            into.lock().expect("a lock").process(&held);
        });
        Self { master: pair.master, child, input, screen, raw }
    }

    pub(crate) fn type_in(&mut self, text: &str) {
        self.input.write_all(text.as_bytes()).and_then(|()| self.input.flush()).expect("a terminal");
    }

    /// Pastes as a terminal does: in brackets only where the program asked for them.
    pub(crate) fn paste(&mut self, text: &str) {
        let bracketed = self.screen.lock().expect("a lock").screen().bracketed_paste();
        if bracketed {
            self.type_in(&format!("\x1b[200~{text}\x1b[201~"));
        } else {
            self.type_in(text);
        }
    }

    /// What is on the screen.
    pub(crate) fn text(&self) -> String {
        self.screen.lock().expect("a lock").screen().contents()
    }

    /// Everything that was ever sent to the terminal.
    pub(crate) fn raw(&self) -> String {
        String::from_utf8_lossy(&self.raw.lock().expect("a lock")).into_owned()
    }

    /// Looks at the screen.
    pub(crate) fn look<T>(&self, at: impl Fn(&vt100::Screen) -> T) -> T {
        at(self.screen.lock().expect("a lock").screen())
    }

    #[track_caller]
    pub(crate) fn wait(&self, what: &str, done: impl Fn(&vt100::Screen) -> bool) {
        wait_for(what, || self.text(), || self.look(&done).then_some(()));
    }

    /// Waits until this is on the screen.
    #[track_caller]
    pub(crate) fn see(&self, text: &str) {
        self.wait(text, |screen| screen.contents().contains(text));
    }

    /// Waits until this is not on the screen.
    #[track_caller]
    pub(crate) fn see_no(&self, text: &str) {
        self.wait(&format!("no {text}"), |screen| !screen.contents().contains(text));
    }

    /// Waits until a row with this text is under the cursor.
    #[track_caller]
    pub(crate) fn see_selected(&self, text: &str) {
        self.wait(&format!("{text} selected"), |screen| {
            let (rows, columns) = screen.size();
            (0..rows.get()).any(|row| {
                let line: String =
                    (0..columns.get()).filter_map(|at| screen.cell(row, at)).map(vt100::Cell::contents).collect();
                line.contains(text) && screen.cell(row, 3).is_some_and(vt100::Cell::inverse)
            })
        });
    }

    /// The row with the cursor.
    pub(crate) fn line_at_cursor(&self) -> String {
        self.look(|screen| {
            let (row, _) = screen.cursor_position();
            screen.contents().lines().nth(usize::from(row)).unwrap_or_default().to_owned()
        })
    }

    /// The terminal is as it was: main screen, cursor shown, no modes left on.
    #[track_caller]
    pub(crate) fn is_given_back(&self) {
        self.wait("the main screen", |screen| {
            !screen.alternate_screen()
                && !screen.hide_cursor()
                && !screen.bracketed_paste()
                && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
        });
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.process_id().expect("an id")).expect("an id");
        kill_process(Pid::from_raw(pid).expect("an id"), signal).expect("a process");
    }

    /// Whether it is stopped.
    pub(crate) fn is_stopped(&self) -> bool {
        let pid = self.child.process_id().expect("an id");
        let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        state.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
    }

    pub(crate) fn resize(&self, size: (u16, u16)) {
        self.master.resize(pty_size(size)).expect("a terminal");
        let cells = |number| NonZero::new(number).expect("a size");
        self.screen.lock().expect("a lock").screen_mut().set_size(cells(size.1), cells(size.0));
    }

    /// Waits for its end; gives the exit code.
    #[track_caller]
    pub(crate) fn end(&mut self) -> u32 {
        let (child, screen) = (&mut self.child, Arc::clone(&self.screen));
        let log = || screen.lock().expect("a lock").screen().contents();
        wait_for("its end", log, || child.try_wait().expect("a child")).exit_code()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
    }
}
