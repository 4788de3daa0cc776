//! Whom the node in the swarm connects to by itself: peers that are about to fetch what is published here, since a pinning service
//! said so to whoever publishes.
//!
//! `delegates.json` in the data directory, written by who publishes and read by who serves. Knows addresses as text.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::engine::{Engine, now};
use crate::error::{Context as _, Result};

/// The file below the data directory.
const FILE: &str = "delegates.json";
/// Bytes that are read of it.
const MAX_FILE_BYTES: u64 = 64 << 10;
/// Addresses that are connected to.
const MAX_DELEGATES: usize = 40;
/// The longest address.
const MAX_ADDRESS_BYTES: usize = 1000;
/// How long they are connected to, in seconds.
const KEPT_SECONDS: i64 = 30 * 60;

/// Peers that are about to fetch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegates {
    /// Their addresses, as multiaddrs.
    pub addresses: Vec<String>,
    /// Until when they are connected to, in seconds since 1970.
    pub until: i64,
}

impl Engine {
    /// The peers to connect to now; none where nobody is about to fetch.
    pub fn delegates(&self) -> Delegates {
        read(&self.data_dir).filter(|delegates| delegates.until > now()).unwrap_or_default()
    }

    /// Has whoever serves connect to these for a while, besides those of before.
    pub(in crate::engine) fn add_delegates(&self, addresses: &[String]) -> Result<()> {
        let sound = |address: &&String| address.len() <= MAX_ADDRESS_BYTES && address.starts_with('/');
        let mut all: Vec<String> = addresses.iter().filter(sound).cloned().collect();
        all.extend(self.delegates().addresses);
        let mut seen = std::collections::BTreeSet::new();
        all.retain(|address| seen.insert(address.clone()));
        all.truncate(MAX_DELEGATES);
        let path = self.data_dir.join(FILE);
        let delegates = Delegates { addresses: all, until: now() + KEPT_SECONDS };
        let text = serde_json::to_string(&delegates).unwrap_or_default();
        crate::input::replace(&path, &text).context(|| format!("can't write {}", path.display()))
    }
}

fn read(data_dir: &Path) -> Option<Delegates> {
    serde_json::from_slice(&crate::input::read_regular(&data_dir.join(FILE), MAX_FILE_BYTES).ok()?).ok()
}
