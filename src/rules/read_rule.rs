//! One `[[rule]]` to a rule.

use std::num::NonZeroU32;

use super::defaults::Defaults;
use super::fault::{Faults, quoted};
use super::keys::{IMAGE_KEYS, no_such};
use super::rule::{Rule, Source, Subject};
use super::section::{Section, Text};
use super::subject::{derived_name, split, usual_tags};
use crate::error::Error;
use crate::image::tags::{Bound, TagPattern, TagRule};
use crate::image::{Reference, RepositoryName, Upstream};

/// The rule, if its subject and its name make sense. What else is wrong is noted.
pub(super) fn rule(section: &Section<'_>, defaults: &Defaults, faults: &mut Faults<'_>) -> Option<Rule> {
    let rest = defaults.overridden(section, faults);
    let published_as = section.string("as", faults).and_then(|text| match text.text.parse::<RepositoryName>() {
        Ok(name) => Some(name),
        Err(error) => {
            faults.note(text.at(), with_hints(&error));
            None
        }
    });
    let name = section.parsed("name", faults, str::parse);
    let subject = match (section.has("image"), section.has("sources")) {
        (true, true) => {
            faults.note(section.key_at("sources"), "a rule has `image` or `sources`, not both. Make two rules of it.");
            None
        }
        (false, false) => {
            let tags = if section.has("tags") { ", and `tags` are those of an `image`" } else { "" };
            faults.note(section.at, format!("the rule takes nothing: it has neither `image` nor `sources`{tags}"));
            None
        }
        (true, false) => image(section, faults),
        (false, true) => {
            for key in IMAGE_KEYS.into_iter().filter(|key| section.has(key)) {
                faults.note(
                    section.key_at(key),
                    format!("`{key}` is for a rule with `image`, and this one has `sources`"),
                );
            }
            sources(section, faults)
        }
    }?;
    let name = if section.has("name") { name? } else { derived_name(&subject)? };
    let Defaults { platforms, age, moves, former, former_tag, leave, gone, max_new, reserve, every } = rest;
    Some(Rule {
        name,
        subject,
        platforms,
        published_as,
        age,
        moves,
        former,
        former_tag,
        leave,
        gone,
        max_new,
        reserve,
        every,
    })
}

fn image(section: &Section<'_>, faults: &mut Faults<'_>) -> Option<Subject> {
    let image = section.string("image", faults);
    let image = image.filter(|image| !has_digest(image, split(image.text).0, faults));
    let (name, pattern_at) = image.as_ref().map_or(("", None), |image| split(image.text));
    let upstream = image.as_ref().and_then(|image| upstream(image, name, faults));
    let mut patterns = if section.has("tags") {
        if let (Some(image), Some(at)) = (&image, pattern_at) {
            let place = image.inside(faults, at);
            faults.note(
                place,
                format!("the tags are said twice. Write `image = \"{name}\"`, and all patterns in `tags`."),
            );
        }
        let texts = section.strings("tags", "1.#.#", faults);
        texts.and_then(|texts| all(&texts, |text| pattern(text, 0, faults)))
    } else if let (Some(image), Some(at)) = (&image, pattern_at) {
        pattern(image, at, faults).map(|pattern| vec![pattern])
    } else {
        Some(usual_tags())
    };
    let except = if section.has("except") {
        let texts = section.strings("except", "1.29.3*", faults);
        texts.and_then(|texts| all(&texts, |text| pattern(text, 0, faults)))
    } else {
        Some(Vec::new())
    };
    let mut count = |key| section.number(key, 1, faults).and_then(NonZeroU32::new);
    let (newest, per, lines) = (count("newest"), count("per"), count("lines"));
    let mut bound = |key| section.parsed(key, faults, str::parse::<Bound>);
    let (at_least, below) = (bound("at_least"), bound("below"));
    // What patterns lack can't be said when one of them was not understood.
    let tags = TagRule { tags: patterns.take()?, except: except?, newest, per, lines, at_least, below };
    if let Some((field, why)) = tags.fault() {
        faults.note(section.key_at(field), format!("`{field}` makes no sense here: {why}"));
    }
    Some(Subject::Repository { upstream: upstream?, tags })
}

/// Whether an image has a digest, which is noted.
fn has_digest(image: &Text<'_>, name: &str, faults: &mut Faults<'_>) -> bool {
    let Some(at) = name.find('@').or_else(|| image.text.find("@sha256:")) else { return false };
    let place = image.inside(faults, at);
    faults.note(place, "a rule follows tags, so its `image` has no digest. Add an image by its digest with `add`.");
    true
}

fn upstream(image: &Text<'_>, name: &str, faults: &mut Faults<'_>) -> Option<Upstream> {
    match name.parse::<Reference>() {
        Ok(reference) => Some(reference.upstream),
        Err(error) => {
            faults.note(image.at(), with_hints(&error));
            None
        }
    }
}

/// The pattern that a string is from this byte on.
fn pattern(text: &Text<'_>, from: usize, faults: &mut Faults<'_>) -> Option<TagPattern> {
    match text.text[from..].parse::<TagPattern>() {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            let place = text.inside(faults, from + error.at);
            match &text.text[from..] {
                "" => faults.note(place, error),
                pattern => faults.note(place, format!("in the pattern {}: {error}", quoted(pattern))),
            }
            None
        }
    }
}

fn sources(section: &Section<'_>, faults: &mut Faults<'_>) -> Option<Subject> {
    let texts = section.strings("sources", "compose:stack/*.yaml", faults)?;
    all(&texts, |text| source(text, faults)).map(Subject::Sources)
}

fn source(text: &Text<'_>, faults: &mut Faults<'_>) -> Option<Source> {
    match text.text.parse() {
        Ok(source) => Some(source),
        Err(why) => {
            let message = match text.text.split_once(':') {
                Some((kind, rest)) if !rest.trim().is_empty() && !Source::KINDS.contains(&kind) => {
                    no_such("kind of source", kind, &Source::KINDS)
                }
                _ => format!("{} is no source: {why}", quoted(text.text)),
            };
            faults.note(text.at(), message);
            None
        }
    }
}

/// What is made of all texts, if something is made of each. Each is tried, so that each says what is wrong with it.
fn all<T>(texts: &[Text<'_>], mut make: impl FnMut(&Text<'_>) -> Option<T>) -> Option<Vec<T>> {
    let made: Vec<Option<T>> = texts.iter().map(&mut make).collect();
    made.into_iter().collect()
}

/// An error and what to do about it, in one line.
fn with_hints(error: &Error) -> String {
    error
        .hints()
        .iter()
        .fold(format!("{error}."), |text, hint| format!("{text} {hint}"))
        .trim_end_matches('.')
        .to_owned()
}
