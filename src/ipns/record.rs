//! IPNS records: made, signed, read and verified (IPNS spec, "IPNS Record", "Record Creation", "Record Verification").
//!
//! Knows the protobuf around the signed data. Must not know where records come from or go.

use std::time::Duration;

use cid::Cid;
use jiff::Timestamp;

use super::data::Data;
use super::key::{PrivateKey, PublicKey};
use super::name::{Name, cid_of};
use super::protobuf::{Fields, Value, write_bytes, write_number};
use super::validity;
use crate::error::{Error, Kind, Result};
use crate::text::printable_within;

/// The most bytes that a record may have, which every implementation takes (IPNS spec, "Record Size Limit").
pub const MAX_RECORD_BYTES: usize = 10 << 10;

/// The fields of `IpnsEntry`. Those of V1 come first and are copies of what is in the data.
const VALUE: u64 = 1;
const SIGNATURE_V1: u64 = 2;
const VALIDITY_TYPE: u64 = 3;
const VALIDITY: u64 = 4;
const SEQUENCE: u64 = 5;
const TTL: u64 = 6;
const PUBLIC_KEY: u64 = 7;
const SIGNATURE_V2: u64 = 8;
const DATA: u64 = 9;

/// What precedes the data where it is signed.
const SIGNATURE_PREFIX: &[u8] = b"ipns-signature:";
/// The validity that is a time of expiry, by its number and by its name in what V1 signs.
const EOL: u64 = 0;
const EOL_NAME: &[u8] = b"EOL";
/// The largest number in a record that Kubo reads.
const MAX_NUMBER: u64 = i64::MAX as u64;
/// The CID of a root has 59 characters in base32; one with SHA-512 has 137 in base16.
const MAX_CID_LENGTH: usize = 140;
/// How much of a path is shown that can't be followed.
const SHOWN_COLUMNS: usize = 100;

/// What a record says of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The path that the name stands for. Anybody's text where the record is another's.
    pub value: String,
    /// Rises with every record that says something else.
    pub sequence: u64,
    /// When the record expires.
    pub validity: Timestamp,
    /// How long it may be kept before the name is asked for again.
    pub ttl: Duration,
}

impl Record {
    /// A record that lets a name stand for a root.
    pub fn of_root(root: &Cid, sequence: u64, validity: Timestamp, ttl: Duration) -> Self {
        Self { value: format!("/ipfs/{root}"), sequence, validity, ttl }
    }

    /// Signs the record for the name of this key, with the fields and the signature of V1 beside those of V2, as Kubo does.
    pub fn sign(&self, key: &PrivateKey) -> Result<Vec<u8>> {
        let refuse = |why: &str| Error::new(Kind::Usage, format!("can't make an IPNS record: {why}"));
        let validity = validity::format(self.validity).ok_or_else(|| refuse("it would expire before the year 0"))?;
        let ttl = u64::try_from(self.ttl.as_nanos()).ok().filter(|ttl| *ttl <= MAX_NUMBER);
        let ttl = ttl.ok_or_else(|| refuse("its TTL is longer than 292 years"))?;
        if self.sequence > MAX_NUMBER {
            return Err(refuse("its sequence number has more than 63 bits"));
        }
        if !self.value.starts_with('/') {
            return Err(refuse("its value is not a path"));
        }
        let (value, validity) = (self.value.as_bytes(), validity.as_bytes());
        let data = Data { value, validity, validity_type: EOL, sequence: self.sequence, ttl }.encode();
        let signature_v1 = key.sign(&[value, validity, EOL_NAME].concat())?;
        let signature_v2 = key.sign(&signed(&data))?;

        let mut entry = Vec::with_capacity(2 * data.len() + 192);
        write_bytes(&mut entry, VALUE, value);
        write_bytes(&mut entry, SIGNATURE_V1, signature_v1.as_ref());
        write_number(&mut entry, VALIDITY_TYPE, EOL);
        write_bytes(&mut entry, VALIDITY, validity);
        write_number(&mut entry, SEQUENCE, self.sequence);
        write_number(&mut entry, TTL, ttl);
        write_bytes(&mut entry, SIGNATURE_V2, signature_v2.as_ref());
        write_bytes(&mut entry, DATA, &data);
        if entry.len() > MAX_RECORD_BYTES { Err(refuse("it would be larger than 10 KiB")) } else { Ok(entry) }
    }

    /// Reads a record that was signed by the key of this name, and that may have expired. Fails with [`Kind::Verification`].
    pub fn verify(bytes: &[u8], name: &Name) -> Result<Self> {
        let verified = || {
            let entry = Entry::decode(bytes)?;
            let key = entry.key(name)?;
            let data = entry.data()?;
            if !key.verifies(&signed(entry.data), entry.signature_v2) {
                return Err(refused("its signature is not by the key of this name"));
            }
            entry.said_by(&data)
        };
        verified().map_err(|error: Error| error.context(format!("IPNS record of {name}")))
    }

    /// Reads a record as [`Record::verify`] does, and refuses one that has expired.
    pub fn verify_at(bytes: &[u8], name: &Name, now: Timestamp) -> Result<Self> {
        let record = Self::verify(bytes, name)?;
        if record.is_expired(now) {
            return Err(
                refused(&format!("it expired at {:.0}", record.validity)).context(format!("IPNS record of {name}"))
            );
        }
        Ok(record)
    }

    /// What a record would say, had its signature been looked at.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn unverified(bytes: &[u8]) -> Result<Self> {
        let entry = Entry::decode(bytes)?;
        entry.said_by(&entry.data()?)
    }

    /// The root that the name stands for. Values that are not `/ipfs/` and a CID are refused: other names, domains, and paths
    /// below a root.
    pub fn root(&self) -> Result<Cid> {
        let shown = || printable_within(&self.value, SHOWN_COLUMNS);
        let refuse = |why: String| Err(Error::new(Kind::Verification, format!("the IPNS record points to {why}")));
        if self.value.starts_with("/ipns/") {
            return refuse(format!("another name, `{}`, and not to a root", shown()));
        }
        let Some(path) = self.value.strip_prefix("/ipfs/") else {
            return refuse(format!("`{}`, which is not a path below /ipfs/", shown()));
        };
        let text = path.strip_suffix('/').unwrap_or(path);
        if text.contains('/') {
            return refuse(format!("`{}`, a path below a root, and not to the root", shown()));
        }
        match Some(text).filter(|text| text.len() <= MAX_CID_LENGTH).and_then(cid_of) {
            Some(root) => Ok(root),
            None => refuse(format!("`{}`, which has no CID", shown())),
        }
    }

    /// Whether this record replaces another one of its name: by the sequence number, then by the time of expiry.
    pub fn is_newer_than(&self, other: &Self) -> bool {
        (self.sequence, self.validity) > (other.sequence, other.validity)
    }

    /// Whether the record says nothing any more.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.validity <= now
    }

    /// How long the record may be believed without asking again: its TTL, or until it expires.
    pub fn fresh_for(&self, now: Timestamp) -> Duration {
        // What lies in the past is no `Duration`.
        self.ttl.min(Duration::try_from(self.validity.duration_since(now)).unwrap_or_default())
    }
}

/// What is signed.
fn signed(data: &[u8]) -> Vec<u8> {
    [SIGNATURE_PREFIX, data].concat()
}

fn refused(why: &str) -> Error {
    Error::new(Kind::Verification, why)
}

/// The fields of an untrusted `IpnsEntry`. What is missing is empty or zero, which protobuf does not tell apart.
#[derive(Default)]
struct Entry<'a> {
    value: &'a [u8],
    signature_v1: &'a [u8],
    validity_type: u64,
    validity: &'a [u8],
    sequence: u64,
    ttl: u64,
    public_key: &'a [u8],
    signature_v2: &'a [u8],
    data: &'a [u8],
}

impl<'a> Entry<'a> {
    /// Steps 1 and 2 of "Record Verification". Unknown fields are skipped; a known one that comes twice is refused, since
    /// readers would not agree on which one counts.
    fn decode(bytes: &'a [u8]) -> Result<Self> {
        if bytes.len() > MAX_RECORD_BYTES {
            return Err(refused("it is larger than 10 KiB"));
        }
        let broken = |why: &str| refused(&format!("it is no protobuf of a record: {why}"));
        let mut entry = Self::default();
        let mut seen = [false; DATA as usize + 1];
        for field in Fields::of(bytes) {
            let (number, value) = field.map_err(broken)?;
            let Some(seen) = usize::try_from(number).ok().and_then(|number| seen.get_mut(number)) else { continue };
            if std::mem::replace(seen, true) {
                return Err(broken(&format!("field {number} comes twice")));
            }
            entry.set(number, value).ok_or_else(|| broken(&format!("field {number} has another type")))?;
        }
        if entry.signature_v2.is_empty() {
            return Err(refused("it has no V2 signature, and V1 alone proves nothing"));
        }
        if entry.data.is_empty() {
            return Err(refused("it has no signed data"));
        }
        Ok(entry)
    }

    fn set(&mut self, number: u64, value: Value<'a>) -> Option<()> {
        match number {
            VALUE => self.value = value.bytes()?,
            SIGNATURE_V1 => self.signature_v1 = value.bytes()?,
            VALIDITY_TYPE => self.validity_type = value.number()?,
            VALIDITY => self.validity = value.bytes()?,
            SEQUENCE => self.sequence = value.number()?,
            TTL => self.ttl = value.number()?,
            PUBLIC_KEY => self.public_key = value.bytes()?,
            SIGNATURE_V2 => self.signature_v2 = value.bytes()?,
            DATA => self.data = value.bytes()?,
            _ => {}
        }
        Some(())
    }

    /// Step 3: the key in the record, if it is that of the name, or the key in the name.
    fn key<'b>(&self, name: &'b Name) -> Result<PublicKey<'b>>
    where
        'a: 'b,
    {
        if self.public_key.is_empty() {
            return name.key().ok_or_else(|| refused("it has no public key, and the name has only the key's hash"));
        }
        let key = PublicKey::from_protobuf(self.public_key)
            .map_err(|why| refused(&format!("its public key can't be used: {why}")))?;
        if Name::of(&key) == *name { Ok(key) } else { Err(refused("its public key is that of another name")) }
    }

    /// Step 4.
    fn data(&self) -> Result<Data<'a>> {
        Data::decode(self.data).map_err(|why| refused(&format!("its signed data can't be read: {why}")))
    }

    /// Steps 7 and 8, but for the clock. Of the fields of V1 nothing is used.
    fn said_by(&self, data: &Data<'_>) -> Result<Record> {
        if !self.signature_v1.is_empty() || !self.value.is_empty() {
            for (field, is_same) in [
                ("value", self.value == data.value),
                ("validity", self.validity == data.validity),
                ("validityType", self.validity_type == data.validity_type),
                ("sequence", self.sequence == data.sequence),
                ("ttl", self.ttl == data.ttl),
            ] {
                if !is_same {
                    return Err(refused(&format!("its V1 field `{field}` differs from what is signed")));
                }
            }
        }
        if data.validity_type != EOL {
            return Err(refused(&format!("its validity has the unknown type {}", data.validity_type)));
        }
        let validity = validity::parse(data.validity)
            .ok_or_else(|| refused("its validity is not a time as RFC 3339 writes it"))?;
        let value = std::str::from_utf8(data.value).ok().filter(|value| value.starts_with('/'));
        Ok(Record {
            value: value.ok_or_else(|| refused("its value is not a path"))?.to_owned(),
            sequence: data.sequence,
            validity,
            ttl: Duration::from_nanos(data.ttl),
        })
    }
}
