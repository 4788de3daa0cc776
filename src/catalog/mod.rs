//! The catalog: repositories, tags, manifests, blobs and directory nodes, in SQLite.
//!
//! Knows the schema and nothing of how its rows come about: no network, no blob files, no decisions. A [`Reader`] sees one
//! consistent state; a change is one transaction, and only a [`Writer`] makes one. Queries are functions by table; the
//! tables are explained in `migrations/0001_catalog.sql`.

pub mod blobs;
pub mod browse;
pub mod checked;
mod copy;
mod database;
pub mod details;
pub mod follow;
pub mod follows;
pub mod host_objects;
pub mod images;
pub mod left_blobs;
mod lock;
mod migrations;
pub mod names;
pub mod nodes;
pub mod omissions;
pub mod outbox;
pub mod own_node;
pub mod pages;
pub mod provided;
pub mod publications;
pub mod registries;
pub mod repositories;
pub mod restoring;
pub mod rule_images;
pub mod rule_set;
pub mod search;
pub mod settings;
pub mod sightings;
mod soundness;
pub mod stamps;
pub mod state;
pub mod statistics;
pub mod targets;
pub mod undo;
pub mod unfinished;

pub use copy::TemporaryCopy;
pub use database::{Catalog, Reader, Writer};
pub use lock::PlanLock;
