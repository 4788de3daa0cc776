//! What goes wrong: the root that is held stays whole, and what was wrong is said.

use super::*;
use crate::engine::follow::known_first::KnownFirst;
use crate::engine::tests::image;
use crate::node::source::Several;
use crate::unixfs::directory::{Node, NodeStore};
use crate::unixfs::{Link, Profile, file, tree};

async fn published() -> (Publisher, Cid, Copy) {
    let mut publisher = Publisher::new().await;
    publisher.test.put("app", "1", &image("linux/amd64", "one"));
    publisher.test.put("app", "2", &image("linux/amd64", "two"));
    publisher.test.add(&["app:1", "app:2"]).await;
    let root = publisher.publish().await;
    let copy = publisher.follower(Mode::All).await;
    copy.look().await.unwrap();
    copy.check(&root);
    (publisher, root, copy)
}

async fn moved(publisher: &mut Publisher) -> Cid {
    publisher.test.put("app", "2", &image("linux/amd64", "two moved"));
    publisher.test.add(&["app:2"]).await;
    publisher.publish().await
}

fn failure(copy: &Copy) -> String {
    copy.engine.following().unwrap().unwrap().failure.unwrap_or_default()
}

#[tokio::test]
async fn a_root_that_is_not_whole_changes_nothing() {
    let (mut publisher, first, copy) = published().await;
    publisher.blocks.wanted.lock().unwrap().clear();
    let second = moved(&mut publisher).await;
    copy.look().await.unwrap();
    let needed = std::mem::take(&mut *publisher.blocks.wanted.lock().unwrap());
    assert!(needed.len() > 5, "{needed:?}");
    for missing in needed {
        publisher.sign(&first, 48);
        let copy = publisher.follower(Mode::All).await;
        copy.look().await.unwrap();
        publisher.sign(&second, 48);
        let block = publisher.blocks.by_cid.lock().unwrap().remove(&missing).unwrap();
        let error = copy.look().await.unwrap_err();
        assert_eq!(failure(&copy), error.to_string());
        copy.check(&first);
        publisher.blocks.by_cid.lock().unwrap().insert(missing, block);
        copy.look().await.unwrap();
        copy.check(&second);
        assert_eq!(failure(&copy), "");
    }
}

#[tokio::test]
async fn a_publisher_that_goes_away_in_the_middle_changes_nothing() {
    let (mut publisher, first, copy) = published().await;
    publisher.blocks.asked();
    let second = moved(&mut publisher).await;
    for from in 1.. {
        publisher.blocks.asked();
        publisher.blocks.fails_from.store(from, Ordering::SeqCst);
        if copy.look().await.is_ok() {
            assert!(from > 5, "{from}");
            break;
        }
        copy.check(&first);
    }
    copy.check(&second);
    copy.verify().await;
}

/// A tree of the publisher's that can be changed.
struct Forged<'b>(&'b Blocks);

impl NodeStore for Forged<'_> {
    fn get(&mut self, cid: &Cid) -> Result<Option<Node>> {
        let block = self.0.by_cid.lock().unwrap().get(cid).cloned();
        Ok(block.map(|bytes| Node {
            cid: *cid,
            tsize: bytes.len() as u64,
            bytes: bytes.to_vec(),
            directory_size: None,
        }))
    }

    fn put(&mut self, node: &Node) -> Result<()> {
        self.0.by_cid.lock().unwrap().insert(node.cid, node.bytes.clone().into());
        Ok(())
    }
}

#[tokio::test]
async fn a_tree_that_lies_changes_nothing_and_the_error_says_where() {
    let (mut publisher, first, copy) = published().await;
    let honest = moved(&mut publisher).await;
    let lie = file::of_bytes(Profile::V1_2025, b"another page").0;
    publisher.blocks.by_cid.lock().unwrap().insert(lie.cid, b"another page".as_slice().into());
    let edits = [("index.html".to_owned(), Some(lie))].into();
    let root = Link { cid: honest, tsize: 0 };
    let lying = tree::edit(Profile::V1_2025, &mut Forged(&publisher.blocks), Some(&root), &edits).unwrap();
    publisher.sign(&lying.cid, 48);
    let error = copy.look().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Verification, "{error}");
    assert!(error.hints().iter().any(|hint| hint.contains("index.html")), "{error:?}");
    copy.check(&first);
    // It is not read again with each look.
    publisher.blocks.asked();
    assert!(copy.look().await.unwrap_err().to_string().contains("refused before"));
    assert_eq!(publisher.blocks.asked(), 0);
    publisher.sign(&honest, 48);
    copy.look().await.unwrap();
    copy.check(&honest);
}

#[tokio::test]
async fn records_that_are_old_forged_or_expired_change_nothing() {
    let (mut publisher, first, copy) = published().await;
    let stale = publisher.signed(&first, 0, 48);
    let second = moved(&mut publisher).await;
    let newest = publisher.records.0.lock().unwrap().clone();
    copy.look().await.unwrap();
    copy.check(&second);
    let set = |record: Option<Bytes>| *publisher.records.0.lock().unwrap() = record;
    // An older one is not believed.
    set(Some(stale));
    let look = copy.look().await.unwrap();
    assert!(look.notes[0].contains("older"), "{:?}", look.notes);
    copy.check(&second);
    // Nor one of another key, nor what is none.
    let other = PrivateKey::generate().unwrap();
    let validity = Timestamp::now() + SignedDuration::from_hours(48);
    let forged = Record::of_root(&first, 99, validity, Duration::from_mins(1)).sign(&other).unwrap();
    for wrong in [Bytes::from(forged), Bytes::from_static(b"no record"), publisher.signed(&first, 99, -1)] {
        set(Some(wrong));
        assert_eq!(copy.look().await.unwrap().notes.len(), 1);
        copy.check(&second);
    }
    // The newest one expires: what is here stays, and that is said.
    let expired = Timestamp::now() + SignedDuration::from_hours(49);
    set(newest);
    let follower = copy.follower.as_ref().unwrap();
    let job = Job::new().0;
    let mut look = Look::default();
    let error = follower.look_at(&mut look, expired, &job).await.unwrap_err();
    assert!(error.to_string().contains("expired at"), "{error}");
    let _ = follower.keep(Err(error), look).await.unwrap_err();
    assert!(failure(&copy).contains("expired at"));
    copy.check(&second);
}

#[tokio::test]
async fn a_follower_that_is_killed_goes_on_from_the_old_root() {
    let (mut publisher, first, copy) = published().await;
    let second = moved(&mut publisher).await;
    publisher.blocks.asked();
    // Dropped sooner and later while it waits.
    let mut polls = 1;
    loop {
        let follower = copy.follower.as_ref().unwrap();
        let job = Job::new().0;
        let mut look = Box::pin(follower.look(&job));
        let mut outcome = None;
        for _ in 0..polls {
            if let std::task::Poll::Ready(ended) = futures::poll!(look.as_mut()) {
                outcome = Some(ended);
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(look);
        // A transaction that has begun goes on to its end.
        let (root, held, pins) = copy.snapshot();
        assert!(root == first || root == second);
        assert_eq!((held, pins), (Some(root), vec![root]));
        if outcome.is_some_and(|outcome| outcome.is_ok()) {
            break;
        }
        polls *= 2;
    }
    copy.look().await.unwrap();
    copy.check(&second);
    copy.verify().await;
}

#[tokio::test]
async fn one_source_that_lies_and_one_that_is_silent_beside_a_good_one() {
    #[derive(Debug)]
    struct Bad(bool);
    #[async_trait]
    impl BlockSource for Bad {
        fn place(&self) -> String {
            "a bad one".to_owned()
        }
        async fn block(&self, _: &Cid) -> Result<Option<Bytes>> {
            if self.0 { std::future::pending().await } else { Err(Error::new(Kind::Verification, "other bytes")) }
        }
    }
    let mut publisher = Publisher::new().await;
    publisher.test.put("app", "1", &image("linux/amd64", "one"));
    publisher.test.add(&["app:1"]).await;
    let root = publisher.publish().await;
    let setting = publisher.setting(Mode::All);
    let copy = publisher.follower(Mode::All).await;
    let sources: Vec<Arc<dyn BlockSource>> =
        vec![Arc::new(Bad(true)), Arc::new(Bad(false)), Arc::clone(&publisher.blocks) as _];
    let copy = copy.following(setting, Arc::new(Several::new(sources)), vec![Arc::clone(&publisher.records) as _]);
    copy.look().await.unwrap();
    copy.check(&root);
    // What is here is asked of nobody.
    publisher.blocks.asked();
    let known = KnownFirst::new(Arc::clone(&copy.engine), Arc::clone(&publisher.blocks) as _);
    assert!(known.block(&root).await.unwrap().is_some());
    assert_eq!(publisher.blocks.asked(), 0);
}

#[tokio::test]
async fn a_copy_that_is_other_than_its_root_says_is_made_anew() {
    let (mut publisher, _, copy) = published().await;
    let second = moved(&mut publisher).await;
    // A row is gone that nobody took out.
    let lost = "DELETE FROM images WHERE tag = '1'";
    copy.engine.catalog.write(|writer| Ok(writer.execute(lost, [])?)).unwrap();
    assert!(copy.look().await.unwrap().taken.unwrap().anew);
    copy.check(&second);
    copy.verify().await;
}
