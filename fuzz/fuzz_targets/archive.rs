#![no_main]

use libfuzzer_sys::fuzz_target;
use std::io::Write as _;
use std::sync::LazyLock;

use roadstead::registry::{Layout, LocalSource};
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Builder::new_current_thread().build().expect("a runtime"));

fuzz_target!(|bytes: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(bytes).expect("room for it");
    let source: LocalSource = format!("oci-archive:{}", file.path().display()).parse().expect("an archive");
    if let Ok(layout) = RUNTIME.block_on(Layout::open(&source)) {
        let _ = (layout.root().runs_on(), layout.suggested_name(), layout.suggested_tag());
    }
});
