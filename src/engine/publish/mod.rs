//! Publishing: hands a root to its targets and moves the names that point to it.
//!
//! [`plan`] says what will happen as values that every face shows; the rest does exactly that. Order: hand over what the node
//! lacks, pin, check, then DNSLink, then IPNS; a failure before the names moved leaves the former publication whole.

pub mod plan;
