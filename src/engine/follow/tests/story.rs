//! What a follower takes when all is well.

use super::*;
use crate::engine::tests::{image, index, platform};
use crate::image::Target;
use crate::registry::memory::ImageBuilder;

#[tokio::test]
async fn a_follower_becomes_what_is_published_and_stays_it() {
    let mut publisher = Publisher::new().await;
    let test = &publisher.test;
    let several = index("several");
    test.put("app", "1", &several);
    test.put("app", "2", &index("two"));
    test.put("lib/below", "1", &image("linux/arm64", "below"));
    let sbom = several.children[0].referrer("application/spdx+json", "an SBOM");
    test.registry.put_image(&"app".parse().unwrap(), None, &sbom);
    test.add(&["app:1", "app:2", "lib/below:1"]).await;
    let first = publisher.publish().await;
    let copy = publisher.follower(Mode::All).await;
    let look = copy.look().await.unwrap();
    assert_eq!((look.root, look.taken.unwrap().images), (Some(first), 3));
    copy.check(&first);
    copy.verify().await;
    // Nothing new: nothing is asked for but the name.
    publisher.blocks.asked();
    assert!(copy.look().await.unwrap().taken.is_none());
    assert_eq!(publisher.blocks.asked(), 0);

    // A tag moves, one comes, one goes with its repository, and a signature comes to one that stays.
    let test = &publisher.test;
    test.put("app", "2", &index("two moved"));
    test.put("app", "3", &image("linux/amd64", "three"));
    let signature = image("linux/amd64", "a signature");
    let tag = format!("sha256-{}.sig", several.digest().hex());
    test.registry.put_image(&"app".parse().unwrap(), Some(&tag), &signature);
    test.add(&["app:1", "app:2", "app:3"]).await;
    test.remove("lib/below:1").await;
    let second = publisher.publish().await;
    let taken = copy.look().await.unwrap().taken.unwrap();
    assert_eq!((taken.images, taken.removed, taken.anew), (3, 1, false));
    copy.check(&second);
    copy.verify().await;

    // The publisher goes back: a newer record with an older root.
    publisher.sign(&first, 48);
    copy.look().await.unwrap();
    copy.check(&first);
    copy.verify().await;
    // Another name and platform on all pages.
    let platform = platform("linux/arm64");
    let configure =
        async |job: &Job| publisher.test.engine.configure(Some("registry.example.org"), Some(&platform), job).await;
    Job::new().0.run(configure).await.unwrap();
    let third = publisher.publish().await;
    copy.look().await.unwrap();
    copy.check(&third);
    // Another version of the tree, in which nothing but the pages differs.
    for version in [1, 2] {
        let set = async |job: &Job| publisher.test.engine.set_site_version(version, job).await;
        Job::new().0.run(set).await.unwrap();
        let root = publisher.publish().await;
        copy.look().await.unwrap();
        copy.check(&root);
        assert_eq!(root == third, version == 2);
    }
    copy.verify().await;
    // Everything goes.
    for what in ["app:1", "app:2", "app:3"] {
        publisher.test.remove(what).await;
    }
    let empty = publisher.publish().await;
    copy.look().await.unwrap();
    copy.check(&empty);
    // And comes again.
    publisher.sign(&third, 48);
    copy.look().await.unwrap();
    copy.check(&third);
    copy.verify().await;
}

#[tokio::test]
async fn what_one_moved_tag_asks_for_does_not_grow_with_the_registry() {
    let mut publisher = Publisher::new().await;
    let mut all = Vec::new();
    for number in 0..60 {
        publisher.test.put(&format!("repository{number}"), "1", &image("linux/amd64", &format!("image {number}")));
        all.push(format!("repository{number}:1"));
    }
    publisher.test.add(&all.iter().map(String::as_str).collect::<Vec<_>>()).await;
    publisher.publish().await;
    let copy = publisher.follower(Mode::All).await;
    copy.look().await.unwrap();
    let everything = publisher.blocks.asked();
    publisher.test.put("repository7", "1", &image("linux/amd64", "moved"));
    publisher.test.add(&["repository7:1"]).await;
    let root = publisher.publish().await;
    copy.look().await.unwrap();
    copy.check(&root);
    let moved = publisher.blocks.asked();
    assert!(moved <= 40 && everything > 200, "{moved} of {everything}");
}

#[tokio::test]
async fn pulls_that_are_under_way_go_on() {
    let mut publisher = Publisher::new().await;
    let (former, newer) = (image("linux/amd64", "former"), image("linux/amd64", "newer"));
    publisher.test.put("app", "1", &former);
    publisher.test.put("gone", "1", &former);
    publisher.test.add(&["app:1", "gone:1"]).await;
    publisher.publish().await;
    let copy = publisher.follower(Mode::All).await;
    copy.look().await.unwrap();
    publisher.test.put("app", "1", &newer);
    publisher.test.add(&["app:1"]).await;
    publisher.test.remove("gone:1").await;
    publisher.publish().await;
    copy.look().await.unwrap();
    let names = ["app", "gone"].map(|name| publisher.test.published(name).parse().unwrap());
    let layers = |engine: &Engine, name| {
        let manifest = engine.served_manifest(name, &Target::Digest(former.digest()), false).unwrap()?;
        let parsed = crate::image::Manifest::parse(&manifest.bytes, Some(&manifest.media_type)).unwrap();
        let digests = parsed.references().into_iter().map(|descriptor| descriptor.digest);
        Some(digests.filter(|digest| engine.served_blob(name, digest, false).unwrap().is_some()).count())
    };
    for name in &names {
        assert_eq!(layers(&copy.engine, name), Some(3), "{name}");
    }
    assert_eq!(layers(&publisher.test.engine, &names[0]), None, "only followers keep them");
    // A tag means the new image at once.
    let tag = copy.engine.served_manifest(&names[0], &Target::Tag("1".parse().unwrap()), false);
    assert_eq!(tag.unwrap().unwrap().digest, newer.digest());
    // No pull takes that long.
    copy.engine.catalog.write(|writer| Ok(writer.execute("UPDATE follow SET taken_at = 0", [])?)).unwrap();
    assert_eq!(layers(&copy.engine, &names[0]), None);
}

#[tokio::test]
async fn modes_leave_blobs_until_they_are_wanted() {
    let mut publisher = Publisher::new().await;
    let big = |content: u8| ImageBuilder::new(platform("linux/amd64")).opaque_layer(vec![content; 3 << 20]).build();
    publisher.test.put("app", "1", &big(1));
    let pinned = big(2);
    publisher.test.put("app", "pinned", &pinned);
    publisher.test.add(&["app:1", &format!("app@{}", pinned.digest())]).await;
    let root = publisher.publish().await;
    for (mode, left) in [(Mode::Lazy, 2), (Mode::Tags, 1), (Mode::All, 0)] {
        let copy = publisher.follower(mode).await;
        assert_eq!(copy.look().await.unwrap().taken.unwrap().left_blobs, left, "{mode:?}");
        copy.check(&root);
        assert_eq!(copy.engine.has_left_blobs().unwrap(), left > 0);
    }
}

#[tokio::test]
async fn nobody_else_changes_a_copy_until_it_stops_to_follow() {
    let mut publisher = Publisher::new().await;
    publisher.test.put("app", "1", &image("linux/amd64", "one"));
    publisher.test.add(&["app:1"]).await;
    let root = publisher.publish().await;
    let copy = publisher.follower(Mode::All).await;
    copy.look().await.unwrap();
    let job = Job::new().0;
    let pick = publisher.test.pick("app:1");
    let plan = copy.engine.plan_remove(std::slice::from_ref(&pick)).unwrap();
    for error in [
        copy.engine.lock("anything", &job).await.unwrap_err(),
        copy.engine.apply_remove(&plan, &job).await.unwrap_err(),
        copy.engine.configure(Some("registry.example.net"), None, &job).await.unwrap_err(),
        copy.engine.check_restorable().unwrap_err(),
    ] {
        let name = publisher.key.name().to_string();
        assert!(error.kind() == Kind::Usage && error.to_string().contains(&name), "{error}");
        assert!(error.hints().iter().any(|hint| hint.contains("`roadstead follow stop`")), "{error:?}");
    }
    // What was removed by the publisher is reclaimed here.
    let gc = copy.engine.plan_gc().unwrap();
    copy.engine.apply_gc(&gc, &job).await.unwrap();
    copy.check(&root);
    // Its record is given out with what is held, and not taken from others.
    let (name, newer) = (publisher.key.name(), publisher.signed(&root, 9, 48));
    assert_eq!(copy.engine.own_name(&name).unwrap().unwrap().record.sequence, 1);
    assert_eq!(copy.engine.take_own_record(&name, &newer).unwrap_err().kind(), Kind::Auth);
    // Whom it follows can't become another.
    let mut other = publisher.setting(Mode::All);
    other.name = Followed::Key(PrivateKey::generate().unwrap().name());
    assert_eq!(copy.engine.follow(&other, &job).await.unwrap_err().kind(), Kind::Usage);
    // A catalog with images of its own can't follow.
    let error = publisher.test.engine.follow(&other, &job).await.unwrap_err();
    assert!(error.hints()[0].contains("import"), "{error:?}");

    assert!(copy.engine.stop_following(&job).await.unwrap().is_some());
    assert!(copy.engine.following().unwrap().is_none());
    assert!(own_node::pins(&copy.engine.catalog.read().unwrap()).unwrap().is_empty());
    assert!(copy.engine.own_name(&name).unwrap().is_none());
    copy.engine.apply_remove(&plan, &job).await.unwrap();
}

/// One change of the publisher's.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// A tag gets this content.
    Put(u8, u8, u8),
    Remove(u8, u8),
    /// One platform alone, or all.
    Select(u8, u8, bool),
    /// Something is attached to what the tag means.
    Attach(u8, u8, u8),
    /// What the tag means is added by its digest.
    Pin(u8, u8),
    Name(u8),
    Platform(bool),
    /// What was published before is published again.
    Back,
}

fn steps() -> impl proptest::strategy::Strategy<Value = Vec<Step>> {
    use proptest::prelude::*;
    let step = prop_oneof![
        4 => (0..3_u8, 0..3_u8, 0..4_u8).prop_map(|(of, tag, content)| Step::Put(of, tag, content)),
        2 => (0..3_u8, 0..3_u8).prop_map(|(of, tag)| Step::Remove(of, tag)),
        1 => (0..3_u8, 0..3_u8, any::<bool>()).prop_map(|(of, tag, all)| Step::Select(of, tag, all)),
        2 => (0..3_u8, 0..3_u8, 0..3_u8).prop_map(|(of, tag, content)| Step::Attach(of, tag, content)),
        1 => (0..3_u8, 0..3_u8).prop_map(|(of, tag)| Step::Pin(of, tag)),
        1 => (0..3_u8).prop_map(Step::Name),
        1 => any::<bool>().prop_map(Step::Platform),
        1 => Just(Step::Back),
    ];
    proptest::collection::vec(step, 1..9)
}

impl Step {
    /// Makes the change; what can't be made changes nothing.
    async fn make(self, test: &TestEngine) {
        let all = |of: u8| ["app", "app/below", "other"][usize::from(of)];
        let reference = |of: u8, tag: u8| format!("{}:{tag}", all(of));
        let job = Job::new().0;
        let add = async |request: crate::engine::request::AddRequest| {
            let plan = test.engine.plan_add(&[request], &job).await.unwrap();
            test.engine.apply_add(plan, "add", &job).await.unwrap();
        };
        let here = |of: u8, tag: u8| {
            let images = test.engine.images(&test.pick(&reference(of, tag))).unwrap_or_default();
            images.into_iter().next().map(|image| image.digest)
        };
        match self {
            Self::Put(of, tag, content) => {
                test.put(all(of), &tag.to_string(), &index(&format!("content {content}")));
                add(test.request(&reference(of, tag))).await;
            }
            Self::Remove(of, tag) => {
                if let Ok(plan) = test.engine.plan_remove(&[test.pick(&reference(of, tag))]) {
                    test.engine.apply_remove(&plan, &job).await.unwrap();
                }
            }
            Self::Select(of, tag, everything) => {
                let mut request = test.request(&reference(of, tag));
                if !everything {
                    request.selection = Some("linux/arm64".parse().unwrap());
                }
                add(request).await;
            }
            Self::Attach(of, tag, content) => {
                let Some(digest) = here(of, tag) else { return };
                let signature = image("linux/amd64", &format!("signature {content}"));
                test.put(all(of), &format!("sha256-{}.sig", digest.hex()), &signature);
                add(test.request(&reference(of, tag))).await;
            }
            Self::Pin(of, tag) => {
                if let Some(digest) = here(of, tag) {
                    add(test.request(&format!("{}@{digest}", all(of)))).await;
                }
            }
            Self::Name(name) => {
                let name = ["", "a.example.org", "b.example.org"][usize::from(name)];
                test.engine.configure(Some(name), None, &job).await.unwrap();
            }
            Self::Platform(arm) => {
                let platform = platform(if arm { "linux/arm64" } else { "linux/amd64" });
                test.engine.configure(None, Some(&platform), &job).await.unwrap();
            }
            Self::Back => {}
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 12, max_shrink_iters: 40, ..Default::default() })]
    #[test]
    fn whatever_a_publisher_does_arrives_by_its_difference_alone(rounds in proptest::collection::vec(steps(), 1..4)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut publisher = Publisher::new().await;
            let copy = publisher.follower(Mode::All).await;
            let mut roots: Vec<Cid> = Vec::new();
            for steps in rounds {
                for step in &steps {
                    step.make(&publisher.test).await;
                }
                let mut root = publisher.publish().await;
                if let (Some(Step::Back), Some(former)) = (steps.last(), roots.first()) {
                    root = *former;
                    publisher.sign(&root, 48);
                }
                let look = copy.look().await.unwrap();
                assert!(look.taken.is_none_or(|taken| !taken.anew), "{steps:?}");
                copy.check(&root);
                copy.verify().await;
                roots.push(root);
            }
        });
    }
}
