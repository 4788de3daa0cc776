//! The time at which a record expires, as it is written in one (IPNS spec, "Validity": RFC 3339, to the nanosecond).

use jiff::Timestamp;

/// How many bytes date and time have: `1970-01-01T00:00:00`.
const DATE_TIME_BYTES: usize = 19;
/// How many digits a fraction of a second has at most.
const MAX_FRACTION_DIGITS: usize = 9;

/// Reads a time; nothing where it is not written as RFC 3339 has it, or before or after what a clock can show.
pub(super) fn parse(text: &[u8]) -> Option<Timestamp> {
    // Checked first: the parser takes everything that ISO 8601 allows, and names of time zones.
    is_rfc3339(text).then(|| std::str::from_utf8(text).ok()?.parse().ok()).flatten()
}

/// Writes a time in UTC with all its nanoseconds; nothing for a year that has not four digits.
pub(super) fn format(time: Timestamp) -> Option<String> {
    let text = format!("{time:.9}");
    is_rfc3339(text.as_bytes()).then_some(text)
}

/// Whether this is `1970-01-01T00:00:00`, a fraction of up to nine digits or none, and `Z` or `+00:00`.
fn is_rfc3339(text: &[u8]) -> bool {
    let shaped = |part: &[u8], shape: &[u8]| {
        let fits = |(have, want): (&u8, &u8)| if *want == b'0' { have.is_ascii_digit() } else { have == want };
        part.len() == shape.len() && part.iter().zip(shape).all(fits)
    };
    let Some((date_time, rest)) = text.split_at_checked(DATE_TIME_BYTES) else { return false };
    let zone = match rest.strip_prefix(b".") {
        Some(rest) => {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 || digits > MAX_FRACTION_DIGITS {
                return false;
            }
            &rest[digits..]
        }
        None => rest,
    };
    shaped(date_time, b"0000-00-00T00:00:00") && (zone == b"Z" || shaped(zone, b"+00:00") || shaped(zone, b"-00:00"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_as_records_have_them() {
        for (text, nanoseconds) in [
            ("1970-01-01T00:00:00.000000001Z", 1),
            ("1970-01-01T00:00:00Z", 0),
            ("2123-08-14T12:17:03.694052Z", 4_847_689_023_694_052_000),
            ("2033-05-18T05:33:20.000000000+02:00", 2_000_000_000_000_000_000),
            ("1969-12-31T19:00:00-05:00", 0),
        ] {
            assert_eq!(parse(text.as_bytes()).map(Timestamp::as_nanosecond), Some(nanoseconds), "{text}");
        }
        for text in [
            "",
            "2033-05-18",
            "2033-05-18T03:33:20",
            "2033-05-18 03:33:20Z",
            "2033-05-18t03:33:20z",
            "2033-05-18T03:33:20.Z",
            "2033-05-18T03:33:20,5Z",
            "2033-05-18T03:33:20.0000000001Z",
            "2033-05-18T03:33:20+0000",
            "2033-05-18T03:33:20Z[UTC]",
            "2033-05-18T03:33:20Z ",
            "2033-02-30T03:33:20Z",
            "2033-05-18T25:33:20Z",
            "+002033-05-18T03:33:20Z",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        let time = parse(b"2033-05-18T03:33:20.5Z").unwrap();
        assert_eq!(format(time).as_deref(), Some("2033-05-18T03:33:20.500000000Z"));
        assert_eq!(format(Timestamp::MIN), None, "a year before 0");
    }

    proptest! {
        #[test]
        fn times_round_trip(seconds in -62_000_000_000..253_000_000_000_i64, nanoseconds in 0..1_000_000_000_i32) {
            let time = Timestamp::new(seconds, nanoseconds).unwrap();
            prop_assert_eq!(format(time).and_then(|text| parse(text.as_bytes())), Some(time));
        }

        #[test]
        fn any_text_is_read_or_not(text in "[0-9TZ:.+-]{0,40}", bytes: Vec<u8>) {
            let _ = (parse(text.as_bytes()), parse(&bytes));
        }
    }
}
