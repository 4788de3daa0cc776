#![no_main]

use libfuzzer_sys::fuzz_target;
use roadstead::serve::fuzzing;

/// Of what is written before and behind each part.
const MAX_TEXT_BYTES: u64 = 200;

fuzz_target!(|input: (u64, &str)| {
    let (size, header) = input;
    // A file has no more (`off_t`).
    let size = size >> 1;
    let parts = fuzzing::ranges(header, size);
    let mut left = size;
    for (start, length) in &parts {
        assert!(*length > 0 && start.checked_add(*length).is_some_and(|end| end <= size), "{header} of {size}");
        left = left.checked_sub(*length).expect("all parts come to no more than the whole");
    }
    if let Some((said, written)) = fuzzing::multipart(header, size) {
        assert_eq!(said, written, "{header} of {size}");
        assert!(said <= size - left + (parts.len() as u64 + 1) * MAX_TEXT_BYTES);
    }
});
