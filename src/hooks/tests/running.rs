//! Programs: what they are given, and how they end.

use super::*;
use crate::error::{Error, Kind, Result};
use crate::hooks::program::{Ended, run};

async fn run_line(line: &str, input: &[u8]) -> Result<Ended> {
    run(&shell(line), input, None, limits(LONG)).await
}

async fn failure(line: &str, timeout: Duration) -> Error {
    run(&shell(line), b"", None, limits(timeout)).await.unwrap_err()
}

#[tokio::test]
async fn words_are_given_as_they_are() {
    let ended = run(&words(&["printf", "%s|", "a b", "$HOME", "*", "`id`", ""]), b"", None, limits(LONG)).await;
    assert_eq!(ended.unwrap().into_output().unwrap(), b"a b|$HOME|*|`id`||");
}

#[tokio::test]
async fn input_environment_and_directory_reach_the_program() {
    let directory = tempfile::tempdir().unwrap();
    let input = vec![b'x'; 1 << 20];
    let line = "wc -c | tr -d ' '; pwd -P; echo \"$PATH\"";
    let ended = run(&shell(line), &input, Some(directory.path()), limits(LONG)).await.unwrap();
    let output = String::from_utf8(ended.into_output().unwrap()).unwrap();
    let here = directory.path().canonicalize().unwrap();
    assert_eq!(output, format!("{}\n{}\n{}\n", 1 << 20, here.display(), std::env::var("PATH").unwrap()));
}

#[tokio::test]
async fn a_program_need_not_read_its_input() {
    let input = vec![b'x'; 4 << 20];
    assert!(run_line("exec true", &input).await.unwrap().is_success());
    let ended = run_line("exec 0<&-; echo closed", &input).await.unwrap();
    assert_eq!(ended.into_output().unwrap(), b"closed\n");
}

#[tokio::test]
async fn a_failure_says_the_exit_code_and_the_end_of_standard_error() {
    let ended = run_line("echo printed; echo first >&2; printf 'la\\033[31mst\\n\\n' >&2; exit 3", b"").await.unwrap();
    assert_eq!(ended.output, b"printed\n");
    let error = ended.into_output().unwrap_err().to_string();
    assert_eq!(error, "`sh` ended with exit code 3: la\\u{1b}[31mst");
    let error = run_line("kill -TERM $$", b"").await.unwrap().into_output().unwrap_err().to_string();
    assert_eq!(error, "`sh` ended with signal 15");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_said_to_be_missing() {
    let error = run(&words(&["roadstead-no-such-program"]), b"", None, limits(LONG)).await.unwrap_err();
    assert!(error.to_string().starts_with("can't start `roadstead-no-such-program`"), "{error}");
    assert!(error.hints()[0].contains("PATH"), "{error:?}");
    assert_eq!(run(&[], b"", None, limits(LONG)).await.unwrap_err().kind(), Kind::Usage);
}

#[tokio::test]
async fn a_program_that_hangs_is_stopped() {
    for line in
        ["exec sleep 1000", "trap '' TERM INT HUP; while :; do sleep 1000; done", "exec >&- 2>&-; exec sleep 1000"]
    {
        let error = failure(line, SHORT).await.to_string();
        assert_eq!(error, "`sh` did not end within 0.3 s and was stopped", "{line}");
    }
}

#[tokio::test]
async fn its_children_end_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("child");
    // In time, and too late.
    for (end, timeout) in [("echo done", LONG), ("wait", ENOUGH)] {
        let line = format!("sleep 1000 & echo $! > '{}'; {end}", file.display());
        let ended = run(&shell(&line), b"", None, limits(timeout)).await;
        assert_eq!(ended.ok().map(|ended| ended.output), (end != "wait").then(|| b"done\n".to_vec()));
        ends(&process_in(&file).await).await;
        std::fs::remove_file(&file).unwrap();
    }
}

#[tokio::test]
async fn its_children_end_when_nobody_waits_any_more() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("child");
    let line = format!("sleep 1000 & echo $! > '{}'; wait", file.display());
    let running = tokio::spawn(async move { run(&shell(&line), b"", None, limits(LONG)).await });
    let process = process_in(&file).await;
    running.abort();
    ends(&process).await;
}

/// It holds the pipes open, and is waited for by nobody.
#[tokio::test]
async fn a_child_that_left_the_group_delays_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("child");
    let line = format!(
        "setsid sh -c 'echo $$ > \"{0}\"; exec sleep 1000' & until test -s '{0}'; do :; done; echo done",
        file.display()
    );
    let ended = run_line(&line, b"").await.unwrap();
    assert_eq!(ended.output, b"done\n");
    let pid = rustix::process::Pid::from_raw(process_in(&file).await.parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_program_that_floods_is_stopped() {
    let error = failure("exec yes", LONG).await.to_string();
    assert_eq!(error, "`sh` printed more than 64 KiB and was stopped");
    let most = Limits::HOOK.output_bytes;
    for (bytes, is_taken) in [(most, true), (most + 1, false)] {
        let ended = run_line(&format!("head -c {bytes} /dev/zero"), b"").await;
        assert_eq!(ended.is_ok_and(|ended| ended.output.len() == bytes), is_taken, "{bytes}");
    }
    assert!(Limits::source(LONG).output_bytes == 4 << 20 && Limits::HOOK.timeout == Duration::from_secs(30));
}

#[tokio::test]
async fn of_standard_error_only_the_end_is_kept() {
    let ended = run_line("head -c 3000000 /dev/zero >&2; echo end >&2; exit 1", b"").await.unwrap();
    assert!(ended.errors.len() == 4 << 10 && ended.errors.ends_with(b"end\n"), "{}", ended.errors.len());
    // It floods until it is stopped.
    assert!(failure("exec yes >&2", SHORT).await.to_string().contains("did not end"));
}
