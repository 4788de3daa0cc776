//! What a rule takes of a list.

use super::*;
use crate::{Choice, Verdict};

const NGINX: [&str; 14] = [
    "latest",
    "1.29.3",
    "1.29.4",
    "1.30.0",
    "1.30.0-alpine",
    "1.31.4",
    "1.31.4-alpine",
    "1.31.10-alpine",
    "1.31.10-alpine-slim",
    "1.31.10-alpine3.24",
    "1.31",
    "stable-alpine",
    "2.0.0-alpine",
    "1-alpine",
];

fn count(number: u32) -> Option<std::num::NonZeroU32> {
    std::num::NonZeroU32::new(number)
}

fn verdicts(choice: &Choice<'_>) -> Vec<String> {
    choice.judged.iter().map(|judged| format!("{} {:?} {}", judged.tag, judged.verdict, judged.pattern)).collect()
}

#[test]
fn each_variant_counts_for_itself() {
    let rule = TagRule { newest: count(2), ..rule(&["1.#.#{,-alpine}", "stable-alpine"]) };
    assert_eq!(taken(&rule, &NGINX), ["1.31.4", "1.30.0", "1.31.10-alpine", "1.31.4-alpine", "stable-alpine"]);
}

#[test]
fn lines_are_counted_and_the_versions_of_each() {
    let tags = ["v1.34.9", "v1.35.2", "v1.35.1", "v1.36.0", "v1.33.0", "v1.37.0-alpha.1", "v1.32.8"];
    let rule = TagRule { newest: count(1), per: count(2), lines: count(3), ..rule(&["v1.#.#"]) };
    assert_eq!(taken(&rule, &tags), ["v1.36.0", "v1.35.2", "v1.34.9"]);
    let rule = TagRule { lines: None, ..rule };
    assert_eq!(taken(&rule, &tags).len(), 5);
    let rule = TagRule { newest: None, lines: count(2), ..rule };
    assert_eq!(taken(&rule, &tags), ["v1.36.0", "v1.35.2", "v1.35.1"]);
}

#[test]
fn equal_versions_are_taken_together_and_counted_once() {
    let rule = TagRule { newest: count(2), ..rule(&["[v]3.#.#"]) };
    let tags = ["3.7.10", "v3.7.11", "3.7.11", "v3.7.10", "3.7.9"];
    assert_eq!(taken(&rule, &tags), ["v3.7.11", "3.7.11", "3.7.10", "v3.7.10"]);
}

#[test]
fn what_is_young_is_left_out_before_counting() {
    let rule = TagRule { newest: count(2), ..rule(&["1.#"]) };
    let choice = rule.choose(&["1.1", "1.2", "1.3", "1.4"], |tag| tag == "1.4");
    assert_eq!(verdicts(&choice), ["1.4 TooYoung 0", "1.3 Selected 0", "1.2 Selected 0", "1.1 Older 0"]);
    let choice = rule.choose(&["1.1", "1.3", "1.4", "1.2"], |tag| tag == "1.3" || tag == "1.4");
    assert_eq!(verdicts(&choice), ["1.4 TooYoung 0", "1.3 TooYoung 0", "1.2 Selected 0", "1.1 Selected 0"]);
}

#[test]
fn what_is_excepted_or_out_of_range_is_not_counted() {
    let rule = TagRule {
        newest: count(1),
        except: vec![pattern("1.29.4*")],
        at_least: Some("1.29".parse().unwrap()),
        below: Some("1.30".parse().unwrap()),
        ..rule(&["1.#.#"])
    };
    let tags = ["1.28.9", "1.29.0", "1.29.3", "1.29.4", "1.30.0", "x"];
    let choice = rule.choose(&tags, |_| false);
    assert_eq!(
        verdicts(&choice),
        ["1.30.0 AboveRange 0", "1.29.4 Excepted 0", "1.29.3 Selected 0", "1.29.0 Older 0", "1.28.9 BelowRange 0"],
        "the newest first, whatever is said of it"
    );
    assert_eq!(choice.unmatched, 1);
}

#[test]
fn what_is_attached_by_its_tag_is_no_version() {
    let attached = format!("sha256-{}.sig", "0".repeat(64));
    let choice = rule(&["*"])
        .choose(&[&attached, "1"], |_| false)
        .judged
        .iter()
        .map(|judged| judged.verdict)
        .collect::<Vec<_>>();
    assert_eq!(choice, [Verdict::Attached, Verdict::Selected]);
}

#[test]
fn a_tag_that_several_patterns_match_is_taken_once() {
    let rule = TagRule { newest: count(1), ..rule(&["1.#", "*.1"]) };
    assert_eq!(verdicts(&rule.choose(&["1.1", "1.2"], |_| false)), ["1.2 Selected 0", "1.1 Selected 1"]);
}

#[test]
fn literals_need_no_list() {
    assert_eq!(rule(&["latest", "{a,b}"]).literals().unwrap(), ["latest", "a", "b"]);
    assert_eq!(rule(&["latest", "1.#"]).literals(), None);
    let excepting = TagRule { except: vec![pattern("a")], ..rule(&["{a,b}"]) };
    assert_eq!(excepting.literals().unwrap(), ["b"]);
}

#[test]
fn counting_needs_a_number_and_lines_their_length() {
    assert_eq!(TagRule { newest: count(1), ..rule(&["latest"]) }.fault().unwrap().0, "newest");
    assert_eq!(TagRule { below: "2".parse().ok(), ..rule(&["1*"]) }.fault().unwrap().0, "below");
    assert_eq!(TagRule { lines: count(1), ..rule(&["1.#"]) }.fault().unwrap().0, "lines");
    assert_eq!(TagRule { newest: count(1), ..rule(&["1.#", "latest"]) }.fault(), None);
    assert_eq!(rule(&["latest"]).fault(), None);
}

#[test]
fn a_range_is_said_with_its_numbers() {
    let rule =
        TagRule { at_least: Some("1.24".parse().unwrap()), below: Some("1.26".parse().unwrap()), ..TagRule::default() };
    assert_eq!(Verdict::BelowRange.words(&rule), "below 1.24");
    assert_eq!(Verdict::AboveRange.words(&rule), "not below 1.26");
}
