//! Coming back: from files and from blocks, everything as it was, and nothing that lies.

use std::path::PathBuf;

use cid::Cid;

use super::*;
use crate::engine::restore::{Place, Purpose, Records, ReturnPlan, Returned};
use crate::error::Kind;

/// A catalog of everything that there can be.
async fn full(profile: Profile) -> TestEngine {
    let test = TestEngine::with(MemoryRegistry::builder().start().await.unwrap(), Some(profile));
    let big = ImageBuilder::new(platform("linux/amd64"))
        .opaque_layer(vec![7_u8; (3 << 20) + 5])
        .opaque_layer((0..9_000_000_u32).map(|i| (i % 251) as u8).collect::<Vec<u8>>())
        .opaque_layer("")
        .build();
    test.put("app", "big", &big);
    let several = index("several");
    test.put("app", "1", &several);
    test.put("app", "2", &index("two"));
    test.put("app/below", "1", &image("linux/arm64", "below"));
    let subject = &several.children[0];
    let sbom = subject.referrer("application/spdx+json", format!("SBOM of {}", subject.digest()));
    test.registry.put_image(&"app".parse().unwrap(), None, &sbom);
    for signed in [&several, &sbom] {
        let signature = image("linux/amd64", &format!("signature of {}", signed.digest()));
        let tag = format!("sha256-{}.sig", signed.digest().hex());
        test.registry.put_image(&"app".parse().unwrap(), Some(&tag), &signature);
    }
    test.add(&["app:1", "app:big", "app/below:1"]).await;
    // One platform of two, with the manifests of the other.
    let mut request = test.request("app:2");
    request.selection = Some("linux/arm64".parse().unwrap());
    request.all_manifests = true;
    test.run(vec![request]).await;
    // Another name and tag; another name by digest; a digest alone.
    let mut request = test.request("app:1");
    request.name = Some("other/name:stable".parse().unwrap());
    test.run(vec![request]).await;
    let mut request = test.request(&format!("app@{}", several.digest()));
    request.name = Some("third:pinned".parse().unwrap());
    test.run(vec![request, test.request(&format!("app@{}", subject.digest()))]).await;
    let platform = platform("linux/arm64");
    let configure = async |job: &Job| test.engine.configure(Some("registry.example.org"), Some(&platform), job).await;
    Job::new().0.run(configure).await.unwrap();
    test.check();
    test
}

impl TestEngine {
    pub(super) async fn run(&self, requests: Vec<AddRequest>) {
        let plan = async |job: &Job| self.engine.plan_add(&requests, job).await;
        let plan = Job::new().0.run(plan).await.unwrap();
        assert!(plan.failed.is_empty(), "{:?}", plan.failed);
        let added = self.apply(plan).await.unwrap();
        assert!(added.failed.is_empty(), "{:?}", added.failed);
        self.check();
    }

    pub(in crate::engine) async fn export(&self, name: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        if Path::new(name).extension().is_some() {
            self.engine.export_car(&path, false, None, &Job::new().0).await.unwrap();
        } else {
            self.engine.export_directory(&path, ExportOptions::default(), &Job::new().0).await.unwrap();
        }
        path
    }
}

/// A data directory that something is restored into.
pub(super) struct Restored {
    pub(super) directory: tempfile::TempDir,
    pub(super) engine: Arc<Engine>,
}

pub(super) async fn records(from: &Path, root: Option<Cid>) -> Result<Records> {
    let place: Place = from.to_str().unwrap().parse().unwrap();
    Job::new().0.run(async |job: &Job| place.records(root, None, job).await).await
}

pub(super) async fn plan(engine: &Engine, records: &Records, purpose: Purpose) -> Result<ReturnPlan> {
    Job::new().0.run(async |job: &Job| engine.plan_return(records, purpose, job).await).await
}

pub(super) async fn apply(engine: &Arc<Engine>, plan: &ReturnPlan, lazy: Option<&str>) -> Result<Returned> {
    Job::new().0.run(async |job: &Job| engine.apply_return(plan, lazy, job).await).await
}

pub(super) async fn restore(from: &Path, root: Option<Cid>, lazy: bool) -> Result<Restored> {
    let records = records(from, root).await?;
    let directory = tempfile::tempdir().unwrap();
    let engine = Engine::open(options(directory.path(), Some(records.profile))).unwrap();
    let plan = plan(&engine, &records, Purpose::Restore).await?;
    apply(&engine, &plan, lazy.then(|| from.to_str().unwrap())).await?;
    Ok(Restored { directory, engine })
}

#[tokio::test]
async fn everything_comes_back_from_files_and_from_blocks() {
    for profile in Profile::ALL {
        let test = full(profile).await;
        for name in ["tree", "tree.car"] {
            let from = test.export(name).await;
            let restored = restore(&from, None, false).await.unwrap();
            assert_eq!(restored.engine.root().unwrap(), test.engine.root().unwrap(), "{name} {profile}");
            assert_eq!(restored.engine.rebuild_root().unwrap(), test.engine.root().unwrap());
            assert_eq!(restored.engine.settings().unwrap(), test.engine.settings().unwrap());
            let verified = Job::new().0.run(async |job: &Job| restored.engine.verify(false, job).await).await.unwrap();
            assert!(verified.damaged.is_empty() && verified.root_matches, "{:?}", verified.damaged);
            let again = plan(&restored.engine, &records(&from, None).await.unwrap(), Purpose::Restore).await.unwrap();
            assert!(again.is_empty());
        }
    }
}

#[tokio::test]
async fn a_lazy_restore_has_the_root_and_brings_what_is_read() {
    for profile in Profile::ALL {
        let test = full(profile).await;
        let from = test.export("tree.car").await;
        let restored = restore(&from, None, true).await.unwrap();
        assert_eq!(restored.engine.root().unwrap(), test.engine.root().unwrap());
        assert!(restored.engine.has_left_blobs().unwrap());
        let stored = |engine: &Engine| engine.store.list().unwrap().count();
        let before = stored(&restored.engine);
        assert!(before < stored(&test.engine), "configurations alone");
        let verified = Job::new().0.run(async |job: &Job| restored.engine.verify(false, job).await).await.unwrap();
        assert!(verified.damaged.is_empty() && verified.left > 0, "{verified:?}");
        // One blob that is asked for.
        let name = test.name("app");
        let layer = Digest::of(&vec![7_u8; (3 << 20) + 5]);
        let engine = Arc::clone(&restored.engine);
        let Some(crate::engine::query::content::Blob::Pending(pending, _)) =
            engine.served_blob(&name, &layer, false).unwrap()
        else {
            panic!("it was left elsewhere");
        };
        assert_eq!(stored(&restored.engine), before, "nobody wants its bytes yet");
        let mut arrival = pending.begin().unwrap();
        arrival.reaches(u64::MAX, 1).await.unwrap();
        assert_eq!(stored(&restored.engine), before + 1);
        // Everything that an export reads.
        let again = restored.directory.path().join("again.car");
        restored.engine.export_car(&again, false, None, &Job::new().0).await.unwrap();
        assert_eq!(std::fs::metadata(&again).unwrap().len(), std::fs::metadata(&from).unwrap().len());
        assert!(!restored.engine.has_left_blobs().unwrap());
        // The place is gone, and nothing needs it any more.
        std::fs::remove_file(&from).unwrap();
        restored
            .engine
            .export_directory(&again.with_extension("d"), ExportOptions::default(), &Job::new().0)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_lazy_blob_whose_place_is_gone_is_an_error_in_words() {
    let test = full(Profile::default()).await;
    let from = test.export("tree.car").await;
    let restored = restore(&from, None, true).await.unwrap();
    std::fs::remove_file(&from).unwrap();
    let error =
        restored.engine.export_car(&from.with_extension("x.car"), false, None, &Job::new().0).await.unwrap_err();
    assert!(error.to_string().contains("tree.car"), "{error}");
    // What upstream still has can be added again.
    let error = restore(&test.export("tree").await, None, true).await.err().unwrap();
    assert_eq!(error.kind(), Kind::Usage, "{error}");
}

#[tokio::test]
async fn a_cut_restore_goes_on_where_it_stopped() {
    let test = full(Profile::default()).await;
    let from = test.export("tree.car").await;
    let records = records(&from, None).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let open = || Engine::open(options(directory.path(), None)).unwrap();
    // Cut by a job that is cancelled after the first blob or image.
    for until in [1, 3] {
        let engine = open();
        let plan = plan(&engine, &records, Purpose::Restore).await.unwrap();
        let (job, mut watch) = Job::new();
        let cancel = watch.cancel.clone();
        let watching = tokio::spawn(async move {
            let mut seen = 0;
            while let Some(event) = watch.events.recv().await {
                seen += usize::from(matches!(event, crate::engine::job::Event::BlobFinished { .. }));
                if seen == until {
                    cancel.cancel();
                }
            }
        });
        let error = job.run(async |job: &Job| engine.apply_return(&plan, None, job).await).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Interrupted, "{error}");
        watching.await.unwrap();
        engine.check_restorable().unwrap();
    }
    // Another root can't go in between.
    let other = TestEngine::new().await;
    other.put("x", "1", &image("linux/amd64", "x"));
    other.add(&["x:1"]).await;
    let other = self::records(&other.export("other.car").await, None).await.unwrap();
    let engine = open();
    let has_images = !engine.repositories().unwrap().is_empty();
    if has_images {
        let planned = plan(&engine, &other, Purpose::Restore).await.unwrap();
        assert_eq!(apply(&engine, &planned, None).await.unwrap_err().kind(), Kind::Usage);
    }
    // Nothing else changes or gives out what is there so far.
    let planned = plan(&engine, &other, Purpose::Import { replace: false }).await.unwrap();
    let before = engine.root().unwrap();
    let job = Job::new().0;
    for error in [
        apply(&engine, &planned, None).await.unwrap_err(),
        engine.lock("anything", &job).await.unwrap_err(),
        engine
            .export_directory(
                &directory.path().join("given"),
                ExportOptions { include_private: true, copy: false },
                &job,
            )
            .await
            .unwrap_err(),
        engine.export_car(&directory.path().join("given.car"), false, None, &job).await.unwrap_err(),
        engine.configure(Some("registry.example.net"), None, &job).await.unwrap_err(),
    ] {
        let root = test.engine.root().unwrap().unwrap();
        assert!(error.kind() == Kind::Usage && error.to_string().contains("is not finished"), "{error}");
        assert!(error.hints()[0].contains(&format!("`roadstead restore {root} --from SOURCE`")), "{error:?}");
    }
    drop(engine.lock_unfinished("what changes nothing", &job).await.unwrap());
    assert_eq!(engine.root().unwrap(), before);
    assert!(engine.unfinished_restore().unwrap().is_some());
    let planned = plan(&engine, &records, Purpose::Restore).await.unwrap();
    let returned = apply(&engine, &planned, None).await.unwrap();
    assert!(returned.added.failed.is_empty());
    assert_eq!(engine.root().unwrap(), test.engine.root().unwrap());
    // Now it is a catalog like any other.
    assert_eq!(engine.unfinished_restore().unwrap(), None);
    drop(engine.lock("anything", &job).await.unwrap());
    assert_eq!(engine.check_restorable().unwrap_err().kind(), Kind::Usage);
    let planned = plan(&engine, &other, Purpose::Restore).await.unwrap();
    assert_eq!(apply(&engine, &planned, None).await.unwrap_err().kind(), Kind::Usage);
}

#[tokio::test]
async fn private_repositories_come_back_as_they_were_published() {
    let (test, _switch) = super::consent::switched("secret").await;
    test.put("secret/app", "1", &image("linux/amd64", "secret"));
    test.put("hidden/app", "1", &image("linux/amd64", "seen"));
    test.add(&["secret/app:1", "hidden/app:1"]).await;
    let without = restore(&test.export("without.car").await, None, false).await.unwrap();
    assert_eq!(without.engine.repositories().unwrap().len(), 1);
    let allow = async |job: &Job| test.engine.allow(&[test.pick("secret/app")], true, job).await;
    Job::new().0.run(allow).await.unwrap();
    let from = test.export("with.car").await;
    let with = restore(&from, None, false).await.unwrap();
    assert_eq!(with.engine.root().unwrap(), test.engine.root().unwrap());
    // Merged into another catalog, nobody has consented there.
    let records = records(&from, None).await.unwrap();
    let planned = plan(&without.engine, &records, Purpose::Import { replace: false }).await.unwrap();
    let before = without.engine.root().unwrap();
    apply(&without.engine, &planned, None).await.unwrap();
    assert_eq!(without.engine.root().unwrap(), before);
    assert_eq!(without.engine.repositories().unwrap().len(), 2);
}

#[tokio::test]
async fn an_import_merges_shows_collisions_and_takes_the_difference() {
    let [v0, v1] = [Profile::V0_2015, Profile::V1_2025];
    for (profile, others) in [(v1, v1), (v0, v0), (v1, v0), (v0, v1)] {
        let test = full(profile).await;
        let base = test.export("base.car").await;
        let before = test.engine.root().unwrap().unwrap();
        // The other side: the same catalog, or one with another profile.
        let directory = tempfile::tempdir().unwrap();
        let there = Engine::open(options(directory.path(), Some(others))).unwrap();
        let import = async |from: &Path, replace: bool| -> Result<(ReturnPlan, Returned)> {
            let place: Place = from.to_str().unwrap().parse().unwrap();
            let records = Job::new().0.run(async |job: &Job| place.records(None, Some(&there), job).await).await?;
            let plan = plan(&there, &records, Purpose::Import { replace }).await?;
            let returned = apply(&there, &plan, None).await?;
            Ok((plan, returned))
        };
        import(&base, false).await.unwrap();
        // One image moves and one comes; a layer grows by its end.
        let grown = ImageBuilder::new(platform("linux/amd64"))
            .opaque_layer((0..9_500_000_u32).map(|i| (i % 251) as u8).collect::<Vec<u8>>())
            .build();
        test.put("app", "grown", &grown);
        test.put("app/below", "1", &image("linux/arm64", "moved"));
        test.add(&["app:grown", "app/below:1"]).await;
        let difference = test.directory.path().join("difference.car");
        let exported = test.engine.export_car(&difference, false, Some(before), &Job::new().0).await.unwrap();
        assert!(exported.bytes < 2 << 20, "{} bytes: eight of nine leaves are there", exported.bytes);
        if profile == others {
            let (plan, returned) = import(&difference, false).await.unwrap();
            assert_eq!(plan.refused.len(), 1, "{:?}", plan.refused);
            assert!(plan.refused[0].error.to_string().contains("another digest"));
            assert!(returned.added.failed.is_empty(), "{:?}", returned.added.failed);
            assert_ne!(there.root().unwrap(), test.engine.root().unwrap());
            let (plan, _) = import(&difference, true).await.unwrap();
            assert_eq!(plan.count(|change| matches!(change, Change::Moved { .. })), 1);
            // The name and the default platform are the other side's own.
            let settings = test.engine.settings().unwrap();
            let configure = async |job: &Job| {
                there.configure(settings.name.as_deref(), Some(&settings.default_platform), job).await
            };
            Job::new().0.run(configure).await.unwrap();
            assert_eq!(there.root().unwrap(), test.engine.root().unwrap());
        } else {
            // With other leaves here, what only begins alike can't be put together: all of it or nothing.
            let before = there.root().unwrap();
            let error = import(&difference, true).await.unwrap_err();
            assert!(error.kind() == Kind::Usage && error.to_string().contains(profile.name()), "{error}");
            assert!(error.hints()[0].contains("without `--since`"), "{error:?}");
            assert_eq!(there.root().unwrap(), before);
            // The whole is taken.
            let whole = test.export("whole.car").await;
            let (plan, returned) = import(&whole, true).await.unwrap();
            assert!(plan.refused.is_empty() && returned.added.failed.is_empty(), "{:?}", returned.added.failed);
            assert_eq!(plan.count(|change| matches!(change, Change::Moved { .. })), 1);
        }
        assert_eq!(there.rebuild_root().unwrap(), there.root().unwrap());
        let nowhere = crate::unixfs::file::of_bytes(profile, b"x").0.cid;
        let error = test.engine.export_car(&difference, false, Some(nowhere), &Job::new().0).await.unwrap_err();
        assert!(error.kind() == Kind::NotFound && error.hints()[0].contains(&before.to_string()), "{error}");
    }
}

#[tokio::test]
async fn directories_that_are_sharded_come_back() {
    let test = TestEngine::new().await;
    let mut all = Vec::new();
    for number in 0..70 {
        let mut builder = ImageBuilder::new(platform("linux/amd64"));
        for layer in 0..32 {
            builder = builder.opaque_layer(format!("layer {layer} of image {number}"));
        }
        test.put("many", &format!("v{number}"), &builder.build());
        all.push(format!("many:v{number}"));
    }
    test.add(&all.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let from = test.export("tree.car").await;
    let lazy = restore(&from, None, true).await.unwrap();
    assert_eq!(lazy.engine.root().unwrap(), test.engine.root().unwrap());
}
