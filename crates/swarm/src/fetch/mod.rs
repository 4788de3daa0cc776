//! Fetching blocks from several peers at once, as decisions: [`scheduler`] for a session, [`peer`] for one of its peers. Pure.

mod peer;
mod scheduler;

pub use peer::PeerReport;
pub(crate) use peer::PeerState;
pub use scheduler::Missing;
pub(crate) use scheduler::{Action, Scheduler};
