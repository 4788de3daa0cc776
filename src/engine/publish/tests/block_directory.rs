//! A second kind of node: a directory with a file for each block. It takes blocks one by one, keeps all of them, and has no names.

use std::fs;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;

use super::*;
use crate::engine::publish::plan::PublishRequest;
use crate::engine::tests::index;
use crate::error::{Context as _, Error, Kind};
use crate::node::{Intake, Names, PinUpdates, Pins, PutBlock, ReadBlocks, Status, Tried};
use crate::unixfs::verify_block;

#[derive(Debug)]
struct BlockDirectory(PathBuf);

impl BlockDirectory {
    fn file(&self, cid: &Cid) -> PathBuf {
        self.0.join(cid.to_string())
    }

    fn count(&self) -> usize {
        fs::read_dir(&self.0).unwrap().count()
    }
}

#[async_trait]
impl Node for BlockDirectory {
    fn place(&self) -> String {
        self.0.display().to_string()
    }

    async fn status(&self) -> Result<Status> {
        fs::metadata(&self.0).context(|| format!("can't read {}", self.place()))?;
        Ok(Status {
            agent: String::new(),
            peer_id: String::new(),
            peers: None,
            repository_size: 0,
            storage_max: None,
            served_at: None,
            providers: None,
        })
    }

    async fn try_rights(&self, _: bool) -> Vec<Tried> {
        Vec::new()
    }

    fn intake(&self) -> Intake<'_> {
        Intake::Blocks(self)
    }

    fn blocks(&self) -> Option<&dyn ReadBlocks> {
        Some(self)
    }

    fn pins(&self) -> Option<&dyn Pins> {
        None
    }

    fn pin_updates(&self) -> Option<&dyn PinUpdates> {
        None
    }

    fn names(&self) -> Option<&dyn Names> {
        None
    }
}

#[async_trait]
impl PutBlock for BlockDirectory {
    async fn put(&self, cid: &Cid, bytes: Bytes) -> Result<()> {
        fs::write(self.file(cid), bytes)
            .map_err(|error| Error::new(Kind::Node, "the block can't be written").caused_by(error))
    }
}

#[async_trait]
impl ReadBlocks for BlockDirectory {
    async fn holds(&self, cid: &Cid) -> Result<bool> {
        Ok(self.file(cid).exists())
    }

    async fn block(&self, cid: &Cid) -> Result<Option<Bytes>> {
        let Ok(bytes) = fs::read(self.file(cid)) else { return Ok(None) };
        verify_block(cid, &bytes)?;
        Ok(Some(bytes.into()))
    }
}

fn targets_of(engine: &Engine, places: &mut TestPlaces, node: Arc<dyn Node>) {
    let settings = TargetSettings {
        node: NodeSettings::kubo("http://blocks.invalid"),
        keep: 3,
        ipns: None,
        dnslink: None,
        gateways: Vec::new(),
    };
    engine.catalog.write(|writer| targets::save(writer, "blocks", &settings, 1)).unwrap();
    places.nodes.insert("blocks".into(), node);
}

#[tokio::test]
async fn a_directory_of_blocks_is_a_target_like_any_other() {
    let place = tempfile::tempdir().unwrap();
    let node = |path: &Path| Arc::new(BlockDirectory(path.to_owned()));
    let test = TestEngine::new().await;
    let mut places = TestPlaces::default();
    targets_of(&test.engine, &mut places, node(place.path()));
    test.put("app", "1", &index("one"));
    test.add(&["app:1"]).await;

    let plan = plan_of(&test.engine, &places, &PublishRequest::default()).await.unwrap();
    let planned = &plan.targets[0];
    assert!(planned.notes.iter().any(|note| note.contains("keeps every block")), "{planned:?}");
    assert!(planned.chain.is_empty() && planned.pinned, "nothing is pinned: {planned:?}");
    let outcome = publish(&test.engine, &places).await;
    let first = node(place.path()).count();
    assert_eq!((outcome.targets[0].blocks, first as u64), (planned.blocks, planned.blocks));

    // The difference alone goes there the next time, and what was there stays.
    let former = root_of(&test);
    test.put("app", "1", &index("two"));
    test.add(&["app:1"]).await;
    let outcome = publish(&test.engine, &places).await;
    assert_eq!(outcome.targets[0].blocks as usize, node(place.path()).count() - first);
    assert!(outcome.targets[0].unpinned.is_empty());
    assert!(node(place.path()).file(&former).exists());

    // What is lost there is noticed, and given once more.
    let root = root_of(&test);
    fs::remove_file(node(place.path()).file(&root)).unwrap();
    let job = Job::new().0;
    assert!(!test.engine.verify_target("blocks", &places, &job).await.unwrap().is_whole());
    test.put("app", "1", &index("three"));
    test.add(&["app:1"]).await;
    publish(&test.engine, &places).await;
    let walked = test.engine.verify_target("blocks", &places, &job).await.unwrap();
    assert!(walked.is_whole(), "{walked:?}");

    // Back to a root that is whole there sends nothing.
    let request = PublishRequest { root: Some(former), ..PublishRequest::default() };
    let before = node(place.path()).count();
    let plan = plan_of(&test.engine, &places, &request).await.unwrap();
    let outcome = apply(&test.engine, &places, &plan).await.unwrap();
    assert_eq!((outcome.targets[0].root, node(place.path()).count()), (Some(former), before));
}

#[tokio::test]
async fn a_block_that_can_not_be_written_fails_the_hand_over_and_moves_nothing() {
    let place = tempfile::tempdir().unwrap();
    let test = TestEngine::new().await;
    let mut places = TestPlaces::default();
    targets_of(&test.engine, &mut places, Arc::new(BlockDirectory(place.path().join("missing"))));
    test.put("app", "1", &index("one"));
    test.add(&["app:1"]).await;
    let outcome = attempt(&test.engine, &places).await.unwrap();
    let (step, error) = outcome.targets[0].failure.as_ref().unwrap();
    assert_eq!((*step, error.kind()), (crate::engine::job::PublishStep::HandOver, Kind::Node));
    assert_eq!(outcome.targets[0].root, None);
}
