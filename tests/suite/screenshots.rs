//! Pictures of the interface, made from the real program's screen. `ROADSTEAD_SCREENSHOTS=1 cargo test --test suite screenshots`
//! writes them to `assets/screenshots/`; without it they are made and looked at all the same. With `ROADSTEAD_SCREENSHOTS=light`,
//! `terminal` or `terminal-light`, they are of that theme and paper, and go to `target/screenshots/` to be looked at.

use std::fmt::Write as _;
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

/// Columns and rows of a picture.
const SIZE: (u16, u16) = (120, 32);
/// A cell in pixels.
const CELL: (f64, f64) = (8.4, 17.0);
/// What a terminal looks like, where the program says nothing of it.
struct Paper {
    /// The theme of the program on it.
    theme: &'static str,
    background: &'static str,
    text: &'static str,
    /// The sixteen colours.
    colours: [&'static str; 16],
}

/// A dark one.
const DARK: Paper = Paper {
    theme: "dark",
    background: "#11151c",
    text: "#d5dae3",
    colours: [
        "#11151c", "#e06c75", "#8cc570", "#e0b060", "#6aa7f0", "#c08be0", "#5bbccc", "#d5dae3", "#5c6675", "#f0868e",
        "#a3d98a", "#f0c67a", "#8abcf8", "#d3a6ee", "#7ad3e0", "#ffffff",
    ],
};

/// A light one, with the colours that desktops give out with it.
const LIGHT: Paper = Paper {
    theme: "light",
    background: "#ffffff",
    text: "#1e1e1e",
    colours: [
        "#2e3436", "#cc0000", "#4e9a06", "#c4a000", "#3465a4", "#75507b", "#06989a", "#d3d7cf", "#555753", "#ef2929",
        "#8ae234", "#fce94f", "#729fcf", "#ad7fa8", "#34e2e2", "#eeeeec",
    ],
};

/// The one that is asked for.
fn paper() -> Paper {
    match std::env::var("ROADSTEAD_SCREENSHOTS").as_deref() {
        Ok("light") => LIGHT,
        Ok("terminal") => Paper { theme: "terminal", ..DARK },
        Ok("terminal-light") => Paper { theme: "terminal", ..LIGHT },
        _ => DARK,
    }
}

fn colour(paper: &Paper, colour: vt100::Color, otherwise: &str) -> String {
    match colour {
        vt100::Color::Default => otherwise.to_owned(),
        vt100::Color::Idx(index) => {
            paper.colours.get(usize::from(index)).map_or(otherwise, |colour| *colour).to_owned()
        }
        vt100::Color::Rgb(red, green, blue) => format!("#{red:02x}{green:02x}{blue:02x}"),
    }
}

/// Cells beside each other that look the same.
struct Run {
    column: u16,
    columns: u16,
    text: String,
    style: (String, String, bool, bool, bool),
}

fn runs(on: &Paper, screen: &vt100::Screen, row: u16) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for column in 0..SIZE.0 {
        let Some(cell) = screen.cell(row, column).filter(|cell| !cell.is_wide_continuation()) else { continue };
        let (mut ink, mut paper) = (colour(on, cell.fgcolor(), on.text), colour(on, cell.bgcolor(), on.background));
        if cell.inverse() {
            std::mem::swap(&mut ink, &mut paper);
        }
        let style = (ink, paper, cell.bold(), cell.dim(), cell.underline());
        let columns = if cell.is_wide() { 2 } else { 1 };
        let text = if cell.has_contents() { cell.contents() } else { " " };
        match runs.last_mut().filter(|run| run.style == style && run.column + run.columns == column) {
            Some(run) => {
                run.text.push_str(text);
                run.columns += columns;
            }
            None => runs.push(Run { column, columns, text: text.to_owned(), style }),
        }
    }
    runs
}

/// A picture of a screen, and what it shows in words.
fn picture(screen: &vt100::Screen, title: &str) -> String {
    let (width, height) = (f64::from(SIZE.0) * CELL.0 + 24.0, f64::from(SIZE.1) * CELL.1 + 24.0);
    let on = paper();
    let background = on.background;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"{title}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{background}\"/>\n\
         <g font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" font-size=\"14\" xml:space=\"preserve\">\n"
    );
    for row in 0..SIZE.1 {
        for run in runs(&on, screen, row) {
            let (ink, paper, bold, dim, underline) = &run.style;
            let x = 12.0 + f64::from(run.column) * CELL.0;
            let (wide, y) = (f64::from(run.columns) * CELL.0, 12.0 + f64::from(row) * CELL.1);
            if paper != background {
                let high = CELL.1;
                let _ = writeln!(
                    svg,
                    "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" height=\"{high}\" fill=\"{paper}\"/>"
                );
            }
            if run.text.trim().is_empty() {
                continue;
            }
            let text = run.text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            // Browsers drop the spaces at the ends of a text, and stretch what is left.
            let text = text.replace(' ', "\u{a0}");
            let weight = if *bold { " font-weight=\"bold\"" } else { "" };
            let opacity = if *dim { " opacity=\"0.6\"" } else { "" };
            let line = if *underline { " text-decoration=\"underline\"" } else { "" };
            let base = y + 13.0;
            let _ = writeln!(
                svg,
                "<text x=\"{x:.1}\" y=\"{base:.1}\" textLength=\"{wide:.1}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"{ink}\"{weight}{opacity}{line}>{text}</text>"
            );
        }
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

fn take(terminal: &Terminal, name: &str, shows: &str) {
    let title = format!("roadstead: {name}");
    let svg = terminal.look(|screen| picture(screen, &title));
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
            builder = builder.opaque_layer(bytes(*seed, size << 10));
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
    terminal.send("p");
    terminal.see("sends ");
    take(&terminal, "plan", "acme/shop");
    terminal.send("\r");
    terminal.wait("the publication", |screen| screen.contents().contains("current"));
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
