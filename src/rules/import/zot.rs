//! zot's configuration, of which the extension `sync` is read (zotregistry.dev, "Mirroring").

use super::expressions::unanchored;
use super::fields::{Fields, Item, Text};
use super::report::{Report, Settings, shown};
use super::settings::{ASKING, NO_TAGS, SIGNATURES, TARGET, every, everything, expression, hub, platforms, repository};
use crate::error::Result;
use crate::image::tags::{TagPattern, TagRule};
use crate::rules::yaml::Value;

/// What zot takes for a version: up to three numbers and whatever is behind them.
const VERSIONS: &str = "[v]#[.#[.#]][-*]";

pub(super) fn read(document: &Item<'_>, report: &mut Report) -> Result<()> {
    let mut fields = document.fields(report);
    if let Some(extensions) = fields.take_any_case("extensions") {
        let mut inner = extensions.fields(report);
        if let Some(sync) = inner.take_any_case("sync") {
            let mut fields = sync.fields(report);
            extension(&mut fields, report)?;
            fields.finish(report);
        }
        for (_, item) in inner.drain() {
            report.left(&item.path, "only the extension `sync` says what is mirrored");
        }
    } else {
        extension(&mut fields, report)?;
    }
    for (_, item) in fields.drain() {
        report.left(&item.path, "it is about zot itself, not about what is mirrored");
    }
    Ok(())
}

fn extension(fields: &mut Fields<'_>, report: &mut Report) -> Result<()> {
    if let Some(file) = fields.take_any_case("credentialsFile") {
        report.credentials(&file.path);
    }
    if let Some(enable) = fields.take_any_case("enable") {
        report.left(&enable.path, "rules are always in use");
    }
    if let Some(registries) = fields.take_any_case("registries") {
        for item in registries.items(report) {
            registry(&item, report)?;
        }
    }
    Ok(())
}

fn registry(item: &Item<'_>, report: &mut Report) -> Result<()> {
    let mut fields = item.fields(report);
    let mut settings = Settings::default();
    let urls = fields.take_any_case("urls").map(|urls| urls.texts(report)).unwrap_or_default();
    let mut host = None;
    for url in &urls {
        match (&host, named(url.text)) {
            (None, Some(name)) => {
                let why = if url.text.starts_with("http://") {
                    "that it is asked over plain HTTP is set in the configuration"
                } else {
                    "the registry of the rules"
                };
                report.became(&url.path, shown(hub(name)), why);
                host = Some(name);
            }
            (Some(_), _) => report.left(&url.path, "a rule asks one registry: the first"),
            (None, None) => report.left(&url.path, "it names no registry"),
        }
    }
    if let Some(interval) = fields.take_any_case("pollInterval").and_then(|item| item.text(report)) {
        settings.every = every(&interval, report);
    }
    if let Some(item) = fields.take_any_case("platforms") {
        settings.platforms = platforms(&item, report);
    }
    if let Some(demand) = fields.take_any_case("onDemand") {
        report.left(&demand.path, "nothing is fetched when a client asks: rules say what is here");
    }
    if let Some(signed) = fields.take_any_case("onlySigned") {
        report.left(&signed.path, SIGNATURES);
    }
    for key in ["credentialHelper", "oauth2CredentialHelper"] {
        if let Some(helper) = fields.take_any_case(key) {
            report.credentials(&helper.path);
        }
    }
    for key in [
        "tlsVerify",
        "certDir",
        "maxRetries",
        "retryDelay",
        "maxRetryDelay",
        "syncTimeout",
        "responseHeaderTimeout",
        "preserveDigest",
        "syncLegacyCosignTags",
    ] {
        if let Some(item) = fields.take_any_case(key) {
            report.left(&item.path, ASKING);
        }
    }
    if let Some(contents) = fields.take_any_case("content") {
        for item in contents.items(report) {
            content(&item, host, &settings, report)?;
        }
    }
    fields.finish(report);
    Ok(())
}

/// The host and port of an address.
fn named(url: &str) -> Option<&str> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split('/').next().unwrap_or_default();
    // What stands before `@` would be a password.
    (!host.is_empty() && !host.contains('@')).then_some(host)
}

fn content(item: &Item<'_>, host: Option<&str>, settings: &Settings, report: &mut Report) -> Result<()> {
    let (mark, before) = (report.mark(), report.made());
    repository_of(item, host, settings, report)?;
    if report.made() == before {
        report.retract(mark);
    }
    Ok(())
}

fn repository_of(item: &Item<'_>, host: Option<&str>, settings: &Settings, report: &mut Report) -> Result<()> {
    let mut fields = item.fields(report);
    let mut settings = settings.clone();
    for key in ["destination", "stripPrefix"] {
        if let Some(item) = fields.take_any_case(key) {
            report.left(&item.path, TARGET);
        }
    }
    if let Some(item) = fields.take_any_case("platforms") {
        settings.platforms = platforms(&item, report);
    }
    let tags = fields.take_any_case("tags");
    let prefix = fields.take_any_case("prefix").and_then(|prefix| prefix.text(report));
    fields.finish(report);
    let chosen = match tags {
        Some(tags) => chosen(&tags, report),
        None => Some(everything()),
    };
    let (Some(prefix), Some(tags)) = (&prefix, chosen) else {
        match prefix {
            Some(Text { path, .. }) => report.left(&path, NO_TAGS),
            None => report.left(&item.path, "it has no prefix"),
        }
        return Ok(());
    };
    let (path, name) = (&prefix.path, prefix.text.trim_start_matches('/'));
    if name.contains(['*', '?', '[', '{']) {
        report.left(path, format!("a rule takes one repository, never all that `{}` matches: name each", shown(name)));
        return Ok(());
    }
    match host.map(|host| repository(host, name)) {
        None => report.left(path, "its registry has no address"),
        Some(Err(error)) => report.left(path, error.to_string()),
        Some(Ok(reference)) => {
            let said = report.rule(&reference.upstream, tags, &settings)?;
            report.became(path, said, "the tags of a repository");
        }
    }
    Ok(())
}

/// Tags that an expression matches, of these what another one does not, of these what looks like a version.
fn chosen(tags: &Item<'_>, report: &mut Report) -> Option<TagRule> {
    let mut fields = tags.fields(report);
    // What is no text chooses something that nobody can tell, and not everything.
    let mut is_unclear = !tags.is_map_or_nothing();
    let mut text = |key: &str, report: &mut Report| {
        let item = fields.take_any_case(key)?;
        let text = item.text(report);
        is_unclear |= text.is_none() && item.node.value != Value::Null;
        text
    };
    let (regex, exclude, semver) = (text("regex", report), text("excludeRegex", report), text("semver", report));
    fields.finish(report);
    if is_unclear {
        return None;
    }
    let mut rule = TagRule::default();
    if let Some(text) = exclude.filter(|text| !text.text.is_empty()) {
        rule.except.push(expression(&text, unanchored, report)?);
    }
    if let Some(text) = &regex {
        rule.tags.push(expression(text, unanchored, report)?);
    }
    if let Some(semver) = semver {
        let wanted = semver.text.eq_ignore_ascii_case("true");
        if wanted && regex.is_some() {
            report.left(&semver.path, "the expression alone says what is taken: tags that are no versions, too");
        } else if wanted {
            report.became(&semver.path, format!("\"{VERSIONS}\""), "tags that are versions, with any suffix, as there");
            rule.tags.extend(VERSIONS.parse::<TagPattern>().ok());
        } else {
            report.left(&semver.path, "tags need not be versions");
        }
    }
    if rule.tags.is_empty() {
        rule.tags = everything().tags;
    }
    Some(rule)
}
