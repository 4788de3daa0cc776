//! podman and buildah: pull by name and run, each with a storage of its own.

use super::{Directory, Finished, command, finish, program, with_own_mounts};
use std::path::{Path, PathBuf};

/// Storage and configuration for podman or buildah, thrown away on drop.
///
/// Each call gets a mount namespace of its own: the machine's `/etc/hosts` stays as it is while names of the test lead
/// to this machine, and whatever the storage mounts is gone with the call.
struct Engine {
    program: PathBuf,
    home: Directory,
    driver: &'static str,
}

impl Engine {
    fn new(name: &str, hosts: &[&str]) -> Self {
        let home = Directory::new();
        let mut lines = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
        for host in hosts {
            lines.push_str("\n127.0.0.1 ");
            lines.push_str(host);
        }
        home.write("hosts", lines + "\n");
        home.write("registries.conf", "unqualified-search-registries = []\n");
        home.write("policy.json", r#"{"default":[{"type":"insecureAcceptAnything"}]}"#);
        // The same policy where podman looks by itself, for command lines that don't name one.
        home.write(".config/containers/policy.json", r#"{"default":[{"type":"insecureAcceptAnything"}]}"#);
        // Without it, root (also of a namespace) looks for signatures where only root of the machine may.
        let signatures = format!("default-docker:\n  lookaside: file://{}\n", home.make("signatures").display());
        home.write(".config/containers/registries.d/default.yaml", signatures);
        // File locks and a directory of its own: nothing is shared with the machine's podman or with other tests. The
        // limits are low because a container engine inside of a container may not raise them.
        let containers = format!(
            "[containers]\nnetns = \"none\"\nlog_driver = \"k8s-file\"\n\
             default_ulimits = [\"nofile=1024:1024\", \"nproc=1000:1000\"]\n\
             [engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"none\"\n\
             lock_type = \"file\"\ntmp_dir = \"{}\"\n",
            home.make("tmp").display()
        );
        home.write("containers.conf", containers);
        home.make("run");
        let mut made = Self { program: program(name), home, driver: "overlay" };
        // Overlay mounts are refused inside of many containers.
        if made.run(&["info"]).code != 0 {
            made.driver = "vfs";
        }
        made
    }

    fn run(&self, arguments: &[&str]) -> Finished {
        let mut engine = command(&self.program, self.home.path());
        engine
            .arg("--root")
            .arg(self.home.join("storage"))
            .arg("--runroot")
            .arg(self.home.join("mounted"))
            .args(["--storage-driver", self.driver])
            .args(arguments)
            .env("CONTAINERS_CONF", self.home.join("containers.conf"))
            .env("CONTAINERS_REGISTRIES_CONF", self.home.join("registries.conf"))
            .env("TMPDIR", self.home.join("tmp"));
        finish(&with_own_mounts(&engine, Some(&self.home.join("hosts"))))
    }

    /// The options of `pull` for a registry over plain HTTP.
    fn pull(&self, reference: &str) -> Finished {
        let policy = self.home.join("policy.json");
        let policy = policy.to_str().expect("a path in UTF-8");
        self.run(&["pull", "--quiet", "--tls-verify=false", "--signature-policy", policy, reference])
    }
}

/// podman with no images.
pub(crate) struct Podman(Engine);

impl Podman {
    /// One that knows no other hosts than the machine does.
    pub(crate) fn new() -> Self {
        Self::knowing(&[])
    }

    /// One for which these host names lead to this machine.
    pub(crate) fn knowing(hosts: &[&str]) -> Self {
        Self(Engine::new("podman", hosts))
    }

    /// Runs podman with these arguments.
    pub(crate) fn run(&self, arguments: &[&str]) -> Finished {
        self.0.run(arguments)
    }

    /// Where it looks for registries.
    pub(crate) fn registries(&self) -> PathBuf {
        self.0.home.join(".config/containers/registries.conf.d")
    }

    /// Pulls an image over plain HTTP; gives its identifier.
    #[track_caller]
    pub(crate) fn pull(&self, reference: &str) -> String {
        String::from(self.0.pull(reference).success().trim())
    }

    /// One that takes of a layer only the files that it has not, where the layer says where each of its files is.
    pub(crate) fn taking_parts() -> Self {
        let made = Self::new();
        let (home, driver) = (&made.0.home, made.0.driver);
        let (root, run) = (home.join("storage"), home.join("mounted"));
        let text = format!(
            "[storage]\ndriver = \"{driver}\"\ngraphroot = \"{}\"\nrunroot = \"{}\"\n\
             [storage.options]\npull_options = {{enable_partial_images = \"true\"}}\n",
            root.display(),
            run.display(),
        );
        home.write("config/containers/storage.conf", text);
        made
    }

    /// Whether it can do that: with overlay alone, whose mounts are refused inside of many containers.
    pub(crate) fn can_take_parts(&self) -> bool {
        self.0.driver == "overlay"
    }

    /// Pulls an image over plain HTTP; gives its debug log.
    #[track_caller]
    pub(crate) fn pull_and_tell(&self, reference: &str) -> String {
        let pulled = self.run(&["--log-level=debug", "pull", "--tls-verify=false", reference]);
        assert_eq!(pulled.code, 0, "{pulled}");
        pulled.stderr
    }

    /// Tries to pull an image over plain HTTP.
    pub(crate) fn try_pull(&self, reference: &str) -> Finished {
        self.0.pull(reference)
    }

    /// Runs a command in a new container of a pulled image; gives its output.
    #[track_caller]
    pub(crate) fn run_in(&self, reference: &str, words: &[&str]) -> String {
        // runc keeps its state where only root of the machine may.
        let state = format!("--runtime-flag=root={}", self.0.home.join("runc").display());
        let mut arguments = vec![state.as_str(), "run", "--rm", "--pull=never", reference];
        arguments.extend(words);
        self.run(&arguments).success()
    }
}

/// buildah with no images.
pub(crate) struct Buildah(Engine);

impl Buildah {
    /// One that knows no other hosts than the machine does.
    pub(crate) fn new() -> Self {
        Self(Engine::new("buildah", &[]))
    }

    /// Pulls an image over plain HTTP; gives its identifier.
    #[track_caller]
    pub(crate) fn pull(&self, reference: &str) -> String {
        String::from(self.0.pull(reference).success().trim())
    }
}

/// Whether a path is a mount point of this process: nothing of a test may be one.
pub(crate) fn is_mounted_below(directory: &Path) -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mounts").expect("the mounts");
    mounts.lines().filter_map(|line| line.split(' ').nth(1)).any(|at| Path::new(at).starts_with(directory))
}

#[test]
fn leaves_no_mount_behind() {
    let podman = Podman::knowing(&["registry.test"]);
    let home = podman.0.home.path().to_path_buf();
    podman.run(&["info"]).success();
    assert!(!is_mounted_below(&home));
    drop(podman);
    assert!(!home.exists());
}
