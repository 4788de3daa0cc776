//! The names of everything in the published tree, and the tags of the gateway view.
//!
//! Knows the layout; must not know what any file holds.

use std::collections::BTreeSet;

use crate::image::{Platform, RepositoryName, Tag};

/// The gateway view: schema 1 manifests.
pub const GATEWAY: &str = "v2";
/// The native view: the upstream's own bytes.
pub const NATIVE: &str = "oci/v2";
/// Below it, one native view of manifests for each media type.
pub const TYPES: &str = "oci/types";
/// The page for people.
pub const INDEX_HTML: &str = "index.html";
/// Style sheet of the pages.
pub const STYLE_CSS: &str = "style.css";
/// The same for programs.
pub const CATALOG_JSON: &str = "catalog.json";
/// Below it, the pages of repositories.
pub const REPOSITORIES: &str = "repositories";
/// Below it, the records of repositories.
pub const CATALOG: &str = "catalog";

/// What the names of our own files among repositories begin with; no component of a repository's name does.
pub const OWN: char = '_';

/// In a view: [`super::ping`], makes `GET /v2/` answer 200 on any host.
pub const PING: &str = "index.html";
/// In a view: the list of repositories.
pub const REPOSITORY_LIST: &str = "_catalog";
/// In a repository: its blobs by digest.
pub const BLOBS: &str = "blobs";
/// In a repository: its manifests by tag and by digest.
pub const MANIFESTS: &str = "manifests";
/// In a repository: the directory of [`LIST`].
pub const TAGS: &str = "tags";
/// In `tags`: the list of tags.
pub const LIST: &str = "list";

/// The directory of one media type's manifests, by [`crate::image::media::slug`].
pub fn of_type(slug: &str) -> String {
    format!("{TYPES}/{slug}/v2")
}

/// The page of a repository. No component of a repository's name begins with `_`, so no page can hide another one.
pub fn repository_page(name: &RepositoryName) -> String {
    format!("{REPOSITORIES}/{name}/_repository.html")
}

/// A page of a repository's tags, by [`super::paging::key`].
pub fn tags_page(name: &RepositoryName, key: &str) -> String {
    format!("{REPOSITORIES}/{name}/{}", tags_page_file(key))
}

/// The last part of [`tags_page`]: what the repository's page links to.
pub fn tags_page_file(key: &str) -> String {
    format!("_tags-{key}.html")
}

/// A page of repositories, by [`super::paging::key`].
pub fn repositories_page(key: &str) -> String {
    format!("{REPOSITORIES}/_page-{key}.html")
}

/// The record of a repository.
pub fn repository_record(name: &RepositoryName) -> String {
    format!("{CATALOG}/{name}/_repository.json")
}

/// Records of a repository's tags, by [`super::paging::key`].
pub fn tags_record(name: &RepositoryName, key: &str) -> String {
    format!("{CATALOG}/{name}/{}", tags_record_file(key))
}

/// The last part of [`tags_record`]: what the repository's record refers to.
pub fn tags_record_file(key: &str) -> String {
    format!("_tags-{key}.json")
}

/// Names of repositories, by [`super::paging::key`].
pub fn repositories_record(key: &str) -> String {
    format!("{CATALOG}/_repositories-{key}.json")
}

/// The tag that a platform other than the default one has in the gateway view: `<tag>-[<os>-]<arch>[-<variant>]`.
/// `None` if that is no tag: an index may say anything of its platforms.
pub fn gateway_tag(tag: &Tag, platform: &Platform) -> Option<Tag> {
    format!("{tag}-{}", platform.tag_suffix()).parse().ok()
}

/// The tags of a repository, as far as [`gateway_tags`] has to ask for them.
pub struct OtherTags<'a> {
    /// Whether the upstream has this tag here.
    pub exists: &'a dyn Fn(&str) -> bool,
    /// Whether this tag, which exists, has a platform with this suffix (`Platform::tag_suffix`).
    pub has_platform: &'a dyn Fn(&str, &str) -> bool,
}

/// The tag of each platform of an image in the gateway view, in the order of its index; `None` for a platform that can't have one.
///
/// The platform at `default` has the tag itself. A tag that exists wins over one made up here; of two images that would make up
/// the same one (`a` for windows/arm64 and `a-windows` for linux/arm64) the one with the longer tag has it, and of two platforms
/// of one image the first one. So the answer does not depend on the order of adding.
pub fn gateway_tags(
    tag: &Tag,
    platforms: &[Platform],
    default: Option<usize>,
    others: &OtherTags<'_>,
) -> Vec<Option<Tag>> {
    let mut mine = BTreeSet::new();
    platforms
        .iter()
        .enumerate()
        .map(|(position, platform)| {
            if default == Some(position) {
                return Some(tag.clone());
            }
            let made_up = gateway_tag(tag, platform)?;
            let name = made_up.as_str();
            let longer = name.match_indices('-').map(|(at, _)| (&name[..at], &name[at + 1..]));
            let of_a_longer_tag = longer
                .filter(|(prefix, _)| prefix.len() > tag.as_str().len())
                .any(|(prefix, suffix)| (others.exists)(prefix) && (others.has_platform)(prefix, suffix));
            (!(others.exists)(name) && !of_a_longer_tag && mine.insert(made_up.clone())).then_some(made_up)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(text: &str) -> Tag {
        text.parse().unwrap()
    }

    #[test]
    fn pages_and_records_never_collide() {
        // A repository may be called like any file that does not begin with `_`.
        let paths = ["a", "a/index.html", "a/tags", "a/tags.html"].map(|name| {
            let name: RepositoryName = name.parse().unwrap();
            [repository_page(&name), tags_page(&name, "0"), repository_record(&name), tags_record(&name, "0")]
        });
        let paths: BTreeSet<String> =
            paths.into_iter().flatten().chain([repositories_page("0"), repositories_record("0")]).collect();
        assert_eq!(paths.len(), 18);
        for file in &paths {
            let inside = format!("{file}/");
            assert!(!paths.iter().any(|other| other.starts_with(&inside)), "{file} is a directory too");
        }
        assert_eq!(of_type("oci-index"), "oci/types/oci-index/v2");
    }

    #[test]
    fn platforms_of_the_gateway_view() {
        let cases = [
            (Platform::new("linux", "arm64", Some("v8")), Some("1.2-arm64")),
            (Platform::new("linux", "arm", Some("v7")), Some("1.2-arm-v7")),
            (Platform::new("windows", "amd64", None), Some("1.2-windows-amd64")),
            (Platform::new("linux", "../../x", None), None),
            (Platform::new("linux", "a b", None), None),
            (Platform::new("linux", &"x".repeat(125), None), None),
            (Platform::new("linux", "\u{202e}", None), None),
        ];
        for (platform, expected) in cases {
            assert_eq!(gateway_tag(&tag("1.2"), &platform).as_ref().map(Tag::as_str), expected);
        }
    }

    #[test]
    fn real_tags_win_then_longer_ones_then_the_first() {
        let platforms = [
            Platform::new("linux", "amd64", None),
            Platform::new("linux", "arm64", None),
            Platform::new("windows", "arm64", None),
            Platform { os_version: Some("10".into()), ..Platform::new("windows", "amd64", None) },
            Platform { os_version: Some("11".into()), ..Platform::new("windows", "amd64", None) },
        ];
        let tags = |real: &[&str], windows_has_arm64: bool| -> Vec<Option<String>> {
            let others = OtherTags {
                exists: &|name| real.contains(&name),
                has_platform: &|name, suffix| windows_has_arm64 && (name, suffix) == ("a-windows", "arm64"),
            };
            let made = gateway_tags(&tag("a"), &platforms, Some(0), &others);
            made.into_iter().map(|tag| tag.map(String::from)).collect()
        };
        let some = |text: &str| Some(text.to_owned());
        let all = [some("a"), some("a-arm64"), some("a-windows-arm64"), some("a-windows-amd64"), None];
        assert_eq!(tags(&["a"], false), all);
        assert_eq!(tags(&["a", "a-windows"], false), all);
        assert_eq!(tags(&["a", "a-windows"], true)[2], None);
        assert_eq!(tags(&["a", "a-arm64"], false)[1], None);
        let nothing = OtherTags { exists: &|_| false, has_platform: &|_, _| false };
        assert_eq!(gateway_tags(&tag("a"), &platforms[..1], None, &nothing), [Some(tag("a-amd64"))]);
    }
}
