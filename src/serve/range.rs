//! Which bytes of how many are asked for (RFC 9110, section 14).
//!
//! Pure. Several ranges are all answered, in the order in which they were asked for and without joining any: clients of lazily
//! pulled layers count the parts. They never come to more bytes than the content has, so that a short request can't ask for
//! a long answer (CVE-2011-3192, RFC 9110, section 17.15).

/// Ranges of one request: as many as podman asks for at once (containers/storage, `maxNumberMissingChunks`).
pub(super) const MAX_RANGES: usize = 1024;

/// Bytes that lie within a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// Index of its first byte.
    pub(super) start: u64,
    /// Number of bytes, at least 1.
    pub(super) length: u64,
}

impl Part {
    pub(super) fn bytes(self) -> std::ops::Range<u64> {
        self.start..self.start + self.length
    }
}

/// What a `Range` header comes to for content of a known size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Everything (200): no range, nothing that could be understood, or two ranges that overlap.
    Whole,
    /// One part is asked for (206).
    Part(Part),
    /// Several parts are asked for (206, `multipart/byteranges`): at least two, of which none overlap.
    Parts(Vec<Part>),
    /// Nothing of it is there (416).
    Unsatisfiable,
    /// More than anybody needs (400, which lets podman and stargz-snapshotter ask for fewer and larger ranges).
    Excessive(Excess),
}

/// What is wrong with a set of ranges that can be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Excess {
    /// There are more than [`MAX_RANGES`].
    Number,
    /// Of more than two, some overlap.
    Overlap,
}

/// One range of a set.
enum Spec {
    Within(Part),
    Beyond,
    Unreadable,
}

/// Reads a `Range` header.
pub(super) fn wanted(header: &str, size: u64) -> Wanted {
    let Some((unit, set)) = header.split_once('=') else { return Wanted::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Wanted::Whole;
    }
    let mut parts = Vec::new();
    let mut ranges = 0;
    for text in set.split(',').map(str::trim).filter(|text| !text.is_empty()) {
        ranges += 1;
        if ranges > MAX_RANGES {
            return Wanted::Excessive(Excess::Number);
        }
        match spec(text, size) {
            Spec::Within(part) => parts.push(part),
            Spec::Beyond => {}
            Spec::Unreadable => return Wanted::Whole,
        }
    }
    match *parts.as_slice() {
        [] if ranges == 0 => Wanted::Whole,
        [] => Wanted::Unsatisfiable,
        [part] => Wanted::Part(part),
        [..] if !overlap(&parts) => Wanted::Parts(parts),
        // A beginning and an end of little content.
        [_, _] => Wanted::Whole,
        [..] => Wanted::Excessive(Excess::Overlap),
    }
}

fn overlap(parts: &[Part]) -> bool {
    let mut sorted = parts.to_vec();
    sorted.sort_unstable_by_key(|part| part.start);
    sorted.windows(2).any(|pair| pair[0].start + pair[0].length > pair[1].start)
}

fn spec(text: &str, size: u64) -> Spec {
    let Some((first, last)) = text.split_once('-') else { return Spec::Unreadable };
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first > last => Spec::Unreadable,
        (Some(start), last_byte) if last_byte.is_some() || last.is_empty() => {
            if start >= size {
                return Spec::Beyond;
            }
            let end = last_byte.map_or(size, |last| last.saturating_add(1).min(size));
            Spec::Within(Part { start, length: end - start })
        }
        (None, Some(suffix)) if first.is_empty() => match suffix.min(size) {
            0 => Spec::Beyond,
            length => Spec::Within(Part { start: size - length, length }),
        },
        _ => Spec::Unreadable,
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

    fn parts(parts: &[(u64, u64)]) -> Wanted {
        Wanted::Parts(parts.iter().map(|&(start, length)| Part { start, length }).collect())
    }

    #[test]
    fn ranges_as_rfc_9110_has_them() {
        let part = |start, length| Wanted::Part(Part { start, length });
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
            // Several.
            ("bytes=0-1,3-4", parts(&[(0, 2), (3, 2)])),
            ("bytes=0-1, 2-4 ,", parts(&[(0, 2), (2, 3)])),
            ("bytes=3-4,0-1", parts(&[(3, 2), (0, 2)])),
            ("bytes=-2,0-1,4-4", parts(&[(8, 2), (0, 2), (4, 1)])),
            ("bytes=0-0,10-12,9-", parts(&[(0, 1), (9, 1)])),
            ("bytes=0-0,10-12", part(0, 1)),
            ("bytes=10-,-0", Wanted::Unsatisfiable),
            ("bytes=0-1,3-2", Wanted::Whole),
            ("bytes=0-1,nonsense", Wanted::Whole),
            // Two that overlap are no attack, and the whole is hardly more.
            ("bytes=0-5,-6", Wanted::Whole),
            ("bytes=0-,0-", Wanted::Whole),
            ("bytes=0-1,1-2,5-", Wanted::Excessive(Excess::Overlap)),
            ("bytes=0-,0-,0-", Wanted::Excessive(Excess::Overlap)),
            ("bytes=5-,1-,-1", Wanted::Excessive(Excess::Overlap)),
        ];
        for (header, expected) in cases {
            assert_eq!(wanted(header, 10), expected, "{header}");
        }
        assert_eq!(wanted("bytes=0-", 0), Wanted::Unsatisfiable);
        assert_eq!(wanted("bytes=-1", 0), Wanted::Unsatisfiable);
    }

    #[test]
    fn as_many_ranges_as_podman_asks_for() {
        let set = |ranges: usize| {
            let ranges: Vec<String> = (0..ranges).map(|i| format!("{}-{}", 3 * i, 3 * i + 1)).collect();
            wanted(&format!("bytes={}", ranges.join(",")), 10_000)
        };
        assert!(matches!(set(MAX_RANGES), Wanted::Parts(parts) if parts.len() == MAX_RANGES));
        assert_eq!(set(MAX_RANGES + 1), Wanted::Excessive(Excess::Number));
        // The requests of CVE-2011-3192.
        let attack: Vec<String> = (0..1000).map(|i| format!("5-{i}")).skip(5).collect();
        assert_eq!(wanted(&format!("bytes=0-,{}", attack.join(",")), 10_000), Wanted::Excessive(Excess::Overlap));
    }

    proptest::proptest! {
        #[test]
        fn parts_lie_within_and_come_to_no_more_than_the_whole(
            header in "bytes=([0-9]{0,2}-[0-9]{0,2},){1,4}|bytes=[0-9]{0,20}-[0-9]{0,20}|\\PC*",
            size in proptest::prop_oneof![0..200_u64, 0..u64::MAX],
        ) {
            let parts = match wanted(&header, size) {
                Wanted::Part(part) => vec![part],
                Wanted::Parts(parts) => parts,
                Wanted::Whole | Wanted::Unsatisfiable | Wanted::Excessive(_) => Vec::new(),
            };
            let mut left = size;
            for Part { start, length } in parts {
                proptest::prop_assert!(length > 0 && start.checked_add(length).is_some_and(|end| end <= size));
                proptest::prop_assert!(length <= left);
                left -= length;
            }
        }
    }
}
