//! What `roadstead client` writes, given to the real clients: they pull by every name that it promises.

use crate::cli::Roadstead;
use crate::images::{Layout, Made};
use crate::peers::Directory;
use crate::peers::containerd::Containerd;
use crate::peers::docker_registry::DockerRegistry;
use crate::peers::kubo::{Kubo, Profile, Repository};
use crate::peers::nginx::Nginx;
use crate::peers::podman::Podman;
use crate::peers::skopeo::Skopeo;
use std::path::Path;

/// A catalog with images of two registries, one of them under another name; the registries are gone.
fn mirrored() -> (Roadstead, Layout) {
    let layout = Layout::multi_platform();
    let registry = DockerRegistry::plain();
    for repository in ["pause", "library/greeting", "library/other"] {
        registry.push(&layout, "1", repository);
    }
    let host = registry.host();
    let roadstead = Roadstead::with_config(&format!(
        "[registries.\"registry.k8s.io\"]\nmirror = \"{host}\"\ninsecure = true\n\
         [registries.\"docker.io\"]\nmirror = \"{host}\"\ninsecure = true\n"
    ));
    roadstead.ok(&["add", "registry.k8s.io/pause:1", "greeting:1", "--platform", "all"]);
    roadstead.ok(&["add", "other:1", "--as", "renamed", "--platform", "all"]);
    (roadstead, layout)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

#[test]
fn podman_and_skopeo_pull_with_what_is_written() {
    let (roadstead, layout) = mirrored();
    let serving = roadstead.serve();
    let podman = Podman::new();
    roadstead.ok(&["client", "podman", "--from", &serving.url, "--write", text(&podman.registries())]);
    let own = format!("{}/greeting:1", serving.host());
    // No flag says that it is plain http, and no registry but ours is there.
    for name in [own.as_str(), "registry.k8s.io/pause:1", "docker.io/library/greeting:1", "docker.io/library/other:1"] {
        podman.run(&["pull", "--quiet", name]).success();
    }
    assert_eq!(podman.run_in("docker.io/library/other:1", &["cat", "/etc/greeting"]), Made::host().greeting());

    let skopeo = Skopeo::new();
    roadstead.ok(&["client", "skopeo", "--from", &serving.url, "--write", text(&skopeo.registries())]);
    for name in [own.as_str(), "registry.k8s.io/pause:1", "docker.io/library/other:1"] {
        let raw = skopeo.run(&["inspect", "--raw", &format!("docker://{name}")]).success();
        assert_eq!(crate::images::digest(raw.as_bytes()), layout.digest("1"), "{name}");
    }
}

/// containerd pulls by the registry's own name, and by upstream's, by tag and by digest.
#[track_caller]
fn containerd_pulls(hosts: &Path, own: &str, layout: &Layout) {
    let containerd = Containerd::start();
    let digest = layout.digest("1");
    let by_digest = format!("registry.k8s.io/pause@{digest}");
    for name in [own, "registry.k8s.io/pause:1", "docker.io/library/greeting:1", &by_digest] {
        containerd.pull_with(hosts, name);
        assert_eq!(containerd.digest(name), digest);
    }
}

#[test]
fn containerd_pulls_from_serve_with_what_is_written() {
    let (roadstead, layout) = mirrored();
    let serving = roadstead.serve();
    let own = format!("{}/greeting:1", serving.host());
    let hosts = Directory::new();
    // As `serve`, one file stands in for all; as any host, each registry has its own. Both hold for it.
    for kind in ["serve", "static"] {
        let hosts = hosts.make(kind);
        let words = ["client", "containerd", "--from", &serving.url, "--kind", kind, "--write", text(&hosts)];
        roadstead.ok(&words);
        assert_eq!(hosts.join("_default/hosts.toml").exists(), kind == "serve");
        containerd_pulls(&hosts, &own, &layout);
    }
}

/// The exported tree behind nginx with the configuration that the program prints.
fn exported(roadstead: &Roadstead, files: &Directory) -> Nginx {
    let directory = roadstead.path("export");
    roadstead.ok(&["export", text(&directory)]);
    let configuration = files.write("nginx.conf", roadstead.ok(&["config", "web", "nginx"]));
    Nginx::start(&configuration, &[("127.0.0.1:5050", "127.0.0.1:PORT"), ("/srv/roadstead", text(&directory))])
}

#[test]
fn containerd_pulls_from_a_static_host_with_what_is_written() {
    let (roadstead, layout) = mirrored();
    let files = Directory::new();
    let nginx = exported(&roadstead, &files);
    let (hosts, url) = (files.make("hosts"), format!("http://{}", nginx.host()));
    let probed = roadstead.json(&["client", "containerd", "--from", &url, "--probe", "--write", text(&hosts)]);
    assert_eq!(probed["kind"], "static", "{probed}");
    containerd_pulls(&hosts, &format!("{}/greeting:1", nginx.host()), &layout);
}

#[test]
fn containerd_takes_the_bytes_from_a_gateway() {
    let (roadstead, layout) = mirrored();
    let files = Directory::new();
    let nginx = exported(&roadstead, &files);
    // The host that says what tags are has no blob.
    let blobs = roadstead.path("export").join("oci/v2/library/greeting/blobs");
    std::fs::remove_dir_all(blobs).expect("blobs");
    std::fs::remove_dir_all(roadstead.path("export").join("oci/v2/greeting/blobs")).expect("blobs of the alias");
    let car = roadstead.path("registry.car");
    roadstead.ok(&["export", text(&car)]);
    let repository = Repository::new(Profile::V1);
    let root = repository.dag_import(&car);
    let kubo = Kubo::from_repository(repository, &[]);
    let (gateway, host) = (format!("{}/ipfs/{root}", kubo.gateway_url), format!("http://{}", nginx.host()));

    let refused = roadstead.run(&["client", "containerd", "--from", &gateway, "--write", text(files.path())]);
    refused.failure(2);
    let hosts = files.make("hosts");
    let words = ["client", "containerd", "--from", &gateway, "--types-from", &host, "--write", text(&hosts)];
    roadstead.ok(&words);
    let containerd = Containerd::start();
    let name = format!("{}/greeting:1", nginx.host());
    containerd.pull_with(&hosts, &name);
    assert_eq!(containerd.digest(&name), layout.digest("1"));
}

#[test]
fn a_probe_knows_a_host_that_sets_no_types() {
    let (roadstead, _) = mirrored();
    let directory = roadstead.path("export");
    roadstead.ok(&["export", text(&directory)]);
    let files = Directory::new();
    let plain = "server { listen 127.0.0.1:5050; root /srv/roadstead; default_type application/json; }\n";
    let configuration = files.write("plain.conf", plain);
    let nginx =
        Nginx::start(&configuration, &[("127.0.0.1:5050", "127.0.0.1:PORT"), ("/srv/roadstead", text(&directory))]);
    let url = format!("http://{}", nginx.host());
    let probed = roadstead.json(&["client", "containerd", "--from", &url, "--probe"]);
    assert_eq!((&probed["kind"], &probed["usable"]), (&"gateway".into(), &false.into()), "{probed}");
    // What it says of podman is true: it pulls the gateway view.
    let podman = Podman::new();
    roadstead.ok(&["client", "podman", "--from", &url, "--kind", "gateway", "--write", text(&podman.registries())]);
    podman.run(&["pull", "--quiet", &format!("{}/greeting:1", nginx.host())]).success();
}
