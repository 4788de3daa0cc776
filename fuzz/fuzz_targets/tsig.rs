#![no_main]

use libfuzzer_sys::fuzz_target;
use roadstead::naming::fuzzing;

fuzz_target!(|bytes: &[u8]| {
    assert!(!fuzzing::is_signed(bytes), "nobody else has the key");
});
