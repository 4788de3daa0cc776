//! A directory as a host: what readers see while trees change, what is refused, and what a cut leaves.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::*;

struct Nobody;

#[async_trait]
impl Uploads for Nobody {
    async fn begun(&self, _: &str) -> Result<Option<String>> {
        Ok(None)
    }

    async fn note(&self, _: &str, _: Option<&str>) -> Result<()> {
        Ok(())
    }

    fn sent(&self, _: u64) {}
}

struct Test {
    _outer: tempfile::TempDir,
    host: Directory,
}

impl Test {
    fn new() -> Self {
        let outer = tempfile::tempdir().unwrap();
        let host = Directory::new(outer.path().join("place"), true);
        Self { _outer: outer, host }
    }

    async fn record(&self, text: &str, condition: &Condition) -> Result<Stored> {
        let bytes = Bytes::from(text.to_owned());
        let object = Object {
            key: RECORD.to_owned(),
            size: bytes.len() as u64,
            sha256: Sha256::digest(&bytes).into(),
            content_type: String::new(),
            caching: crate::hosts::Caching::Brief,
            manifest_digest: None,
        };
        self.host.put(&object, &bytes, condition, &Nobody).await
    }

    fn lay(&self, key: &str, text: &str) {
        make_directory(&self.host.incoming).unwrap();
        make_parents(&self.host.incoming, key).unwrap();
        fs::write(self.host.incoming.join(key), text).unwrap();
    }

    async fn seen(&self) -> Vec<(String, String)> {
        let mut seen = Vec::new();
        for listed in self.host.list(None).await.unwrap().objects {
            let read = self.host.read(&listed.key, 100).await.unwrap().unwrap();
            assert_eq!((read.tag, read.bytes.len() as u64), (listed.tag, listed.size));
            if listed.key != RECORD {
                seen.push((listed.key, String::from_utf8(read.bytes.to_vec()).unwrap()));
            }
        }
        seen.sort();
        seen
    }
}

fn tree(name: &str, without: &[&str], new: &[&str], same: &[(&str, &str)]) -> NewTree {
    let all = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
    let same = same.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
    NewTree { name: name.to_owned(), without: all(without), new: all(new), same }
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect()
}

#[tokio::test]
async fn readers_get_the_former_tree_until_it_is_switched() {
    let test = Test::new();
    assert!(test.host.list(None).await.unwrap().objects.is_empty());
    let Stored::Now(tag) = test.record("{}", &Condition::Absent).await.unwrap() else { panic!("refused") };
    test.lay("a/blobs/1", "one");
    test.lay("tag", "first");
    test.host.make(&tree("t1", &[], &["a/blobs/1", "tag"], &[("a/blobs/1", "b/blobs/1")])).await.unwrap();
    assert!(test.seen().await.is_empty());
    assert_eq!(test.host.switch("t1", &tag).await.unwrap(), Stored::Now("t1".into()));
    assert_eq!(test.seen().await, pairs(&[("a/blobs/1", "one"), ("b/blobs/1", "one"), ("tag", "first")]));
    assert_eq!(test.host.tidy().await.unwrap(), 0);
    assert!(!test.host.incoming.exists());

    // What a cut has left of the next tree is made anew; what does not change is the same file.
    test.lay("tag", "second");
    make_parents(&test.host.place, "trees/t2/left").unwrap();
    fs::write(test.host.place.join("trees/t2/left"), "half").unwrap();
    let inode = |key: &str| fs::metadata(test.host.place.join("current").join(key)).unwrap().ino();
    let before = inode("a/blobs/1");
    test.host.make(&tree("t2", &["tag", "b/blobs/1"], &["tag"], &[])).await.unwrap();
    assert_eq!(test.seen().await[2].1, "first");
    // Somebody else's record in between: nothing is switched.
    assert_eq!(test.host.switch("t2", "other").await.unwrap(), Stored::Refused);
    assert_eq!(test.seen().await[2].1, "first");
    test.host.switch("t2", &tag).await.unwrap();
    assert_eq!(test.seen().await, pairs(&[("a/blobs/1", "one"), ("tag", "second")]));
    assert_eq!(inode("a/blobs/1"), before);
    assert_eq!(test.host.tidy().await.unwrap(), 1);
    assert_eq!(test.host.current().await.unwrap().as_deref(), Some("t2"));
    // The tree that is given out is never made over.
    assert!(test.host.make(&tree("t2", &[], &[], &[])).await.is_err());
}

#[tokio::test]
async fn of_two_publishers_one_writes_the_record() {
    let test = Test::new();
    let Stored::Now(first) = test.record("one", &Condition::Absent).await.unwrap() else { panic!("refused") };
    assert_eq!(test.record("two", &Condition::Absent).await.unwrap(), Stored::Refused);
    let Stored::Now(_) = test.record("two", &Condition::Tag(first.clone())).await.unwrap() else { panic!("refused") };
    assert_eq!(test.record("three", &Condition::Tag(first)).await.unwrap(), Stored::Refused);
    assert_eq!(test.host.read(RECORD, 10).await.unwrap().unwrap().bytes, "two");
    assert!(test.host.read(RECORD, 2).await.is_err(), "too large");
}

#[tokio::test]
async fn what_is_not_ours_stays_as_it_is() {
    let test = Test::new();
    fs::create_dir(&test.host.place).unwrap();
    fs::write(test.host.place.join("precious"), "mine").unwrap();
    let error = test.record("{}", &Condition::Absent).await.unwrap_err();
    assert!(error.to_string().contains("is not empty"), "{error}");
    let tried = test.host.try_rights().await;
    assert!(tried[0].outcome.as_ref().unwrap_err().to_string().contains("is not empty"));
    assert_eq!(fs::read_dir(&test.host.place).unwrap().count(), 1);
    fs::remove_file(test.host.place.join("precious")).unwrap();
    test.record("{}", &Condition::Absent).await.unwrap();
    // A directory in the place of the link, and keys that lead elsewhere.
    fs::create_dir(test.host.place.join("current")).unwrap();
    assert!(test.host.list(None).await.unwrap_err().to_string().contains("is not a link"));
    fs::remove_dir(test.host.place.join("current")).unwrap();
    for bad in ["../../etc/passwd", "/etc/passwd"] {
        assert!(test.host.make(&tree("t1", &[], &[bad], &[])).await.is_err(), "{bad}");
        assert!(test.host.open(bad).await.is_err(), "{bad}");
    }
    // A link that leads out is no tree.
    symlink("/etc", test.host.place.join("current")).unwrap();
    assert_eq!(test.host.current().await.unwrap(), None);
    assert!(test.host.open("passwd").await.unwrap().is_none());
}

#[tokio::test]
async fn a_trial_leaves_nothing() {
    let test = Test::new();
    let tried = test.host.try_rights().await;
    let rights: Vec<&str> = tried.iter().map(|tried| tried.right).collect();
    assert_eq!(rights, ["store", "hard links", "switch", "delete", "room", "web server"]);
    assert!(tried.iter().all(|tried| tried.outcome.is_ok()), "{tried:?}");
    assert!(!test.host.place.exists());
    let nowhere = Directory::new("/nonexistent/place".into(), true);
    let tried = nowhere.try_rights().await;
    assert!(tried[0].outcome.as_ref().unwrap_err().to_string().contains("there is no directory"));
    assert_eq!(nowhere.status().await.unwrap_err().kind(), Kind::Node);
}
