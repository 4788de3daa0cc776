//! Publishing on real parts: a registry, Kubo, an authoritative server that takes signed updates, DNS over HTTPS, podman.
//!
//! Knows the command line and what the world sees. Must not know the program's inside.

mod beside;
mod broken;
mod faults;
mod killed;
mod nodes;
mod own_node;
mod returning;
mod secrets;
mod story;
mod swarm;
pub(crate) mod world;

use crate::peers::kubo::Kubo;

/// What a node pins recursively, with names.
fn pins(kubo: &Kubo) -> String {
    let said = kubo.repository().run(&["pin", "ls", "--type=recursive", "--names"]).success();
    // Kubo lists them in any order.
    let mut lines: Vec<&str> = said.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// Whether a node has everything below a root, without asking anybody.
fn is_whole(kubo: &Kubo, root: &str) -> bool {
    kubo.repository().run(&["--offline", "dag", "stat", "--progress=false", root]).code == 0
}
