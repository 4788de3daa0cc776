//! Published roots that are kept have everything, whatever is removed and reclaimed.

use super::*;
use crate::catalog::publications::{self, NewPublication, State};
use crate::catalog::targets::{self, NodeSettings, TargetSettings};
use crate::catalog::{blobs, nodes, state};
use crate::error::Kind;
use crate::unixfs::{DAG_PB, Link, NodeKind, directory};

impl TestEngine {
    /// Records what the catalog stands for as published; nothing is sent.
    fn publish(&self, target: &str, keep: u32) -> Link {
        self.engine
            .catalog
            .write(|writer| {
                let node = NodeSettings::kubo("http://127.0.0.1:5001");
                let settings = TargetSettings { node, keep, ipns: None, dnslink: None, gateways: vec![] };
                targets::save(writer, target, &settings, 1)?;
                let target = targets::by_name(writer, target)?.unwrap();
                let root = state::root(writer)?.unwrap();
                let new = NewPublication { target: &target, root, former: None, verb: "publish", summary: "" };
                let id = publications::begin(writer, &new, 1)?;
                publications::finish(writer, id, State::Published, None, 2)?;
                Ok(root)
            })
            .unwrap()
    }

    /// How many files a root has; an error if a node, a row or a file is missing.
    fn complete(&self, root: Link) -> Result<u64, String> {
        let reader = self.engine.catalog.read().unwrap();
        let mut store = nodes::Nodes::of(&reader);
        let (mut todo, mut files) = (vec![root], 0);
        while let Some(link) = todo.pop() {
            let node = directory::NodeStore::get(&mut store, &link.cid).unwrap();
            if link.cid.codec() == DAG_PB && node.is_some_and(|node| NodeKind::of(&node.bytes).unwrap().is_directory())
            {
                directory::list(&mut store, &link, &mut |_, child| {
                    todo.push(child);
                    Ok(())
                })
                .map_err(|error| error.to_string())?;
                continue;
            }
            let blob = blobs::by_cid(&reader, &link.cid).unwrap().ok_or(format!("{} is missing", link.cid))?;
            if !blob.inline && !self.engine.store.contains(&blob.digest, blob.size).unwrap() {
                return Err(format!("the file of {} is missing", blob.digest));
            }
            files += 1;
        }
        Ok(files)
    }

    async fn gc(&self) -> super::super::plan::GcPlan {
        let plan = self.engine.plan_gc().unwrap();
        self.engine.apply_gc(&plan, &Job::new().0).await.unwrap();
        assert!(self.engine.plan_gc().unwrap().is_empty());
        self.check();
        plan
    }
}

#[tokio::test]
async fn a_published_root_outlives_its_images() {
    let test = TestEngine::new().await;
    test.put("app", "1", &index("one"));
    test.put("app", "2", &index("two"));
    test.add(&["app:1", "app:2"]).await;
    let published = test.publish("home", 2);
    let all = test.complete(published).unwrap();

    let plan = test.engine.plan_remove(&[test.pick("app:2")]).unwrap();
    assert_eq!(plan.frees, 0, "the published root keeps all of it");
    assert!(plan.kept > 0 && plan.shared > 0, "{plan:?}");
    test.remove("app:2").await;
    let gc = test.gc().await;
    assert_eq!((gc.blobs.len(), gc.kept_roots), (0, 1));
    assert!(gc.kept_bytes > plan.kept, "manifests, pages and directories are kept too");
    assert_eq!(test.complete(published), Ok(all));
    let verified = test.engine.verify(false, &Job::new().0).await.unwrap();
    assert!(verified.damaged.is_empty() && verified.missing.is_empty() && verified.published_roots == 1);

    // It comes back without a byte over the network, and makes the same root.
    let again = test.plan(&["app:2"]).await.unwrap();
    assert_eq!(again.new_bytes, 0);
    let added = test.apply(again).await.unwrap();
    assert_eq!((added.fetched, test.root()), (0, published.cid.to_string()));
    test.remove("app").await;
    test.gc().await;
    assert_eq!(test.complete(published), Ok(all));
}

#[tokio::test]
async fn what_falls_out_of_keep_or_is_forgotten_is_reclaimed() {
    let test = TestEngine::new().await;
    let mut roots = Vec::new();
    for content in ["one", "two", "three"] {
        test.put("app", "1", &index(content));
        test.add(&["app:1"]).await;
        roots.push(test.publish("home", 2));
        test.gc().await;
    }
    assert!(test.complete(roots[0]).is_err());
    assert!(test.complete(roots[1]).is_ok() && test.complete(roots[2]).is_ok());
    let before = test.engine.plan_gc().unwrap();
    assert!(before.is_empty() && before.kept_roots == 1, "the newest one is what the catalog stands for");
    test.engine.catalog.write(|writer| publications::set_kept(writer, &roots[1].cid, false)).unwrap();
    let gc = test.gc().await;
    assert_eq!(gc.blobs.len(), 6, "a layer and a configuration for each platform, and of the attestation");
    assert!(test.complete(roots[1]).is_err() && test.complete(roots[2]).is_ok());
    assert_eq!(test.engine.store.list().unwrap().count(), 7);
}

#[tokio::test]
async fn a_plan_made_before_a_publication_began_takes_nothing_of_it() {
    let test = TestEngine::new().await;
    test.put("app", "1", &index("one"));
    test.add(&["app:1"]).await;
    let root = state::root(&test.engine.catalog.read().unwrap()).unwrap().unwrap();
    test.remove("app:1").await;
    let gc = test.engine.plan_gc().unwrap();
    // A rollback to it begins.
    test.engine
        .catalog
        .write(|writer| {
            let node = NodeSettings::kubo("http://127.0.0.1:5001");
            let settings = TargetSettings { node, keep: 1, ipns: None, dnslink: None, gateways: vec![] };
            targets::save(writer, "home", &settings, 1)?;
            let target = targets::by_name(writer, "home")?.unwrap();
            let new = NewPublication { target: &target, root, former: None, verb: "rollback", summary: "" };
            publications::begin(writer, &new, 1)
        })
        .unwrap();
    assert_eq!(test.engine.apply_gc(&gc, &Job::new().0).await.unwrap_err().kind(), Kind::Locked);
    assert!(test.complete(root).is_ok());
}

#[tokio::test]
async fn verify_reads_what_only_published_roots_need() {
    let test = TestEngine::new().await;
    test.put("app", "1", &index("one"));
    test.add(&["app:1"]).await;
    let root = test.publish("home", 2);
    test.remove("app:1").await;
    let (digest, _) = test.engine.store.list().unwrap().next().unwrap().unwrap();
    std::fs::remove_file(test.engine.store.path(&digest)).unwrap();
    let found = test.engine.verify(false, &Job::new().0).await.unwrap();
    assert_eq!(found.damaged.iter().map(|damage| damage.digest).collect::<Vec<_>>(), [digest]);
    let repaired = test.engine.verify(true, &Job::new().0).await.unwrap();
    assert!(repaired.repaired.is_empty() && repaired.damaged[0].problem.contains("published root"));
    // Adding it again fetches exactly what is missing.
    test.add(&["app:1"]).await;
    assert!(test.complete(root).is_ok());
    test.remove("app:1").await;
    let (inline, _) = {
        let reader = test.engine.catalog.read().unwrap();
        let mut first = None;
        let needed = crate::engine::keep::needed::Needed::of(&reader).unwrap();
        blobs::each_inline(&reader, |blob| {
            if needed.only_kept_blob(&reader, &blob)? {
                first.get_or_insert((blob.id, blob.link));
            }
            Ok(())
        })
        .unwrap();
        first.unwrap()
    };
    test.engine.catalog.write(|writer| blobs::remove(writer, inline)).unwrap();
    assert_eq!(test.engine.verify(false, &Job::new().0).await.unwrap().missing.len(), 1);
}
