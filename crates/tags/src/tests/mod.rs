//! The language, the choice, and what is true of any pattern and any tag.

mod choice;
mod language;
mod properties;
mod wild;

use super::{TagPattern, TagRule};

fn pattern(text: &str) -> TagPattern {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn rule(patterns: &[&str]) -> TagRule {
    TagRule { tags: patterns.iter().map(|text| pattern(text)).collect(), ..TagRule::default() }
}

/// What a rule takes of a list in which nothing is young.
fn taken(rule: &TagRule, tags: &[&str]) -> Vec<String> {
    rule.choose(tags, |_| false).selected().map(str::to_owned).collect()
}
