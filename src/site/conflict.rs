//! Whether a repository's name would need one path to be a file and a directory at once.
//!
//! Names nest: `a/manifests/1.0` is a repository's name, and also the path of the tag `1.0` of `a`. Everything here is asked
//! of the new name's ancestors and descendants alone. Knows the layout; must not know the catalog.

use crate::image::RepositoryName;

/// What has to be known of the names that are published already (aliases are names too).
pub struct Published<'a> {
    /// Whether this is a repository or an alias.
    pub is_name: &'a dyn Fn(&str) -> bool,
    /// Whether a repository or an alias has this name or lies below it.
    pub is_name_or_above: &'a dyn Fn(&str) -> bool,
    /// Whether this repository or alias has a manifest of this name (a tag, in either view).
    pub has_manifest: &'a dyn Fn(&str, &str) -> bool,
}

/// Why a name can't be published beside the others.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// The name begins with that of a file of the view itself.
    #[error("`{name}` can't be published: `{file}` is a file at the top of the registry")]
    Top {
        /// Name that was to be published.
        name: String,
        /// File of the view that has this name.
        file: &'static str,
    },
    /// What is published at `below` or below it needs a directory where `above` has its list of tags.
    #[error("`{above}/tags/list` can't be the list of tags of `{above}` and the directory of `{below}` at once")]
    TagList {
        /// The shorter of the two names, whose list of tags is a file.
        above: String,
        /// The longer name, or the part of it that is in the way.
        below: String,
    },
    /// What is published at `below` or below it needs a directory where `above` has a tag.
    #[error("`{above}/manifests/{tag}` can't be the tag `{tag}` of `{above}` and a directory of `{below}` at once")]
    Tag {
        /// The shorter of the two names, which has the tag.
        above: String,
        /// The longer name, or the part of it that is in the way.
        below: String,
        /// Tag whose file is in the way.
        tag: String,
    },
}

/// Every repository has these directories.
const DIRECTORIES: [&str; 3] = ["blobs", "manifests", "tags"];

/// Whether `new`, with manifests of these names, can be published beside the others. Also for tags that are added to a
/// repository that is published: then `manifests` are the new ones. An alias is asked about like a name, with the same tags.
pub fn conflict<'m>(
    published: &Published<'_>,
    new: &RepositoryName,
    manifests: impl IntoIterator<Item = &'m str>,
) -> Option<Conflict> {
    let name = new.as_str();
    if new.components().next() == Some(super::paths::PING) {
        return Some(Conflict::Top { name: name.to_owned(), file: super::paths::PING });
    }
    above(published, name).or_else(|| below(published, name, manifests))
}

/// Whether one of the repositories above the new one is in its way.
fn above(published: &Published<'_>, name: &str) -> Option<Conflict> {
    let mut ancestors = name.match_indices('/').map(|(at, _)| (&name[..at], &name[at + 1..]));
    ancestors.find_map(|(ancestor, rest)| {
        if !(rest.starts_with("manifests") || rest.starts_with("tags/list")) || !(published.is_name)(ancestor) {
            return None;
        }
        let (above, below) = (ancestor.to_owned(), name.to_owned());
        let mut parts = rest.split('/');
        match (parts.next(), parts.next()) {
            (Some("tags"), Some("list")) => Some(Conflict::TagList { above, below }),
            (Some("manifests"), Some(tag)) => {
                (published.has_manifest)(ancestor, tag).then(|| Conflict::Tag { above, below, tag: tag.to_owned() })
            }
            (Some("manifests"), None) => DIRECTORIES
                .into_iter()
                .find(|tag| (published.has_manifest)(ancestor, tag))
                .map(|tag| Conflict::Tag { above, below, tag: tag.to_owned() }),
            _ => None,
        }
    })
}

/// Whether the new one is in the way of a repository below it.
fn below<'m>(published: &Published<'_>, name: &str, manifests: impl IntoIterator<Item = &'m str>) -> Option<Conflict> {
    let list = format!("{name}/tags/list");
    if (published.is_name_or_above)(&list) {
        return Some(Conflict::TagList { above: name.to_owned(), below: list });
    }
    let directory = format!("{name}/manifests");
    if !(published.is_name_or_above)(&directory) {
        return None;
    }
    let is_repository = (published.is_name)(&directory);
    manifests.into_iter().find_map(|tag| {
        let path = format!("{directory}/{tag}");
        let below = if is_repository && DIRECTORIES.contains(&tag) {
            directory.clone()
        } else if (published.is_name_or_above)(&path) {
            path
        } else {
            return None;
        };
        Some(Conflict::Tag { above: name.to_owned(), below, tag: tag.to_owned() })
    })
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    type Tree = BTreeMap<String, BTreeSet<String>>;

    fn ask(tree: &Tree, new: &str, tags: &BTreeSet<String>) -> Option<Conflict> {
        let published = Published {
            is_name: &|name| tree.contains_key(name),
            is_name_or_above: &|path| {
                let inside = format!("{path}/");
                tree.keys().any(|name| name == path || name.starts_with(&inside))
            },
            has_manifest: &|name, tag| tree.get(name).is_some_and(|tags| tags.contains(tag)),
        };
        conflict(&published, &new.parse().unwrap(), tags.iter().map(String::as_str))
    }

    /// The files of a view; whether one of them is also the directory of another.
    fn broken(tree: &Tree) -> bool {
        let mut files = BTreeSet::from(["index.html".to_owned(), "_catalog".to_owned()]);
        for (name, tags) in tree {
            files.insert(format!("{name}/tags/list"));
            files.insert(format!("{name}/blobs/sha256:0"));
            files.insert(format!("{name}/manifests/sha256:0"));
            files.extend(tags.iter().map(|tag| format!("{name}/manifests/{tag}")));
        }
        files.iter().any(|file| {
            let inside = format!("{file}/");
            files.range(inside.clone()..).next().is_some_and(|next| next.starts_with(&inside))
        })
    }

    fn tags(all: &[&str]) -> BTreeSet<String> {
        all.iter().map(|tag| (*tag).to_owned()).collect()
    }

    #[test]
    fn conflicts_in_words() {
        let tree = Tree::from([
            ("a".to_owned(), tags(&["1.0", "blobs"])),
            ("b/tags/list".to_owned(), tags(&["latest"])),
            ("c/manifests/2/x".to_owned(), tags(&["latest"])),
            ("d/manifests".to_owned(), tags(&["latest"])),
            ("nginx".to_owned(), tags(&["latest"])),
        ]);
        let said: Vec<String> = [
            ("index.html", "x"),
            ("index.html/x", "x"),
            ("a/tags/list", "x"),
            ("a/tags/list/deep", "x"),
            ("a/manifests", "x"),
            ("a/manifests/1.0", "x"),
            ("a/manifests/1.0/deep", "x"),
            ("nginx/manifests/latest", "x"),
            ("b", "x"),
            ("c", "2"),
            ("d", "tags"),
        ]
        .into_iter()
        .map(|(name, tag)| ask(&tree, name, &tags(&[tag])).unwrap_or_else(|| panic!("{name}")).to_string())
        .collect();
        insta::assert_snapshot!("conflicts", said.join("\n"));
        for (name, tag) in [
            ("a/tags", "list"),
            ("a/tags/lists", "x"),
            ("a/manifests/1.0.1", "x"),
            ("a/b", "manifests"),
            ("a/blobs", "x"),
            ("nginx/manifests", "x"),
            ("nginx/unit", "latest"),
            ("c", "1"),
            ("d", "2"),
            ("e/index.html", "x"),
        ] {
            assert_eq!(ask(&tree, name, &tags(&[tag])), None, "{name}:{tag}");
        }
    }

    fn names() -> impl Strategy<Value = String> {
        proptest::collection::vec(prop::sample::select(vec!["a", "manifests", "tags", "list", "blobs", "1"]), 1..5)
            .prop_map(|parts| parts.join("/"))
    }

    fn some_tags() -> impl Strategy<Value = BTreeSet<String>> {
        proptest::collection::btree_set(
            prop::sample::select(vec!["1", "list", "tags", "blobs", "manifests", "X"]).prop_map(str::to_owned),
            0..4,
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        /// Against the second implementation: laying the files out and looking.
        #[test]
        fn exactly_the_broken_trees_are_refused(all in proptest::collection::vec((names(), some_tags()), 1..6)) {
            let mut tree = Tree::new();
            for (name, tags) in all {
                let mut with = tree.clone();
                with.entry(name.clone()).or_default().extend(tags.clone());
                let refused = ask(&tree, &name, &tags);
                prop_assert_eq!(refused.is_some(), broken(&with), "{} beside {:?}: {:?}", name, tree, refused);
                if refused.is_none() {
                    tree = with;
                }
            }
        }
    }
}
