//! Publishing to a directory that is switched as a whole: what readers see, what a cut leaves, and what stays for the grace.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use async_trait::async_trait;
use tokio::sync::Notify;

use super::*;
use crate::catalog::host_objects;
use crate::engine::tests::index;
use crate::error::Kind;
use crate::hosts::directory::Directory;
use crate::hosts::trees::{NewTree, Trees};
use crate::hosts::{
    ByteStream, Condition, Content, CopyObjects, Host, HostStatus, Object, Openness, Page, Read, Stored, Tried, Uploads,
};

/// Seconds of a day.
const DAY: i64 = 86_400;

/// A real directory whose calls can hang before or after what they do.
#[derive(Debug)]
struct Cut {
    own: Directory,
    /// How many calls go on; none: all.
    left: Mutex<Option<usize>>,
    hung: Notify,
}

impl Cut {
    async fn pass(&self) {
        let hangs = match &mut *self.left.lock().unwrap() {
            None => false,
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
        };
        if hangs {
            self.hung.notify_one();
            std::future::pending::<()>().await;
        }
    }

    fn trees(&self) -> &dyn Trees {
        self.own.trees().unwrap()
    }
}

#[async_trait]
impl Host for Cut {
    fn place(&self) -> String {
        self.own.place()
    }

    async fn status(&self) -> Result<HostStatus> {
        self.own.status().await
    }

    async fn try_rights(&self) -> Vec<Tried> {
        self.own.try_rights().await
    }

    async fn list(&self, next: Option<&str>) -> Result<Page> {
        self.own.list(next).await
    }

    async fn read(&self, key: &str, most: u64) -> Result<Option<Read>> {
        self.own.read(key, most).await
    }

    async fn open(&self, key: &str) -> Result<Option<ByteStream>> {
        self.own.open(key).await
    }

    async fn put(
        &self,
        object: &Object,
        content: &dyn Content,
        condition: &Condition,
        uploads: &dyn Uploads,
    ) -> Result<Stored> {
        self.pass().await;
        let stored = self.own.put(object, content, condition, uploads).await;
        self.pass().await;
        stored
    }

    async fn delete(&self, key: &str, tag: Option<&str>) -> Result<Stored> {
        self.own.delete(key, tag).await
    }

    fn copies(&self) -> Option<&dyn CopyObjects> {
        None
    }

    fn trees(&self) -> Option<&dyn Trees> {
        Some(self)
    }

    async fn openness(&self, key: &str) -> Openness {
        self.own.openness(key).await
    }
}

#[async_trait]
impl Trees for Cut {
    fn layout(&self) -> &Path {
        self.trees().layout()
    }

    fn hard_links(&self) -> bool {
        self.trees().hard_links()
    }

    fn is_remote(&self) -> bool {
        false
    }

    async fn current(&self) -> Result<Option<String>> {
        self.trees().current().await
    }

    async fn send(&self, keys: &[String], uploads: &dyn Uploads) -> Result<()> {
        self.pass().await;
        self.trees().send(keys, uploads).await
    }

    async fn make(&self, tree: &NewTree) -> Result<()> {
        self.pass().await;
        self.trees().make(tree).await?;
        self.pass().await;
        Ok(())
    }

    async fn switch(&self, name: &str, record: &str) -> Result<Stored> {
        let switched = self.trees().switch(name, record).await?;
        self.pass().await;
        Ok(switched)
    }

    async fn tidy(&self) -> Result<u64> {
        let removed = self.trees().tidy().await?;
        self.pass().await;
        Ok(removed)
    }
}

#[derive(Debug)]
struct Filed {
    host: Arc<Cut>,
    place: PathBuf,
}

impl Places for Filed {
    fn host(&self, _: &Target) -> Result<Option<Arc<dyn Host>>> {
        Ok(Some(Arc::<Cut>::clone(&self.host)))
    }

    fn node(&self, _: &Target) -> Result<Arc<dyn Node>> {
        unreachable!("it is no node")
    }

    fn zone(&self, _: &Target) -> Result<Option<Arc<dyn Zone>>> {
        Ok(None)
    }

    fn warnings(&self, _: &Target) -> Vec<String> {
        Vec::new()
    }
}

impl Filed {
    fn new(test: &TestEngine, place: &Path) -> Self {
        let node = NodeSettings::directory(place.to_str().unwrap());
        let settings = TargetSettings { node, keep: 3, ipns: None, dnslink: None, gateways: Vec::new() };
        test.engine.catalog.write(|writer| targets::save(writer, "files", &settings, 1)).unwrap();
        let own = Directory::new(place.to_owned(), true);
        let host = Arc::new(Cut { own, left: Mutex::new(None), hung: Notify::new() });
        Self { host, place: place.to_owned() }
    }

    async fn plan(&self, test: &TestEngine, request: &PublishRequest) -> PublishPlan {
        let (engine, places) = (&test.engine, self);
        Job::new().0.run(async |job: &Job| engine.plan_publish(request, places, job).await).await.unwrap()
    }

    async fn apply(&self, test: &TestEngine, plan: &PublishPlan) -> PublishOutcome {
        let (engine, places) = (&test.engine, self);
        Job::new().0.run(async |job: &Job| engine.apply_publish(plan, places, job).await).await.unwrap()
    }

    /// Publishes, which must succeed and leave nothing to do, and the tree as an export has it.
    async fn publish(&self, test: &TestEngine) -> PublishOutcome {
        let plan = self.plan(test, &PublishRequest::default()).await;
        assert!(plan.failed.is_empty(), "{:?}", plan.failed);
        let outcome = self.apply(test, &plan).await;
        assert!(outcome.targets[0].failure.is_none(), "{outcome:?}");
        let again = self.plan(test, &PublishRequest::default()).await;
        assert!(again.is_done(), "{again:?}");
        let mut left: Vec<_> =
            std::fs::read_dir(&self.place).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".roadstead.lock", "current", "roadstead.json", "trees"]);
        assert_eq!(std::fs::read_dir(self.place.join("trees")).unwrap().count(), 1);
        outcome
    }

    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        files(&self.place.join("current/"))
    }

    /// Whoever asks for a tag gets all that it needs.
    fn assert_pullable(&self) {
        let files = self.files();
        for (key, bytes) in files.iter().filter(|(key, _)| key.starts_with("oci/v2/")) {
            let Some((repository, name)) = key.split_once("/manifests/") else { continue };
            if name.contains(':') {
                continue;
            }
            let manifest: serde_json::Value = serde_json::from_slice(bytes).unwrap();
            for child in manifest["manifests"].as_array().into_iter().flatten() {
                let digest = child["digest"].as_str().unwrap();
                assert!(files.contains_key(&format!("{repository}/manifests/{digest}")), "{key} needs {digest}");
            }
        }
    }
}

fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut found, mut left) = (BTreeMap::new(), vec![directory.to_owned()]);
    while let Some(path) = left.pop() {
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            if entry.file_type().unwrap().is_dir() {
                left.push(entry.path());
            } else {
                let path = entry.path();
                let key = path.strip_prefix(directory).unwrap().to_str().unwrap().to_owned();
                found.insert(key, std::fs::read(path).unwrap());
            }
        }
    }
    found
}

/// The files of an export, without its mark.
async fn exported(test: &TestEngine, directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let job = Job::new().0;
    test.engine.export_directory(directory, crate::engine::export::ExportOptions::default(), &job).await.unwrap();
    let mut files = files(directory);
    files.retain(|key, _| !key.starts_with('.'));
    files
}

fn age(test: &TestEngine, days: i64) {
    let target = targets::by_name(&test.engine.catalog.read().unwrap(), "files").unwrap().unwrap().id;
    let rows = host_objects::after(&test.engine.catalog.read().unwrap(), target, "", 10_000).unwrap();
    test.engine
        .catalog
        .write(|writer| {
            rows.iter().filter(|row| row.unneeded_since.is_some()).try_for_each(|row| {
                let since = row.unneeded_since.map(|since| since - days * DAY);
                host_objects::set_unneeded(writer, target, &row.key, since)
            })
        })
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tree_is_what_an_export_is_and_what_leaves_stays_for_the_grace() {
    let test = TestEngine::new().await;
    let outer = tempfile::tempdir().unwrap();
    let places = Filed::new(&test, &outer.path().join("place"));
    test.put("app", "1", &index("one"));
    test.put("app", "old", &index("old"));
    test.add(&["app:1", "app:old"]).await;
    let first = root_of(&test);
    let outcome = places.publish(&test).await;
    assert_eq!(outcome.targets[0].root, Some(first));
    let before = exported(&test, &outer.path().join("first")).await;
    assert_eq!(places.files(), before);

    // A tag moves and one goes: names change at once, what a digest names stays.
    test.put("app", "1", &index("two"));
    test.add(&["app:1"]).await;
    test.remove("app:old").await;
    places.publish(&test).await;
    let after = exported(&test, &outer.path().join("second")).await;
    let there = places.files();
    assert!(after.iter().all(|(key, bytes)| there.get(key) == Some(bytes)));
    let kept: Vec<&String> = there.keys().filter(|key| !after.contains_key(*key)).collect();
    assert!(!kept.is_empty() && kept.iter().all(|key| key.contains("/sha256:")), "{kept:?}");
    let old = |files: &BTreeMap<String, Vec<u8>>| files.keys().any(|key| key.ends_with("/app/manifests/old"));
    assert!(old(&before) && !old(&there));

    // Back, and nothing that is there is written again.
    let request = PublishRequest { root: Some(first), ..PublishRequest::default() };
    let plan = places.plan(&test, &request).await;
    let outcome = places.apply(&test, &plan).await;
    assert!(outcome.targets[0].failure.is_none(), "{outcome:?}");
    assert!(before.iter().all(|(key, bytes)| places.files().get(key) == Some(bytes)));
    places.publish(&test).await;

    // After the grace it goes, in a tree of its own.
    age(&test, 6);
    assert!(places.plan(&test, &PublishRequest::default()).await.is_done());
    age(&test, 2);
    let plan = places.plan(&test, &PublishRequest::default()).await;
    let objects = plan.targets[0].host.as_ref().unwrap().objects;
    assert_eq!((objects.stored, objects.deleted), (0, kept.len() as u64));
    places.publish(&test).await;
    assert_eq!(places.files(), after);
    let job = Job::new().0;
    assert!(test.engine.verify_target("files", &places, &job).await.unwrap().is_whole());
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_before_and_after_each_call_readers_have_a_whole_tree_and_the_next_run_ends_right() {
    let test = TestEngine::new().await;
    let outer = tempfile::tempdir().unwrap();
    let places = Filed::new(&test, &outer.path().join("place"));
    test.put("app", "0", &index("anchor"));
    test.add(&["app:0"]).await;
    places.publish(&test).await;
    let mut turns = 0;
    for number in 0_usize.. {
        let before = places.files();
        test.put("app", "1", &index(&format!("app {number}")));
        test.add(&["app:1"]).await;
        let plan = places.plan(&test, &PublishRequest::default()).await;
        *places.host.left.lock().unwrap() = Some(number);
        let was_cut = tokio::select! {
            () = places.host.hung.notified() => true,
            outcome = places.apply(&test, &plan) => {
                assert!(outcome.targets[0].failure.is_none(), "{outcome:?}");
                false
            }
        };
        *places.host.left.lock().unwrap() = None;
        let between = places.files();
        places.assert_pullable();
        if !was_cut {
            turns = number;
            break;
        }
        places.publish(&test).await;
        let after = places.files();
        // What was between is the one or the other, but for what a digest names.
        let names = |files: &BTreeMap<String, Vec<u8>>| -> BTreeMap<String, Vec<u8>> {
            let of = |(key, bytes): (&String, &Vec<u8>)| (key.clone(), bytes.clone());
            files.iter().filter(|(key, _)| !key.contains("sha256:")).map(of).collect()
        };
        assert!([names(&before), names(&after)].contains(&names(&between)), "cut {number}");
        let export = exported(&test, &outer.path().join("export")).await;
        assert_eq!(names(&after), names(&export), "cut {number}");
    }
    assert!(turns >= 9, "{turns}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_publisher_is_stopped_and_what_is_damaged_is_mended() {
    let (test, other) = (TestEngine::new().await, TestEngine::new().await);
    let outer = tempfile::tempdir().unwrap();
    let place = outer.path().join("place");
    let (places, others) = (Filed::new(&test, &place), Filed::new(&other, &place));
    for (engine, words) in [(&test, "ours"), (&other, "theirs")] {
        engine.put("app", "1", &index(words));
        engine.add(&["app:1"]).await;
    }
    // Both have planned; one begins.
    let late = others.plan(&other, &PublishRequest::default()).await;
    places.publish(&test).await;
    let outcome = others.apply(&other, &late).await;
    assert_eq!(outcome.targets[0].failure.as_ref().unwrap().1.kind(), Kind::Locked, "{outcome:?}");
    let mut refused = others.plan(&other, &PublishRequest::default()).await;
    let error = refused.failed.remove(0).error;
    assert!(error.to_string().contains("was published to by"), "{error}");

    // A file that somebody cut short, and one that somebody put there.
    let blob = places.files().into_keys().find(|key| key.starts_with("oci/v2/") && key.contains("/blobs/")).unwrap();
    let path = place.join("current").join(&blob);
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "cut").unwrap();
    std::fs::write(place.join("current/stranger"), "x").unwrap();
    let job = Job::new().0;
    let walked = test.engine.verify_target("files", &places, &job).await.unwrap();
    assert_eq!((walked.damaged, walked.named.as_slice()), (1, std::slice::from_ref(&blob)));
    let plan = places.plan(&test, &PublishRequest::default()).await;
    let objects = plan.targets[0].host.as_ref().unwrap().objects;
    assert_eq!((objects.stored, objects.deleted), (1, 1), "{objects:?}");
    places.publish(&test).await;
    assert!(test.engine.verify_target("files", &places, &job).await.unwrap().is_whole());
    assert!(!place.join("current/stranger").exists());

    // Taken over.
    let request = PublishRequest { force: true, ..PublishRequest::default() };
    let plan = others.plan(&other, &request).await;
    let outcome = others.apply(&other, &plan).await;
    assert!(outcome.targets[0].failure.is_none(), "{outcome:?}");
    assert!(other.engine.verify_target("files", &others, &job).await.unwrap().is_whole());
    assert!(places.plan(&test, &PublishRequest::default()).await.failed[0].error.to_string().contains("not from here"));
}
