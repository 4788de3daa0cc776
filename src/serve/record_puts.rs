//! Puts the signed records of names where others look for them: into the DHT, and to routers that take them. Each place gets each record
//! when it changes and again in time; one that fails is tried again after growing pauses.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::ipns::Name;
use crate::node::source::HttpRecords;
use crate::swarm::Node;
use crate::text::{count, printable_within};

/// How often it is looked whether a record has changed.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How often a record is put again: members of the DHT forget it after 48 hours.
const PUT_INTERVAL: Duration = Duration::from_hours(4);
/// How long it is waited after a place did not take a record; doubled each time.
const FIRST_RETRY_DELAY: Duration = Duration::from_secs(2);
const MAX_RETRY_DELAY: Duration = Duration::from_mins(10);
/// Width of a reason that is shown.
const REASON_COLUMNS: usize = 200;

/// Where records are put.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// Members of the DHT that are closest to the name.
    Dht(Node),
    /// A router over HTTP.
    Router(Arc<HttpRecords>),
}

impl Place {
    fn name(&self) -> String {
        match self {
            Self::Dht(_) => "the DHT".to_owned(),
            Self::Router(router) => router.base(),
        }
    }

    async fn put(&self, name: &Name, record: &Bytes) -> Result<()> {
        match self {
            Self::Dht(node) => node.put_record(name, record).await,
            Self::Router(router) => router.put(name, record.clone()).await,
        }
    }
}

/// A record at one place.
#[derive(Debug)]
struct Put {
    record: Bytes,
    due: Instant,
    failures: u32,
    running: bool,
    /// Why the place did not take it the last time.
    reason: Option<String>,
}

impl Put {
    fn new(now: Instant) -> Self {
        Self { record: Bytes::new(), due: now, failures: 0, running: false, reason: None }
    }

    /// The record as it is now; whether it is to be put.
    fn is_due(&mut self, record: &Bytes, now: Instant) -> bool {
        if self.record != *record {
            (self.record, self.due, self.failures) = (record.clone(), now, 0);
        }
        let due = !self.running && self.due <= now;
        self.running |= due;
        due
    }

    /// What came of putting `record`, which may have changed meanwhile.
    fn ended(&mut self, record: &Bytes, outcome: Result<()>, now: Instant) {
        self.running = false;
        match outcome {
            Ok(()) => {
                (self.failures, self.reason) = (0, None);
                if self.record == *record {
                    self.due = now + PUT_INTERVAL;
                }
            }
            Err(error) => {
                let delay = FIRST_RETRY_DELAY.saturating_mul(1 << self.failures.min(10)).min(MAX_RETRY_DELAY);
                self.failures = self.failures.saturating_add(1);
                self.reason = Some(printable_within(&error.to_string(), REASON_COLUMNS));
                if self.record == *record {
                    self.due = now + delay;
                }
            }
        }
    }
}

struct Ended {
    place: usize,
    name: Name,
    record: Bytes,
    outcome: Result<()>,
}

/// The records of this data directory's names at all places.
#[derive(Debug)]
pub(super) struct RecordPuts {
    engine: Arc<Engine>,
    places: Vec<Place>,
    sentences: Mutex<Vec<String>>,
}

impl RecordPuts {
    pub(super) fn new(engine: Arc<Engine>, places: Vec<Place>) -> Self {
        Self { engine, places, sentences: Mutex::default() }
    }

    /// What has not been taken, in words.
    pub(super) fn sentences(&self) -> Vec<String> {
        self.sentences.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts what is due, until this is dropped.
    pub(super) async fn keep(&self) {
        let mut ticks = interval(LOOK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut puts: HashMap<(usize, Name), Put> = HashMap::new();
        let mut running: JoinSet<Ended> = JoinSet::new();
        loop {
            tokio::select! {
                Some(ended) = running.join_next() => match ended {
                    Ok(ended) => self.ended(&mut puts, ended),
                    Err(error) => tracing::error!(%error, "putting a record broke off"),
                },
                _ = ticks.tick() => {
                    if let Err(error) = self.begin_due(&mut puts, &mut running).await {
                        tracing::warn!(%error, "can't read the records of names");
                    }
                }
            }
            *self.sentences.lock().unwrap_or_else(PoisonError::into_inner) = self.described(&puts);
        }
    }

    async fn begin_due(&self, puts: &mut HashMap<(usize, Name), Put>, running: &mut JoinSet<Ended>) -> Result<()> {
        let engine = Arc::clone(&self.engine);
        let names = spawn_blocking(move || engine.own_names()).await;
        let names =
            names.map_err(|error| Error::new(Kind::Unexpected, "reading names broke off").caused_by(error))??;
        puts.retain(|(_, name), _| names.iter().any(|own| own.name == *name));
        for own in names {
            for (place, at) in self.places.iter().enumerate() {
                let now = Instant::now();
                let put = puts.entry((place, own.name)).or_insert_with(|| Put::new(now));
                if put.is_due(&own.bytes, now) {
                    let (at, name, record) = (at.clone(), own.name, own.bytes.clone());
                    running.spawn(async move {
                        let outcome = at.put(&name, &record).await;
                        Ended { place, name, record, outcome }
                    });
                }
            }
        }
        Ok(())
    }

    fn ended(&self, puts: &mut HashMap<(usize, Name), Put>, ended: Ended) {
        let Ended { place, name, record, outcome } = ended;
        let at = self.places.get(place).map(Place::name).unwrap_or_default();
        match &outcome {
            Ok(()) => tracing::info!(%name, at, "put a record"),
            Err(error) => tracing::info!(%name, at, %error, "a record was not taken"),
        }
        if let Some(put) = puts.get_mut(&(place, name)) {
            put.ended(&record, outcome, Instant::now());
        }
    }

    fn described(&self, puts: &HashMap<(usize, Name), Put>) -> Vec<String> {
        let places = self.places.iter().enumerate();
        let untaken = places.filter_map(|(place, at)| {
            let of_it = puts.iter().filter(|((other, _), put)| *other == place && put.failures > 0);
            let (untaken, reasons): (Vec<()>, Vec<Option<&String>>) =
                of_it.map(|(_, put)| ((), put.reason.as_ref())).unzip();
            let reason = reasons.into_iter().flatten().min()?;
            let records = count(untaken.len() as u64, "record of a name", "records of names");
            Some(format!("{} has not taken {records} yet, and is asked again: {reason}", at.name()))
        });
        untaken.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_put_when_it_changes_again_in_time_and_after_pauses() {
        let now = Instant::now();
        let (one, two) = (Bytes::from_static(b"one"), Bytes::from_static(b"two"));
        let failed = || Err(Error::new(Kind::Network, "no member of the DHT is reachable"));
        let mut put = Put::new(now);
        assert!(put.is_due(&one, now) && !put.is_due(&one, now), "one at a time");
        put.ended(&one, failed(), now);
        assert!(!put.is_due(&one, now) && put.is_due(&one, now + FIRST_RETRY_DELAY));
        put.ended(&one, failed(), now);
        assert!(!put.is_due(&one, now + FIRST_RETRY_DELAY) && put.is_due(&one, now + FIRST_RETRY_DELAY * 2));
        assert!(put.reason.is_some());
        // Another record has come while the former one was put.
        assert!(!put.is_due(&two, now));
        put.ended(&one, Ok(()), now);
        assert!(put.reason.is_none() && put.is_due(&two, now));
        put.ended(&two, Ok(()), now);
        assert!(!put.is_due(&two, now + PUT_INTERVAL / 2) && put.is_due(&two, now + PUT_INTERVAL));
        for _ in 0..40 {
            put.ended(&two, failed(), now);
        }
        assert_eq!(put.due, now + MAX_RETRY_DELAY);
    }
}
