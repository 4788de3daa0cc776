//! Runs ssh and rsync of this system: without a shell here, never asking, with an end, and with everything that they started gone
//! afterwards.

use std::io;
use std::pin::pin;
use std::process::Stdio;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::FusedFuture as _;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::time::{Instant, timeout_at};

use crate::error::{Error, Kind, Result};

/// How long it may take until the other machine runs what it is told, beyond what ssh waits for a connection by itself.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long what an ended program has said is still read while somebody else holds the pipe open.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);
/// Bytes of standard error that are kept: the last ones.
const KEPT_ERROR_BYTES: usize = 8 << 10;
/// Bytes that are read at once.
const CHUNK_BYTES: usize = 64 << 10;

/// What a program may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// From its start to its end.
    pub(super) total: Duration,
    /// Until it has printed this line, no longer than [`ANSWER_TIMEOUT`].
    pub(super) ready: Option<&'static str>,
    /// Bytes that it may print.
    pub(super) output_bytes: usize,
}

/// What a program that came to its end left.
#[derive(Debug)]
pub(super) struct Ended {
    /// Its exit code; none if a signal ended it.
    pub(super) code: Option<i32>,
    /// What it printed, after the line that says that it is ready.
    pub(super) output: String,
    /// The end of what it printed to standard error.
    pub(super) errors: String,
}

/// Why nothing came to an end.
#[derive(Debug)]
pub(super) enum Failed {
    /// The program is not here, or can't be started.
    Start(io::Error),
    /// It took too long; whether the other machine had begun to answer.
    Timeout { ready: bool },
    /// It printed too much, or what is no text.
    Output,
}

/// Kills a process group when it is dropped, also where nobody waits any more.
struct Group(Pid);

impl Drop for Group {
    fn drop(&mut self) {
        // It fails where nobody is left.
        let _ = kill_process_group(self.0, Signal::KILL);
    }
}

/// Takes what a program prints, line by line.
struct Lines<'l> {
    limits: Limits,
    ready: bool,
    output: Vec<u8>,
    seen: usize,
    /// Begins the line that is not whole yet.
    line: usize,
    each: &'l mut (dyn FnMut(&str) -> bool + Send),
}

impl Lines<'_> {
    /// Takes a piece; false if it is too much.
    fn take(&mut self, piece: &[u8]) -> bool {
        self.seen += piece.len();
        if self.seen > self.limits.output_bytes {
            return false;
        }
        self.output.extend_from_slice(piece);
        while let Some(length) = self.output.get(self.line..).and_then(|rest| rest.iter().position(|c| *c == b'\n')) {
            let end = self.line + length;
            let line = String::from_utf8_lossy(self.output.get(self.line..end).unwrap_or_default());
            if !self.ready {
                // What a login prints before is nobody's answer.
                self.ready = Some(line.as_ref()) == self.limits.ready;
                self.output.drain(..=end);
                self.line = 0;
            } else if (self.each)(&line) {
                self.line = end + 1;
            } else {
                self.output.drain(self.line..=end);
            }
        }
        true
    }
}

async fn last_of(mut errors: impl AsyncRead + Unpin, kept: &mut Vec<u8>) {
    let mut chunk = vec![0; 4096];
    while let Ok(read @ 1..) = errors.read(&mut chunk).await {
        kept.extend_from_slice(chunk.get(..read).unwrap_or_default());
        let excess = kept.len().saturating_sub(KEPT_ERROR_BYTES);
        kept.drain(..excess);
    }
}

/// Runs a program with this on its standard input. `each` gets every line that it prints, and says whether it is kept.
pub(super) async fn run(
    mut command: Command,
    input: &[u8],
    limits: Limits,
    each: &mut (dyn FnMut(&str) -> bool + Send),
) -> Result<Ended, Failed> {
    command.process_group(0).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Messages are looked into, and times compared.
    command.env("LC_ALL", "C").env("TZ", "UTC");
    let mut child = command.spawn().map_err(Failed::Start)?;
    let _group = child.id().and_then(|id| Pid::from_raw(id.cast_signed())).map(Group);
    let (Some(mut stdin), Some(mut stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(Failed::Output);
    };
    let start = Instant::now();
    let mut lines = Lines { ready: limits.ready.is_none(), limits, output: Vec::new(), seen: 0, line: 0, each };
    let feed = async move {
        // Who does not read it says why by the exit code.
        let _ = stdin.write_all(input).await;
        let _ = stdin.shutdown().await;
    };
    let read = async {
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let allowed = if lines.ready { limits.total } else { ANSWER_TIMEOUT.min(limits.total) };
            let read = timeout_at(start + allowed, stdout.read(&mut chunk)).await;
            match read {
                Err(_) => return Err(Failed::Timeout { ready: lines.ready }),
                Ok(Ok(0) | Err(_)) => return Ok(()),
                Ok(Ok(read)) if lines.take(chunk.get(..read).unwrap_or_default()) => {}
                Ok(Ok(_)) => return Err(Failed::Output),
            }
        }
    };
    let work = async {
        let (read, ()) = tokio::join!(read, feed);
        read?;
        child.wait().await.map_err(Failed::Start)
    };
    let mut errors = Vec::new();
    let status = {
        let mut collecting = pin!(last_of(stderr, &mut errors).fuse());
        let mut work = pin!(timeout_at(start + limits.total + ANSWER_TIMEOUT, work));
        let status = loop {
            tokio::select! {
                ended = &mut work => break ended.map_err(|_| Failed::Timeout { ready: true })??,
                () = &mut collecting => {}
            }
        };
        if !collecting.is_terminated() {
            // A shared connection of ssh may hold it open for long.
            let _ = tokio::time::timeout(DRAIN_TIMEOUT, collecting).await;
        }
        status
    };
    let output = String::from_utf8(lines.output).map_err(|_| Failed::Output)?;
    Ok(Ended { code: status.code(), output, errors: String::from_utf8_lossy(&errors).into_owned() })
}

/// A word that a POSIX shell takes as it is.
pub(super) fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// What rsync starts ssh by: it splits words at spaces, and knows quotes that are doubled inside.
pub(super) fn for_rsync(words: &[String]) -> String {
    let word = |word: &String| {
        if word.contains([' ', '\'', '"']) { format!("'{}'", word.replace('\'', "''")) } else { word.clone() }
    };
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// An error for a program of this machine that can't be started.
pub(super) fn cant_start(program: &str, error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::NotFound {
        return Error::new(Kind::Usage, format!("the program `{program}` is not installed here")).hint(format!(
            "Install it: `apt-get install {}`.",
            if program == "ssh" { "openssh-client" } else { program }
        ));
    }
    Error::new(Kind::Unexpected, format!("can't start `{program}`")).caused_by(error)
}
