//! containerd 2 and its `ctr`: what Docker and most of Kubernetes pull with.

use super::network::Machine;
use super::{Daemon, Directory, Finished, command, finish, program, with_own_mounts};
use std::path::{Path, PathBuf};

/// A running containerd with a root, a state and a socket of its own, and no CRI.
pub(crate) struct Containerd {
    _daemon: Daemon,
    directory: Directory,
    machine: Option<Machine>,
}

impl Containerd {
    /// Starts an empty one.
    pub(crate) fn start() -> Self {
        Self::begin(None)
    }

    /// Starts an empty one on a machine of a network.
    pub(crate) fn start_on(machine: &Machine) -> Self {
        Self::begin(Some(machine.clone()))
    }

    fn begin(machine: Option<Machine>) -> Self {
        let directory = Directory::new();
        let config = format!(
            "version = 3\nroot = '{root}'\nstate = '{state}'\nimports = []\n\
             disabled_plugins = ['io.containerd.grpc.v1.cri', 'io.containerd.cri.v1.images', \
             'io.containerd.cri.v1.runtime', 'io.containerd.nri.v1.nri', 'io.containerd.internal.v1.opt']\n\
             [grpc]\naddress = '{socket}'\n[ttrpc]\naddress = '{socket}.ttrpc'\n",
            root = directory.join("root").display(),
            state = directory.join("state").display(),
            socket = directory.join("socket").display(),
        );
        let file = directory.write("config.toml", config);
        let mut containerd = command(program("containerd"), directory.path());
        containerd.arg("--config").arg(file);
        // Whatever it mounts ends with it.
        let containerd = with_own_mounts(&containerd, None);
        let containerd = match &machine {
            Some(machine) => machine.inside(&containerd),
            None => containerd,
        };
        let mut daemon = Daemon::start("containerd", &containerd, directory.path());
        let probe = ctr(&directory, &["version"]);
        daemon.wait_for("an answer", || (finish(&probe).code == 0).then_some(()));
        Self { _daemon: daemon, directory, machine }
    }

    /// Runs `ctr` with these arguments.
    pub(crate) fn run(&self, arguments: &[&str]) -> Finished {
        let ctr = ctr(&self.directory, arguments);
        match &self.machine {
            Some(machine) => finish(&machine.inside(&ctr)),
            None => finish(&ctr),
        }
    }

    /// Pulls an image from the host in its name, over plain HTTP.
    #[track_caller]
    pub(crate) fn pull(&self, reference: &str) {
        self.run(&["images", "pull", "--local", "--plain-http", "--snapshotter", "native", reference]).success();
    }

    /// Pulls an image through one `_default/hosts.toml` that names a mirror for every registry.
    #[track_caller]
    pub(crate) fn pull_through(&self, mirror: &str, reference: &str) {
        self.pull_with(&self.mirror_everything(mirror), reference);
    }

    /// Pulls an image with the `hosts.toml` files of a directory.
    #[track_caller]
    pub(crate) fn pull_with(&self, hosts: &Path, reference: &str) {
        let hosts = hosts.to_str().expect("a path in UTF-8");
        self.run(&["images", "pull", "--local", "--hosts-dir", hosts, "--snapshotter", "native", reference]).success();
    }

    fn mirror_everything(&self, mirror: &str) -> PathBuf {
        let text = format!("[host.\"{mirror}\"]\ncapabilities = [\"pull\", \"resolve\"]\n");
        self.directory.write("hosts/_default/hosts.toml", text);
        self.directory.join("hosts")
    }

    /// The bytes that it keeps under this digest.
    #[track_caller]
    pub(crate) fn blob(&self, digest: &str) -> Vec<u8> {
        let name = digest.replace(':', "/");
        std::fs::read(self.directory.join("root/io.containerd.content.v1.content/blobs").join(name)).expect("a blob")
    }

    /// The digest that an image of this name has here.
    #[track_caller]
    pub(crate) fn digest(&self, reference: &str) -> String {
        let listed = self.run(&["images", "list", &format!("name=={reference}")]).success();
        let line = listed.lines().find(|line| line.starts_with(reference));
        let line = line.unwrap_or_else(|| panic!("{reference} isn't there:\n{listed}"));
        String::from(line.split_whitespace().nth(2).expect("a digest"))
    }
}

fn ctr(directory: &Directory, arguments: &[&str]) -> std::process::Command {
    let mut ctr = command(program("ctr"), directory.path());
    ctr.arg("--address").arg(directory.join("socket")).args(arguments);
    ctr
}
