//! Roadstead mirrors container images from any OCI registry into a static registry on IPFS: no server, one root CID.
//!
//! Each module is a room of the house that `ARCHITECTURE.md` draws. Arrows point left only, and
//! `tests/suite/house.rs` holds them there:
//!
//! | pure: no I/O, no async | ports and adapters | behaviour | faces |
//! |---|---|---|---|
//! | [`image`], [`unixfs`], [`site`], [`rules`], [`ipns`] | [`registry`], [`store`], [`catalog`], [`config`], [`node`], [`hosts`], [`swarm`], [`naming`], [`hooks`] | [`engine`] | [`cli`], [`tui`], [`serve`] |
//!
//! [`error`], [`text`], [`http`], [`holder`] and [`input`] are known to all of them.

pub mod catalog;
pub mod cli;
pub mod config;
pub mod engine;
pub mod error;
pub mod holder;
pub mod hooks;
pub mod hosts;
pub mod http;
pub mod image;
pub mod input;
pub mod ipns;
pub mod naming;
pub mod node;
pub mod registry;
pub mod rules;
pub mod serve;
pub mod site;
pub mod store;
pub mod swarm;
pub mod text;
pub mod tui;
pub mod unixfs;
