//! Runs a program that a person named: without a shell, with an end, and with everything that it started gone afterwards.
//!
//! Knows processes. Must not know what the program is for: hooks, the gate and sources that are commands all run by this.
//!
//! The program gets a process group of its own. That group is killed when the program has ended, takes too long, prints too much, or
//! is not wanted any more. Whoever leaves the group (`setsid`) is not followed, and not waited for.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{ChildStdin, Command};

use super::HOOK_TIMEOUT;
use crate::error::{Error, Kind, Result};
use crate::text::{bytes, printable_within};

/// Most bytes that a source may print.
const MAX_OUTPUT_BYTES: usize = 4 << 20;
/// Most bytes that a hook or a gate may print.
const MAX_HOOK_OUTPUT_BYTES: usize = 64 << 10;
/// How many bytes of what was printed to standard error are kept: the last ones.
const KEPT_ERROR_BYTES: usize = 4 << 10;
/// Characters of standard error that an error shows.
const MAX_SHOWN_CHARACTERS: usize = 300;
/// Characters of a program's name that an error shows.
const MAX_NAME_CHARACTERS: usize = 100;
/// How long what an ended program has printed is still read while somebody outside of its group holds the pipe open.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);
/// Bytes that are read at once.
const CHUNK_BYTES: usize = 8 << 10;

/// What a program may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From its start to its end.
    pub timeout: Duration,
    /// Bytes on standard output; more ends it as a failure.
    pub output_bytes: usize,
}

impl Limits {
    /// Those of hooks and gates: 30 s, 64 KiB.
    pub const HOOK: Self = Self { timeout: HOOK_TIMEOUT, output_bytes: MAX_HOOK_OUTPUT_BYTES };

    /// Those of a source, for which its rule may have a timeout: 4 MiB.
    pub const fn source(timeout: Duration) -> Self {
        Self { timeout, output_bytes: MAX_OUTPUT_BYTES }
    }
}

/// What a program that came to its end left.
#[derive(Debug)]
pub struct Ended {
    name: String,
    status: ExitStatus,
    /// What it printed.
    pub output: Vec<u8>,
    /// The end of what it printed to standard error.
    pub errors: Vec<u8>,
}

impl Ended {
    /// Whether its exit code is 0.
    pub fn is_success(&self) -> bool {
        self.status.success()
    }

    /// What it printed, if its exit code is 0; else an error with the exit code and the end of standard error.
    pub fn into_output(self) -> Result<Vec<u8>> {
        if self.is_success() { Ok(self.output) } else { Err(self.failure()) }
    }

    fn failure(&self) -> Error {
        let errors = String::from_utf8_lossy(&self.errors);
        let last = errors.lines().map(str::trim).rfind(|line| !line.is_empty());
        let said = last.map(|last| format!(": {}", printable_within(last, MAX_SHOWN_CHARACTERS))).unwrap_or_default();
        Error::new(Kind::Unexpected, format!("`{}` ended with {}{said}", self.name, self.ending()))
    }

    /// `exit code 3`, `signal 9`.
    pub(super) fn ending(&self) -> String {
        use std::os::unix::process::ExitStatusExt as _;
        match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "no exit code".to_owned(),
        }
    }
}

/// Kills a process group when it is dropped, also where nobody waits any more.
struct Group(Pid);

impl Drop for Group {
    fn drop(&mut self) {
        // It fails where nobody is left.
        let _ = kill_process_group(self.0, Signal::KILL);
    }
}

/// Runs a program with this on its standard input, in a directory if one is given, with the environment of this process.
///
/// `words` are the program, by its path or as found by `PATH`, and its arguments as they are. A program that does not read its input
/// is none that fails. The error says why it can't be started, that it took too long, or that it printed too much; with what exit
/// code it ended is for the caller to judge.
pub async fn run(words: &[String], input: &[u8], directory: Option<&Path>, limits: Limits) -> Result<Ended> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(Error::new(Kind::Usage, "no program is named"));
    };
    let name = printable_within(program, MAX_NAME_CHARACTERS);
    let mut command = Command::new(program);
    command.args(arguments).process_group(0).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(directory) = directory {
        command.current_dir(directory);
    }
    let cant_start = |why: std::io::Error| {
        let error = Error::new(Kind::Unexpected, format!("can't start `{name}`: {why}"));
        if why.kind() == std::io::ErrorKind::NotFound {
            return error
                .hint("Name the program by its path, or put it where PATH leads: services often have a shorter one.");
        }
        error
    };
    let mut child = command.spawn().map_err(cant_start)?;
    let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let group = pid.map(Group);
    let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(Error::new(Kind::Unexpected, format!("`{name}` has no standard input or output")));
    };
    let (mut output, mut errors) = (Kept::first(limits.output_bytes), Kept::last(KEPT_ERROR_BYTES));
    let ended = tokio::time::timeout(limits.timeout, async {
        // Whoever has ended reads no more, so this is no reason to wait.
        let feeding = async {
            feed(stdin, input).await;
            std::future::pending::<()>().await;
        };
        let mut reading = std::pin::pin!(async { tokio::try_join!(output.read(stdout), errors.read(stderr)) });
        let status = {
            let mut feeding = std::pin::pin!(feeding);
            let mut is_read = false;
            loop {
                tokio::select! {
                    () = &mut feeding => {}
                    read = &mut reading, if !is_read => {
                        read?;
                        is_read = true;
                    }
                    status = child.wait() => break (status, is_read),
                }
            }
        };
        let (status, is_read) = status;
        // Its children end with it, and let go of the pipes. The number is theirs as long as there is one; if there is none, it would
        // have to be given to another group within this moment.
        drop(group);
        if !is_read && let Ok(read) = tokio::time::timeout(DRAIN_TIMEOUT, reading).await {
            read?;
        }
        status.map_err(Problem::Broken)
    })
    .await;
    // What failed or was late has ended with its group by now: the guard is dropped with the future.
    let status = match ended {
        Err(_) => {
            let seconds = limits.timeout.as_secs_f32();
            return Err(Error::new(
                Kind::Unexpected,
                format!("`{name}` did not end within {seconds} s and was stopped"),
            ));
        }
        Ok(Err(Problem::TooMuch)) => {
            let cap = bytes(limits.output_bytes as u64);
            return Err(Error::new(Kind::Unexpected, format!("`{name}` printed more than {cap} and was stopped")));
        }
        Ok(Err(Problem::Broken(error))) => {
            return Err(Error::new(Kind::Unexpected, format!("can't follow `{name}`: {error}")));
        }
        Ok(Ok(status)) => status,
    };
    Ok(Ended { name, status, output: output.bytes, errors: errors.bytes })
}

/// Gives a program its input and closes it. One that closes it before has read what it wanted.
async fn feed(mut stdin: ChildStdin, input: &[u8]) {
    if stdin.write_all(input).await.is_ok() {
        let _ = stdin.shutdown().await;
    }
}

/// Why a program is not followed to its end.
enum Problem {
    TooMuch,
    Broken(std::io::Error),
}

/// What is kept of a stream: its beginning, of which more is a problem, or its end.
struct Kept {
    bytes: Vec<u8>,
    most: usize,
    is_end: bool,
}

impl Kept {
    fn first(most: usize) -> Self {
        Self { bytes: Vec::new(), most, is_end: false }
    }

    fn last(most: usize) -> Self {
        Self { bytes: Vec::new(), most, is_end: true }
    }

    async fn read(&mut self, mut stream: impl AsyncRead + Unpin) -> Result<(), Problem> {
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let read = stream.read(&mut chunk).await.map_err(Problem::Broken)?;
            if read == 0 {
                return Ok(());
            }
            self.bytes.extend_from_slice(&chunk[..read]);
            if self.bytes.len() <= self.most {
                continue;
            }
            if !self.is_end {
                return Err(Problem::TooMuch);
            }
            self.bytes.drain(..self.bytes.len() - self.most);
        }
    }
}
