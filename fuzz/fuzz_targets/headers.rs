#![no_main]

use libfuzzer_sys::fuzz_target;
use roadstead::registry::fuzzing;

fuzz_target!(|value: &[u8]| {
    assert_ne!(fuzzing::challenge(value), Some(false), "only HTTP is asked for a token");
    let current = "https://registry.example/v2/app/tags/list?n=1000".parse().expect("a URL");
    let _ = fuzzing::next_link(&current, value);
    if let Some((first, last, _)) = fuzzing::content_range(value) {
        assert!(first <= last);
    }
    if let Ok(text) = std::str::from_utf8(value) {
        let _ = fuzzing::retry_after(text);
    }
});
