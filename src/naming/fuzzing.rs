//! What a DNS server answers, read without asking one: for the targets in `fuzz/`.

use hickory_proto::op::Message;
use hickory_proto::rr::TSigner;
use hickory_proto::rr::rdata::tsig::TsigAlgorithm;

use super::exchange::{Answer, Server};
use super::refusal::{Asked, refusal};
use super::{TxtSet, question, rfc2136};

/// When the question was signed, in seconds since 1970.
const SIGNED_AT_SECONDS: u64 = 1_800_000_000;
/// How far clocks may be apart, in seconds.
const FUDGE_SECONDS: u16 = 300;

/// The TXT set in an answer, and why an update would be refused by it.
pub fn answer(bytes: &[u8]) -> Option<(TxtSet, Option<String>)> {
    let message = Message::from_vec(bytes).ok()?;
    let asked = Asked {
        server: "127.0.0.1:53",
        key: "key",
        name: "_dnslink.example",
        zone: "example",
        time: SIGNED_AT_SECONDS,
    };
    let refused = refusal(&asked, &message).map(|error| format!("{error}{:?}", error.hints()));
    let at = question::name("_dnslink.example").ok()?;
    let records = question::gather(&Server::Named(asked.server.to_owned()), &at, message.answers.iter()).ok()?;
    let set = records.read();
    let _ = records.become_set(&set);
    Some((set, refused))
}

/// Whether an answer passes for one that was signed with a key that only we know.
pub fn is_signed(bytes: &[u8]) -> bool {
    let sign = || {
        let signer = TSigner::new(
            b"known to nobody else".to_vec(),
            TsigAlgorithm::HmacSha256,
            question::name("key").ok()?,
            FUDGE_SECONDS,
        )
        .ok()?;
        Message::query().finalize(&signer, SIGNED_AT_SECONDS).ok()
    };
    match (Message::from_vec(bytes), sign()) {
        (Ok(message), Some(verifier)) => rfc2136::signed(&Answer { bytes: bytes.to_vec(), message }, verifier),
        _ => false,
    }
}
