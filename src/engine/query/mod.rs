//! Questions about the catalog. Nothing here changes it.

pub mod browse;
pub mod comparison;
pub mod content;
pub mod diff;
pub mod files;
pub(in crate::engine) mod growth;
pub mod history;
pub mod jump;
pub(in crate::engine) mod pending;
pub(in crate::engine) mod referrers;
pub mod save;
mod show;
pub mod standing;
pub mod view;
