#![no_main]

use libfuzzer_sys::fuzz_target;
use roadstead::serve::fuzzing::gateway;

/// What boxo's client takes of all fields of an answer; those that are always the same have the rest.
const MAX_FIELD_BYTES: usize = 2048;

// A path, a query, a header field and a size, each on a line.
fuzz_target!(|text: &str| {
    let mut lines = text.splitn(4, '\n');
    let mut next = || lines.next().unwrap_or_default();
    let (path, query, header, number) = (next(), next(), next(), next());
    if let Some(names) = gateway::content_path(path) {
        assert!(names.len() <= 255 && names.iter().all(|name| !name.is_empty()), "{names:?}");
    }
    let _ = gateway::format(query, header.as_bytes());
    let fields = gateway::fields(path, query, header.as_bytes());
    let bytes: usize = fields.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    assert!(bytes <= MAX_FIELD_BYTES, "{bytes} bytes");
    let size = number.trim().parse().unwrap_or(u64::MAX);
    for text in [path, query, header] {
        if let Some((first, last)) = gateway::entity_bytes(text, size) {
            assert!(first <= last && last < size, "{text} of {size}");
        }
        if let Some(key) = gateway::key(text) {
            assert!(key.len() <= 66, "{text}");
        }
    }
});
