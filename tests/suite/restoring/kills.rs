//! `kill -9` and ^C in the middle of a restore: what was verified is not fetched again, and the same command ends with the
//! same root.

use super::Source;
use super::proxy::Proxy;
use crate::cli::Roadstead;
use crate::crash::running::Running;
use crate::crash::{partials, sound_blobs};
use crate::images::Layout;
use crate::peers::kubo::{Kubo, Profile, Repository};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

/// Sizes of the layers: one is a single leaf, others are many.
const LAYERS: [u64; 5] = [300_000, 9_000_000, 5_500_000, 14_000_000, 900_000];
/// What is read again each time besides layers: records, directories, manifests, and the frames of blocks.
const SLACK: u64 = 400_000;

/// Sends a signal to a process that may not be there yet.
#[derive(Clone, Default)]
struct Victim(Arc<AtomicI32>);

impl Victim {
    fn send(&self, signal: Signal) {
        loop {
            if let Some(pid) = Pid::from_raw(self.0.load(Ordering::Acquire)) {
                // It isn't waited for before this, so it is nobody else.
                let _ = kill_process(pid, signal);
                return;
            }
            std::thread::yield_now();
        }
    }
}

/// The stored blobs, each as the file that it is.
fn stored(data: &Path) -> BTreeMap<PathBuf, (u64, i64)> {
    let entries = std::fs::read_dir(data.join("blobs/sha256")).into_iter().flatten();
    let files = entries.map(|entry| entry.unwrap()).map(|entry| (entry.path(), entry.metadata().unwrap()));
    files.map(|(path, about)| (path, (about.ino(), about.mtime_nsec()))).collect()
}

/// Runs `restore` and sends a signal when so many bytes went through; the exit code.
fn stopped(back: &Roadstead, words: &[&str], proxy: &Proxy, bytes: u64, signal: Signal) -> i32 {
    let victim = Victim::default();
    let hook = victim.clone();
    proxy.after(bytes, move || hook.send(signal));
    let running = Running::start(&back.command(words), &back.path(""), "restore");
    victim.0.store(running.pid() as i32, Ordering::Release);
    let ended = running.end();
    proxy.forget();
    ended.code
}

fn goes_on(profile: Profile, source: Source) {
    let from_files = Roadstead::new();
    let layout = Layout::random(&LAYERS, 7);
    let name = format!("oci:{}", layout.path().display());
    from_files.ok(&["add", &name, "--as", "app:1", "--profile", profile.name()]);
    let (root, car) = (from_files.root(), from_files.path("registry.car"));
    from_files.ok(&["export", car.to_str().unwrap()]);
    let repository = Repository::new(profile);
    repository.dag_import(&car);
    let kubo = Kubo::from_repository(repository, &[]);
    let proxy = Proxy::before(match source {
        Source::Gateway => &kubo.gateway_url,
        Source::Node => &kubo.api_url,
    });
    let from = match source {
        // An address that does not say that it is this machine: then whole files are asked for.
        Source::Gateway => proxy.url.replace("127.0.0.1", "0.0.0.0"),
        Source::Node => format!("kubo:{}", proxy.url),
    };
    let words = ["restore", root.as_str(), "--from", from.as_str()];

    let undisturbed = Roadstead::new();
    undisturbed.ok(&words);
    let whole = proxy.bytes();
    let asked = proxy.asked();
    let whole_files = asked.iter().filter(|asked| asked.contains("format=car")).count();
    match source {
        Source::Gateway => assert!(whole_files == 3 && asked.len() < 100, "{whole_files}: {asked:#?}"),
        Source::Node => assert_eq!(whole_files, 0, "{asked:#?}"),
    }
    let layers: u64 = LAYERS.iter().sum();
    assert!((layers..layers + SLACK).contains(&whole), "{whole} bytes for {layers}");

    for (share, signal) in [
        (0, Signal::KILL),
        (5, Signal::KILL),
        (35, Signal::KILL),
        (60, Signal::INT),
        (85, Signal::KILL),
        (99, Signal::KILL),
    ] {
        let back = Roadstead::new();
        let data = back.path("registry");
        let code = stopped(&back, &words, &proxy, whole * share / 100, signal);
        let expected = if signal == Signal::INT { 130 } else { 128 + Signal::KILL.as_raw() };
        assert_eq!(code, expected, "{profile:?} {source:?} at {share} %");
        let (sound, cut, before) = (sound_blobs(&data), partials(&data), stored(&data));
        let kept: u64 = sound.values().chain(cut.values()).sum();
        // Nothing gives out what is there so far, or changes it.
        if data.join("catalog.db").exists() && back.run(&["root"]).stderr.contains("is not finished") {
            super::unfinished::is_left_alone(&back, &root);
        }
        let report = back.json(&words);
        assert_eq!(report["root"], root.as_str(), "{profile:?} {source:?} at {share} %");
        // A leaf that was cut begins anew.
        let again = cut.len() as u64 * (1 << 20);
        let fetched = proxy.bytes();
        assert!(
            fetched <= whole - kept + again + SLACK,
            "{profile:?} {source:?} at {share} %: {fetched} of {whole} bytes, though {kept} were there"
        );
        let after = stored(&data);
        assert!(before.iter().all(|(path, file)| after.get(path) == Some(file)), "what was verified is written again");
        back.ok(&["verify"]);
        assert_eq!(partials(&data), BTreeMap::new());
        back.run(&words).failure(2);
    }
}

#[test]
fn a_restore_from_a_gateway_that_was_killed_goes_on() {
    goes_on(Profile::V1, Source::Gateway);
    goes_on(Profile::V0, Source::Gateway);
}

#[test]
fn a_restore_from_a_node_that_was_killed_goes_on() {
    goes_on(Profile::V1, Source::Node);
}

#[test]
fn a_restore_from_files_that_was_killed_goes_on() {
    let outside = Roadstead::new();
    let layout = Layout::random(&[60_000_000, 20_000_000, 40_000_000], 8);
    outside.ok(&["add", &format!("oci:{}", layout.path().display()), "--as", "app:1"]);
    let root = outside.root();
    for place in ["registry.car", "tree"] {
        let place = outside.path(place);
        let place = place.to_str().unwrap();
        outside.ok(&["export", place]);
        // When something is there of a layer, and when one is whole.
        for wanted in [0, 1] {
            let back = Roadstead::new();
            let data = back.path("registry");
            let mut running = Running::start(&back.command(&["restore", place]), &back.path(""), "restore");
            running.wait_until("a part of a layer", || {
                let large = |(_, size): (String, u64)| size > 1 << 20;
                let whole = crate::crash::files(&data.join("blobs/sha256")).into_iter().filter(|it| large(it.clone()));
                let parts = crate::crash::files(&data.join("partial")).into_iter().any(large);
                whole.count() >= wanted && parts
            });
            running.signal(Signal::KILL);
            assert_eq!(running.end().code, 128 + Signal::KILL.as_raw());
            sound_blobs(&data);
            let before = stored(&data);
            super::unfinished::is_left_alone(&back, &root);
            assert_eq!(back.json(&["restore", place])["root"], root.as_str());
            let after = stored(&data);
            assert!(before.iter().all(|(path, file)| after.get(path) == Some(file)), "written again");
            back.ok(&["verify"]);
        }
    }
}
