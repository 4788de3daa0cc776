//! A job: something that takes a while, can be watched and cancelled, and ends exactly once.
//!
//! State changes are [`Event`]s; byte counts are atomics in the [`Meter`], which whoever draws samples when it draws. So
//! nothing can flood a listener. Knows no terminal.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Kind, Result};
use crate::holder::HeldBy;
use crate::image::Digest;
use serde::Serialize;

/// Something that happened to a job.
#[derive(Debug, Clone)]
pub enum Event {
    /// It asks registries what there is; so many of so many requests are answered.
    Resolving {
        /// Requests that are answered.
        done: u64,
        /// Requests in all, answered or not.
        total: u64,
    },
    /// It waits for another plan that is being applied.
    Queued {
        /// Whom it waits for.
        behind: HeldBy,
    },
    /// What it waited for is over: it is its turn.
    Proceeding,
    /// It starts to fetch; the meter has the totals.
    Fetching {
        /// Number of blobs to fetch.
        blobs: u64,
        /// Bytes of all these blobs, resumed ones included.
        bytes: u64,
    },
    /// A blob is being fetched.
    BlobStarted {
        /// Digest of the blob.
        digest: Digest,
        /// The first image that wants it.
        image: String,
        /// Size of the blob in bytes.
        size: u64,
        /// Bytes that are there, the resumed ones included.
        done: Arc<AtomicU64>,
    },
    /// A blob is there and verified, or failed for this reason.
    BlobFinished {
        /// Digest of the blob.
        digest: Digest,
        /// Why it failed, if it did.
        failure: Option<String>,
    },
    /// An image is in the catalog.
    Recorded {
        /// `name:tag` or `name@digest`.
        image: String,
    },
    /// An image failed; the others go on.
    Failed {
        /// Reference as it was asked for.
        image: String,
        /// Text of the error.
        reason: String,
    },
    /// A registry asks for a pause, or a try failed and the next one is due.
    Waiting {
        /// Registry that is waited for, as references name it.
        registry: String,
        /// Time from now until the next request.
        pause: Duration,
        /// Answer or error that led to it, in words.
        reason: String,
        /// The registry asked for it; else it is the time until the next try.
        asked: bool,
    },
    /// A registry said how many pulls are left.
    Quota {
        /// Registry that said so, as references name it.
        registry: String,
        /// Pulls in the window.
        limit: u64,
        /// Pulls that are left in the window.
        remaining: u64,
    },
    /// One more step of a job that counts things other than bytes.
    Progress {
        /// What is counted: `files`, `blobs` …
        what: &'static str,
        /// How many of them are done.
        done: u64,
        /// How many there are in all.
        total: u64,
    },
    /// A target of a publication begins, ends or fails a step.
    Step {
        /// Name of the target.
        target: String,
        /// The step that this is about.
        step: PublishStep,
        /// State that the step has now.
        state: StepState,
    },
    /// Something worth knowing, in a sentence.
    Note(String),
    /// It ended. Comes exactly once, and last.
    Finished(End),
}

/// The steps of a publication, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PublishStep {
    /// The blocks that the node lacks are handed over.
    HandOver,
    /// The root is pinned.
    Pin,
    /// The node gives back what it took.
    Check,
    /// The DNSLink record moves and is read back.
    Dnslink,
    /// The IPNS name moves.
    Ipns,
    /// Older roots and the temporary ones are unpinned.
    Tidy,
    /// Gateways are asked for the new root.
    Gateways,
}

/// How a step of a publication stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepState {
    /// It runs; the meter has the bytes of handing over.
    Running,
    /// It is done, with this to say.
    Done(String),
    /// It has nothing to do.
    Skipped,
    /// It failed, for this reason.
    Failed(String),
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The work returned without an error.
    Done,
    /// It failed, for this reason.
    Failed(String),
    /// It was cancelled; what was verified is kept.
    Cancelled,
}

/// Bytes of a job, to be sampled.
#[derive(Debug, Default)]
pub struct Meter {
    total: AtomicU64,
    came: AtomicU64,
    here: AtomicU64,
}

impl Meter {
    /// Bytes there will be.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Bytes that are done.
    pub fn done(&self) -> u64 {
        self.moved().saturating_add(self.here.load(Ordering::Relaxed))
    }

    /// Adds to what there will be.
    pub fn expect(&self, bytes: u64) {
        self.total.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Adds to what is done.
    pub fn advance(&self, bytes: u64) {
        self.came.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Adds to what is done what was here before: it says nothing of how fast bytes come.
    pub fn find(&self, bytes: u64) {
        self.here.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Bytes that came, without those that were here before: what a rate is made of.
    pub fn moved(&self) -> u64 {
        self.came.load(Ordering::Relaxed)
    }
}

/// A running job, as its own work sees it. Clones are the same job.
#[derive(Debug, Clone)]
pub struct Job {
    events: UnboundedSender<Event>,
    meter: Arc<Meter>,
    cancel: CancellationToken,
    winds_down: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
}

/// A running job, as a face sees it.
#[derive(Debug)]
pub struct Watch {
    /// Events in order; the last one is [`Event::Finished`].
    pub events: UnboundedReceiver<Event>,
    /// Bytes done and in all, readable at any time.
    pub meter: Arc<Meter>,
    /// Token that asks the job to end early.
    pub cancel: CancellationToken,
    winds_down: Arc<AtomicBool>,
}

impl Watch {
    /// Asks the job to end after what it is at: blobs that are being fetched come to their end, and no other one begins.
    pub fn wind_down(&self) {
        self.winds_down.store(true, Ordering::Release);
    }
}

impl Job {
    /// A job and its watch.
    pub fn new() -> (Self, Watch) {
        let (sender, events) = unbounded_channel();
        let (meter, cancel) = (Arc::new(Meter::default()), CancellationToken::new());
        let winds_down = Arc::<AtomicBool>::default();
        let job = Self {
            events: sender,
            meter: Arc::clone(&meter),
            cancel: cancel.clone(),
            winds_down: Arc::clone(&winds_down),
            ended: Arc::default(),
        };
        (job, Watch { events, meter, cancel, winds_down })
    }

    /// Does the work. However it ends, by an error or a panic too, its last event is one `Finished`.
    pub async fn run<T>(self, work: impl AsyncFnOnce(&Self) -> Result<T>) -> Result<T> {
        let caught = AssertUnwindSafe(work(&self)).catch_unwind().await;
        let result = caught.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            Err(Error::new(Kind::Unexpected, format!("a bug in this program: {text}")).hint("Please report it."))
        });
        let end = match &result {
            Ok(_) => End::Done,
            Err(error) if error.kind() == Kind::Interrupted => End::Cancelled,
            Err(error) => End::Failed(error.to_string()),
        };
        if !self.ended.swap(true, Ordering::AcqRel) {
            let _ = self.events.send(Event::Finished(end));
        }
        result
    }

    /// Tells what happened. Nobody listening is fine.
    pub fn tell(&self, event: Event) {
        if !self.ended.load(Ordering::Acquire) {
            let _ = self.events.send(event);
        }
    }

    /// Counters of the job's bytes, shared with its watch.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Says when it is cancelled.
    pub fn cancellation(&self) -> &CancellationToken {
        &self.cancel
    }

    /// Whether nothing that takes long is to begin any more.
    pub fn is_ending(&self) -> bool {
        self.cancel.is_cancelled() || self.winds_down.load(Ordering::Acquire)
    }

    /// An error if it is to end.
    pub fn check(&self) -> Result<()> {
        if self.is_ending() { Err(cancelled()) } else { Ok(()) }
    }

    /// Runs `work` until it is done or the job is cancelled, whichever comes first.
    pub async fn or_cancelled<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(cancelled()),
            result = work => result,
        }
    }
}

/// The error of a job that was cancelled.
pub fn cancelled() -> Error {
    Error::new(Kind::Interrupted, "interrupted")
        .hint("What was verified is kept: the same command continues from here.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(mut watch: Watch) -> Vec<String> {
        std::iter::from_fn(|| watch.events.try_recv().ok()).map(|event| format!("{event:?}")).collect()
    }

    #[tokio::test]
    async fn it_ends_exactly_once() {
        let (job, watch) = Job::new();
        let late = job.clone();
        job.run(async |job: &Job| {
            job.tell(Event::Note("x".into()));
            Ok(())
        })
        .await
        .unwrap();
        late.tell(Event::Note("too late".into()));
        assert_eq!(events(watch), ["Note(\"x\")", "Finished(Done)"]);
    }

    #[tokio::test]
    async fn a_panic_is_a_failure_and_a_cancellation_is_none() {
        let (job, watch) = Job::new();
        let error = job.run(async |_: &Job| -> Result<()> { panic!("oops") }).await.unwrap_err();
        assert!(error.to_string().contains("oops"));
        assert_eq!(events(watch), ["Finished(Failed(\"a bug in this program: oops\"))"]);

        let (job, watch) = Job::new();
        watch.cancel.cancel();
        job.run(async |job: &Job| job.or_cancelled(std::future::pending::<Result<()>>()).await).await.unwrap_err();
        assert_eq!(events(watch), ["Finished(Cancelled)"]);
    }
}
