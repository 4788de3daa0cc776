//! Hooks that work, hang, flood and fail, as real programs and against a real HTTP server.

mod delivery;
mod gate;
mod requests;
mod running;
mod server;

use std::path::Path;
use std::time::{Duration, Instant};

use super::program::Limits;

/// How long a hook that hangs is given here.
const SHORT: Duration = Duration::from_millis(300);
/// The same, where something has to be done before it hangs, or by somebody else meanwhile.
const ENOUGH: Duration = Duration::from_secs(2);
/// How long anything else may take: only a test that fails waits for it.
const LONG: Duration = Duration::from_mins(1);

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

/// A line for the shell as the words of a program.
fn shell(line: &str) -> Vec<String> {
    words(&["sh", "-c", line])
}

fn limits(timeout: Duration) -> Limits {
    Limits { timeout, ..Limits::HOOK }
}

/// The process whose number is in this file, once it is there.
async fn process_in(file: &Path) -> String {
    let until = Instant::now() + LONG;
    loop {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        if text.ends_with('\n') {
            return text.trim().to_owned();
        }
        assert!(Instant::now() < until, "{} is not written", file.display());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until a process does not run any more: it is gone, or nobody has asked for its exit code.
async fn ends(process: &str) {
    let until = Instant::now() + LONG;
    let pid = rustix::process::Pid::from_raw(process.parse().unwrap()).unwrap();
    loop {
        let is_zombie = std::fs::read_to_string(format!("/proc/{process}/stat"))
            .is_ok_and(|stat| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z')));
        if is_zombie || rustix::process::test_kill_process(pid).is_err() {
            return;
        }
        assert!(Instant::now() < until, "process {process} still runs");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
