//! Places that are no single node: a bucket on a real server, a directory behind a web server, here and over ssh, a cluster, a pinning
//! service; and what goes wrong with each.
//!
//! Knows the command line and what clients see. Must not know the program's inside.

mod bucket;
mod buckets;
mod cluster;
mod directory;
mod everywhere;
mod faults;
mod kills;
mod pinning;
mod services;
mod ssh;

use crate::cli::Roadstead;
use crate::images::Layout;
use crate::peers::between::Between;
use crate::peers::docker_registry::DockerRegistry;
use crate::peers::versitygw::{ACCESS_KEY, BUCKET, SECRET_KEY, Versitygw};
use crate::peers::{Finished, finish};

/// An upstream registry, a catalog, and a bucket that is its target `bucket`.
struct World {
    registry: DockerRegistry,
    roadstead: Roadstead,
    bucket: Versitygw,
}

/// Makes the bucket a target of a catalog, reached at this endpoint.
fn add_target(roadstead: &Roadstead, endpoint: &str, more: &[&str]) {
    let place = format!("s3://{BUCKET}");
    let words = ["target", "add", "bucket", "--s3", &place, "--endpoint", endpoint];
    roadstead.ok(&[&words[..], more].concat());
}

impl World {
    fn new() -> Self {
        let world = Self { registry: DockerRegistry::plain(), roadstead: Roadstead::new(), bucket: Versitygw::start() };
        add_target(&world.roadstead, &world.bucket.url(), &[]);
        world
    }

    /// Puts an image with these words into the upstream registry, and mirrors it.
    fn mirror(&self, repository: &str, words: &str) -> String {
        self.registry.push(&Layout::saying(words), "1", repository);
        self.roadstead.add(&format!("{}/{repository}:1", self.registry.host()));
        self.roadstead.root()
    }

    /// Runs the program with the credentials of the bucket.
    fn run(&self, arguments: &[&str]) -> Finished {
        finish(&with_key(&self.roadstead, arguments))
    }

    /// Runs it with `--json`, which must succeed.
    #[track_caller]
    fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let printed = self.run(&[&["--json"], arguments].concat()).success();
        serde_json::from_str(&printed).unwrap_or_else(|_| {
            serde_json::from_str(printed.lines().last().unwrap_or_default())
                .unwrap_or_else(|error| panic!("{error}: {printed}"))
        })
    }

    /// The reference of an image at a host that gives the bucket out.
    fn image(&self, host: &str, repository: &str) -> String {
        format!("{host}/{}/{repository}:1", self.registry.published())
    }
}

/// A world whose bucket is reached by a way that a test can bend.
fn bent() -> (World, Between) {
    let world = World::new();
    let between = Between::to(&world.bucket.url());
    world.roadstead.ok(&["target", "set", "bucket", "--endpoint", &between.url]);
    (world, between)
}

/// The bucket of this catalog was listed so long ago that it is listed again.
fn forget_list(roadstead: &Roadstead) {
    let catalog = rusqlite::Connection::open(roadstead.path("registry/catalog.db")).expect("the catalog");
    let changed =
        catalog.execute("UPDATE targets SET listed_at = listed_at - 2 * 86400 WHERE listed_at IS NOT NULL", []);
    assert_eq!(changed.expect("it is changed"), 1, "a bucket was listed");
}

/// The program with the credentials of the bucket in its environment.
fn with_key(roadstead: &Roadstead, arguments: &[&str]) -> std::process::Command {
    let mut command = roadstead.command(arguments);
    command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
    command
}
