#![no_main]

use libfuzzer_sys::fuzz_target;
use roadstead::serve::fuzzing;

fuzz_target!(|input: (u64, &str)| {
    let (size, header) = input;
    let mut left = size;
    for (start, length) in fuzzing::ranges(header, size) {
        assert!(length > 0 && start.checked_add(length).is_some_and(|end| end <= size), "{header} of {size}");
        left = left.checked_sub(length).expect("all parts come to no more than the whole");
    }
});
