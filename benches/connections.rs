//! What many connections cost `serve`, and how long others wait while requests are half-sent: run by `benches/connections.sh`.
//!
//! Fills a catalog from an OCI layout, starts the built program, and looks at it from outside. Linux alone: memory is what
//! `/proc` says. Prints one Markdown table.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Clients that are each in the middle of a blob.
const BUSY: usize = 1000;
/// Requests that never end.
const HALF_SENT: usize = 10_000;
/// Requests whose time is taken meanwhile.
const ASKED: usize = 200;
/// Bytes of the blob: more than the buffers between two sockets take.
const BLOB: usize = 64 << 20;
/// What the image is called.
const NAME: &str = "bench";

struct Server {
    process: Child,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It is this program's own child, and may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    fn start(data: &Path) -> Result<Self> {
        let mut process = roadstead(data)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let said = process.stderr.take().ok_or("no standard error")?;
        let mut lines = BufReader::new(said).lines();
        let address = loop {
            let line = lines.next().ok_or("the server ended")??;
            if let Some((_, url)) = line.split_once("serving on http://") {
                break url.trim().to_owned();
            }
        };
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self { process, address })
    }

    fn connect(&self) -> Result<TcpStream> {
        let stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        Ok(stream)
    }

    /// A line of `/proc/PID/status`, in MiB.
    fn memory(&self, line: &str) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let found = status.lines().find_map(|status| status.strip_prefix(line)).ok_or("no such line")?;
        let kilobytes: f64 = found.trim_start_matches(':').split_whitespace().next().ok_or("no number")?.parse()?;
        Ok(kilobytes / 1024.0)
    }
}

fn roadstead(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roadstead"));
    command.env("ROADSTEAD_CONFIG", "/dev/null").arg("--data-dir").arg(data);
    command
}

/// Bytes that can't be compressed, the same each time.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// An image of one large layer, as an OCI layout; the digest of the layer.
fn layout(directory: &Path) -> Result<String> {
    let blobs = directory.join("blobs/sha256");
    std::fs::create_dir_all(&blobs)?;
    let place = |bytes: &[u8]| -> Result<String> {
        let digest = roadstead::image::Digest::of(bytes).to_string();
        std::fs::write(blobs.join(digest.trim_start_matches("sha256:")), bytes)?;
        Ok(digest)
    };
    let layer = place(&noise(BLOB))?;
    let config = json!({ "architecture": "amd64", "os": "linux", "rootfs": { "type": "layers", "diff_ids": [layer] } });
    let config = config.to_string();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": place(config.as_bytes())?, "size": config.len() },
        "layers": [{ "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer, "size": BLOB }],
    });
    let manifest = manifest.to_string();
    let index = json!({ "schemaVersion": 2, "manifests": [{
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": place(manifest.as_bytes())?,
        "size": manifest.len(),
        "annotations": { "org.opencontainers.image.ref.name": "1" },
    }] });
    std::fs::write(directory.join("index.json"), index.to_string())?;
    std::fs::write(directory.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    Ok(layer)
}

fn ask(stream: &mut TcpStream, path: &str) -> Result<()> {
    Ok(write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n")?)
}

/// Reads so much of an answer that its head, and a small body, are read.
fn begin(stream: &mut TcpStream) -> Result<()> {
    let mut buffer = [0; 4096];
    let count = stream.read(&mut buffer)?;
    if buffer[..count].starts_with(b"HTTP/1.1 200") { Ok(()) } else { Err("the answer is not 200".into()) }
}

fn main() -> Result<()> {
    if !std::env::args().any(|word| word == "--bench") {
        // `cargo test` runs it too.
        return Ok(());
    }
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    let here = tempfile::tempdir()?;
    let (images, data) = (here.path().join("layout"), here.path().join("data"));
    let layer = layout(&images)?;
    let source = format!("oci:{}:1", images.display());
    let added = roadstead(&data).args(["add", "--platform", "all", "--as", &format!("{NAME}:1"), &source]).output()?;
    if !added.status.success() {
        return Err(String::from_utf8_lossy(&added.stderr).into_owned().into());
    }
    println!("| figure | goal | value | met |\n|---|---|---|---|");
    let row = |figure: &str, goal: f64, unit: &str, value: f64| {
        let met = if value <= goal { "yes" } else { "no" };
        println!("| {figure} | ≤ {goal} {unit} | {value:.1} {unit} | {met} |");
    };

    let server = Server::start(&data)?;
    let before = server.memory("VmRSS")?;
    let mut busy = Vec::new();
    for _ in 0..BUSY {
        let mut stream = server.connect()?;
        ask(&mut stream, &format!("/v2/{NAME}/manifests/1"))?;
        begin(&mut stream)?;
        ask(&mut stream, &format!("/v2/{NAME}/blobs/{layer}"))?;
        begin(&mut stream)?;
        busy.push(stream);
    }
    row("memory with 1 000 busy connections", 48.0, "MiB", server.memory("VmHWM")?);
    println!("| of that, before the first connection | | {before:.1} MiB | |");
    drop(busy);

    let mut half_sent = Vec::new();
    let begun = Instant::now();
    for _ in 0..HALF_SENT {
        let mut stream = server.connect()?;
        stream.write_all(b"GET /v2/ HTTP/1.1\r\nHo")?;
        half_sent.push(stream);
    }
    let took = begun.elapsed();
    let mut times = Vec::new();
    for _ in 0..ASKED {
        let begun = Instant::now();
        let mut stream = server.connect()?;
        ask(&mut stream, "/v2/")?;
        begin(&mut stream)?;
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    row("longest wait among 10 000 half-sent requests of one address", 100.0, "ms", times[ASKED - 1]);
    println!("| of {ASKED} requests, the middle one | | {:.1} ms | |", times[ASKED / 2]);
    println!("| sending {HALF_SENT} halves | | {:.1} s | |", took.as_secs_f64());
    println!("| memory then, at most | | {:.1} MiB | |", server.memory("VmHWM")?);
    Ok(())
}
