//! What a path means in an image: links are followed within it, as a container would.

use std::collections::VecDeque;

use super::layer::{Entry, FileKind, parts};
use super::tree::{NodeId, Present, Tree};
use crate::error::{Error, Kind, Result};
use crate::text::printable_within;

/// Links that are followed for one path, as Linux does (`MAXSYMLINKS`).
const MAX_LINKS: usize = 40;

/// Where the content of a file is.
#[derive(Debug, Clone, Copy)]
pub struct StoredFile<'t> {
    /// Layer that has it, from 0.
    pub layer: usize,
    /// The regular file.
    pub entry: &'t Entry,
}

impl Tree {
    /// The path in the image as of a layer, links followed.
    pub fn resolve(&self, path: &str, layer: usize) -> Result<NodeId> {
        let shown = || printable_within(path, 200);
        let mut todo: VecDeque<String> = parts(path).map(str::to_owned).collect();
        let (mut at, mut links) = (Self::ROOT, 0);
        while let Some(name) = todo.pop_front() {
            // A name that is `..` itself is only in archives that mean harm.
            if name == ".." {
                at = self.parent(at);
                continue;
            }
            let child = self.child(at, &name).and_then(|child| Some((child, self.at(child, layer)?)));
            let Some((child, file)) = child else {
                return Err(Error::new(Kind::NotFound, format!("there is no {} in it", shown())));
            };
            let link = match file {
                Present::Entry(_, Entry { kind: FileKind::Symlink, link: Some(link), .. }) => link.to_string(),
                _ => {
                    at = child;
                    continue;
                }
            };
            links += 1;
            if links > MAX_LINKS {
                return Err(Error::new(Kind::Usage, format!("{} leads through more than {MAX_LINKS} links", shown())));
            }
            if link.starts_with('/') {
                at = Self::ROOT;
            }
            for part in parts(&link).collect::<Vec<_>>().into_iter().rev() {
                todo.push_front(part.to_owned());
            }
        }
        Ok(at)
    }

    /// The regular file that a path means in the image as of a layer.
    pub fn stored(&self, path: &str, layer: usize) -> Result<StoredFile<'_>> {
        let shown = || printable_within(path, 200);
        let mut file = self.at(self.resolve(path, layer)?, layer);
        // A hard link is another name of a file of its own layer, whatever higher ones make of that path.
        for _ in 0..MAX_LINKS {
            let Some(Present::Entry(layer, Entry { kind: FileKind::HardLink, link: Some(link), .. })) = file else {
                break;
            };
            file = self.find(link).and_then(|target| self.at(target, layer));
        }
        match file {
            Some(Present::Entry(_, entry)) if entry.kind == FileKind::Regular && entry.digest.is_none() => {
                Err(Error::new(Kind::Usage, format!("{} is a sparse file", shown()))
                    .hint("Extract the layer with GNU tar, which can read it."))
            }
            Some(Present::Entry(layer, entry)) if entry.kind == FileKind::Regular => Ok(StoredFile { layer, entry }),
            Some(file) if file.is_directory() => {
                Err(Error::new(Kind::Usage, format!("{} is a directory", shown())).hint("Name a file in it."))
            }
            _ => Err(Error::new(Kind::Usage, format!("{} is not a regular file", shown()))),
        }
    }
}
