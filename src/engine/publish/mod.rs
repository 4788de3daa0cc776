//! Publishing: hands a root to its targets and moves the names that point to it.
//!
//! [`plan`] says what will happen as values that every face shows; the rest does exactly that. Order: hand over what the node
//! lacks, pin, check, then DNSLink, then IPNS; a failure before the names moved leaves the former publication whole.

mod chain;
mod check;
mod difference;
pub mod found;
mod gateways;
mod handover;
pub(super) mod holders;
mod hosted;
mod names;
mod pins;
mod places;
pub mod plan;
mod planning;
mod run;
mod shared;
mod steps;
pub mod summary;
mod survey;
#[cfg(test)]
mod tests;

pub(super) use hosted::{Layout, Wanted, of_root as hosted_files};
pub(super) use names::{find_key, missing_key, moved as moved_name, names_of};
pub use places::Places;
