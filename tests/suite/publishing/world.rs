//! The world that a publication moves: who is where, and how each is asked.

use crate::cli::Roadstead;
use crate::images::Layout;
use crate::peers::dnsdist::Dnsdist;
use crate::peers::docker_registry::DockerRegistry;
use crate::peers::knot::Knot;
use crate::peers::kubo::{Kubo, Profile, Repository};
use crate::peers::{wait_for, web};
use std::path::PathBuf;

/// The name that people pull by.
pub(crate) const DOMAIN: &str = "registry.test";

/// Everything but the clients.
pub(crate) struct World {
    pub(crate) registry: DockerRegistry,
    pub(crate) roadstead: Roadstead,
    pub(crate) knot: Knot,
    pub(crate) kubo: Kubo,
    _doh: Dnsdist,
}

impl World {
    /// An upstream registry, an empty catalog, and a target `home`: a node whose gateway finds names in the zone.
    pub(crate) fn new() -> Self {
        let world = Self::without_target();
        world.add_target("home", &world.kubo, &["--keep", "3", "--ipns", "self"]);
        world
    }

    /// The same with nothing set up yet.
    pub(crate) fn without_target() -> Self {
        Self::of(DockerRegistry::plain(), Repository::new(Profile::V1))
    }

    /// The same with this upstream and this node, and without a target.
    pub(super) fn of(registry: DockerRegistry, repository: Repository) -> Self {
        let (roadstead, knot) = (Roadstead::new(), Knot::start(DOMAIN));
        let doh = Dnsdist::start(knot.port());
        let resolvers = format!("{{\"test.\":\"{}\"}}", doh.url);
        repository.run(&["config", "--json", "DNS.Resolvers", &resolvers]).success();
        repository.run(&["config", "DNS.MaxCacheTTL", "0s"]).success();
        let kubo = Kubo::from_repository(repository, &[]);
        Self { registry, roadstead, knot, kubo, _doh: doh }
    }

    /// Adds a target that moves the zone's record.
    pub(crate) fn add_target(&self, name: &str, kubo: &Kubo, more: &[&str]) {
        let (secret, server) = (self.secret_file(), self.name_server());
        let mut words = vec!["target", "add", name, "--kubo", &kubo.api_url];
        words.extend(["--dnslink", DOMAIN, "--dns", "rfc2136", "--dns-server", &server, "--ttl", "1"]);
        words.extend(["--tsig-name", self.knot.key_name(), "--tsig-algorithm", "hmac-sha256"]);
        words.extend(["--tsig-secret-file", secret.to_str().unwrap()]);
        words.extend(more);
        self.roadstead.ok(&words);
    }

    /// A file with the key that may change the record.
    pub(crate) fn secret_file(&self) -> PathBuf {
        let secret = self.roadstead.path("tsig.key");
        std::fs::write(&secret, self.knot.secret()).unwrap();
        secret
    }

    /// Where the zone's server takes updates.
    pub(crate) fn name_server(&self) -> String {
        format!("127.0.0.1:{}", self.knot.port())
    }

    /// Puts an image with these words into the upstream registry, and mirrors it.
    pub(crate) fn mirror(&self, repository: &str, words: &str) -> String {
        self.registry.push(&Layout::saying(words), "1", repository);
        let reference = format!("{}/{repository}:1", self.registry.host());
        self.roadstead.add(&reference);
        self.roadstead.root()
    }

    /// Waits until the gateway gives out this root under the name.
    pub(crate) fn wait_for_gateway(&self, root: &str) {
        let url = format!("{}/v2/", self.kubo.gateway_url);
        wait_for(&format!("{DOMAIN} to give out {root}"), String::new, || {
            let answer = web::send("GET", &url, &[("Host", DOMAIN)], Vec::new()).ok()?;
            answer.header("x-ipfs-roots").starts_with(root).then_some(())
        });
    }

    /// The name that podman pulls by.
    pub(crate) fn image(&self, repository: &str) -> String {
        format!("{DOMAIN}:{}/{}/{repository}:1", self.kubo.gateway_port(), self.registry.published())
    }

    /// The record, as the authoritative server says it.
    pub(crate) fn record(&self) -> Vec<String> {
        self.knot.txt(&format!("_dnslink.{DOMAIN}"))
    }
}
