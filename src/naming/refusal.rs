//! Why a server did not take an update, in words (RFC 2136 section 2.2, RFC 8945 section 5).
//!
//! Pure: knows answers; must not know how they came.

use std::time::{Duration, UNIX_EPOCH};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::TSIG;
use hickory_proto::rr::rdata::tsig::TsigError;

use crate::error::{Error, Kind};

/// Who asked whom for what, as people read it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) server: &'a str,
    pub(super) key: &'a str,
    /// The name whose record was to change.
    pub(super) name: &'a str,
    /// The zone that it is in.
    pub(super) zone: &'a str,
    /// When the message was signed, in seconds since 1970.
    pub(super) time: u64,
}

/// Why it was refused; nothing if it was not.
pub(super) fn refusal(asked: &Asked<'_>, answer: &Message) -> Option<Error> {
    let Asked { server, key, name, zone, .. } = *asked;
    if let Some(error) = answer.signature.as_ref().and_then(|signature| of_the_key(asked, &signature.data)) {
        return Some(error);
    }
    let code = answer.metadata.response_code;
    Some(match code {
        ResponseCode::NoError => return None,
        ResponseCode::NXRRSet | ResponseCode::YXRRSet | ResponseCode::YXDomain | ResponseCode::NXDomain => {
            Error::new(Kind::Locked, format!("another writer changed {name} in the meantime ({server} answers {code})"))
                .hint("Check the record, then try again: its new value is taken into account.")
        }
        ResponseCode::Refused => Error::new(
            Kind::Auth,
            format!("{server} refuses to change {name} with the key `{key}` ({code})"),
        )
        .hint(format!(
            "Grant the key this name and the type TXT in the zone {zone}: `update-policy` in BIND, `acl` in Knot DNS."
        )),
        ResponseCode::NotAuth => {
            Error::new(Kind::Network, format!("{server} is not authoritative for the zone {zone} ({code})"))
                .hint("Name the zone's primary server; a secondary takes no updates.")
        }
        ResponseCode::NotZone => {
            Error::new(Kind::Usage, format!("{server} says that {name} is not in the zone {zone} ({code})"))
                .hint("Check the domain, and where its zone begins.")
        }
        ResponseCode::NotImp => Error::new(Kind::Network, format!("{server} takes no updates at all ({code})"))
            .hint("Name the zone's primary server, or use `--dns manual`."),
        ResponseCode::ServFail => {
            Error::new(Kind::Network, format!("{server} failed to change the zone {zone} ({code})"))
                .hint("Its log says why: often it lacks permission to write the zone's file or journal.")
        }
        ResponseCode::FormErr => Error::new(Kind::Network, format!("{server} does not understand the update ({code})"))
            .hint("It may not know TSIG or RFC 2136; `--dns manual` works with every server."),
        code => Error::new(Kind::Network, format!("{server} does not change {name}: it answers {code}")),
    })
}

fn of_the_key(asked: &Asked<'_>, signature: &TSIG) -> Option<Error> {
    let Asked { server, key, name, .. } = *asked;
    let refused = |what: String| Error::new(Kind::Auth, what);
    Some(match signature.error? {
        TsigError::BadKey => refused(format!("{server} does not accept the key `{key}` for {name} (BADKEY)")).hint(
            "Either the server has no key of this name and algorithm, or the key may not change this name: compare its \
             configuration, and what it grants to the key.",
        ),
        TsigError::BadSig => refused(format!("{server} knows the key `{key}`, but not with this secret (BADSIG)"))
            .hint("Copy the secret again from the server's configuration: the base64 text, and nothing else."),
        TsigError::BadTime => {
            // Six bytes (RFC 8945, section 5.2.3).
            let theirs = <[u8; 6]>::try_from(signature.other.as_slice());
            let theirs = theirs.ok().map(|bytes| bytes.iter().fold(0, |time, byte| time << 8 | u64::from(*byte)));
            refused(skew(server, asked.time, theirs))
                .hint("Correct the clock that is wrong: signatures are good for five minutes.")
        }
        TsigError::BadTrunc => {
            refused(format!("{server} requires a longer signature than the key `{key}` makes (BADTRUNC)"))
                .hint("Create a new key with HMAC-SHA-512.")
        }
        TsigError::Unknown(0) => return None,
        TsigError::Unknown(code) => refused(format!("{server} refuses the key `{key}` (TSIG error {code})")),
    })
}

/// How far two clocks are apart.
fn skew(server: &str, ours: u64, theirs: Option<u64>) -> String {
    let words = |seconds: u64| {
        let at = UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
        let at = at.and_then(|at| jiff::Timestamp::try_from(at).ok());
        at.map_or_else(|| format!("{seconds} s after 1970"), |at| at.to_string())
    };
    match theirs {
        Some(theirs) => {
            let (apart, direction) = (ours.abs_diff(theirs), if ours > theirs { "ahead of" } else { "behind" });
            format!(
                "this machine's clock is {apart} s {direction} that of {server} (BADTIME): {} here, {} there",
                words(ours),
                words(theirs)
            )
        }
        None => {
            format!("this machine's clock and that of {server} are too far apart (BADTIME): it is {} here", words(ours))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::op::OpCode;
    use hickory_proto::rr::rdata::tsig::TsigAlgorithm;
    use hickory_proto::rr::{Name, Record};

    const ASKED: Asked<'_> = Asked {
        server: "192.0.2.1:53",
        key: "roadstead",
        name: "_dnslink.registry.test",
        zone: "registry.test",
        time: 1_700_000_000,
    };

    fn answer(code: ResponseCode, error: Option<TsigError>, other: &[u8]) -> Message {
        let mut message = Message::response(7, OpCode::Update);
        message.metadata.response_code = code;
        if let Some(error) = error {
            let tsig = TSIG::new(TsigAlgorithm::HmacSha256, 0, 300, vec![], 7, Some(error), other.to_vec());
            message.set_signature(Box::new(Record::from_rdata(Name::root(), 0, tsig)));
        }
        message
    }

    #[test]
    fn clocks_are_named() {
        let theirs = (ASKED.time - 4000).to_be_bytes();
        let error = refusal(&ASKED, &answer(ResponseCode::NotAuth, Some(TsigError::BadTime), &theirs[2..])).unwrap();
        let text = error.to_string();
        assert!(text.contains("4000 s ahead of") && text.contains("2023-11-14T21:06:40Z there"), "{text}");
        assert_eq!(error.kind(), Kind::Auth);
        for odd in [&b""[..], b"\xff\xff\xff\xff\xff\xff", b"1234567"] {
            let error = refusal(&ASKED, &answer(ResponseCode::NotAuth, Some(TsigError::BadTime), odd)).unwrap();
            assert!(error.to_string().contains("BADTIME"), "{error}");
        }
    }

    #[test]
    fn every_code_has_words_and_a_kind() {
        for (code, kind) in [
            (ResponseCode::NXRRSet, Kind::Locked),
            (ResponseCode::YXRRSet, Kind::Locked),
            (ResponseCode::Refused, Kind::Auth),
            (ResponseCode::NotAuth, Kind::Network),
            (ResponseCode::NotZone, Kind::Usage),
            (ResponseCode::ServFail, Kind::Network),
            (ResponseCode::NotImp, Kind::Network),
        ] {
            let error = refusal(&ASKED, &answer(code, None, &[])).unwrap();
            assert_eq!((error.kind(), error.hints().len()), (kind, 1), "{error}");
        }
        assert!(refusal(&ASKED, &answer(ResponseCode::NoError, None, &[])).is_none());
        for error in [TsigError::BadKey, TsigError::BadSig, TsigError::BadTrunc, TsigError::Unknown(99)] {
            // Whatever the code: a server may even say that all is well.
            let refused = refusal(&ASKED, &answer(ResponseCode::NoError, Some(error), &[])).unwrap();
            assert_eq!(refused.kind(), Kind::Auth);
        }
        let both = refusal(&ASKED, &answer(ResponseCode::NotAuth, Some(TsigError::BadKey), &[])).unwrap();
        assert!(
            both.hints()[0].contains("no key of this name") && both.hints()[0].contains("may not change this name")
        );
    }
}
