//! ssh and rsync as programs that a test has written: what they are told, and what their answers come to. The scripts run in the
//! shell of this machine.

use super::*;
use crate::hosts::Caching;

fn ssh(address: &str) -> Ssh {
    Ssh::new(SshOptions { address: Address::parse(address).unwrap(), key: None, layout: "/nonexistent".into() })
}

/// What a script prints and ends with when this machine runs it.
fn sh(script: &str, input: &[u8]) -> (i32, String) {
    use std::io::Write as _;
    let mut shell = std::process::Command::new("sh");
    shell.arg("-c").arg(script::command(script));
    shell.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = shell.spawn().unwrap();
    // One that reads nothing may have ended by now.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let answer = printed.split_once(&format!("{}\n", script::READY)).unwrap().1.to_owned();
    (output.status.code().unwrap(), answer)
}

#[test]
fn scripts_write_the_record_under_a_condition_and_switch() {
    let outer = tempfile::tempdir().unwrap();
    // A name that a shell would take apart.
    let place = outer.path().join("it's a $(place)");
    let address = Address::parse(&format!("host:{}", place.display())).unwrap();
    assert_eq!(
        sh(&script::write_record(&Address::parse("host:/nonexistent/x").unwrap(), None), b"x").0,
        code::NO_PARENT
    );
    std::fs::create_dir(&place).unwrap();
    std::fs::write(place.join("precious"), "mine").unwrap();
    assert_eq!(sh(&script::write_record(&address, None), b"x").0, code::NOT_OURS);
    std::fs::remove_file(place.join("precious")).unwrap();
    let first = "{\n  \"publisher\": \"it's us\"\n}";
    assert_eq!(sh(&script::write_record(&address, None), first.as_bytes()).0, 0);
    assert_eq!(sh(&script::write_record(&address, None), b"other").0, code::REFUSED);
    assert_eq!(sh(&script::write_record(&address, Some("other")), b"other").0, code::REFUSED);
    assert_eq!(std::fs::read_to_string(place.join(RECORD)).unwrap(), first);
    assert_eq!(sh(&script::write_record(&address, Some(first)), b"second").0, 0);
    assert_eq!(std::fs::read_to_string(place.join(RECORD)).unwrap(), "second");

    std::fs::create_dir_all(place.join("trees/t1")).unwrap();
    std::fs::create_dir_all(place.join("trees/t2")).unwrap();
    assert_eq!(sh(&script::switch(&address, "t1", first), b"").0, code::REFUSED);
    for name in ["t1", "t2"] {
        assert_eq!(sh(&script::switch(&address, name, "second"), b"").0, 0);
        assert_eq!(std::fs::read_link(place.join(CURRENT)).unwrap(), Path::new("trees").join(name));
    }
    std::fs::create_dir(place.join(INCOMING)).unwrap();
    assert_eq!(sh(&script::tidy(&address), b""), (0, "gone\n".to_owned()));
    let mut left: Vec<_> = std::fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["current", RECORD, "trees"]);

    std::fs::write(place.join("trees/t2/a"), "a").unwrap();
    assert_eq!(sh(&script::name_again(&address, "t2"), b"a\nb/c\n").0, 0);
    assert_eq!(sh(&script::read(&address, "b/c", 10), b""), (0, "a".to_owned()));
    assert_eq!(sh(&script::read(&address, "none", 10), b"").0, code::REFUSED);
    let (_, digests) = sh(&script::digests(&address), b"b/c\0none\0");
    let (key, found) = digest(digests.trim_end()).unwrap();
    assert_eq!((key, found), ("b/c", *crate::image::Digest::of(b"a").as_bytes()));
    let (ended, tried) = sh(&script::trial(&address, ".try"), b"");
    assert_eq!(ended, 0);
    for word in ["store", "links", "switch", "digests", "free"] {
        assert!(tried.lines().any(|line| line.split(' ').next() == Some(word)), "{word}: {tried}");
    }
    assert_eq!(sh(&script::end_trial(&address, ".try"), b"").0, 0);
    assert!(place.join(RECORD).exists() && !place.join(".try").exists());
}

#[test]
fn lists_and_digests_are_read_as_they_are_printed() {
    let line = "-rw-r--r--      1,234,567 2026/11/30 13:02:57 v2/a b/tags/list";
    let expected = Listed { key: "v2/a b/tags/list".into(), size: 1_234_567, tag: "1234567-1796043777".into() };
    assert_eq!(listed(line), Some(expected));
    for other in
        ["drwxr-xr-x          4,096 2026/11/30 13:02:57 v2", "lrwxrwxrwx 1 2026/11/30 13:02:57 a -> b", "", "-", "- x"]
    {
        assert_eq!(listed(other), None, "{other}");
    }
    assert_eq!(digest("ab"), None);
}

#[test]
fn ssh_never_asks_and_takes_no_option_from_an_address() {
    let host = Ssh::new(SshOptions {
        address: Address::parse("ssh://web@host:2222/srv").unwrap(),
        key: Some("/home/me/a key".into()),
        layout: PathBuf::new(),
    });
    let words = host.ssh_words();
    for word in ["BatchMode=yes", "ConnectTimeout=10", "IdentitiesOnly=yes", "2222", "/home/me/a key"] {
        assert!(words.iter().any(|given| given == word), "{word}: {words:?}");
    }
    assert!(!words.iter().any(|word| word.contains("StrictHostKeyChecking")), "{words:?}");
    assert!(program::for_rsync(&words).ends_with("-i '/home/me/a key'"));
    assert_eq!(program::quoted("it's"), "'it'\\''s'");
}

#[tokio::test]
async fn a_program_that_says_nothing_has_an_end() {
    let limits = Limits { total: Duration::from_millis(50), ready: Some(script::READY), output_bytes: 100 };
    let run = |script: &'static str, limits| async move {
        let mut command = Command::new("sh");
        command.arg("-c").arg(script);
        program::run(command, b"input", limits, &mut |_| true).await
    };
    assert!(matches!(run("sleep 60", limits).await, Err(program::Failed::Timeout { ready: false })));
    let long = Limits { total: Duration::from_mins(1), ..limits };
    assert!(matches!(run("echo roadstead-ready; yes", long).await, Err(program::Failed::Output)));
    let ended = run("echo welcome; echo roadstead-ready; cat; echo oh >&2; exit 3", long).await.unwrap();
    assert_eq!((ended.code, ended.output.as_str(), ended.errors.as_str()), (Some(3), "input", "oh\n"));
    let nothing = program::run(Command::new("/nonexistent/ssh"), b"", long, &mut |_| true).await;
    assert!(matches!(nothing, Err(program::Failed::Start(_))));
}

#[tokio::test]
async fn keys_that_lead_elsewhere_are_refused_before_anything_is_asked() {
    struct Nobody;
    #[async_trait]
    impl Uploads for Nobody {
        async fn begun(&self, _: &str) -> Result<Option<String>> {
            Ok(None)
        }
        async fn note(&self, _: &str, _: Option<&str>) -> Result<()> {
            Ok(())
        }
        fn sent(&self, _: u64) {}
    }
    let host = ssh("host.invalid:/srv");
    let bad = vec!["../x".to_owned()];
    assert_eq!(host.send(&bad, &Nobody).await.unwrap_err().kind(), Kind::Verification);
    assert_eq!(host.digests(&bad).await.unwrap_err().kind(), Kind::Verification);
    let tree = NewTree { name: "t".into(), without: bad, ..NewTree::default() };
    assert_eq!(host.make(&tree).await.unwrap_err().kind(), Kind::Verification);
    let object = Object {
        key: "v2/".into(),
        size: 0,
        sha256: [0; 32],
        content_type: String::new(),
        caching: Caching::Brief,
        manifest_digest: None,
    };
    assert!(host.put(&object, &Bytes::new(), &Condition::Always, &Nobody).await.is_err());
}
