#![no_main]

use libfuzzer_sys::fuzz_target;
use roadstead::image::{Manifest, media};

fuzz_target!(|bytes: &[u8]| {
    for content_type in [None, Some(media::OCI_INDEX), Some(media::OCI_MANIFEST)] {
        if let Ok(manifest) = Manifest::parse(bytes, content_type) {
            for descriptor in manifest.references() {
                let _ = (descriptor.is_foreign_layer(), descriptor.runs_on());
            }
            let _ = (manifest.is_index(), manifest.is_image(), manifest.shown_artifact_type());
        }
    }
});
