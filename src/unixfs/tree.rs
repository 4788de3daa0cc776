//! Trees of directories: edits by path, so that each directory on the way is read once and written once.
//!
//! Knows that a link is a directory when its node is in the store and says so; everything else is a file or foreign.
//! Must not know what the paths mean.

use std::collections::BTreeMap;

use super::directory::{self, Change, NodeStore, Opened};
use super::{Link, Profile};
use crate::error::{Error, Kind, Result};
use crate::text::printable_within;

/// The most names in a path. Registries have a dozen; the limit keeps recursion shallow.
const MAX_PATH_NAMES: usize = 255;

/// Sets (`Some`) and removes (`None`) what is at these paths, names joined by single slashes, and returns the new root.
///
/// `root` is `None` for a tree that does not exist yet. What is set may be a file or a whole directory. Directories on the
/// way are made as needed, and disappear with their last entry, except the root, which stays as the empty directory.
/// Removing what isn't there changes nothing; removing `a` and setting `a/b` at once replaces the whole of `a`.
///
/// It is an error if a path would be a file (or a link to anything that is no directory of this store) and a directory at
/// once, or if `a` is set to a directory and something below `a` edited at once. Nothing is written to the store then
/// but nodes that no root leads to.
pub fn edit(
    profile: Profile,
    store: &mut dyn NodeStore,
    root: Option<&Link>,
    edits: &BTreeMap<String, Option<Link>>,
) -> Result<Link> {
    let mut branch = Branch::default();
    for (path, &link) in edits {
        branch.insert(path, link)?;
    }
    let opened = match root {
        None => Opened::new(profile),
        Some(link) => Opened::open(profile, store, link)?.ok_or_else(|| {
            Error::new(Kind::NotFound, format!("the root {} is not a directory of this catalog", link.cid))
        })?,
    };
    if let Some(link) = apply(profile, store, opened, &branch, &mut Vec::new())? {
        return Ok(link);
    }
    let empty = directory::empty(profile);
    store.put(&empty)?;
    Ok(empty.link())
}

/// What is at this path; the empty path is the root itself. `None` also if a name on the way is no directory here.
pub fn lookup(store: &mut dyn NodeStore, root: &Link, path: &str) -> Result<Option<Link>> {
    let mut link = *root;
    for name in path.split('/').filter(|_| !path.is_empty()) {
        if !is_directory(store, &link)? {
            return Ok(None);
        }
        match directory::lookup(store, &link, name)? {
            Some(below) => link = below,
            None => return Ok(None),
        }
    }
    Ok(Some(link))
}

/// Whether the link leads to a directory whose first block is in the store.
fn is_directory(store: &mut dyn NodeStore, link: &Link) -> Result<bool> {
    if link.cid.codec() != super::DAG_PB {
        return Ok(false);
    }
    Ok(match store.get(&link.cid)? {
        Some(node) => super::NodeKind::of(&node.bytes).map_err(|error| error.context(node.cid))?.is_directory(),
        None => false,
    })
}

/// What is asked of one path itself.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum PathEdit {
    #[default]
    Nothing,
    Set(Link),
    Remove,
}

/// The edits at and below one path.
#[derive(Default)]
struct Branch<'a> {
    here: PathEdit,
    below: BTreeMap<&'a str, Branch<'a>>,
}

impl<'a> Branch<'a> {
    fn insert(&mut self, path: &'a str, link: Option<Link>) -> Result<()> {
        if path.split('/').count() > MAX_PATH_NAMES {
            return Err(Error::new(Kind::Usage, format!("a path has more than {MAX_PATH_NAMES} names")));
        }
        let mut branch = self;
        for name in path.split('/') {
            directory::check_name(name)
                .map_err(|error| error.context(format_args!("path `{}`", printable_within(path, 120))))?;
            branch = branch.below.entry(name).or_default();
        }
        branch.here = link.map_or(PathEdit::Remove, PathEdit::Set);
        Ok(())
    }

    /// Whether something below this path is set.
    fn sets_below(&self) -> bool {
        self.below.values().any(|branch| matches!(branch.here, PathEdit::Set(_)) || branch.sets_below())
    }
}

/// Applies the edits below one directory, and returns what it becomes if it has entries.
fn apply<'a>(
    profile: Profile,
    store: &mut dyn NodeStore,
    mut opened: Opened,
    branch: &Branch<'a>,
    path: &mut Vec<&'a str>,
) -> Result<Option<Link>> {
    // Only what is edited further down has to be known.
    let names: Vec<_> =
        branch.below.iter().filter(|(_, below)| below.here == PathEdit::Nothing).map(|(&name, _)| name).collect();
    let mut current = opened.find(store, &names)?.into_iter();
    let mut changes = Vec::with_capacity(branch.below.len());
    for (&name, below) in &branch.below {
        path.push(name);
        let link = match below.here {
            PathEdit::Remove if below.below.is_empty() => None,
            PathEdit::Set(link) if below.below.is_empty() => Some(link),
            PathEdit::Set(link) => {
                if below.sets_below() || is_directory(store, &link)? {
                    return Err(conflict(path, "it is set, and so is something below it"));
                }
                // What was below it before goes with it.
                Some(link)
            }
            PathEdit::Remove => apply(profile, store, Opened::new(profile), below, path)?,
            PathEdit::Nothing => {
                let old = current.next().flatten();
                let directory = match &old {
                    Some(link) => Opened::open(profile, store, link)?,
                    None => Some(Opened::new(profile)),
                };
                match directory {
                    Some(directory) => apply(profile, store, directory, below, path)?,
                    None if below.sets_below() => {
                        return Err(conflict(path, "something is set below it, but it is not a directory here"));
                    }
                    None => old,
                }
            }
        };
        changes.push(Change { name, link });
        path.pop();
    }
    opened.edit(store, &changes)
}

fn conflict(path: &[&str], why: &str) -> Error {
    let path = path.join("/");
    Error::new(
        Kind::Usage,
        format!("`{}` would be a file and a directory at once: {why}", printable_within(&path, 120)),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::directory::tests::{Memory, naive, some_link};
    use super::*;

    type Files = BTreeMap<String, Link>;

    /// The tree of these files, written anew from the leaves up.
    fn rebuild(profile: Profile, files: &Files) -> Link {
        let mut entries = Files::new();
        let mut below: BTreeMap<&str, Files> = BTreeMap::new();
        for (path, link) in files {
            match path.split_once('/') {
                None => drop(entries.insert(path.clone(), *link)),
                Some((name, rest)) => drop(below.entry(name).or_default().insert(rest.to_owned(), *link)),
            }
        }
        for (name, files) in below {
            assert!(entries.insert(name.to_owned(), rebuild(profile, &files)).is_none());
        }
        naive(profile, &entries).0
    }

    fn edits<const N: usize>(edits: [(&str, Option<Link>); N]) -> BTreeMap<String, Option<Link>> {
        edits.into_iter().map(|(path, link)| (path.to_owned(), link)).collect()
    }

    const P: Profile = Profile::V1_2025;

    fn link(seed: u64) -> Link {
        some_link(P, seed, seed)
    }

    #[test]
    fn directories_come_and_go_with_their_entries() {
        let mut store = Memory::default();
        let empty = directory::empty(P).link();
        let root = edit(P, &mut store, None, &BTreeMap::new()).unwrap();
        assert_eq!(root, empty);
        let root =
            edit(P, &mut store, Some(&root), &edits([("v2/a/b/c", Some(link(1))), ("v2/a/d", Some(link(2)))])).unwrap();
        assert_eq!(lookup(&mut store, &root, "v2/a/b/c").unwrap(), Some(link(1)));
        assert_eq!(lookup(&mut store, &root, "").unwrap(), Some(root));
        for nothing in ["v2/a/x", "x", "v2/a/b/c/d", "v2//a", "/v2"] {
            assert_eq!(lookup(&mut store, &root, nothing).unwrap(), None, "{nothing}");
        }
        let less = edit(P, &mut store, Some(&root), &edits([("v2/a/b/c", None)])).unwrap();
        assert_eq!(lookup(&mut store, &less, "v2/a/b").unwrap(), None);
        assert_eq!(less, rebuild(P, &[("v2/a/d".to_owned(), link(2))].into()));
        let none = edit(P, &mut store, Some(&less), &edits([("v2/a/d", None), ("v2/nothing/here", None)])).unwrap();
        assert_eq!(none, empty);
        // A whole directory can go, and be linked elsewhere.
        let a = lookup(&mut store, &root, "v2/a").unwrap();
        let moved = edit(P, &mut store, Some(&root), &edits([("v2/a", None), ("alias/a", a)])).unwrap();
        assert_eq!(lookup(&mut store, &moved, "alias/a/d").unwrap(), Some(link(2)));
        assert_eq!(edit(P, &mut store, Some(&moved), &edits([("alias", None)])).unwrap(), empty);
    }

    #[test]
    fn a_file_and_a_directory_at_once_are_refused() {
        let mut store = Memory::default();
        let root = edit(P, &mut store, None, &edits([("a", Some(link(1))), ("d/e", Some(link(2)))])).unwrap();
        let d = lookup(&mut store, &root, "d").unwrap();
        for (case, wrong) in [
            edits([("x", Some(link(1))), ("x/y", Some(link(1)))]),
            edits([("x", Some(link(1))), ("x/y/z", Some(link(1)))]),
            edits([("a/b", Some(link(1)))]),
            edits([("a/b", None), ("a/c", Some(link(1)))]),
            edits([("x", d), ("x/e", None)]),
            edits([("", Some(link(1)))]),
            edits([("a//b", Some(link(1)))]),
            edits([("/a", Some(link(1)))]),
            edits([("a/", None)]),
            edits([("d/../a", None)]),
        ]
        .iter()
        .enumerate()
        {
            assert_eq!(edit(P, &mut store, Some(&root), wrong).unwrap_err().kind(), Kind::Usage, "{case}");
        }
        let deep = edits([(&*vec!["d"; 256].join("/"), Some(link(1)))]);
        assert!(edit(P, &mut store, None, &deep).is_err());
        assert!(edit(P, &mut store, Some(&link(1)), &BTreeMap::new()).is_err());
    }

    #[test]
    fn a_file_becomes_a_directory_and_back_when_asked_to() {
        let mut store = Memory::default();
        let root = edit(P, &mut store, None, &edits([("a", Some(link(1))), ("b", Some(link(1)))])).unwrap();
        let deeper = edit(P, &mut store, Some(&root), &edits([("a", None), ("a/x", Some(link(2)))])).unwrap();
        assert_eq!(lookup(&mut store, &deeper, "a/x").unwrap(), Some(link(2)));
        let back = edit(P, &mut store, Some(&deeper), &edits([("a", Some(link(1))), ("a/x", None)])).unwrap();
        assert_eq!(back, root);
        // Below a file there is nothing to remove.
        assert_eq!(edit(P, &mut store, Some(&root), &edits([("a/x/y", None)])).unwrap(), root);
    }

    #[test]
    fn each_directory_is_read_and_written_once() {
        let mut store = Memory::default();
        let mut files = BTreeMap::new();
        for repository in 0..300 {
            for tag in 0..5 {
                files.insert(format!("v2/r{repository}/manifests/t{tag}"), Some(link(tag)));
            }
        }
        let root = edit(P, &mut store, None, &files).unwrap();
        // Repositories that are the same are one block, so a few of them are made different first.
        store.forget_counts();
        let changes: BTreeMap<_, _> = (0..10)
            .flat_map(|r| (0..3).map(move |tag| (format!("v2/r{r}/manifests/t{tag}"), Some(link(100 + r)))))
            .collect();
        let root = edit(P, &mut store, Some(&root), &changes).unwrap();
        assert_eq!(store.written.len(), 2 + 2 * 10);
        store.forget_counts();
        let again = edits([("v2/r3/manifests/t0", Some(link(9))), ("v2/r3/manifests/t9", Some(link(9)))]);
        edit(P, &mut store, Some(&root), &again).unwrap();
        assert_eq!((store.read.len(), store.written.len()), (4, 4));
        let read: BTreeSet<_> = store.read.iter().collect();
        assert_eq!(read.len(), 4);
    }

    proptest! {
        #[test]
        fn random_edits_match_a_rebuild(
            batches in prop::collection::vec(
                prop::collection::btree_map("[ab-](/[ab-]){0,3}", prop::option::weighted(0.6, 0..9_u64), 0..8), 1..10),
            old: bool,
        ) {
            let profile = if old { Profile::V0_2015 } else { Profile::V1_2025 };
            let mut store = Memory::default();
            let mut files = Files::new();
            let mut root = None;
            for batch in batches {
                let edits: BTreeMap<_, _> =
                    batch.into_iter().map(|(path, seed)| (path, seed.map(|seed| some_link(profile, seed, seed)))).collect();
                let result = edit(profile, &mut store, root.as_ref(), &edits);
                let mut after = files.clone();
                for path in edits.keys() {
                    // Removing takes everything below; setting takes the place of what was there.
                    let below = format!("{path}/");
                    after.retain(|file, _| file != path && !file.starts_with(&below));
                }
                for (path, link) in &edits {
                    if let Some(link) = link {
                        after.insert(path.clone(), *link);
                    }
                }
                let clash = after.keys().any(|file| after.keys().any(|other| other.starts_with(&format!("{file}/"))));
                prop_assert_eq!(result.is_err(), clash, "{:?} {:?}", edits, files);
                if let Ok(new) = result {
                    prop_assert_eq!(new, rebuild(profile, &after));
                    root = Some(new);
                    files = after;
                }
            }
        }
    }
}
