//! Runs beside each other: what only waits for a network is in nobody's way, and nothing that is used is reclaimed.

use axum::body::Body;
use axum::http::Method;
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::engine::job::Event;
use crate::error::{Error, Kind};
use crate::registry::memory::RequestInfo;

/// An image of one layer, and the layer.
fn large(seed: u8) -> (Image, Bytes) {
    let layer = Bytes::from(vec![seed; 700_000]);
    (ImageBuilder::new(platform("linux/amd64")).opaque_layer(layer.clone()).build(), layer)
}

impl TestEngine {
    /// Another one that changes the same data directory, and waits for nobody.
    fn impatient(&self) -> Arc<Engine> {
        Engine::open(Options { wait: Duration::ZERO, ..options(self.directory.path(), None) }).unwrap()
    }

    /// Holds this layer back in its middle, until it is said.
    fn hold(&self, layer: &Bytes) -> watch::Sender<bool> {
        let (release, released) = watch::channel(false);
        let (layer, digest) = (layer.clone(), Digest::of(layer).to_string());
        self.registry.intercept(move |request| {
            // Who goes on from a part of it is not held.
            if *released.borrow() || !request.path.ends_with(&digest) || request.range_start().is_some() {
                return None;
            }
            let (mut released, rest) = (released.clone(), layer.slice(300_000..));
            let rest = futures::stream::once(async move {
                let waited = released.wait_for(|released| *released).await;
                waited.map(|_| rest).map_err(|_| std::io::Error::other("cut off"))
            });
            let body = Body::from_stream(futures::stream::iter([Ok(layer.slice(..300_000))]).chain(rest));
            Some(Response::builder().header("content-length", layer.len()).body(body).unwrap())
        });
        release
    }

    /// Adds it, until a part of its layer is here; and what cancels it.
    async fn begin(&self, what: &[&str]) -> (Adding, CancellationToken) {
        let (job, watch) = Job::new();
        let adding = add_on(Arc::clone(&self.engine), job, self.plan(what).await.unwrap());
        let came = || self.engine.store.partials().unwrap().any(|partial| partial.unwrap().1 >= 300_000);
        while !came() {
            assert!(!adding.is_finished(), "it did not wait");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        (adding, watch.cancel)
    }

    /// Adds the same by another engine, until that waits for the first one's blob.
    async fn begin_too(&self, what: &[&str]) -> Adding {
        let (job, mut watch) = Job::new();
        let engine = Engine::open(options(self.directory.path(), None)).unwrap();
        let adding = add_on(engine, job, self.plan(what).await.unwrap());
        loop {
            match watch.events.recv().await.unwrap() {
                Event::Note(note) if note.contains("which another run is fetching") => return adding,
                Event::Finished(end) => panic!("{end:?}"),
                _ => {}
            }
        }
    }
}

type Adding = tokio::task::JoinHandle<Result<Added>>;

fn add_on(engine: Arc<Engine>, job: Job, plan: AddPlan) -> Adding {
    tokio::spawn(async move { job.run(async |job: &Job| engine.apply_add(plan, "add", job).await).await })
}

fn says(error: &Error, words: &[&str]) {
    assert_eq!(error.kind(), Kind::Locked, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "no `{word}` in: {error}");
    }
}

#[tokio::test]
async fn who_fetches_keeps_nobody_from_the_catalog_and_gc_from_what_came() {
    let test = TestEngine::new().await;
    let (image, layer) = large(1);
    test.put("app", "1", &image);
    test.put("other", "1", &index("other"));
    let release = test.hold(&layer);
    let (adding, _) = test.begin(&["app:1"]).await;
    test.add(&["other:1"]).await;
    let impatient = test.impatient();
    let plan = impatient.plan_remove(&[test.pick("other:1")]).unwrap();
    impatient.apply_remove(&plan, &Job::new().0).await.unwrap();
    let gc = impatient.plan_gc().unwrap();
    let error = impatient.apply_gc(&gc, &Job::new().0).await.unwrap_err();
    says(&error, &[&format!("process {} (`add {}/app:1`, since", std::process::id(), test.registry.host())]);
    release.send_replace(true);
    let added = adding.await.unwrap().unwrap();
    assert!(added.failed.is_empty() && added.recorded.len() == 1, "{:?}", added.failed);
    test.check();
    let gc = impatient.plan_gc().unwrap();
    impatient.apply_gc(&gc, &Job::new().0).await.unwrap();
    assert!(test.engine.verify(false, &Job::new().0).await.unwrap().damaged.is_empty());
    // What was planned before something else changed is planned anew.
    let gc = impatient.plan_gc().unwrap();
    test.remove("app:1").await;
    let error = impatient.apply_gc(&gc, &Job::new().0).await.unwrap_err();
    says(&error, &["the catalog changed while this was planned"]);
}

#[tokio::test]
async fn two_that_want_one_image_fetch_it_once_and_both_have_it() {
    let test = TestEngine::new().await;
    let (image, layer) = large(2);
    test.put("app", "1", &image);
    let release = test.hold(&layer);
    let (first, _) = test.begin(&["app:1"]).await;
    // It waits for the blob, not for the whole run.
    let second = test.begin_too(&["app:1"]).await;
    release.send_replace(true);
    for added in [first.await.unwrap().unwrap(), second.await.unwrap().unwrap()] {
        assert!(added.failed.is_empty() && added.recorded.len() == 1, "{:?}", added.failed);
    }
    let path = format!("/v2/app/blobs/{}", Digest::of(&layer));
    assert_eq!(test.registry.requests(&Method::GET, &path), 1);
    test.check();
}

#[tokio::test]
async fn who_waited_for_one_that_was_cut_goes_on_where_it_was() {
    let test = TestEngine::new().await;
    let (image, layer) = large(3);
    test.put("app", "1", &image);
    let release = test.hold(&layer);
    let (first, cancel) = test.begin(&["app:1"]).await;
    let second = test.begin_too(&["app:1"]).await;
    cancel.cancel();
    assert_eq!(first.await.unwrap().unwrap_err().kind(), Kind::Interrupted);
    let added = second.await.unwrap().unwrap();
    assert!(added.failed.is_empty(), "{:?}", added.failed);
    let path = format!("/v2/app/blobs/{}", Digest::of(&layer));
    let log = test.registry.log();
    let starts: Vec<_> = log.iter().filter(|info| info.path == path).map(RequestInfo::range_start).collect();
    assert_eq!(starts, [None, Some(300_000)]);
    drop(release);
    test.check();
}

#[tokio::test]
async fn a_run_that_others_come_between_is_undone_alone() {
    let test = TestEngine::new().await;
    let (image, layer) = large(4);
    test.put("app", "1", &index("one"));
    test.put("app", "2", &image);
    test.put("other", "1", &index("other"));
    let release = test.hold(&layer);
    let (adding, _) = test.begin(&["app:1", "app:2"]).await;
    let app = || test.engine.images(&test.pick("app")).map_or(0, |images| images.len());
    while app() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    test.add(&["other:1"]).await;
    release.send_replace(true);
    adding.await.unwrap().unwrap();
    assert_eq!(app(), 2);
    let plan = test.engine.plan_undo().unwrap();
    assert_eq!(plan.goes.len(), 2, "{plan:?}");
    test.engine.apply_undo(&plan, &Job::new().0).await.unwrap();
    assert_eq!((app(), test.engine.images(&test.pick("other")).unwrap().len()), (0, 1));
    test.check();
}

#[tokio::test]
async fn what_an_export_needs_is_not_reclaimed_under_it() {
    let test = TestEngine::new().await;
    test.put("app", "1", &index("one"));
    test.add(&["app:1"]).await;
    let impatient = test.impatient();
    let lease = test.engine.lease("export /srv/www", &Job::new().0).await.unwrap();
    test.remove("app:1").await;
    let gc = impatient.plan_gc().unwrap();
    says(
        &impatient.apply_gc(&gc, &Job::new().0).await.unwrap_err(),
        &["(`export /srv/www`, since", "is using blobs in"],
    );
    drop(lease);
    let reclaim = test.engine.reclaim("gc", &Job::new().0).await.unwrap();
    let target = test.directory.path().join("out");
    let job = Job::new().0;
    says(
        &impatient.export_directory(&target, ExportOptions::default(), &job).await.unwrap_err(),
        &["(`gc`, since", "is reclaiming blobs in"],
    );
    says(&impatient.export_car(&target, false, None, &job).await.unwrap_err(), &["is reclaiming blobs in"]);
    says(&impatient.verify(false, &job).await.unwrap_err(), &["is reclaiming blobs in"]);
    assert!(!target.exists());
    drop(reclaim);
    impatient.apply_gc(&gc, &job).await.unwrap();
}

#[tokio::test]
async fn what_an_earlier_run_left_wrong_is_fetched_from_its_beginning() {
    let test = TestEngine::new().await;
    let (image, layer) = large(5);
    test.put("app", "1", &image);
    let digest = Digest::of(&layer);
    let path = format!("/v2/app/blobs/{digest}");
    let poison = |length: usize| {
        std::fs::write(test.directory.path().join("partial").join(digest.hex()), vec![b'x'; length]).unwrap();
    };
    // As whoever sends anything and breaks off in time leaves it.
    poison(400_000);
    test.add(&["app:1"]).await;
    let starts = || -> Vec<u64> {
        let log = test.registry.log();
        log.iter().filter(|info| info.path == path).map(|info| info.range_start().unwrap_or(0)).collect()
    };
    assert_eq!(starts(), [400_000, 0]);
    // Complete, and nothing is asked for before it is found wrong.
    test.remove("app:1").await;
    let gc = test.engine.plan_gc().unwrap();
    test.engine.apply_gc(&gc, &Job::new().0).await.unwrap();
    test.registry.forget_requests();
    poison(700_000);
    test.add(&["app:1"]).await;
    assert_eq!(starts(), [0]);
    // If what comes is wrong as well, once is enough.
    test.remove("app:1").await;
    let gc = test.engine.plan_gc().unwrap();
    test.engine.apply_gc(&gc, &Job::new().0).await.unwrap();
    test.registry.forget_requests();
    poison(400_000);
    let plan = test.plan(&["app:1"]).await.unwrap();
    test.registry.put_blob_as(&"app".parse().unwrap(), digest, vec![b'y'; 700_000]);
    let added = test.apply(plan).await.unwrap();
    assert_eq!(added.failed[0].error.kind(), Kind::Verification);
    assert_eq!(starts(), [400_000, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_catalog_that_changes_meanwhile_is_no_false_alarm() {
    let test = TestEngine::new().await;
    test.put("app", "1", &index("one"));
    test.add(&["app:1"]).await;
    let (stop, stopped) = watch::channel(false);
    let engine = Arc::clone(&test.engine);
    let changing = tokio::spawn(async move {
        let mut number = 0;
        while !*stopped.borrow() {
            number += 1;
            engine.configure(Some(&format!("host-{number}.example")), None, &Job::new().0).await.unwrap();
        }
        number
    });
    for _ in 0..20 {
        let verified = test.engine.verify(false, &Job::new().0).await.unwrap();
        assert!(verified.root_matches, "a root and a tree of two states");
    }
    stop.send_replace(true);
    assert!(changing.await.unwrap() > 0);
}
