//! What `benches/reach.sh` needs beside programs: a registry of many small images, and the table of blocks of a terabyte.
//!
//! - `registry REPOSITORIES TAGS` serves so many images from this process, says its address, and moves a tag for each line that it
//!   reads: `REPOSITORY TAG CONTENT`. Ends with its standard input.
//! - `index BLOBS BYTES` publishes so many blobs of so many bytes, as sparse files with made-up leaves, and says for the table: bytes,
//!   seconds that making it took, and microseconds (median, 99th percentile, most) that it takes to find a block and read its beginning.
//!
//! `ROADSTEAD_BENCH_DIR` says on which disk (the current directory's).

#![expect(clippy::print_stdout, reason = "a bench says what came out")]

use std::io::BufRead as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cid::Cid;
use cid::multihash::Multihash;
use roadstead::engine::job::Job;
use roadstead::engine::own_node::PublishedBlocks;
use roadstead::engine::request::AddRequest;
use roadstead::engine::{Engine, Options};
use roadstead::image::{Platform, Selection};
use roadstead::registry::credentials::Environment;
use roadstead::registry::memory::{ImageBuilder, MemoryRegistry};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Bytes of a layer before it is said to be longer.
const LAYER_BYTES: usize = 4096;
/// Layers of one image of the terabyte.
const LAYERS_OF_IMAGE: usize = 10;
/// Bytes of a leaf (`unixfs-v1-2025`).
const LEAF_BYTES: u64 = 1 << 20;
/// Digests in a row of the table `blob_leaves`.
const LEAVES_PER_ROW: usize = 120;
/// Blocks that are looked up.
const LOOKED_UP: usize = 5000;
/// What is read of each: one buffer of the gateway.
const READ_BYTES: usize = 64 << 10;

/// Bytes that differ for each text and can't be compressed.
fn noise(text: &str, length: usize) -> Vec<u8> {
    let mut state = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |state, byte| (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
        | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn put(registry: &MemoryRegistry, repository: &str, tag: &str, content: &str) -> Result<()> {
    let builder = ImageBuilder::new("linux/amd64".parse::<Platform>()?)
        .label("content", content)
        .opaque_layer(noise("base", 64 << 10))
        .opaque_layer(noise(&format!("{repository} {tag} {content}"), LAYER_BYTES));
    registry.put_image(&repository.parse()?, Some(tag), &builder.build());
    Ok(())
}

/// Serves many images until standard input ends.
async fn registry(repositories: usize, tags: usize) -> Result<()> {
    let registry = MemoryRegistry::builder().referrers_api(false).start().await?;
    for repository in 0..repositories {
        for tag in 0..tags {
            put(&registry, &format!("team-{}/r{repository}", repository / 100), &format!("1.{tag}"), "first")?;
        }
    }
    println!("{}", registry.host());
    let lines = tokio::task::spawn_blocking(move || -> std::result::Result<(), String> {
        for line in std::io::stdin().lock().lines() {
            let line = line.map_err(|error| error.to_string())?;
            let [repository, tag, content] = line.split(' ').collect::<Vec<_>>()[..] else {
                return Err(format!("`{line}` is no tag to move"));
            };
            put(&registry, repository, tag, content).map_err(|error| error.to_string())?;
            println!("moved");
        }
        Ok(())
    });
    Ok(lines.await??)
}

fn program(data: &Path, words: &[&str]) -> Result<()> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roadstead"));
    command.env("ROADSTEAD_CONFIG", "/dev/null").arg("--data-dir").arg(data).args(words);
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into()) }
}

fn open(data: &Path) -> Result<Arc<Engine>> {
    Ok(Engine::open(Options {
        data_dir: data.to_owned(),
        registries: roadstead::registry::Options::new(Environment::default()),
        wait: Duration::from_mins(1),
        local_discovery: false,
        profile: None,
    })?)
}

/// Publishes small blobs to the program itself.
async fn publish(data: &Path, blobs: usize) -> Result<()> {
    let registry = MemoryRegistry::builder().referrers_api(false).start().await?;
    let mut requests = Vec::new();
    for image in 0..blobs.div_ceil(LAYERS_OF_IMAGE) {
        let mut builder = ImageBuilder::new("linux/amd64".parse::<Platform>()?).label("image", &image.to_string());
        for layer in image * LAYERS_OF_IMAGE..blobs.min((image + 1) * LAYERS_OF_IMAGE) {
            builder = builder.opaque_layer(noise(&layer.to_string(), LAYER_BYTES));
        }
        registry.put_image(&"large".parse()?, Some(&image.to_string()), &builder.build());
        let source = format!("{}/large:{image}", registry.host()).parse()?;
        requests.push(AddRequest { insecure: Some(true), selection: Some(Selection::All), ..AddRequest::new(source) });
    }
    let engine = open(data)?;
    let plan = Job::new().0.run(async |job: &Job| engine.plan_add(&requests, job).await).await?;
    let added = Job::new().0.run(async |job: &Job| engine.apply_add(plan, "add", job).await).await?;
    if let Some(failed) = added.failed.into_iter().next() {
        return Err(failed.error.into());
    }
    program(data, &["target", "add", "home", "--self"])?;
    program(data, &["publish", "--yes"])
}

/// Says of each blob that it has so many bytes, and makes its file as long; the digests of its leaves.
fn enlarge(data: &Path, bytes: u64) -> Result<Vec<[u8; 32]>> {
    let catalog = rusqlite::Connection::open(data.join("catalog.db"))?;
    let rows: Vec<(i64, Vec<u8>)> = catalog
        .prepare("SELECT id, digest FROM blobs WHERE bytes IS NULL AND size = ?")?
        .query_map([LAYER_BYTES], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<std::result::Result<_, _>>()?;
    let mut all = Vec::new();
    catalog.execute_batch("BEGIN")?;
    for (id, digest) in rows {
        let leaves = noise(&format!("leaves of {id}"), 32 * bytes.div_ceil(LEAF_BYTES) as usize);
        catalog.execute("UPDATE blobs SET size = ? WHERE id = ?", (bytes, id))?;
        for (row, digests) in leaves.chunks(32 * LEAVES_PER_ROW).enumerate() {
            let first = row * LEAVES_PER_ROW;
            catalog.execute("INSERT INTO blob_leaves (blob, first, digests) VALUES (?, ?, ?)", (id, first, digests))?;
        }
        all.extend_from_slice(leaves.as_chunks().0);
        let name = digest.iter().fold(String::new(), |name, byte| format!("{name}{byte:02x}"));
        let file = std::fs::OpenOptions::new().write(true).open(data.join("blobs/sha256").join(name))?;
        file.set_len(bytes)?;
    }
    catalog.execute_batch("COMMIT")?;
    Ok(all)
}

async fn index(blobs: usize, bytes: u64) -> Result<()> {
    let below = std::env::var_os("ROADSTEAD_BENCH_DIR").map_or_else(|| PathBuf::from("."), PathBuf::from);
    let data = tempfile::tempdir_in(below)?;
    publish(data.path(), blobs).await?;
    let leaves = enlarge(data.path(), bytes)?;
    let begun = Instant::now();
    let published = PublishedBlocks::open(open(data.path())?)?;
    let made = begun.elapsed();
    let mut buffer = vec![0; READ_BYTES];
    let mut times = Vec::with_capacity(LOOKED_UP);
    // A step that no number of leaves is a multiple of, so that hardly a block is asked for twice.
    for at in (0..LOOKED_UP).map(|number| number * 7_368_787 % leaves.len()) {
        let cid = Cid::new_v1(0x55, Multihash::wrap(0x12, &leaves[at])?);
        let begun = Instant::now();
        let read = published.read(&cid, 0, &mut buffer)?;
        times.push(begun.elapsed());
        if read.is_none_or(|read| read.bytes == 0) {
            return Err(format!("{cid} is not found").into());
        }
    }
    times.sort();
    let microseconds = |at: usize| times[at].as_secs_f64() * 1e6;
    println!(
        "{} {:.3} {:.1} {:.1} {:.1}",
        published.index_bytes(),
        made.as_secs_f64(),
        microseconds(LOOKED_UP / 2),
        microseconds(LOOKED_UP * 99 / 100),
        microseconds(LOOKED_UP - 1)
    );
    Ok(())
}

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    match words[..] {
        // `cargo test` and a bare `cargo bench` run it too.
        [] => Ok(()),
        ["registry", repositories, tags] => runtime.block_on(registry(repositories.parse()?, tags.parse()?)),
        ["index", blobs, bytes] => runtime.block_on(index(blobs.parse()?, bytes.parse()?)),
        _ => Err("use `registry REPOSITORIES TAGS` or `index BLOBS BYTES`".into()),
    }
}
