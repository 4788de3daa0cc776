//! Names: which are free, which belong to whom, and what has which name in the gateway view.

use super::*;
use crate::image::Tag;

/// The same image with a layer that schema 1 can't say.
fn unsayable(image: Image) -> Image {
    let mut manifest: serde_json::Value = serde_json::from_slice(&image.manifest).unwrap();
    manifest["layers"][0]["mediaType"] = "application/vnd.oci.image.layer.v1.tar+zstd".into();
    Image { manifest: manifest.to_string().into(), ..image }
}

impl TestEngine {
    fn page(&self, path: &str) -> Option<String> {
        let bytes = self.engine.served_page(path).unwrap()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The tags of the gateway view, each of which must be there.
    fn gateway_tags(&self, repository: &str) -> Vec<String> {
        let list = self.page(&format!("v2/{}/tags/list", self.published(repository))).unwrap();
        let list: serde_json::Value = serde_json::from_str(&list).unwrap();
        let tags: Vec<String> = serde_json::from_value(list["tags"].clone()).unwrap();
        for tag in &tags {
            let path = format!("v2/{}/manifests/{tag}", self.published(repository));
            assert!(self.page(&path).is_some(), "{path}");
        }
        tags
    }

    async fn default_platform(&self, text: &str) {
        self.engine.configure(None, Some(&platform(text)), &Job::new().0).await.unwrap();
        self.check();
    }
}

#[tokio::test]
async fn one_digest_twice_is_one_image() {
    let test = TestEngine::new().await;
    let digest = test.put("app", "1", &index("one"));
    let other = test.put("app", "2", &index("two"));
    let what = format!("app@{digest}");
    let added = test.add(&[&what, &what, &format!("app@{other}")]).await;
    assert_eq!(added.recorded.len(), 2);
}

#[tokio::test]
async fn the_usual_name_has_its_alias_however_it_was_asked_for() {
    let test = TestEngine::new().await;
    for (reference, name, alias) in [
        ("nginx:1", None, Some("nginx")),
        ("nginx:1", Some("library/nginx"), Some("nginx")),
        ("nginx:1", Some("mine/nginx"), None),
        ("user/app:1", Some("library/nginx"), None),
    ] {
        let name = name.map(|name| name.parse().unwrap());
        let request = AddRequest { name, ..AddRequest::new(reference.parse().unwrap()) };
        let placed = test.engine.place(&request).await.unwrap();
        assert_eq!(placed.alias.map(String::from).as_deref(), alias, "{request:?}");
    }
}

#[tokio::test]
async fn what_lies_in_the_directories_of_another_stays_when_that_changes() {
    for (first, second) in [
        ("app", "app/manifests/x"),
        ("app", "app/manifests"),
        ("app", "app/tags"),
        ("app", "app/blobs/deep/er"),
        ("app/manifests/x", "app"),
        ("app/tags/x/y", "app"),
        ("app/blobs", "app"),
    ] {
        let test = TestEngine::new().await;
        for repository in [first, second] {
            test.put(repository, "1", &index(repository));
            test.add(&[&format!("{repository}:1")]).await;
        }
        test.put("app", "2", &index("more"));
        test.add(&["app:2"]).await;
        for repository in [first, second] {
            let path = format!("oci/v2/{}/manifests/1", test.published(repository));
            assert!(test.page(&path).is_some(), "{path} beside {first} and {second}");
        }
    }
}

#[tokio::test]
async fn a_name_that_was_taken_since_the_plan_is_refused() {
    let test = TestEngine::new().await;
    test.put("web", "1", &index("one"));
    test.put("other", "1", &index("two"));
    let named = |what: &str, name: &str| AddRequest { name: Some(name.parse().unwrap()), ..test.request(what) };
    let plan = async |request: AddRequest| test.engine.plan_add(&[request], &Job::new().0).await.unwrap();
    let mut with_alias = plan(named("web:1", "library/web")).await;
    with_alias.images[0].alias = Some("web".parse().unwrap());
    let takes_the_alias = plan(named("other:1", "web")).await;
    let inside = plan(named("other:1", "library/web/manifests/1")).await;
    assert!(test.apply(with_alias).await.unwrap().failed.is_empty());
    test.check();
    for plan in [takes_the_alias, inside] {
        let added = test.apply(plan).await.unwrap();
        assert_eq!(added.failed.len(), 1);
        test.check();
    }
}

#[tokio::test]
async fn the_default_platform_can_change_and_change_back() {
    let test = TestEngine::new().await;
    test.default_platform("linux/amd64").await;
    let odd = |architecture: &str| {
        let platform = Platform { architecture: architecture.into(), ..platform("linux/x") };
        ImageBuilder::new(platform).layer(&[("content", architecture)]).build()
    };
    let image = IndexBuilder::new()
        .image(image("linux/amd64", "usual"))
        .image(image("linux/arm64", "other"))
        .image(odd("riscv-64"))
        .image(odd("Strange"))
        .image(odd(&"long".repeat(20)))
        .build();
    test.put("app", "1", &image);
    let artifact = image.referrer("application/x", "y");
    test.put("app", "artifact", &artifact);
    test.put("app", "artifacts", &IndexBuilder::new().image(artifact).build());
    test.add(&["app:1", "app:artifact", "app:artifacts"]).await;
    let (root, tags) = (test.root(), test.gateway_tags("app"));
    test.default_platform("linux/arm64").await;
    assert_ne!(test.root(), root);
    let fresh = TestEngine::with(test.registry.clone(), None);
    fresh.default_platform("linux/arm64").await;
    fresh.add(&["app:artifacts", "app:artifact", "app:1"]).await;
    assert_eq!(fresh.root(), test.root());
    test.default_platform("linux/amd64").await;
    assert_eq!((test.root(), test.gateway_tags("app")), (root, tags));
}

#[tokio::test]
async fn a_made_up_tag_goes_to_an_image_that_can_have_it() {
    let test = TestEngine::new().await;
    test.default_platform("linux/amd64").await;
    let windows = ImageBuilder::new(platform("windows/arm64")).layer(&[("a", "windows")]).build();
    let first = IndexBuilder::new().image(image("linux/amd64", "a")).image(unsayable(windows)).build();
    test.put("app", "a", &first);
    test.put("app", "a-windows", &index("b"));
    test.add(&["app:a"]).await;
    assert_eq!(test.gateway_tags("app"), ["a"]);
    test.add(&["app:a-windows"]).await;
    assert_eq!(test.gateway_tags("app"), ["a", "a-windows", "a-windows-arm64"]);
    test.remove("app:a").await;
    assert_eq!(test.gateway_tags("app"), ["a-windows", "a-windows-arm64"]);
}

#[tokio::test]
async fn pages_name_the_gateway_tag_that_a_platform_really_has() {
    let test = TestEngine::new().await;
    test.default_platform("linux/amd64").await;
    test.put("app", "1", &index("one"));
    test.put("app", "1-arm64", &image("linux/arm64", "a real tag"));
    let path = format!("repositories/{}/_repository.html", test.published("app"));
    let named = || test.page(&path).unwrap().matches("<dt>Gateway tag</dt><dd><code>1-arm64</code>").count();
    test.add(&["app:1"]).await;
    let (alone, root) = (named(), test.root());
    test.add(&["app:1-arm64"]).await;
    assert_eq!((alone, named()), (1, 1));
    let shown = test.engine.show(&test.pick("app:1")).unwrap().gateway;
    assert!(shown.iter().all(|row| row.tag.as_deref() != Some("1-arm64")), "{shown:?}");
    test.remove("app:1-arm64").await;
    assert_eq!((named(), test.root()), (1, root));
}

#[tokio::test]
async fn another_name_and_tag_follow_the_tag_that_was_asked_for() {
    let test = TestEngine::new().await;
    test.put("app", "1", &index("one"));
    test.put("app", "latest", &index("latest"));
    let pinned = test.put("app", "pinned", &index("pinned"));
    let named = |what: &str, name: &str| AddRequest { name: Some(name.parse().unwrap()), ..test.request(what) };
    let requests = [
        named("app:1", "web:latest"),
        named("app:1", "web:also"),
        named(&format!("app@{pinned}"), "web:pinned"),
        named("app:latest", "other"),
    ];
    let plan = test.engine.plan_add(&requests, &Job::new().0).await.unwrap();
    assert!(test.apply(plan).await.unwrap().failed.is_empty());
    test.check();
    let states = async || {
        let all = test.engine.outdated(&[], &Job::new().0).await.unwrap();
        all.into_iter().map(|row| (row.image, row.state)).collect::<Vec<_>>()
    };
    use crate::engine::query::view::UpstreamState;
    let current = states().await;
    let names: Vec<&str> = current.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["other:latest", "web:also", "web:latest"], "what is pinned follows nothing");
    assert!(current.iter().all(|(_, standing)| matches!(standing, UpstreamState::Current)), "{current:?}");
    let plan = test.engine.plan_update(&[], &Job::new().0).await.unwrap();
    assert!(plan.failed.is_empty() && plan.is_empty(), "{plan:?}");
    let moved = test.put("app", "1", &index("moved"));
    let plan = test.engine.plan_update(&[], &Job::new().0).await.unwrap();
    assert!(plan.failed.is_empty(), "{:?}", plan.failed);
    assert!(test.apply(plan).await.unwrap().failed.is_empty());
    test.check();
    let tag: Tag = "latest".parse().unwrap();
    let rows = test.engine.images(&"web".parse().unwrap()).unwrap();
    let row = rows.iter().find(|row| row.tag.as_deref() == Some(tag.as_str())).unwrap();
    assert_eq!(row.digest, moved);
}
