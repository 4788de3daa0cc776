//! What a publication changes, in words.

use crate::engine::query::diff::{ChangeKind, RepositoryChange};
use crate::text::count;

/// `1 repository added, 2 tags moved`.
pub fn of(changes: &[RepositoryChange]) -> String {
    let repositories = |kind| changes.iter().filter(|change| change.kind == kind).count() as u64;
    let tags = |kind| {
        let changed = changes.iter().filter(|change| change.kind == ChangeKind::Changed);
        changed.flat_map(|change| &change.tags).filter(|tag| tag.kind == kind).count() as u64
    };
    let mut words = Vec::new();
    let mut say = |number: u64, one: &str, many: &str, what: &str| {
        if number > 0 {
            words.push(format!("{} {what}", count(number, one, many)));
        }
    };
    say(repositories(ChangeKind::Added), "repository", "repositories", "added");
    say(repositories(ChangeKind::Removed), "repository", "repositories", "removed");
    say(tags(ChangeKind::Added), "tag", "tags", "added");
    say(tags(ChangeKind::Changed), "tag", "tags", "moved");
    say(tags(ChangeKind::Removed), "tag", "tags", "removed");
    if words.is_empty() { "no tag changes".to_owned() } else { words.join(", ") }
}
