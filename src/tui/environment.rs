//! What a first run should know of this machine: where images go and how much room there is, whether a node answers, whether
//! there is a place to publish to.

use std::path::Path;

use tokio::runtime::Handle;

use super::question::{Check, FirstFiles};
use crate::engine::Engine;
use crate::engine::targets::{LOCAL_NODE, LocalNode, local_node};
use crate::text::{bytes, count};

/// With less free space than this, the check warns.
const MIN_FREE_BYTES: u64 = 1 << 30;
/// Looks at it. Takes at most as long as one question on this machine; on a thread that may block.
pub(super) fn look(engine: &Engine) -> Vec<Check> {
    let data_dir = engine.data_dir();
    let room = rustix::fs::statvfs(data_dir).map(|of| of.f_bavail.saturating_mul(of.f_frsize));
    let disk = match room {
        Ok(room) => Check {
            good: Some(room >= MIN_FREE_BYTES),
            text: format!("images go to {}, {} free", data_dir.display(), bytes(room)),
        },
        Err(error) => Check { good: Some(false), text: format!("{}: {error}", data_dir.display()) },
    };
    let node = node(&Handle::current().block_on(local_node()));
    let targets = match engine.target_names() {
        Ok(names) if names.is_empty() => Check { good: None, text: "no target to publish to yet".to_owned() },
        Ok(names) => Check {
            good: Some(true),
            text: format!("{}: {}", count(names.len() as u64, "target", "targets"), names.join(", ")),
        },
        Err(error) => Check { good: Some(false), text: error.to_string() },
    };
    vec![disk, node, targets]
}

/// The names that Compose looks for, in its order (Compose specification, "Compose file").
const COMPOSE_FILES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];

/// The names that regsync's documentation has.
const REGSYNC_FILES: [&str; 2] = ["regsync.yml", "regsync.yaml"];

/// The files in a directory that a first run may begin with.
pub(super) fn first_files(directory: &Path) -> FirstFiles {
    let of = |names: &[&'static str]| names.iter().copied().find(|name| directory.join(name).is_file());
    FirstFiles { compose: of(&COMPOSE_FILES), regsync: of(&REGSYNC_FILES) }
}

fn node(found: &LocalNode) -> Check {
    match found {
        LocalNode::Found(version) => Check { good: Some(true), text: format!("IPFS node at {LOCAL_NODE}: {version}") },
        LocalNode::Other => Check {
            good: None,
            text: format!(
                "the server at {LOCAL_NODE} is not an IPFS node, or needs a token; publishing works without one"
            ),
        },
        LocalNode::Nothing => {
            Check { good: None, text: format!("no IPFS node at {LOCAL_NODE}; publishing works without one") }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compose_file_that_compose_would_take_is_found() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(first_files(directory.path()), FirstFiles::default());
        for (made, found) in [("docker-compose.yml", "docker-compose.yml"), ("compose.yml", "compose.yml")] {
            std::fs::write(directory.path().join(made), "").unwrap();
            std::fs::write(directory.path().join("regsync.yml"), "").unwrap();
            assert_eq!(first_files(directory.path()).regsync, Some("regsync.yml"));
            assert_eq!(first_files(directory.path()).compose, Some(found));
        }
    }

    #[test]
    fn only_a_node_is_called_one() {
        assert!(
            node(&LocalNode::Found("Kubo 0.43.1".into())).text.starts_with("IPFS node at 127.0.0.1:5001: Kubo 0.43.1")
        );
        assert_eq!(node(&LocalNode::Other).good, None);
        assert!(node(&LocalNode::Other).text.contains("is not an IPFS node"));
        assert!(node(&LocalNode::Nothing).text.starts_with("no IPFS node"));
    }
}
