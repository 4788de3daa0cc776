//! The layers of an image over one another.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::layer::{self, Entry, FileKind, Layer};
use super::{MAX_FILES, MAX_LAYERS};
use crate::error::{Error, Kind, Result};

/// A path of an image, by its place in the tree. What is above it has a lower one.
pub type NodeId = u32;

/// What a layer makes of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// It takes it away.
    Gone,
    /// A directory that the layer does not name, but that one of its files is in.
    Implied,
    /// A file of the layer, by its place among them.
    Entry(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Version {
    layer: u16,
    what: What,
}

#[derive(Debug)]
struct Node {
    name: Arc<str>,
    parent: NodeId,
    children: BTreeMap<Arc<str>, NodeId>,
    /// What layers make of it, the lowest first, each once.
    versions: Vec<Version>,
}

/// A file at a path, as a layer left it.
#[derive(Debug, Clone, Copy)]
pub enum Present<'t> {
    /// A directory of which no layer says more.
    Implied,
    /// A file of this layer.
    Entry(usize, &'t Entry),
}

impl Present<'_> {
    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        match self {
            Self::Implied => true,
            Self::Entry(_, entry) => entry.kind == FileKind::Directory,
        }
    }
}

/// Every path that any layer of an image has, with what each layer made of it.
///
/// A path below a link is a path in a directory of that name, as overlayfs has it: links are not followed.
#[derive(Debug)]
pub struct Tree {
    nodes: Vec<Node>,
    layers: Vec<Arc<Layer>>,
}

impl Tree {
    /// The root's place.
    pub const ROOT: NodeId = 0;

    /// Puts layers over one another, the lowest first.
    pub fn merge(layers: Vec<Arc<Layer>>) -> Result<Self> {
        Self::merge_within(layers, MAX_FILES)
    }

    pub(super) fn merge_within(layers: Vec<Arc<Layer>>, max_paths: usize) -> Result<Self> {
        if layers.len() > MAX_LAYERS {
            return Err(Error::new(Kind::Usage, format!("it has more than {MAX_LAYERS} layers")));
        }
        let root = Node { name: "".into(), parent: 0, children: BTreeMap::new(), versions: Vec::new() };
        let mut tree = Self { nodes: vec![root], layers: Vec::new() };
        for (number, layer) in layers.iter().enumerate() {
            let number = number as u16;
            // They are about the layers below, wherever in the archive they stand.
            for directory in &layer.opaque {
                if let Some(node) = tree.find(directory) {
                    tree.remove_below(node, number);
                }
            }
            for path in &layer.whiteouts {
                if let Some(node) = tree.find(path) {
                    tree.remove(node, number);
                }
            }
            for (place, entry) in layer.entries.iter().enumerate() {
                tree.add(number, place as u32, entry, layers.as_slice(), max_paths)?;
            }
        }
        tree.layers = layers;
        Ok(tree)
    }

    fn add(&mut self, layer: u16, place: u32, entry: &Entry, layers: &[Arc<Layer>], max_paths: usize) -> Result<()> {
        let mut node = Self::ROOT;
        for name in layer::parts(&entry.path) {
            let is_directory = match self.nodes[node as usize].versions.last() {
                Some(Version { what: What::Implied, .. }) => true,
                Some(Version { what: What::Entry(place), layer }) => {
                    layers[usize::from(*layer)].entries[*place as usize].kind == FileKind::Directory
                }
                Some(Version { what: What::Gone, .. }) | None => false,
            };
            if !is_directory {
                self.set(node, layer, What::Implied);
            }
            node = match self.nodes[node as usize].children.get(name) {
                Some(child) => *child,
                None => self.make(node, name, max_paths)?,
            };
        }
        if entry.kind != FileKind::Directory {
            self.remove_below(node, layer);
        }
        self.set(node, layer, What::Entry(place));
        Ok(())
    }

    fn make(&mut self, parent: NodeId, name: &str, max_paths: usize) -> Result<NodeId> {
        if self.nodes.len() > max_paths {
            return Err(Error::new(Kind::Usage, format!("it has more than {max_paths} paths")));
        }
        let (id, name) = (self.nodes.len() as NodeId, Arc::<str>::from(name));
        self.nodes.push(Node { name: Arc::clone(&name), parent, children: BTreeMap::new(), versions: Vec::new() });
        self.nodes[parent as usize].children.insert(name, id);
        Ok(id)
    }

    fn set(&mut self, node: NodeId, layer: u16, what: What) {
        let versions = &mut self.nodes[node as usize].versions;
        match versions.last_mut() {
            Some(last) if last.layer == layer => last.what = what,
            _ => versions.push(Version { layer, what }),
        }
    }

    fn remove(&mut self, node: NodeId, layer: u16) {
        // What is away has nothing below it any more.
        let is_here = |versions: &[Version]| versions.last().is_some_and(|last| last.what != What::Gone);
        let mut todo = vec![node];
        while let Some(node) = todo.pop() {
            if is_here(&self.nodes[node as usize].versions) {
                self.set(node, layer, What::Gone);
                todo.extend(self.nodes[node as usize].children.values());
            }
        }
    }

    fn remove_below(&mut self, node: NodeId, layer: u16) {
        let children: Vec<NodeId> = self.nodes[node as usize].children.values().copied().collect();
        for child in children {
            self.remove(child, layer);
        }
    }

    /// The path's place, if any layer has it.
    pub fn find(&self, path: &str) -> Option<NodeId> {
        layer::parts(path).try_fold(Self::ROOT, |node, name| self.child(node, name))
    }

    pub(super) fn child(&self, node: NodeId, name: &str) -> Option<NodeId> {
        self.nodes[node as usize].children.get(name).copied()
    }

    /// How many paths there are, the root among them.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether no layer has a file.
    pub fn is_empty(&self) -> bool {
        self.nodes.len() == 1
    }

    /// How many layers there are.
    pub fn layers(&self) -> usize {
        self.layers.len()
    }

    /// The last part of a path; of the root nothing.
    pub fn name(&self, node: NodeId) -> &str {
        &self.nodes[node as usize].name
    }

    /// The directory that it is in; of the root the root.
    pub fn parent(&self, node: NodeId) -> NodeId {
        self.nodes[node as usize].parent
    }

    /// What is in a directory, by name.
    pub fn children(&self, node: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes[node as usize].children.values().copied()
    }

    /// Whether anything was ever in it.
    pub fn has_children(&self, node: NodeId) -> bool {
        !self.nodes[node as usize].children.is_empty()
    }

    /// The whole path, without a slash before it.
    pub fn path(&self, node: NodeId) -> String {
        let (mut names, mut at) = (Vec::new(), node);
        while at != Self::ROOT {
            names.push(self.name(at));
            at = self.parent(at);
        }
        names.reverse();
        names.join("/")
    }

    fn present(&self, version: Version) -> Option<Present<'_>> {
        let layer = usize::from(version.layer);
        match version.what {
            What::Gone => None,
            What::Implied => Some(Present::Implied),
            What::Entry(place) => Some(Present::Entry(layer, &self.layers[layer].entries[place as usize])),
        }
    }

    /// What is at a path once this layer is there, from 0.
    pub fn at(&self, node: NodeId, layer: usize) -> Option<Present<'_>> {
        let versions = self.nodes[node as usize].versions.iter().rev();
        let version = versions.copied().find(|version| usize::from(version.layer) <= layer)?;
        self.present(version)
    }

    /// Whether a layer itself makes anything of a path.
    pub(super) fn is_made_by(&self, node: NodeId, layer: usize) -> bool {
        self.nodes[node as usize].versions.iter().any(|version| usize::from(version.layer) == layer)
    }

    /// Everything that layers ever had at a path, the lowest first; none where one takes it away.
    pub(super) fn history(&self, node: NodeId) -> impl Iterator<Item = Option<Present<'_>>> {
        self.nodes[node as usize].versions.iter().map(|version| self.present(*version))
    }

    /// Every path, a directory before what is in it, in the order of names.
    pub fn walk(&self) -> Walk<'_> {
        self.walk_below(Self::ROOT)
    }

    /// Everything below a path, as [`Tree::walk`] has it.
    pub fn walk_below(&self, node: NodeId) -> Walk<'_> {
        Walk { tree: self, todo: self.nodes[node as usize].children.values().rev().copied().collect() }
    }
}

/// The paths of a tree in order.
#[derive(Debug)]
pub struct Walk<'t> {
    tree: &'t Tree,
    todo: Vec<NodeId>,
}

impl Iterator for Walk<'_> {
    type Item = NodeId;

    fn next(&mut self) -> Option<NodeId> {
        let node = self.todo.pop()?;
        self.todo.extend(self.tree.nodes[node as usize].children.values().rev());
        Some(node)
    }
}
