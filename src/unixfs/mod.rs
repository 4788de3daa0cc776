//! TODO-room

pub mod hash;
mod profile;

pub use profile::Profile;
