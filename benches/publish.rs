//! Publishing, beside what Kubo does by itself, on the same bytes: run by `benches/publish.sh`.
//!
//! Fills catalogs from a registry inside this process, then runs the built program against real Kubo daemons, each with a
//! repository of its own, and times it from the outside. Prints one Markdown table. `ROADSTEAD_BENCH_DIR` says on which disk
//! (the current directory's), `ROADSTEAD_BENCH_ROUNDS` how often (5), arguments say which sections.

#![expect(clippy::print_stderr, clippy::print_stdout, reason = "a bench says what it does, and its table")]

#[path = "publish/moved.rs"]
mod moved;
#[path = "publish/restore.rs"]
mod restore;

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use roadstead::engine::job::Job;
use roadstead::engine::request::{AddRequest, Pick};
use roadstead::engine::{Engine, Options};
use roadstead::error::{Error, Kind, Result};
use roadstead::image::{Platform, Selection};
use roadstead::registry::credentials::Environment;
use roadstead::registry::memory::{ImageBuilder, MemoryRegistry};

/// The name of the target in every catalog.
const TARGET: &str = "kubo";

fn failure(what: impl Into<String>) -> Error {
    Error::new(Kind::Unexpected, what.into())
}

/// Runs a program to its end; its standard output and how long it took.
fn run(command: &mut Command) -> Result<(String, Duration)> {
    let begun = Instant::now();
    let output = command.stdin(Stdio::null()).output()?;
    let took = begun.elapsed();
    if output.status.success() {
        return Ok((String::from_utf8_lossy(&output.stdout).into_owned(), took));
    }
    Err(failure(format!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr))))
}

/// Runs a program to its end; the most memory it had, in MiB.
fn peak_of(command: &mut Command) -> Result<f64> {
    let mut running = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let status = format!("/proc/{}/status", running.id());
    let mut peak = 0.0_f64;
    let ended = loop {
        if let Some(ended) = running.try_wait()? {
            break ended;
        }
        let said = std::fs::read_to_string(&status).unwrap_or_default();
        let line = said.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
        let kilobytes = line.split_whitespace().next().and_then(|number| number.parse::<f64>().ok());
        peak = peak.max(kilobytes.unwrap_or_default() / 1024.0);
        std::thread::sleep(Duration::from_millis(20));
    };
    if ended.success() { Ok(peak) } else { Err(failure(format!("{command:?} failed"))) }
}

/// A Kubo daemon with a repository of its own, empty at first.
struct Kubo {
    repository: tempfile::TempDir,
    daemon: Child,
    api: String,
}

impl Kubo {
    fn start(below: &Path) -> Result<Self> {
        let repository = tempfile::tempdir_in(below)?;
        let ipfs = |words: &[&str]| run(Command::new("ipfs").env("IPFS_PATH", repository.path()).args(words));
        ipfs(&["init", "--empty-repo", "--profile=test"])?;
        ipfs(&["config", "profile", "apply", "unixfs-v1-2025"])?;
        ipfs(&["config", "Routing.Type", "none"])?;
        let mut daemon = Command::new("ipfs")
            .env("IPFS_PATH", repository.path())
            .args(["daemon"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = daemon.stdout.take().ok_or_else(|| failure("the daemon has no output"))?;
        let mut lines = BufReader::new(output).lines();
        let ready = lines.by_ref().map_while(std::result::Result::ok).any(|line| line.contains("Daemon is ready"));
        if !ready {
            return Err(failure("the Kubo daemon does not start"));
        }
        // Whatever else it says has to go somewhere.
        std::thread::spawn(move || lines.for_each(drop));
        let address = std::fs::read_to_string(repository.path().join("api"))?;
        let words: Vec<&str> = address.trim().split('/').collect();
        let [_, "ip4", host, "tcp", port] = words[..] else {
            return Err(failure(format!("the daemon's address is {address}")));
        };
        Ok(Self { api: format!("http://{host}:{port}"), daemon, repository })
    }

    fn ipfs(&self, words: &[&str]) -> Result<(String, Duration)> {
        run(Command::new("ipfs").env("IPFS_PATH", self.repository.path()).args(words))
    }

    /// Where its gateway is.
    fn gateway(&self) -> Result<String> {
        let said = std::fs::read_to_string(self.repository.path().join("gateway"))?;
        Ok(said.trim().trim_end_matches('/').to_owned())
    }

    /// Bytes of the blocks below these roots, each block once.
    fn bytes_below(&self, roots: &[&str]) -> Result<f64> {
        let mut words = vec!["dag", "stat", "--progress=false", "--enc=json"];
        words.extend(roots);
        let (output, _) = self.ipfs(&words)?;
        let last = output.lines().last().unwrap_or_default();
        let said: serde_json::Value = serde_json::from_str(last).map_err(|error| failure(error.to_string()))?;
        said["TotalSize"].as_f64().ok_or_else(|| failure(format!("`ipfs dag stat` says {last}")))
    }
}

impl Drop for Kubo {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// How large the images are.
struct Shape {
    what: &'static str,
    repositories: usize,
    tags: usize,
    /// Bytes of the layer that each image has alone.
    own: usize,
    /// Bytes of the layer that all images of some repositories have.
    shared: usize,
}

const IMAGES: Shape = Shape { what: "1 000 images", repositories: 100, tags: 10, own: 500_000, shared: 3_000_000 };
/// Smaller layers, so that it fits the memory; the tag that moves has the same ones as above.
const MANY: Shape = Shape { what: "10 000 images", repositories: 1_000, tags: 10, own: 20_000, shared: 3_000_000 };

/// Bytes that are the same for the same text and can't be compressed.
fn noise(text: &str, length: usize) -> Vec<u8> {
    use sha2::{Digest as _, Sha256};
    let mut bytes = Vec::with_capacity(length + 32);
    let mut state = Sha256::digest(text);
    while bytes.len() < length {
        bytes.extend_from_slice(&state);
        state = Sha256::digest(state);
    }
    bytes.truncate(length);
    bytes
}

/// A catalog, where its images come from, and the program that publishes it.
struct Bench {
    registry: MemoryRegistry,
    engine: Arc<Engine>,
    directory: tempfile::TempDir,
}

impl Bench {
    async fn new(below: &Path) -> Result<Self> {
        let directory = tempfile::tempdir_in(below)?;
        let engine = Engine::open(Options {
            data_dir: directory.path().to_owned(),
            registries: roadstead::registry::Options::new(Environment::default()),
            wait: Duration::from_mins(1),
            local_discovery: false,
            profile: None,
        })?;
        let registry = MemoryRegistry::builder().referrers_api(false).start().await?;
        Ok(Self { registry, engine, directory })
    }

    fn put(&self, repository: &str, tag: &str, layers: &[(String, usize)]) -> Result<()> {
        let mut builder = ImageBuilder::new("linux/amd64".parse::<Platform>()?).label("content", repository);
        for (text, length) in layers {
            builder = builder.opaque_layer(noise(text, *length));
        }
        self.registry.put_image(&repository.parse()?, Some(tag), &builder.build());
        Ok(())
    }

    async fn add(&self, what: &[(String, String)]) -> Result<()> {
        let source = |(repository, tag): &(String, String)| {
            let source = format!("{}/{repository}:{tag}", self.registry.host()).parse()?;
            Ok(AddRequest { insecure: Some(true), selection: Some(Selection::All), ..AddRequest::new(source) })
        };
        let requests: Vec<AddRequest> = what.iter().map(source).collect::<Result<_>>()?;
        let plan = Job::new().0.run(async |job: &Job| self.engine.plan_add(&requests, job).await).await?;
        let added = Job::new().0.run(async |job: &Job| self.engine.apply_add(plan, "add", job).await).await?;
        match added.failed.into_iter().next() {
            Some(failed) => Err(failed.error),
            None => Ok(()),
        }
    }

    async fn put_and_add(&self, repository: &str, tag: &str, layers: &[(String, usize)]) -> Result<()> {
        self.put(repository, tag, layers)?;
        self.add(&[(repository.to_owned(), tag.to_owned())]).await
    }

    async fn remove(&self, repository: &str) -> Result<()> {
        let pick: Pick = format!("{}/{repository}", self.registry.host().replace(':', "_")).parse()?;
        let plan = self.engine.plan_remove(&[pick])?;
        Job::new().0.run(async |job: &Job| self.engine.apply_remove(&plan, job).await).await.map(drop)
    }

    async fn fill(&self, shape: &Shape) -> Result<()> {
        let mut all = Vec::new();
        for repository in 0..shape.repositories {
            for tag in 0..shape.tags {
                let (name, version) = (repository_name(repository), format!("1.{tag}"));
                let layers =
                    [(format!("base {}", repository % 10), shape.shared), (format!("{name} {version}"), shape.own)];
                self.put(&name, &version, &layers)?;
                all.push((name, version));
            }
        }
        self.add(&all).await
    }

    fn root(&self) -> Result<String> {
        Ok(self.engine.root()?.ok_or_else(|| failure("the catalog has no root"))?.to_string())
    }

    fn program(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_roadstead"));
        command.arg("--data-dir").arg(self.directory.path()).env("ROADSTEAD_CONFIG", "/dev/null").args(words);
        command
    }

    fn target(&self, kubo: &Kubo) -> Result<()> {
        run(&mut self.program(&["target", "add", TARGET, "--kubo", &kubo.api, "--keep", "100"])).map(drop)
    }

    /// Publishes; how long it took from start to end.
    fn publish(&self) -> Result<Duration> {
        Ok(self.publish_in_steps()?.took)
    }

    /// Publishes, and looks at how it gets on.
    fn publish_in_steps(&self) -> Result<Published> {
        let begun = Instant::now();
        let mut command = self.program(&["publish", "--yes", "--json", "--progress", "json"]);
        let mut running = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let told = running.stderr.take().ok_or_else(|| failure("the program says nothing"))?;
        // The document of a first publication is larger than a pipe.
        let document = running.stdout.take().ok_or_else(|| failure("the program says nothing"))?;
        let document = std::thread::spawn(move || std::io::read_to_string(document));
        let mut pinned = None;
        for line in BufReader::new(told).lines() {
            let event: serde_json::Value = serde_json::from_str(&line?).unwrap_or_default();
            if event["event"] == "target.step" && event["step"] == "pin" && event["state"] == "done" {
                pinned = Some(begun.elapsed());
            }
        }
        running.wait()?;
        let took = begun.elapsed();
        let document = document.join().map_err(|_| failure("its document can't be read"))??;
        let said: serde_json::Value = serde_json::from_str(&document).map_err(|error| failure(error.to_string()))?;
        let sent =
            said["targets"][0]["outcome"]["sent"].as_f64().ok_or_else(|| failure("the outcome says no bytes"))?;
        Ok(Published { took, pinned: pinned.unwrap_or(took), sent })
    }
}

/// What came of a publication.
struct Published {
    /// From the program's start to its end.
    took: Duration,
    /// From its start until the new root was pinned.
    pinned: Duration,
    /// Bytes of the CARs.
    sent: f64,
}

/// Waits until the disk has what was written before, so that nobody's writing is measured with another's.
fn settle() -> Result<()> {
    run(&mut Command::new("sync")).map(drop)
}

fn repository_name(number: usize) -> String {
    format!("team-{}/r{number}", number / 100)
}

/// Median, minimum and maximum.
fn spread(values: &[f64]) -> (f64, f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |place: usize| sorted.get(place).copied().unwrap_or_default();
    (at(sorted.len() / 2), at(0), at(sorted.len().saturating_sub(1)))
}

fn seconds(values: &[f64]) -> String {
    let (median, least, most) = spread(values);
    format!("{median:.3} ({least:.3}–{most:.3}) s")
}

/// The rows of the table.
#[derive(Default)]
struct Table(String);

impl Table {
    fn row(&mut self, figure: &str, ours: &str, theirs: &str, value: &str, goal: &str, met: bool) {
        let met = match (goal, met) {
            ("", _) => "",
            (_, true) => "yes",
            (_, false) => "no",
        };
        let _ = writeln!(self.0, "| {figure} | {ours} | {theirs} | {value} | {goal} | {met} |");
    }
}

/// The first gigabyte, to an empty node: publish beside `ipfs dag import` of a CAR that is ready.
async fn first(table: &mut Table, below: &Path, rounds: usize) -> Result<()> {
    eprintln!("publish: the first 1 GiB");
    let bench = Bench::new(below).await?;
    let layers: Vec<(String, usize)> = (0..3).map(|layer| (format!("large {layer}"), 357_913_941)).collect();
    bench.put_and_add("team/large", "1", &layers).await?;
    let car = bench.directory.path().join("all.car").display().to_string();
    run(&mut bench.program(&["export", &car]))?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let (node, other) = (Kubo::start(below)?, Kubo::start(below)?);
        bench.target(&node)?;
        let took = bench.publish()?;
        run(&mut bench.program(&["target", "remove", TARGET, "--yes"]))?;
        let imported = other.ipfs(&["dag", "import", "--stats", &car])?.1;
        // The first round warms the page cache.
        if round > 0 {
            ours.push(took.as_secs_f64());
            theirs.push(imported.as_secs_f64());
        }
    }
    let ratio = spread(&ours).0 / spread(&theirs).0;
    table.row(
        "the first 1 GiB, to an empty node / `ipfs dag import` of a ready CAR",
        &seconds(&ours),
        &seconds(&theirs),
        &format!("{ratio:.2} ×"),
        "≤ 1.1 ×",
        ratio <= 1.1,
    );
    Ok(())
}

/// The most memory that publishing a blob of 4 GiB takes.
fn memory(table: &mut Table, below: &Path) -> Result<()> {
    eprintln!("publish: 4 GiB in one blob");
    let work = tempfile::tempdir_in(below)?;
    let layout = work.path().join("layout");
    write_layout(&layout, 4 << 30)?;
    let node = Kubo::start(below)?;
    let data = work.path().join("data");
    let program = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_roadstead"));
        command.arg("--data-dir").arg(&data).env("ROADSTEAD_CONFIG", "/dev/null").args(words);
        command
    };
    run(&mut program(&["add", &format!("oci:{}", layout.display()), "--as", "huge:1", "--platform", "linux/amd64"]))?;
    std::fs::remove_dir_all(&layout)?;
    run(&mut program(&["target", "add", TARGET, "--kubo", &node.api]))?;
    let peak = peak_of(&mut program(&["publish", "--yes", "--json"]))?;
    table.row("peak memory, publishing a blob of 4 GiB", &format!("{peak:.1} MiB"), "", "", "≤ 48 MiB", peak <= 48.0);
    Ok(())
}

fn hex(digest: &[u8]) -> String {
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// An image of one layer of so many bytes, as an OCI layout.
fn write_layout(layout: &Path, length: u64) -> Result<()> {
    use sha2::{Digest as _, Sha256};
    let blobs = layout.join("blobs/sha256");
    std::fs::create_dir_all(&blobs)?;
    let (mut hasher, piece) = (Sha256::new(), noise("huge", 1 << 20));
    let mut file = std::fs::File::create(blobs.join("layer"))?;
    for number in 0..length >> 20 {
        let mut piece = piece.clone();
        piece[..8].copy_from_slice(&number.to_be_bytes());
        hasher.update(&piece);
        file.write_all(&piece)?;
    }
    let layer = hex(&hasher.finalize());
    std::fs::rename(blobs.join("layer"), blobs.join(&layer))?;
    let place = |text: String| -> Result<(String, usize)> {
        let digest = hex(&Sha256::digest(&text));
        std::fs::write(blobs.join(&digest), &text)?;
        Ok((digest, text.len()))
    };
    let (config, config_size) = place(format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["sha256:{layer}"]}}}}"#
    ))?;
    let media = "application/vnd.oci.image";
    let (manifest, size) = place(format!(
        r#"{{"schemaVersion":2,"mediaType":"{media}.manifest.v1+json","config":{{"mediaType":"{media}.config.v1+json","digest":"sha256:{config}","size":{config_size}}},"layers":[{{"mediaType":"{media}.layer.v1.tar","digest":"sha256:{layer}","size":{length}}}]}}"#
    ))?;
    std::fs::write(
        layout.join("index.json"),
        format!(
            r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"{media}.manifest.v1+json","digest":"sha256:{manifest}","size":{size},"platform":{{"architecture":"amd64","os":"linux"}}}}]}}"#
        ),
    )?;
    std::fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    Ok(())
}

fn main() -> Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|word| word == name);
    let below = std::env::var_os("ROADSTEAD_BENCH_DIR").map_or_else(|| PathBuf::from("."), PathBuf::from);
    let rounds = std::env::var("ROADSTEAD_BENCH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(5);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut table = Table::default();
    if is_wanted("moved") {
        runtime.block_on(moved::measure(&mut table, &below, rounds))?;
    }
    if is_wanted("first") {
        runtime.block_on(first(&mut table, &below, rounds))?;
    }
    if is_wanted("memory") {
        memory(&mut table, &below)?;
    }
    if is_wanted("restore") {
        restore::measure(&mut table, &below, rounds)?;
    }
    println!("| figure | Roadstead | the other | ratio or value | goal | met |\n|---|---|---|---|---|---|");
    print!("{}", table.0);
    Ok(())
}
