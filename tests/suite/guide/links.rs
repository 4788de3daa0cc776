//! The links of README, guide and the other pages lead somewhere; the guide's list of pages is whole.
//!
//! Reads Markdown. Nothing is asked in the network.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::{at, markdown, text_of};

/// Where the guide's pages are.
const GUIDE: &str = "docs/src";
/// The list of the guide's pages.
const SUMMARY: &str = "docs/src/SUMMARY.md";
/// Pages beside the guide.
const OTHERS: [&str; 5] = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"];

/// Every page of the guide, as paths from the project's directory.
pub(super) fn pages() -> Vec<String> {
    let mut directories = vec![PathBuf::from(GUIDE)];
    let mut found = Vec::new();
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(at(&directory.to_string_lossy())).expect("a directory") {
            let entry = entry.expect("an entry");
            let path = directory.join(entry.file_name());
            if entry.file_type().expect("a type").is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|end| end == "md") {
                found.push(path.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::Normal(name) => plain.push(name),
            _ => {}
        }
    }
    plain
}

/// What is wrong with a link of a page.
fn fault(page: &str, target: &str) -> Option<String> {
    if target.starts_with("https://") {
        return None;
    }
    if target.contains("://") || target.starts_with("mailto:") {
        return Some("it is no https:// address".to_owned());
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let directory = Path::new(page).parent().unwrap_or(Path::new(""));
    let file = if path.is_empty() { PathBuf::from(page) } else { plain(&directory.join(path)) };
    let file = file.to_string_lossy().into_owned();
    if !at(&file).exists() {
        return Some(format!("there is no {file}"));
    }
    // What lies beside the guide is not in the book.
    if page.starts_with(GUIDE) && !file.starts_with(GUIDE) {
        return Some(format!("{file} is outside of the book"));
    }
    if anchor.is_empty() {
        return None;
    }
    let known = markdown::anchors(&file, &text_of(&file));
    (!known.contains(anchor)).then(|| format!("{file} has no heading #{anchor}; it has {known:?}"))
}

#[test]
fn every_link_leads_somewhere() {
    let mut faults = Vec::new();
    let mut checked = 0;
    for page in pages().iter().map(String::as_str).chain(OTHERS) {
        for (number, target) in markdown::links(&text_of(page)) {
            checked += 1;
            faults.extend(fault(page, &target).map(|fault| format!("{page}, line {number}: {target}: {fault}")));
        }
    }
    assert!(checked > 50, "only {checked} links were found");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    for (page, target) in [
        ("README.md", "docs/src/nothere.md"),
        ("README.md", "http://example.com"),
        ("README.md", "SECURITY.md#no-such-heading"),
        (SUMMARY, "../../README.md"),
        (SUMMARY, "concepts.md#no-such-heading"),
    ] {
        assert!(fault(page, target).is_some(), "{page}: {target}");
    }
    assert_eq!(fault(SUMMARY, "concepts.md#glossary"), None);
}

#[test]
fn the_list_of_pages_is_whole() {
    let listed: Vec<String> =
        markdown::links(&text_of(SUMMARY)).into_iter().map(|(_, target)| format!("{GUIDE}/{target}")).collect();
    let once: BTreeSet<String> = listed.iter().cloned().collect();
    assert_eq!(once.len(), listed.len(), "a page is listed twice: {listed:?}");
    let there: BTreeSet<String> = pages().into_iter().filter(|page| page != SUMMARY).collect();
    assert_eq!(once, there, "what the summary lists, and what is there");
}
