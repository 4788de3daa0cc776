//! Hooks: who is told of what a run did, and who is asked before an image enters.
//!
//! `program` runs a program, `post` and `ping` make a request, `gate` asks a program for its leave, and `deliver` tells what waits.
//! Knows events and hooks (`rules/`), and no catalog: what waits comes through the trait [`Outbox`].

mod deliver;
mod gate;
mod ping;
mod post;
pub mod program;
mod secret;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use deliver::{Delivery, Outbox, Teller, Undelivered, Waiting};
pub use gate::{Asked, Gate, Verdict};
pub use ping::Signal;

/// How long a hook may take for one event, a gate for one image.
pub const HOOK_TIMEOUT: Duration = Duration::from_secs(30);
