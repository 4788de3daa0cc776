//! Runs of the rules that are cut: a watch that is told to stop in the middle of a blob, and `kill -9` anywhere.
//!
//! `ROADSTEAD_CRASH_SEED=N` replays the moment that a failure names.

use super::kills::copy;
use super::local::Local;
use super::moment::{Moment, run_and_kill};
use super::running::Running;
use super::upstream::Upstream;
use super::{files, partials, random, sound_blobs};
use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use rustix::process::Signal;
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

const MOMENTS: u64 = 30;
const UPDATE: [&str; 2] = ["update", "--yes"];

#[test]
fn a_watch_that_is_told_to_stop_ends_after_the_blob() {
    const AFTER: usize = 600_000;
    let (upstream, [small, large]) = Upstream::with_app();
    let roadstead = Local::new(&upstream);
    roadstead.ok(&["rule", "add", "upstream/app:#"]);
    let data = roadstead.data();
    let held = upstream.hold(&large, AFTER);
    let mut running = Running::start(&roadstead.command(&["watch", "--yes"]), &roadstead.path(""), "watch");
    running.wait_until("one layer and a part of another", || {
        let (blobs, parts) = (files(&data.join("blobs/sha256")), partials(&data));
        blobs.contains_key(&small[7..]) && parts.get(&large[7..]) == Some(&(AFTER as u64))
    });
    running.signal(Signal::TERM);
    running.wait_until_said("Stopping after the blobs that are being fetched.");
    held.release();
    let ended = running.end();
    assert_eq!(ended.code, 0, "{ended}");
    assert!(sound_blobs(&data).contains_key(&large[7..]) && partials(&data).is_empty());

    upstream.registry.forget_requests();
    roadstead.ok(&UPDATE);
    assert_eq!((upstream.asked(&small), upstream.asked(&large)), (vec![], vec![]));
    roadstead.ok(&["verify"]);
}

/// A catalog that a rule of a file keeps at the newest version, before another one comes; a hook is told of what comes.
struct Kept {
    before: Local,
    told: PathBuf,
}

impl Kept {
    fn of(upstream: &Upstream) -> Self {
        let before = Local::new(upstream);
        let (told, file) = (before.path("told.jsonl"), before.path("mirror.toml"));
        let rule = format!("[[rule]]\nimage = '{}/app'\ntags = ['#.#']\nnewest = 1\nleave = '0s'\n", before.host);
        let script = "cat >> \"$0\"; echo >> \"$0\"";
        let hook = format!("[[hook]]\non = ['new']\nrun = ['sh', '-c', '''{script}''', '{}']\n", told.display());
        fs::write(&file, rule + &hook).expect("a file of rules");
        before.ok(&["rule", "use", &file.display().to_string()]);
        before.ok(&["rule", "trust", "--yes"]);
        before.ok(&UPDATE);
        Self { before, told }
    }

    /// The same once more, of which nothing was told.
    fn again(&self, upstream: &Upstream) -> Local {
        let roadstead = Local::new(upstream);
        copy(&self.before.data(), &roadstead.data());
        fs::write(&self.told, "").expect("a file");
        roadstead
    }

    fn is_told_of(&self, image: &str) -> bool {
        fs::read_to_string(&self.told).unwrap_or_default().lines().any(|event| event.contains(image))
    }
}

#[test]
fn a_run_of_rules_that_is_killed_anywhere_is_finished_by_the_next_one() {
    let upstream = Upstream::start();
    let [shared, old, new] = [(700_000, 1), (300_000, 2), (1_100_000, 3)].map(|(length, seed)| random(length, seed));
    upstream.put("app", "1.0", &[shared.clone(), old]);
    let kept = Kept::of(&upstream);
    upstream.put("app", "1.1", &[shared, new]);

    let undisturbed = kept.again(&upstream);
    upstream.registry.forget_requests();
    let begun = Instant::now();
    undisturbed.ok(&UPDATE);
    let (duration, requests) = (begun.elapsed(), upstream.registry.total_requests());
    assert!(kept.is_told_of("/app:1.1"));
    let root = undisturbed.root();
    assert_ne!(root, kept.before.root());
    undisturbed.ok(&["gc", "--yes"]);
    let blobs = sound_blobs(&undisturbed.data());

    let one = std::env::var("ROADSTEAD_CRASH_SEED").ok().map(|seed| seed.parse::<u64>().expect("a number"));
    let first = one.unwrap_or_else(|| rand::random::<u32>().into());
    for seed in first..first + one.map_or(MOMENTS, |_| 1) {
        let moment = Moment::of_requests(requests, duration, &mut SmallRng::seed_from_u64(seed));
        eprintln!("ROADSTEAD_CRASH_SEED={seed} {moment:?}");
        let roadstead = kept.again(&upstream);
        let data = roadstead.data();
        run_and_kill(&mut roadstead.command(&UPDATE), &upstream, moment, &data.join("partial"));
        sound_blobs(&data);
        roadstead.ok(&["verify"]);
        roadstead.ok(&UPDATE);
        assert_eq!(roadstead.root(), root);
        assert!(kept.is_told_of("/app:1.1"), "what a cut run brought is told by the next one");
        // What came is the rule's, however it was cut: nothing is left that nobody would remove.
        roadstead.ok(&["gc", "--yes"]);
        assert_eq!(sound_blobs(&data), blobs);
    }
}
