//! Mounts of a test's own: a small disk, a disk that can only be read. Nobody else sees them, and they end with the test.

use super::{Finished, finish, program, wait_for, wrapped};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A mount namespace, kept by a process that waits for its input to end.
pub(crate) struct Mounts {
    keeper: Child,
}

impl Mounts {
    /// Makes one and mounts in it by this line of shell, in which `$0` is `path`.
    pub(crate) fn new(line: &str, path: &Path) -> Self {
        let ready = path.with_extension("ready");
        let mut keeper = Command::new(program("setpriv"));
        keeper.args(["--pdeathsig", "KILL", "--"]).arg(program("unshare")).arg("--mount");
        if !rustix::process::geteuid().is_root() {
            keeper.arg("--map-root-user");
        }
        let script = format!("{line} && : >\"$1\" && exec cat");
        let mut keeper =
            keeper.args(["sh", "-c", &script]).arg(path).arg(&ready).stdin(Stdio::piped()).spawn().expect("a process");
        wait_for("the mounts", String::new, || {
            assert!(keeper.try_wait().expect("a child").is_none(), "no mounts: {line}");
            ready.exists().then_some(())
        });
        Self { keeper }
    }

    /// A disk with room for so many KiB at `path`.
    pub(crate) fn disk(path: &Path, kibibytes: u32) -> Self {
        Self::new(&format!("mount -t tmpfs -o size={kibibytes}k,mode=755 none \"$0\""), path)
    }

    /// What is at `path` already, only to be read.
    pub(crate) fn read_only(path: &Path) -> Self {
        Self::new("mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\"", path)
    }

    /// The same command where these mounts are.
    pub(crate) fn inside(&self, command: &Command) -> Command {
        let pid = self.keeper.id().to_string();
        let user: &[&str] =
            if rustix::process::geteuid().is_root() { &[] } else { &["--user", "--preserve-credentials"] };
        let mut words = vec!["--target", &pid, "--mount"];
        words.extend(user);
        // The program starts where it was to start, whatever the namespace's directory is.
        let directory = command.get_current_dir().and_then(Path::to_str).expect("a directory").to_owned();
        words.extend(["sh", "-c", "cd \"$0\" && exec \"$@\"", &directory]);
        wrapped(command, &program("nsenter"), &words)
    }

    /// Runs the command there to its end.
    pub(crate) fn run(&self, command: &Command) -> Finished {
        finish(&self.inside(command))
    }

    /// Runs a line of shell there, in which `$0` is `path`.
    #[track_caller]
    pub(crate) fn shell(&self, line: &str, path: &Path) {
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).arg(path).current_dir("/").env("PATH", std::env::var_os("PATH").unwrap_or_default());
        self.run(&shell).success();
    }

    /// The same path as others see it.
    pub(crate) fn seen(&self, path: &Path) -> PathBuf {
        Path::new("/proc")
            .join(self.keeper.id().to_string())
            .join("root")
            .join(path.strip_prefix("/").expect("absolute"))
    }
}

impl Drop for Mounts {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}
