//! Which bytes of how many are asked for (RFC 9110, section 14).
//!
//! Pure. Several ranges are answered with the whole: clients that ask for them take that, and fail on a partial answer
//! with the first one alone.

/// What a `Range` header comes to for content of a known size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Everything (200): no range, several, or nothing that could be understood.
    Whole,
    /// One part is asked for (206).
    Part {
        /// Index of its first byte.
        start: u64,
        /// Number of bytes, at least 1.
        length: u64,
    },
    /// Nothing of it is there (416).
    Unsatisfiable,
}

/// Reads a `Range` header.
pub(super) fn wanted(header: &str, size: u64) -> Wanted {
    let Some((unit, set)) = header.split_once('=') else { return Wanted::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Wanted::Whole;
    }
    let mut specs = set.split(',').map(str::trim).filter(|spec| !spec.is_empty());
    let (Some(spec), None) = (specs.next(), specs.next()) else { return Wanted::Whole };
    let Some((first, last)) = spec.split_once('-') else { return Wanted::Whole };
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first > last => Wanted::Whole,
        (Some(start), last_byte) if last_byte.is_some() || last.is_empty() => {
            if start >= size {
                return Wanted::Unsatisfiable;
            }
            let end = last_byte.map_or(size, |last| last.saturating_add(1).min(size));
            Wanted::Part { start, length: end - start }
        }
        (None, Some(suffix)) if first.is_empty() => {
            let length = suffix.min(size);
            if length == 0 { Wanted::Unsatisfiable } else { Wanted::Part { start: size - length, length } }
        }
        _ => Wanted::Whole,
    }
}

/// Digits alone; what is too large for the type is more than any size anyway.
fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_as_rfc_9110_has_them() {
        let part = |start, length| Wanted::Part { start, length };
        let cases = [
            ("bytes=0-0", part(0, 1)),
            ("bytes=0-9", part(0, 10)),
            ("bytes=0-10", part(0, 10)),
            ("bytes=5-", part(5, 5)),
            ("Bytes=5-", part(5, 5)),
            ("bytes= 2-3 ", part(2, 2)),
            ("bytes=,2-3,", part(2, 2)),
            ("bytes=-5", part(5, 5)),
            ("bytes=-50", part(0, 10)),
            ("bytes=9-99999999999999999999999999", part(9, 1)),
            ("bytes=10-", Wanted::Unsatisfiable),
            ("bytes=10-12", Wanted::Unsatisfiable),
            ("bytes=99999999999999999999999999-", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
            ("bytes=0-1,3-4", Wanted::Whole),
            ("bytes=3-2", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("bytes=1-x", Wanted::Whole),
            ("bytes=x-1", Wanted::Whole),
            ("bytes=1-2-", Wanted::Whole),
            ("bytes=--1", Wanted::Whole),
            ("items=0-1", Wanted::Whole),
            ("", Wanted::Whole),
        ];
        for (header, expected) in cases {
            assert_eq!(wanted(header, 10), expected, "{header}");
        }
        assert_eq!(wanted("bytes=0-", 0), Wanted::Unsatisfiable);
        assert_eq!(wanted("bytes=-1", 0), Wanted::Unsatisfiable);
    }

    proptest::proptest! {
        #[test]
        fn a_part_lies_within(header in "bytes=[0-9]{0,20}-[0-9]{0,20}|\\PC*", size in 0..u64::MAX) {
            if let Wanted::Part { start, length } = wanted(&header, size) {
                proptest::prop_assert!(length > 0 && start.checked_add(length).is_some_and(|end| end <= size));
            }
        }
    }
}
