#![no_main]

use libfuzzer_sys::fuzz_target;
use roadstead::rules::import::import;
use roadstead::rules::{Lock, read, sources, write};

fuzz_target!(|text: &str| {
    match read(text) {
        Ok(rules) => assert_eq!(read(&write(&rules)).expect("what is written can be read"), rules),
        Err(faults) => assert!(!faults.is_empty()),
    }
    if let Ok(lock) = Lock::read(text) {
        assert_eq!(Lock::read(&lock.to_string()).expect("what is written can be read"), lock);
    }
    let _ = import(text, None);
    let _ = sources::compose(&[("compose.yaml", text)], &std::collections::BTreeMap::new());
    let _ = sources::kubernetes(text, &[".spec.image"]);
    let _ = sources::dockerfile(text);
    let _ = sources::list(text);
});
