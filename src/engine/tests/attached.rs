//! What comes along with an image: it goes when that goes, whatever it consists of, and however else it was asked for.

use super::*;
use crate::image::Target;

fn signature(content: &'static str) -> Image {
    ImageBuilder::new(platform("linux/amd64")).opaque_layer(content).build()
}

fn signature_tag(digest: &Digest) -> String {
    format!("sha256-{}.sig", digest.hex())
}

#[tokio::test]
async fn an_attachment_that_holds_its_own_subject_goes_with_it() {
    let test = TestEngine::new().await;
    let image = index("one");
    let digest = test.put("app", "1", &image);
    let around = IndexBuilder::new().image(image.clone()).image(signature("s")).build();
    test.put("app", &signature_tag(&digest), &around);
    // And one that is its own subject.
    let other = self::image("linux/amd64", "two");
    let itself = test.put("app", "2", &other);
    test.put("app", &signature_tag(&itself), &other);
    let before = test.root();
    test.add(&["app:1", "app:2"]).await;
    let plan = test.engine.plan_remove(&[test.pick("app")]).unwrap();
    assert_eq!(plan.images.len(), 4, "{plan:?}");
    assert_eq!(plan.repositories, [test.published("app")]);
    test.remove("app:1").await;
    test.remove("app:2").await;
    assert_eq!(test.root(), before);
    assert!(test.engine.repositories().unwrap().is_empty());
}

#[tokio::test]
async fn what_is_attached_to_something_that_stays_stays() {
    let test = TestEngine::new().await;
    let image = index("one");
    let digest = test.put("app", "1", &image);
    test.put("app", "2", &image);
    test.put("app", &signature_tag(&digest), &signature("s"));
    test.add(&["app:1", "app:2"]).await;
    let plan = test.engine.plan_remove(&[test.pick("app:1")]).unwrap();
    assert_eq!(plan.images.len(), 1);
    test.remove("app:1").await;
    assert_eq!(test.engine.show(&test.pick("app:2")).unwrap().attached.len(), 1);
    let plan = test.engine.plan_remove(&[test.pick("app:2")]).unwrap();
    assert_eq!(plan.images.iter().filter(|image| image.attached).count(), 1);
    test.remove("app:2").await;
    assert!(test.engine.repositories().unwrap().is_empty());
}

#[tokio::test]
async fn an_image_and_its_signature_can_be_asked_for_at_once() {
    let test = TestEngine::new().await;
    let digest = test.put("app", "1", &index("one"));
    let tag = signature_tag(&digest);
    let signature = test.put("app", &tag, &signature("s"));
    let sbom = index("one").referrer("application/spdx+json", "an SBOM");
    let sbom = test.registry.put_image(&"app".parse().unwrap(), None, &sbom);
    let (by_tag, by_digest) = (format!("app:{tag}"), format!("app@{sbom}"));
    test.add(&["app:1", &by_tag, &by_digest]).await;
    let fresh = TestEngine::with(test.registry.clone(), None);
    fresh.add(&[&by_digest, &by_tag, "app:1"]).await;
    assert_eq!(fresh.root(), test.root());
    // Asked for by name, they stay.
    test.remove("app:1").await;
    let rows = test.engine.images(&test.pick("app")).unwrap();
    assert_eq!(rows.iter().map(|row| row.digest).collect::<Vec<_>>(), [signature, sbom]);
}

#[tokio::test]
async fn what_came_along_and_is_asked_for_later_is_as_if_it_was_asked_for_first() {
    let test = TestEngine::new().await;
    let digest = test.put("app", "1", &index("one"));
    let tag = signature_tag(&digest);
    test.put("app", &tag, &signature("s"));
    let fresh = TestEngine::with(test.registry.clone(), None);
    let request = |what: &str| AddRequest { selection: None, ..test.request(what) };
    let (image, signature) = (request("app:1"), request(&format!("app:{tag}")));
    for (test, requests) in [(&test, [&image, &signature]), (&fresh, [&signature, &image])] {
        for request in requests {
            let plan = test.engine.plan_add(std::slice::from_ref(request), &Job::new().0).await.unwrap();
            let added = test.apply(plan).await.unwrap();
            assert!(added.failed.is_empty(), "{:?}", added.failed);
            test.check();
        }
    }
    assert_eq!(fresh.root(), test.root());
}

#[tokio::test]
async fn a_signature_that_was_asked_for_by_name_does_not_make_its_image_look_incomplete() {
    let test = TestEngine::new().await;
    let digest = test.put("app", "1", &index("one"));
    let tag = signature_tag(&digest);
    test.put("app", &tag, &signature("s"));
    test.add(&["app:1", &format!("app:{tag}")]).await;
    test.put("app", &tag, &signature("t"));
    assert_eq!(changes(&test.plan(&["app:1"]).await.unwrap()), [Change::Unchanged]);
}

#[tokio::test]
async fn upstreams_own_list_of_referrers_comes_and_goes() {
    let test = TestEngine::with(MemoryRegistry::builder().referrers_api(false).start().await.unwrap(), None);
    let image = index("one");
    let digest = test.put("app", "1", &image);
    let repository: RepositoryName = "app".parse().unwrap();
    test.registry.put_image(&repository, None, &image.referrer("application/spdx+json", "an SBOM"));
    test.registry.put_referrers_tag(&repository, &digest);
    test.add(&["app:1"]).await;
    let before = test.root();
    let tag = format!("sha256-{}", digest.hex());
    let list = format!("oci/v2/{}/tags/list", test.published("app"));
    let tags = || String::from_utf8(test.engine.served_page(&list).unwrap().unwrap().to_vec()).unwrap();
    assert!(!tags().contains(&tag));
    let what = format!("app:{tag}");
    test.add(&[&what]).await;
    assert!(tags().contains(&tag));
    test.remove(&what).await;
    assert!(!tags().contains(&tag));
    assert_eq!(test.root(), before);
    let target = Target::Tag(tag.parse().unwrap());
    assert!(test.engine.served_manifest(&test.name("app"), &target, false).unwrap().is_some());
}
