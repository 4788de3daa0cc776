//! TXT records as a server has them: their character strings, which a change has to name exactly.
//!
//! Pure: knows the records and how they read; must not know where they come from.

use hickory_proto::rr::rdata::TXT;

use super::TxtSet;

/// The longest character string (RFC 1035, section 3.3).
const MAX_CHARACTER_STRING_BYTES: usize = 255;

/// The TXT records at one name, raw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Records {
    /// One for each record.
    pub(super) raw: Vec<TXT>,
    /// Time to live in seconds.
    pub(super) ttl: Option<u32>,
}

/// How a record reads: its strings joined.
pub(super) fn value(txt: &TXT) -> String {
    String::from_utf8_lossy(&txt.txt_data.concat()).into_owned()
}

/// A record that reads as this value: split where a string ends.
pub(super) fn record(value: &str) -> TXT {
    let mut strings: Vec<&[u8]> = value.as_bytes().chunks(MAX_CHARACTER_STRING_BYTES).collect();
    if strings.is_empty() {
        strings.push(b"");
    }
    TXT::from_bytes(strings)
}

impl Records {
    /// How they read. Two records with the same value, split differently, read as one.
    pub(super) fn read(&self) -> TxtSet {
        let mut values: Vec<String> = self.raw.iter().map(value).collect();
        values.sort();
        values.dedup();
        TxtSet { values, ttl: self.ttl }
    }

    /// Whether they read like this; the time to live does not matter.
    pub(super) fn are(&self, set: &TxtSet) -> bool {
        self.read().values == sorted(set)
    }

    /// The records that a set becomes: those that are there already as they are, others made new.
    pub(super) fn become_set(&self, wanted: &TxtSet) -> Vec<TXT> {
        let mut made = Vec::new();
        for wanted in sorted(wanted) {
            let mut kept: Vec<TXT> = self.raw.iter().filter(|txt| value(txt) == wanted).cloned().collect();
            // A pointer that is there twice is no pointer: readers refuse it.
            if wanted.starts_with("dnslink=") {
                kept.truncate(1);
            }
            if kept.is_empty() {
                kept.push(record(&wanted));
            }
            made.append(&mut kept);
        }
        made
    }
}

fn sorted(set: &TxtSet) -> Vec<String> {
    let mut values = set.values.clone();
    values.sort();
    values.dedup();
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(values: &[&str]) -> TxtSet {
        TxtSet { values: values.iter().map(|value| (*value).to_owned()).collect(), ttl: Some(60) }
    }

    #[test]
    fn kept_records_stay_as_they_are_split() {
        let split = TXT::from_bytes(vec![b"v=spf1 ", b"-all"]);
        let binary = TXT::from_bytes(vec![b"\xff\x00"]);
        let records = Records { raw: vec![split.clone(), record("dnslink=/ipfs/old"), binary.clone()], ttl: Some(9) };
        assert!(records.are(&set(&["v=spf1 -all", "\u{fffd}\0", "dnslink=/ipfs/old"])));
        assert!(!records.are(&set(&["v=spf1 -all", "dnslink=/ipfs/old"])));
        let made = records.become_set(&set(&["v=spf1 -all", "dnslink=/ipfs/new", "\u{fffd}\0"]));
        assert_eq!(made, [record("dnslink=/ipfs/new"), split, binary]);
    }

    #[test]
    fn twins_read_as_one_and_only_pointers_lose_one() {
        let foreign = [TXT::from_bytes(vec![b"a", b"b"]), TXT::from_bytes(vec![b"ab"])];
        let pointers = [TXT::from_bytes(vec![b"dnslink=", b"/ipfs/x"]), record("dnslink=/ipfs/x")];
        let records = Records { raw: foreign.iter().chain(&pointers).cloned().collect(), ttl: None };
        let read = records.read();
        assert_eq!(read.values, ["ab", "dnslink=/ipfs/x"]);
        assert_eq!(records.become_set(&read), [&foreign[..], &pointers[..1]].concat());
    }

    #[test]
    fn long_values_are_split() {
        let long = "x".repeat(600);
        assert_eq!(record(&long).txt_data.iter().map(|part| part.len()).collect::<Vec<_>>(), [255, 255, 90]);
        assert_eq!(value(&record(&long)), long);
        assert_eq!(record("").txt_data.len(), 1);
    }
}
