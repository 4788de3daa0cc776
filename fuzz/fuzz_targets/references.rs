#![no_main]

use libfuzzer_sys::fuzz_target;
use roadstead::engine::request::Pick;
use roadstead::image::{Digest, Platform, Reference, RepositoryName, Selection, Tag};

fuzz_target!(|text: &str| {
    if let Ok(reference) = text.parse::<Reference>() {
        let again: Reference = reference.to_string().parse().expect("what is written can be read");
        assert_eq!(again, reference);
        if let Ok(name) = reference.upstream.published_name() {
            name.as_str().parse::<RepositoryName>().expect("only what the grammar allows is published");
        }
        if let Some(alias) = reference.upstream.alias() {
            alias.as_str().parse::<RepositoryName>().expect("an alias is a name");
        }
    }
    if let Ok(platform) = text.parse::<Platform>() {
        assert_eq!(platform.to_string().parse::<Platform>().expect("a platform"), platform);
    }
    if let Ok(tag) = text.parse::<Tag>() {
        assert_eq!(tag.as_str(), text);
    }
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.to_string(), text);
    }
    let _ = text.parse::<Selection>();
    let _ = text.parse::<Pick>();
});
