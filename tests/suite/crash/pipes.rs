//! Standard output that nobody reads, and one that is full.

use super::local::Local;
use super::says;
use super::upstream::Upstream;
use std::fs::File;
use std::process::{Command, Stdio};

/// Enough images that the list is longer than what a pipe takes.
fn mirrored() -> Local {
    let upstream = Upstream::start();
    let references: Vec<String> = (0..60)
        .map(|number| {
            let name = format!("{}/{number}", "a".repeat(180));
            upstream.put(&name, "1", &[]);
            format!("upstream/{name}:1")
        })
        .collect();
    let roadstead = Local::new(&upstream);
    let mut words = vec!["add"];
    words.extend(references.iter().map(String::as_str));
    roadstead.ok(&words);
    roadstead
}

const PRINTING: [&[&str]; 5] = [&["list"], &["--json", "list"], &["root"], &["--json", "stats"], &["man"]];

/// Runs it with this standard output; gives the exit code and standard error.
fn run_into(mut command: Command, output: Stdio) -> (Option<i32>, String) {
    let ended = command.stdout(output).stderr(Stdio::piped()).spawn().expect("a process").wait_with_output();
    let ended = ended.expect("its end");
    (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
}

#[test]
fn nobody_reading_is_no_error() {
    let roadstead = mirrored();
    for words in PRINTING {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let (code, said) = run_into(roadstead.command(words), writer.into());
        assert_eq!((code, said.as_str()), (Some(0), ""), "{words:?}");
    }
}

#[test]
fn a_full_standard_output_is_an_error() {
    let roadstead = mirrored();
    for words in PRINTING {
        let full = File::options().write(true).open("/dev/full").expect("/dev/full");
        let (code, said) = run_into(roadstead.command(words), full.into());
        assert_eq!(code, Some(1), "{words:?}: {said}");
        says(&said, &["can't write to standard output", "No space left on device"]);
    }
}
