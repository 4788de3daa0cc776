//! Blobs on disk: each once, named by its digest, verified before it gets its name.
//!
//! Knows files, locks, disks that fill up, and processes that are killed. Must not know where bytes come from, what is
//! in them, or which of them are still needed: the caller says so. All of it blocks; nothing here is async.
//!
//! ```text
//! DIR/blobs/sha256/<hex>    verified, read-only (0444): hard links to these files hang in exported trees
//! DIR/partial/<hex>         what was received so far of a blob; locked by the process that writes it
//! ```
//!
//! Directories are 0755 and files 0644 as far as the user's umask allows. Both folders are on one file system, so that
//! a blob gets its name by one rename. What was renamed survives a power cut once [`Store::sync_directory`] returned.

mod blobs;
mod disk;
mod flusher;
mod leaves;
mod link_out;
mod partial;
mod stamp;
mod survey;
mod verify;
mod writer;

pub use blobs::Store;
pub use link_out::LinkKind;
pub use stamp::Stamp;
pub use survey::Survey;
pub use verify::Verdict;
pub use writer::Writer;

#[cfg(test)]
mod tests;
