//! The gate: what it is given, and what its end means.

use super::*;
use crate::hooks::{Asked, Gate, Verdict};
use crate::image::Digest;

const MANIFEST: &[u8] = b"{\n  \"schemaVersion\": 2, \"b\": 1, \"a\": 2\n}";

async fn ask(words: Vec<String>, timeout: Duration, manifest: &[u8]) -> Verdict {
    let gate = Gate { words, directory: None, limits: limits(timeout) };
    let image = "docker.io/library/nginx:1";
    gate.ask(Asked { image, digest: Digest::of(manifest), media_type: "application/x", manifest }).await
}

async fn says(line: &str) -> Verdict {
    ask(shell(line), LONG, MANIFEST).await
}

fn refused(words: &str) -> Verdict {
    Verdict::Refused(words.to_owned())
}

#[tokio::test]
async fn it_is_given_the_manifest_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("input");
    assert_eq!(says(&format!("cat > '{}'", file.display())).await, Verdict::Taken);
    let manifest = std::str::from_utf8(MANIFEST).unwrap();
    let digest = Digest::of(MANIFEST);
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        format!(
            r#"{{"version":1,"image":"docker.io/library/nginx:1","digest":"{digest}","media_type":"application/x","manifest":{manifest}}}"#
        )
    );
}

#[tokio::test]
async fn only_exit_code_0_lets_an_image_in() {
    assert_eq!(says("echo no; echo garbage >&2; exit 0").await, Verdict::Taken);
    assert_eq!(says("echo; echo '  not signed '; echo more; exit 1").await, refused("not signed"));
    assert_eq!(says("echo 'key is missing' >&2; exit 2").await, refused("key is missing"));
    assert_eq!(says("exit 7").await, refused("the gate ended with exit code 7"));
    assert_eq!(says("kill -KILL $$").await, refused("the gate ended with signal 9"));
}

#[tokio::test]
async fn its_words_are_short_and_harmless() {
    assert_eq!(says("printf '\\033[2Jgone\\n'; exit 1").await, refused("\\u{1b}[2Jgone"));
    assert_eq!(says("printf '\\377\\n'; exit 1").await, refused("\u{fffd}"));
    let Verdict::Refused(words) = says("head -c 5000 /dev/zero | tr '\\0' x; exit 1").await else { unreachable!() };
    assert_eq!(words.chars().count(), 200);
}

#[tokio::test]
async fn a_gate_that_hangs_floods_or_is_missing_refuses() {
    let hanging = ask(shell("exec sleep 1000"), SHORT, MANIFEST).await;
    assert_eq!(hanging, refused("the gate failed: `sh` did not end within 0.3 s and was stopped"));
    let flooding = says("exec yes").await;
    assert_eq!(flooding, refused("the gate failed: `sh` printed more than 64 KiB and was stopped"));
    for missing in [words(&["roadstead-no-such-program"]), Vec::new()] {
        assert!(matches!(ask(missing, LONG, MANIFEST).await, Verdict::Refused(_)));
    }
    let garbage = ask(shell("exit 0"), LONG, b"no JSON").await;
    assert!(matches!(&garbage, Verdict::Refused(words) if words.contains("not JSON")), "{garbage:?}");
}
