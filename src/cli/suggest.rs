//! "Did you mean …?" for names that are not in the catalog.

use crate::engine::Engine;
use crate::engine::request::Pick;
use crate::error::{Error, Kind, Result};
use crate::text::{nearest, printable_within};

/// Adds the nearest existing names to an error that says that one of these is not there.
pub(super) fn with_suggestions<T>(result: Result<T>, engine: &Engine, picks: &[Pick]) -> Result<T> {
    result.map_err(|error| {
        if error.kind() != Kind::NotFound || error.hints().iter().any(|hint| hint.starts_with("Did you mean")) {
            return error;
        }
        let Ok(repositories) = engine.repositories() else { return error };
        let names: Vec<&str> = repositories
            .iter()
            .flat_map(|repository| {
                [Some(repository.name.as_str()), repository.alias.as_deref(), repository.upstream.as_deref()]
            })
            .flatten()
            .collect();
        let tags = |name: &str| {
            let pick = Pick { name: name.to_owned(), tag: None, digest: None };
            let rows = engine.images(&pick).unwrap_or_default();
            rows.into_iter().filter_map(|row| row.tag).collect()
        };
        let meant: Vec<String> = picks.iter().filter_map(|pick| suggestion(pick, &names, tags)).collect();
        if meant.is_empty() {
            return error;
        }
        // What was probably meant comes before the ways to look for it.
        let hints = meant.into_iter().chain(error.hints().iter().cloned());
        hints.fold(Error::new(error.kind(), error.to_string()), Error::hint)
    })
}

fn suggestion(pick: &Pick, names: &[&str], tags: impl Fn(&str) -> Vec<String>) -> Option<String> {
    let name =
        if names.contains(&pick.name.as_str()) { None } else { Some(nearest(&pick.name, names.iter().copied())?) };
    let meant = match (name, &pick.tag) {
        // The name is right, so it is the tag, if anything.
        (None, tag) => {
            let existing = tags(&pick.name);
            let tag = tag.as_ref()?.as_str();
            if existing.iter().any(|known| known == tag) {
                return None;
            }
            format!("{}:{}", pick.name, nearest(tag, existing.iter().map(String::as_str))?)
        }
        (Some(name), Some(tag)) => format!("{name}:{tag}"),
        (Some(name), None) => name.to_owned(),
    };
    Some(format!("Did you mean `{}`?", printable_within(&meant, 300)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_tags() {
        let names = ["library/nginx", "nginx", "docker.io/library/nginx", "ghcr.io/org/app"];
        let tags = |_: &str| vec!["alpine".to_owned(), "1.27".to_owned()];
        let suggested = |text: &str| suggestion(&text.parse().unwrap(), &names, tags);
        for (text, expected) in [
            ("ngnix", Some("Did you mean `nginx`?")),
            ("ngnix:alpine", Some("Did you mean `nginx:alpine`?")),
            ("nginx:alpin", Some("Did you mean `nginx:alpine`?")),
            ("ghcr.io/org/ap:1", Some("Did you mean `ghcr.io/org/app:1`?")),
            ("nginx:alpine", None),
            ("nginx", None),
            ("nginx:zzzzzzzz", None),
            ("postgres", None),
        ] {
            assert_eq!(suggested(text).as_deref(), expected, "{text}");
        }
    }
}
