//! dregsy's configuration (dregsy, "Configuration" and "Tag Filtering").

use std::num::NonZeroU32;

use super::expressions::{anchored, suffix};
use super::fields::{Item, Text};
use super::ranges::{Range, ranges, versions};
use super::report::{Report, Settings, literal, shown};
use super::settings::{ASKING, NO_TAGS, TARGET, everything, expression, hub, in_range, platforms, repository};
use crate::error::Result;
use crate::image::tags::{TagPattern, TagRule};
use crate::image::{Digest, Reference, Tag, Upstream};
use crate::rules::Period;

/// Ranges of one list of tags, and exceptions for each of them.
const MAX_OF_A_LIST: usize = 50;
const NO_SETTING: &str = "it is about dregsy itself, not about what is mirrored";

/// The filters of one list of tags. A tag needs one of the first three, and all of `keep`.
#[derive(Default)]
struct Filters<'n> {
    tags: Vec<TagPattern>,
    digests: Vec<(Text<'n>, Digest)>,
    expressions: Vec<TagPattern>,
    ranges: Vec<(Text<'n>, Vec<Range>)>,
    keep: Vec<Text<'n>>,
    newest: Option<(Text<'n>, NonZeroU32)>,
    except: Vec<TagPattern>,
    refused: bool,
}

pub(super) fn read(document: &Item<'_>, report: &mut Report) -> Result<()> {
    let mut fields = document.fields(report);
    if let Some(tasks) = fields.take("tasks") {
        for item in tasks.items(report) {
            task(&item, report)?;
        }
    }
    for (_, item) in fields.drain() {
        report.left(&item.path, NO_SETTING);
    }
    Ok(())
}

fn task(item: &Item<'_>, report: &mut Report) -> Result<()> {
    let mut fields = item.fields(report);
    let mut settings = Settings::default();
    for key in ["name", "verbose"] {
        if let Some(item) = fields.take(key) {
            report.left(&item.path, "rules are named by their images");
        }
    }
    if let Some(interval) = fields.text("interval", report) {
        match format!("{}s", interval.text).parse::<Period>() {
            Ok(period) if period.seconds() > 0 => {
                report.became(&interval.path, format!("every = \"{period}\""), "how often `watch` runs the rule");
                settings.every = Some(period);
            }
            _ => report.left(&interval.path, "it is no number of seconds: set `every`"),
        }
    }
    let registry = fields.take("source").and_then(|source| location(&source, report));
    if let Some(target) = fields.take("target") {
        report
            .left(&target.path, "where images are published is set by `target add`; credentials are never taken over");
    }
    if let Some(registry) = &registry {
        report.became(&registry.path, shown(hub(registry.text)), "the registry of the rules");
    }
    if let Some(mappings) = fields.take("mappings") {
        for item in mappings.items(report) {
            mapping(&item, registry.as_ref().map(|registry| registry.text), &settings, report)?;
        }
    }
    fields.finish(report);
    Ok(())
}

fn location<'n>(item: &Item<'n>, report: &mut Report) -> Option<Text<'n>> {
    let mut fields = item.fields(report);
    for key in ["auth", "auth-refresh"] {
        if let Some(auth) = fields.take(key) {
            report.credentials(&auth.path);
        }
    }
    let registry = fields.text("registry", report);
    for (_, item) in fields.drain() {
        report.left(&item.path, ASKING);
    }
    registry
}

fn mapping(item: &Item<'_>, registry: Option<&str>, settings: &Settings, report: &mut Report) -> Result<()> {
    let (mark, before) = (report.mark(), report.made());
    repository_of(item, registry, settings, report)?;
    if report.made() == before {
        report.retract(mark);
    }
    Ok(())
}

fn repository_of(item: &Item<'_>, registry: Option<&str>, settings: &Settings, report: &mut Report) -> Result<()> {
    let mut fields = item.fields(report);
    let mut settings = settings.clone();
    if let Some(to) = fields.take("to") {
        report.left(&to.path, TARGET);
    }
    if let Some(item) = fields.take("platform") {
        settings.platforms = platforms(&item, report);
    }
    let from = fields.text("from", report);
    let tags = fields.take("tags");
    fields.finish(report);
    let Some(from) = from else {
        report.left(&item.path, "it has no `from`");
        return Ok(());
    };
    let refuse = |report: &mut Report, why: String| {
        report.left(&from.path, why);
        if let Some(tags) = &tags {
            report.left(&tags.path, "its repository can't be taken over");
        }
        Ok(())
    };
    if from.text.starts_with("regex:") {
        return refuse(
            report,
            "a rule takes one repository, never all that an expression matches: name each".to_owned(),
        );
    }
    let Some(registry) = registry else { return refuse(report, "its task has no source".to_owned()) };
    let reference = match repository(registry, from.text) {
        Ok(reference) => reference,
        Err(error) => return refuse(report, error.to_string()),
    };
    let filters = match &tags {
        Some(tags) => filters(tags, report)?,
        None => Filters::default(),
    };
    let rules = if filters.refused { Vec::new() } else { rules(filters, &reference.upstream, &settings, report)? };
    if rules.is_empty() {
        report.left(&from.path, NO_TAGS);
    }
    for tags in rules {
        let said = match tags {
            Taken::Rule(tags) => report.rule(&reference.upstream, tags, &settings)?,
            Taken::Listed(said) => said,
        };
        report.became(&from.path, said, "the tags of a repository");
    }
    Ok(())
}

/// What is taken of a repository.
enum Taken {
    Rule(TagRule),
    /// Images by digest, which are in the list already.
    Listed(String),
}

fn filters<'n>(tags: &Item<'n>, report: &mut Report) -> Result<Filters<'n>> {
    let mut found = Filters::default();
    let Some(texts) = tags.only_texts(report) else {
        return Ok(Filters { refused: true, ..found });
    };
    let is_given = !texts.is_empty();
    for text in texts {
        let (kind, rest) = match text.text.split_once(':') {
            Some((kind @ ("semver" | "regex" | "keep"), rest)) => (kind, rest.trim()),
            _ => ("", text.text),
        };
        let refuse = |report: &mut Report, why: String| report.left(&text.path, why);
        match kind {
            "semver" => match ranges(rest) {
                Ok(ranges) => found.ranges.push((text, ranges)),
                Err(why) => {
                    refuse(report, format!("the range `{}`: {why}", shown(rest)));
                    found.refused = true;
                }
            },
            "regex" if rest.starts_with('!') => {
                refuse(
                    report,
                    "all but what an expression matches can't be said beside other tags: use `*` and `except`".into(),
                );
                found.refused = true;
            }
            "regex" => match expression(&Text { path: text.path, text: rest }, anchored, report) {
                Some(pattern) => found.expressions.push(pattern),
                None => found.refused = true,
            },
            "keep" => keep(&mut found, text, rest, report),
            _ => match (rest.trim_start_matches('@').parse::<Digest>(), rest.parse::<Tag>()) {
                (Ok(digest), _) => found.digests.push((text, digest)),
                (_, Ok(tag)) => {
                    report.became(&text.path, format!("\"{tag}\""), "one tag");
                    found.tags.push(literal(&tag)?);
                }
                (_, Err(error)) => refuse(report, error.to_string()),
            },
        }
    }
    // Tags of which none could be read are not all tags.
    let is_empty = found.tags.is_empty() && found.digests.is_empty() && found.expressions.is_empty();
    let is_empty = is_empty && found.ranges.is_empty() && found.keep.is_empty() && found.newest.is_none();
    found.refused |= is_given && is_empty && found.except.is_empty();
    if found.ranges.len().max(found.except.len()) > MAX_OF_A_LIST {
        report.left(&tags.path, format!("ranges and exceptions are {MAX_OF_A_LIST} each at most"));
        found.refused = true;
    }
    Ok(found)
}

fn keep<'n>(found: &mut Filters<'n>, text: Text<'n>, rest: &str, report: &mut Report) {
    let count = rest.strip_prefix("latest").map(str::trim).and_then(|count| count.parse().ok());
    if let Some(count) = count {
        found.newest = Some((text, count));
    } else if let Some(unwanted) = rest.strip_prefix('!') {
        match report.expression(unwanted.trim(), anchored) {
            Ok(expression) => {
                report.became(&text.path, format!("except = [\"{}\"]", expression.pattern), expression.why);
                found.except.push(expression.pattern);
            }
            Err(why) => {
                report.left(&text.path, format!("`{}`: {why}", shown(unwanted)));
                found.refused = true;
            }
        }
    } else {
        found.keep.push(text);
    }
}

/// Rules for the filters: one for tags and expressions, one for each range.
fn rules(filters: Filters<'_>, upstream: &Upstream, settings: &Settings, report: &mut Report) -> Result<Vec<Taken>> {
    let Filters { tags, digests, expressions, ranges, keep, newest, except, .. } = filters;
    // One ending can be put behind versions; anything else that all tags have to match can't.
    let ending = match keep.as_slice() {
        [] => Some(String::new()),
        [text] => suffix(text.text.trim_start_matches("keep:").trim()),
        _ => None,
    };
    let takes_all = tags.is_empty() && expressions.is_empty() && ranges.is_empty() && digests.is_empty();
    let mut made = Vec::new();
    let only_ranges = tags.is_empty() && expressions.is_empty() && digests.is_empty();
    let Some(ending) = ending.filter(|ending| ending.is_empty() || only_ranges) else {
        return Ok(kept_alone(&keep, takes_all, newest.as_ref(), except, report));
    };
    for text in &keep {
        report.became(&text.path, format!("versions that end with `{ending}`"), "every tag has to match it");
    }
    for (text, digest) in digests {
        let by_digest = Reference { upstream: upstream.clone(), tag: None, digest: Some(digest) };
        let said = report.single(&by_digest, settings)?;
        report.became(&text.path, &said, "a rule can't say a digest");
        made.push(Taken::Listed(said));
    }
    let count = newest.as_ref().map(|(_, count)| *count);
    let ranges = if takes_all && (count.is_some() || !ending.is_empty()) {
        vec![(None, vec![Range::default()])]
    } else {
        ranges.into_iter().map(|(text, ranges)| (Some(text), ranges)).collect()
    };
    let counted = !ranges.is_empty();
    for (text, ranges) in ranges {
        for range in ranges {
            let pattern = match versions(range.prerelease, &ending) {
                Ok(pattern) => pattern,
                Err(why) => {
                    if let Some(text) = &text {
                        report.left(&text.path, why);
                    }
                    continue;
                }
            };
            if let Some(text) = &text {
                let why = "there a suffix such as `-alpine` is a prerelease; here a pattern says it";
                report.became(&text.path, format!("\"{pattern}\" with the range"), why);
            }
            made.push(Taken::Rule(TagRule { newest: count, ..in_range(range, vec![pattern], &except) }));
        }
    }
    let singles: Vec<TagPattern> = tags.into_iter().chain(expressions).collect();
    if !singles.is_empty() {
        made.push(Taken::Rule(TagRule { tags: singles, except, ..TagRule::default() }));
    } else if takes_all && made.is_empty() {
        made.push(Taken::Rule(TagRule { except, ..everything() }));
    }
    if let Some((text, count)) = newest {
        if counted {
            report.became(
                &text.path,
                format!("newest = {count}"),
                "versions are counted by their numbers, each rule for itself; tags that are no versions stay out, and there they stay",
            );
        } else {
            report.left(&text.path, "the newest of tags and expressions can't be counted: write a pattern with `#`");
        }
    }
    Ok(made)
}

/// Rules where every tag has to match an expression: if all tags are meant, it is what is taken.
fn kept_alone(
    keep: &[Text<'_>],
    takes_all: bool,
    newest: Option<&(Text<'_>, NonZeroU32)>,
    except: Vec<TagPattern>,
    report: &mut Report,
) -> Vec<Taken> {
    let only = match keep {
        [text] if takes_all => {
            report.expression(text.text.trim_start_matches("keep:").trim(), anchored).ok().map(|found| (text, found))
        }
        _ => None,
    };
    if let Some((text, _)) = newest {
        report.left(&text.path, "the newest of what an expression matches can't be counted: write a pattern with `#`");
    }
    match only {
        Some((text, found)) => {
            report.became(&text.path, format!("\"{}\"", found.pattern), found.why);
            vec![Taken::Rule(TagRule { tags: vec![found.pattern], except, ..TagRule::default() })]
        }
        None => {
            for text in keep {
                report.left(
                    &text.path,
                    "what every tag has to match can't be said beside other filters: write a pattern with `#`",
                );
            }
            Vec::new()
        }
    }
}
