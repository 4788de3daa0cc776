//! Layers that clients take piece by piece (eStargz, zstd:chunked): by real podman, and by the very requests of stargz-snapshotter,
//! from `serve`, from a follower that has left them at the publisher, and from a gateway.

mod estargz;
mod snapshotter;

use serde_json::Value;

use crate::cli::{Roadstead, Serving};
use crate::images::{Layout, digest, random_bytes, with_busybox};
use crate::peers::docker_registry::DockerRegistry;
use crate::peers::kubo::{Kubo, Profile, Repository};
use crate::peers::podman::Podman;
use crate::peers::{wait_for, web};
use crate::restoring::proxy::Proxy;
use estargz::{FOOTER_BYTES, Layer};
use snapshotter::Blob;

/// Files of a layer; of another version, every second one has other bytes.
fn files(version: u64) -> Vec<(String, Vec<u8>)> {
    let of = |number: u64| if number.is_multiple_of(2) { number } else { 1000 * version + number };
    (0..30)
        .map(|number| (format!("file-{number:02}"), random_bytes(30_000 + 1_000 * number as usize, of(number))))
        .collect()
}

fn estargz_of(files: &[(String, Vec<u8>)]) -> (Layer, Layout) {
    let layer = with_busybox(files, Layer::of);
    let layout = Layout::of_layer(&layer.content, &layer.diff_id, &layer.annotations());
    (layer, layout)
}

/// A registry, its mirror that publishes to itself, and what that serves.
struct Publisher {
    registry: DockerRegistry,
    roadstead: Roadstead,
}

impl Publisher {
    fn new() -> Self {
        Self { registry: DockerRegistry::plain(), roadstead: Roadstead::new() }
    }

    fn publish(&self, repositories: &[&str]) -> Serving {
        for repository in repositories {
            self.roadstead.ok(&["add", &format!("{}/{repository}", self.registry.host())]);
        }
        self.roadstead.ok(&["target", "add", "home", "--self", "--ipns"]);
        self.roadstead.ok(&["publish", "--yes"]);
        self.roadstead.serve_with(&["--ipfs"])
    }

    /// One that has left all layers here.
    fn follower(&self, from: &Serving) -> (Roadstead, Serving) {
        self.follower_of(&from.url)
    }

    fn follower_of(&self, url: &str) -> (Roadstead, Serving) {
        let keys = self.roadstead.json(&["target", "key", "list"]);
        let name = keys[0]["id"].as_str().expect("a key");
        let follower = Roadstead::new();
        let words = ["--ipfs", "--follow", name, "--from", url, "--mode", "lazy", "--every", "1s"];
        let serving = follower.serve_with(&words);
        let root = self.roadstead.root();
        let status = || follower.json(&["follow", "status"]);
        let log = || format!("{:#}", status());
        wait_for("the follower holds the root", log, || (status()["root"] == *root).then_some(()));
        (follower, serving)
    }

    /// The manifest of an image as the registry has it, which a server must have to the byte; gives its only layer.
    fn layer(&self, serving: &Serving, repository: &str, tag: &str) -> Value {
        let asked = |base: &str| web::get_manifest(&format!("{base}/manifests/{tag}")).expect(200);
        let upstream = asked(&format!("http://{}/v2/{repository}", self.registry.host()));
        let here = asked(&self.url(serving, repository));
        assert_eq!((&here.body, here.header("content-type")), (&upstream.body, upstream.header("content-type")));
        let manifest: Value = serde_json::from_slice(&here.body).unwrap();
        manifest["layers"][0].clone()
    }

    fn url(&self, serving: &Serving, repository: &str) -> String {
        format!("{}/v2/{}/{repository}", serving.url, self.registry.published())
    }
}

/// What stargz-snapshotter reads of a layer: the footer, the table of contents, one file, then others with gaps between them.
fn read_lazily(url: &str, layer: &Layer, files: &[(String, Vec<u8>)], is_single: bool) {
    let mut blob = Blob::resolve(url, is_single);
    assert_eq!(blob.size(), layer.content.len() as u64);
    let size = blob.size();
    let toc_offset = estargz::toc_offset(&blob.read(size - FOOTER_BYTES..size));
    let (toc, toc_digest) = estargz::toc(&blob.read(toc_offset..size - FOOTER_BYTES));
    assert_eq!(toc_digest, layer.toc_digest);
    let entries = toc["entries"].as_array().unwrap();
    let place = |name: &str| {
        let at = entries.iter().position(|entry| entry["name"] == name).unwrap();
        let next = entries.get(at + 1).and_then(|entry| entry["offset"].as_u64()).unwrap_or(toc_offset);
        entries[at]["offset"].as_u64().unwrap()..next
    };
    let file = |blob: &mut Blob, (name, content): &(String, Vec<u8>)| {
        let compressed = blob.read(place(name));
        let mut unpacked = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&compressed[..]), &mut unpacked).unwrap();
        assert!(unpacked.starts_with(content), "{name}");
    };
    file(&mut blob, &files[7]);
    let before = blob.fetched;
    assert!(before < size / 2, "{before} of {size} bytes for one file");
    // Every third file at once, as when they are read ahead: many ranges of one request.
    let some: Vec<_> = files.iter().step_by(3).collect();
    let places: Vec<_> = some.iter().map(|(name, _)| place(name)).collect();
    blob.prepare(&places);
    let fetched = blob.fetched;
    for one in some {
        file(&mut blob, one);
    }
    assert_eq!(blob.fetched, fetched, "all of them are here");
    // And everything that is left.
    assert!(blob.read(0..size) == layer.content);
    assert!(is_single || blob.fetched < size + size / 50, "{} of {size} bytes", blob.fetched);
}

#[test]
fn the_requests_of_stargz_snapshotter() {
    let publisher = Publisher::new();
    let files = files(1);
    let (layer, layout) = estargz_of(&files);
    // As it is: skopeo would compress the layer anew.
    publisher.registry.push_everything(&layout, "estargz");
    let serving = publisher.publish(&["estargz:1"]);
    let (_follower, following) = publisher.follower(&serving);
    for server in [&serving, &following] {
        let said = publisher.layer(server, "estargz", "1");
        assert_eq!(said["annotations"], layer.annotations());
        let url = format!("{}/blobs/{}", publisher.url(server, "estargz"), digest(&layer.content));
        read_lazily(&url, &layer, &files, false);
        read_lazily(&url, &layer, &files, true);
    }

    // A plain gateway, which takes blocks from here; it has no answer to several ranges.
    let repository = Repository::new(Profile::V1);
    repository.take_over_http_from(&serving.url);
    let kubo = Kubo::from_repository(repository, &[]);
    let (root, published) = (publisher.roadstead.root(), publisher.registry.published());
    let path = format!("/ipfs/{root}/oci/v2/{published}/estargz/blobs/{}", digest(&layer.content));
    read_lazily(&format!("{}{path}", kubo.gateway_url), &layer, &files, true);

    // From the server itself the blocks around some bytes, which whoever has them verifies.
    let size = layer.content.len() as u64;
    let url = format!("{}{path}?format=car&dag-scope=entity&entity-bytes={}:*", serving.url, size - FOOTER_BYTES);
    let car = web::get(&url).expect(200).body;
    let end = &layer.content[layer.content.len() - FOOTER_BYTES as usize..];
    assert!((car.len() as u64) < size && car.windows(end.len()).any(|window| window == end));
}

#[test]
fn podman_takes_of_a_layer_what_it_has_not() {
    let publisher = Publisher::new();
    for version in [1, 2] {
        let files = files(version);
        let chunked = ["--dest-compress-format", "zstd:chunked"];
        publisher.registry.push_with(&Layout::of_files(&files), "1", &format!("chunked-{version}"), &chunked);
        publisher.registry.push_everything(&estargz_of(&files).1, &format!("estargz-{version}"));
    }
    let repositories = ["chunked-1:1", "chunked-2:1", "estargz-1:1", "estargz-2:1"];
    let serving = publisher.publish(&repositories);
    let (_follower, following) = publisher.follower(&serving);
    for server in [&serving, &following] {
        for format in ["chunked", "estargz"] {
            let podman = Podman::taking_parts();
            let proxy = Proxy::before(&server.url);
            for version in [1, 2] {
                proxy.forget();
                let repository = format!("{format}-{version}");
                let layer = publisher.layer(server, &repository, "1");
                let (digest, size) = (layer["digest"].as_str().unwrap(), layer["size"].as_u64().unwrap());
                let host = proxy.url.trim_start_matches("http://");
                let image = format!("{host}/{}/{repository}:1", publisher.registry.published());
                let log = podman.pull_and_tell(&image);
                if podman.can_take_parts() {
                    assert!(log.contains(&format!("Retrieved partial blob {digest}")), "{log}");
                    let most = proxy.ranges().iter().map(|range| range.split(',').count()).max();
                    assert!(most > Some(10), "{:?}", proxy.ranges());
                    let bytes = proxy.bytes();
                    assert!(version == 1 || bytes < size * 2 / 3, "{bytes} of {size} bytes");
                }
                for (name, content) in files(version).iter().step_by(7) {
                    let sum = podman.run_in(&image, &["sha256sum", &format!("/{name}")]);
                    assert_eq!(format!("sha256:{}", sum.split(' ').next().unwrap()), crate::images::digest(content));
                }
            }
        }
    }
}

/// What a follower has left at the publisher comes from there as far as it is asked for: a few leaves, wherever they are in the layer.
#[test]
fn the_publisher_sends_only_what_is_pulled_from_a_follower() {
    let publisher = Publisher::new();
    let large = |version: u64| -> Vec<(String, Vec<u8>)> {
        // The last four files differ.
        let seed = |number: u64| if number < 12 { number } else { 1000 * version + number };
        (0..16).map(|number| (format!("file-{number:02}"), random_bytes(1 << 20, seed(number)))).collect()
    };
    let files = large(1);
    let (layer, layout) = estargz_of(&files);
    publisher.registry.push_everything(&layout, "estargz");
    for version in [1, 2] {
        let chunked = ["--dest-compress-format", "zstd:chunked"];
        publisher.registry.push_with(&Layout::of_files(&large(version)), "1", &format!("chunked-{version}"), &chunked);
    }
    let serving = publisher.publish(&["estargz:1", "chunked-1:1", "chunked-2:1"]);
    let proxy = Proxy::before(&serving.url);
    let (_follower, following) = publisher.follower_of(&proxy.url);

    // As stargz-snapshotter does: the table of contents at the end, and one file in the middle.
    proxy.forget();
    let url = format!("{}/blobs/{}", publisher.url(&following, "estargz"), digest(&layer.content));
    let mut blob = Blob::resolve(&url, false);
    let size = blob.size();
    let toc_offset = estargz::toc_offset(&blob.read(size - FOOTER_BYTES..size));
    let (toc, _) = estargz::toc(&blob.read(toc_offset..size - FOOTER_BYTES));
    let entry = toc["entries"].as_array().unwrap().iter().find(|entry| entry["name"] == files[9].0).unwrap();
    let start = entry["offset"].as_u64().unwrap();
    let compressed = blob.read(start..start + files[9].1.len() as u64 + 2000);
    let mut unpacked = vec![0; files[9].1.len()];
    std::io::Read::read_exact(&mut flate2::read::GzDecoder::new(&compressed[..]), &mut unpacked).unwrap();
    assert!(unpacked == files[9].1);
    let bytes = proxy.bytes();
    assert!(bytes > 0 && bytes < size / 2, "the publisher sent {bytes} of {size} bytes");
    // The rest comes when all of it is wanted, and what is here is not sent again.
    assert!(web::get(&url).expect(200).body == layer.content);
    assert!(proxy.bytes() < size + size / 4, "the publisher sent {} for {size} bytes", proxy.bytes());

    // As podman does, which has the first version.
    let podman = Podman::taking_parts();
    let image = |version: u64| format!("{}/{}/chunked-{version}:1", following.host(), publisher.registry.published());
    podman.pull_and_tell(&image(1));
    proxy.forget();
    let size = publisher.layer(&following, "chunked-2", "1")["size"].as_u64().unwrap();
    podman.pull_and_tell(&image(2));
    if podman.can_take_parts() {
        let bytes = proxy.bytes();
        assert!(bytes > 4 << 20 && bytes < size / 2, "the publisher sent {bytes} of {size} bytes");
    }
    for (name, content) in large(2).iter().step_by(5) {
        let sum = podman.run_in(&image(2), &["sha256sum", &format!("/{name}")]);
        assert_eq!(format!("sha256:{}", sum.split(' ').next().unwrap()), digest(content));
    }
}
