//! What is a pattern, what it matches, and what is said of what is none.

use super::*;

#[test]
fn a_whole_tag_has_to_match() {
    for (text, matching, others) in [
        ("1.#.#", vec!["1.2.3", "1.02.30"], vec!["1.2", "1.2.3.4", "1.2.3-alpine", "v1.2.3", "11.2.3", "1.x.3", ""]),
        ("#", vec!["1", "20260805"], vec!["1a", "a1", "1.2", ""]),
        ("[v]3.#", vec!["v3.1", "3.1"], vec!["vv3.1", "v3", "V3.1"]),
        ("1{,-alpine}", vec!["1", "1-alpine"], vec!["1-", "1-alpine3"]),
        ("*-ls#", vec!["a-ls1", "-ls1", "a-ls1-ls22"], vec!["ls1", "a-ls", "a-ls1-"]),
        ("*", vec!["anything", "1"], vec![]),
        ("a*b", vec!["ab", "axb", "abab"], vec!["a", "abc"]),
        ("1.#[.#[.#]]", vec!["1.2", "1.2.3", "1.2.3.4"], vec!["1", "1.2.", "1.2.3.4.5"]),
        ("{a,b{c,d}}[-{x,y}]", vec!["a", "bc", "bd-x", "a-y"], vec!["b", "bc-", "a-z"]),
        (
            "1.#{pre}",
            vec!["1.0", "1.0-rc.1", "1.0rc1", "1.0_beta-2", "1.0-SNAPSHOT", "1.0.M2", "1.0a"],
            vec!["1.0-alpine", "1.0-r", "1.0--rc1", "1.0-rc1x"],
        ),
    ] {
        let pattern = pattern(text);
        for tag in matching {
            assert!(pattern.matches(tag), "{text} takes {tag}");
        }
        for tag in others {
            assert!(!pattern.matches(tag), "{text} does not take {tag}");
        }
    }
}

#[test]
fn a_number_is_a_whole_run_of_digits() {
    let pattern = pattern("*#-x");
    assert!(pattern.matches("12-x"));
    assert!(pattern.matches("a12-x"));
    // The key is all of 12, not the 2 that a shorter text before it would leave.
    assert_eq!(pattern.key(0, "a12-x"), super::pattern("#-x").key(0, "12-x"));
}

#[test]
fn keys_are_compared_as_versions_are() {
    for (text, sorted) in [
        (
            "#.#.#",
            vec![
                "1.9.9",
                "1.10.0",
                "2.0.0",
                "10.0.0",
                "99999999999999999999999999.0.0",
                "100000000000000000000000000.0.0",
            ],
        ),
        ("#[.#]", vec!["1", "1.0", "1.1", "2", "2.0"]),
        (
            "1.#{pre}",
            vec![
                "1.2-nightly",
                "1.2-dev",
                "1.2-dev1",
                "1.2-m1",
                "1.2-milestone2",
                "1.2-alpha",
                "1.2a1",
                "1.2-beta",
                "1.2-b2",
                "1.2-pre",
                "1.2-ea1",
                "1.2-preview2",
                "1.2-rc",
                "1.2rc2",
                "1.2-rc10",
                "1.2",
                "1.3-nightly",
            ],
        ),
        ("*-ls#", vec!["zz-ls1", "aa-ls2", "zz-ls10"]),
        ("/([0-9]+)-x(?:\\.([0-9]+))?/", vec!["1-x", "1-x.0", "2-x", "10-x"]),
    ] {
        let pattern = pattern(text);
        let keys: Vec<_> =
            sorted.iter().map(|tag| pattern.key(0, tag).unwrap_or_else(|| panic!("{text}: {tag}"))).collect();
        for pair in keys.windows(2) {
            assert!(pair[0] < pair[1], "{text}: {pair:?}");
        }
    }
}

#[test]
fn equal_versions_are_written_in_several_ways() {
    for (text, one, other) in [
        ("[v]3.#.#", "v3.7.11", "3.7.11"),
        ("#.#.#", "2025.4.0", "2025.04.00"),
        ("1.#{pre}", "1.2-rc.1", "1.2RC1"),
        // What follows the last `#` doesn't count.
        ("1.#-alpine*", "1.2-alpine3.24", "1.2-alpine3.9"),
        ("#.#.#.#-*", "1.42.1.10060-4e8b05daf", "1.42.1.10060-ffffffff0"),
    ] {
        let pattern = pattern(text);
        assert_eq!(pattern.key(0, one).unwrap(), pattern.key(0, other).unwrap(), "{text}");
    }
}

#[test]
fn what_names_each_tag_is_a_list_of_them() {
    for (text, literals) in [
        ("latest", Some(vec!["latest"])),
        ("{stable,mainline}{,-alpine}", Some(vec!["stable", "stable-alpine", "mainline", "mainline-alpine"])),
        ("1.31", Some(vec!["1.31"])),
        ("1.#", None),
        ("[v]1", None),
        ("1*", None),
        ("1{pre}", None),
        ("/latest/", None),
    ] {
        let literals = literals.map(|tags| tags.into_iter().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(pattern(text).literals(), literals, "{text}");
    }
}

#[test]
fn a_regular_expression_is_anchored_at_both_ends() {
    let pattern = pattern("/1|2-alpine/");
    assert!(pattern.matches("1"));
    assert!(pattern.matches("2-alpine"));
    assert!(!pattern.matches("1-alpine"));
    assert!(!pattern.matches("x2-alpine"));
}

#[test]
fn what_is_no_pattern_is_refused_with_its_place() {
    let deep = format!("{}a{}", "[".repeat(17), "]".repeat(17));
    let many = "{a,b}".repeat(7);
    let long = "a".repeat(513);
    let mut said = Vec::new();
    for text in [
        "",
        "1.#.",
        "1#",
        "#1",
        "##",
        "#{1,a}",
        "#[2]",
        "a b",
        "nginx:1.#",
        "^1",
        "1.#]",
        "[1",
        "{a,b",
        "a,b",
        "[]",
        "{}",
        "{,}",
        "é",
        "a\u{1b}",
        "/(/",
        "/a)(b/",
        "/(a{1000}){1000}/",
        &deep,
        &many,
        &long,
    ] {
        let line = match text.parse::<TagPattern>() {
            Ok(pattern) => format!("{pattern}: fine"),
            Err(error) => format!("{:.30} at {}: {error}", text.escape_debug().to_string(), error.at),
        };
        said.push(line);
    }
    insta::assert_snapshot!(said.join("\n"));
}
