//! Coming back: from files and from blocks, everything as it was, and nothing that lies.

use std::path::PathBuf;

use cid::Cid;

use super::*;
use crate::engine::restore::{Place, Purpose, Records, ReturnPlan, Returned};
use crate::error::Kind;

/// A catalog of everything that there can be.
async fn full(profile: Profile) -> Yard {
    let yard = Yard::with(MemoryRegistry::builder().start().await.unwrap(), Some(profile));
    let big = ImageBuilder::new(platform("linux/amd64"))
        .opaque_layer(vec![7_u8; (3 << 20) + 5])
        .opaque_layer((0..9_000_000_u32).map(|i| (i % 251) as u8).collect::<Vec<u8>>())
        .opaque_layer("")
        .build();
    yard.put("app", "big", &big);
    let several = index("several");
    yard.put("app", "1", &several);
    yard.put("app", "2", &index("two"));
    yard.put("app/below", "1", &image("linux/arm64", "below"));
    let subject = &several.children[0];
    let sbom = subject.referrer("application/spdx+json", format!("SBOM of {}", subject.digest()));
    yard.registry.put_image(&"app".parse().unwrap(), None, &sbom);
    for signed in [&several, &sbom] {
        let signature = image("linux/amd64", &format!("signature of {}", signed.digest()));
        let tag = format!("sha256-{}.sig", signed.digest().hex());
        yard.registry.put_image(&"app".parse().unwrap(), Some(&tag), &signature);
    }
    yard.add(&["app:1", "app:big", "app/below:1"]).await;
    // One platform of two, with the manifests of the other.
    let mut request = yard.request("app:2");
    request.selection = Some("linux/arm64".parse().unwrap());
    request.all_manifests = true;
    yard.run(vec![request]).await;
    // Another name and tag; another name by digest; a digest alone.
    let mut request = yard.request("app:1");
    request.name = Some("other/name:stable".parse().unwrap());
    yard.run(vec![request]).await;
    let mut request = yard.request(&format!("app@{}", several.digest()));
    request.name = Some("third:pinned".parse().unwrap());
    yard.run(vec![request, yard.request(&format!("app@{}", subject.digest()))]).await;
    let platform = platform("linux/arm64");
    let configure = async |job: &Job| yard.engine.configure(Some("registry.example.org"), Some(&platform), job).await;
    Job::new().0.run(configure).await.unwrap();
    yard.check();
    yard
}

impl Yard {
    async fn run(&self, requests: Vec<AddRequest>) {
        let plan = async |job: &Job| self.engine.plan_add(&requests, job).await;
        let plan = Job::new().0.run(plan).await.unwrap();
        assert!(plan.failed.is_empty(), "{:?}", plan.failed);
        let added = self.apply(plan).await.unwrap();
        assert!(added.failed.is_empty(), "{:?}", added.failed);
        self.check();
    }

    async fn export(&self, name: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        if name.ends_with(".car") {
            self.engine.export_car(&path, false, None, &Job::new().0).await.unwrap();
        } else {
            self.engine.export_directory(&path, false, &Job::new().0).await.unwrap();
        }
        path
    }
}

/// A data directory that something is restored into.
pub(super) struct Restored {
    pub(super) _directory: tempfile::TempDir,
    pub(super) engine: Arc<Engine>,
}

pub(super) async fn records(from: &Path, root: Option<Cid>) -> Result<Records> {
    let place: Place = from.to_str().unwrap().parse().unwrap();
    Job::new().0.run(async |job: &Job| place.records(root, None, job).await).await
}

async fn plan(engine: &Engine, records: &Records, purpose: Purpose) -> Result<ReturnPlan> {
    Job::new().0.run(async |job: &Job| engine.plan_return(records, purpose, job).await).await
}

async fn apply(engine: &Arc<Engine>, plan: &ReturnPlan, lazy: Option<&str>) -> Result<Returned> {
    Job::new().0.run(async |job: &Job| engine.apply_return(plan, lazy, job).await).await
}

pub(super) async fn restore(from: &Path, root: Option<Cid>, lazy: bool) -> Result<Restored> {
    let records = records(from, root).await?;
    let directory = tempfile::tempdir().unwrap();
    let engine = Engine::open(options(directory.path(), Some(records.profile))).unwrap();
    let plan = plan(&engine, &records, Purpose::Restore).await?;
    apply(&engine, &plan, lazy.then(|| from.to_str().unwrap())).await?;
    Ok(Restored { _directory: directory, engine })
}

#[tokio::test]
async fn everything_comes_back_from_files_and_from_blocks() {
    for profile in Profile::ALL {
        let yard = full(profile).await;
        for name in ["tree", "tree.car"] {
            let from = yard.export(name).await;
            let restored = restore(&from, None, false).await.unwrap();
            assert_eq!(restored.engine.root().unwrap(), yard.engine.root().unwrap(), "{name} {profile}");
            assert_eq!(restored.engine.rebuild_root().unwrap(), yard.engine.root().unwrap());
            assert_eq!(restored.engine.settings().unwrap(), yard.engine.settings().unwrap());
            let verified = Job::new().0.run(async |job: &Job| restored.engine.verify(false, job).await).await.unwrap();
            assert!(verified.damaged.is_empty() && verified.root_matches, "{:?}", verified.damaged);
            let again = plan(&restored.engine, &records(&from, None).await.unwrap(), Purpose::Restore).await.unwrap();
            assert!(again.is_empty());
        }
    }
}
