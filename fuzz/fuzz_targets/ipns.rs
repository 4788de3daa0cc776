#![no_main]

use libfuzzer_sys::fuzz_target;
use roadstead::ipns::fuzzing;

fuzz_target!(|bytes: &[u8]| {
    fuzzing::names_and_keys(bytes);
    if let Some(record) = fuzzing::unverified(bytes)
        && let Err(error) = record.root()
    {
        assert!(!error.to_string().contains('\u{1b}'), "a record does not steer the terminal");
    }
});
