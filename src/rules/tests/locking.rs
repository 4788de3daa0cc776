//! Lock files.

use proptest::prelude::*;

use crate::image::{Digest, Reference};
use crate::rules::{Lock, LockEntry};

fn digest(number: u8) -> String {
    Digest::of(&[number]).to_string()
}

fn entry(reference: &str, number: u8, platforms: &str) -> LockEntry {
    let Reference { upstream, tag, .. } = reference.parse().unwrap();
    let digest = Digest::of(&[number]);
    LockEntry { upstream, tag, published_as: None, digest, platforms: platforms.parse().unwrap() }
}

#[test]
fn a_lock_has_one_text() {
    let (one, two) = (digest(1), digest(2));
    let renamed = LockEntry { published_as: Some("mirror/web".parse().unwrap()), ..entry("nginx:1.27", 1, "amd64") };
    let usual = LockEntry { published_as: Some("library/nginx".parse().unwrap()), ..entry("nginx:1.27", 1, "amd64") };
    let untagged = LockEntry { tag: None, ..entry("ghcr.io/o/app", 2, "all") };
    let lock = Lock::new([renamed, entry("nginx:1.26", 2, "linux/arm64,linux/amd64"), untagged, usual]);
    let text = format!(
        "# mirror.lock 1\n\
         docker.io/library/nginx 1.26 {two} linux/amd64,linux/arm64\n\
         docker.io/library/nginx 1.27 {one} linux/amd64\n\
         docker.io/library/nginx 1.27 {one} linux/amd64 as=mirror/web\n\
         ghcr.io/o/app - {two} all\n"
    );
    assert_eq!(lock.to_string(), text);
    assert_eq!(Lock::read(&text).unwrap(), lock);
    let mut lines: Vec<&str> = text.lines().collect();
    lines[1..].reverse();
    let other = format!("{}\r\n\r\n# a comment\r\n", lines.join("\r\n").replace(' ', "  ").replacen("  ", " ", 2));
    assert_eq!(Lock::read(&other).unwrap(), lock, "any order and any spaces");
    assert_eq!(Lock::read("# mirror.lock 1").unwrap(), Lock::default());
}

#[test]
fn one_tag_of_two_rules_has_the_platforms_of_both() {
    let lock = Lock::new([entry("nginx:1", 1, "amd64"), entry("nginx:1", 2, "arm64")]);
    assert_eq!(lock.entries(), [entry("nginx:1", 1, "amd64,arm64")]);
}

#[test]
fn it_is_imgpkg_s_lock_too() {
    let (one, two) = (digest(1), digest(2));
    let lock = Lock::new([entry("nginx:1.27", 1, "all"), entry("[::1]:5000/app:2", 2, "amd64")]);
    let expected = format!(
        "---\napiVersion: imgpkg.carvel.dev/v1alpha1\nkind: ImagesLock\nimages:\n\
         - image: \"[::1]:5000/app@{two}\"\n  annotations:\n    kbld.carvel.dev/id: \"[::1]:5000/app:2\"\n\
         - image: docker.io/library/nginx@{one}\n  annotations:\n    kbld.carvel.dev/id: docker.io/library/nginx:1.27\n"
    );
    assert_eq!(lock.images_lock(), expected);
    assert!(Lock::default().images_lock().ends_with("\nimages: []\n"));
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let (one, two) = (digest(1), digest(2));
    let first = "# mirror.lock 1\n";
    let nginx = "docker.io/library/nginx";
    for (text, expected) in [
        (String::new(), "line 1, column 1: a lock file begins with `# mirror.lock 1`"),
        (
            "# mirror.lock 2\n".to_owned(),
            "line 1, column 1: this program reads version 1 of lock files, and this is version `2`",
        ),
        (
            format!("{first}nginx 1 {one} all"),
            "line 2, column 1: a repository is written with its registry: `docker.io/library/nginx`",
        ),
        (
            format!("{first}{nginx}:1 1 {one} all"),
            "line 2, column 1: a repository is written with its registry: `docker.io/library/nginx`",
        ),
        (
            format!("{first}\n<<<<<<< HEAD"),
            "line 3, column 1: a line has a repository, a tag, a digest and platforms: `docker.io/library/nginx 1.31.4 sha256:… linux/amd64`",
        ),
        (
            format!("{first}{nginx} .1 {one} all"),
            "line 2, column 25: `.1` is not a tag: it must begin with a letter, a digit or `_`",
        ),
        (
            format!("{first}{nginx}  1 sha256:0 all"),
            "line 2, column 28: `sha256:0` is not a digest: sha256 has 64 hexadecimal digits",
        ),
        (format!("{first}{nginx} 1 {one} x86"), "line 2, column 99: `x86` is not a platform"),
        (
            format!("{first}{nginx} 1 {one} all web"),
            "line 2, column 103: the fifth field is `as=` and a name, not `web`",
        ),
        (
            format!("{first}{nginx} 1 {one} all as=A"),
            "line 2, column 106: `A` is not a repository name: upper case letters are not allowed",
        ),
        (format!("{first}{nginx} 1 {one} all as=a b"), "line 2, column 108: nothing follows the name, and here is `b`"),
        (
            format!("{first}{nginx} 1 {one} all\n{nginx} 1 {two} all"),
            "line 3, column 1: line 2 has this repository and tag, too",
        ),
        (
            format!("{first}{nginx} 1 {one} all\nghcr.io/a/b 1 {two} all as=library/nginx"),
            "line 3, column 1: line 2 has this repository and tag, too",
        ),
    ] {
        assert_eq!(super::faults::shown(&Lock::read(&text).expect_err(&text)), expected);
    }
}

fn any_entry() -> impl Strategy<Value = LockEntry> {
    let upstream = prop::sample::select(vec!["nginx", "ghcr.io/o/app", "localhost:5000/a", "[::1]:5000/x"]);
    let tag = prop::option::of("[a-z0-9_][a-z0-9._-]{0,5}");
    let platforms = prop::sample::select(vec!["all", "amd64", "linux/arm/v7,windows/amd64"]);
    let name = prop::option::of(prop::sample::select(vec!["library/nginx", "mirror/a"]));
    (upstream, tag, any::<u8>(), platforms, name).prop_map(|(upstream, tag, number, platforms, name)| LockEntry {
        tag: tag.map(|tag| tag.parse().unwrap()),
        published_as: name.map(|name| name.parse().unwrap()),
        ..entry(upstream, number, platforms)
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(entries in prop::collection::vec(any_entry(), 0..20)) {
        let lock = Lock::new(entries.clone());
        let text = lock.to_string();
        prop_assert_eq!(&Lock::read(&text).unwrap(), &lock);
        prop_assert!(text.lines().skip(1).is_sorted_by_key(|line| line.split(' ').next().unwrap_or_default().to_owned()));
        prop_assert_eq!(Lock::new(lock.entries().iter().rev().cloned()), lock);
    }

    #[test]
    fn no_text_makes_it_panic(text in "(# mirror.lock 1\n)?[a-z0-9:/.=, é\u{1b}\r\n#@-]{0,80}") {
        if let Err(faults) = Lock::read(&text) {
            prop_assert!(super::hostile::lie_in(&text, &faults), "{text:?} {faults:?}");
        }
    }
}
