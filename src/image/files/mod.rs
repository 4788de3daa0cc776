//! The files of an image: what each layer's tar archive holds, and what comes of the layers together.
//!
//! [`Layer::read`] walks one archive (POSIX.1-2001 ustar and pax, GNU long names and sparse files) out of a stream, in memory that
//! follows the number of its files and nothing else. [`Tree::merge`] puts the layers of an image over one another by the OCI image
//! specification (layer.md, "Whiteouts"), and a [`Stage`] says what one layer did. Paths are text: none of them is ever used as a
//! path of this machine.

mod archive;
mod figures;
mod layer;
mod lookup;
mod stage;
mod tree;
mod unpack;

#[cfg(test)]
mod tests;

pub use figures::{Figures, Waste};
pub use layer::{Entry, FileKind, Layer, check_footprint, commands};
pub use lookup::StoredFile;
pub use stage::{Stage, Standing, State};
pub use tree::{NodeId, Present, Tree, Walk};
pub use unpack::{Compression, Unpacked};

/// Most files of one layer, and most paths of one image. What `docker` and `podman` unpack every day has a tenth of it.
const MAX_FILES: usize = 500_000;
/// Longest path, and longest target of a link: `PATH_MAX` of Linux.
const MAX_PATH_BYTES: usize = 4096;
/// Bytes of all paths and targets of one layer together.
const MAX_PATHS_BYTES: usize = 64 << 20;
/// Largest pax header, or long name.
const MAX_EXTENSION_BYTES: u64 = 1 << 20;
/// Most bytes that a layer may have once it is decompressed.
const MAX_LAYER_BYTES: u64 = 64 << 30;
/// Most bytes that come of one compressed byte, in a layer that is larger than [`MIN_RATIO_BYTES`].
const MAX_RATIO: u64 = 250;
/// Up to so many bytes a layer may be compressed as well as it likes.
const MIN_RATIO_BYTES: u64 = 1 << 30;
/// Most bytes of memory that the lists of all layers of an image may take: see [`Layer::footprint`].
const MAX_FOOTPRINT_BYTES: usize = 512 << 20;
/// Most layers of an image: overlayfs takes 500 (Linux, Documentation/filesystems/overlayfs.rst).
const MAX_LAYERS: usize = 500;
