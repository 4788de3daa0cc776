//! The YAML file of `skopeo sync` (skopeo-sync(1), "YAML file content").

use super::expressions::unanchored;
use super::fields::Item;
use super::ranges::{ranges, versions};
use super::report::{Report, Settings, literal, shown};
use super::settings::{ASKING, everything, in_range, repository};
use crate::error::Result;
use crate::image::tags::TagRule;
use crate::image::{Digest, Reference, Tag};
use crate::rules::yaml::Value;

const SUFFIXES: &str =
    "a range takes no suffix such as `-alpine`: a pattern with `#` does (`1.#.#-alpine` and `newest = 3`)";

pub(super) fn read(document: &Item<'_>, report: &mut Report) -> Result<()> {
    let mut fields = document.fields(report);
    for (registry, item) in fields.drain() {
        let mut inner = item.fields(report);
        if let Some(images) = inner.take("images") {
            for (repository, item) in images.fields(report).drain() {
                list(registry, repository, &item, report)?;
            }
        }
        if let Some(images) = inner.take("images-by-tag-regex") {
            for (repository, item) in images.fields(report).drain() {
                expression(registry, repository, &item, report)?;
            }
        }
        if let Some(images) = inner.take("images-by-semver") {
            for (repository, item) in images.fields(report).drain() {
                range(registry, repository, &item, report)?;
            }
        }
        if let Some(credentials) = inner.take("credentials") {
            report.credentials(&credentials.path);
        }
        for key in ["tls-verify", "cert-dir"] {
            if let Some(tls) = inner.take(key) {
                report.left(&tls.path, ASKING);
            }
        }
        inner.finish(report);
    }
    Ok(())
}

fn list(registry: &str, name: &str, item: &Item<'_>, report: &mut Report) -> Result<()> {
    let reference = match repository(registry, name) {
        Ok(reference) => reference,
        Err(error) => {
            report.left(&item.path, error.to_string());
            return Ok(());
        }
    };
    let settings = Settings::default();
    let is_empty = match &item.node.value {
        Value::Null => true,
        Value::List(items) => items.is_empty(),
        Value::Scalar(_) | Value::Map(_) => false,
    };
    if is_empty {
        let said = report.rule(&reference.upstream, everything(), &settings)?;
        report.became(&item.path, said, "no tags are all tags; `newest` takes fewer");
        return Ok(());
    }
    let mut tags = Vec::new();
    let mut places = Vec::new();
    for text in item.texts(report) {
        if let Ok(digest) = text.text.parse::<Digest>() {
            let by_digest = Reference { tag: None, digest: Some(digest), ..reference.clone() };
            let said = report.single(&by_digest, &settings)?;
            report.became(&text.path, said, "a rule can't say a digest");
        } else {
            match text.text.parse::<Tag>() {
                Ok(tag) => {
                    tags.push(literal(&tag)?);
                    places.push((text.path, tag));
                }
                Err(error) => report.left(&text.path, error.to_string()),
            }
        }
    }
    if !tags.is_empty() {
        report.rule(&reference.upstream, TagRule { tags, ..TagRule::default() }, &settings)?;
    }
    for (path, tag) in places {
        report.became(&path, format!("\"{tag}\""), format!("a tag of the rule for `{}`", shown(name)));
    }
    Ok(())
}

fn expression(registry: &str, name: &str, item: &Item<'_>, report: &mut Report) -> Result<()> {
    let Some(text) = item.text(report) else { return Ok(()) };
    match (repository(registry, name), report.expression(text.text, unanchored)) {
        (Ok(reference), Ok(found)) => {
            let tags = TagRule { tags: vec![found.pattern], ..TagRule::default() };
            let said = report.rule(&reference.upstream, tags, &Settings::default())?;
            report.became(&text.path, said, found.why);
        }
        (Err(error), _) => report.left(&text.path, error.to_string()),
        (_, Err(why)) => report.left(&text.path, format!("`{}`: {why}", shown(text.text))),
    }
    Ok(())
}

fn range(registry: &str, name: &str, item: &Item<'_>, report: &mut Report) -> Result<()> {
    let Some(text) = item.text(report) else { return Ok(()) };
    let found = repository(registry, name).map_err(|error| error.to_string()).and_then(|reference| {
        let found = ranges(text.text).map_err(|why| format!("the range `{}`: {why}", shown(text.text)))?;
        Ok((reference, found))
    });
    match found {
        Err(why) => report.left(&text.path, why),
        Ok((reference, found)) => {
            for range in found {
                let why = if range.prerelease {
                    "a suffix such as `-alpine` is a prerelease there; here prereleases alone are one"
                } else {
                    SUFFIXES
                };
                match versions(range.prerelease, "") {
                    Ok(pattern) => {
                        let tags = in_range(range, vec![pattern], &[]);
                        let said = report.rule(&reference.upstream, tags, &Settings::default())?;
                        report.became(&text.path, said, why);
                    }
                    Err(why) => report.left(&text.path, why),
                }
            }
        }
    }
    Ok(())
}
