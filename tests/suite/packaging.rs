//! What `packaging/` makes of a binary: the archive, the Debian package and the image, the same bytes each time, each used as
//! whoever installs it does.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::cli::Roadstead;
use crate::peers::debian::Debian;
use crate::peers::podman::Podman;
use crate::peers::{Directory, Finished, command, finish, program};

const PACKAGING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging");
/// How exposed a service may be, by `systemd-analyze security`, in tenths.
const MAX_EXPOSURE_TENTHS: &str = "20";
const UNITS: [&str; 3] = ["roadstead-serve.service", "roadstead-update.service", "roadstead-update.timer"];

fn script(name: &str, directory: &Path) -> Command {
    command(Path::new(PACKAGING).join(name), directory)
}

/// The built program without what is only there for debuggers, as `target/tmp/packaging/roadstead`.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("packaging");
        std::fs::create_dir_all(&directory).unwrap();
        let binary = directory.join("roadstead");
        let mut strip = command(program("strip"), &directory);
        strip.arg("-o").arg(&binary).arg(env!("CARGO_BIN_EXE_roadstead"));
        finish(&strip).success();
        binary
    })
}

/// Packs it for this architecture, or as if it were for another one.
fn pack(out: &Path, architecture: &str) {
    let directory = Directory::new();
    let mut build = script("build", directory.path());
    build.arg(out).env("ROADSTEAD_BINARY", binary()).env("COMPRESSION", "1").env("SOURCE_DATE_EPOCH", "1700000000");
    finish(build.env("TARGET", format!("{architecture}-unknown-linux-gnu"))).success();
}

/// What is packed, once for all tests, in a directory that each run makes anew.
fn packed() -> &'static Path {
    static PACKED: OnceLock<PathBuf> = OnceLock::new();
    PACKED.get_or_init(|| {
        let out = binary().with_file_name("dist");
        pack(&out, std::env::consts::ARCH);
        out
    })
}

fn made(directory: &Path, ending: &str) -> PathBuf {
    let mut all = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    all.find(|path| path.to_string_lossy().ends_with(ending)).unwrap_or_else(|| panic!("no {ending}"))
}

/// The archive, unpacked as over `/usr/local`.
fn unpacked(directory: &Directory) -> PathBuf {
    let local = directory.make("local");
    let mut unpack = command(program("tar"), directory.path());
    unpack.args(["--zstd", "--strip-components=1", "-xf"]).arg(made(packed(), ".tar.zst")).arg("-C").arg(&local);
    finish(&unpack).success();
    local
}

#[test]
fn the_same_binary_makes_the_same_packages() {
    let directory = Directory::new();
    let other = directory.join("other");
    pack(&other, std::env::consts::ARCH);
    let compare = |one: &Path, other: &Path| {
        let mut compare = script("build", directory.path());
        finish(compare.arg("--compare").arg(one).arg(other))
    };
    assert_eq!(compare(packed(), &other).success().trim(), "the same bytes");
    // A comparison that could not fail would say nothing.
    let sums = other.join("SHA256SUMS");
    std::fs::write(&sums, std::fs::read_to_string(&sums).unwrap().replacen('a', "b", 1)).unwrap();
    std::fs::write(other.join("more"), "").unwrap();
    let said = compare(packed(), &other);
    assert!(said.code == 1 && said.stdout.contains("SHA256SUMS differs"), "{said}");
    assert!(said.stdout.contains("more is in"), "{said}");
}

#[test]
fn the_debian_package_is_installed_and_purged_on_a_bare_system() {
    let debian = Debian::new();
    let before = debian.files();
    std::fs::copy(made(packed(), ".deb"), debian.path("tmp/roadstead.deb")).unwrap();
    // There is no network, so it needs nothing that the system has not.
    debian.run(&["apt-get", "install", "-y", "--no-install-recommends", "/tmp/roadstead.deb"]).success();

    // A bare system knows no certificate authority and has no user for it. Nobody will do.
    let nobody = "65534:65534";
    let version = debian.run_as(nobody, &["roadstead", "--version"]).success();
    assert!(version.starts_with("roadstead "), "{version}");
    let said = debian.run_as(nobody, &["roadstead", "demo"]).success();
    assert!(said.contains("roadstead serve"), "{said}");

    let units: Vec<String> = UNITS.iter().map(|unit| format!("/usr/lib/systemd/system/{unit}")).collect();
    let units: Vec<&str> = units.iter().map(String::as_str).collect();
    let verified = debian.run(&[&["systemd-analyze", "verify", "--man=no"], units.as_slice()].concat());
    assert!(verified.code == 0 && !verified.stderr.contains("roadstead"), "{verified}");
    // Switched off until somebody switches them on.
    let wants = ["multi-user.target.wants/roadstead-serve.service", "timers.target.wants/roadstead-update.timer"]
        .map(|link| debian.path("etc/systemd/system").join(link));
    assert!(wants.iter().all(|link| !link.is_symlink()));
    debian.run(&["systemctl", "enable", "roadstead-serve.service", "roadstead-update.timer"]).success();
    assert!(wants.iter().all(|link| link.is_symlink()));

    let data = "var/lib/private/roadstead/catalog.db";
    std::fs::create_dir_all(debian.path(data).parent().unwrap()).unwrap();
    std::fs::write(debian.path(data), "all there is of the images").unwrap();
    debian.run(&["apt-get", "purge", "-y", "roadstead"]).success();
    let left: Vec<String> = debian.files().difference(&before).cloned().collect();
    let ours: Vec<&String> = left.iter().filter(|path| !data.starts_with(path.as_str())).collect();
    assert!(ours.is_empty(), "left behind: {ours:?}");
    assert!(left.iter().any(|path| path == data), "the registry is gone");
}

#[test]
fn the_units_are_hardened() {
    let directory = Directory::new();
    for unit in UNITS.iter().filter(|unit| unit.ends_with(".service")) {
        let mut security = command(program("systemd-analyze"), directory.path());
        security.args(["security", "--offline=true", "--no-pager", "--threshold", MAX_EXPOSURE_TENTHS]);
        finish(security.arg(Path::new(PACKAGING).join("systemd").join(unit))).success();
    }
    // Every option that the units name is one that the program has.
    assert!(Roadstead::new().ok(&["update", "--help"]).contains("--allow-postponed"));
}

/// podman runs the image out of its archive, and out of a registry of ours; of one for several architectures it takes its own.
#[test]
fn podman_runs_the_image_from_its_archive_and_from_a_registry() {
    let version = format!("roadstead {}", env!("CARGO_PKG_VERSION"));
    let name = format!("roadstead:{}", env!("CARGO_PKG_VERSION"));
    let directory = Directory::new();
    // As on a machine of another architecture: what is in that image is never run.
    let foreign = if std::env::consts::ARCH == "aarch64" { "x86_64" } else { "aarch64" };
    let other = directory.join("other");
    pack(&other, foreign);
    let release = directory.join("release");
    let combine = |directories: [&Path; 2]| {
        let mut combine = script("build", directory.path());
        combine.arg("--combine").arg(&release).args(directories).env("SOURCE_DATE_EPOCH", "1700000000");
        finish(&combine).success();
        std::fs::read_to_string(release.join("SHA256SUMS")).unwrap()
    };
    let sums = combine([&other, packed()]);
    assert_eq!(sums, combine([packed(), &other]), "the order of the directories is in the release");
    assert_eq!(sums.lines().count(), 5, "two archives, two packages, one image: {sums}");
    let both = release.join(format!("roadstead-{}-oci.tar", env!("CARGO_PKG_VERSION")));

    for image in [&made(packed(), ".tar"), &both] {
        let podman = Podman::new();
        podman.run(&["load", "--quiet", "-i", image.to_str().unwrap()]).success();
        let said = podman.run_in(&format!("localhost/{name}"), &["--version"]);
        assert!(said.starts_with(&version), "{said}");
    }

    let roadstead = Roadstead::new();
    roadstead.ok(&["add", "--platform", "all", "--as", &name, &format!("oci-archive:{}", both.display())]);
    let shown = roadstead.json(&["show", &name]).to_string();
    assert!(shown.contains("amd64") && shown.contains("arm64"), "{shown}");
    let server = roadstead.serve();
    let podman = Podman::new();
    let pulled = podman.pull(&format!("{}/{name}", server.host()));
    let said = podman.run_in(&pulled, &["--version"]);
    assert!(said.starts_with(&version), "{said}");
    // Its own user can write where it has to.
    assert!(podman.run_in(&pulled, &["demo"]).contains("roadstead serve"));
    let profile = ["root", "--profile", "unixfs-v1-2025"];
    assert_eq!(podman.run_in(&pulled, &profile), Roadstead::new().ok(&profile));
}

#[test]
fn the_archive_is_unpacked_over_a_prefix() {
    let directory = Directory::new();
    let local = unpacked(&directory);
    let said = finish(command(local.join("bin/roadstead"), directory.path()).arg("--version")).success();
    assert!(said.starts_with("roadstead "), "{said}");

    let pages = || std::fs::read_dir(local.join("share/man/man1")).unwrap().map(|page| page.unwrap().path());
    for name in ["roadstead-serve.1.gz", "roadstead-update.1.gz", "roadstead.1.gz"] {
        assert!(pages().any(|page| page.ends_with(name)), "{name}");
    }
    let mut unpack = command(program("gzip"), directory.path());
    finish(unpack.arg("-d").args(pages())).success();
    let mut lint = command(program("mandoc"), directory.path());
    finish(lint.args(["-T", "lint", "-W", "warning"]).args(pages())).success();
}

/// Each shell reads its file where it looks for such files, and completes a verb by asking the program.
#[test]
fn every_shell_completes_with_the_file_of_the_archive() {
    let directory = Directory::new();
    let local = unpacked(&directory);
    let (bash, zsh, fish) = (
        local.join("share/bash-completion/completions/roadstead"),
        local.join("share/zsh/vendor-completions"),
        local.join("share/fish/vendor_completions.d/roadstead.fish"),
    );
    let run = |shell: &str, words: &[&str], file: &Path| -> Finished {
        let mut line = command(program(shell), directory.path());
        let path = std::env::join_paths([local.join("bin"), "/usr/bin".into(), "/bin".into()]).unwrap();
        finish(line.args(words).arg(file).env("PATH", path))
    };
    let loaded = "source \"$0\"; COMP_LINE='roadstead outd' COMP_POINT=14 COMP_TYPE=9; $(complete -p roadstead | \
                  sed 's/.*-F \\([^ ]*\\).*/\\1/'); printf '%s\\n' \"${COMPREPLY[@]}\"";
    for (shell, words, file) in [
        ("bash", vec!["--norc", "-c", loaded], &bash),
        // What zsh would show, printed: completion itself wants a terminal.
        (
            "zsh",
            vec![
                "-f",
                "-c",
                "fpath=($0 $fpath); autoload -U compinit; compinit -u -D; _describe() { print -rl -- \"${(@P)3}\" }; \
                 words=(roadstead outd); CURRENT=2; $_comps[roadstead]",
            ],
            &zsh,
        ),
        ("fish", vec!["--no-config", "-c", "source $argv[1]; complete -C 'roadstead outd'"], &fish),
    ] {
        let said = run(shell, &words, file);
        assert!(said.code == 0 && said.stdout.starts_with("outdated"), "{said}");
        assert!(said.stderr.is_empty(), "{said}");
    }
    let text = [bash, zsh.join("_roadstead"), fish].map(|file| std::fs::read_to_string(file).unwrap()).concat();
    assert!(!text.contains(&directory.path().display().to_string()) && !text.contains(PACKAGING), "{text}");
}

#[test]
fn the_notes_of_a_release_are_its_section_of_the_changelog() {
    let directory = Directory::new();
    let changelog = "# Changelog\n\n## Unreleased\n\n## [1.2.3] - 2026-01-02\n\nFirst.\n\n### Added\n\n- One\n  thing.\n- Two\n\n\
                     ## 1.2.2\n\n- Old\n";
    let changelog = directory.write("CHANGELOG.md", changelog);
    let notes = |version: &str| {
        let mut notes = script("release-notes", directory.path());
        finish(notes.arg(version).arg(&changelog))
    };
    assert_eq!(notes("1.2.3").success(), "First.\n\n### Added\n\n- One thing.\n- Two\n");
    assert_eq!(notes("1.2.2").success(), "- Old\n");
    assert!(notes("Unreleased").failure(1).contains("no section for Unreleased, or nothing in it"));
    assert!(notes("1.2").failure(1).contains("no section for 1.2"));
    // Its own changelog has a section for this version, or for the one that comes.
    let own = [env!("CARGO_PKG_VERSION"), "Unreleased"].map(|version| {
        let mut own = script("release-notes", directory.path());
        finish(own.arg(version))
    });
    assert!(own.iter().any(|own| own.code == 0 && own.stdout.contains("\n- ")), "{own:?}");
}
