//! The part of a record that is signed: a map in DAG-CBOR (IPNS spec, "Record Creation"; IPLD DAG-CBOR spec, "Strictness").
//!
//! Must not know what signs it. The reader takes the one form that DAG-CBOR has for a value, borrows, allocates nothing, and
//! has no stack: what it skips may be nested as deeply as a record has bytes.

use std::cmp::Ordering;

/// The major types of CBOR: whole numbers from 0 up and below 0, bytes, text, arrays, maps, tags, and what is left.
const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
const SIMPLE: u8 = 7;

/// What says in a head that the number follows in 1, 2, 4 or 8 bytes.
const ONE_BYTE: u8 = 24;
const TWO_BYTES: u8 = 25;
const FOUR_BYTES: u8 = 26;
const EIGHT_BYTES: u8 = 27;

/// The tag of a link, the only one that DAG-CBOR has.
const LINK_TAG: u64 = 42;
/// What stands for false, true, null and a 64-bit float in a head of the type [`SIMPLE`].
const FALSE: u8 = 20;
const NULL: u8 = 22;
const FLOAT_64: u8 = EIGHT_BYTES;

/// The fields of the map, in their order there: by length, then by bytes.
const TTL: &[u8] = b"TTL";
const VALUE: &[u8] = b"Value";
const SEQUENCE: &[u8] = b"Sequence";
const VALIDITY: &[u8] = b"Validity";
const VALIDITY_TYPE: &[u8] = b"ValidityType";

/// What the map says, as it stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Data<'a> {
    pub(super) value: &'a [u8],
    pub(super) validity: &'a [u8],
    pub(super) validity_type: u64,
    pub(super) sequence: u64,
    /// Nanoseconds.
    pub(super) ttl: u64,
}

impl<'a> Data<'a> {
    /// Reads the map and skips what else is in it.
    pub(super) fn decode(bytes: &'a [u8]) -> Result<Self, String> {
        let mut reader = Reader { rest: bytes };
        let (mut value, mut validity, mut validity_type, mut sequence, mut ttl) = (None, None, None, None, None);
        let mut before: Option<&[u8]> = None;
        for _ in 0..reader.expect(MAP).ok_or("it is not a map in DAG-CBOR")? {
            let key = reader.chunk(TEXT).ok_or("a key in it is not text in DAG-CBOR")?;
            if before.is_some_and(|before| order(before, key) != Ordering::Less) {
                return Err("its keys are not in the order of DAG-CBOR".to_owned());
            }
            before = Some(key);
            let read = match key {
                TTL => reader.expect(UNSIGNED).map(|number| ttl = Some(number)),
                VALUE => reader.chunk(BYTES).map(|bytes| value = Some(bytes)),
                SEQUENCE => reader.expect(UNSIGNED).map(|number| sequence = Some(number)),
                VALIDITY => reader.chunk(BYTES).map(|bytes| validity = Some(bytes)),
                VALIDITY_TYPE => reader.expect(UNSIGNED).map(|number| validity_type = Some(number)),
                _ => reader.skip(),
            };
            if read.is_none() {
                let key = crate::text::printable_within(&String::from_utf8_lossy(key), 40);
                return Err(format!("its field `{key}` has another type, or is not in DAG-CBOR"));
            }
        }
        if !reader.rest.is_empty() {
            return Err("something follows its map".to_owned());
        }
        let lacks = |key: &[u8]| format!("its field `{}` is missing", String::from_utf8_lossy(key));
        Ok(Self {
            value: value.ok_or_else(|| lacks(VALUE))?,
            validity: validity.ok_or_else(|| lacks(VALIDITY))?,
            validity_type: validity_type.ok_or_else(|| lacks(VALIDITY_TYPE))?,
            sequence: sequence.ok_or_else(|| lacks(SEQUENCE))?,
            ttl: ttl.ok_or_else(|| lacks(TTL))?,
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.value.len() + self.validity.len() + 96);
        head(&mut out, MAP, 5);
        chunk(&mut out, TEXT, TTL);
        head(&mut out, UNSIGNED, self.ttl);
        chunk(&mut out, TEXT, VALUE);
        chunk(&mut out, BYTES, self.value);
        chunk(&mut out, TEXT, SEQUENCE);
        head(&mut out, UNSIGNED, self.sequence);
        chunk(&mut out, TEXT, VALIDITY);
        chunk(&mut out, BYTES, self.validity);
        chunk(&mut out, TEXT, VALIDITY_TYPE);
        head(&mut out, UNSIGNED, self.validity_type);
        out
    }
}

/// The order of a map's keys.
fn order(one: &[u8], other: &[u8]) -> Ordering {
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

/// Untrusted CBOR, and what of it is left.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(usize::try_from(count).ok()?)?;
        self.rest = rest;
        Some(taken)
    }

    /// Reads the head of an item: its type, how its number is written, and the number in its shortest form.
    fn head(&mut self) -> Option<(u8, u8, u64)> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        let (major, additional) = (first >> 5, first & 31);
        let (number, least) = match additional {
            0..24 => (u64::from(additional), 0),
            ONE_BYTE => (u64::from(self.take(1)?[0]), 24),
            TWO_BYTES => (u64::from(u16::from_be_bytes(self.take(2)?.try_into().ok()?)), 0x100),
            FOUR_BYTES => (u64::from(u32::from_be_bytes(self.take(4)?.try_into().ok()?)), 0x1_0000),
            EIGHT_BYTES => (u64::from_be_bytes(self.take(8)?.try_into().ok()?), 0x1_0000_0000),
            // Lengths that come later, and what CBOR has not defined.
            _ => return None,
        };
        // A float is 64 bits, whatever they are.
        (major == SIMPLE || number >= least).then_some((major, additional, number))
    }

    /// Reads the head of an item of this type: its number.
    fn expect(&mut self, wanted: u8) -> Option<u64> {
        self.head().and_then(|(major, _, number)| (major == wanted).then_some(number))
    }

    /// Reads bytes or text.
    fn chunk(&mut self, wanted: u8) -> Option<&'a [u8]> {
        let length = self.expect(wanted)?;
        self.take(length)
    }

    /// Reads over an item and everything in it, which takes as many steps as it has heads.
    fn skip(&mut self) -> Option<()> {
        let mut left = 1_u64;
        while left > 0 {
            left -= 1;
            let (major, additional, number) = self.head()?;
            let inside = match major {
                UNSIGNED | NEGATIVE => 0,
                BYTES | TEXT => self.take(number).map(|_| 0)?,
                ARRAY => number,
                MAP => number.checked_mul(2)?,
                TAG if number == LINK_TAG => 1,
                SIMPLE if matches!(additional, FALSE..=NULL | FLOAT_64) => 0,
                _ => return None,
            };
            left = left.checked_add(inside)?;
        }
        Some(())
    }
}

fn head(out: &mut Vec<u8>, major: u8, number: u64) {
    let major = major << 5;
    match number {
        0..24 => out.push(major | number as u8),
        24..0x100 => out.extend([major | ONE_BYTE, number as u8]),
        0x100..0x1_0000 => {
            out.push(major | TWO_BYTES);
            out.extend_from_slice(&(number as u16).to_be_bytes());
        }
        0x1_0000..0x1_0000_0000 => {
            out.push(major | FOUR_BYTES);
            out.extend_from_slice(&(number as u32).to_be_bytes());
        }
        _ => {
            out.push(major | EIGHT_BYTES);
            out.extend_from_slice(&number.to_be_bytes());
        }
    }
}

fn chunk(out: &mut Vec<u8>, major: u8, bytes: &[u8]) {
    head(out, major, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DATA: Data<'static> = Data { value: b"/ipfs/x", validity: b"when", validity_type: 0, sequence: 7, ttl: 300 };

    /// A map of the five fields, and of what stands before or after them.
    fn with(before: &[u8], after: &[u8], more: u8) -> Vec<u8> {
        let encoded = DATA.encode();
        [&[encoded[0] + more], before, &encoded[1..], after].concat()
    }

    #[test]
    fn what_else_is_in_the_map_is_skipped() {
        // `_`, and `ValidityTypeAndMore`: before and after the five by their length.
        let key = b"\x61_";
        let long = [&[0x73][..], b"ValidityTypeAndMore"].concat();
        for value in [
            &b"\x00"[..],
            b"\x39\x01\x00",
            b"\x42ab",
            b"\x62ab",
            b"\x82\x01\x82\x02\x03",
            b"\xa1\x61a\xa1\x61b\x80",
            b"\xf4",
            b"\xf5",
            b"\xf6",
            b"\xfb\x00\x00\x00\x00\x00\x00\x00\x00",
            b"\xd8\x2a\x43\x00ab",
        ] {
            assert_eq!(Data::decode(&with(&[key, value].concat(), &[], 1)), Ok(DATA), "{value:x?}");
            assert_eq!(Data::decode(&with(&[], &[&long, value].concat(), 1)), Ok(DATA), "{value:x?}");
        }
        for value in [
            &b""[..],
            b"\x18\x00",
            b"\x5f\x41a\xff",
            b"\x81",
            b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\xc1\x00",
            b"\xf7",
            b"\xf9\x00\x00",
            b"\xfa\x00\x00\x00\x00",
            b"\xff",
            b"\x1c",
        ] {
            assert!(Data::decode(&with(&[], &[&long, value].concat(), 1)).is_err(), "{value:x?}");
        }
        // 5 000 arrays in arrays take no stack.
        let deep = [vec![0x81; 5_000], vec![0]].concat();
        assert_eq!(Data::decode(&with(&[], &[&long[..], &deep].concat(), 1)), Ok(DATA));
    }

    #[test]
    fn what_is_no_data_is_refused() {
        let encoded = DATA.encode();
        let refused = |bytes: &[u8]| Data::decode(bytes).unwrap_err();
        assert_eq!(refused(b""), "it is not a map in DAG-CBOR");
        assert_eq!(refused(b"\x80"), "it is not a map in DAG-CBOR");
        assert_eq!(refused(b"\xa0"), "its field `Value` is missing");
        assert_eq!(refused(&with(&[], b"x", 0)), "something follows its map");
        assert_eq!(refused(&with(b"\x63TTL\x00", &[], 1)), "its keys are not in the order of DAG-CBOR");
        assert_eq!(refused(&with(&[], b"\x61_\x00", 1)), "its keys are not in the order of DAG-CBOR");
        assert_eq!(refused(&with(b"\x41_\x00", &[], 1)), "a key in it is not text in DAG-CBOR");
        for (key, value) in [("TTL", 3), ("Value", 5), ("Sequence", 8), ("Validity", 8), ("ValidityType", 12)] {
            let at = encoded.windows(value).rposition(|window| window == key.as_bytes()).unwrap();
            let at = if key == "Validity" {
                encoded.windows(9).position(|window| window == b"hValidity").unwrap() + 1
            } else {
                at
            };
            // Null instead of what belongs there.
            let mut other = encoded.clone();
            other[at + value] = 0xf6;
            assert!(refused(&other).starts_with(&format!("its field `{key}` has another type")), "{key}");
            // Another key of the same length.
            let mut other = encoded.clone();
            other[at] += 1;
            assert!(Data::decode(&other).is_err(), "{key}");
        }
        for end in 0..encoded.len() {
            assert!(Data::decode(&encoded[..end]).is_err(), "{end}");
        }
    }

    proptest! {
        #[test]
        fn data_round_trips(
            value: Vec<u8>, validity: Vec<u8>, validity_type: u64, sequence: u64, ttl in prop_oneof![0..70_000_u64, any::<u64>()],
        ) {
            let data = Data { value: &value, validity: &validity, validity_type, sequence, ttl };
            let encoded = data.encode();
            prop_assert_eq!(Data::decode(&encoded), Ok(data));
        }

        /// Whatever is read as exactly the five fields is what we would have written.
        #[test]
        fn there_is_one_form(damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..3)) {
            let mut bytes = DATA.encode();
            for (at, byte) in damage {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if let Ok(data) = Data::decode(&bytes) && bytes[0] == 0xa5 {
                prop_assert_eq!(data.encode(), bytes);
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = Data::decode(&bytes);
            let _ = Data::decode(&with(&[], &[&[0x73][..], b"ValidityTypeAndMore", &bytes].concat(), 1));
        }
    }
}
