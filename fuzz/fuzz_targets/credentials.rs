#![no_main]

use libfuzzer_sys::fuzz_target;
use roadstead::registry::fuzzing as registry;
use roadstead::serve::fuzzing as serve;

fuzz_target!(|bytes: &[u8]| {
    for (host, repository) in [("docker.io", "library/nginx"), ("registry.example:5000", "a/b/c"), ("", "")] {
        let _ = registry::credential(bytes, host, repository);
    }
    let text = String::from_utf8_lossy(bytes);
    let _ = serve::credentials(bytes, &text);
});
