//! The record of a host: who publishes there, and what. It is moved first and last, each time only if it is still the one that was
//! seen, so that of two publishers one wins, and the other one notices before it has stored anything.

use bytes::Bytes;
use cid::Cid;
use serde::{Deserialize, Serialize};

use crate::catalog::host_objects::{self, HostObject};
use crate::catalog::targets::Target;
use crate::engine::blocking::in_place;
use crate::engine::{Engine, now, targets::view::time};
use crate::error::{Error, Kind, Result};
use crate::hosts::{Caching, Condition, Host, Object, Stored, Uploads};
use crate::image::Digest;
use crate::site::objects::{JSON_TYPE, RECORD_KEY};
use crate::text::printable_within;

/// The version of what the record says.
const VERSION: u32 = 1;
/// More than this is no record.
const MAX_RECORD_BYTES: u64 = 64 << 10;

/// What the record says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// [`VERSION`].
    pub(super) roadstead: u32,
    /// Who publishes here: what pins are called at nodes.
    pub(super) publisher: String,
    /// The root that is whole here; none before the first one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) root: Option<String>,
    /// A root that is being stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) storing: Option<String>,
    /// When this was written (RFC 3339).
    pub(super) at: String,
}

/// The record as it was found.
#[derive(Debug, Clone, Default)]
pub(super) struct SeenRecord {
    /// What the host calls it by; none: there is none.
    pub(super) tag: Option<String>,
    /// What it says, if it is one.
    pub(super) record: Option<Record>,
    /// It was written from here.
    pub(super) ours: bool,
}

impl SeenRecord {
    /// Reads it; `listed` is what the host's list calls it by.
    pub(super) async fn read(engine: &Engine, host: &dyn Host, target: &Target, listed: Option<&str>) -> Result<Self> {
        if listed.is_none() {
            return Ok(Self::default());
        }
        let Some(read) = host.read(RECORD_KEY, MAX_RECORD_BYTES).await? else { return Ok(Self::default()) };
        let row = in_place(|| host_objects::by_key(&*engine.catalog.read()?, target.id, RECORD_KEY))?;
        let digest = Digest::of(&read.bytes);
        let ours = row.is_some_and(|row| {
            row.tag.as_ref() == Some(&read.tag) || row.digest == Some(digest) || row.sent == Some(digest)
        });
        let record = serde_json::from_slice::<Record>(&read.bytes).ok();
        Ok(Self { tag: Some(read.tag), record, ours })
    }

    /// Whether it is the very one that was written from here when a root was whole: then nobody else has published there since, and
    /// what is recorded of the host's objects holds, but for a hand that keeps no record.
    pub(super) fn is_unchanged(&self, written: &HostObject) -> bool {
        written.sent.is_none()
            && self.tag.is_some()
            && self.tag == written.tag
            && self.root().is_some()
            && self.storing().is_none()
    }

    /// The root that is whole there, if it was stored from here.
    pub(super) fn root(&self) -> Option<Cid> {
        self.record.as_ref().filter(|_| self.ours)?.root.as_ref()?.parse().ok()
    }

    /// The root that was being stored from here.
    pub(super) fn storing(&self) -> Option<Cid> {
        self.record.as_ref().filter(|_| self.ours)?.storing.as_ref()?.parse().ok()
    }

    /// An error if somebody else publishes there.
    pub(super) fn check(&self, place: &str) -> Result<()> {
        if self.ours || self.tag.is_none() {
            return Ok(());
        }
        let words = match &self.record {
            Some(record) => format!(
                "{place} was published to by `{}` on {}, not from here",
                printable_within(&record.publisher, 100),
                printable_within(&record.at, 40)
            ),
            None => format!("{place} has a {RECORD_KEY} that is not from here"),
        };
        Err(Error::new(Kind::Locked, words).hint(
            "Another catalog publishes there, or this one was restored. Use another place, or take it over with `--force`.",
        ))
    }

    fn condition(&self) -> Condition {
        self.tag.clone().map_or(Condition::Absent, Condition::Tag)
    }

    /// Writes the record if it is still this one; what is there then.
    pub(super) async fn write(
        &self,
        engine: &Engine,
        host: &dyn Host,
        target: &Target,
        record: Record,
        uploads: &dyn Uploads,
    ) -> Result<Self> {
        let bytes = serde_json::to_vec_pretty(&record)
            .map_err(|error| Error::new(Kind::Unexpected, "can't write the record").caused_by(error))?;
        let (bytes, size) = (Bytes::from(bytes.clone()), bytes.len() as u64);
        let digest = Digest::of(&bytes);
        in_place(|| {
            engine.catalog.write(|writer| host_objects::set_sent(writer, target.id, RECORD_KEY, &digest, size))
        })?;
        let object = Object {
            key: RECORD_KEY.to_owned(),
            size,
            sha256: *digest.as_bytes(),
            content_type: JSON_TYPE.to_owned(),
            caching: Caching::Brief,
            manifest_digest: None,
        };
        let Stored::Now(tag) = host.put(&object, &bytes, &self.condition(), uploads).await? else {
            return Err(Error::new(
                Kind::Locked,
                format!("somebody else began to publish to {} at the same time", host.place()),
            )
            .hint("Nothing of theirs was changed. Let one machine publish there, then run this again."));
        };
        in_place(|| {
            engine.catalog.write(|writer| host_objects::set_stored(writer, target.id, RECORD_KEY, &digest, &tag, size))
        })?;
        Ok(Self { tag: Some(tag), record: Some(record), ours: true })
    }
}

impl SeenRecord {
    /// Whether the host refuses to store what it should not, tried by storing the record as if there were none; what is there then.
    pub(super) async fn try_conditions(
        self,
        engine: &Engine,
        host: &dyn Host,
        target: &Target,
        uploads: &dyn Uploads,
    ) -> Result<(Self, bool)> {
        let Some(record) = self.record.clone() else { return Ok((self, true)) };
        let as_if_none = Self { tag: None, ..self.clone() };
        match as_if_none.write(engine, host, target, record, uploads).await {
            Ok(written) => Ok((written, false)),
            Err(error) if error.kind() == Kind::Locked => {
                // It is still what was written before.
                Ok((self, true))
            }
            Err(error) => Err(error),
        }
    }
}

impl Record {
    /// A record of now.
    pub(super) fn new(publisher: String, root: Option<Cid>, storing: Option<Cid>) -> Self {
        let text = |cid: Option<Cid>| cid.map(|cid| cid.to_string());
        Self { roadstead: VERSION, publisher, root: text(root), storing: text(storing), at: time(now()) }
    }
}
