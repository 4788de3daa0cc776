//! Records: the vectors of the specification, those that Kubo made, and ours; none that was changed is believed.

use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::{KUBO_NAME, kubo_key};
use crate::error::Kind;
use crate::ipns::protobuf::{write_bytes, write_number};
use crate::ipns::{MAX_RECORD_BYTES, Name, PrivateKey, Record};

const ROOT: &str = "bafybeigdcg7pksx2zk5336vrfsktjodlr4rbfz37qr3koc5xboxe5ekv24";
/// The second of the keys in Kubo.
const KUBO_OTHER_NAME: &str = "k51qzi5uqu5dicjt7gv4tyr53zznxjug4a4tyw6qho26u9imxuyc5waf0tfueb";
/// The name of an RSA key in Kubo.
const KUBO_RSA_NAME: &str = "k2k4r8mmpwejm9iobxvv8e5rj0mi5954qjrth4ttqbpmsd2zd9bi9wmv";

macro_rules! testdata {
    ($name:literal) => {
        include_bytes!(concat!("../testdata/", $name, ".ipns-record"))
    };
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    time("2027-01-01T00:00:00Z")
}

fn verify(bytes: &[u8], name: &str) -> crate::error::Result<Record> {
    Record::verify_at(bytes, &name.parse().unwrap(), now())
}

/// Why a record is refused.
fn refused(bytes: &[u8], name: &str) -> String {
    let error = verify(bytes, name).unwrap_err();
    assert_eq!(error.kind(), Kind::Verification, "{error}");
    let name: Name = name.parse().unwrap();
    error.to_string().strip_prefix(&format!("IPNS record of {name}: ")).unwrap().to_owned()
}

#[test]
fn vectors_of_the_specification() {
    let v1_v2 = "k51qzi5uqu5dlkw8pxuw9qmqayfdeh4kfebhmreauqdc6a7c3y7d5i9fi8mk9w";
    let no_v1 = "k51qzi5uqu5dilgf7gorsh9vcqqq4myo6jd4zmqkuy9pxyxi5fua3uf7axph4y";
    let v2 = "k51qzi5uqu5dit2ku9mutlfgwyz8u730on38kd10m97m36bjt66my99hb6103f";
    for (bytes, name, value) in [
        (&testdata!("spec-v1-v2")[..], v1_v2, "/ipfs/bafkqaddwgevxmmraojswg33smq"),
        (
            testdata!("spec-v1-v2-broken-signature-v1"),
            no_v1,
            "/ipfs/bafkqahtwgevxmmrao5uxi2bamjzg623fnyqhg2lhnzqxi5lsmuqhmmi",
        ),
        (testdata!("spec-v2"), v2, "/ipfs/bafkqadtwgiww63tmpeqhezldn5zgi"),
    ] {
        let record = verify(bytes, name).unwrap();
        assert_eq!(record.value, value);
        assert_eq!(record.root().unwrap().to_string(), value["/ipfs/".len()..]);
        assert_eq!((record.sequence, record.ttl), (0, Duration::from_mins(30)));
        assert_eq!(record.validity, time("2123-08-14T12:17:03.694052Z"));
    }
    for (bytes, name, why) in [
        (
            &testdata!("spec-v1")[..],
            "k51qzi5uqu5dm4tm0wt8srkg9h9suud4wuiwjimndrkydqm81cqtlb5ak6p7ku",
            "it has no V2 signature, and V1 alone proves nothing",
        ),
        (
            testdata!("spec-v1-v2-broken-v1-value"),
            "k51qzi5uqu5dlmit2tuwdvnx4sbnyqgmvbxftl0eo3f33wwtb9gr7yozae9kpw",
            "its V1 field `value` differs from what is signed",
        ),
        (
            testdata!("spec-v1-v2-broken-signature-v2"),
            "k51qzi5uqu5diamp7qnnvs1p1gzmku3eijkeijs3418j23j077zrkok63xdm8c",
            "its signature is not by the key of this name",
        ),
        (testdata!("spec-v1-v2"), v2, "its signature is not by the key of this name"),
    ] {
        assert_eq!(refused(bytes, name), why);
    }
}

#[test]
fn records_of_kubo() {
    let first = verify(testdata!("kubo-v1-v2"), KUBO_NAME).unwrap();
    let wanted = Record {
        value: format!("/ipfs/{ROOT}"),
        sequence: (1 << 32) + 1,
        validity: time("2126-11-06T00:54:09.958545546Z"),
        ttl: Duration::from_mins(5),
    };
    assert_eq!(first, wanted);
    let next = verify(testdata!("kubo-next"), KUBO_NAME).unwrap();
    assert!(next.is_newer_than(&first) && !first.is_newer_than(&next) && !first.is_newer_than(&first));
    assert_eq!(next.ttl, Duration::from_hours(1));

    let v2 = verify(testdata!("kubo-v2"), KUBO_OTHER_NAME).unwrap();
    assert_eq!((v2.root().unwrap().to_string().as_str(), v2.sequence, v2.ttl), (ROOT, 10, Duration::ZERO));

    let words = |bytes: &[u8]| verify(bytes, KUBO_OTHER_NAME).unwrap().root().unwrap_err().to_string();
    assert_eq!(
        words(testdata!("kubo-path")),
        format!("the IPNS record points to `/ipfs/{ROOT}/hello.txt`, a path below a root, and not to the root")
    );
    assert_eq!(
        words(testdata!("kubo-name")),
        format!("the IPNS record points to another name, `/ipns/{KUBO_NAME}`, and not to a root")
    );
    assert_eq!(refused(testdata!("kubo-v1-v2"), KUBO_OTHER_NAME), "its signature is not by the key of this name");
}

#[test]
fn rsa_names_are_verified_with_the_key_in_the_record() {
    let record = verify(testdata!("kubo-rsa-v2"), KUBO_RSA_NAME).unwrap();
    assert_eq!(
        (record.sequence, record.root().unwrap().to_string().as_str()),
        (3, "bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am")
    );
    let name = "QmVujd5Vb7moysJj8itnGufN7MEtPRCNHkKpNuA4onsRa3";
    let bytes = testdata!("conformance-rsa");
    assert_eq!(verify(bytes, name).unwrap().sequence, 0);

    assert_eq!(refused(bytes, KUBO_RSA_NAME), "its public key is that of another name");
    assert_eq!(refused(bytes, KUBO_NAME), "its public key is that of another name");
    let none = "it has no public key, and the name has only the key's hash";
    assert_eq!(refused(testdata!("kubo-v2"), name), none);
    let mut forged = bytes.to_vec();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(refused(&forged, name), "its signature is not by the key of this name");
}

/// An `IpnsEntry` of these fields, V2 alone.
fn entry(fields: &[(u64, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, bytes) in fields {
        write_bytes(&mut out, *number, bytes);
    }
    out
}

/// A record whose signed data is anything.
fn signed(key: &PrivateKey, data: &[u8]) -> Vec<u8> {
    let signature = key.sign(&[b"ipns-signature:", data].concat()).unwrap();
    entry(&[(8, signature.as_ref()), (9, data)])
}

/// The data of a record, with a value, a validity and its type.
fn data(value: &[u8], validity: &[u8], validity_type: u8) -> Vec<u8> {
    let text = |text: &[u8]| {
        let length = text.len() as u8;
        if length < 24 { [&[0x40 | length], text].concat() } else { [&[0x58, length], text].concat() }
    };
    let parts: [&[u8]; 6] = [
        b"\xa5\x63TTL\x00\x65Value",
        &text(value),
        b"\x68Sequence\x00\x68Validity",
        &text(validity),
        b"\x6cValidityType",
        &[validity_type],
    ];
    parts.concat()
}

#[test]
fn what_a_signature_does_not_make_right() {
    let (key, when) = (kubo_key(), &b"2033-05-18T03:33:20.000000000Z"[..]);
    let long = format!("/ipfs/{ROOT}");
    let refused = |data: &[u8]| refused(&signed(&key, data), KUBO_NAME);
    assert_eq!(
        verify(&signed(&key, &data(long.as_bytes(), when, 0)), KUBO_NAME).unwrap().root().unwrap().to_string(),
        ROOT
    );
    assert_eq!(refused(&data(long.as_bytes(), when, 1)), "its validity has the unknown type 1");
    assert_eq!(refused(&data(long.as_bytes(), &[b'9'; 30], 0)), "its validity is not a time as RFC 3339 writes it");
    assert_eq!(refused(&data(&[0xff; 30], when, 0)), "its value is not a path");
    assert_eq!(refused(&data(ROOT.as_bytes(), when, 0)), "its value is not a path");
    assert_eq!(refused(b"\xa0"), "its signed data can't be read: its field `Value` is missing");
    assert_eq!(
        refused(&data(long.as_bytes(), b"2026-12-31T23:59:59.123456789Z", 0)),
        "it expired at 2026-12-31T23:59:59Z"
    );
    assert_eq!(
        refused(&data(long.as_bytes(), b"2027-01-01T00:00:00.000000000Z", 0)),
        "it expired at 2027-01-01T00:00:00Z"
    );
    for (value, shown) in [
        (&b"/ipfs/not-a-cid-at-all-\x1b[31mred"[..], "`/ipfs/not-a-cid-at-all-\\u{1b}[31mred`, which has no CID"),
        (
            b"/ipfs/////////////////////////",
            "`/ipfs/////////////////////////`, a path below a root, and not to the root",
        ),
        (b"/somewhere/else/that/is/no/path", "`/somewhere/else/that/is/no/path`, which is not a path below /ipfs/"),
        (b"/ipfs/bafkqaddwgevxmmraojswg33smqaaaaaa", "`/ipfs/bafkqaddwgevxmmraojswg33smqaaaaaa`, which has no CID"),
    ] {
        let record = verify(&signed(&key, &data(value, when, 0)), KUBO_NAME).unwrap();
        assert_eq!(record.root().unwrap_err().to_string(), format!("the IPNS record points to {shown}"));
    }
    let slash = Record { value: format!("/ipfs/{ROOT}/"), ..verify(testdata!("kubo-v2"), KUBO_OTHER_NAME).unwrap() };
    assert_eq!(slash.root().unwrap().to_string(), ROOT);
}

#[test]
fn what_is_no_record() {
    let record = testdata!("kubo-v1-v2");
    let with = |more: &[(u64, &[u8])]| [record.as_slice(), &entry(more)].concat();
    assert_eq!(refused(b"", KUBO_NAME), "it has no V2 signature, and V1 alone proves nothing");
    assert_eq!(refused(&entry(&[(8, b"x")]), KUBO_NAME), "it has no signed data");
    assert_eq!(refused(b"\x0b", KUBO_NAME), "it is no protobuf of a record: a field has an unknown wire type");
    assert_eq!(refused(&with(&[(9, b"x")]), KUBO_NAME), "it is no protobuf of a record: field 9 comes twice");
    assert_eq!(refused(&entry(&[(5, b"x")]), KUBO_NAME), "it is no protobuf of a record: field 5 has another type");
    let mut number = Vec::new();
    write_number(&mut number, 1, 1);
    assert_eq!(refused(&number, KUBO_NAME), "it is no protobuf of a record: field 1 has another type");
    assert_eq!(refused(&with(&[(7, b"x")]), KUBO_NAME), "its public key can't be used: it is no key in protobuf");

    let own = kubo_key().public_key().to_protobuf();
    assert!(verify(&with(&[(7, &own), (1000, b"unknown")]), KUBO_NAME).is_ok());
    let other = PrivateKey::generate().unwrap().public_key().to_protobuf();
    assert_eq!(refused(&with(&[(7, &other)]), KUBO_NAME), "its public key is that of another name");

    // The limit is on all bytes, and 3 of these are tag and length.
    let rest = MAX_RECORD_BYTES - record.len() - 3;
    assert!(verify(&with(&[(15, &vec![0; rest])]), KUBO_NAME).is_ok());
    assert_eq!(refused(&with(&[(15, &vec![0; rest + 1])]), KUBO_NAME), "it is larger than 10 KiB");
}

#[test]
fn each_v1_field_has_to_agree() {
    let key = kubo_key();
    let value = format!("/ipfs/{ROOT}");
    let when = b"2033-05-18T03:33:20Z";
    let v2 = signed(&key, &data(value.as_bytes(), when, 0));
    let with = |value: &str, validity: &[u8], numbers: [u64; 3]| {
        let mut out = v2.clone();
        write_bytes(&mut out, 1, value.as_bytes());
        write_bytes(&mut out, 4, validity);
        for (field, number) in [3, 5, 6].into_iter().zip(numbers) {
            write_number(&mut out, field, number);
        }
        out
    };
    assert!(verify(&with(&value, when, [0; 3]), KUBO_NAME).is_ok());
    for (bytes, field) in [
        (with("/ipfs/x", when, [0; 3]), "value"),
        (with(&value, b"2034-05-18T03:33:20Z", [0; 3]), "validity"),
        (with(&value, when, [1 << 32, 0, 0]), "validityType"),
        (with(&value, when, [0, 1, 0]), "sequence"),
        (with(&value, when, [0, 0, 1]), "ttl"),
        ([v2.as_slice(), &entry(&[(2, b"signature")])].concat(), "value"),
    ] {
        assert_eq!(refused(&bytes, KUBO_NAME), format!("its V1 field `{field}` differs from what is signed"));
    }
}

fn record() -> Record {
    Record::of_root(&ROOT.parse().unwrap(), 7, time("2030-01-02T03:04:05.6Z"), Duration::from_mins(5))
}

#[test]
fn ours_are_those_that_kubo_would_make() {
    let key = kubo_key();
    let kubo = verify(testdata!("kubo-v1-v2"), KUBO_NAME).unwrap();
    assert_eq!(kubo.sign(&key).unwrap(), testdata!("kubo-v1-v2"));

    let bytes = record().sign(&key).unwrap();
    assert_eq!(verify(&bytes, KUBO_NAME).unwrap(), record());
    assert_eq!(refused(&bytes, KUBO_OTHER_NAME), "its signature is not by the key of this name");
}

#[test]
fn what_is_not_signed() {
    let key = kubo_key();
    let refused = |record: Record| {
        let error = record.sign(&key).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        error.to_string()
    };
    for (record, why) in [
        (Record { value: String::new(), ..record() }, "its value is not a path"),
        (Record { value: format!("/{}", "x".repeat(5_000)), ..record() }, "it would be larger than 10 KiB"),
        (Record { sequence: 1 << 63, ..record() }, "its sequence number has more than 63 bits"),
        (Record { ttl: Duration::from_secs(1 << 34), ..record() }, "its TTL is longer than 292 years"),
        (Record { ttl: Duration::MAX, ..record() }, "its TTL is longer than 292 years"),
        (Record { validity: Timestamp::MIN, ..record() }, "it would expire before the year 0"),
    ] {
        assert_eq!(refused(record), format!("can't make an IPNS record: {why}"));
    }
}

#[test]
fn which_is_newer_and_for_how_long() {
    let (old, later) = (record(), Record { validity: time("2031-01-01T00:00:00Z"), ..record() });
    let next = Record { sequence: 8, validity: time("2029-01-01T00:00:00Z"), ..record() };
    assert!(later.is_newer_than(&old) && !old.is_newer_than(&later));
    assert!(next.is_newer_than(&later) && !later.is_newer_than(&next), "the sequence number comes first");
    let same = Record { value: "/ipfs/other".into(), ..record() };
    assert!(!same.is_newer_than(&old) && !old.is_newer_than(&same));

    for (now, left) in [
        ("2030-01-02T03:00:00Z", Duration::from_millis(245_600)),
        ("2030-01-01T00:00:00Z", Duration::from_mins(5)),
        ("2030-01-02T03:04:05.6Z", Duration::ZERO),
        ("2040-01-01T00:00:00Z", Duration::ZERO),
    ] {
        assert_eq!(old.fresh_for(time(now)), left, "{now}");
        assert_eq!(old.is_expired(time(now)), left.is_zero(), "{now}");
    }
    let bytes = old.sign(&kubo_key()).unwrap();
    let name = KUBO_NAME.parse().unwrap();
    assert!(Record::verify_at(&bytes, &name, time("2040-01-01T00:00:00Z")).is_err());
    assert_eq!(Record::verify(&bytes, &name).unwrap(), old, "a follower goes on with what it has");
}

proptest! {
    #[test]
    fn what_is_signed_is_read(
        path in "/[ -~]{0,200}", sequence in 0..1_u64 << 63, ttl in 0..1_u64 << 63,
        seconds in 1_800_000_000..253_000_000_000_i64, nanoseconds in 0..1_000_000_000_i32,
    ) {
        let validity = Timestamp::new(seconds, nanoseconds).unwrap();
        let record = Record { value: path, sequence, validity, ttl: Duration::from_nanos(ttl) };
        let bytes = record.sign(&kubo_key()).unwrap();
        prop_assert_eq!(verify(&bytes, KUBO_NAME).unwrap(), record);
    }

    /// Only what proves nothing can change, and then the record says the same: the signature of V1, and whether its type is there.
    #[test]
    fn a_flipped_bit_says_nothing_else(bit in 0..409 * 8_usize, v2_bit in 0..213 * 8_usize) {
        for (bytes, bit, name) in [
            (&testdata!("kubo-v1-v2")[..], bit, KUBO_NAME), (testdata!("kubo-v2"), v2_bit, KUBO_OTHER_NAME),
        ] {
            let mut flipped = bytes.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(record) = verify(&flipped, name) {
                prop_assert_eq!(record, verify(bytes, name).unwrap());
                // The signature of V1 begins after the value, and has a tag and a length; the tag of a type that is 0 follows.
                prop_assert!(name == KUBO_NAME && (67..=133).contains(&(bit / 8)), "{}", bit);
            }
        }
    }

    #[test]
    fn any_bytes_are_refused(
        bytes: Vec<u8>, cut in 0..409_usize, damage in prop::collection::vec((0..409_usize, any::<u8>()), 0..4),
    ) {
        prop_assert!(verify(&bytes, KUBO_NAME).is_err());
        let mut damaged = testdata!("kubo-v1-v2").to_vec();
        for (at, byte) in damage {
            damaged[at] = byte;
        }
        prop_assert!(verify(&damaged[..cut], KUBO_NAME).is_err(), "{}", cut);
        let _ = (crate::ipns::fuzzing::unverified(&bytes), crate::ipns::fuzzing::unverified(&damaged));
    }
}
