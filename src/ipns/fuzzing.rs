//! Records and keys read without a signature to guess: for the targets in `fuzz/`.

use super::{Name, PrivateKey, Record};

/// What a record would say if its signature were right.
pub fn unverified(bytes: &[u8]) -> Option<Record> {
    let record = Record::unverified(bytes).ok()?;
    let _ = record.root();
    Some(record)
}

/// Reads bytes as everything else that this room reads: a name, a key of the DHT, a file with a private key.
pub fn names_and_keys(bytes: &[u8]) {
    let _ = std::str::from_utf8(bytes).map(str::parse::<Name>);
    let _ = Name::from_routing_key(bytes);
    let _ = PrivateKey::from_file(bytes);
}
