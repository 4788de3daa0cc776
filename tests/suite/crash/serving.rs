//! `roadstead serve` as a run that can be signalled.

use super::local::Local;
use super::running::Running;

/// Starts it on a free port; gives its `127.0.0.1:PORT` too.
pub(super) fn serve(roadstead: &Local) -> (Running, String) {
    serve_with(&roadstead.command(&["serve", "--listen", "127.0.0.1:0"]), roadstead)
}

/// Starts this command, which serves.
pub(super) fn serve_with(command: &std::process::Command, roadstead: &Local) -> (Running, String) {
    let mut running = Running::start(command, &roadstead.path(""), "serve");
    running.wait_until_said("serving on http://");
    // The line may not be whole yet.
    let log = roadstead.path("serve.err");
    let mut host = None;
    running.wait_until("the line with the address", || {
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        let line = said.split_once("serving on http://").and_then(|(_, after)| after.split_once('\n'));
        host = line.map(|(line, _)| String::from(line.trim().trim_end_matches('/')));
        host.is_some()
    });
    (running, host.expect("an address"))
}
