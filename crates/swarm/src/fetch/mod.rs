//! Fetching blocks from several peers at once: decisions in [`scheduler`], one peer in [`peer`], and what the caller holds in
//! [`session`].

mod peer;
mod scheduler;
mod session;

pub(crate) use peer::PeerState;
pub use scheduler::Missing;
pub(crate) use scheduler::{Action, Scheduler};
pub use session::{FetchOptions, PeerReport, Session};
