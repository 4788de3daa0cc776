//! The program as an IPFS node of its own: what is published to it is given out by `serve`, straight from the blob store.
//!
//! | file | knows |
//! |---|---|
//! | `keys`, `names` | the keys of this data directory, and the IPNS records that are signed with them |
//! | `node` | how publishing uses it: nothing is handed over, a pin is a row |
//! | `index` | which blocks the pinned roots consist of, and where their bytes are |
//! | `published` | the blocks that may be given out now, as pins come and go |
//! | `withdraw` | what is given out no longer as targets go |
//! | `serving` | which processes give them out, and how far they can be reached |
//! | `giver`, `delegates` | how a pinning service fetches from it, and whom it connects to for that |
//! | `report` | that, the record of a name, followers and peers in words |

mod delegates;
mod giver;
mod index;
mod keys;
mod names;
mod node;
mod provide;
mod published;
pub mod report;
mod serving;
#[cfg(test)]
mod tests;
mod withdraw;

pub use delegates::Delegates;
pub(in crate::engine) use giver::OwnGiver;
pub use keys::{OWN_KEY, OwnKey};
pub use names::{NameState, OwnName, RecordState};
pub use node::{OwnNode, own_agent};
pub use published::{PieceRead, PublishedBlocks};
pub use serving::{SERVE_HINT, SeenFollower, Serving, ServingNote, TakingAddress, TakingPeer};
pub(in crate::engine) use withdraw::{only_of, withdraw_unwanted};
