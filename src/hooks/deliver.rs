//! Tells hooks what waits for them, at least once each. Never a reason that a run fails: what goes wrong is noted and counted.
//!
//! Hooks are told side by side, each of its own events one after the other, until nothing waits or the time is over. One that fails
//! is left alone until the next run, so that a dead address costs one timeout, and not one for each event.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use reqwest::Client;
use tokio::time::Instant;

use super::ping::{self, Signal};
use super::program::{self, Limits};
use super::{HOOK_TIMEOUT, post};
use crate::error::{Error, Kind, Result};
use crate::rules::{Event, EventKind, Hook, HookAction};

/// Hooks that are told at once.
const MAX_PARALLEL_HOOKS: usize = 8;
/// How long new attempts are begun: what is left then waits for the next run.
const ROUND_TIMEOUT: Duration = Duration::from_mins(5);

/// Where events wait.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// What is to be told now, the oldest first; it may be only the beginning of it.
    async fn due(&self) -> Result<Vec<Waiting>>;
    /// How much waits for these hooks, now or later.
    async fn waiting(&self, hooks: &[String]) -> Result<u64>;
    /// Notes that this hook was told of this event.
    async fn delivered(&self, event: u64, hook: &str) -> Result<()>;
    /// Notes that this hook could not be told of this event, and why.
    async fn failed(&self, event: u64, hook: &str, why: &str) -> Result<()>;
}

/// An event, and the identity of the hook that is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The event.
    pub event: Event,
    /// As [`Hook::identity`] says.
    pub hook: String,
}

/// Tells hooks.
#[derive(Debug, Clone)]
pub struct Teller {
    client: Client,
    /// Where programs run, and what paths of secrets are relative to. None: where this process does.
    directory: Option<PathBuf>,
    timeout: Duration,
    round: Duration,
}

/// What came of telling.
#[derive(Debug, Default)]
pub struct Delivery {
    /// Events that a hook was told of.
    pub delivered: u64,
    /// What a hook could not be told of.
    pub failed: Vec<Undelivered>,
    /// What else still waits: its hook has failed, or the time was over.
    pub left: u64,
    /// What waited for hooks that are not there any more, and is told to nobody.
    pub dropped: u64,
    /// Why the outbox could not be read or written.
    pub outbox: Option<Error>,
}

/// A hook that could not be told of an event.
#[derive(Debug)]
pub struct Undelivered {
    /// The hook, for people.
    pub hook: String,
    /// Number of the event.
    pub event: u64,
    /// Why.
    pub error: Error,
}

impl Teller {
    /// One that has 30 s for each event and 5 min for all of them.
    pub fn new(directory: Option<PathBuf>) -> Result<Self> {
        Ok(Self { client: post::client()?, directory, timeout: HOOK_TIMEOUT, round: ROUND_TIMEOUT })
    }

    /// The same with other times for each event and for all of them.
    #[must_use]
    pub fn within(self, timeout: Duration, round: Duration) -> Self {
        Self { timeout, round, ..self }
    }

    /// Tells the hooks what waits for them. What waits for a hook that is not among them is left.
    pub async fn deliver(&self, outbox: &impl Outbox, hooks: &[Hook]) -> Delivery {
        let until = Instant::now() + self.round;
        let mut identities: Vec<(String, &Hook)> = hooks.iter().map(|hook| (hook.identity(), hook)).collect();
        // Two of the same action have one row.
        identities.sort_by(|one, other| one.0.cmp(&other.0));
        identities.dedup_by(|one, other| one.0 == other.0);
        let all: Vec<String> = identities.iter().map(|(identity, _)| identity.clone()).collect();
        let mut delivery = Delivery::default();
        loop {
            let waiting = match outbox.due().await {
                Ok(waiting) => waiting,
                Err(error) => return Delivery { outbox: Some(error), ..delivery },
            };
            let rounds = identities.iter().map(|(identity, hook)| {
                let of_it = waiting.iter().filter(|waiting| waiting.hook == *identity).map(|waiting| &waiting.event);
                let round = self.tell_all(outbox, hook, identity, of_it.collect(), until);
                async move { (identity.clone(), round.await) }
            });
            // Collected first: a stream over borrowing futures is not known to be `Send`.
            let rounds: Vec<_> = rounds.collect();
            let told: Vec<(String, Delivery)> =
                futures::stream::iter(rounds).buffer_unordered(MAX_PARALLEL_HOOKS).collect().await;
            let goes_on = told.iter().any(|(_, round)| round.delivered > 0);
            for (identity, round) in told {
                if !round.failed.is_empty() {
                    identities.retain(|(other, _)| *other != identity);
                }
                delivery = delivery.and(round);
            }
            if !goes_on || delivery.outbox.is_some() || Instant::now() >= until {
                break;
            }
        }
        match outbox.waiting(&all).await {
            Ok(waiting) => Delivery { left: waiting.saturating_sub(delivery.failed.len() as u64), ..delivery },
            Err(error) => Delivery { outbox: delivery.outbox.or(Some(error)), ..delivery },
        }
    }

    /// Says to every ping that a run begins. Nobody is told later: a start that is late is none.
    pub async fn start(&self, hooks: &[Hook]) -> Vec<(String, Error)> {
        let pings = hooks.iter().filter_map(|hook| match &hook.action {
            HookAction::Ping(address) => Some((hook, address)),
            HookAction::Run(_) | HookAction::Post { .. } => None,
        });
        let pings = pings.map(|(hook, address)| async move {
            let asked = self.in_time(ping::ping(&self.client, address, Signal::Start)).await;
            asked.err().map(|error| (hook.label(), error))
        });
        let pings: Vec<_> = pings.collect();
        let all: Vec<_> = futures::stream::iter(pings).buffer_unordered(MAX_PARALLEL_HOOKS).collect().await;
        all.into_iter().flatten().collect()
    }

    async fn tell_all(
        &self,
        outbox: &impl Outbox,
        hook: &Hook,
        identity: &str,
        events: Vec<&Event>,
        until: Instant,
    ) -> Delivery {
        let mut delivery = Delivery::default();
        for event in events {
            if Instant::now() >= until {
                break;
            }
            let told = self.tell(hook, event).await;
            let noted = match &told {
                Ok(()) => outbox.delivered(event.id, identity).await,
                Err(error) => outbox.failed(event.id, identity, &error.to_string()).await,
            };
            match told {
                Ok(()) => delivery.delivered += 1,
                Err(error) => delivery.failed.push(Undelivered { hook: hook.label(), event: event.id, error }),
            }
            delivery.outbox = noted.err();
            if !delivery.failed.is_empty() || delivery.outbox.is_some() {
                break;
            }
        }
        delivery
    }

    async fn in_time(&self, work: impl Future<Output = Result<()>>) -> Result<()> {
        tokio::time::timeout(self.timeout, work).await.unwrap_or_else(|_| {
            Err(Error::new(Kind::Network, format!("it took longer than {} s", self.timeout.as_secs_f32())))
        })
    }

    /// Tells one hook of one event.
    async fn tell(&self, hook: &Hook, event: &Event) -> Result<()> {
        let body = || {
            let cant = |error| Error::new(Kind::Unexpected, "can't write the event as JSON").caused_by(error);
            serde_json::to_vec(event).map_err(cant)
        };
        match &hook.action {
            HookAction::Run(words) => {
                let limits = Limits { timeout: self.timeout, ..Limits::HOOK };
                let ended = program::run(words, &body()?, self.directory.as_deref(), limits).await?;
                ended.into_output().map(drop)
            }
            HookAction::Post { url, secret_file } => {
                let file = secret_file.as_ref().map(|file| match &self.directory {
                    Some(directory) => directory.join(file),
                    None => PathBuf::from(file),
                });
                self.in_time(post::post(&self.client, url, file.as_deref(), body()?)).await
            }
            HookAction::Ping(address) => {
                let signal = if event.kind == EventKind::Failed { Signal::Failure } else { Signal::Success };
                self.in_time(ping::ping(&self.client, address, signal)).await
            }
        }
    }
}

impl Delivery {
    fn and(mut self, other: Self) -> Self {
        self.delivered += other.delivered;
        self.failed.extend(other.failed);
        self.outbox = self.outbox.or(other.outbox);
        self
    }
}
