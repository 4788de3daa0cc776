//! The new root after one moved tag, in catalogs of several shapes, and what of it takes the time.
//!
//! Fills each catalog from a registry inside this process, then moves one tag after another and times the change of the
//! catalog alone: rows, tree, root and the commit that survives a power cut. `ROADSTEAD_BENCH_DIR` says on which disk (the
//! current directory's), arguments say which shapes (all), `ROADSTEAD_BENCH_ROUNDS` how often (15).

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench says what it does and what came out")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use roadstead::engine::job::Job;
use roadstead::engine::request::{AddRequest, Pick};
use roadstead::engine::{Engine, Options};
use roadstead::error::Result;
use roadstead::image::{Platform, Selection};
use roadstead::registry::credentials::Environment;
use roadstead::registry::memory::{Image, ImageBuilder, MemoryRegistry};
use tracing::span;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

/// The parts of a change, as its spans name them, in order.
const PARTS: [&str; 5] = ["rows", "directories", "pages", "root", "commit"];

/// A catalog to measure in.
struct Shape {
    name: &'static str,
    what: &'static str,
    repositories: usize,
    tags: usize,
    /// Layers of each image that no other has.
    layers: usize,
}

const SHAPES: [Shape; 5] = [
    Shape { name: "images", what: "1 000 images: 100 repositories of 10 tags", repositories: 100, tags: 10, layers: 1 },
    Shape { name: "repositories", what: "10 000 repositories", repositories: 10_000, tags: 1, layers: 0 },
    Shape { name: "tags", what: "10 000 tags in one repository", repositories: 1, tags: 10_000, layers: 0 },
    Shape { name: "blobs", what: "4 400 blobs in one repository", repositories: 1, tags: 400, layers: 10 },
    Shape { name: "names", what: "4 400 repositories in one directory", repositories: 4_400, tags: 1, layers: 0 },
];

impl Shape {
    fn repository(&self, number: usize) -> String {
        // One level for each of 100, except where the very directory is what is measured.
        if self.name == "repositories" { format!("team-{}/r{number}", number / 100) } else { format!("team/r{number}") }
    }

    fn all(&self) -> Vec<(String, String)> {
        let tags = |repository: usize| (0..self.tags).map(move |tag| (repository, tag));
        (0..self.repositories)
            .flat_map(tags)
            .map(|(repository, tag)| (self.repository(repository), format!("1.{tag}")))
            .collect()
    }
}

/// Time spent in spans, by name.
#[derive(Clone, Default)]
struct Spent(Arc<Mutex<BTreeMap<&'static str, Duration>>>);

impl Spent {
    fn take(&self) -> BTreeMap<&'static str, Duration> {
        self.0.lock().map(|mut spent| std::mem::take(&mut *spent)).unwrap_or_default()
    }
}

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> tracing_subscriber::Layer<S> for Spent {
    fn on_enter(&self, id: &span::Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            span.extensions_mut().replace(Instant::now());
        }
    }

    fn on_exit(&self, id: &span::Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let begun = span.extensions().get::<Instant>().copied();
        if let (Some(begun), Ok(mut spent)) = (begun, self.0.lock()) {
            *spent.entry(span.name()).or_default() += begun.elapsed();
        }
    }
}

/// An image that differs from all others by this text; its layers but one too.
fn image(text: &str, layers: usize) -> Result<Image> {
    let mut builder = ImageBuilder::new("linux/amd64".parse::<Platform>()?)
        .layer(&[("bin/tool", "the same everywhere")])
        .label("content", text);
    for layer in 0..layers {
        builder = builder.layer(&[("content", format!("{text} {layer}"))]);
    }
    Ok(builder.build())
}

struct Bench {
    registry: MemoryRegistry,
    engine: Arc<Engine>,
    layers: usize,
    _directory: tempfile::TempDir,
}

impl Bench {
    async fn new(shape: &Shape, below: &Path) -> Result<Self> {
        let directory = tempfile::tempdir_in(below)?;
        let engine = Engine::open(Options {
            data_dir: directory.path().to_owned(),
            registries: roadstead::registry::Options::new(Environment::default()),
            wait: Duration::from_secs(5),
            local_discovery: false,
            profile: None,
        })?;
        let registry = MemoryRegistry::builder().referrers_api(false).start().await?;
        Ok(Self { registry, engine, layers: shape.layers, _directory: directory })
    }

    fn put(&self, repository: &str, tag: &str, text: &str) -> Result<()> {
        let image = image(text, self.layers)?;
        self.registry.put_image(&repository.parse()?, Some(tag), &image);
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

    async fn remove(&self, repository: &str, tag: &str) -> Result<()> {
        let pick: Pick = format!("{}/{repository}:{tag}", self.registry.host().replace(':', "_")).parse()?;
        let plan = self.engine.plan_remove(&[pick])?;
        Job::new().0.run(async |job: &Job| self.engine.apply_remove(&plan, job).await).await.map(drop)
    }
}

/// Median, minimum and maximum in milliseconds.
fn summary(mut times: Vec<Duration>) -> (f64, f64, f64) {
    times.sort();
    let ms = |at: usize| times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1000.0);
    (ms(times.len() / 2), ms(0), ms(times.len() - 1))
}

async fn measure(shape: &Shape, below: &Path, spent: &Spent, rounds: usize) -> Result<Vec<(f64, String)>> {
    let bench = Bench::new(shape, below).await?;
    let all = shape.all();
    for (repository, tag) in &all {
        bench.put(repository, tag, &format!("{repository} {tag}"))?;
    }
    spent.take();
    let begun = Instant::now();
    bench.add(&all).await?;
    let filled = begun.elapsed();
    let of_fill = spent.take();
    let mut notes = String::new();
    for part in PARTS {
        let _ = write!(notes, " {part} {:.1},", of_fill.get(part).copied().unwrap_or_default().as_secs_f64());
    }
    eprintln!(
        "{}: filled in {:.1} s, {:.0} images/s (seconds:{notes} changes {:.1})",
        shape.name,
        filled.as_secs_f64(),
        all.len() as f64 / filled.as_secs_f64(),
        of_fill.get("change").copied().unwrap_or_default().as_secs_f64(),
    );

    let mut moved: BTreeMap<&'static str, Vec<Duration>> = BTreeMap::new();
    for round in 0..rounds {
        let (repository, tag) = &all[(round * 7919 + 13) % all.len()];
        bench.put(repository, tag, &format!("moved {round}"))?;
        spent.take();
        bench.add(&[(repository.clone(), tag.clone())]).await?;
        for (name, time) in spent.take() {
            moved.entry(name).or_default().push(time);
        }
    }
    // A new one, a moved one, a removed one: each alone, then the first two in one plan. Their blobs are here by then, so
    // that nothing is fetched beside the change that is timed.
    let mut kinds: [Vec<Duration>; 4] = Default::default();
    for round in 0..rounds.div_ceil(2) {
        let new = (shape.repository(round % shape.repositories), format!("new-{round}"));
        bench.put(&new.0, &new.1, &format!("new {round}"))?;
        spent.take();
        bench.add(std::slice::from_ref(&new)).await?;
        kinds[0].push(spent.take().remove("change").unwrap_or_default());
        let (repository, tag) = &all[(round * 7919 + 29) % all.len()];
        bench.put(repository, tag, &format!("moved again {round}"))?;
        bench.add(&[(repository.clone(), tag.clone())]).await?;
        kinds[1].push(spent.take().remove("change").unwrap_or_default());
        bench.remove(&new.0, &new.1).await?;
        kinds[2].push(spent.take().remove("change").unwrap_or_default());
        bench.put(repository, tag, &format!("{repository} {tag}"))?;
        spent.take();
        bench.add(&[new.clone(), (repository.clone(), tag.clone())]).await?;
        bench.remove(&new.0, &new.1).await?;
        kinds[3].push(spent.take().remove("change").unwrap_or_default());
    }
    let begun = Instant::now();
    let same = bench.engine.rebuild_root()? == bench.engine.root()?;
    eprintln!(
        "{}: the root {} what a rebuild gives, in {:.1} s",
        shape.name,
        if same { "is" } else { "IS NOT" },
        begun.elapsed().as_secs_f64()
    );

    let (median, least, most) = summary(moved.remove("change").unwrap_or_default());
    let mut line = format!("| {} | {median:.1} ({least:.1}–{most:.1}) |", shape.what);
    for part in PARTS {
        let _ = write!(line, " {:.1} |", summary(moved.remove(part).unwrap_or_default()).0);
    }
    let [new, moved, removed, together] = kinds.map(|times| summary(times).0);
    let _ = write!(
        line,
        " {new:.1} + {moved:.1} + {removed:.1} = {:.1} / {together:.1} | {:.0} |",
        new + moved + removed,
        all.len() as f64 / filled.as_secs_f64()
    );
    Ok(vec![(median, line)])
}

fn main() -> Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let below = std::env::var_os("ROADSTEAD_BENCH_DIR").map_or_else(|| PathBuf::from("."), PathBuf::from);
    let rounds = std::env::var("ROADSTEAD_BENCH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(15);
    let spent = Spent::default();
    let subscriber = tracing_subscriber::registry().with(spent.clone());
    let _ = tracing::subscriber::set_global_default(subscriber);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut lines = Vec::new();
    for shape in SHAPES {
        if wanted.is_empty() || wanted.iter().any(|name| name == shape.name) {
            lines.extend(runtime.block_on(measure(&shape, &below, &spent, rounds))?);
        }
    }
    let first = lines.first().map_or(1.0, |(median, _)| *median);
    let mut out = String::from(
        "| one moved tag among | ms: median (min–max) | rows | directories | pages | root | commit | new + moved + removed = sum / together, ms | filled, images/s | × the first |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    for (median, line) in &lines {
        let _ = writeln!(out, "{line} {:.2} |", median / first);
    }
    print!("{out}");
    Ok(())
}
