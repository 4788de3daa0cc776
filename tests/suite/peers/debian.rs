//! A bare Debian system in a directory: what `tests/peers` makes of the release that this machine runs, unpacked for one test.
//!
//! It has apt, dpkg and systemd, which is not running, and no network but loopback.

use super::{Directory, Finished, cache, command, finish, program};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What the system itself changes whenever a package comes or goes.
const CHANGING: [&str; 7] = ["proc", "run", "tmp", "var/cache", "var/lib/apt", "var/lib/dpkg", "var/log"];

/// The system; whatever runs in it ends with the call.
pub(crate) struct Debian {
    root: Directory,
}

impl Debian {
    /// One as it comes out of its packages.
    pub(crate) fn new() -> Self {
        let archive = cache().join("debian.tar.zst");
        assert!(archive.is_file(), "{} is missing: run `tests/peers`, which makes it", archive.display());
        let root = Directory::new();
        let mut unpack = command(program("tar"), root.path());
        finish(unpack.args(["--zstd", "--numeric-owner", "-xpf"]).arg(&archive)).success();
        // Not only for whom the directory belongs to.
        std::fs::set_permissions(root.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .expect("a directory");
        Self { root }
    }

    /// A path in it, as this machine sees it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Runs a command in it, as root.
    pub(crate) fn run(&self, words: &[&str]) -> Finished {
        self.run_as("0:0", words)
    }

    /// Runs a command in it, as this user and group.
    pub(crate) fn run_as(&self, user: &str, words: &[&str]) -> Finished {
        let script = "ip link set lo up && mount -t proc proc \"$0/proc\" && user=$1 && shift && exec env -i \
                      PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME=/tmp \
                      DEBIAN_FRONTEND=noninteractive chroot --userspec=\"$user\" \"$0\" \"$@\"";
        let mut inside = command(program("unshare"), Path::new("/"));
        inside.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-c", script]);
        finish(inside.arg(self.root.path()).arg(user).args(words))
    }

    /// The paths of all its files, but for those that the system itself changes.
    pub(crate) fn files(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut waiting = vec![self.root.path().to_path_buf()];
        while let Some(directory) = waiting.pop() {
            for entry in std::fs::read_dir(&directory).expect("a directory") {
                let entry = entry.expect("an entry");
                let path = entry.path();
                let name = path.strip_prefix(self.root.path()).expect("below it").to_string_lossy().into_owned();
                if CHANGING.contains(&name.as_str()) {
                    continue;
                }
                if entry.file_type().expect("a type").is_dir() {
                    waiting.push(path);
                }
                found.insert(name);
            }
        }
        found
    }
}
