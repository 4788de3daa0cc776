//! Questions to the DHTs that run, what they are for, and what is provided there.
//!
//! Each DHT has its own queue of keys, so that what one took is not believed to be in the other.

use std::collections::{HashMap, HashSet};
use std::time::{Instant, SystemTime};

use cid::multihash::Multihash;
use libp2p::PeerId;
use libp2p::kad::store::RecordStore as _;
use libp2p::kad::{self, QueryId, QueryResult, Quorum, Record, RecordKey};
use tokio::sync::oneshot;

use super::network::Network;
use crate::dht::{IPNS_PREFIX, Key, ProvideKey, ProvideQueue, Providing, Scope};
use crate::error::{Error, Result};
use crate::options::RecordRule;

const SCOPES: [Scope; 2] = [Scope::Wan, Scope::Lan];
/// Valid records after which no further ones are looked for, as Kubo does (`go-libp2p-kad-dht`, `defaultQuorum` and its bucket size).
const ENOUGH_RECORDS: u32 = 16;

/// What the rest of the driver has to know.
#[derive(Debug)]
pub(crate) enum Outcome {
    Provided(Key),
    ProvideFailed(Key),
    /// Who provides what a session asked for.
    Providers {
        session: u64,
        peers: Vec<PeerId>,
    },
    SearchEnded {
        session: u64,
    },
}

enum Purpose {
    Provide(Key),
    Put(u64),
    Get(u64),
    Search(u64),
    Count(u64),
}

struct Put {
    left: usize,
    stored: bool,
    answer: oneshot::Sender<Result<()>>,
}

struct Get {
    left: usize,
    name: Multihash<64>,
    best: Option<Vec<u8>>,
    valid: u32,
    answer: oneshot::Sender<Result<Option<Vec<u8>>>>,
}

struct Count {
    left: usize,
    limit: usize,
    found: HashSet<PeerId>,
    answer: oneshot::Sender<Result<Vec<PeerId>>>,
}

/// What runs.
pub(crate) struct Queries {
    rule: Option<RecordRule>,
    wan: ProvideQueue,
    lan: ProvideQueue,
    running: HashMap<(Scope, QueryId), Purpose>,
    puts: HashMap<u64, Put>,
    gets: HashMap<u64, Get>,
    counts: HashMap<u64, Count>,
    next: u64,
}

fn block_key(key: &Key) -> RecordKey {
    RecordKey::new(&key.to_bytes())
}

fn name_key(name: &Multihash<64>) -> RecordKey {
    RecordKey::new(&[IPNS_PREFIX, &name.to_bytes()].concat())
}

impl Queries {
    pub(crate) fn new(rule: Option<RecordRule>) -> Self {
        Self {
            rule,
            wan: ProvideQueue::default(),
            lan: ProvideQueue::default(),
            running: HashMap::new(),
            puts: HashMap::new(),
            gets: HashMap::new(),
            counts: HashMap::new(),
            next: 0,
        }
    }

    fn queue(&mut self, scope: Scope) -> &mut ProvideQueue {
        match scope {
            Scope::Wan => &mut self.wan,
            Scope::Lan => &mut self.lan,
        }
    }

    /// How far providing has come in one DHT.
    pub(crate) fn providing(&self, scope: Scope) -> Providing {
        match scope {
            Scope::Wan => self.wan.progress(),
            Scope::Lan => self.lan.progress(),
        }
    }

    /// Provides exactly these from now on.
    pub(crate) fn provide(&mut self, network: &mut Network, keys: &[ProvideKey], now: Instant) {
        let has_wan = network.dht(Scope::Wan).is_some();
        for scope in SCOPES {
            let Some(kad) = network.dht(scope) else { continue };
            let mut keys = keys.to_vec();
            if scope == Scope::Lan {
                // Whoever only takes is no member, but may ask this one.
                for key in &keys {
                    kad.store_mut().add_own_key(block_key(key.cid.hash()));
                }
            }
            if scope == Scope::Lan && has_wan {
                // What is remembered is when the public DHT took them.
                for key in &mut keys {
                    key.provided = None;
                }
            }
            for gone in self.queue(scope).set(keys, now, SystemTime::now()) {
                kad.stop_providing(&block_key(&gone));
            }
        }
    }

    /// The public DHT's records name addresses that this node had not before.
    pub(crate) fn renew(&mut self) {
        self.wan.renew();
    }

    /// Starts what is due. Without an address, nobody could do anything with a public record.
    pub(crate) fn advance(&mut self, network: &mut Network, has_external: bool, now: Instant) {
        for scope in SCOPES {
            if network.dht_peers(scope) == 0 || (scope == Scope::Wan && !has_external) {
                continue;
            }
            let Some(kad) = network.dht(scope) else { continue };
            for key in self.queue(scope).take(now) {
                match kad.start_providing(block_key(&key)) {
                    Ok(id) => drop(self.running.insert((scope, id), Purpose::Provide(key))),
                    Err(_) => drop(self.queue(scope).finished(&key, false, now)),
                }
            }
        }
    }

    pub(crate) fn put(
        &mut self,
        network: &mut Network,
        name: &Multihash<64>,
        value: &[u8],
        answer: oneshot::Sender<Result<()>>,
    ) {
        let job = self.next_job();
        let mut left = 0;
        for scope in SCOPES {
            let is_alone = network.dht_peers(scope) == 0;
            let Some(kad) = network.dht(scope) else { continue };
            let record = Record { key: name_key(name), value: value.to_vec(), publisher: None, expires: None };
            if let Ok(id) = kad.put_record(record, Quorum::One)
                && !is_alone
            {
                self.running.insert((scope, id), Purpose::Put(job));
                left += 1;
            }
        }
        if left == 0 {
            let _ = answer.send(Err(Error::NoDht));
        } else {
            self.puts.insert(job, Put { left, stored: false, answer });
        }
    }

    pub(crate) fn get(
        &mut self,
        network: &mut Network,
        name: Multihash<64>,
        answer: oneshot::Sender<Result<Option<Vec<u8>>>>,
    ) {
        let job = self.next_job();
        let left = self.ask_all(network, |kad| kad.get_record(name_key(&name)), || Purpose::Get(job));
        if left == 0 {
            let _ = answer.send(Err(Error::NoDht));
        } else {
            self.gets.insert(job, Get { left, name, best: None, valid: 0, answer });
        }
    }

    /// Looks for who provides a block; how many questions were asked.
    pub(crate) fn search(&mut self, network: &mut Network, key: &Key, session: u64) -> usize {
        self.ask_all(network, |kad| kad.get_providers(block_key(key)), || Purpose::Search(session))
    }

    /// Looks for who provides a block, until so many are known.
    pub(crate) fn providers(
        &mut self,
        network: &mut Network,
        key: &Key,
        limit: usize,
        answer: oneshot::Sender<Result<Vec<PeerId>>>,
    ) {
        let job = self.next_job();
        let left = self.ask_all(network, |kad| kad.get_providers(block_key(key)), || Purpose::Count(job));
        if left == 0 {
            let _ = answer.send(Err(Error::NoDht));
        } else {
            self.counts.insert(job, Count { left, limit, found: HashSet::new(), answer });
        }
    }

    fn ask_all(
        &mut self,
        network: &mut Network,
        ask: impl Fn(&mut kad::Behaviour<crate::dht::DhtStore>) -> QueryId,
        purpose: impl Fn() -> Purpose,
    ) -> usize {
        let mut asked = 0;
        for scope in SCOPES {
            if network.dht_peers(scope) > 0
                && let Some(kad) = network.dht(scope)
            {
                self.running.insert((scope, ask(kad)), purpose());
                asked += 1;
            }
        }
        asked
    }

    fn next_job(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// What a DHT says.
    pub(crate) fn on_event(&mut self, network: &mut Network, scope: Scope, event: kad::Event) -> Vec<Outcome> {
        match event {
            kad::Event::InboundRequest { request } => {
                self.on_request(network, scope, request);
                Vec::new()
            }
            kad::Event::OutboundQueryProgressed { id, result, stats, step } => {
                let succeeded = stats.num_successes() > 0;
                let outcomes = self.on_progress(network, (scope, id), result, succeeded);
                if step.last {
                    self.running.remove(&(scope, id));
                }
                outcomes
            }
            _ => Vec::new(),
        }
    }

    /// Keeps what others ask to be kept, if it is valid.
    fn on_request(&mut self, network: &mut Network, scope: Scope, request: kad::InboundRequest) {
        let Some(kad) = network.dht(scope) else { return };
        match request {
            kad::InboundRequest::AddProvider { record: Some(record) } => {
                let _ = kad.store_mut().add_provider(record);
            }
            kad::InboundRequest::PutRecord { record: Some(mut record), .. } => {
                let (Some(rule), Some(name)) = (&self.rule, record.key.as_ref().strip_prefix(IPNS_PREFIX)) else {
                    return;
                };
                let known = kad.store_mut().get(&record.key).map(|known| known.value.clone());
                if rule(name, &record.value, known.as_deref()) {
                    // Who sent it is nobody's business, and it must not count as one of our own.
                    record.publisher = None;
                    let _ = kad.store_mut().put(record);
                }
            }
            _ => {}
        }
    }

    fn on_progress(
        &mut self,
        network: &mut Network,
        id: (Scope, QueryId),
        result: QueryResult,
        succeeded: bool,
    ) -> Vec<Outcome> {
        let Some(purpose) = self.running.get(&id) else { return Vec::new() };
        match (purpose, result) {
            (Purpose::Provide(key), QueryResult::StartProviding(result)) => {
                let (key, succeeded) = (*key, succeeded && result.is_ok());
                self.running.remove(&id);
                let known = self.queue(id.0).finished(&key, succeeded, Instant::now());
                // Of the two, the public DHT is the one to be told about.
                let told = id.0 == Scope::Wan || network.dht(Scope::Wan).is_none();
                match (known && told, succeeded) {
                    (false, _) => Vec::new(),
                    (true, true) => vec![Outcome::Provided(key)],
                    (true, false) => vec![Outcome::ProvideFailed(key)],
                }
            }
            (Purpose::Put(job), QueryResult::PutRecord(result)) => {
                let job = *job;
                self.running.remove(&id);
                self.put_ended(job, result.is_ok());
                Vec::new()
            }
            (Purpose::Get(job), QueryResult::GetRecord(result)) => {
                self.got(network, id, *job, result);
                Vec::new()
            }
            (Purpose::Count(job), QueryResult::GetProviders(result)) => {
                self.counted(network, id, *job, result);
                Vec::new()
            }
            (Purpose::Search(session), QueryResult::GetProviders(result)) => {
                let session = *session;
                match result {
                    Ok(kad::GetProvidersOk::FoundProviders { providers, .. }) => {
                        vec![Outcome::Providers { session, peers: providers.into_iter().collect() }]
                    }
                    _ => {
                        self.running.remove(&id);
                        vec![Outcome::SearchEnded { session }]
                    }
                }
            }
            _ => Vec::new(),
        }
    }

    fn put_ended(&mut self, job: u64, stored: bool) {
        let Some(put) = self.puts.get_mut(&job) else { return };
        put.stored |= stored;
        put.left -= 1;
        if put.left == 0
            && let Some(put) = self.puts.remove(&job)
        {
            let _ = put.answer.send(if put.stored { Ok(()) } else { Err(Error::NotStored) });
        }
    }

    fn counted(&mut self, network: &mut Network, id: (Scope, QueryId), job: u64, result: kad::GetProvidersResult) {
        let Some(count) = self.counts.get_mut(&job) else { return };
        if let Ok(kad::GetProvidersOk::FoundProviders { providers, .. }) = result {
            for peer in providers {
                if count.found.len() < count.limit {
                    count.found.insert(peer);
                }
            }
            if count.found.len() >= count.limit
                && let Some(mut query) = network.dht(id.0).and_then(|kad| kad.query_mut(&id.1))
            {
                query.finish();
            }
            return;
        }
        self.running.remove(&id);
        count.left -= 1;
        if count.left == 0
            && let Some(count) = self.counts.remove(&job)
        {
            let _ = count.answer.send(Ok(count.found.into_iter().collect()));
        }
    }

    fn got(&mut self, network: &mut Network, id: (Scope, QueryId), job: u64, result: kad::GetRecordResult) {
        let Some(get) = self.gets.get_mut(&job) else { return };
        if let Ok(kad::GetRecordOk::FoundRecord(found)) = result {
            let value = found.record.value;
            let Some(rule) = &self.rule else { return };
            let name = get.name.to_bytes();
            if rule(&name, &value, None) {
                get.valid += 1;
                if get.best.is_none() || rule(&name, &value, get.best.as_deref()) {
                    get.best = Some(value);
                }
            }
            if get.valid >= ENOUGH_RECORDS
                && let Some(mut query) = network.dht(id.0).and_then(|kad| kad.query_mut(&id.1))
            {
                query.finish();
            }
            return;
        }
        self.running.remove(&id);
        get.left -= 1;
        if get.left == 0
            && let Some(get) = self.gets.remove(&job)
        {
            let _ = get.answer.send(Ok(get.best));
        }
    }
}
