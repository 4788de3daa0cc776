//! Pictures of the interface, made from the real program's screen. `ROADSTEAD_SCREENSHOTS=1 cargo test --test suite screenshots`
//! writes them to `assets/screenshots/`; without it they are made and looked at all the same. With `ROADSTEAD_SCREENSHOTS=light`,
//! `terminal` or `terminal-light`, they are of that theme and paper, and go to `target/screenshots/` to be looked at.

mod animation;
mod picture;

use std::path::Path;
use std::time::Duration;

use roadstead::engine::job::Job;
use roadstead::engine::publish::plan::PublishRequest;
use roadstead::engine::request::AddRequest;
use roadstead::engine::targets::{Adapters, NodeAddress, Peers, TargetChange, Variables};
use roadstead::engine::{Engine, Options};
use roadstead::image::Platform;
use roadstead::registry::credentials::Environment;
use roadstead::registry::memory::{ImageBuilder, MemoryRegistry};

use crate::peers::kubo::{Kubo, Profile};
use crate::terminal::Terminal;
use picture::{SIZE, paper, picture};

fn take(terminal: &Terminal, name: &str, shows: &str) {
    let title = format!("roadstead: {name}");
    keep(name, &terminal.look(|screen| picture(screen, &title)), shows);
}

/// Keeps a picture, which shows these words, where pictures are asked for.
fn keep(name: &str, svg: &str, shows: &str) {
    for word in shows.split(' ') {
        assert!(svg.contains(word), "the picture of {name} does not show {word}");
    }
    if std::env::var_os("ROADSTEAD_SCREENSHOTS").is_some() {
        let usual = std::env::var("ROADSTEAD_SCREENSHOTS").is_ok_and(|of| of == "1");
        let place = if usual { "assets/screenshots" } else { "target/screenshots" };
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(place);
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join(format!("{name}.svg")), svg).unwrap();
    }
}

/// Bytes that do not compress, the same for the same seed.
fn bytes(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..size)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect()
}

/// What a layer of this seed has, and how much of it in hundredths: what does not say so is the program of its image.
fn contents(seed: u64) -> &'static [(&'static str, usize)] {
    match seed {
        1 | 3 => &[
            ("bin/busybox", 18),
            ("etc/passwd", 1),
            ("lib/libc.so.6", 40),
            ("lib/libcrypto.so.3", 33),
            ("usr/share/ca-certificates.crt", 4),
            ("var/cache/packages.db", 4),
        ],
        80 => &[
            ("srv/shop/assets/app.js", 24),
            ("srv/shop/assets/logo.svg", 3),
            ("srv/shop/bin/shop", 72),
            ("srv/shop/shop.toml", 1),
        ],
        81 | 82 => &[("srv/shop/assets/app.js", 94), ("srv/shop/shop.toml", 6), ("var/cache/.wh.packages.db", 0)],
        _ => &[("usr/local/bin/program", 97), ("usr/local/etc/program.conf", 3)],
    }
}

/// Published name, tag, and the seeds and sizes of its layers in KiB.
type Shown = (&'static str, &'static str, &'static [(u64, usize)]);

const IMAGES: [Shown; 11] = [
    ("library/nginx", "1.28", &[(1, 3400), (2, 1800), (20, 240)]),
    ("library/nginx", "1.29", &[(1, 3400), (2, 1800), (21, 260)]),
    ("library/nginx", "1.29-alpine", &[(3, 1600), (22, 900)]),
    ("library/redis", "8.2", &[(1, 3400), (30, 1100)]),
    ("library/redis", "8.2-alpine", &[(3, 1600), (31, 700)]),
    ("library/postgres", "18", &[(1, 3400), (40, 6100)]),
    ("grafana/grafana", "12.3", &[(3, 1600), (50, 5200)]),
    ("prometheus/prometheus", "v3.7", &[(60, 4700)]),
    ("coredns/coredns", "1.13", &[(70, 1900)]),
    ("acme/shop", "2026.11.1", &[(1, 3400), (80, 2200), (81, 120)]),
    ("acme/shop", "2026.11.2", &[(1, 3400), (80, 2200), (82, 130)]),
];

async fn mirror(engine: &std::sync::Arc<Engine>, registry: &MemoryRegistry, from: usize, to: usize) {
    for (name, tag, layers) in &IMAGES[from..to] {
        let mut builder = ImageBuilder::new("linux/amd64".parse::<Platform>().unwrap())
            .entrypoint(&["/docker-entrypoint.sh"])
            .env("PATH=/usr/local/sbin:/usr/local/bin:/usr/bin:/bin")
            .label("org.opencontainers.image.version", tag);
        for (seed, size) in *layers {
            let file = |(place, (path, hundredths)): (usize, &(&'static str, usize))| {
                (*path, bytes(seed * 100 + place as u64, (size << 10) * hundredths / 100))
            };
            let files: Vec<(&str, Vec<u8>)> = contents(*seed).iter().enumerate().map(file).collect();
            builder = builder.layer(&files);
        }
        registry.put_image(&name.parse().unwrap(), Some(tag), &builder.build());
        let source = format!("{}/{name}:{tag}", registry.host()).parse().unwrap();
        let named = format!("{name}:{tag}").parse().unwrap();
        let request = AddRequest { insecure: Some(true), name: Some(named), ..AddRequest::new(source) };
        let (job, _watch) = Job::new();
        let added = job
            .run(async |job: &Job| {
                let plan = engine.plan_add(&[request], job).await?;
                engine.apply_add(plan, "add", job).await
            })
            .await;
        added.unwrap();
    }
}

async fn publish(engine: &std::sync::Arc<Engine>, peers: &Peers) {
    let (job, _watch) = Job::new();
    let published = job
        .run(async |job: &Job| {
            let plan = engine.plan_publish(&PublishRequest::default(), peers, job).await?;
            engine.apply_publish(&plan, peers, job).await
        })
        .await;
    assert!(published.unwrap().targets.iter().all(|target| target.failure.is_none()));
}

#[test]
fn each_view_has_a_picture() {
    let kubo = Kubo::start(Profile::V1);
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let registry = runtime.block_on(async {
        let registry = MemoryRegistry::builder().start().await.unwrap();
        let options = Options {
            data_dir: data.clone(),
            registries: roadstead::registry::Options::new(Environment::default()),
            wait: Duration::from_secs(5),
            local_discovery: false,
            profile: None,
        };
        let engine = Engine::open(options).unwrap();
        let change = TargetChange {
            node: Some(NodeAddress::typed(&kubo.api_url)),
            ipns: Some("self".to_owned()),
            ..TargetChange::default()
        };
        engine.add_target("home", &change).unwrap();
        let away = TargetChange { node: Some(NodeAddress::typed("http://127.0.0.1:9")), ..TargetChange::default() };
        let peers = Peers::new(Variables::new(|_| None), Adapters::new(std::sync::Arc::clone(&engine), |_, _| ()));
        for (from, to) in [(0, 3), (3, 6), (6, 9)] {
            mirror(&engine, &registry, from, to).await;
            publish(&engine, &peers).await;
        }
        engine.add_target("away", &away).unwrap();
        mirror(&engine, &registry, 9, 11).await;
        registry
    });
    let config = directory.path().join("config.toml");
    std::fs::write(&config, format!("[interface]\ntheme = \"{}\"\n", paper().theme)).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_roadstead"));
    let arguments = ["--config", config.to_str().unwrap(), "--data-dir", data.to_str().unwrap()];
    let mut terminal = Terminal::start(program, &arguments, &[("LANG", "C.UTF-8")], SIZE);
    terminal.see("prometheus/prometheus");
    // What is beside the list comes a moment later.
    terminal.see("2026.11.1");
    take(&terminal, "images", "library/postgres Repositories");
    terminal.send("jjj\r");
    terminal.see("1.29-alpine");
    terminal.send("j");
    terminal.see("linux/amd64");
    take(&terminal, "tags", "1.29-alpine linux/amd64");
    terminal.send("3");
    terminal.see("lost");
    terminal.send("j");
    terminal.see("kubo/");
    take(&terminal, "publish", "home History behind kubo/");
    terminal.send("n");
    terminal.see("New target");
    take(&terminal, "target", "New target");
    terminal.send("\x1b");
    terminal.wait("no form", |screen| !screen.contents().contains("New target"));
    // The publication of the moving picture is the one whose job the others show.
    // Without a target that is lost.
    let without = ["target", "remove", "away", "--yes"];
    let removed = std::process::Command::new(program).args(arguments).args(without).output().unwrap();
    assert!(removed.status.success(), "{removed:?}");
    terminal.wait("one target", |screen| !screen.contents().contains("lost"));
    terminal.send("1");
    terminal.see("1.29-alpine");
    terminal.send("\x1b");
    terminal.see("prometheus/prometheus");
    terminal.send("g");
    let story = animation::take(&mut terminal);
    keep("story", &story, "acme/shop packages.db prefers-reduced-motion");
    terminal.send("2");
    terminal.see("read back");
    take(&terminal, "jobs", "pin check");
    terminal.send("4");
    terminal.see("Bytes of the published root over time");
    take(&terminal, "stats", "logical stored saved");
    terminal.send("5");
    terminal.see("publish started");
    take(&terminal, "log", "info");
    terminal.send("?");
    terminal.see("Commands here");
    take(&terminal, "help", "Commands here");
    terminal.send("\x1b");
    terminal.wait("no help", |screen| !screen.contents().contains("Commands here"));
    terminal.send("q");
    terminal.wait("the end", |screen| !screen.alternate_screen());
    drop(registry);
}
