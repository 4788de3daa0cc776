//! Questions about the catalog. Nothing here changes it.

pub mod browse;
pub mod content;
pub mod diff;
pub(in crate::engine) mod growth;
pub mod history;
pub(in crate::engine) mod pending;
pub(in crate::engine) mod referrers;
mod show;
pub mod standing;
pub mod view;
