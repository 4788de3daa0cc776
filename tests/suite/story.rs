//! The stories: from a real registry through the program to every real client, and to IPFS and back.
//!
//! Each test stands alone. Knows the command line and the published tree; must not know the program's inside.

use crate::cli::Roadstead;
use crate::images::{Layout, Made, digest};
use crate::peers::caddy::Caddy;
use crate::peers::containerd::Containerd;
use crate::peers::docker_registry::DockerRegistry;
use crate::peers::kubo::{Kubo, Profile, Repository};
use crate::peers::nginx::Nginx;
use crate::peers::podman::{Buildah, Podman};
use crate::peers::skopeo::Skopeo;
use crate::peers::web;
use std::path::{Path, PathBuf};

const PLAIN: fn() -> Vec<String> = || vec![String::from("--src-tls-verify=false")];

/// A registry that holds an image for three platforms as `busybox:1`.
fn upstream() -> (DockerRegistry, Layout) {
    let layout = Layout::multi_platform();
    let registry = DockerRegistry::plain();
    registry.push(&layout, "1", "busybox");
    (registry, layout)
}

/// A catalog that mirrors every platform of that image.
fn mirrored(registry: &DockerRegistry) -> Roadstead {
    let roadstead = Roadstead::new();
    roadstead.add(&format!("{}/busybox:1", registry.host()));
    roadstead
}

/// A file that the project gives out.
fn asset(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(name)
}

#[test]
fn the_catalog_shows_what_was_added() {
    let (registry, layout) = upstream();
    registry.push(&Layout::busybox(), "1", "other");
    let roadstead = mirrored(&registry);
    let root = roadstead.root();
    let published = format!("{}/busybox", registry.published());
    let reference = format!("{}/busybox:1", registry.host());
    assert!(roadstead.ok(&["list"]).contains(&published));
    let shown = roadstead.ok(&["show", &reference]);
    assert!(shown.contains(&layout.digest("1")), "{shown}");
    assert!(shown.contains("linux/amd64") && shown.contains("linux/arm64"), "{shown}");
    assert!(roadstead.json(&["list"]).to_string().contains(&published));
    assert!(roadstead.json(&["show", &reference]).to_string().contains(&layout.digest("1")));
    roadstead.add(&reference);
    assert_eq!(roadstead.root(), root, "adding again changes nothing");

    let other = format!("{}/other:1", registry.host());
    roadstead.ok(&["add", &other, "--insecure", "--dry-run"]);
    assert_eq!(roadstead.root(), root, "a dry run changes nothing");
    roadstead.add(&other);
    assert_ne!(roadstead.root(), root);
    assert!(roadstead.ok(&["list"]).contains("/other"));
    roadstead.ok(&["remove", &other, "--yes"]);
    assert_eq!(roadstead.root(), root, "nothing of it is left");
    roadstead.run(&["show", &other]).failure(4);
    roadstead.ok(&["show", &reference]);
}

#[test]
fn the_root_depends_on_the_content_alone() {
    let (registry, layout) = upstream();
    registry.push(&layout, "1", "another");
    let (one, other) = (Roadstead::new(), Roadstead::new());
    let names = ["busybox", "another"].map(|name| format!("{}/{name}:1", registry.host()));
    for (first, second) in names.iter().zip(names.iter().rev()) {
        one.add(first);
        other.add(second);
    }
    assert_eq!(one.root(), other.root());
}

#[test]
fn podman_pulls_and_runs_what_is_served() {
    let (registry, _) = upstream();
    let roadstead = mirrored(&registry);
    let serving = roadstead.serve();
    // The upstream's end is no reason to stop.
    let name = format!("{}/{}/busybox:1", serving.host(), registry.published());
    drop(registry);
    let podman = Podman::new();
    podman.pull(&name);
    assert_eq!(podman.run_in(&name, &["cat", "/etc/greeting"]), Made::host().greeting());
}

#[test]
fn buildah_pulls_what_is_served() {
    let (registry, _) = upstream();
    let roadstead = mirrored(&registry);
    let serving = roadstead.serve();
    let upstreams = Buildah::new().pull(&format!("{}/busybox:1", registry.host()));
    let ours = Buildah::new().pull(&format!("{}/{}/busybox:1", serving.host(), registry.published()));
    assert_eq!(ours, upstreams, "the same image");
}

#[test]
fn containerd_pulls_what_is_served_by_tag_and_by_digest() {
    let (registry, layout) = upstream();
    let roadstead = mirrored(&registry);
    let serving = roadstead.serve();
    let containerd = Containerd::start();
    let name = format!("{}/{}/busybox", serving.host(), registry.published());
    containerd.pull(&format!("{name}:1"));
    assert_eq!(containerd.digest(&format!("{name}:1")), layout.digest("1"));
    containerd.pull(&format!("{name}@{}", layout.digest("1")));
}

#[test]
fn one_hosts_file_mirrors_every_upstream_for_containerd() {
    let layout = Layout::multi_platform();
    let registry = DockerRegistry::plain();
    registry.push(&layout, "1", "pause");
    registry.push(&layout, "1", "library/greeting");
    let host = registry.host();
    let roadstead = Roadstead::with_config(&format!(
        "[registries.\"registry.k8s.io\"]\nmirror = \"{host}\"\ninsecure = true\n\
         [registries.\"docker.io\"]\nmirror = \"{host}\"\ninsecure = true\n"
    ));
    roadstead.ok(&["add", "registry.k8s.io/pause:1", "greeting:1", "--platform", "all"]);
    let serving = roadstead.serve();
    let containerd = Containerd::start();
    for name in ["registry.k8s.io/pause:1", "docker.io/library/greeting:1"] {
        containerd.pull_through(&serving.url, name);
        assert_eq!(containerd.digest(name), layout.digest("1"));
    }
    // The short name of what Docker Hub calls official.
    let podman = Podman::new();
    podman.pull(&format!("{}/greeting:1", serving.host()));
    podman.pull(&format!("{}/library/greeting:1", serving.host()));
}

#[test]
fn skopeo_copies_every_platform_back_byte_for_byte() {
    let (registry, layout) = upstream();
    registry.push_with(&layout, "1", "docker-format", &["--format", "v2s2"]);
    let roadstead = mirrored(&registry);
    roadstead.add(&format!("{}/docker-format:1", registry.host()));
    let serving = roadstead.serve();
    for name in ["busybox", "docker-format"] {
        let skopeo = Skopeo::new();
        let theirs = skopeo.files(&format!("{}/{name}:1", registry.host()), &PLAIN());
        let ours = skopeo.files(&format!("{}/{}/{name}:1", serving.host(), registry.published()), &PLAIN());
        assert!(theirs.len() > 8, "three manifests, three configurations, four layers");
        assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>(), "{name}");
        assert!(ours == theirs, "{name}: other bytes");
    }
}

#[test]
fn layers_of_many_chunks_come_back_byte_for_byte() {
    // Around the chunk size of 1 MiB, and well above.
    let layout = Layout::random(&[1, (1 << 20) - 1536, 1 << 20, 23_456_789], 7);
    let registry = DockerRegistry::plain();
    registry.push(&layout, "1", "large");
    let roadstead = Roadstead::new();
    roadstead.add(&format!("{}/large:1", registry.host()));
    let serving = roadstead.serve();
    let base = format!("{}/v2/{}/large", serving.url, registry.published());
    for blob in layout.blobs() {
        let answer = web::get(&format!("{base}/blobs/{blob}")).expect(200);
        assert_eq!(digest(&answer.body), blob);
        assert_eq!(answer.header("docker-content-digest"), blob);
    }
    let ours = Podman::new().pull(&format!("{}/{}/large:1", serving.host(), registry.published()));
    let theirs = Podman::new().pull(&format!("{}/large:1", registry.host()));
    assert_eq!(ours, theirs);
}

#[test]
fn artifacts_signatures_and_attestations_survive() {
    let layout = Layout::with_artifacts();
    let registry = DockerRegistry::plain();
    registry.push_everything(&layout, "careful");
    let host = registry.host();
    let roadstead = Roadstead::new();
    for tag in ["1", "chart-0.1.0"] {
        roadstead.add(&format!("{host}/careful:{tag}"));
    }
    let serving = roadstead.serve();
    let base = format!("{}/v2/{}/careful", serving.url, registry.published());
    // What came from a list of referrers under a fallback tag is listed by us, so that it is complete for what is here.
    let listed = layout.digest("1").replace(':', "-");
    let list = layout.digest(&listed);
    let ours = web::get(&format!("{base}/manifests/{listed}")).expect(200);
    assert_eq!(ours.header("content-type"), "application/vnd.oci.image.index.v1+json");
    let by_digest = web::get(&format!("{base}/manifests/{}", digest(&ours.body))).expect(200);
    assert_eq!(by_digest.body, ours.body);
    for (reference, media_type, digest_of_it) in layout.manifests() {
        if reference == listed || reference == list {
            continue;
        }
        let answer = web::get(&format!("{base}/manifests/{reference}")).expect(200);
        assert_eq!(digest(&answer.body), digest_of_it, "{reference}");
        assert_eq!(answer.header("content-type"), media_type, "{reference}");
    }
    for blob in layout.blobs() {
        assert_eq!(digest(&web::get(&format!("{base}/blobs/{blob}")).expect(200).body), blob);
    }
    let referrers = web::get(&format!("{base}/referrers/{}", layout.digest("1"))).expect(200).text();
    assert!(referrers.contains("application/spdx+json"), "{referrers}");
}

/// `export` writes a tree to which Kubo gives the root that we computed, and holds the blobs as they are.
fn exported_tree_has_our_root(profile: Profile) {
    let (registry, layout) = upstream();
    registry.push(&Layout::random(&[3_000_000, 300_000], 1), "1", "random");
    let roadstead = Roadstead::with_profile(profile.name());
    roadstead.add(&format!("{}/busybox:1", registry.host()));
    roadstead.add(&format!("{}/random:1", registry.host()));
    let directory = roadstead.path("export");
    roadstead.ok(&["export", directory.to_str().expect("a path in UTF-8")]);
    let kubo = Repository::new(profile);
    assert_eq!(kubo.add_recursive_only_hash(&directory), roadstead.root());
    for view in ["v2", "oci/v2"] {
        for blob in layout.blobs() {
            let file = directory.join(format!("{view}/{}/busybox/blobs/{blob}", registry.published()));
            // The gateway view has one platform a tag; blobs of every platform have a tag there.
            let content = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            assert_eq!(digest(&content), blob);
        }
    }
}

#[test]
fn exported_tree_has_our_root_with_the_current_profile() {
    exported_tree_has_our_root(Profile::V1);
}

#[test]
fn exported_tree_has_our_root_with_the_old_profile() {
    exported_tree_has_our_root(Profile::V0);
}

/// What both web servers have to do with an exported tree and our configuration.
fn static_host_is_a_registry(serve: impl Fn(&str) -> String) {
    let (registry, layout) = upstream();
    let roadstead = mirrored(&registry);
    let directory = roadstead.path("export");
    roadstead.ok(&["export", directory.to_str().expect("a path in UTF-8")]);
    let host = serve(directory.to_str().expect("a path in UTF-8"));
    let name = format!("{host}/{}/busybox", registry.published());
    let skopeo = Skopeo::new();
    let ours = skopeo.files(&format!("{name}:1"), &PLAIN());
    assert!(ours == skopeo.files(&format!("{}/busybox:1", registry.host()), &PLAIN()), "other files");
    let by_digest = skopeo.files(&format!("{name}@{}", layout.digest("1")), &PLAIN());
    assert!(ours == by_digest, "other files by digest");
    assert_eq!(skopeo.tags(&name), ["1"]);
    let podman = Podman::new();
    podman.pull(&format!("{name}:1"));
    assert_eq!(podman.run_in(&format!("{name}:1"), &["cat", "/etc/greeting"]), Made::host().greeting());
}

/// What is to be replaced in the configuration files: the port and the directory.
fn placeholders(directory: &str) -> [(&'static str, &str); 2] {
    [("127.0.0.1:5050", "127.0.0.1:PORT"), ("/srv/roadstead", directory)]
}

#[test]
fn nginx_serves_an_export() {
    let running = std::cell::RefCell::new(None);
    static_host_is_a_registry(|directory| {
        let nginx = Nginx::start(&asset("nginx.conf"), &placeholders(directory));
        let host = nginx.host();
        running.replace(Some(nginx));
        host
    });
}

#[test]
fn caddy_serves_an_export() {
    let running = std::cell::RefCell::new(None);
    static_host_is_a_registry(|directory| {
        let caddy = Caddy::start(&asset("Caddyfile"), &placeholders(directory));
        let host = caddy.host();
        running.replace(Some(caddy));
        host
    });
}

#[test]
fn nginx_gives_a_gateway_the_media_types_it_lacks() {
    let (registry, layout) = upstream();
    let roadstead = mirrored(&registry);
    let car = roadstead.path("registry.car");
    roadstead.ok(&["export", car.to_str().expect("a path in UTF-8")]);
    let repository = Repository::new(Profile::V1);
    let root = repository.dag_import(&car);
    let kubo = Kubo::from_repository(repository, &[]);
    let gateway = kubo.gateway_url.replace("http://", "");
    let root = format!("/ipfs/{root}");
    let nginx = Nginx::start(
        &asset("nginx-gateway.conf"),
        &[("127.0.0.1:5050", "127.0.0.1:PORT"), ("127.0.0.1:8080", &gateway), ("/ipns/registry.example.org", &root)],
    );
    let name = format!("{}/{}/busybox", nginx.host(), registry.published());
    let skopeo = Skopeo::new();
    let theirs = skopeo.files(&format!("{}/busybox:1", registry.host()), &PLAIN());
    assert!(skopeo.files(&format!("{name}:1"), &PLAIN()) == theirs, "other files");
    let containerd = Containerd::start();
    containerd.pull(&format!("{name}:1"));
    assert_eq!(containerd.digest(&format!("{name}:1")), layout.digest("1"));
    let podman = Podman::new();
    podman.pull(&format!("{name}:1"));
    assert_eq!(skopeo.tags(&name), ["1"]);
    // The pages and the records, too.
    let page = format!("repositories/{}/busybox/_repository.html", registry.published());
    assert!(web::get(&format!("http://{}/", nginx.host())).expect(200).text().contains(&page));
    assert!(web::get(&format!("http://{}/{page}", nginx.host())).expect(200).text().contains("busybox"));
    web::get(&format!("http://{}/catalog.json", nginx.host())).expect(200);
}

/// podman pulls and runs from a Kubo gateway that holds nothing but the blocks of our CAR file.
fn a_gateway_alone_is_enough(profile: Profile) {
    let (registry, _) = upstream();
    let roadstead = Roadstead::with_profile(profile.name());
    roadstead.add(&format!("{}/busybox:1", registry.host()));
    let car = roadstead.path("registry.car");
    roadstead.ok(&["export", car.to_str().expect("a path in UTF-8")]);
    let published = registry.published();
    drop(registry);
    let root = roadstead.root();

    let repository = Repository::new(profile);
    assert_eq!(repository.dag_import(&car), root);
    let kubo = Kubo::from_repository(repository, &[("registry.test", &root)]);
    let page = web::get_as("registry.test", &format!("{}/", kubo.gateway_url)).expect(200).text();
    assert!(page.contains(&format!("{published}/busybox")), "{page}");
    let podman = Podman::knowing(&["registry.test"]);
    let name = format!("registry.test:{}/{published}/busybox:1", kubo.gateway_port());
    podman.pull(&name);
    assert_eq!(podman.run_in(&name, &["cat", "/etc/greeting"]), Made::host().greeting());
}

#[test]
fn podman_runs_from_a_gateway_with_the_current_profile() {
    a_gateway_alone_is_enough(Profile::V1);
}

#[test]
fn podman_runs_from_a_gateway_with_the_old_profile() {
    a_gateway_alone_is_enough(Profile::V0);
}

#[test]
fn a_private_image_stays_out_until_it_is_allowed() {
    let (open, _) = upstream();
    let roadstead = mirrored(&open);
    let root = roadstead.root();
    let registry = DockerRegistry::with_basic_auth();
    registry.push(&Layout::busybox(), "1", "secret");
    let repository = format!("{}/secret", registry.host());
    let reference = format!("{repository}:1");
    let said = roadstead.run(&["add", &reference, "--insecure"]).failure(5);
    assert!(said.contains("error: "), "{said}");

    roadstead.log_in(&registry.host(), DockerRegistry::USER, DockerRegistry::PASSWORD);
    let added = roadstead.run(&["add", &reference, "--insecure"]);
    assert!(!added.to_string().contains(DockerRegistry::PASSWORD));
    added.success();
    assert_eq!(roadstead.root(), root, "it isn't published");
    // On loopback it is given out.
    let serving = roadstead.serve();
    Podman::new().pull(&format!("{}/{}/secret:1", serving.host(), registry.published()));

    roadstead.ok(&["allow", &repository, "--yes"]);
    assert_ne!(roadstead.root(), root);
    roadstead.ok(&["allow", "--revoke", &repository, "--yes"]);
    assert_eq!(roadstead.root(), root);
}

#[test]
fn an_authority_of_ones_own_is_trusted_when_configured() {
    let layout = Layout::busybox();
    let registry = DockerRegistry::with_tls();
    registry.push(&layout, "1", "secure");
    let reference = format!("{}/secure:1", registry.host());
    Roadstead::new().run(&["add", &reference]).failure(6);

    let roadstead = Roadstead::with_config(&format!(
        "[registries.\"{}\"]\nca_file = \"{}\"\n",
        registry.host(),
        registry.authority().display()
    ));
    roadstead.ok(&["add", &reference]);
    assert!(roadstead.ok(&["show", &reference]).contains(&layout.digest("1")));
}

#[test]
fn exit_codes_tell_the_truth() {
    let (registry, _) = upstream();
    let roadstead = Roadstead::new();
    roadstead.run(&["no-such-verb"]).failure(2);
    roadstead.run(&["add"]).failure(2);
    roadstead.run(&["add", &format!("{}/busybox:no-such-tag", registry.host()), "--insecure"]).failure(4);
    roadstead.run(&["show", "docker.io/library/nothing:1"]).failure(4);
    // Something listens there that doesn't speak the scheme that the user wants.
    let tls = DockerRegistry::with_tls();
    roadstead.run(&["add", "--insecure", &format!("{}/busybox:1", tls.host())]).failure(6);
    roadstead.add(&format!("{}/busybox:1", registry.host()));
    // No terminal to ask, and nobody said yes.
    roadstead.run(&["remove", &format!("{}/busybox:1", registry.host())]).failure(2);
}
