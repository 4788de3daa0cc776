//! What a rule is about, as a person writes it: `nginx`, `nginx:1.#.#`, `localhost:5000/app`.

use super::rule::{RuleName, Subject};
use crate::image::tags::TagPattern;
use crate::image::{Reference, RepositoryName, Tag, Upstream};

/// Characters of the longest name that is made of an image or a source.
const MAX_DERIVED_CHARACTERS: usize = 200;

/// A repository, and the bytes before the pattern that follows it after a colon.
pub(super) fn split(image: &str) -> (&str, Option<usize>) {
    let scheme = image.contains("://");
    // No port is empty, so what begins with a slash is a regular expression.
    let expression = image.find(":/").filter(|_| !scheme);
    let path = image.rfind('/').map_or(0, |slash| slash + 1);
    match expression.or_else(|| image[path..].find(':').map(|colon| path + colon)) {
        Some(colon) if !scheme => (&image[..colon], Some(colon + 1)),
        _ => (image, None),
    }
}

/// The shortest reference that names the repository.
pub(super) fn familiar(upstream: &Upstream) -> String {
    let names_it = |text: &&str| text.parse::<Reference>().is_ok_and(|read| read.upstream == *upstream);
    let alias = upstream.alias();
    let hub = (upstream.registry == "docker.io").then(|| upstream.repository.as_str());
    let shorter = alias.as_ref().map(RepositoryName::as_str).into_iter().chain(hub).find(names_it);
    shorter.map_or_else(|| upstream.to_string(), str::to_owned)
}

/// What a rule is called that has no name: its image or its first source.
pub(super) fn derived_name(subject: &Subject) -> Option<RuleName> {
    let text = match subject {
        Subject::Repository { upstream, .. } => familiar(upstream),
        Subject::Sources(sources) => sources.first()?.to_string(),
    };
    let cut: String = text.chars().take(MAX_DERIVED_CHARACTERS).collect();
    cut.trim().parse().ok()
}

/// The pattern of a rule that names no tags.
pub(super) fn usual_tags() -> Vec<TagPattern> {
    Tag::latest().as_str().parse().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_follow_a_colon() {
        for (image, repository, pattern) in [
            ("nginx", "nginx", None),
            ("nginx:1.#.#{,-alpine}", "nginx", Some("1.#.#{,-alpine}")),
            ("nginx:/1[./].*/", "nginx", Some("/1[./].*/")),
            ("localhost:5000/app", "localhost:5000/app", None),
            ("localhost:5000/app:v#", "localhost:5000/app", Some("v#")),
            ("[::1]:5000/app:/v(\\d+)/", "[::1]:5000/app", Some("/v(\\d+)/")),
            ("nginx:", "nginx", Some("")),
            ("https://ghcr.io/a/b:1", "https://ghcr.io/a/b:1", None),
        ] {
            let (found, at) = split(image);
            assert_eq!((found, at.map(|at| &image[at..])), (repository, pattern), "{image}");
        }
    }

    #[test]
    fn repositories_have_short_names() {
        let hex = "0".repeat(64);
        for (reference, short) in [
            ("docker.io/library/nginx:1", "nginx"),
            ("docker.io/grafana/grafana", "grafana/grafana"),
            ("ghcr.io/org/app", "ghcr.io/org/app"),
            ("docker.io/localhost/app", "docker.io/localhost/app"),
            ("docker.io/ghcr.io/x", "docker.io/ghcr.io/x"),
            ("[::1]:5000/x", "[::1]:5000/x"),
            (&format!("library/{hex}"), &format!("library/{hex}")),
        ] {
            let upstream = reference.parse::<Reference>().unwrap().upstream;
            assert_eq!(familiar(&upstream), short);
            assert_eq!(short.parse::<Reference>().unwrap().upstream, upstream);
        }
    }
}
