//! What a follower takes when all is well.

use super::*;
use crate::engine::tests::{image, index, platform};
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
    assert_eq!((taken.images, taken.removed), (3, 1));
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
    copy.engine.apply_remove(&plan, &job).await.unwrap();
}
