//! Machines with a network of their own: each has a loopback and an address that the others reach, and no way out.
//!
//! Namespaces of Linux, which end with the test. Only root can join them by cables.

use super::{finish, program, wait_for, wrapped};
use std::process::{Child, Command, Stdio};

/// The network's first address is nobody's.
const NETWORK: &str = "10.77.0";

/// A switch, and the machines that are joined by it.
pub(crate) struct Network {
    switch: Namespace,
    machines: Vec<Namespace>,
}

/// A machine of a network, for as long as the network is there.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pid: u32,
    /// Where the others reach it.
    pub(crate) address: String,
}

impl Network {
    /// One without machines.
    pub(crate) fn new() -> Self {
        let switch = Namespace::new();
        shell(switch.keeper.id(), "ip link add switch type bridge && ip link set switch up");
        Self { switch, machines: Vec::new() }
    }

    /// Adds a machine.
    pub(crate) fn machine(&mut self) -> Machine {
        let namespace = Namespace::new();
        let (pid, number) = (namespace.keeper.id(), self.machines.len() + 1);
        let address = format!("{NETWORK}.{number}");
        let cable = format!(
            "ip link add port{number} type veth peer name eth0 netns {pid} && ip link set port{number} master switch up"
        );
        shell(self.switch.keeper.id(), &cable);
        shell(pid, &format!("ip address add {address}/24 dev eth0 && ip link set eth0 up"));
        self.machines.push(namespace);
        Machine { pid, address }
    }
}

impl Machine {
    /// The same command on this machine.
    pub(crate) fn inside(&self, command: &Command) -> Command {
        inside(self.pid, command)
    }
}

fn inside(pid: u32, command: &Command) -> Command {
    wrapped(command, &program("nsenter"), &["--target", &pid.to_string(), "--net", "--"])
}

fn shell(pid: u32, line: &str) {
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    finish(&inside(pid, &shell)).success();
}

/// A network namespace with nothing but loopback, kept by a process that waits for its input to end.
struct Namespace {
    keeper: Child,
}

impl Namespace {
    fn new() -> Self {
        // Told before the first test of it fails by something else.
        program("ip");
        let ready = super::Directory::new();
        let file = ready.join("ready");
        let mut keeper = Command::new(program("setpriv"));
        keeper.args(["--pdeathsig", "KILL", "--"]).arg(program("unshare")).arg("--net");
        keeper.args(["sh", "-c", "PATH=$PATH:/usr/sbin:/sbin ip link set lo up && : >\"$0\" && exec cat"]).arg(&file);
        let mut keeper = keeper.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("a process");
        wait_for("the namespace", String::new, || {
            assert!(keeper.try_wait().expect("a child").is_none(), "no network namespace: are you root?");
            file.exists().then_some(())
        });
        Self { keeper }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}
