//! A directory that has been read once: what it holds under some names, then all edits of it in one go.

use std::borrow::Cow;

use super::{Change, Node, NodeStore, basic, broken, check_name, check_size, hamt};
use crate::error::{Error, Kind, Result};
use crate::unixfs::data::NodeKind;
use crate::unixfs::profile::MAX_BASIC_DIRECTORY_BYTES;
use crate::unixfs::{DAG_PB, Link, Profile};

/// The directory's first block, kept from the look-up to the edit.
pub(in crate::unixfs) struct Opened {
    profile: Profile,
    root: Option<Node>,
    sharded: bool,
    cache: hamt::Cache,
}

impl Opened {
    /// A directory that does not exist yet.
    pub(in crate::unixfs) fn new(profile: Profile) -> Self {
        Self { profile, root: None, sharded: false, cache: hamt::Cache::default() }
    }

    /// Reads a directory's first block; `None` if the link leads to no directory of this store.
    pub(in crate::unixfs) fn open(profile: Profile, store: &mut dyn NodeStore, link: &Link) -> Result<Option<Self>> {
        if link.cid.codec() != DAG_PB {
            return Ok(None);
        }
        let Some(root) = store.get(&link.cid)? else { return Ok(None) };
        check_size(&root)?;
        let kind = NodeKind::of(&root.bytes).map_err(|error| error.context(root.cid))?;
        if !kind.is_directory() {
            return Ok(None);
        }
        if root.cid.version() != profile.cid_version() {
            return Err(Error::new(Kind::Usage, format!("directory {} was not made with profile {profile}", root.cid)));
        }
        Ok(Some(Self { profile, sharded: kind == NodeKind::Shard, root: Some(root), cache: hamt::Cache::default() }))
    }

    /// What the directory has under these names, which are sorted.
    pub(in crate::unixfs) fn find(&mut self, store: &mut dyn NodeStore, names: &[&str]) -> Result<Vec<Option<Link>>> {
        match &self.root {
            None => Ok(vec![None; names.len()]),
            Some(root) if self.sharded => {
                names.iter().map(|name| hamt::find(store, &mut self.cache, root, name)).collect()
            }
            Some(root) => basic::find(&root.bytes, names),
        }
    }

    /// Applies changes, sorted by name, and returns the new directory if it has entries.
    pub(in crate::unixfs) fn edit(mut self, store: &mut dyn NodeStore, changes: &[Change<'_>]) -> Result<Option<Link>> {
        for change in changes {
            check_name(change.name)?;
        }
        match self.root.take() {
            Some(root) if self.sharded => self.edit_shards(store, &root, changes),
            root => self.edit_block(store, root.as_ref(), changes),
        }
    }

    fn edit_block(
        &self,
        store: &mut dyn NodeStore,
        root: Option<&Node>,
        changes: &[Change<'_>],
    ) -> Result<Option<Link>> {
        let old = root.map_or(Cow::Borrowed(super::BASIC_DIRECTORY_NODE), |root| Cow::Borrowed(&root.bytes[..]));
        let new = basic::edit(self.profile, &old, changes)?;
        if new.entries == 0 {
            return Ok(None);
        }
        if new.directory_size > MAX_BASIC_DIRECTORY_BYTES {
            let mut entries = Vec::with_capacity(new.entries);
            basic::each(&new.bytes, &mut |name, link| {
                entries.push(hamt::Entry::new(name, link.link()?)?);
                Ok(())
            })?;
            return self.build_shards(store, entries, new.directory_size).map(Some);
        }
        let node = Node {
            cid: self.profile.cid_of_node(&new.bytes),
            tsize: new.bytes.len() as u64 + new.tsize_below,
            bytes: new.bytes,
            directory_size: None,
        };
        if root.is_none_or(|root| root.cid != node.cid) {
            store.put(&node)?;
        }
        Ok(Some(node.link()))
    }

    fn edit_shards(&mut self, store: &mut dyn NodeStore, root: &Node, changes: &[Change<'_>]) -> Result<Option<Link>> {
        let old_size = match root.directory_size {
            Some(size) => size,
            None => self.measure(store, root)?,
        };
        let mut editor = hamt::Editor::new(self.profile, store, &mut self.cache);
        let new = editor.edit_root(root, changes)?;
        let hamt::Edited { written, added, removed } = editor.finish();
        let directory_size = old_size
            .checked_add(added)
            .and_then(|size| size.checked_sub(removed))
            .filter(|&size| size >= self.profile.directory_base())
            .ok_or_else(|| broken("more was removed than it is said to hold"))?;
        let Some(mut new) = new else { return Ok(None) };
        if directory_size > MAX_BASIC_DIRECTORY_BYTES {
            for node in &written {
                store.put(node)?;
            }
            if new.cid != root.cid {
                new.directory_size = Some(directory_size);
                store.put(&new)?;
            }
            return Ok(Some(new.link()));
        }
        // It fits one block again, so its entries are needed after all. They come from the old shards, since the new
        // ones are not kept.
        self.gather(store, root, changes)
    }

    /// Writes the directory of a sharded one's entries and the changes as one block.
    fn gather(&mut self, store: &mut dyn NodeStore, root: &Node, changes: &[Change<'_>]) -> Result<Option<Link>> {
        let mut entries = std::collections::BTreeMap::new();
        hamt::walk(store, &mut self.cache, root, &mut |step| {
            if let hamt::Step::Entry(name, link) = step {
                entries.insert(name.to_owned(), link);
            }
            Ok(())
        })?;
        for change in changes {
            match change.link {
                Some(link) => drop(entries.insert(change.name.to_owned(), link)),
                None => drop(entries.remove(change.name)),
            }
        }
        let all: Vec<_> = entries.iter().map(|(name, &link)| Change { name, link: Some(link) }).collect();
        self.edit_block(store, None, &all)
    }

    /// The estimated size of a sharded directory in bytes, from all its entries.
    fn measure(&mut self, store: &mut dyn NodeStore, root: &Node) -> Result<u64> {
        let mut size = self.profile.directory_base();
        hamt::walk(store, &mut self.cache, root, &mut |step| {
            if let hamt::Step::Entry(name, link) = step {
                size += self.profile.entry_size(name.len(), link.cid.encoded_len(), link.tsize);
            }
            Ok(())
        })?;
        Ok(size)
    }

    fn build_shards(
        &self,
        store: &mut dyn NodeStore,
        entries: Vec<hamt::Entry<'_>>,
        directory_size: u64,
    ) -> Result<Link> {
        let mut root = hamt::build(self.profile, entries, &mut |node| store.put(node))?;
        root.directory_size = Some(directory_size);
        store.put(&root)?;
        Ok(root.link())
    }
}
