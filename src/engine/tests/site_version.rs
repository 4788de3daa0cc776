//! A catalog keeps the version of its tree until it is set to another one, and whoever takes a tree takes its version.

use super::restore::restore;
use super::*;
use crate::error::Kind;
use crate::site::SITE_VERSION;

async fn set(test: &TestEngine, version: u32) -> Result<String> {
    let set = async |job: &Job| test.engine.set_site_version(version, job).await;
    Ok(Job::new().0.run(set).await?.to_string())
}

#[tokio::test]
async fn a_catalog_keeps_its_version_until_another_one_is_set() {
    for profile in Profile::ALL {
        let test = TestEngine::with(MemoryRegistry::builder().start().await.unwrap(), Some(profile));
        test.put("app", "1", &index("one"));
        test.put("app", "2", &index("two"));
        test.add(&["app:1"]).await;
        let newest = test.root();
        let old = set(&test, 1).await.unwrap();
        assert_ne!(old, newest);
        test.check();
        // What comes is written in that version, also by a program that begins later.
        test.add(&["app:2"]).await;
        let settings = test.engine.settings().unwrap();
        assert_eq!(settings.site_version, 1);
        let both = test.root();
        assert_eq!(set(&test, 1).await.unwrap(), both, "nothing new");
        for name in ["tree", "tree.car"] {
            let restored = restore(&test.export(name).await, None, false).await.unwrap();
            assert_eq!(restored.engine.root().unwrap(), test.engine.root().unwrap(), "{name}");
            assert_eq!(restored.engine.settings().unwrap(), settings);
            assert_eq!(restored.engine.rebuild_root().unwrap(), test.engine.root().unwrap());
        }
        test.remove("app:2").await;
        assert_eq!(test.root(), old);
        // Nothing is left of the way there.
        assert_eq!(set(&test, SITE_VERSION).await.unwrap(), newest);
        test.check();
        for unknown in [0, SITE_VERSION + 1] {
            assert_eq!(set(&test, unknown).await.unwrap_err().kind(), Kind::Usage);
        }
        assert_eq!(test.root(), newest);
    }
}

#[tokio::test]
async fn no_file_that_is_generated_is_empty() {
    let test = TestEngine::new().await;
    test.put("app", "1", &index("one"));
    test.add(&["app:1"]).await;
    let tree = test.export("tree").await;
    for view in ["v2", "oci/v2"] {
        assert_eq!(std::fs::read(tree.join(view).join("index.html")).unwrap(), b"{}\n");
    }
    let empty = |test: &TestEngine| {
        let digest = Digest::of(b"");
        crate::catalog::blobs::by_digest(&test.engine.catalog.read().unwrap(), &digest).unwrap()
    };
    assert!(empty(&test).is_none());
    set(&test, 1).await.unwrap();
    assert!(empty(&test).is_some());
}
