//! What this node keeps as a member of the DHT: its own keys, and within limits the records of others.
//!
//! `MemoryStore` of libp2p-kad sets aside three kilobytes for each key and counts its own keys with those of others. Here an own key is
//! as many bytes as its multihash, and what others store is bounded in all and for each of them. Knows no network.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::iter::Empty;
use std::time::Instant;

use libp2p::PeerId;
use libp2p::kad::store::{Error, RecordStore, Result};
use libp2p::kad::{ProviderRecord, Record, RecordKey};

/// IPNS records have at most so many bytes (specs.ipfs.tech/ipns/ipns-record).
const MAX_RECORD_BYTES: usize = 10 << 10;
/// Records of others.
const MAX_RECORDS: usize = 1024;
/// Provider records of others, in all, for one key, and of one provider.
const MAX_PROVIDERS: usize = 16 << 10;
const MAX_PROVIDERS_PER_KEY: usize = 20;
const MAX_KEYS_PER_PROVIDER: usize = 1024;
/// What a key may have: a multihash, or a name in front of one.
const MAX_KEY_BYTES: usize = 128;
/// Addresses of one provider, and the bytes of one.
const MAX_ADDRESSES: usize = 8;
const MAX_ADDRESS_BYTES: usize = 256;

/// The records that this node holds.
pub(crate) struct DhtStore {
    own_id: PeerId,
    own_keys: HashSet<RecordKey>,
    own_records: HashMap<RecordKey, Record>,
    records: HashMap<RecordKey, Record>,
    providers: HashMap<RecordKey, Vec<ProviderRecord>>,
    provider_count: usize,
    keys_of: HashMap<PeerId, usize>,
}

impl DhtStore {
    pub(crate) fn new(own_id: PeerId) -> Self {
        Self {
            own_id,
            own_keys: HashSet::new(),
            own_records: HashMap::new(),
            records: HashMap::new(),
            providers: HashMap::new(),
            provider_count: 0,
            keys_of: HashMap::new(),
        }
    }

    /// Says from now on, to whoever asks, that this node has the key.
    pub(crate) fn add_own_key(&mut self, key: RecordKey) {
        self.own_keys.insert(key);
    }

    fn forget(&mut self, record: &ProviderRecord) {
        self.provider_count -= 1;
        if let Some(count) = self.keys_of.get_mut(&record.provider) {
            *count -= 1;
            if *count == 0 {
                self.keys_of.remove(&record.provider);
            }
        }
    }

    /// Makes place where records have expired.
    fn sweep(&mut self, now: Instant) {
        self.records.retain(|_, record| !record.is_expired(now));
        let mut providers = std::mem::take(&mut self.providers);
        providers.retain(|_, records| {
            records.retain(|record| {
                let expired = record.is_expired(now);
                if expired {
                    self.forget(record);
                }
                !expired
            });
            !records.is_empty()
        });
        self.providers = providers;
    }
}

impl RecordStore for DhtStore {
    // Only jobs that this node does not run ask for these: it puts its records again by itself.
    type RecordsIter<'a> = Empty<Cow<'a, Record>>;
    type ProvidedIter<'a> = Empty<Cow<'a, ProviderRecord>>;

    fn get(&self, key: &RecordKey) -> Option<Cow<'_, Record>> {
        self.own_records.get(key).or_else(|| self.records.get(key)).map(Cow::Borrowed)
    }

    fn put(&mut self, record: Record) -> Result<()> {
        if record.value.len() > MAX_RECORD_BYTES || record.key.as_ref().len() > MAX_KEY_BYTES {
            return Err(Error::ValueTooLarge);
        }
        if record.publisher == Some(self.own_id) {
            self.own_records.insert(record.key.clone(), record);
            return Ok(());
        }
        if self.records.len() >= MAX_RECORDS && !self.records.contains_key(&record.key) {
            self.sweep(Instant::now());
            if self.records.len() >= MAX_RECORDS {
                return Err(Error::MaxRecords);
            }
        }
        self.records.insert(record.key.clone(), record);
        Ok(())
    }

    fn remove(&mut self, key: &RecordKey) {
        self.own_records.remove(key);
        self.records.remove(key);
    }

    fn records(&self) -> Self::RecordsIter<'_> {
        std::iter::empty()
    }

    fn add_provider(&mut self, mut record: ProviderRecord) -> Result<()> {
        if record.key.as_ref().len() > MAX_KEY_BYTES {
            return Err(Error::ValueTooLarge);
        }
        if record.provider == self.own_id {
            self.own_keys.insert(record.key);
            return Ok(());
        }
        record.addresses.retain(|address| address.len() <= MAX_ADDRESS_BYTES);
        record.addresses.truncate(MAX_ADDRESSES);
        if let Some(records) = self.providers.get_mut(&record.key) {
            if let Some(known) = records.iter_mut().find(|known| known.provider == record.provider) {
                *known = record;
                return Ok(());
            }
            if records.len() >= MAX_PROVIDERS_PER_KEY {
                return Err(Error::MaxProvidedKeys);
            }
        }
        if self.provider_count >= MAX_PROVIDERS {
            self.sweep(Instant::now());
        }
        let keys = self.keys_of.get(&record.provider).copied().unwrap_or(0);
        if self.provider_count >= MAX_PROVIDERS || keys >= MAX_KEYS_PER_PROVIDER {
            return Err(Error::MaxProvidedKeys);
        }
        self.provider_count += 1;
        self.keys_of.insert(record.provider, keys + 1);
        self.providers.entry(record.key.clone()).or_default().push(record);
        Ok(())
    }

    fn providers(&self, key: &RecordKey) -> Vec<ProviderRecord> {
        let own = self.own_keys.get(key).map(|key| ProviderRecord::new(key.clone(), self.own_id, Vec::new()));
        own.into_iter().chain(self.providers.get(key).into_iter().flatten().cloned()).collect()
    }

    fn provided(&self) -> Self::ProvidedIter<'_> {
        std::iter::empty()
    }

    fn remove_provider(&mut self, key: &RecordKey, provider: &PeerId) {
        if *provider == self.own_id {
            self.own_keys.remove(key);
            return;
        }
        let Some(records) = self.providers.get_mut(key) else { return };
        let Some(index) = records.iter().position(|record| record.provider == *provider) else { return };
        let record = records.swap_remove(index);
        if records.is_empty() {
            self.providers.remove(key);
        }
        self.forget(&record);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn key(number: usize) -> RecordKey {
        RecordKey::new(&number.to_be_bytes())
    }

    fn provider(number: usize, peer: PeerId) -> ProviderRecord {
        ProviderRecord::new(key(number), peer, Vec::new())
    }

    #[test]
    fn own_keys_have_no_limit_and_others_do() {
        let own = PeerId::random();
        let mut store = DhtStore::new(own);
        for number in 0..2 * MAX_PROVIDERS {
            store.add_provider(provider(number, own)).expect("an own key");
        }
        let other = PeerId::random();
        let stored =
            (0..2 * MAX_KEYS_PER_PROVIDER).filter(|number| store.add_provider(provider(*number, other)).is_ok());
        assert_eq!(stored.count(), MAX_KEYS_PER_PROVIDER);
        let many = (0..100).filter(|_| store.add_provider(provider(7, PeerId::random())).is_ok());
        assert_eq!(many.count(), MAX_PROVIDERS_PER_KEY - 1);
        assert_eq!(store.providers(&key(7)).len(), MAX_PROVIDERS_PER_KEY + 1);
        store.remove_provider(&key(7), &own);
        store.remove_provider(&key(7), &other);
        assert_eq!(store.providers(&key(7)).len(), MAX_PROVIDERS_PER_KEY - 1);
        store.add_provider(provider(7, other)).expect("there is place again");
    }

    #[test]
    fn expired_records_make_place() {
        let mut store = DhtStore::new(PeerId::random());
        let record = |number: usize, expires| Record { key: key(number), value: vec![1], publisher: None, expires };
        let past = Instant::now();
        store.put(record(0, Some(past))).expect("place");
        for number in 1..MAX_RECORDS {
            store.put(record(number, Some(past + Duration::from_hours(1)))).expect("place");
        }
        store.put(record(MAX_RECORDS, None)).expect("one has expired");
        assert!(store.get(&key(0)).is_none());
        assert!(store.put(record(MAX_RECORDS + 1, None)).is_err());
        let large = Record { value: vec![0; MAX_RECORD_BYTES + 1], ..record(1, None) };
        assert!(store.put(large).is_err());
    }

    #[test]
    fn a_provider_is_counted_once_for_a_key() {
        let mut store = DhtStore::new(PeerId::random());
        let peer = PeerId::random();
        for _ in 0..3 {
            store.add_provider(provider(1, peer)).expect("place");
        }
        assert_eq!(store.provider_count, 1);
        store.remove_provider(&key(1), &peer);
        assert_eq!((store.provider_count, store.keys_of.len(), store.providers.len()), (0, 0, 0));
    }
}
