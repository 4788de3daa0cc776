#![no_main]

use libfuzzer_sys::fuzz_target;
use roadstead::naming::dnslink::Link;
use roadstead::naming::fuzzing;

fuzz_target!(|bytes: &[u8]| {
    if let Some((set, refused)) = fuzzing::answer(bytes) {
        let _ = Link::only(set.values.iter().map(String::as_str));
        assert!(!refused.is_some_and(|words| words.contains('\u{1b}')), "a server does not steer the terminal");
    }
});
