//! What every verb is given: settings, output, and the ways to open the engine, run a job, and ask.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{FilterFn, ParseError, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::global::Global;
use super::output::Output;
use super::planned::DryRun;
use super::progress::{self, Mode, Terminated};
use super::table::Table;
use crate::catalog::Catalog;
use crate::config::{Given, Origin, Settings};
use crate::engine::job::{Job, Watch};
use crate::engine::targets::{Adapters, Peers, Variables};
use crate::engine::{Engine, Options};
use crate::error::{Context as _, Error, Kind, Result};
use crate::naming::TxtSet;
use crate::naming::dnslink::PREFIX;
use crate::registry;
use crate::text::count;
use crate::unixfs::Profile;

/// How long blocking work of a job that has ended may still take. Short, since nobody hears ^C then, and a name that is
/// looked up in vain or a dead disk may hold a thread for long; whatever is cut off is resumed like after a kill.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(500);

/// What is said when a job is being stopped.
const STOPPING: &str = "Stopping; what is verified is kept. Press ^C again to stop at once.";

/// How long an interface waits for another process's plan.
const INTERFACE_LOCK_TIMEOUT: Duration = Duration::from_hours(24 * 365);

/// Settings and output that every verb is given.
pub(super) struct Context {
    /// Flags that all verbs have.
    pub(super) global: Global,
    /// The settings in force.
    pub(super) settings: Settings,
    pub(super) output: Output,
    /// A first SIGTERM lets the blobs that are being fetched come to their end.
    winds_down: AtomicBool,
}

impl Context {
    pub(super) fn new(global: Global, given: &Given, output: Output) -> Result<Self> {
        Ok(Self::with(global, Settings::load(given)?, output))
    }

    pub(super) fn with(global: Global, settings: Settings, output: Output) -> Self {
        Self { global, settings, output, winds_down: AtomicBool::new(false) }
    }

    pub(super) fn options(&self, profile: Option<Profile>) -> Result<Options> {
        let mut registries = registry::Options::new(registry::credentials::Environment::of_process());
        registries.registries.clone_from(&self.settings.registries);
        registries.max_parallel = self.settings.max_parallel.value;
        Ok(Options {
            data_dir: self.settings.data_dir()?.to_owned(),
            registries,
            wait: self.settings.patience(),
            local_discovery: self.settings.local_discovery.value,
            profile,
        })
    }

    /// From now on a first SIGTERM lets the blobs that are being fetched come to their end.
    pub(super) fn wind_down_when_terminated(&self) {
        self.winds_down.store(true, Ordering::Relaxed);
    }

    /// Refuses to change anything where that was asked for.
    pub(super) fn may_change(&self) -> Result<()> {
        may_change(self.global.read_only)
    }

    /// Opens the catalog, which is made if it is not there.
    pub(super) fn open(&self, profile: Option<Profile>) -> Result<Arc<Engine>> {
        self.may_change()?;
        self.make_home()?;
        Engine::open(self.options(profile)?)
    }

    /// Opens the catalog for somebody who sees what is waited for, and gives up when they want to: jobs of an interface wait for
    /// each other, too.
    pub(super) fn open_patiently(&self) -> Result<Arc<Engine>> {
        self.may_change()?;
        self.make_home()?;
        Engine::open(Options { wait: INTERFACE_LOCK_TIMEOUT, ..self.options(None)? })
    }

    /// Makes the user's data directory on a machine where no program has needed it yet. A directory that was named is left to
    /// the engine, which refuses to make more than its last part: it may be on a disk that is not mounted.
    fn make_home(&self) -> Result<()> {
        let usual = self.settings.data_dir.as_ref().filter(|data_dir| data_dir.origin == Origin::Default);
        if let Some(parent) = usual.and_then(|data_dir| data_dir.value.parent()) {
            std::fs::create_dir_all(parent).context(|| format!("can't make the directory {}", parent.display()))?;
        }
        Ok(())
    }

    /// Opens the catalog to change it; it must be there.
    pub(super) fn open_existing(&self) -> Result<Arc<Engine>> {
        self.may_change()?;
        self.open_to_read()?;
        self.open(None)
    }

    /// Opens the catalog for a verb that is planned: to change it, or for a dry run only to read it.
    pub(super) fn open_for(&self, DryRun { dry_run }: DryRun) -> Result<Arc<Engine>> {
        if dry_run { self.open_to_read() } else { self.open_existing() }
    }

    /// An empty catalog in a directory of its own, for a dry run where there is none.
    pub(super) fn open_empty(&self, profile: Option<Profile>) -> Result<(Arc<Engine>, TempDir)> {
        let directory = tempfile::tempdir().context(|| "can't make a temporary directory")?;
        let mut options = self.options(profile)?;
        directory.path().clone_into(&mut options.data_dir);
        Ok((Engine::open(options)?, directory))
    }

    /// Whether the usual data directory is meant and has nothing yet.
    pub(super) fn is_new(&self) -> bool {
        let usual = self.settings.data_dir.as_ref().filter(|data_dir| data_dir.origin == Origin::Default);
        usual.is_some_and(|data_dir| !data_dir.value.join("catalog.db").exists())
    }

    /// Opens a catalog to read. One of an older version is brought up to date first, unless nothing may be changed.
    pub(super) fn open_read_only(&self, options: Options) -> Result<Arc<Engine>> {
        if !self.global.read_only
            && let Err(error) = Catalog::upgrade(&options.data_dir.join("catalog.db"))
        {
            // Opening it says so, if that is why it can't be read.
            tracing::debug!(%error, "the catalog can't be brought up to date");
        }
        Engine::open_read_only(options)
    }

    /// Opens the catalog to read, also where nothing can be written. Says so where it is only a part of one.
    pub(super) fn open_to_read(&self) -> Result<Arc<Engine>> {
        let engine = self.open_read_only(self.options(None)?)?;
        if let Some(words) = engine.unfinished_restore()? {
            self.output.warning(&words);
        }
        Ok(engine)
    }

    /// Opens the catalog to read, and to remember what is found out where that can be written.
    pub(super) fn open_to_look(&self) -> Result<Arc<Engine>> {
        let engine = self.open_to_read()?;
        Ok(self.open(None).unwrap_or(engine))
    }

    /// Opens the catalog to give its blobs out. It is only read, unless some of them have to be brought first; where it can be
    /// written, it keeps which files were verified, so that they need not be read again.
    pub(super) fn open_to_give(&self) -> Result<Arc<Engine>> {
        let engine = self.open_to_read()?;
        if engine.has_left_blobs()? { self.open(None) } else { Ok(self.open(None).unwrap_or(engine)) }
    }

    /// The way to the nodes and zones that targets name.
    pub(super) fn peers(&self, engine: &Arc<Engine>) -> Peers {
        let output = self.output.clone();
        let prompt = move |name: &str, wanted: &TxtSet| {
            if output.is_json() {
                output.json_line(&serde_json::json!({ "set_record": { "name": name, "type": "TXT", "set": wanted } }));
            } else {
                output.announce(&by_hand(name, wanted));
            }
        };
        Peers::new(Variables::of_process(), Adapters::new(Arc::clone(engine), prompt))
    }

    /// Runs a job with progress; ^C and SIGTERM cancel it.
    pub(super) fn run<T>(&self, work: impl AsyncFnOnce(&Job) -> Result<T>) -> Result<T> {
        let mode = self.global.progress.resolved(&self.output, self.is_logging());
        self.run_as(mode, STOPPING, work)
    }

    /// Runs what has no progress to show; ^C and SIGTERM stop it, with these words.
    pub(super) fn run_quietly<T>(
        &self,
        stopping: &'static str,
        work: impl AsyncFnOnce(&Job) -> Result<T>,
    ) -> Result<T> {
        self.run_as(Mode::None, stopping, work)
    }

    fn run_as<T>(&self, mode: Mode, stopping: &'static str, work: impl AsyncFnOnce(&Job) -> Result<T>) -> Result<T> {
        let (job, watch) = Job::new();
        let mut result = None;
        let work = async { result = Some(job.run(work).await) };
        self.drive(mode, stopping, watch, Box::pin(work))?;
        result.ok_or_else(|| Error::new(Kind::Unexpected, "this job ended without a result"))?
    }

    /// Runs what a job does. For all verbs alike: they would have a copy of the runtime each.
    fn drive(
        &self,
        mode: Mode,
        stopping: &'static str,
        watch: Watch,
        work: Pin<Box<dyn Future<Output = ()> + '_>>,
    ) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .context(|| "can't start the threads for this job")?;
        let output = self.output.clone();
        let terminated =
            if self.winds_down.load(Ordering::Relaxed) { Terminated::AfterBlobs } else { Terminated::AtOnce };
        runtime.block_on(async {
            let follower = tokio::spawn(progress::follow(watch, output, mode, stopping, terminated));
            work.await;
            // It ends with the job; a panic of it has been printed, and the job's result counts.
            let _ = follower.await;
        });
        runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
        Ok(())
    }

    /// Asks whether to go on with what the table shows. Without a terminal only `--yes` goes on.
    pub(super) fn confirm(&self, verb: &str, plan: &[Table], question: &str) -> Result<bool> {
        self.confirm_shown(verb, || plan.iter().for_each(|table| self.output.ask_table(table)), question)
    }

    /// The same for what `show` writes to standard error.
    pub(super) fn confirm_shown(&self, verb: &str, show: impl FnOnce(), question: &str) -> Result<bool> {
        if self.global.yes {
            return Ok(true);
        }
        let obstacle = if self.global.no_input {
            Some("`--no-input` forbids that")
        } else if !io::stdin().is_terminal() {
            Some("standard input isn't a terminal")
        } else if !self.output.interactive {
            Some("standard error isn't a terminal")
        } else {
            None
        };
        if let Some(obstacle) = obstacle {
            return Err(Error::new(Kind::Usage, format!("`{verb}` asks before it changes anything, but {obstacle}"))
                .hint("Add `--yes` to go ahead without asking, or `--dry-run` to see what would happen."));
        }
        self.output.finish()?;
        show();
        let answer = answer(|| self.output.question(&format!("{question} [y/N]")))?;
        if answer.as_deref().is_some_and(is_yes) {
            return Ok(true);
        }
        if answer.is_none() {
            self.output.say("\n");
        }
        self.output.message("Nothing was changed.");
        Ok(false)
    }

    fn is_logging(&self) -> bool {
        self.global.verbose > 0 || std::env::var_os("ROADSTEAD_LOG").is_some_and(|value| !value.is_empty())
    }

    /// Starts the log on standard error, if it was asked for by `-v` or `ROADSTEAD_LOG`.
    pub(super) fn start_log(&self) {
        if !self.is_logging() {
            return;
        }
        let lines = tracing_subscriber::fmt::layer()
            .with_writer(io::stderr)
            .with_ansi(self.output.message_paint.is_colour())
            .with_target(false)
            .with_filter(ours());
        // A second call, in a test, changes nothing.
        let _ = tracing_subscriber::registry().with(self.log_filter()).with(lines).try_init();
    }

    /// What is logged, as `-v` and `ROADSTEAD_LOG` say.
    pub(super) fn log_filter(&self) -> Targets {
        let level = match self.global.verbose {
            0 | 1 => "roadstead=info",
            2 => "roadstead=debug",
            _ => "roadstead=trace",
        };
        let asked = std::env::var("ROADSTEAD_LOG").ok().filter(|value| !value.is_empty());
        let filter = asked.as_deref().unwrap_or(level);
        directives(filter).unwrap_or_else(|error| {
            self.output.warning(&format!("invalid ROADSTEAD_LOG: {error}"));
            directives(level).unwrap_or_default()
        })
    }
}

/// Levels by target, as in `roadstead=debug,hyper=warn`. Fields and spans would need a matcher of regular expressions.
fn directives(text: &str) -> Result<Targets, String> {
    if text.contains('[') {
        return Err("spans and fields can't be chosen, only targets and levels".to_owned());
    }
    text.parse().map_err(|error: ParseError| error.to_string())
}

/// Libraries may log what we never would, such as headers; only their warnings are let through.
pub(super) fn ours() -> FilterFn {
    FilterFn::new(|meta| *meta.level() <= tracing::Level::WARN || meta.target().starts_with("roadstead"))
}

/// What a person has to do where no program changes the record.
pub(super) fn by_hand(name: &str, wanted: &TxtSet) -> String {
    let (ours, others): (Vec<_>, Vec<_>) = wanted.values.iter().partition(|value| value.starts_with(PREFIX));
    let ttl = wanted.ttl.map_or_else(String::new, |ttl| format!(" {ttl}"));
    let mut lines = vec!["Set this record at your DNS provider, in place of any other `dnslink=` value:".to_owned()];
    lines.extend(ours.iter().map(|value| format!("  {name}.{ttl} IN TXT \"{value}\"")));
    if !others.is_empty() {
        lines.push(format!("Keep the other {} there.", count(others.len() as u64, "value", "values")));
    }
    lines.push("Waiting until the zone's servers serve it; ^C stops.".to_owned());
    lines.join("\n")
}

/// Refuses to change anything where that was asked for.
pub(super) fn may_change(read_only: bool) -> Result<()> {
    if read_only {
        return Err(Error::new(Kind::Usage, "`--read-only` forbids this change")
            .hint("Leave `--read-only` out, or add `--dry-run` where a verb has it, to see what would happen."));
    }
    Ok(())
}

/// A line from standard input; nothing if ^C or SIGTERM comes instead. A job that ran before has taken the signals over, and they end
/// the process no more by themselves.
fn answer(ask: impl FnOnce()) -> Result<Option<String>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context(|| "can't start the thread that reads the answer")?;
    let answer = runtime.block_on(async {
        let listen = |kind| signal(kind).context(|| "can't listen for signals");
        let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
        ask();
        let line = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            io::stdin().lock().read_line(&mut line).map(|_| line)
        });
        tokio::select! {
            line = line => line.map_err(io::Error::other).and_then(|line| line).context(|| "can't read the answer").map(Some),
            _ = interrupt.recv() => Ok(None),
            _ = terminate.recv() => Ok(None),
        }
    });
    // The thread may wait for a line that never comes.
    runtime.shutdown_background();
    answer
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_to_set_is_written_as_in_a_zone() {
        let values = ["dnslink=/ipfs/new", "v=spf1 -all"].map(str::to_owned).to_vec();
        let text = by_hand("_dnslink.registry.test", &TxtSet { values, ttl: Some(60) });
        assert!(text.contains("\n  _dnslink.registry.test. 60 IN TXT \"dnslink=/ipfs/new\"\n"), "{text}");
        assert!(text.contains("the other 1 value there") && !text.contains("spf1"), "{text}");
    }

    #[test]
    fn what_is_logged_is_chosen_by_target_and_level() {
        let shown = |text: &str| directives(text).map(|targets| targets.to_string());
        for text in ["debug", "roadstead=debug", "roadstead=trace,hyper=warn", "roadstead::registry=debug"] {
            assert!(shown(text).is_ok(), "{text}");
        }
        for text in ["roadstead[span]=debug", "roadstead=loud"] {
            assert!(shown(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_yes_is_yes() {
        for (answer, yes) in
            [("y\n", true), (" YES \n", true), ("\n", false), ("", false), ("yep\n", false), ("n\n", false)]
        {
            assert_eq!(is_yes(answer), yes, "{answer:?}");
        }
    }
}
