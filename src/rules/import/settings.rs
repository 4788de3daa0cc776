//! Settings that several programs have, and what they become.

use super::fields::{Item, Text};
use super::ranges::Range;
use super::report::{Reader, Report, shown};
use crate::error::Result;
use crate::image::tags::{TagPattern, TagRule};
use crate::image::{Reference, Selection};
use crate::rules::Period;

/// Why nothing is made of how a registry is asked.
pub(super) const ASKING: &str = "how a registry is asked is set in the configuration, not by rules";
/// Why nothing is made of the name at the other end.
pub(super) const TARGET: &str = "images are published under the name of their source: `as` gives a rule another one";
/// Why nothing is made of what checks signatures.
pub(super) const SIGNATURES: &str = "`gate` says which images may enter: a program of yours that checks signatures";
/// Why nothing is made of a choice of tags.
pub(super) const NO_TAGS: &str = "what it takes of the tags can't be taken over";

/// The reference that stands for a repository.
pub(super) fn repository(registry: &str, name: &str) -> Result<Reference> {
    format!("{}/{}", hub(registry.trim_end_matches('/')), name.trim_start_matches('/')).parse()
}

/// A registry, with the usual name for Docker Hub: programs are told to use others, so that names are not shortened.
pub(super) fn hub(registry: &str) -> &str {
    match registry {
        "registry.hub.docker.com" | "hub.docker.com" | "registry-1.docker.io" => "docker.io",
        other => other,
    }
}

/// The pattern for all tags.
pub(super) fn everything() -> TagRule {
    TagRule { tags: "*".parse().into_iter().collect(), ..TagRule::default() }
}

/// The rule for patterns in a range.
pub(super) fn in_range(range: Range, tags: Vec<TagPattern>, except: &[TagPattern]) -> TagRule {
    let except = range.except.into_iter().chain(except.iter().cloned()).collect();
    TagRule { tags, except, at_least: range.at_least, below: range.below, ..TagRule::default() }
}

/// How often a rule runs: a duration as Go writes it (`1h30m0s`).
pub(super) fn every(interval: &Text<'_>, report: &mut Report) -> Option<Period> {
    let period = interval.text.parse().ok().filter(|period: &Period| period.seconds() > 0);
    if let Some(period) = period {
        report.became(&interval.path, format!("every = \"{period}\""), "how often `watch` runs the rule");
    } else {
        report.left(&interval.path, format!("`{}` is no period: set `every`", shown(interval.text)));
    }
    period
}

/// Platforms: a list, or one.
pub(super) fn platforms(item: &Item<'_>, report: &mut Report) -> Option<Selection> {
    let words = item.texts(report);
    let names: Vec<&str> = words.iter().map(|word| word.text).collect();
    if names.is_empty() {
        return None;
    }
    match names.join(",").parse::<Selection>() {
        Ok(selection) => {
            report.became(&item.path, format!("platforms = {selection}"), "the platforms to mirror");
            Some(selection)
        }
        Err(error) => {
            report.left(&item.path, error.to_string());
            None
        }
    }
}

/// The pattern of an expression, or none with the reason.
pub(super) fn expression(text: &Text<'_>, read: Reader, report: &mut Report) -> Option<TagPattern> {
    match report.expression(text.text, read) {
        Ok(found) => {
            report.became(&text.path, format!("\"{}\"", found.pattern), found.why);
            Some(found.pattern)
        }
        Err(why) => {
            report.left(&text.path, format!("`{}`: {why}", shown(text.text)));
            None
        }
    }
}
