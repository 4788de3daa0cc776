#![no_main]

use libfuzzer_sys::fuzz_target;
use roadstead::serve::fuzzing;

fuzz_target!(|input: (u64, &str)| {
    let (size, header) = input;
    if let Some((start, length)) = fuzzing::range(header, size) {
        assert!(length > 0 && start.checked_add(length).is_some_and(|end| end <= size), "{header} of {size}");
    }
});
