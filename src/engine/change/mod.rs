//! Changing the catalog: rows, the tree that follows from them, and the way back.

pub(in crate::engine) mod gateway_view;
pub(in crate::engine) mod generated;
pub(in crate::engine) mod image_change;
pub(in crate::engine) mod nested;
pub(in crate::engine) mod pages;
pub(in crate::engine) mod record;
mod remove;
pub(in crate::engine) mod settle;
mod tag_rows;
pub(in crate::engine) mod touched;
pub(in crate::engine) mod tree;
pub mod undo;
