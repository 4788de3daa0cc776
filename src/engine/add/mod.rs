//! Mirroring images: from what is asked for to a plan, and from the plan to rows and blobs.

pub(in crate::engine) mod apply;
pub(in crate::engine) mod asked;
pub(in crate::engine) mod attached;
pub(in crate::engine) mod closure;
mod currency;
pub(in crate::engine) mod fetch;
pub(in crate::engine) mod kept_manifests;
pub(in crate::engine) mod names;
pub(in crate::engine) mod placed;
pub(in crate::engine) mod resolve;
mod transport;
mod upstream_tags;
