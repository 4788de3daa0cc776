//! Following: the catalog of an empty data directory becomes the verified copy of a published registry, and stays it.
//!
//! A name says which root is the newest one; who signed that is what is followed, and not who gave the bytes out. From the
//! root that is held to the new one only what differs is read. Everything that the copy is to have is fetched and verified
//! first, while the old root stays and is served; then rows and tree change in one transaction, and only if the root that
//! comes of it is the one that the name says.
//!
//! | file | knows |
//! |---|---|
//! | `setting` | whom to follow, from where, and which blobs are fetched at once |
//! | `sources` | whom that means: gateways, peers, the swarm |
//! | `poll` | which root the name means now, and who says so |
//! | `peers` | which other followers have the root that is taken, or take it |
//! | `known_first` | that blocks which are here are asked of nobody |
//! | `difference` | which records differ between two roots |
//! | `gather` | fetching what the new root needs, beside the old one |
//! | `swap` | the one transaction |
//! | `take` | from a root to the next |
//! | `follower` | looking again and again, and what is kept of that |
//! | `report` | how far it is, in words |

mod difference;
mod follower;
mod gather;
mod known_first;
mod newest;
mod peers;
mod poll;
pub mod report;
mod setting;
mod sources;
mod swap;
mod take;
#[cfg(test)]
mod tests;

pub use follower::{Follower, Following, Look};
pub use newest::NewestSequence;
pub use poll::{Domains, Resolver};
pub use setting::{Followed, Mode, Setting};
pub(in crate::engine) use sources::Sources;
pub use take::Taken;
