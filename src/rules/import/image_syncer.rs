//! image-syncer's rules, in YAML or JSON (image-syncer, "Configure Files").

use super::expressions::unanchored;
use super::fields::Item;
use super::report::{Report, Settings, literal, shown};
use super::settings::everything;
use crate::error::Result;
use crate::image::tags::TagRule;
use crate::image::{Reference, Tag};

pub(super) fn read(document: &Item<'_>, report: &mut Report) -> Result<()> {
    let mut fields = document.fields(report);
    // The older file has both in one.
    if let Some(auth) = fields.take("auth") {
        report.credentials(&auth.path);
    }
    if let Some(images) = fields.take("images") {
        for (source, item) in images.fields(report).drain() {
            entry(source, &item, report)?;
        }
    }
    for (source, item) in fields.drain() {
        if item.node.is_map() {
            report.left(&item.path, "a source has a target, or a list of them");
        } else {
            entry(source, &item, report)?;
        }
    }
    Ok(())
}

fn entry(source: &str, item: &Item<'_>, report: &mut Report) -> Result<()> {
    const TARGET: &str = "images are published under the name of their source, not under this one";
    let targets: Vec<&str> = match item.node.text() {
        Some(target) => vec![target],
        None => item.node.items().iter().filter_map(|item| item.text()).collect(),
    };
    let why = if targets.is_empty() { String::new() } else { format!("; {TARGET}") };
    let settings = Settings::default();
    let source = source.trim();
    // `repository:/expression/`, `repository:tag,tag`, `repository@digest`, or all tags of a repository.
    let slash = source.rfind('/').unwrap_or(0);
    if let Some((name, expression)) =
        source.split_once(":/").and_then(|(name, rest)| Some((name, rest.strip_suffix('/')?)))
    {
        return match (name.parse::<Reference>(), report.expression(expression, unanchored)) {
            (Ok(reference), Ok(found)) => {
                let tags = TagRule { tags: vec![found.pattern], ..TagRule::default() };
                let said = report.rule(&reference.upstream, tags, &settings)?;
                report.became(&item.path, said, format!("{}{why}", found.why));
                Ok(())
            }
            (Err(error), _) => {
                report.left(&item.path, error.to_string());
                Ok(())
            }
            (_, Err(why)) => {
                report.left(&item.path, format!("`{}`: {why}", shown(expression)));
                Ok(())
            }
        };
    }
    let (name, tags) = match source[slash..].find(':').filter(|_| !source.contains('@')) {
        Some(colon) => (&source[..slash + colon], Some(&source[slash + colon + 1..])),
        None => (source, None),
    };
    let reference = match name.parse::<Reference>() {
        Ok(reference) => reference,
        Err(error) => {
            report.left(&item.path, error.to_string());
            return Ok(());
        }
    };
    if reference.digest.is_some() {
        let said = report.single(&reference, &settings)?;
        report.became(&item.path, said, format!("a rule can't say a digest{why}"));
        return Ok(());
    }
    let mut rule = TagRule::default();
    for tag in tags.unwrap_or_default().split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
        match tag.parse::<Tag>() {
            Ok(tag) => rule.tags.push(literal(&tag)?),
            Err(error) => report.left(&item.path, error.to_string()),
        }
    }
    let taken = if tags.is_none() {
        rule = everything();
        "no tags are all tags"
    } else {
        "the tags of a repository"
    };
    if rule.tags.is_empty() {
        report.left(&item.path, "it names no tag");
        return Ok(());
    }
    let said = report.rule(&reference.upstream, rule, &settings)?;
    report.became(&item.path, said, format!("{taken}{why}"));
    Ok(())
}
