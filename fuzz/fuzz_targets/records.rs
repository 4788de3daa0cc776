#![no_main]

use libfuzzer_sys::fuzz_target;
use roadstead::site::records::{self, RepositoriesRecord, RepositoryRecord, TagsRecord};

fuzz_target!(|bytes: &[u8]| {
    let _ = records::read_catalog(bytes);
    let _ = records::read::<RepositoriesRecord>("catalog/0.json", bytes);
    let _ = records::read::<RepositoryRecord>("catalog/app.json", bytes);
    let _ = records::read::<TagsRecord>("catalog/app/0.json", bytes);
});
