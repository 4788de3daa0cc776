//! Finding images: by words, by states and platforms, and anything by its name, its digest or its CID.

use super::*;
use crate::engine::query::browse::{ImageOrder, Part, RepositoryOrder, RowState, States};
use crate::engine::query::jump::{HitKind, Place};

fn part<'a, Order: Default>(filter: &'a str, states: &'a States) -> Part<'a, Order> {
    Part { filter, order: Order::default(), descending: false, states, offset: 0, limit: 100, around: None }
}

impl TestEngine {
    /// Repositories that are found, without the registry before them.
    fn repositories_by(&self, filter: &str, states: &States) -> Vec<String> {
        let found = self.engine.browse_repositories(&part::<RepositoryOrder>(filter, states)).unwrap();
        assert_eq!(found.total, found.rows.len() as u64, "{filter}");
        found.rows.iter().map(|row| row.name.split_once('/').unwrap().1.to_owned()).collect()
    }

    fn tags_by(&self, repository: &str, filter: &str, states: &States) -> Vec<String> {
        let repository = self.published(repository);
        let found = self.engine.browse_images(&repository, &part::<ImageOrder>(filter, states)).unwrap();
        assert_eq!(found.total, found.rows.len() as u64, "{filter}");
        found.rows.iter().map(|row| row.tag.clone().unwrap_or_default()).collect()
    }
}

/// `kube-apiserver` with a signed, an outdated and a plain image; `kube-proxy` and `etcd`.
async fn filled() -> TestEngine {
    let test = TestEngine::new().await;
    let signed = test.put("kube-apiserver", "1.9", &index("one"));
    let signature = ImageBuilder::new(platform("linux/amd64")).opaque_layer("s").build();
    test.put("kube-apiserver", &format!("sha256-{}.sig", signed.hex()), &signature);
    test.put("kube-apiserver", "1.10", &image("linux/amd64", "two"));
    test.put("kube-apiserver", "1.10-alpine", &image("linux/arm/v7", "three"));
    test.put("kube-proxy", "1", &image("linux/s390x", "proxy"));
    test.put("etcd", "3", &image("linux/amd64", "etcd"));
    test.add(&["kube-apiserver:1.9", "kube-apiserver:1.10", "kube-apiserver:1.10-alpine", "kube-proxy:1", "etcd:3"])
        .await;
    test.put("kube-apiserver", "1.10", &image("linux/amd64", "moved"));
    Job::new().0.run(async |job: &Job| test.engine.outdated(&[], job).await).await.unwrap();
    test
}

#[tokio::test]
async fn words_states_and_platforms_have_to_match_together() {
    let test = filled().await;
    let none = States::default();
    for (filter, found) in [
        ("kapi", &["kube-apiserver"][..]),
        ("api kube", &["kube-apiserver"]),
        ("kube", &["kube-apiserver", "kube-proxy"]),
        ("kube :outdated", &["kube-apiserver"]),
        ("etcd :outdated", &[]),
        (":signed", &["kube-apiserver"]),
        (":unsigned", &["etcd", "kube-apiserver", "kube-proxy"]),
        (":gone", &[]),
        (":private", &[]),
        (":missing", &[]),
        (":rule", &[]),
        (":leaving", &[]),
        ("linux/s390x", &["kube-proxy"]),
        ("linux/arm", &["kube-apiserver"]),
        // Of one and the same image.
        (":outdated linux/arm", &[]),
        (":nosuch etcd", &["etcd"]),
    ] {
        assert_eq!(test.repositories_by(filter, &none), found, "{filter}");
    }
    for (filter, found) in [
        ("", &["1.9", "1.10", "1.10-alpine"][..]),
        (":signed", &["1.9"]),
        (":unsigned", &["1.10", "1.10-alpine"]),
        (":outdated", &["1.10"]),
        ("linux/arm/v7", &["1.10-alpine"]),
        ("linux/arm64", &["1.9"]),
        ("1.10", &["1.10", "1.10-alpine"]),
        ("alp 1", &["1.10-alpine"]),
        ("x", &[]),
    ] {
        assert_eq!(test.tags_by("kube-apiserver", filter, &none), found, "{filter}");
    }
}

#[tokio::test]
async fn states_that_came_with_the_question_are_found_too() {
    let test = filled().await;
    let name = |of: &str| test.published(of);
    let states = States {
        named: vec![(name("etcd"), RowState::Changed), (name("kube-proxy"), RowState::Failed)],
        others: RowState::Settled,
    };
    for (filter, found) in [
        (":changed", &["etcd"][..]),
        (":failed", &["kube-proxy"]),
        // A failure says nothing of what is given out.
        (":published", &["kube-apiserver", "kube-proxy"]),
        (":new", &[]),
    ] {
        assert_eq!(test.repositories_by(filter, &states), found, "{filter}");
    }
    let tags = States { named: vec![("1.9".to_owned(), RowState::New)], others: RowState::Settled };
    assert_eq!(test.tags_by("kube-apiserver", ":new", &tags), ["1.9"]);
    assert_eq!(test.tags_by("kube-apiserver", ":published 10", &tags), ["1.10", "1.10-alpine"]);
}

#[tokio::test]
async fn the_best_match_comes_first_and_a_part_is_a_part_of_what_is_found() {
    let test = TestEngine::new().await;
    for repository in ["api", "lalplil", "zapi"] {
        test.put(repository, "1", &image("linux/amd64", repository));
        test.add(&[&format!("{repository}:1")]).await;
    }
    let none = States::default();
    assert_eq!(test.repositories_by("api", &none), ["api", "zapi", "lalplil"]);
    let whole = part::<RepositoryOrder>("api", &none);
    let last = test.engine.browse_repositories(&Part { offset: 2, limit: 5, ..whole }).unwrap();
    assert_eq!((last.total, last.offset, last.rows.len()), (3, 2, 1));
    // Another order that was chosen stays.
    let turned = test.engine.browse_repositories(&Part { descending: true, ..whole }).unwrap();
    assert!(turned.rows[0].name.ends_with("/zapi"));
    let wanted = test.published("lalplil");
    let around = test.engine.browse_repositories(&Part { around: Some(&wanted), limit: 1, ..whole }).unwrap();
    assert_eq!((around.place, around.offset, around.rows[0].name.as_str()), (Some(2), 2, wanted.as_str()));
}

#[tokio::test]
async fn anything_is_found_by_its_name_its_digest_or_its_cid() {
    let test = filled().await;
    let find = |text: &str| test.engine.find_anything(text).unwrap();
    let api = test.published("kube-apiserver");
    let tag = |tag: &str| Place::Image(api.clone(), tag.to_owned());

    let found = find("kapi");
    assert_eq!((found[0].kind, &found[0].place), (HitKind::Repository, &Place::Repository(api.clone())));
    assert_eq!(found[0].about, "3 images");
    let places: Vec<&Place> = found[1..].iter().map(|hit| &hit.place).collect();
    assert_eq!(places, [&tag("1.9"), &tag("1.10"), &tag("1.10-alpine")], "repository, then tags by number");
    assert!(found[1].about.starts_with("linux/amd64, linux/arm64, "), "{}", found[1].about);
    assert_eq!(find("apiserver:1.10")[0].place, tag("1.10"));
    assert!(find("").is_empty() && find("nosuchthing").is_empty());

    let details = test.engine.show(&format!("{api}:1.9").parse().unwrap()).unwrap();
    let manifest = &details.manifests[1];
    let (layer, config) = (&manifest.layers[1], manifest.config.as_ref().unwrap());
    let attached = &details.attached[0];
    for (digest, cid, kind) in [
        (details.row.digest.to_string(), &details.row.cid, HitKind::Manifest),
        (manifest.digest.to_string(), &manifest.cid, HitKind::Manifest),
        (config.digest.clone(), &config.cid, HitKind::Configuration),
        (layer.digest.to_string(), layer.cid.as_ref().unwrap(), HitKind::Layer),
        // Through what it is attached to.
        (attached.digest.to_string(), &attached.cid, HitKind::Manifest),
    ] {
        let hex = digest.strip_prefix("sha256:").unwrap();
        for text in [digest.as_str(), &digest[..20], &hex[..12], &format!("{api}@{digest}"), cid, &cid[..24]] {
            let hit = &find(text)[0];
            assert_eq!((hit.kind, &hit.place), (kind, &tag("1.9")), "{text}");
            assert_eq!(hit.name, if text.starts_with("baf") { cid } else { &digest }.as_str());
        }
    }
    let base = &manifest.layers[0];
    let shared = &find(&base.digest.to_string())[0].about;
    assert!(shared.contains(" +"), "other images have it, too: {shared}");
}
