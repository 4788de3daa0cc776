#![no_main]

use libfuzzer_sys::fuzz_target;
use std::path::Path;

use roadstead::config::ConfigFile;

fuzz_target!(|text: &str| {
    if let Err(error) = ConfigFile::parse(text, Path::new("config.toml")) {
        assert!(!format!("{error}{:?}", error.hints()).contains('\u{1b}'));
    }
});
