//! `kill -9` at 200 moments of add, update, remove, gc and export. Afterwards nothing unverified is there, and the same
//! command ends what it began as if nothing had happened.
//!
//! `ROADSTEAD_CRASH_SEED=N` replays the moment that a failure names.

use super::local::Local;
use super::moment::{Moment, run_and_kill};
use super::upstream::Upstream;
use super::{files, partials, random, sound_blobs};
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use std::collections::BTreeMap;
use std::fs;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const MOMENTS: u64 = 200;
/// Runs at the same time.
const AT_ONCE: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Add,
    Update,
    Remove,
    Gc,
    ExportDirectory,
    ExportCar,
}

impl Verb {
    fn chosen(random: &mut SmallRng) -> Self {
        match random.random_range(0..20) {
            0..=6 => Self::Add,
            7..=11 => Self::Update,
            12 | 13 => Self::Remove,
            14 | 15 => Self::Gc,
            16 | 17 => Self::ExportDirectory,
            _ => Self::ExportCar,
        }
    }

    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Add => &["add", "upstream/app:1", "upstream/other:1"],
            Self::Update => &["update"],
            Self::Remove => &["remove", "upstream/other:1", "--yes"],
            Self::Gc => &["gc", "--yes"],
            Self::ExportDirectory => &["export", "exported"],
            Self::ExportCar => &["export", "exported.car"],
        }
    }
}

/// The layers of every image; `moved` is what `app:1` gets later.
fn layers() -> [Vec<u8>; 5] {
    [(700_000, 1), (1_300_000, 2), (300_000, 3), (2_000_000, 4), (1_100_000, 5)].map(|(n, seed)| random(n, seed))
}

/// Puts the images as they are before or after `app:1` moved.
fn put(upstream: &Upstream, moved: bool) {
    let [shared, first, small, others, second] = layers();
    let app = if moved { vec![shared.clone(), small, second] } else { vec![shared.clone(), first] };
    upstream.put("app", "1", &app);
    upstream.put("other", "1", &[shared, others]);
}

/// What there is when nothing is disturbed.
struct Undisturbed {
    /// The data directory to begin with.
    before: Option<Local>,
    root: String,
    blobs: BTreeMap<String, u64>,
    requests: u64,
    duration: Duration,
    exported: BTreeMap<String, Vec<u8>>,
}

/// Copies a directory with all that is in it.
pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// Every file below a directory, or the file itself, with its bytes; the mark of an export says that it is complete.
fn tree(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut left = vec![path.to_owned()];
    while let Some(next) = left.pop() {
        if next.is_dir() {
            left.extend(fs::read_dir(&next).expect("a directory").map(|entry| entry.expect("an entry").path()));
        } else if next.is_file() {
            let name = next.strip_prefix(path).expect("below it").to_string_lossy().into_owned();
            found.insert(name, fs::read(&next).expect("a file"));
        }
    }
    found
}

/// A data directory to begin with, of its own.
fn begin(verb: Verb, upstream: &Upstream, before: Option<&Local>) -> Local {
    let roadstead = Local::new(upstream);
    if let Some(before) = before {
        copy(&before.data(), &roadstead.data());
        if verb == Verb::ExportDirectory {
            copy(&before.path("exported"), &roadstead.path("exported"));
        }
        if verb == Verb::ExportCar {
            fs::copy(before.path("exported.car"), roadstead.path("exported.car")).expect("a copy");
        }
    }
    roadstead
}

impl Undisturbed {
    fn of(verb: Verb, upstream: &Upstream) -> Self {
        put(upstream, false);
        let before = (verb != Verb::Add).then(|| {
            let before = Local::new(upstream);
            before.ok(&["add", "upstream/app:1"]);
            if matches!(verb, Verb::ExportDirectory | Verb::ExportCar) {
                // The former export, which becomes the new one.
                before.ok(verb.words());
            }
            before.ok(&["add", "upstream/other:1"]);
            if verb == Verb::Gc {
                before.ok(Verb::Remove.words());
                // A transfer that was cut off.
                let layer = &layers()[4];
                let name = roadstead::image::Digest::of(layer).hex();
                fs::write(before.data().join("partial").join(name), &layer[..1000]).expect("a file");
            }
            before
        });
        put(upstream, verb == Verb::Update);
        let roadstead = begin(verb, upstream, before.as_ref());
        upstream.registry.forget_requests();
        let begun = Instant::now();
        roadstead.ok(verb.words());
        let duration = begun.elapsed();
        let requests = upstream.registry.total_requests();
        let target = verb.words().last().map(|last| roadstead.path(last)).expect("a word");
        let exported = tree(&target);
        roadstead.ok(&["gc", "--yes"]);
        let blobs = sound_blobs(&roadstead.data());
        Self { before, root: roadstead.root(), blobs, requests, duration, exported }
    }
}

/// A registry, and what there is when nothing is disturbed, each verb once.
struct Baselines {
    upstream: Upstream,
    known: Vec<(Verb, Undisturbed)>,
}

/// Kills one run and looks at everything.
fn one_moment(seed: u64, baselines: &mut Baselines) {
    let mut random = SmallRng::seed_from_u64(seed);
    let verb = Verb::chosen(&mut random);
    if !baselines.known.iter().any(|(known, _)| *known == verb) {
        baselines.known.push((verb, Undisturbed::of(verb, &baselines.upstream)));
    }
    let (upstream, known) = (&baselines.upstream, baselines.known.iter().find(|(known, _)| *known == verb));
    let undisturbed = known.map(|(_, undisturbed)| undisturbed).expect("just made");
    put(upstream, verb == Verb::Update);
    let roadstead = begin(verb, upstream, undisturbed.before.as_ref());
    let data = roadstead.data();
    let moment = match verb {
        Verb::Add | Verb::Update => Moment::of_requests(undisturbed.requests, undisturbed.duration, &mut random),
        _ => Moment::within(undisturbed.duration, &mut random),
    };
    let target = verb.words().last().map(|last| roadstead.path(last)).expect("a word");
    let former = tree(&target);
    eprintln!("ROADSTEAD_CRASH_SEED={seed} {verb:?} {moment:?}");
    run_and_kill(&mut roadstead.command(verb.words()), upstream, moment, &data.join("partial"));

    let kept = sound_blobs(&data);
    let verified = roadstead.run(&["verify"]);
    if verb == Verb::Add && verified.code == 4 {
        // Killed before there was a catalog.
        super::says(&verified.stderr, &["error: ", "hint: `roadstead add REF`"]);
    } else {
        verified.success();
    }
    if verb == Verb::ExportCar {
        let found = tree(&target);
        assert!(found == former || found == undisturbed.exported, "neither the old file nor the new one");
    }
    let cut: BTreeMap<String, u64> = partials(&data);
    upstream.registry.forget_requests();
    let again = roadstead.run(verb.words());
    if verb == Verb::Remove && again.code == 4 {
        // It was done already.
        assert_eq!(roadstead.root(), undisturbed.root);
    } else {
        again.success();
    }
    resumes(upstream, &kept, &cut);
    assert_eq!(roadstead.root(), undisturbed.root);
    if !undisturbed.exported.is_empty() {
        assert!(tree(&target) == undisturbed.exported, "another export");
    }
    let left: Vec<String> =
        files(&roadstead.path("")).into_keys().filter(|name| name.starts_with(".exported")).collect();
    assert!(left.is_empty(), "left beside the CAR file: {left:?}");

    roadstead.ok(&["gc", "--yes"]);
    roadstead.run(&["gc", "--dry-run", "--fail-if-unchanged"]).failure(3);
    assert_eq!(partials(&data), BTreeMap::new());
    assert_eq!(sound_blobs(&data), undisturbed.blobs);
}

/// What was verified was not fetched again, and what was cut off went on where it was.
fn resumes(upstream: &Upstream, kept: &BTreeMap<String, u64>, cut: &BTreeMap<String, u64>) {
    for layer in layers() {
        let digest = roadstead::image::Digest::of(&layer);
        let (asked, hex) = (upstream.asked(&digest.to_string()), digest.hex());
        if kept.contains_key(&hex) {
            assert!(asked.is_empty(), "{digest} was here: {asked:?}");
        } else if let Some(length) = cut.get(&hex).filter(|_| !asked.is_empty()) {
            assert_eq!(asked, [*length], "{digest} was here up to there");
        }
    }
}

#[test]
fn a_kill_at_any_moment_loses_nothing_and_leaks_nothing() {
    let one = std::env::var("ROADSTEAD_CRASH_SEED").ok().map(|seed| seed.parse::<u64>().expect("a number"));
    let first = one.unwrap_or_else(|| rand::random::<u32>().into());
    let last = first + one.map_or(MOMENTS, |_| 1);
    let next = AtomicU64::new(first);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let mut baselines = Baselines { upstream: Upstream::start(), known: Vec::new() };
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= last {
                        return;
                    }
                    let done = std::panic::catch_unwind(AssertUnwindSafe(|| one_moment(seed, &mut baselines)));
                    if let Err(panic) = done {
                        next.store(last, Ordering::Relaxed);
                        eprintln!("replay it with ROADSTEAD_CRASH_SEED={seed}");
                        std::panic::resume_unwind(panic);
                    }
                }
            });
        }
    });
}
