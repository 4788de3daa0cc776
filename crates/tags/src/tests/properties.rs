//! What is true of any pattern and any tag.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::parse::{Item, check_numbers, tree, variants};
use crate::{Number, Part, stage, suggest};

/// Where what the items match can end: a second way to say what matches, which follows every way at once.
fn ends(items: &[Item], tag: &str, from: &BTreeSet<usize>) -> BTreeSet<usize> {
    items.iter().fold(from.clone(), |places, item| {
        let after = |at: usize| -> BTreeSet<usize> {
            let rest = &tag[at..];
            match item {
                Item::Text(text) => rest.starts_with(text.as_str()).then_some(at + text.len()).into_iter().collect(),
                Item::Number => {
                    let length = rest.bytes().take_while(u8::is_ascii_digit).count();
                    let whole = !tag[..at].ends_with(|c: char| c.is_ascii_digit());
                    (length > 0 && whole).then_some(at + length).into_iter().collect()
                }
                Item::Any => (at..=tag.len()).collect(),
                Item::Prerelease => {
                    std::iter::once(at).chain(stage::read(rest).map(|(_, length)| at + length)).collect()
                }
                Item::Optional(inner) => {
                    let mut all = ends(inner, tag, &BTreeSet::from([at]));
                    all.insert(at);
                    all
                }
                Item::Choice(choices) => {
                    choices.iter().flat_map(|choice| ends(choice, tag, &BTreeSet::from([at]))).collect()
                }
            }
        };
        places.into_iter().flat_map(after).collect()
    })
}

fn any_pattern() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => "[ab1.-]{1,3}".prop_map(String::from),
        4 => Just("#".to_owned()),
        2 => Just("*".to_owned()),
        2 => Just("{pre}".to_owned()),
    ];
    let tree = part.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
            inner.clone().prop_map(|inner| format!("[{inner}]")),
            (inner.clone(), inner).prop_map(|(one, other)| format!("{{{one},{other}}}")),
        ]
    });
    prop::collection::vec(tree, 1..4).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn both_ways_to_match_agree(text in any_pattern(), tag in "([ab]|[0-2]{1,2}|[.-]|rc|m){0,7}") {
        let items = tree(&text).unwrap();
        prop_assume!(variants(&items).is_ok_and(|variants| variants.iter().all(|items| check_numbers(items).is_ok())));
        let matches = ends(&items, &tag, &BTreeSet::from([0])).contains(&tag.len());
        prop_assert_eq!(pattern(&text).matches(&tag), matches, "{} {}", text, tag);
    }

    #[test]
    fn keys_of_a_variant_are_in_a_total_order(text in any_pattern(), tags in prop::collection::vec("([ab]|[0-2]{1,2}|[.-]|rc){0,6}", 3)) {
        let Ok(pattern) = text.parse::<TagPattern>() else { return Ok(()) };
        for variant in 0..pattern.variants().len() {
            let keys: Vec<_> = tags.iter().filter_map(|tag| pattern.key(variant, tag)).collect();
            for one in &keys {
                for other in &keys {
                    // Keys of one shape: the same places have numbers, and the same have prereleases.
                    prop_assert_eq!(one.len(), other.len());
                    prop_assert_eq!(one.cmp(other), other.cmp(one).reverse());
                    prop_assert_eq!(one == other, one.cmp(other).is_eq());
                    for third in &keys {
                        prop_assert!(!(one <= other && other <= third) || one <= third);
                    }
                }
            }
        }
    }

    /// Numbers that fit a word and such that don't, up to both sides of where that changes.
    #[test]
    fn numbers_are_compared_by_their_value(one in "0{0,2}[0-9]{1,3}|0{0,2}[89]{18,21}", other in "0{0,2}[0-9]{1,3}|0{0,2}[89]{18,21}") {
        let value = |digits: &str| digits.parse::<u128>().unwrap();
        prop_assert_eq!(Number::new(&one).cmp(&Number::new(&other)), value(&one).cmp(&value(&other)));
    }

    #[test]
    fn prereleases_are_read_in_any_case(at in 0..stage::WORDS.len(), capitals in any::<u16>(), more in "[.-]?[0-9]{0,2}") {
        let (word, stage) = stage::WORDS[at];
        let word: String = word
            .char_indices()
            .map(|(place, letter)| if capitals >> place & 1 == 1 { letter.to_ascii_uppercase() } else { letter })
            .collect();
        let tag = format!("1-{word}{more}");
        prop_assume!(!tag.ends_with('-'));
        let key = pattern("#{pre}").key(0, &tag);
        prop_assert!(matches!(key.as_deref(), Some([_, Part::Prerelease(read, _)]) if *read == stage), "{} {:?}", tag, key);
    }

    #[test]
    fn any_text_is_a_pattern_or_refused(text in "[a-c0-9#*{}\\[\\],./()|pre-]{0,40}", tag in "\\PC{0,20}") {
        if let Ok(pattern) = text.parse::<TagPattern>() {
            pattern.matches(&tag);
            prop_assert_eq!(pattern.to_string(), text);
        }
    }

    #[test]
    fn a_suggestion_takes_its_tag(tag in "[A-Za-z0-9_]([A-Za-z0-9_.-]|rc[0-9]|[0-9]{1,3}|alpine3){0,12}") {
        let suggested = suggest(&tag);
        let pattern = suggested.parse::<TagPattern>();
        prop_assert!(pattern.is_ok_and(|pattern| pattern.matches(&tag)), "{} {}", tag, suggested);
    }

    /// The definition: of each variant, the highest of the versions that differ, and all tags that say one of them.
    #[test]
    fn the_newest_versions_are_taken(text in any_pattern(), tags in prop::collection::btree_set("([ab]|[0-2]{1,2}|[.-]|rc){1,5}", 0..24), newest in 1_u32..4) {
        let Ok(known) = text.parse::<TagPattern>() else { return Ok(()) };
        let mut expected = BTreeSet::new();
        for variant in 0..known.variants().len() {
            let matching = || tags.iter().filter_map(|tag| Some((known.key(variant, tag)?, tag)));
            let mut versions: Vec<_> = matching().map(|(key, _)| key).collect();
            versions.sort();
            versions.dedup();
            if known.variants()[variant].has_number() {
                versions.drain(..versions.len().saturating_sub(newest as usize));
            }
            expected.extend(matching().filter(|(key, _)| versions.contains(key)).map(|(_, tag)| tag.as_str()));
        }
        let rule = TagRule { tags: vec![known], newest: std::num::NonZeroU32::new(newest), ..TagRule::default() };
        let listed: Vec<&str> = tags.iter().map(String::as_str).collect();
        let choice = rule.choose(&listed, |_| false);
        prop_assert_eq!(choice.selected().collect::<BTreeSet<_>>(), expected);
    }

    #[test]
    fn what_is_taken_is_in_the_list_and_matches(text in any_pattern(), tags in prop::collection::vec("([ab]|[0-2]|[.-]|rc){1,5}", 0..12), newest in 1_u32..4) {
        let Ok(known) = text.parse::<TagPattern>() else { return Ok(()) };
        let rule = TagRule { tags: vec![known.clone()], newest: std::num::NonZeroU32::new(newest), ..TagRule::default() };
        let listed: Vec<&str> = tags.iter().map(String::as_str).collect();
        let choice = rule.choose(&listed, |_| false);
        prop_assert!(choice.selected().all(|tag| listed.contains(&tag) && known.matches(tag)));
        prop_assert_eq!(choice.judged.len() + choice.unmatched, listed.len());
    }
}

/// Ways through such a pattern are many more than there is time for; each place is tried once.
#[test]
fn hostile_patterns_end() {
    let tag = "a".repeat(128);
    for text in [&"*a".repeat(200), &"[a]".repeat(100), &"[*a]".repeat(100), &format!("{}b", "{pre}*".repeat(70))] {
        assert!(!pattern(&format!("{text}-x")).matches(&tag));
        pattern(text).matches(&tag);
    }
    assert!(!pattern("*").matches(&"a".repeat(129)));
}
