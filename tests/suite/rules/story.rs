//! Thirty repositories as they are out there, kept current by a file of rules: from the first run to what leaves.

use std::fmt::Write as _;

use super::{mirrored, part, push, tags_of};
use crate::cli::Roadstead;
use crate::peers::podman::Podman;
use crate::peers::{Finished, finish};
use crate::publishing::world::{DOMAIN, World};
use serde_json::Value;

/// A repository, what its rule says, and the tags that this takes of its list.
const RULES: [(&str, &str, &[&str]); 30] = [
    ("nginx", "tags = ['1.#.#{,-alpine}', 'stable-alpine']\nnewest = 1", &["1.31.4", "1.31.4-alpine", "stable-alpine"]),
    (
        "postgres",
        "tags = ['#.#-alpine']\nnewest = 1\nper = 1\nlines = 3",
        &["16.15-alpine", "17.11-alpine", "18.6-alpine"],
    ),
    ("node", "tags = ['{22,24}.#.#-slim']\nnewest = 1", &["22.23.2-slim", "24.19.0-slim"]),
    ("python", "tags = ['3.#.#-slim']\nnewest = 1\nper = 2\nlines = 2", &["3.13.15-slim", "3.14.7-slim"]),
    ("golang", "tags = ['1.#.#-alpine']\nnewest = 1\nper = 2\nlines = 2", &["1.26.7-alpine", "1.27.0-alpine"]),
    ("redis", "tags = ['8.#.#-alpine']\nnewest = 2", &["8.10.1-alpine", "8.8.2-alpine"]),
    ("php", "tags = ['8.#.#-fpm-alpine']\nnewest = 1\nper = 2\nlines = 2", &["8.4.24-fpm-alpine", "8.5.9-fpm-alpine"]),
    ("wordpress", "tags = ['#.#.#-php8.4-fpm']\nnewest = 1", &["7.1.0-php8.4-fpm"]),
    (
        "nextcloud",
        "tags = ['#.#.#-fpm-alpine']\nnewest = 1\nper = 1\nlines = 2",
        &["33.0.8-fpm-alpine", "34.0.3-fpm-alpine"],
    ),
    ("haproxy", "tags = ['3.#.#-alpine']\nnewest = 2", &["3.3.13-alpine", "3.4.3-alpine"]),
    ("mariadb", "tags = ['#.#.#-ubi10', '#.#.#-noble']\nnewest = 1", &["12.3.2-noble", "12.3.2-ubi10"]),
    ("mongo", "tags = ['8.#.#-noble']\nnewest = 1", &["8.3.8-noble"]),
    ("mysql", "tags = ['#.#.#-oraclelinux9']\nnewest = 2", &["26.7.0-oraclelinux9", "9.7.2-oraclelinux9"]),
    (
        "eclipse-temurin",
        "tags = ['21.#.#_#-jre-alpine', '8u#-b#-jdk-noble']\nnewest = 1",
        &["21.0.12_8-jre-alpine", "8u502-b07-jdk-noble"],
    ),
    ("amazoncorretto", "tags = ['21-alpine#.#-jdk']\nnewest = 1", &["21-alpine3.24-jdk"]),
    ("maven", "tags = ['3.#.#-eclipse-temurin-21-alpine']\nnewest = 1", &["3.9.16-eclipse-temurin-21-alpine"]),
    ("alpine", "tags = ['3.#.#']\nnewest = 1\nper = 2\nlines = 2", &["3.23.5", "3.24.1"]),
    ("ubuntu", "tags = ['{noble,resolute}-#[.#]']\nnewest = 1", &["noble-20260810", "resolute-20260811.1"]),
    ("debian", "tags = ['trixie-#-slim']\nnewest = 1", &["trixie-20260803-slim"]),
    ("busybox", "tags = ['1.#.#-{glibc,musl,uclibc}']\nnewest = 1", &["1.38.0-glibc", "1.38.0-musl", "1.38.0-uclibc"]),
    ("traefik", "tags = ['[v]3.#.#']\nnewest = 1", &["3.7.11", "v3.7.11"]),
    ("httpd", "tags = ['2.#.#-alpine']\nnewest = 1", &["2.4.68-alpine"]),
    ("caddy", "tags = ['2.#.#-alpine']\nnewest = 1", &["2.11.4-alpine"]),
    ("memcached", "tags = ['1.#.#-alpine']\nnewest = 1", &["1.6.45-alpine"]),
    ("rabbitmq", "tags = ['#.#.#-management-alpine']\nnewest = 1", &["4.3.5-management-alpine"]),
    ("tomcat", "tags = ['10.#.#-jre21']\nnewest = 1", &["10.1.59-jre21"]),
    ("ruby", "tags = ['3.#.#-slim']\nnewest = 1\nper = 2", &["3.3.12-slim", "3.4.10-slim"]),
    ("rust", "tags = ['1.#.#-slim']\nnewest = 1", &["1.98.0-slim"]),
    ("julia", "tags = ['1.#.#{pre}-trixie']\nnewest = 1", &["1.13.0-rc3-trixie"]),
    ("docker", "tags = ['#.#.#-dind']\nnewest = 1", &["29.7.2-dind"]),
];

struct Curator {
    world: World,
    /// What is told by the hook, a line of JSON for each event.
    told: std::path::PathBuf,
}

impl Curator {
    fn new() -> Self {
        let world = World::new();
        for (repository, _, _) in RULES {
            push(&world.registry, repository, &tags_of(repository), "as of August\n");
        }
        let told = world.roadstead.path("told.jsonl");
        let mut file = String::from("# What belongs in the registry.\nversion = 1\n");
        for (repository, says, _) in RULES {
            let host = world.registry.host();
            write!(file, "\n[[rule]]\nname = '{repository}'\nimage = '{host}/{repository}'\n{says}\n").unwrap();
            if repository == "redis" {
                file.push_str("age = '3d'\n");
            }
        }
        let script = "cat >> \"$0\"; echo >> \"$0\"";
        write!(file, "\n[[hook]]\nrun = ['sh', '-c', '''{script}''', '{}']\n", told.display()).unwrap();
        std::fs::write(world.roadstead.path("mirror.toml"), file).unwrap();
        Self { world, told }
    }

    fn roadstead(&self) -> &Roadstead {
        &self.world.roadstead
    }

    /// What a timer runs, when so much time has passed.
    fn update_after(&self, offset: &str) -> Finished {
        let words = ["--json", "update", "--yes", "--publish"];
        // The target's programs live in the present.
        let words = if offset == "+0" { &words[..] } else { &words[..3] };
        finish(&self.roadstead().command_at(offset, words))
    }

    #[track_caller]
    fn updated_after(&self, offset: &str) -> Value {
        let printed = self.update_after(offset).success();
        // The update says what it did, and then the publication.
        let mut documents = serde_json::Deserializer::from_str(&printed).into_iter::<Value>();
        documents.next().unwrap().unwrap()
    }

    fn tags(&self, repository: &str) -> Vec<String> {
        mirrored(self.roadstead(), &self.world.registry, repository)
    }

    fn events(&self, kind: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.told).unwrap_or_default();
        let all = text.lines().filter(|line| !line.is_empty()).map(|line| serde_json::from_str::<Value>(line).unwrap());
        all.filter(|event| event["event"] == kind).collect()
    }
}

#[test]
fn it_keeps_itself_current() {
    let curator = Curator::new();
    let (roadstead, registry) = (curator.roadstead(), &curator.world.registry);
    let file = roadstead.path("mirror.toml").display().to_string();
    roadstead.ok(&["rule", "use", &file]);

    // A file that runs programs is not used before they were seen.
    let refused = curator.update_after("+0");
    assert!(refused.stderr.contains("rule trust"), "{refused}");
    refused.failure(2);
    roadstead.run(&["rule", "trust", &file]).failure(2);
    roadstead.ok(&["rule", "trust", "--yes", &file]);

    // The first run.
    let report = curator.updated_after("+0");
    for (repository, _, tags) in RULES {
        let (said, here) = (part(&report, repository), curator.tags(repository));
        assert!(said["failed"].as_array().unwrap().is_empty(), "{said:#}");
        assert!(!here.is_empty() && here.len() == said["new"].as_array().unwrap().len(), "{repository}: {here:?}");
        assert_eq!(here, tags, "{repository}");
    }
    assert_eq!(curator.events("new").len(), RULES.iter().map(|(name, _, _)| curator.tags(name).len()).sum::<usize>());
    let first = roadstead.root();
    assert_eq!(curator.world.record(), [format!("dnslink=/ipfs/{first}")]);
    assert_eq!(curator.events("published").len(), 1);

    // Nothing new: nothing happens, and the next run says so.
    let report = curator.updated_after("+0");
    assert!(report["images"].as_array().unwrap().is_empty() && roadstead.root() == first);

    // A patch appears upstream and arrives, and podman pulls it by the name; one that is too young waits.
    push(registry, "nginx", &["1.31.5".to_owned()], "the patch\n");
    push(registry, "redis", &["8.99.0-alpine".to_owned()], "too young\n");
    let report = curator.updated_after("+0");
    assert_eq!(part(&report, "nginx")["new"].as_array().unwrap().len(), 1);
    assert_eq!(part(&report, "redis")["held"].as_array().unwrap().len(), 1);
    assert!(!curator.tags("redis").contains(&"8.99.0-alpine".to_owned()));
    let second = roadstead.root();
    assert_ne!(second, first);
    curator.world.wait_for_gateway(&second);
    let podman = Podman::knowing(&[DOMAIN]);
    let name = format!("{DOMAIN}:{}/{}/nginx:1.31.5", curator.world.kubo.gateway_port(), registry.published());
    podman.pull(&name);
    assert_eq!(podman.run_in(&name, &["cat", "/etc/greeting"]), "the patch\n");
    assert_eq!(curator.events("held").len(), 1);
    assert_eq!(curator.events("leaving").len(), 1, "the former patch has begun to leave");

    // Three days later it is old enough, and what it replaces begins to leave.
    curator.updated_after("+4d");
    assert!(curator.tags("redis").contains(&"8.99.0-alpine".to_owned()));
    assert_eq!(curator.tags("nginx"), ["1.31.4", "1.31.4-alpine", "1.31.5", "stable-alpine"]);
    // After its time the old patch goes.
    let report = curator.updated_after("+15d");
    assert!(report["removed"][0].as_str().unwrap().ends_with("/nginx:1.31.4"), "{report:#}");
    assert_eq!(curator.tags("nginx"), ["1.31.4-alpine", "1.31.5", "stable-alpine"]);

    // Another machine takes the very same from the lock.
    let lock = roadstead.path("mirror.lock").display().to_string();
    roadstead.ok(&["rule", "lock", &lock]);
    roadstead.ok(&["rule", "lock", "--check", &lock]);
    let other = Roadstead::new();
    other.ok(&["update", &format!("--locked={lock}")]);
    assert_eq!(other.root(), roadstead.root());
    // And says so when it is not the same any more.
    roadstead.ok(&["remove", "--yes", &format!("{}/nginx:1.31.5", registry.published())]);
    roadstead.run(&["rule", "lock", "--check", &lock]).failure(3);
}
