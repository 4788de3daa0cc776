//! Coming back: a registry that was published becomes a catalog again, or is merged into one.
//!
//! A published tree says all that a catalog holds but its history: records say what was chosen, the native view has every
//! manifest and blob under its digest. So it is a registry, and coming back is adding from it: every byte is
//! verified against its CID by where it comes from, and against its digest by the same way in as any other byte.
//!
//! | file | knows |
//! |---|---|
//! | `place` | what `--from` means |
//! | `name` | which root a domain means |
//! | `tree`, `body`, `directory` | how a tree is read: from blocks in constant memory, or from files |
//! | `records`, `fields` | what a tree says of itself, and what is believed of it |
//! | `partial`, `beside` | how a difference to another root is read, with the catalog behind it |
//! | `plan`, `apply` | what becomes of it, and that it does |
//! | `unfinished` | what has to wait until it is done |
//! | `lazy`, `leaves` | blobs that come when they are needed, and which blocks they have until then |

mod apply;
mod beside;
mod body;
pub(in crate::engine) mod differing;
mod directory;
pub(in crate::engine) mod fields;
pub(in crate::engine) mod lazy;
mod leaves;
mod name;
mod partial;
pub(in crate::engine) mod pieces;
mod place;
mod plan;
pub(in crate::engine) mod records;
mod registry;
pub(in crate::engine) mod tree;
pub(in crate::engine) mod unfinished;

pub use apply::{Left, Returned};
pub use name::{Named, root_of};
pub use place::Place;
pub use plan::{Purpose, ReturnPlan, ReturningImage, ReturningRepository};
pub use records::Records;
