//! What a lazy restore left at a real gateway, given out by `serve` while it is fetched.

use std::thread;

use super::proxy::Proxy;
use crate::cli::Roadstead;
use crate::images::Layout;
use crate::peers::docker_registry::DockerRegistry;
use crate::peers::kubo::{Kubo, Profile, Repository};
use crate::peers::skopeo::Skopeo;

/// Sizes of the image's layers in bytes.
const LAYERS: [u64; 3] = [9_000_000, 5_000_000, 300];

#[test]
fn two_clients_pull_at_once_and_every_block_is_fetched_once() {
    for profile in [Profile::V1, Profile::V0] {
        let registry = DockerRegistry::plain();
        let layout = Layout::random(&LAYERS, 7);
        registry.push(&layout, "1", "random");
        let lost = Roadstead::new();
        let name = format!("{}/random:1", registry.host());
        lost.ok(&["add", &name, "--insecure", "--platform", "all", "--profile", profile.name()]);
        let car = lost.path("registry.car");
        lost.ok(&["export", car.to_str().unwrap()]);
        let repository = Repository::new(profile);
        repository.dag_import(&car);
        let kubo = Kubo::from_repository(repository, &[]);
        let (root, published) = (lost.root(), registry.published());
        drop((lost, registry));
        let proxy = Proxy::before(&kubo.gateway_url);
        let back = Roadstead::new();
        back.ok(&["restore", &root, "--from", &proxy.url, "--lazy"]);
        let serving = back.serve();
        proxy.forget();
        // Whether it is there is known without asking anybody.
        for digest in layout.blobs() {
            let url = format!("{}/v2/{published}/random/blobs/{digest}", serving.url);
            crate::peers::web::send("HEAD", &url, &[], Vec::new()).unwrap().expect(200);
        }
        assert_eq!(proxy.asked(), Vec::<String>::new());
        let from = format!("docker://{}/{published}/random:1", serving.host());
        let into: Vec<_> = ["one", "two"].iter().map(|name| back.path(name)).collect();
        thread::scope(|scope| {
            for directory in &into {
                let from = &from;
                scope.spawn(move || {
                    let to = format!("dir:{}", directory.display());
                    Skopeo::new().copy(&["--src-tls-verify=false", from, &to]);
                });
            }
        });
        for digest in layout.blobs() {
            let file = digest.strip_prefix("sha256:").unwrap();
            for directory in &into {
                assert!(std::fs::read(directory.join(file)).unwrap() == layout.read(&digest), "{digest}");
            }
        }
        let mut asked = proxy.asked();
        let all = asked.len();
        asked.sort_unstable();
        asked.dedup();
        assert_eq!(asked.len(), all, "no block was fetched twice");
        assert!(proxy.bytes() < LAYERS.iter().sum::<u64>() + 100_000, "{}", proxy.bytes());
        back.ok(&["verify"]);
    }
}
