//! Publishing to static hosts, which hold the tree as files: what of it a host lacks, in which order that goes there, and what leaves.
//!
//! | file | knows |
//! |---|---|
//! | `wanted` | the files of a root as a host has them |
//! | `standing` | what a host has of them, by its own list, and whose it is |
//! | `record` | the object that says who publishes there |
//! | `content` | where bytes come from, and uploads that were begun |
//! | `store` | stores what is missing, stage by stage |
//! | `layout` | lays out what is missing as files, for hosts that take whole trees |
//! | `tree` | makes the next tree of it, and switches to it |
//! | `settle` | what nothing needs any more, and what leaves after its time |
//! | `steps` | the steps of a publication, in their order |

mod content;
mod layout;
mod planning;
mod record;
mod settle;
mod standing;
mod steps;
mod store;
mod tree;
mod wanted;

pub(super) use standing::Standing;
pub(in crate::engine) use wanted::{Layout, Wanted, of_root};
