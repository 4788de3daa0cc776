//! Which processes give out what is published, as they say themselves: for whoever publishes, looks or asks.
//!
//! `serving/PID.json` belongs to one process, which holds a lock on it as long as it serves. A file whose lock is free has outlived its
//! owner and is removed.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use cid::Cid;
use serde::{Deserialize, Serialize};

use crate::catalog::targets::{self, NodeSettings};
use crate::engine::Engine;
use crate::error::{Context as _, Result};
use crate::node::Providers;
use crate::store::private;

/// How what is published here is given out.
pub const SERVE_HINT: &str = "`roadstead serve --ipfs` gives it out.";
/// Folder of these files, below the data directory.
const FOLDER: &str = "serving";
/// Bytes that are read of a file.
const MAX_FILE_BYTES: u64 = 64 << 10;
/// How often a file is read that is being written.
const MAX_READS: usize = 3;
/// Files that are looked at.
const MAX_FILES: usize = 50;
/// Followers that are written down one by one; of more there is only the number.
const MAX_FOLLOWERS: usize = 100;
/// Peers, and addresses, of which it is written down how much they took: those that took most.
const MAX_TAKING_PEERS: usize = 50;

/// Roots of which it is written down that they are given out.
const MAX_ROOTS: usize = 500;

/// A process that gives out what is published.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Serving {
    /// ID of the process.
    pub process: u32,
    /// Since when, in seconds since 1970.
    pub since: i64,
    /// Peer ID under which it can be found.
    pub peer_id: String,
    /// Where it listens, as multiaddrs.
    #[serde(default)]
    pub listening: Vec<String>,
    /// Where others were told to find it, as multiaddrs.
    #[serde(default)]
    pub announced: Vec<String>,
    /// The roots that it gives out now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roots: Vec<String>,
    /// How far it can be reached, in sentences.
    #[serde(default)]
    pub reach: Vec<String>,
    /// Whether others get through to it: nothing while nobody has tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reachable: Option<bool>,
    /// What helps where others can't reach it, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub advice: Vec<String>,
    /// How many others provide the newest root, where that was looked up in the swarm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub providers: Option<Providers>,
    /// Who said of late that they hold a copy, the newest first.
    #[serde(default)]
    pub followers: Vec<SeenFollower>,
    /// How many more did than there are in this list.
    #[serde(default)]
    pub more_followers: u64,
    /// Peers of the swarm that took blocks, those that took most first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken: Vec<TakingPeer>,
    /// Addresses that took blocks over HTTP, those that took most first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken_over_http: Vec<TakingAddress>,
}

/// A peer of the swarm that took blocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakingPeer {
    /// Its peer ID.
    pub peer_id: String,
    /// Bytes of blocks that it was given since the process began.
    pub bytes: u64,
}

/// An address that took blocks over HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakingAddress {
    /// An IPv4 address, or the first 64 bits of an IPv6 address.
    pub address: String,
    /// Bytes that were sent there since the process began.
    pub bytes: u64,
}

/// A follower, as it says itself when it asks for the name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenFollower {
    /// Peer ID of its own node.
    pub peer_id: String,
    /// Whence it asks.
    pub address: String,
    /// The root that it holds.
    pub root: String,
    /// Blobs that it fetches when they are first pulled.
    pub left: u64,
    /// When it asked last, in seconds since 1970.
    pub seen: i64,
}

impl Serving {
    /// Takes down who holds a copy.
    pub fn set_followers(&mut self, mut all: Vec<SeenFollower>) {
        self.more_followers = all.len().saturating_sub(MAX_FOLLOWERS) as u64;
        all.truncate(MAX_FOLLOWERS);
        self.followers = all;
    }

    /// Takes down which roots are given out.
    pub fn set_roots(&mut self, all: &[Cid]) {
        self.roots = all.iter().take(MAX_ROOTS).map(Cid::to_string).collect();
    }

    /// Whether it gives this root out already. Of more roots than are written down it is taken to be so.
    pub fn gives(&self, root: &Cid) -> bool {
        self.roots.len() >= MAX_ROOTS || self.roots.contains(&root.to_string())
    }

    /// Takes down who took how much, by peer ID, the largest figures first.
    pub fn set_taken(&mut self, all: &[(String, u64)]) {
        let peer = |(peer_id, bytes): &(String, u64)| TakingPeer { peer_id: peer_id.clone(), bytes: *bytes };
        self.taken = all.iter().filter(|(_, bytes)| *bytes > 0).take(MAX_TAKING_PEERS).map(peer).collect();
    }

    /// Takes down which address took how much over HTTP, the largest figures first.
    pub fn set_taken_over_http(&mut self, all: &[(String, u64)]) {
        let address = |(address, bytes): &(String, u64)| TakingAddress { address: address.clone(), bytes: *bytes };
        self.taken_over_http = all.iter().take(MAX_TAKING_PEERS).map(address).collect();
    }

    /// Where others find it: what was announced, else where it listens.
    pub fn told(self) -> Vec<String> {
        if self.announced.is_empty() { self.listening } else { self.announced }
    }
}

/// What this process says of itself, as long as this lives.
#[derive(Debug)]
pub struct ServingNote {
    path: PathBuf,
    file: File,
}

impl ServingNote {
    /// Says it for the first time.
    pub fn begin(data_dir: &Path, serving: &Serving) -> Result<Self> {
        let directory = data_dir.join(FOLDER);
        private::make_directories(&directory).context(|| format!("can't make {}", directory.display()))?;
        let path = directory.join(format!("{}.json", std::process::id()));
        let words = || format!("can't write {}", path.display());
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(private::FILE_MODE).open(&path);
        let file = file.context(words)?;
        file.lock().context(words)?;
        let mut note = Self { path, file };
        note.say(serving)?;
        Ok(note)
    }

    /// Says something else.
    pub fn say(&mut self, serving: &Serving) -> Result<()> {
        let text = serde_json::to_vec(serving).unwrap_or_default();
        let written = (|| {
            // Others read it meanwhile: the end is cut off last, and they take the first document that is there.
            self.file.rewind()?;
            self.file.write_all(&text)?;
            self.file.set_len(text.len() as u64)
        })();
        written.context(|| format!("can't write {}", self.path.display()))
    }
}

impl Drop for ServingNote {
    fn drop(&mut self) {
        // A file that stays is removed by the next one that looks.
        drop(fs::remove_file(&self.path));
    }
}

impl Engine {
    /// Whether a target is this program's own node.
    pub fn publishes_here(&self) -> Result<bool> {
        let targets = targets::all(&*self.catalog.read()?)?;
        Ok(targets.iter().any(|target| matches!(target.settings.node, NodeSettings::Own(_))))
    }

    /// The processes that give out what is published here.
    pub fn serving(&self) -> Vec<Serving> {
        all(&self.data_dir)
    }
}

/// The processes that serve from this data directory now.
fn all(data_dir: &Path) -> Vec<Serving> {
    let Ok(entries) = fs::read_dir(data_dir.join(FOLDER)) else { return Vec::new() };
    let mut found: Vec<Serving> = entries.flatten().take(MAX_FILES).filter_map(|entry| read(&entry.path())).collect();
    found.sort_by_key(|serving| (serving.since, serving.process));
    found
}

fn read(path: &Path) -> Option<Serving> {
    let file = crate::input::open_regular(path).ok()?;
    if file.try_lock_shared().is_ok() {
        drop(fs::remove_file(path));
        return None;
    }
    (0..MAX_READS).find_map(|_| {
        let mut text = Vec::new();
        (&file).rewind().ok()?;
        (&file).take(MAX_FILE_BYTES).read_to_end(&mut text).ok()?;
        serde_json::Deserializer::from_slice(&text).into_iter().next()?.ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_outlived_its_process_is_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(all(directory.path()), []);
        let mut serving = Serving { process: 7, since: 1, peer_id: "k".into(), ..Serving::default() };
        let mut note = ServingNote::begin(directory.path(), &serving).unwrap();
        assert_eq!(all(directory.path()), [serving.clone()]);
        serving.reach.push("reachable".into());
        note.say(&serving).unwrap();
        let left = directory.path().join("serving/1.json");
        fs::write(&left, r#"{"process":1,"since":0,"peer_id":""}"#).unwrap();
        assert_eq!(all(directory.path()), [serving]);
        assert!(!left.exists(), "nobody has a lock on it");
        drop(note);
        assert_eq!(all(directory.path()), []);
    }
}
