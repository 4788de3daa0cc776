#![no_main]

use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;

use roadstead::site::paging::{MAX_ROWS, pages};

fuzz_target!(|names: BTreeMap<String, u8>| {
    let list: Vec<(&str, usize)> = names.iter().map(|(name, rows)| (name.as_str(), usize::from(*rows))).collect();
    let spans = pages(&list);
    let mut next = 0;
    for span in &spans {
        assert_eq!(span.names.start, next, "every name is on one page");
        next = span.names.end;
        let rows: usize = list[span.names.clone()].iter().map(|(_, rows)| rows).sum();
        assert!(rows <= MAX_ROWS || span.names.len() == 1);
    }
    assert_eq!(next, list.len());
});
