//! What a first run should know of this machine: where images go and how much room there is, whether a node answers, whether
//! there is a place to publish to.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::question::Check;
use crate::engine::Engine;
use crate::text::{bytes, count};

/// How much room is little.
const LITTLE: u64 = 1 << 30;
/// Where Kubo's API is on most machines.
const KUBO: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 5001);

/// Looks at it. Takes at most as long as one connection on this machine.
pub(super) fn look(engine: &Engine) -> Vec<Check> {
    let data_dir = engine.data_dir();
    let room = rustix::fs::statvfs(data_dir).map(|of| of.f_bavail.saturating_mul(of.f_frsize));
    let disk = match room {
        Ok(room) => Check {
            good: Some(room >= LITTLE),
            text: format!("images go to {}, {} free", data_dir.display(), bytes(room)),
        },
        Err(error) => Check { good: Some(false), text: format!("{}: {error}", data_dir.display()) },
    };
    let answers = TcpStream::connect_timeout(&KUBO, Duration::from_millis(300)).is_ok();
    let node = if answers {
        Check { good: Some(true), text: "an IPFS node answers on 127.0.0.1:5001".to_owned() }
    } else {
        Check {
            good: None,
            text: "no IPFS node on 127.0.0.1:5001; mirroring and serving need none, publishing does".to_owned(),
        }
    };
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
