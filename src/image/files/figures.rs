//! What an image's layers hold, and what of it nobody sees.

use std::collections::HashSet;

use super::layer::FileKind;
use super::tree::{NodeId, Present, Tree};

/// An image's files in figures.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Figures {
    /// Regular files of the image.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes of the regular files of all layers: each path once in each layer.
    pub layer_bytes: u64,
    /// Bytes that a higher layer replaces or takes away: all layers' less the image's. With a layer that writes a file once more
    /// as it is, too.
    pub wasted: u64,
    /// Bytes of files of the image that another path of it has as well.
    pub duplicates: u64,
    /// From 0 to 1, as `dive` computes it (wagoodman/dive, dive/filetree/efficiency.go): of each path the smallest size that it has in
    /// any layer, as a part of all sizes that it has. What is taken away has none in the end.
    pub efficiency: f64,
}

/// Bytes that layers hold of a path, and that are not seen in the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waste {
    /// The path.
    pub node: NodeId,
    /// Bytes that are not seen.
    pub bytes: u64,
    /// How many layers have it.
    pub layers: u32,
    /// It is not in the image at all.
    pub is_deleted: bool,
}

impl Tree {
    /// The image in figures, and the paths that waste something, the worst first.
    pub fn figures(&self) -> (Figures, Vec<Waste>) {
        let (mut figures, mut waste) = (Figures::default(), Vec::new());
        let (mut least, mut contents) = (0, HashSet::new());
        for node in (0..self.len()).map(|node| node as NodeId) {
            let (mut all, mut smallest, mut layers, mut last) = (0, u64::MAX, 0, 0);
            for version in self.history(node) {
                last = match version {
                    Some(Present::Entry(_, entry)) if entry.kind == FileKind::Regular => {
                        (all, layers) = (all + entry.size, layers + 1);
                        entry.size
                    }
                    _ => 0,
                };
                // A directory is no version of a file.
                if version.is_none_or(|version| !version.is_directory()) {
                    smallest = smallest.min(last);
                }
            }
            if layers == 0 {
                continue;
            }
            figures.layer_bytes += all;
            figures.bytes += last;
            least += smallest;
            if all > last {
                let is_deleted = self.layers().checked_sub(1).and_then(|top| self.at(node, top)).is_none();
                waste.push(Waste { node, bytes: all - last, layers, is_deleted });
            }
            if let Some(Some(Present::Entry(_, entry))) = self.history(node).last()
                && entry.kind == FileKind::Regular
            {
                figures.files += 1;
                if let Some(digest) = entry.digest.filter(|_| entry.size > 0)
                    && !contents.insert(digest)
                {
                    figures.duplicates += entry.size;
                }
            }
        }
        figures.wasted = figures.layer_bytes - figures.bytes;
        figures.efficiency = if figures.layer_bytes == 0 { 1.0 } else { least as f64 / figures.layer_bytes as f64 };
        waste.sort_by(|one, other| other.bytes.cmp(&one.bytes).then(one.node.cmp(&other.node)));
        (figures, waste)
    }
}
