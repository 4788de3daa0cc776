//! Ranges of versions, as npm and the Go libraries write them; what a comparison means is what the crate `semver` says.

use semver::{Comparator, Op};

use crate::image::tags::{Bound, TagPattern};

/// Ranges of one text (`||` between them).
const MAX_RANGES: usize = 50;

/// Versions from one to another.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) at_least: Option<Bound>,
    pub(super) below: Option<Bound>,
    /// Versions that are left out (`!=`).
    pub(super) except: Vec<TagPattern>,
    /// A bound is a prerelease, which lets in prereleases.
    pub(super) prerelease: bool,
}

type Version = (u64, u64, u64);

/// The ranges of a text, of which a version has to be in one.
pub(super) fn ranges(text: &str) -> Result<Vec<Range>, String> {
    let parts: Vec<&str> = text.split("||").collect();
    if parts.len() > MAX_RANGES {
        return Err(format!("it has more than {MAX_RANGES} ranges"));
    }
    parts.into_iter().map(range).collect()
}

/// The pattern for the tags that such programs read as versions, with something behind the version.
pub(super) fn versions(prerelease: bool, suffix: &str) -> Result<TagPattern, String> {
    let pre = if prerelease { "{pre}" } else { "" };
    format!("[v]#[.#[.#]]{pre}{suffix}").parse().map_err(|error| format!("{error}"))
}

fn range(text: &str) -> Result<Range, String> {
    let mut found = Range::default();
    let (mut low, mut high): (Version, Option<Version>) = ((0, 0, 0), None);
    for (operator, version) in comparisons(text)? {
        let known = version.split(['x', 'X', '*']).next().unwrap_or_default().trim_end_matches('.');
        if known.is_empty() {
            match operator {
                "" | "=" | ">=" | "<=" | "~" | "^" => continue,
                _ => return Err(format!("`{operator}{version}` has no version")),
            }
        }
        if operator == "!=" {
            found.except.push(excepted(known)?);
            continue;
        }
        // A version alone is that version there, and one that is compatible with it in Cargo.
        let operator = if operator.is_empty() { "=" } else { operator };
        let comparator: Comparator = format!("{operator}{}", completed(known))
            .parse()
            .map_err(|error| format!("`{operator}{version}`: {error}"))?;
        found.prerelease |= !comparator.pre.is_empty();
        let (from, to) = bounds(&comparator).ok_or_else(|| format!("`{operator}{version}` can't be compared with"))?;
        low = low.max(from);
        high = match (high, to) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
    if high.is_some_and(|high| high <= low) {
        return Err("no version is in it".to_owned());
    }
    found.at_least = if low == (0, 0, 0) { None } else { Some(bound(low)?) };
    found.below = high.map(bound).transpose()?;
    Ok(found)
}

/// A prerelease stands behind three numbers: `1-0` is `1.0.0-0`.
fn completed(version: &str) -> String {
    match version.split_once('-') {
        Some((numbers, pre)) => {
            let missing = 2_usize.saturating_sub(numbers.matches('.').count());
            format!("{numbers}{}-{pre}", ".0".repeat(missing))
        }
        None => version.to_owned(),
    }
}

/// Operators and versions. Between them may be commas, spaces or nothing; `a - b` is from a to b.
fn comparisons(text: &str) -> Result<Vec<(&str, &str)>, String> {
    const OPERATORS: [(&str, &str); 12] = [
        ("!=", "!="),
        (">=", ">="),
        ("=>", ">="),
        ("<=", "<="),
        ("=<", "<="),
        ("~>", "~"),
        ("==", "="),
        ("=", "="),
        (">", ">"),
        ("<", "<"),
        ("~", "~"),
        ("^", "^"),
    ];
    let mut found: Vec<(&str, &str)> = Vec::new();
    let mut rest = text.trim_start_matches([' ', ',']);
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("- ") {
            match found.last_mut() {
                Some(("", version)) => *found.last_mut().ok_or("it has no version")? = (">=", version),
                _ => return Err("`-` stands between two versions".to_owned()),
            }
            rest = after.trim_start();
            let end = rest.find([' ', ',']).unwrap_or(rest.len());
            found.push(("<=", rest[..end].trim_start_matches('v')));
            rest = rest[end..].trim_start_matches([' ', ',']);
            continue;
        }
        let known = OPERATORS.iter().find(|(written, _)| rest.starts_with(written));
        let operator = known.map_or("", |(_, operator)| operator);
        rest = known.map_or(rest, |(written, _)| &rest[written.len()..]).trim_start();
        let end = rest.find(|c: char| " ,<>=!~^".contains(c)).unwrap_or(rest.len());
        let version = rest[..end].strip_prefix('v').unwrap_or(&rest[..end]);
        if version.is_empty() {
            return Err("a version is missing".to_owned());
        }
        found.push((operator, version));
        rest = rest[end..].trim_start_matches([' ', ',']);
    }
    if found.is_empty() { Err("it is empty".to_owned()) } else { Ok(found) }
}

/// From which version on, and below which.
fn bounds(comparator: &Comparator) -> Option<(Version, Option<Version>)> {
    let Comparator { major, minor, patch, .. } = *comparator;
    let from = (major, minor.unwrap_or(0), patch.unwrap_or(0));
    // The first version behind all that have these numbers.
    let after = match (minor, patch) {
        (Some(minor), Some(patch)) => (major, minor, patch.checked_add(1)?),
        (Some(minor), None) => (major, minor.checked_add(1)?, 0),
        _ => (major.checked_add(1)?, 0, 0),
    };
    let has_pre = !comparator.pre.is_empty();
    Some(match comparator.op {
        Op::Exact | Op::Wildcard => (from, Some(after)),
        // What follows a prerelease begins with its release.
        Op::Greater if has_pre => (from, None),
        Op::Greater => (after, None),
        Op::GreaterEq => (from, None),
        Op::Less => ((0, 0, 0), Some(from)),
        Op::LessEq if has_pre => ((0, 0, 0), Some(from)),
        Op::LessEq => ((0, 0, 0), Some(after)),
        Op::Tilde => match minor {
            Some(minor) => (from, Some((major, minor.checked_add(1)?, 0))),
            None => (from, Some(after)),
        },
        Op::Caret => match (major, minor, patch) {
            (0, Some(0), Some(patch)) => (from, Some((0, 0, patch.checked_add(1)?))),
            (0, Some(minor), _) => (from, Some((0, minor.checked_add(1)?, 0))),
            _ => (from, Some((major.checked_add(1)?, 0, 0))),
        },
        _ => return None,
    })
}

fn bound((major, minor, patch): Version) -> Result<Bound, String> {
    let text = match (minor, patch) {
        (0, 0) => major.to_string(),
        (minor, 0) => format!("{major}.{minor}"),
        (minor, patch) => format!("{major}.{minor}.{patch}"),
    };
    text.parse().map_err(str::to_owned)
}

fn excepted(version: &str) -> Result<TagPattern, String> {
    let more = if version.split('.').count() < 3 { "{,.*}" } else { "" };
    format!("[v]{version}{more}").parse().map_err(|error| format!("`!={version}`: {error}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use semver::VersionReq;

    use super::*;

    fn said(text: &str) -> String {
        let said = |range: Range| {
            let low = range.at_least.map_or_else(String::new, |bound| bound.to_string());
            let high = range.below.map_or_else(String::new, |bound| bound.to_string());
            let except: Vec<String> = range.except.iter().map(ToString::to_string).collect();
            format!("{low}..{high}{}{}", except.join(" "), if range.prerelease { " pre" } else { "" })
        };
        match ranges(text) {
            Ok(ranges) => ranges.into_iter().map(said).collect::<Vec<_>>().join(" | "),
            Err(why) => format!("no: {why}"),
        }
    }

    #[test]
    fn ranges_are_read_as_the_programs_write_them() {
        for (text, expected) in [
            (">=17 <18", "17..18"),
            (">=17.0.0, <18.0.0", "17..18"),
            (">= 3.12.0", "3.12.."),
            ("1.x", "1..2"),
            ("1.2.*", "1.2..1.3"),
            ("1.2", "1.2..1.3"),
            ("1.2.3", "1.2.3..1.2.4"),
            ("v1.2.3", "1.2.3..1.2.4"),
            ("=1", "1..2"),
            ("*", ".."),
            ("~1.2.3", "1.2.3..1.3"),
            ("~1", "1..2"),
            ("~>1.2", "1.2..1.3"),
            ("^1.2.3", "1.2.3..2"),
            ("^0.2.3", "0.2.3..0.3"),
            ("^0.0.3", "0.0.3..0.0.4"),
            (">1.2", "1.3.."),
            (">1.2.3", "1.2.4.."),
            ("<=1.2", "..1.3"),
            ("1.2 - 1.4.5", "1.2..1.4.6"),
            (">=1.31.0 <1.31.9", "1.31..1.31.9"),
            (">1.0.0 !=1.5.0 <2", "1.0.1..2[v]1.5.0"),
            ("!=1.5", "..[v]1.5{,.*}"),
            ("1.x || >=2.5.0 || 5.0.0 - 7.2.3", "1..2 | 2.5.. | 5..7.2.4"),
            (">=1.0.0-0", "1.. pre"),
            (">=1-0", "1.. pre"),
            (">=2 <1", "no: no version is in it"),
            (">", "no: a version is missing"),
            ("", "no: it is empty"),
            (">*", "no: `>*` has no version"),
            ("latest", "no: `=latest`: unexpected character 'l' while parsing major version number"),
            ("22.04", "no: `=22.04`: invalid leading zero in minor version number"),
        ] {
            assert_eq!(said(text), expected, "{text}");
        }
        assert!(ranges(&"1||".repeat(60)).is_err());
    }

    proptest! {
        #[test]
        fn what_is_in_a_range_is_what_semver_says(
            op in prop::sample::select(vec!["=", ">", ">=", "<", "<=", "~", "^"]),
            numbers in prop::collection::vec(0_u64..4, 1..4),
            version in prop::collection::vec(0_u64..5, 3),
        ) {
            let text: Vec<String> = numbers.iter().map(ToString::to_string).collect();
            let text = format!("{op}{}", text.join("."));
            let version = semver::Version::new(version[0], version[1], version[2]);
            let expected = text.parse::<VersionReq>().unwrap().matches(&version);
            let rule = |range: Range| crate::image::tags::TagRule {
                tags: vec![versions(false, "").unwrap()],
                at_least: range.at_least,
                below: range.below,
                ..Default::default()
            };
            let tag = version.to_string();
            let found = match ranges(&text) {
                Ok(ranges) => ranges.into_iter().any(|range| rule(range).choose(&[&tag], |_| false).selected().count() == 1),
                Err(why) => { prop_assert_eq!(why, "no version is in it"); false }
            };
            prop_assert_eq!(found, expected, "{} in {}", version, text);
        }

        #[test]
        fn nothing_panics(text in "[0-9.x*<>=!~^|, v-]{0,40}") {
            let _ = ranges(&text);
        }
    }
}
