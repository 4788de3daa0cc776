//! Coming back: the time and the most memory that a registry with one blob of 1.25 GiB takes, from each place it can come from.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use roadstead::error::Result;

use super::{Kubo, Table, failure, peak_of, run, seconds, spread, write_layout};

/// Bytes of the blob.
const BLOB: u64 = 5 << 28;
/// The most memory that restoring may take, in MiB: a few blocks of it, whatever its size.
const GOAL: f64 = 64.0;

/// Restores from a gateway, a node, a CAR file and a directory, interleaved.
pub(crate) fn measure(table: &mut Table, below: &Path, rounds: usize) -> Result<()> {
    eprintln!("publish: restoring 1.25 GiB in one blob");
    let work = tempfile::tempdir_in(below)?;
    let program = |data: &Path, words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_roadstead"));
        command.arg("--data-dir").arg(data).env("ROADSTEAD_CONFIG", "/dev/null").args(words);
        command
    };
    let text = |path: &Path| path.display().to_string();
    let (layout, lost) = (work.path().join("layout"), work.path().join("lost"));
    write_layout(&layout, BLOB)?;
    let image = format!("oci:{}", text(&layout));
    run(&mut program(&lost, &["add", &image, "--as", "huge:1", "--platform", "linux/amd64"]))?;
    std::fs::remove_dir_all(&layout)?;
    let root = run(&mut program(&lost, &["root"]))?.0.trim().to_owned();
    let (car, tree) = (text(&work.path().join("registry.car")), text(&work.path().join("tree")));
    run(&mut program(&lost, &["export", &car]))?;
    run(&mut program(&lost, &["export", &tree]))?;
    let node = Kubo::start(below)?;
    node.ipfs(&["dag", "import", "--stats", &car])?;
    let (gateway, rpc) = (node.gateway()?, format!("kubo:{}", node.api));
    let places = [
        ("a Kubo gateway", vec!["restore", &root, "--from", &gateway]),
        ("a Kubo node", vec!["restore", &root, "--from", &rpc]),
        ("a CAR file", vec!["restore", &car]),
        ("a directory", vec!["restore", &tree]),
    ];
    let mut times: [Vec<f64>; 4] = Default::default();
    let mut peaks = [0.0_f64; 4];
    for _ in 0..rounds {
        for (place, (_, words)) in places.iter().enumerate() {
            let back = work.path().join("back");
            let begun = Instant::now();
            peaks[place] = peaks[place].max(peak_of(&mut program(&back, words))?);
            times[place].push(begun.elapsed().as_secs_f64());
            let came = run(&mut program(&back, &["root"]))?.0;
            if came.trim() != root {
                return Err(failure(format!("restoring gives {}, and the root is {root}", came.trim())));
            }
            std::fs::remove_dir_all(&back)?;
        }
    }
    for (place, (from, _)) in places.iter().enumerate() {
        let rate = BLOB as f64 / f64::from(1 << 20) / spread(&times[place]).0;
        table.row(
            &format!("restoring 1.25 GiB in one blob from {from}; peak memory"),
            &seconds(&times[place]),
            &format!("{rate:.0} MiB/s"),
            &format!("{:.1} MiB", peaks[place]),
            &format!("≤ {GOAL:.0} MiB"),
            peaks[place] <= GOAL,
        );
    }
    Ok(())
}
