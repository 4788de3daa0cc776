#![no_main]

use libfuzzer_sys::fuzz_target;
use roadstead::image::tags::{TagPattern, TagRule, suggest};

fuzz_target!(|input: (&str, Vec<&str>)| {
    let (text, tags) = input;
    if let Ok(pattern) = text.parse::<TagPattern>() {
        assert_eq!(pattern.to_string(), text);
        let rule = TagRule { tags: vec![pattern.clone()], newest: std::num::NonZeroU32::new(2), ..TagRule::default() };
        let choice = rule.choose(&tags, |_| false);
        assert!(choice.selected().all(|tag| pattern.matches(tag)));
        assert_eq!(choice.judged.len() + choice.unmatched, tags.len());
    }
    for tag in tags {
        if let Ok(tag) = tag.parse::<roadstead::image::Tag>() {
            let pattern: TagPattern = suggest(tag.as_str()).parse().expect("a suggestion is a pattern");
            assert!(pattern.matches(tag.as_str()));
        }
    }
});
