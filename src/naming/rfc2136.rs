//! A server that takes updates (RFC 2136) signed with a shared key (TSIG, RFC 8945): one message changes all or nothing.
//!
//! Knows the message and what its answer proves; must not know what a record means.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hickory_proto::op::{Message, OpCode, Query};
use hickory_proto::rr::rdata::tsig::TsigAlgorithm;
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType, TSigVerifier, TSigner};

use super::authority::{Authority, elsewhere};
use super::exchange::{Answer, Server, encode};
use super::question::{self, Said, shown};
use super::records::{Records, record};
use super::refusal::{Asked, refusal};
use super::{Atomicity, TxtSet, Zone};
use crate::error::{Error, Kind, Result};
use crate::text::printable_within;

/// How far the clocks of both sides may be apart, in seconds (RFC 8945, section 10 recommends it).
const FUDGE_SECONDS: u16 = 300;
/// What a record is kept for where nobody says, in seconds.
const DEFAULT_TTL_SECONDS: u32 = 60;

/// A zone's primary server and a key that it knows.
pub struct Rfc2136 {
    server: Server,
    key: String,
    signer: TSigner,
    authority: Authority,
}

impl fmt::Debug for Rfc2136 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rfc2136").field("server", &self.server).field("key", &self.key).finish_non_exhaustive()
    }
}

/// What is to change, and where.
struct Change {
    at: Name,
    zone: Name,
    before: Records,
}

impl Rfc2136 {
    /// The server at `HOST:PORT` and the key of this name, algorithm (`hmac-sha256`, `-sha384` or `-sha512`) and secret
    /// (base64); nobody is asked.
    pub fn new(server: &str, key: &str, algorithm: &str, secret: &str) -> Result<Self> {
        let wrong = |what: String| Error::new(Kind::Usage, what);
        if !server.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok()) {
            return Err(wrong(format!("`{}` is not a DNS server", printable_within(server, 260)))
                .hint("Write `HOST:PORT`, as in `ns1.example.com:53`."));
        }
        let algorithm = match algorithm.trim_end_matches('.').to_ascii_lowercase().as_str() {
            "hmac-sha256" => TsigAlgorithm::HmacSha256,
            "hmac-sha384" => TsigAlgorithm::HmacSha384,
            "hmac-sha512" => TsigAlgorithm::HmacSha512,
            _ => {
                return Err(wrong(format!("`{}` is not a supported TSIG algorithm", printable_within(algorithm, 80)))
                    .hint("Choose `hmac-sha256`, `hmac-sha384` or `hmac-sha512`."));
            }
        };
        // Never in a message: what can't be read may still be the secret.
        let secret: String = secret.chars().filter(|c| !c.is_whitespace()).collect();
        let secret = STANDARD.decode(secret.trim_matches('"')).ok().filter(|secret| !secret.is_empty());
        let secret = secret.ok_or_else(|| {
            Error::new(Kind::Auth, format!("the secret of the key `{}` is not base64", printable_within(key, 260)))
                .hint("Write only the text between the quotes of `secret` in the server's configuration.")
        })?;
        let name = question::name(key).map_err(|error| error.context("the key's name"))?;
        let signer = TSigner::new(secret, algorithm, name, FUDGE_SECONDS)
            .map_err(|_| Error::new(Kind::Usage, "can't sign with this key's algorithm"))?;
        let server = Server::Named(server.to_owned());
        let authority = Authority::through(server.clone());
        Ok(Self { server, key: printable_within(key, 260), signer, authority })
    }

    /// Looks for the zone's other servers on this port; for tests.
    #[cfg(test)]
    pub(super) fn with_others_on(mut self, port: u16) -> Self {
        self.authority = Authority::Through { server: self.server.clone(), port };
        self
    }

    /// Where the record of a name is, and what it is now.
    async fn look(&self, name: &str) -> Result<Change> {
        let name = question::name(name)?;
        match question::txt(&self.server, &name).await? {
            Said::Records { at, records } => {
                let zone = question::zone(&self.server, &at).await?;
                Ok(Change { at, zone, before: records })
            }
            Said::Elsewhere(target) => Err(elsewhere(&name, &target)),
        }
    }

    /// Signs the message, sends it, and takes no answer for a yes that the key did not sign.
    async fn send(&self, change: &Change, mut message: Message) -> Result<Sent> {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let failed = |error| Error::new(Kind::Unexpected, "can't sign the update").caused_by(error);
        let verifier = message.finalize(&self.signer, time).map_err(failed)?;
        let bytes = encode(&message)?;
        let line = self.server.connect().await?;
        let answer = match line.ask(message.metadata.id, &bytes).await {
            Ok(answer) => answer,
            Err(error) => return Ok(Sent::InDoubt(error)),
        };
        let (server, name, zone) = (self.server.to_string(), shown(&change.at), shown(&change.zone));
        let asked = Asked { server: &server, key: &self.key, name: &name, zone: &zone, time };
        if let Some(error) = refusal(&asked, &answer.message) {
            return Err(error);
        }
        if !signed(&answer, verifier) {
            let what = format!("{server} accepts the update, but its answer is not signed with the key `{}`", self.key);
            return Ok(Sent::InDoubt(
                Error::new(Kind::Verification, what).hint("Something else may be answering in the server's place."),
            ));
        }
        Ok(Sent::Taken)
    }

    /// What became of an update whose answer did not come or can't be believed.
    async fn find_out(&self, name: &str, expected: &TxtSet, wanted: &TxtSet, error: Error) -> Result<()> {
        // A yes that is not signed is no yes, whatever the same side says next.
        if error.kind() == Kind::Verification {
            return Err(error);
        }
        match self.look(name).await {
            Ok(now) if now.before.are(wanted) => Ok(()),
            Ok(now) if now.before.are(expected) => Err(error.hint("The record has not moved.")),
            _ => Err(error.hint("It is unknown whether the record has moved: check it.")),
        }
    }
}

/// What became of a message.
enum Sent {
    Taken,
    /// The server may have done it.
    InDoubt(Error),
}

pub(super) fn signed(answer: &Answer, verifier: Option<TSigVerifier>) -> bool {
    // The library subtracts the tolerance from the time without looking.
    let sane = answer.message.signature.as_ref().is_some_and(|record| record.data.time >= u64::from(record.data.fudge));
    sane && verifier.is_some_and(|mut verifier| verifier.verify(&answer.bytes).is_ok())
}

/// An update without content (RFC 2136, section 2.3).
fn update(zone: &Name) -> Message {
    let mut message = Message::query();
    message.metadata.op_code = OpCode::Update;
    message.metadata.recursion_desired = false;
    let mut query = Query::new();
    query.set_name(zone.clone()).set_query_type(RecordType::SOA);
    message.add_query(query);
    message
}

fn of_class(mut record: Record, class: DNSClass) -> Record {
    record.dns_class = class;
    record
}

/// Replaces the TXT records `before` at a name by the set, if they are still the same ones.
fn swap(change: &Change, wanted: &TxtSet) -> Message {
    let mut message = update(&change.zone);
    let at = || change.at.clone();
    if change.before.raw.is_empty() {
        // None of this type; and no alias either, beside which the server would drop the record without a word.
        for kind in [RecordType::TXT, RecordType::CNAME] {
            message.add_answer(of_class(Record::update0(at(), 0, kind), DNSClass::NONE));
        }
    }
    for txt in &change.before.raw {
        // All of these and no others (section 2.4.2).
        message.add_answer(Record::from_rdata(at(), 0, RData::TXT(txt.clone())));
    }
    if !change.before.raw.is_empty() {
        message.add_authority(of_class(Record::update0(at(), 0, RecordType::TXT), DNSClass::ANY));
    }
    let ttl = wanted.ttl.or(change.before.ttl).unwrap_or(DEFAULT_TTL_SECONDS);
    for txt in change.before.become_set(wanted) {
        message.add_authority(Record::from_rdata(at(), ttl, RData::TXT(txt)));
    }
    message
}

#[async_trait]
impl Zone for Rfc2136 {
    fn place(&self) -> String {
        self.server.to_string()
    }

    fn atomicity(&self) -> Atomicity {
        Atomicity::Atomic
    }

    async fn read(&self, name: &str) -> Result<TxtSet> {
        self.authority.read(name).await
    }

    async fn replace(&self, name: &str, expected: &TxtSet, wanted: &TxtSet) -> Result<()> {
        let change = self.look(name).await?;
        if !change.before.are(expected) {
            return Err(Error::new(
                Kind::Locked,
                format!("another writer changed {} in the meantime", shown(&change.at)),
            )
            .hint("Check the record, then try again: its new value is taken into account."));
        }
        match self.send(&change, swap(&change, wanted)).await {
            Ok(Sent::Taken) => Ok(()),
            Ok(Sent::InDoubt(error)) => self.find_out(name, expected, wanted, error).await,
            Err(error) if error.kind() == Kind::Locked => {
                let same = self.look(name).await.is_ok_and(|now| now.before.raw == change.before.raw);
                Err(if same && !change.before.raw.is_empty() {
                    error.hint("If nobody did, a wildcard may produce the record: set it by hand once.")
                } else {
                    error
                })
            }
            Err(error) => Err(error),
        }
    }

    async fn try_change(&self, name: &str) -> Result<()> {
        let change = self.look(name).await?;
        // Removing what is not there needs the same rights as any change, and changes nothing: not even the serial number.
        let absent = format!("roadstead-test={:032x}", rand::random::<u128>());
        let mut message = update(&change.zone);
        let record = Record::from_rdata(change.at.clone(), 0, RData::TXT(record(&absent)));
        message.add_authority(of_class(record, DNSClass::NONE));
        match self.send(&change, message).await? {
            Sent::Taken => Ok(()),
            Sent::InDoubt(error) => Err(error),
        }
    }
}
