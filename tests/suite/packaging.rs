//! What `packaging/build` makes of a binary: the archive and the Debian package, the same bytes each time.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cli::Roadstead;
use crate::peers::{Directory, command, finish, program};

const BUILD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/build");
/// How exposed a service may be, by `systemd-analyze security`, in tenths.
const MAX_EXPOSURE_TENTHS: &str = "20";

/// Packs the built program, without what is only there for debuggers.
fn packed(directory: &Directory, name: &str) -> PathBuf {
    let binary = directory.join("roadstead");
    if !binary.exists() {
        let mut strip = command(program("strip"), directory.path());
        strip.arg("-o").arg(&binary).arg(env!("CARGO_BIN_EXE_roadstead"));
        finish(&strip).success();
    }
    let out = directory.join(name);
    let mut build = command(Path::new(BUILD), directory.path());
    build.arg(&out).env("ROADSTEAD_BINARY", &binary).env("COMPRESSION", "2").env("SOURCE_DATE_EPOCH", "1700000000");
    finish(&build).success();
    out
}

fn made(directory: &Path, ending: &str) -> PathBuf {
    let mut all = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    all.find(|path| path.to_string_lossy().ends_with(ending)).unwrap_or_else(|| panic!("no {ending}"))
}

fn compared(one: &Path, other: &Path) -> Command {
    let mut compare = command(Path::new(BUILD), one);
    compare.arg("--compare").arg(one).arg(other);
    compare
}

#[test]
fn the_same_binary_makes_the_same_packages() {
    let directory = Directory::new();
    let (one, other) = (packed(&directory, "one"), packed(&directory, "other"));
    assert_eq!(finish(&compared(&one, &other)).success().trim(), "the same bytes");
    // A comparison that could not fail would say nothing.
    let sums = other.join("SHA256SUMS");
    std::fs::write(&sums, std::fs::read_to_string(&sums).unwrap().replacen('a', "b", 1)).unwrap();
    let said = finish(&compared(&one, &other));
    assert!(said.code == 1 && said.stdout.contains("SHA256SUMS differs"), "{said}");
}

#[test]
fn the_debian_package_holds_a_program_that_runs_and_hardened_units() {
    let directory = Directory::new();
    let out = packed(&directory, "dist");
    let root = directory.make("root");
    let mut unpack = command(program("dpkg-deb"), directory.path());
    unpack.arg("-x").arg(made(&out, ".deb")).arg(&root);
    finish(&unpack).success();

    let installed = root.join("usr/bin/roadstead");
    let said = finish(command(&installed, directory.path()).arg("demo")).success();
    assert!(!said.is_empty());
    for name in ["roadstead-serve.1.gz", "roadstead-update.1.gz", "roadstead.1.gz"] {
        assert!(root.join("usr/share/man/man1").join(name).exists(), "{name}");
    }
    for unit in ["roadstead-serve.service", "roadstead-update.service"] {
        let mut security = command(program("systemd-analyze"), directory.path());
        security.args(["security", "--offline=true", "--no-pager", "--threshold", MAX_EXPOSURE_TENTHS]);
        finish(security.arg(root.join("usr/lib/systemd/system").join(unit))).success();
    }
    // The same units, with the program where it is on this machine.
    let units = ["roadstead-serve.service", "roadstead-update.service", "roadstead-update.timer"].map(|unit| {
        let text = std::fs::read_to_string(root.join("usr/lib/systemd/system").join(unit)).unwrap();
        directory.write(unit, text.replace("/usr/bin/roadstead", &installed.to_string_lossy()))
    });
    let mut verify = command(program("systemd-analyze"), directory.path());
    let said = finish(verify.args(["verify", "--man=no"]).args(units));
    let ours = said.stderr.lines().filter(|line| line.contains("roadstead")).count();
    assert_eq!(ours, 0, "{said}");

    // Every option that the units name is one that the program has.
    let roadstead = Roadstead::new();
    assert!(roadstead.ok(&["update", "--help"]).contains("--allow-postponed"));
}

#[test]
fn the_archive_is_unpacked_over_a_prefix() {
    let directory = Directory::new();
    let out = packed(&directory, "dist");
    let mut unpack = command(program("tar"), directory.path());
    unpack
        .args(["--zstd", "--strip-components=1", "-xf"])
        .arg(made(&out, ".tar.zst"))
        .arg("-C")
        .arg(directory.make("local"));
    finish(&unpack).success();
    let said = finish(command(directory.join("local/bin/roadstead"), directory.path()).arg("--version")).success();
    assert!(said.starts_with("roadstead "), "{said}");
    let completions =
        std::fs::read_to_string(directory.join("local/share/bash-completion/completions/roadstead")).unwrap();
    assert!(!completions.contains(&directory.path().display().to_string()), "{completions}");
}
