//! A run of the program that is under way: what it said so far, signals, its end.

use crate::peers::{Finished, program, wait_for, wrapped};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// A running program; killed on drop.
pub(crate) struct Running {
    child: Child,
    line: String,
    log: PathBuf,
}

impl Running {
    /// Starts it; what it prints goes to `DIRECTORY/NAME.out` and `.err`.
    pub(crate) fn start(command: &Command, directory: &Path, name: &str) -> Self {
        let log = directory.join(name);
        let file = |extension| File::create(log.with_extension(extension)).expect("a log");
        // It dies with the test, however that ends.
        let child = wrapped(command, &program("setpriv"), &["--pdeathsig", "KILL", "--"])
            .stdout(file("out"))
            .stderr(file("err"))
            .spawn()
            .expect("a process");
        Self { child, line: format!("{command:?}"), log }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn read(&self, extension: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.log.with_extension(extension)).unwrap_or_default()).into_owned()
    }

    /// What it has said on standard error.
    pub(crate) fn said(&self) -> String {
        self.read("err")
    }

    /// Waits until a condition is true, which it must become before the program ends.
    #[track_caller]
    pub(crate) fn wait_until(&mut self, what: &str, mut condition: impl FnMut() -> bool) {
        let (child, log) = (&mut self.child, self.log.with_extension("err"));
        let said = || String::from_utf8_lossy(&fs::read(&log).unwrap_or_default()).into_owned();
        wait_for(what, said, || {
            let ended = child.try_wait().expect("a child");
            if condition() {
                return Some(());
            }
            assert!(ended.is_none(), "it ended with {ended:?} before {what}: {}", said());
            None
        });
    }

    /// Waits until a condition is true, or the program has ended before. Whether it became true.
    #[track_caller]
    pub(crate) fn wait_until_or_end(&mut self, mut condition: impl FnMut() -> bool) -> bool {
        let child = &mut self.child;
        wait_for("that, or its end", String::new, || {
            if condition() { Some(true) } else { child.try_wait().expect("a child").map(|_| false) }
        })
    }

    /// Waits until it has said this on standard error.
    #[track_caller]
    pub(crate) fn wait_until_said(&mut self, words: &str) {
        let log = self.log.with_extension("err");
        let said = || fs::read(&log).is_ok_and(|said| String::from_utf8_lossy(&said).contains(words));
        self.wait_until(&format!("saying `{words}`"), said);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id() as i32).expect("a process id");
        kill_process(pid, signal).expect("a process to signal");
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn end(mut self) -> Finished {
        let (child, log) = (&mut self.child, self.log.with_extension("err"));
        let said = || fs::read_to_string(&log).unwrap_or_default();
        let status = wait_for("its end", said, || child.try_wait().expect("a child"));
        Finished {
            line: self.line.clone(),
            code: status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1),
            stdout: self.read("out"),
            stderr: self.said(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
