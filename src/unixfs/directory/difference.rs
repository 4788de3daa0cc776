//! The entries in which two directories differ, found without reading the shards that they share.

use std::collections::BTreeMap;

use super::hamt::{self, Child};
use super::{Link, Node, NodeKind, NodeStore, basic, broken, kind, load};
use crate::error::Result;

/// What is called when an entry differs: its name, and what it links before and after.
type Visit<'a> = dyn FnMut(&str, Option<Link>, Option<Link>) -> Result<()> + 'a;

/// Visits, by name, every entry that two directories don't link alike; no directory is one without entries. Of two sharded
/// ones only the shards that differ are read.
pub fn difference(
    store: &mut dyn NodeStore,
    before: Option<&Link>,
    after: Option<&Link>,
    visit: &mut Visit<'_>,
) -> Result<()> {
    let mut sides = Sides::default();
    match (before, after) {
        (Some(before), Some(after)) if before.cid == after.cid => return Ok(()),
        (Some(before), Some(after)) => {
            let (old, new) = (load(store, before)?, load(store, after)?);
            match (kind(&old, before)?, kind(&new, after)?) {
                (NodeKind::Shard, NodeKind::Shard) => sides.shards(store, &old, &new, 0, 0)?,
                (old_kind, new_kind) => {
                    gather(store, &old, old_kind, &mut sides.before)?;
                    gather(store, &new, new_kind, &mut sides.after)?;
                }
            }
        }
        (Some(link), None) => {
            let node = load(store, link)?;
            gather(store, &node, kind(&node, link)?, &mut sides.before)?;
        }
        (None, Some(link)) => {
            let node = load(store, link)?;
            gather(store, &node, kind(&node, link)?, &mut sides.after)?;
        }
        (None, None) => {}
    }
    let Sides { before, mut after } = sides;
    let mut changed: BTreeMap<String, (Option<Link>, Option<Link>)> = BTreeMap::new();
    for (name, old) in before {
        match after.remove(&name) {
            Some(new) if new.cid == old.cid => {}
            new => drop(changed.insert(name, (Some(old), new))),
        }
    }
    changed.extend(after.into_iter().map(|(name, new)| (name, (None, Some(new)))));
    changed.iter().try_for_each(|(name, (old, new))| visit(name, *old, *new))
}

type Entries = BTreeMap<String, Link>;

/// The entries that may differ.
#[derive(Default)]
struct Sides {
    before: Entries,
    after: Entries,
}

impl Sides {
    /// Two shards at the same place; `path` holds the slots above in its top bytes.
    fn shards(&mut self, store: &mut dyn NodeStore, old: &Node, new: &Node, level: usize, path: u64) -> Result<()> {
        let (before, after) = (hamt::parse(old)?, hamt::parse(new)?);
        let mut slots: BTreeMap<u8, (Option<&Child<'_>>, Option<&Child<'_>>)> = BTreeMap::new();
        for child in &before {
            slots.entry(child.slot).or_default().0 = Some(child);
        }
        for child in &after {
            slots.entry(child.slot).or_default().1 = Some(child);
        }
        for (slot, pair) in slots {
            let path = path | hamt::place(slot, level);
            match pair {
                (Some(old), Some(new)) if old.name == new.name && old.raw.cid == new.raw.cid => {}
                (Some(Child { name: None, raw: old, .. }), Some(Child { name: None, raw: new, .. })) => {
                    if level + 1 == hamt::MAX_LEVELS {
                        return Err(broken("its shards are deeper than its hashes are long"));
                    }
                    let (old, new) = (load(store, &old.link()?)?, load(store, &new.link()?)?);
                    self.shards(store, &old, &new, level + 1, path)?;
                }
                (old, new) => {
                    for (child, entries) in [(old, &mut self.before), (new, &mut self.after)] {
                        if let Some(child) = child {
                            gather_child(store, child, level, path, entries)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

fn gather_child(
    store: &mut dyn NodeStore,
    child: &Child<'_>,
    level: usize,
    path: u64,
    entries: &mut Entries,
) -> Result<()> {
    let link = child.raw.link()?;
    if let Some(name) = child.name {
        entries.insert(name.to_owned(), link);
        return Ok(());
    }
    if level + 1 == hamt::MAX_LEVELS {
        return Err(broken("its shards are deeper than its hashes are long"));
    }
    let shard = load(store, &link)?;
    hamt::walk_shard(store, &mut hamt::Cache::default(), &shard, level + 1, path, &mut |step| {
        if let hamt::Step::Entry(name, link) = step {
            entries.insert(name.to_owned(), link);
        }
        Ok(())
    })
}

fn gather(store: &mut dyn NodeStore, node: &Node, kind: NodeKind, entries: &mut Entries) -> Result<()> {
    if kind != NodeKind::Shard {
        return basic::list(&node.bytes, &mut |name, link| {
            entries.insert(name.to_owned(), link);
            Ok(())
        });
    }
    hamt::walk(store, &mut hamt::Cache::default(), node, &mut |step| {
        if let hamt::Step::Entry(name, link) = step {
            entries.insert(name.to_owned(), link);
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::Memory;
    use super::super::{edit, shards_of};
    use super::*;
    use crate::unixfs::{Profile, file};

    fn link(text: &str) -> Link {
        file::of_bytes(Profile::default(), text.as_bytes()).0
    }

    fn directory(store: &mut Memory, entries: &BTreeMap<String, Link>, sharded: bool) -> Option<Link> {
        if !sharded || entries.is_empty() {
            let edits = entries.iter().map(|(name, link)| (name.clone(), Some(*link))).collect();
            return edit(Profile::default(), store, None, &edits).unwrap();
        }
        let all = entries.iter().map(|(name, link)| (name.as_str(), *link));
        let mut nodes = Vec::new();
        let root = shards_of(Profile::default(), all, &mut |node| {
            nodes.push(node.clone());
            Ok(())
        })
        .unwrap();
        nodes.push(root.clone());
        for node in &nodes {
            store.put(node).unwrap();
        }
        Some(root.link())
    }

    proptest! {
        /// In every form, what is found is what the sets of entries differ in.
        #[test]
        fn as_the_sets_differ(
            before in prop::collection::btree_map("[a-d]{1,3}", 0..3_u8, 0..40),
            after in prop::collection::btree_map("[a-d]{1,3}", 0..3_u8, 0..40),
            sharded: (bool, bool),
        ) {
            let links = |set: &BTreeMap<String, u8>| -> BTreeMap<String, Link> {
                set.iter().map(|(name, value)| (name.clone(), link(&value.to_string()))).collect()
            };
            let (before, after) = (links(&before), links(&after));
            let mut store = Memory::default();
            let old = directory(&mut store, &before, sharded.0);
            let new = directory(&mut store, &after, sharded.1);
            let mut found = Vec::new();
            difference(&mut store, old.as_ref(), new.as_ref(), &mut |name, old, new| {
                found.push((name.to_owned(), old, new));
                Ok(())
            })
            .unwrap();
            let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            let expected: Vec<_> = names
                .into_iter()
                .map(|name| (name.clone(), before.get(name).copied(), after.get(name).copied()))
                .filter(|(_, old, new)| old != new)
                .collect();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn shared_shards_are_not_read() {
        let mut store = Memory::default();
        let mut entries: BTreeMap<String, Link> =
            (0..20_000).map(|number| (format!("repository-{number}"), link("same"))).collect();
        let old = directory(&mut store, &entries, true).unwrap();
        entries.insert("repository-7".into(), link("other"));
        let new = directory(&mut store, &entries, true).unwrap();
        store.forget_counts();
        let mut names = Vec::new();
        difference(&mut store, Some(&old), Some(&new), &mut |name, _, _| {
            names.push(name.to_owned());
            Ok(())
        })
        .unwrap();
        assert_eq!(names, ["repository-7"]);
        assert!(store.read.len() <= 8, "{} nodes were read", store.read.len());
    }
}
