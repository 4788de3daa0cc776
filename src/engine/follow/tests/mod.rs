//! Followers of a registry that is published in this process: what they hold is always one whole root, whatever happens to the
//! next one.

mod failures;
mod names;
mod story;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cid::Cid;
use jiff::{SignedDuration, Timestamp};

use super::poll::{Domains, Resolver};
use super::{Followed, Follower, Look, Mode, Setting};
use crate::catalog::own_node;
use crate::engine::job::Job;
use crate::engine::tests::TestEngine;
use crate::engine::{Engine, Options};
use crate::error::{Error, Kind, Result};
use crate::ipns::{Name, PrivateKey, Record};
use crate::node::source::{BlockSource, NameAnswer, NameRecords};
use crate::registry::credentials::Environment;
use crate::unixfs::car;

/// A place that has blocks, and can do wrong.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    pub(super) by_cid: Mutex<HashMap<Cid, Bytes>>,
    pub(super) asked: AtomicU64,
    /// What was asked for.
    pub(super) wanted: Mutex<Vec<Cid>>,
    /// From this question on there is no answer.
    pub(super) fails_from: AtomicU64,
}

impl Blocks {
    pub(super) fn asked(&self) -> u64 {
        self.asked.swap(0, Ordering::SeqCst)
    }
}

#[async_trait]
impl BlockSource for Blocks {
    fn place(&self) -> String {
        "the publisher".to_owned()
    }

    async fn block(&self, cid: &Cid) -> Result<Option<Bytes>> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        self.wanted.lock().unwrap().push(*cid);
        let fails_from = self.fails_from.load(Ordering::SeqCst);
        if fails_from > 0 && asked >= fails_from {
            return Err(Error::new(Kind::Network, "the publisher is gone"));
        }
        Ok(self.by_cid.lock().unwrap().get(cid).cloned())
    }
}

/// Somebody who has one record.
#[derive(Debug, Default)]
pub(super) struct Records(pub(super) Mutex<Option<Bytes>>);

#[async_trait]
impl NameRecords for Records {
    fn place(&self) -> String {
        "the publisher".to_owned()
    }

    async fn record(&self, _: &Name) -> Result<NameAnswer> {
        Ok(self.0.lock().unwrap().clone().map_or(NameAnswer::Unknown, NameAnswer::Record))
    }
}

/// A registry, and what is published of it.
pub(super) struct Publisher {
    pub(super) test: TestEngine,
    pub(super) key: PrivateKey,
    pub(super) sequence: u64,
    pub(super) blocks: Arc<Blocks>,
    pub(super) records: Arc<Records>,
    exports: u64,
}

impl Publisher {
    pub(super) async fn new() -> Self {
        Self {
            test: TestEngine::new().await,
            key: PrivateKey::generate().unwrap(),
            sequence: 0,
            blocks: Arc::default(),
            records: Arc::default(),
            exports: 0,
        }
    }

    /// Gives out what is in the catalog now, and signs that.
    pub(super) async fn publish(&mut self) -> Cid {
        self.exports += 1;
        let path = self.test.export(&format!("{}.car", self.exports)).await;
        let mut reader = car::Reader::new(std::fs::File::open(&path).unwrap()).unwrap();
        while let Some(block) = reader.block().unwrap() {
            self.blocks.by_cid.lock().unwrap().insert(block.cid, block.bytes.into());
        }
        let root = self.test.engine.root().unwrap().unwrap();
        self.sign(&root, 48);
        root
    }

    /// Signs that the name means this root, for so many hours.
    pub(super) fn sign(&mut self, root: &Cid, hours: i64) {
        self.sequence += 1;
        *self.records.0.lock().unwrap() = Some(self.signed(root, self.sequence, hours));
    }

    pub(super) fn signed(&self, root: &Cid, sequence: u64, hours: i64) -> Bytes {
        let validity = Timestamp::now() + SignedDuration::from_hours(hours);
        Record::of_root(root, sequence, validity, Duration::from_mins(1)).sign(&self.key).unwrap().into()
    }

    pub(super) fn setting(&self, mode: Mode) -> Setting {
        Setting {
            name: Followed::Key(self.key.name()),
            sources: vec!["http://127.0.0.1:9".to_owned()],
            mode,
            every: Duration::from_mins(1),
        }
    }

    /// A follower in an empty directory, which has not looked yet.
    pub(super) async fn follower(&self, mode: Mode) -> Copy {
        let setting = self.setting(mode);
        let copy = Copy::open(tempfile::tempdir().unwrap());
        Job::new().0.run(async |job: &Job| copy.engine.follow(&setting, job).await).await.unwrap();
        copy.following(setting, Arc::clone(&self.blocks) as _, vec![Arc::clone(&self.records) as _])
    }
}

/// A data directory that follows.
pub(super) struct Copy {
    _directory: tempfile::TempDir,
    pub(super) engine: Arc<Engine>,
    pub(super) follower: Option<Follower>,
}

impl Copy {
    pub(super) fn open(directory: tempfile::TempDir) -> Self {
        let options = Options {
            data_dir: directory.path().to_owned(),
            registries: crate::registry::Options::new(Environment::default()),
            wait: Duration::from_secs(5),
            local_discovery: false,
            profile: None,
        };
        let engine = Engine::open(options).unwrap();
        Self { _directory: directory, engine, follower: None }
    }

    pub(super) fn following(
        mut self,
        setting: Setting,
        blocks: Arc<dyn BlockSource>,
        records: Vec<Arc<dyn NameRecords>>,
    ) -> Self {
        let domains: Arc<dyn Domains> = Arc::new(Resolver);
        self.follower = Some(Follower::with(Arc::clone(&self.engine), setting, domains, blocks, records));
        self
    }

    pub(super) async fn look(&self) -> Result<Look> {
        let follower = self.follower.as_ref().unwrap();
        Job::new().0.run(async |job: &Job| follower.look(job).await).await
    }

    /// The root of the catalog, the one that is said to be held, and those that are given out: as of one moment.
    pub(super) fn snapshot(&self) -> (Cid, Option<Cid>, Vec<Cid>) {
        let reader = self.engine.catalog.read().unwrap();
        let pins = own_node::pins(&reader).unwrap().into_iter().map(|(root, _)| root).collect();
        let held = crate::catalog::follow::load(&reader).unwrap().unwrap().root;
        (crate::catalog::state::root(&reader).unwrap().unwrap().cid, held, pins)
    }

    /// What is held is one whole root, which is given out.
    pub(super) fn check(&self, root: &Cid) {
        assert_eq!(self.snapshot(), (*root, Some(*root), vec![*root]));
        assert_eq!(self.engine.rebuild_root().unwrap(), Some(*root));
    }

    /// Every blob is here and right.
    pub(super) async fn verify(&self) {
        let checked = Job::new().0.run(async |job: &Job| self.engine.check_following(job).await).await.unwrap().1;
        assert!(checked.damaged.is_empty() && checked.root_matches && checked.left == 0, "{checked:?}");
    }
}
