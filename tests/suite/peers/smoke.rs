//! Each real program alone: when one of these fails, it is the machine or the harness, not Roadstead.

use super::containerd::Containerd;
use super::docker_registry::DockerRegistry;
use super::kubo::{Kubo, Profile, Repository};
use super::podman::{Buildah, Podman};
use super::skopeo::{Skopeo, files};
use super::{Directory, caddy::Caddy, nginx::Nginx, web};
use crate::images::{Layout, Made, digest};

/// Everything that a layout has under the tag `1` came back.
fn is_whole(layout: &Layout, registry: &DockerRegistry, name: &str) {
    let copied = Skopeo::new().files(&format!("{}/{name}:1", registry.host()), &registry.skopeo_options("src"));
    let manifest = copied.get(std::path::Path::new("manifest.json")).expect("a manifest");
    assert_eq!(digest(manifest), layout.digest("1"));
    let got: std::collections::BTreeSet<String> = copied.values().map(|content| digest(content)).collect();
    for blob in layout.blobs() {
        assert!(got.contains(&blob), "{blob} is missing");
    }
}

#[test]
fn docker_registry_gives_back_what_skopeo_pushed() {
    let layout = Layout::multi_platform();
    let registry = DockerRegistry::plain();
    registry.push(&layout, "1", "a/busybox");
    is_whole(&layout, &registry, "a/busybox");
    // The same as Docker's own format: other media types, another digest.
    registry.push_with(&layout, "1", "b", &["--format", "v2s2"]);
    let index = web::get_manifest(&format!("http://{}/v2/b/manifests/1", registry.host()));
    assert_ne!(digest(&index.body), layout.digest("1"));
}

#[test]
fn docker_registry_asks_for_a_password() {
    let layout = Layout::busybox();
    let registry = DockerRegistry::with_basic_auth();
    registry.push(&layout, "1", "secret");
    is_whole(&layout, &registry, "secret");
    web::get_manifest(&format!("http://{}/v2/secret/manifests/1", registry.host())).expect(401);
}

#[test]
fn docker_registry_speaks_tls() {
    let layout = Layout::busybox();
    let registry = DockerRegistry::with_tls();
    registry.push(&layout, "1", "secure");
    is_whole(&layout, &registry, "secure");
    let reference = format!("docker://{}/secure:1", registry.host());
    assert_ne!(Skopeo::new().run(&["inspect", &reference]).code, 0, "nobody knows the authority");
}

#[test]
fn docker_registry_takes_artifacts_signatures_and_referrers() {
    let layout = Layout::with_artifacts();
    let registry = DockerRegistry::plain();
    registry.push_everything(&layout, "careful");
    let fallback = layout.digest("1").replace(':', "-");
    let mut tags = Skopeo::new().tags(&format!("{}/careful", registry.host()));
    tags.sort();
    assert_eq!(tags, ["1", "chart-0.1.0", &fallback, &format!("{fallback}.sig")]);
    for (reference, media_type, digest_of_it) in layout.manifests() {
        let answer =
            web::get_manifest(&format!("http://{}/v2/careful/manifests/{reference}", registry.host())).expect(200);
        assert_eq!((answer.header("content-type"), digest(&answer.body)), (media_type.as_str(), digest_of_it));
    }
}

#[test]
fn kubo_hashes_imports_and_serves_by_host_name() {
    for (profile, empty) in [(Profile::V0, "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"), (Profile::V1, EMPTY_V1)] {
        let first = Repository::new(profile);
        let directory = Directory::new();
        assert_eq!(first.add_recursive_only_hash(directory.path()), empty, "{profile:?}");
        directory.write("v2/index.html", "here");
        let root = first.add_recursive_only_hash(directory.path());
        assert_eq!(first.add_recursive(directory.path()), root);
        let car = directory.join("root.car");
        first.dag_export(&root, &car);

        let second = Repository::new(profile);
        assert_eq!(second.dag_import(&car), root);
        let kubo = Kubo::from_repository(second, &[("registry.test", &root)]);
        let page = format!("{}/v2/", kubo.gateway_url);
        assert_eq!(web::get_as("registry.test", &page).expect(200).text(), "here");
        // Without the port in the host name this answers 406.
        let host = format!("{}.ipfs.localhost:{}", kubo.repository().base32(&root), kubo.gateway_port());
        assert_eq!(web::get_as(&host, &page).expect(200).text(), "here");
    }
}

#[test]
fn an_empty_kubo_answers() {
    let kubo = Kubo::start(Profile::V1);
    let version = web::send("POST", &format!("{}/api/v0/version", kubo.api_url), &[], Vec::new()).unwrap();
    assert!(version.expect(200).text().contains("\"Version\""));
    web::get_as("registry.test", &format!("{}/v2/", kubo.gateway_url)).expect(404);
}

/// The empty directory as `unixfs-v1-2025` has it.
const EMPTY_V1: &str = "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354";

#[test]
fn podman_pulls_and_runs_by_name() {
    let registry = DockerRegistry::plain();
    registry.push(&Layout::multi_platform(), "1", "busybox");
    let reference = registry.host().replace("127.0.0.1", "registry.test") + "/busybox:1";
    let podman = Podman::knowing(&["registry.test"]);
    podman.pull(&reference);
    assert_eq!(podman.run_in(&reference, &["cat", "/etc/greeting"]), Made::host().greeting());
    assert_ne!(podman.try_pull(&format!("{reference}-not")).code, 0);
}

#[test]
fn buildah_pulls() {
    let registry = DockerRegistry::plain();
    registry.push(&Layout::busybox(), "1", "busybox");
    assert_eq!(Buildah::new().pull(&format!("{}/busybox:1", registry.host())).len(), 64);
}

#[test]
fn containerd_pulls_by_tag_by_digest_and_through_a_mirror() {
    let layout = Layout::multi_platform();
    let registry = DockerRegistry::plain();
    registry.push(&layout, "1", "busybox");
    let containerd = Containerd::start();
    let by_tag = format!("{}/busybox:1", registry.host());
    containerd.pull(&by_tag);
    assert_eq!(containerd.digest(&by_tag), layout.digest("1"));
    containerd.pull(&format!("{}/busybox@{}", registry.host(), layout.digest("1")));
    let elsewhere = "registry.example.org/busybox:1";
    containerd.pull_through(&format!("http://{}", registry.host()), elsewhere);
    assert_eq!(containerd.digest(elsewhere), layout.digest("1"));
}

#[test]
fn nginx_and_caddy_serve_a_directory() {
    let directory = Directory::new();
    directory.write("tree/index.html", "a page");
    let tree = directory.join("tree");
    let tree = tree.to_str().expect("a path in UTF-8");
    let replacements = [("8080", "PORT"), ("/srv/registry", tree)];
    let file = directory.write("nginx.conf", "server { listen 127.0.0.1:8080; root /srv/registry; }\n");
    let nginx = Nginx::start(&file, &replacements);
    assert_eq!(web::get(&format!("http://{}/", nginx.host())).expect(200).text(), "a page");
    let file = directory.write("Caddyfile", "http://127.0.0.1:8080 {\n\troot * /srv/registry\n\tfile_server\n}\n");
    let caddy = Caddy::start(&file, &replacements);
    assert_eq!(web::get(&format!("http://{}/", caddy.host())).expect(200).text(), "a page");
    assert_eq!(files(&directory.join("tree")).len(), 1);
}
