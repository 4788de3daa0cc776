//! `regsync.yml` (regclient, "regsync Configuration File").

use super::expressions::{anchored, suffix};
use super::fields::{Fields, Item};
use super::ranges::{Range, ranges, versions};
use super::report::{Report, Settings, literal, shown};
use super::settings::{ASKING, NO_TAGS, TARGET, every, everything, expression, in_range, platforms};
use crate::error::Result;
use crate::image::Reference;
use crate::image::tags::{TagPattern, TagRule};
use crate::rules::yaml::Value;

/// Ranges of one set of tags, and endings and exceptions for each of them.
const MAX_OF_A_SET: usize = 50;
const SUFFIXES: &str = "a suffix such as `-alpine` counts as a prerelease there, so that `18-alpine` is below 18; here tags with a suffix are taken by a pattern that says it";

pub(super) fn read(document: &Item<'_>, report: &mut Report) -> Result<()> {
    let mut fields = document.fields(report);
    if let Some(version) = fields.take("version") {
        report.left(&version.path, "the version of the file");
    }
    if let Some(creds) = fields.take("creds") {
        report.credentials(&creds.path);
    }
    let mut defaults = Settings::default();
    if let Some(item) = fields.take("defaults") {
        let mut inner = item.fields(report);
        defaults = settings(&mut inner, &defaults, report);
        inner.finish(report);
    }
    if let Some(sync) = fields.take("sync") {
        for item in sync.items(report) {
            entry(&item, &defaults, report)?;
        }
    }
    fields.finish(report);
    Ok(())
}

/// Takes what defaults and entries have in common.
fn settings(fields: &mut Fields<'_>, defaults: &Settings, report: &mut Report) -> Settings {
    let mut settings = defaults.clone();
    if let Some(backup) = fields.text("backup", report) {
        match former_tag(backup.text) {
            Some(tag) => {
                report.became(&backup.path, format!("former_tag = \"{tag}\""), "the tag of what a tag pointed to");
                settings.former_tag = Some(tag);
            }
            None => report.left(
                &backup.path,
                format!("`{}` has more in it than `{{{{.Ref.Tag}}}}`: set `former_tag`", shown(backup.text)),
            ),
        }
    }
    if let Some(interval) = fields.text("interval", report) {
        settings.every = every(&interval, report).or(settings.every);
    }
    if let Some(schedule) = fields.text("schedule", report) {
        let line = shown(schedule.text);
        report.left(
            &schedule.path,
            format!("the cron line is `{line}`: `roadstead schedule cron` prints a line for the crontab"),
        );
    }
    if let Some(limit) = fields.take("ratelimit") {
        let mut inner = limit.fields(report);
        if let Some(min) = inner.text("min", report) {
            match min.text.parse() {
                Ok(pulls) => {
                    report.became(&min.path, format!("reserve = {pulls}"), "pulls that are left of the quota");
                    settings.reserve = Some(pulls);
                }
                Err(_) => report.left(&min.path, "it is no number of pulls"),
            }
        }
        if let Some(retry) = inner.take("retry") {
            report.left(&retry.path, "nothing waits for the quota: the next run goes on");
        }
        inner.finish(report);
    }
    for key in ["platforms", "platform"] {
        let Some(item) = fields.take(key) else { continue };
        settings.platforms = platforms(&item, report).or(settings.platforms);
    }
    if let Some(hooks) = fields.take("hooks") {
        report.left(&hooks.path, "regsync reads hooks and runs none: write `[[hook]]` for what shall run");
    }
    for key in ["digestTags", "referrers", "includeExternal"] {
        if let Some(item) = fields.take(key) {
            report.left(&item.path, "signatures and what else is attached to an image always come with it");
        }
    }
    for key in ["parallel", "cacheCount", "cacheTime", "skipDockerConfig", "userAgent", "blobLimit"] {
        if let Some(item) = fields.take(key) {
            report.left(&item.path, ASKING);
        }
    }
    settings
}

fn entry(item: &Item<'_>, defaults: &Settings, report: &mut Report) -> Result<()> {
    let (mark, before) = (report.mark(), report.made());
    let mut fields = item.fields(report);
    let settings = settings(&mut fields, defaults, report);
    if let Some(target) = fields.take("target") {
        report.left(&target.path, TARGET);
    }
    let kind = fields.text("type", report);
    let source = fields.text("source", report);
    let mut sets: Vec<Item<'_>> = fields.take("tags").into_iter().collect();
    // What is no list of sets chooses something that nobody can tell, and not everything.
    let mut is_unclear = false;
    if let Some(more) = fields.take("tagSets") {
        is_unclear = !matches!(more.node.value, Value::List(_) | Value::Null);
        sets.extend(more.items(report));
    }
    let Some(source) = source else {
        report.left(&item.path, "it has no source");
        report.retract(mark);
        return Ok(());
    };
    let refuse = |report: &mut Report, why: String| {
        report.left(&source.path, why);
        for set in &sets {
            report.left(&set.path, "its source can't be taken over");
        }
    };
    match kind.as_ref().map_or("image", |kind| kind.text) {
        known @ ("image" | "repository") => match source.text.parse::<Reference>() {
            Err(error) => refuse(report, error.to_string()),
            Ok(reference) if known == "image" => {
                let said = report.single(&reference, &settings)?;
                report.became(&source.path, said, "one image");
                for set in &sets {
                    report.left(&set.path, "an image has one tag: only a repository has a choice");
                }
            }
            Ok(reference) => {
                let mut chosen = Vec::new();
                for set in &sets {
                    let mark = report.mark();
                    let rules = tag_set(set, report)?;
                    if rules.is_empty() {
                        report.retract(mark);
                    }
                    chosen.extend(rules);
                }
                if sets.is_empty() && !is_unclear {
                    chosen.push(everything());
                }
                if chosen.is_empty() {
                    report.left(&source.path, NO_TAGS);
                }
                for tags in chosen {
                    let said = report.rule(&reference.upstream, tags, &settings)?;
                    report.became(&source.path, said, "the tags of a repository");
                }
            }
        },
        "registry" => refuse(report, "a rule takes one repository, never all of a registry: name each".to_owned()),
        other => refuse(report, format!("`{}` is no type that is known", shown(other))),
    }
    if let Some(kind) = kind {
        report.became(&kind.path, "what the rule takes", "an image or a repository");
    }
    if report.made() == before {
        report.retract(mark);
    }
    fields.finish(report);
    Ok(())
}

/// What one set of tags takes: versions in a range, of these what is allowed, of these what is not denied.
fn tag_set(set: &Item<'_>, report: &mut Report) -> Result<Vec<TagRule>> {
    let mut fields = set.fields(report);
    // Without one of these the rule would take what shall not be taken.
    let mut refused = !set.is_map_or_nothing();
    let mut texts = |key: &str, report: &mut Report| {
        let texts = fields.take(key).map(|item| item.only_texts(report));
        texts.unwrap_or(Some(Vec::new())).unwrap_or_else(|| {
            refused = true;
            Vec::new()
        })
    };
    let (versions_in, allowed, denied) = (texts("semverRange", report), texts("allow", report), texts("deny", report));
    let mut found_ranges: Option<Vec<Range>> = None;
    for text in versions_in {
        match ranges(text.text) {
            Ok(found) => {
                report.became(&text.path, "the range of the rule", SUFFIXES);
                found_ranges.get_or_insert_default().extend(found);
            }
            Err(why) => {
                report.left(&text.path, format!("the range `{}` can't be taken over: {why}", shown(text.text)));
                refused = true;
            }
        }
    }
    let (mut allow, mut endings) = (Vec::new(), Vec::new());
    for text in &allowed {
        if found_ranges.is_some() {
            match suffix(text.text) {
                Some(suffix) => {
                    report.became(&text.path, format!("versions that end with `{suffix}`"), SUFFIXES);
                    endings.push(suffix);
                }
                None => {
                    report.left(
                        &text.path,
                        format!("a range and the expression `{}` at once can't be said: write a pattern with `#` and the range", shown(text.text)),
                    );
                    refused = true;
                }
            }
            continue;
        }
        // Most lists have tags as they are.
        match text.text.parse().ok().map(|tag| literal(&tag)) {
            Some(tag) if !text.text.contains('.') => {
                let tag = tag?;
                report.became(&text.path, format!("\"{tag}\""), "one tag");
                allow.push(tag);
            }
            _ => allow.extend(expression(text, anchored, report)),
        }
    }
    let mut except = Vec::new();
    for text in denied {
        match expression(&text, anchored, report) {
            Some(pattern) => except.push(pattern),
            None => refused = true,
        }
    }
    fields.finish(report);
    if found_ranges.as_ref().is_some_and(|found| found.len().max(endings.len()).max(except.len()) > MAX_OF_A_SET) {
        report.left(&set.path, format!("ranges, endings and denied expressions are {MAX_OF_A_SET} each at most"));
        refused = true;
    }
    if refused || (allow.is_empty() && endings.is_empty() && !allowed.is_empty()) {
        return Ok(Vec::new());
    }
    let Some(found_ranges) = found_ranges else {
        let tags = if allow.is_empty() { everything().tags } else { allow };
        return Ok(vec![TagRule { tags, except, ..TagRule::default() }]);
    };
    if endings.is_empty() {
        endings.push(String::new());
    }
    let mut rules = Vec::new();
    for range in found_ranges {
        let tags: Result<Vec<TagPattern>, String> =
            endings.iter().map(|ending| versions(range.prerelease, ending)).collect();
        match tags {
            Ok(tags) => rules.push(in_range(range, tags, &except)),
            Err(why) => report.left(&set.path, why),
        }
    }
    Ok(rules)
}

/// A Go template for a tag, if all it has in it is the tag.
fn former_tag(template: &str) -> Option<String> {
    let mut tag = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (inner, after) = after.split_once("}}")?;
        if inner.trim() != ".Ref.Tag" {
            return None;
        }
        tag.push_str(before);
        tag.push_str("{tag}");
        rest = after;
    }
    tag.push_str(rest);
    let known = tag.replace("{tag}", "");
    let is_tag = known.chars().all(|character| character.is_ascii_alphanumeric() || "._-".contains(character));
    (is_tag && tag.contains("{tag}") && known.len() < 100 && !known.is_empty()).then_some(tag)
}
