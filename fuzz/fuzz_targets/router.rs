#![no_main]

use libfuzzer_sys::fuzz_target;
use roadstead::image::RepositoryName;
use roadstead::serve::fuzzing;

fuzz_target!(|text: &str| {
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    if let Some(name) = fuzzing::repository(path) {
        name.parse::<RepositoryName>().expect("only what the grammar allows is looked for");
    }
    if let Some(file) = fuzzing::page(path) {
        assert!(!file.starts_with('/') && file.split('/').all(|part| part != ".."), "{file}");
    }
    let _ = fuzzing::query(query);
});
