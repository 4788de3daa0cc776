//! The terminal interface on a large catalog: how soon it shows something, how soon it answers a key, and what it costs.
//!
//! Fills a catalog by its tables, since a registry would take hours, then drives the built program through a pseudo-terminal
//! and reads its screen as a terminal does. `ROADSTEAD_BENCH_DIR` says on which disk.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench says what it does and what came out")]
#![expect(clippy::unwrap_used, reason = "a bench that can't go on has failed")]

#[path = "../tests/suite/terminal/emulator.rs"]
mod terminal;

use std::path::Path;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures::StreamExt as _;
use roadstead::engine::job::Event;
use roadstead::engine::{Engine, Options};
use roadstead::image::{Digest, Platform};
use roadstead::registry::credentials::Environment;
use roadstead::registry::memory::{ImageBuilder, MemoryRegistry};
use roadstead::tui::app::{App, Beginning, Look};
use roadstead::tui::message::Msg;
use roadstead::tui::{glyphs, keymap::Keymap, theme::Theme, view};
use rusqlite::{Connection, params};
use terminal::Terminal;

const REPOSITORIES: i64 = 5_000;
const TAGS: i64 = 20;
const SIZE: (u16, u16) = (120, 40);
/// Jobs that run while keys are pressed.
const JOBS: usize = 8;
/// Keys that are pressed.
const KEYS: usize = 300;
/// Bytes of a layer that comes slowly.
const SLOW: usize = 64 << 20;

/// A row of the table.
struct Figure {
    what: String,
    goal: String,
    found: String,
    met: bool,
}

fn milliseconds(what: &str, goal: u64, found: Duration) -> Figure {
    let met = found <= Duration::from_millis(goal);
    let found = format!("{:.1} ms", found.as_secs_f64() * 1000.0);
    Figure { what: what.to_owned(), goal: format!("≤ {goal} ms"), found, met }
}

fn main() {
    let below = std::env::var("ROADSTEAD_BENCH_DIR").unwrap_or_else(|_| ".".to_owned());
    let directory = tempfile::Builder::new().prefix("roadstead-bench-").tempdir_in(&below).unwrap();
    eprintln!("filling a catalog of {} tags in {REPOSITORIES} repositories", REPOSITORIES * TAGS);
    fill(directory.path());
    let mut figures = Vec::new();
    eprintln!("starting");
    figures.extend(starts(directory.path()));
    eprintln!("pressing keys");
    figures.extend(keys(directory.path()));
    eprintln!("pressing keys while {JOBS} jobs run");
    figures.push(busy(directory.path()));
    figures.push(updates());
    println!("| what | goal | found | met |\n| --- | --- | --- | --- |");
    for figure in &figures {
        let met = if figure.met { "yes" } else { "**no**" };
        println!("| {} | {} | {} | {met} |", figure.what, figure.goal, figure.found);
    }
}

/// A catalog with so many rows. What its root says of them nobody asks here.
fn fill(directory: &Path) {
    let options = Options {
        data_dir: directory.to_owned(),
        registries: roadstead::registry::Options::new(Environment::default()),
        wait: Duration::from_secs(5),
        local_discovery: false,
        profile: None,
    };
    drop(Engine::open(options).unwrap());
    let mut connection = Connection::open(directory.join("catalog.db")).unwrap();
    let work = connection.transaction().unwrap();
    let mut next = 1_000_000_i64;
    let mut blob = |size: i64| {
        next += 1;
        let digest = Digest::of(&next.to_be_bytes());
        let digest: Vec<u8> =
            (0..32).map(|byte| u8::from_str_radix(&digest.hex()[byte * 2..byte * 2 + 2], 16).unwrap()).collect();
        // CIDv1, raw, sha2-256.
        let cid = [&[0x01, 0x55, 0x12, 0x20], digest.as_slice()].concat();
        work.prepare_cached("INSERT INTO blobs (id, digest, size, cid, tsize) VALUES (?1, ?2, ?3, ?4, ?3)")
            .unwrap()
            .execute(params![next, digest, size, cid])
            .unwrap();
        next
    };
    let mut base = 0;
    for repository in 1..=REPOSITORIES {
        if repository % 50 == 1 {
            base = blob(30 << 20);
        }
        let name = format!("team-{}/app-{repository}", repository / 50);
        work.prepare_cached("INSERT INTO repositories (id, name, registry, upstream, tags) VALUES (?1, ?2, 'registry.example.com', ?2, ?3)")
            .unwrap()
            .execute(params![repository, name, TAGS])
            .unwrap();
        let own = blob(5 << 20);
        for tag in 0..TAGS {
            let image = repository * 1000 + tag;
            let (manifest, configuration, layer) = (blob(900), blob(3_000), blob(700_000 + image));
            work.prepare_cached(
                "INSERT INTO images (id, repository, tag, manifest, selection, all_manifests, platforms, logical, added_at)
                 VALUES (?, ?, ?, ?, 'linux/amd64', 0, 'linux/amd64', ?, ?)",
            )
            .unwrap()
            .execute(params![image, repository, format!("1.{tag}"), manifest, (35 << 20) + 700_000 + image, 1_790_000_000 + image])
            .unwrap();
            for (part, role) in [(manifest, 0), (configuration, 1), (base, 2), (own, 2), (layer, 2)] {
                work.prepare_cached("INSERT INTO image_contents (image, blob, role, repository) VALUES (?, ?, ?, ?)")
                    .unwrap()
                    .execute(params![image, part, role, repository])
                    .unwrap();
            }
        }
    }
    work.commit().unwrap();
    connection.execute_batch("ANALYZE; PRAGMA wal_checkpoint(TRUNCATE);").unwrap();
}

fn open(directory: &Path) -> Terminal {
    let config = directory.join("config.toml");
    if !config.exists() {
        std::fs::write(&config, "").unwrap();
    }
    let arguments = ["--config", config.to_str().unwrap(), "--data-dir", directory.to_str().unwrap()];
    Terminal::start(Path::new(env!("CARGO_BIN_EXE_roadstead")), &arguments, &[("LANG", "C.UTF-8")], SIZE)
}

fn leave(mut terminal: Terminal) {
    terminal.send("q");
    terminal.wait("the end", |screen| !screen.alternate_screen());
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort();
    all[all.len() / 2]
}

fn percentile(mut all: Vec<Duration>, hundredths: usize) -> Duration {
    all.sort();
    all[(all.len() * hundredths / 100).min(all.len() - 1)]
}

fn starts(directory: &Path) -> Vec<Figure> {
    let (mut frames, mut rows) = (Vec::new(), Vec::new());
    for _ in 0..7 {
        let terminal = open(directory);
        terminal.see("1 Images");
        frames.push(terminal.age());
        terminal.see("team-0/app-1");
        rows.push(terminal.age());
        leave(terminal);
    }
    vec![
        milliseconds("first frame after start, median of 7", 100, median(frames)),
        milliseconds("first rows after start, median of 7", 100, median(rows)),
    ]
}

/// The row of the screen that the cursor is on.
fn cursor(screen: &vt100::Screen) -> Option<usize> {
    screen.rows(0, SIZE.0).position(|row| row.starts_with("│›"))
}

/// Presses `j` and `k` by turns, and says how long each took to be seen.
fn presses(terminal: &mut Terminal) -> Vec<Duration> {
    terminal.wait("a cursor", |screen| cursor(screen).is_some());
    let mut all = Vec::new();
    for key in 0..KEYS {
        let before = terminal.look(cursor);
        // Fifteen down, fifteen up, so that the list itself stays.
        let began = Instant::now();
        terminal.send(if key % 30 < 15 { "j" } else { "k" });
        terminal.wait("the cursor to move", |screen| cursor(screen) != before);
        all.push(began.elapsed());
        // Nobody presses them faster.
        std::thread::sleep(Duration::from_millis(15));
    }
    all
}

fn usage(process: u32) -> Duration {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = text.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    // Linux counts hundredths.
    Duration::from_millis(ticks * 10)
}

fn peak(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = text.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

fn keys(directory: &Path) -> Vec<Figure> {
    let mut terminal = open(directory);
    terminal.see("team-0/app-1");
    let pressed = presses(&mut terminal);
    let mut figures = vec![milliseconds("key to frame, 99 of 100", 16, percentile(pressed, 99))];
    let mut filtered = Vec::new();
    for _ in 0..5 {
        terminal.send("/");
        terminal.see("filter:");
        for (letter, title) in [
            ("a", "5000 /a "),
            ("p", "5000 /ap "),
            ("p", "5000 /app "),
            ("-", "5000 /app- "),
            ("4", "2084 /app-4 "),
            ("2", "383 /app-42 "),
        ] {
            let began = Instant::now();
            terminal.send(letter);
            terminal.wait(title, |screen| {
                let text = screen.contents();
                text.contains(title) && text.contains("app-4") || text.contains(title) && text.contains("team-0/app")
            });
            filtered.push(began.elapsed());
        }
        terminal.send("\x1b");
        terminal.see("Repositories 5000 ");
        std::thread::sleep(Duration::from_millis(100));
    }
    figures.push(milliseconds("filter keystroke to its rows, the slowest of 30", 50, percentile(filtered, 100)));
    figures.push(jumps(&mut terminal));
    terminal.send("G");
    figures.push(milliseconds("to the last row", 100, terminal.see("team-99/app-4999")));
    terminal.send("g");
    terminal.see("team-0/app-1");
    // Every view once, so that memory is what a session takes.
    terminal.send("4");
    let counted = terminal.see("Repositories by size");
    figures.push(milliseconds("the figures of the whole catalog", 5_000, counted));
    terminal.send("1");
    terminal.see("Repositories 5000");
    std::thread::sleep(Duration::from_secs(2));
    let (before, began) = (usage(terminal.process()), Instant::now());
    std::thread::sleep(Duration::from_secs(10));
    let share = usage(terminal.process()).saturating_sub(before).as_secs_f64() / began.elapsed().as_secs_f64() * 100.0;
    figures.push(Figure {
        what: "processor while idle, over 10 s".to_owned(),
        goal: "< 1 %".to_owned(),
        found: format!("{share:.1} %"),
        met: share < 1.0,
    });
    let memory = peak(terminal.process());
    figures.push(Figure {
        what: "memory, the most of the session".to_owned(),
        goal: "≤ 64 MiB".to_owned(),
        found: format!("{:.0} MiB", memory as f64 / f64::from(1 << 20)),
        met: memory <= 64 << 20,
    });
    leave(terminal);
    figures
}

/// Whether the first line of what was found has as many letters marked as were typed: it is the answer to all of them.
fn is_answered(screen: &vt100::Screen, typed: &str) -> bool {
    let field = format!("> {typed}");
    let Some(row) = screen.rows(0, SIZE.0).position(|row| row.contains(&field)) else { return false };
    let is_marked = |column| screen.cell(row as u16 + 2, column).is_some_and(vt100::Cell::underline);
    (0..SIZE.0).filter(|column| is_marked(*column)).count() == typed.len()
}

/// Looks for something in the whole catalog, letter by letter: what is found first is shown after each.
fn jumps(terminal: &mut Terminal) -> Figure {
    let mut found = Vec::new();
    for _ in 0..5 {
        terminal.send("\x10");
        terminal.see("Go to");
        let mut typed = String::new();
        for letter in "app-4242:1.7".chars() {
            typed.push(letter);
            let began = Instant::now();
            terminal.send(&letter.to_string());
            terminal.wait(&typed, |screen| is_answered(screen, &typed));
            found.push(began.elapsed());
        }
        terminal.send("\x1b");
        terminal.see("Repositories 5000 ");
    }
    milliseconds("letter of `go to` among all tags to what it finds, the slowest of 60", 50, percentile(found, 100))
}

/// A registry whose layers come slowly, and jobs that fetch from it.
fn busy(directory: &Path) -> Figure {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let registry = runtime.block_on(async {
        let registry = MemoryRegistry::builder().referrers_api(false).start().await.unwrap();
        let mut slow = Vec::new();
        for job in 0..JOBS {
            let mut bytes = vec![0; SLOW];
            bytes[0] = job as u8;
            slow.push(Digest::of(&bytes).to_string());
            let image = ImageBuilder::new("linux/amd64".parse::<Platform>().unwrap()).opaque_layer(bytes).build();
            registry.put_image(&format!("slow/r{job}").parse().unwrap(), Some("1"), &image);
        }
        registry.intercept(move |request| {
            let large = request.method == "GET" && slow.iter().any(|digest| request.path.ends_with(digest));
            large.then(slowly)
        });
        registry
    });
    let host = registry.host();
    std::fs::write(directory.join("config.toml"), format!("[registries.\"{host}\"]\ninsecure = true\n")).unwrap();
    let mut terminal = open(directory);
    terminal.see("team-0/app-1");
    for job in 0..JOBS {
        terminal.send("a");
        terminal.see("Add images");
        terminal.send(&format!("{host}/slow/r{job}:1"));
        terminal.see("to fetch");
        terminal.send("\r");
        terminal.see(&format!("2 Jobs {}", job + 1));
    }
    let pressed = presses(&mut terminal);
    let running = terminal.look(|screen| screen.contents().contains(&format!("2 Jobs {JOBS}")));
    assert!(running, "jobs ended meanwhile");
    terminal.send("q");
    terminal.see("Leave?");
    terminal.send("c");
    terminal.wait("the end", |screen| !screen.alternate_screen());
    milliseconds(&format!("key to frame while {JOBS} jobs run, 99 of 100"), 16, percentile(pressed, 99))
}

/// Bytes of a layer, a few every few milliseconds, which are never all of them.
fn slowly() -> Response {
    let pieces = futures::stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Some((Ok::<_, std::io::Error>(Bytes::from_static(&[0; 4096])), ()))
    });
    Response::builder().header("content-length", SLOW).body(Body::from_stream(pieces.take(SLOW / 4096))).unwrap()
}

/// What ten thousand updates a second take of the interface's time, with the frames that they cost.
fn updates() -> Figure {
    let mut app = App::new(Beginning {
        look: Look { theme: Theme::terminal(), glyphs: glyphs::UNICODE },
        theme: "terminal",
        colour: true,
        keymap: Keymap::default(),
        mouse: true,
        size: SIZE,
        wall: jiff::Timestamp::now(),
        zone: jiff::tz::TimeZone::UTC,
    });
    for job in 1..=JOBS as u64 {
        app.jobs.begin(job, format!("add image {job}"), None);
    }
    let mut terminal = ratatui::Terminal::new(ratatui::backend::TestBackend::new(SIZE.0, SIZE.1)).unwrap();
    let began = Instant::now();
    for update in 0..10_000_u64 {
        let event = Event::Progress { what: "blocks", done: update, total: 10_000 };
        let _ = app.update(Msg::Job(1 + update % JOBS as u64, event));
        // A frame every ten milliseconds, as the loop draws them.
        if update % 100 == 0 {
            terminal.draw(|frame| view::draw(&app, frame)).unwrap();
        }
    }
    let taken = began.elapsed();
    milliseconds("10 000 updates and the 100 frames of a second", 250, taken)
}
