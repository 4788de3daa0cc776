//! The adapter against servers inside the process, which answer as Kubo does, or as an enemy would.

mod hostile;
mod importing;
mod requests;

use std::time::Duration;

use cid::Cid;

use super::{Kubo, KuboOptions, Timeouts};
use crate::error::{Error, Kind};
use crate::node::fake_server::Server;

/// The CID of `foobar` as a raw block.
fn foobar() -> Cid {
    use sha2::Digest as _;
    let hash: [u8; 32] = sha2::Sha256::digest(b"foobar").into();
    Cid::new_v1(crate::unixfs::RAW, cid::multihash::Multihash::wrap(0x12, &hash).unwrap())
}

/// A Kubo there, which may take three seconds for anything: the machine may be busy with other tests.
fn kubo_at(url: &str, secret: Option<&str>) -> Kubo {
    let limit = Duration::from_secs(3);
    let timeouts = Timeouts { connect: limit, answer: limit, stall: limit, quiet: limit / 6, walk: limit };
    let options = KuboOptions { url: url.parse().unwrap(), authorisation: secret.map(Into::into), timeouts };
    Kubo::new(&options).unwrap()
}

/// The same behind a path, as it is behind a proxy.
fn through_proxy(server: &Server) -> Kubo {
    kubo_at(&format!("{}/proxy", server.url), None)
}

fn directly(server: &Server) -> Kubo {
    kubo_at(&server.url, None)
}

fn is_node_error<T: std::fmt::Debug>(result: Result<T, Error>, words: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), Kind::Node, "{error}");
    assert!(error.to_string().contains(words), "{error}");
}
