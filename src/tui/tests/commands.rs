//! The table of commands: unique names and keys, and explanations that read alike.

use std::collections::BTreeSet;

use super::super::command::TABLE;

#[test]
fn names_are_unique_and_explanations_are_sentences_without_a_full_stop() {
    let ids: BTreeSet<&str> = TABLE.iter().map(|entry| entry.id).collect();
    assert_eq!(ids.len(), TABLE.len());
    for entry in TABLE {
        assert!(!entry.explanation.ends_with('.') && entry.explanation.starts_with(char::is_uppercase), "{}", entry.id);
        assert!(entry.title.chars().count() <= 14, "{}", entry.id);
        assert!(!entry.keys.is_empty(), "{} can't be reached", entry.id);
        assert_eq!(entry.command.entry().id, entry.id);
    }
}

#[test]
fn no_key_means_two_things_in_one_place() {
    for (place, entry) in TABLE.iter().enumerate() {
        for other in &TABLE[place + 1..] {
            let meet = entry.applies(other.contexts) || other.applies(entry.contexts);
            for key in entry.keys {
                assert!(!meet || !other.keys.contains(key), "{key} is {} and {}", entry.id, other.id);
            }
        }
    }
}
