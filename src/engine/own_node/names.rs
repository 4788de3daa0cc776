//! IPNS names that are moved with keys of this data directory: records are signed here, kept, and given out by whoever serves.

use std::time::Duration;

use bytes::Bytes;
use cid::Cid;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::keys::OWN_KEY;
use crate::catalog::follow;
use crate::catalog::own_node::{self, NameRecord};
use crate::engine::{Engine, now};
use crate::error::{Error, Kind, Result};
use crate::ipns::{Name, PrivateKey, Record};

/// How long a record is valid. It is signed again long before.
const RECORD_VALIDITY: SignedDuration = SignedDuration::from_hours(48);
/// A record is signed again when it is valid for less than this.
const MIN_RECORD_VALIDITY: SignedDuration = SignedDuration::from_hours(24);
/// How long others may keep a record without asking again.
const RECORD_TTL: Duration = Duration::from_mins(1);

/// A name of this data directory, and the newest record that is known of it.
#[derive(Debug, Clone)]
pub struct OwnName {
    /// The name.
    pub name: Name,
    /// What the record says.
    pub record: Record,
    /// The signed record.
    pub bytes: Bytes,
}

/// The IPNS name of a key of this data directory, and what its newest record says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NameState {
    /// What the key is called here.
    pub key: String,
    /// The IPNS name: `k51…`.
    pub name: String,
    /// Its newest record; none while nothing was published under it.
    pub record: Option<RecordState>,
}

/// What a record of a name says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordState {
    /// The root that it points to; none where it points to something else.
    pub root: Option<String>,
    /// Its sequence number: a record with a higher one replaces it.
    pub sequence: u64,
    /// When it expires (RFC 3339), unless it is signed again before.
    pub valid_until: Timestamp,
}

impl Engine {
    /// The IPNS name of the key of this name, if it is here.
    pub fn name_state(&self, key: &str) -> Result<Option<NameState>> {
        let keys = self.own_keys()?;
        let Some(found) = keys.iter().find(|own| own.name == key || own.key.name().to_string() == key) else {
            return Ok(None);
        };
        let name = found.key.name();
        let record = self.own_name(&name)?.map(|own| RecordState {
            root: own.record.root().ok().map(|root| root.to_string()),
            sequence: own.record.sequence,
            valid_until: own.record.validity,
        });
        Ok(Some(NameState { key: found.name.clone(), name: name.to_string(), record }))
    }

    /// The newest record that is known of a name of ours.
    pub fn own_name(&self, name: &Name) -> Result<Option<OwnName>> {
        let found = own_node::record(&*self.catalog.read()?, &name.multihash().to_bytes())?;
        found.map(|found| read(&found)).transpose()
    }

    /// The newest record of each name of ours.
    pub fn own_names(&self) -> Result<Vec<OwnName>> {
        own_node::records(&*self.catalog.read()?)?.iter().map(read).collect()
    }

    /// Lets the name of a key stand for a root: signs a record that replaces every one that is known.
    pub fn move_own_name(&self, key: &PrivateKey, root: &Cid) -> Result<OwnName> {
        let name = key.name();
        let before = self.own_name(&name)?;
        let elsewhere = self.sequence_elsewhere(&name)?;
        let sequence = match &before {
            // One that says the same and is good for long stays.
            Some(before)
                if before.record.root().is_ok_and(|before| before == *root)
                    && before.record.sequence >= elsewhere
                    && before.record.validity.duration_since(Timestamp::now()) >= MIN_RECORD_VALIDITY =>
            {
                return Ok(before.clone());
            }
            Some(before) => before.record.sequence.max(elsewhere).saturating_add(1),
            None => elsewhere.saturating_add(1),
        };
        self.sign(key, Record::of_root(root, sequence, Timestamp::now() + RECORD_VALIDITY, RECORD_TTL))
    }

    /// Signs again what expires soon, if its key is here and what it points to is given out; it says the same as before. What was
    /// signed.
    pub fn sign_own_names_again(&self) -> Result<Vec<OwnName>> {
        let mut signed = Vec::new();
        let keys = self.own_keys()?;
        let given: Vec<Cid> = own_node::pins(&*self.catalog.read()?)?.into_iter().map(|(root, _)| root).collect();
        for own in self.own_names()? {
            if !own.record.root().is_ok_and(|root| given.contains(&root)) {
                continue;
            }
            let left = own.record.validity.duration_since(Timestamp::now());
            let Some(key) = keys.iter().find(|key| key.key.name() == own.name).filter(|_| left < MIN_RECORD_VALIDITY)
            else {
                continue;
            };
            let validity = Timestamp::now() + RECORD_VALIDITY;
            signed.push(self.sign(&key.key, Record { validity, ..own.record })?);
        }
        Ok(signed)
    }

    /// Takes a newer record of a name of ours, as another machine that has the key may have signed it.
    ///
    /// Kinds of errors: `Auth` for a name that is not ours, `Usage` for a record that is older than the one that is known,
    /// `Verification` for one that is not signed for the name.
    pub fn take_own_record(&self, name: &Name, bytes: &[u8]) -> Result<()> {
        let Some(known) = self.own_name(name)? else {
            return Err(Error::new(Kind::Auth, format!("{name} is not a name of this registry")));
        };
        // What is given out of a name that is followed is what is held of it.
        let followed = follow::load(&*self.catalog.read()?)?.and_then(|row| row.record);
        if followed.is_some_and(|(key, _)| key == name.multihash().to_bytes()) {
            return Err(Error::new(
                Kind::Auth,
                format!("{name} is followed here: give its record to who publishes it"),
            ));
        }
        let record = Record::verify_at(bytes, name, Timestamp::now())?;
        record.root()?;
        if known.bytes == bytes {
            return Ok(());
        }
        if !record.is_newer_than(&known.record) {
            return Err(Error::new(
                Kind::Usage,
                format!(
                    "the record is older than the one that is known, which has the sequence {}",
                    known.record.sequence
                ),
            ));
        }
        self.keep_record(name, bytes)
    }

    fn sign(&self, key: &PrivateKey, record: Record) -> Result<OwnName> {
        let (name, bytes) = (key.name(), Bytes::from(record.sign(key)?));
        self.keep_record(&name, &bytes)?;
        Ok(OwnName { name, record, bytes })
    }

    fn keep_record(&self, name: &Name, bytes: &[u8]) -> Result<()> {
        self.catalog.write(|writer| own_node::set_record(writer, &name.multihash().to_bytes(), bytes, now()))
    }

    /// The key of the node itself, whose name is its peer ID.
    pub fn node_key(&self) -> Result<PrivateKey> {
        self.make_own_key(OWN_KEY)
    }
}

fn read(kept: &NameRecord) -> Result<OwnName> {
    let name = Name::from_routing_key(&[b"/ipns/", kept.name.as_slice()].concat())?;
    let record = Record::verify(&kept.record, &name)?;
    Ok(OwnName { name, record, bytes: kept.record.clone().into() })
}
