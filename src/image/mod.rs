//! What a registry says: references, digests, names, platforms, descriptors and manifests.
//!
//! Pure: bytes and strings in, typed values out. Knows the OCI image specification (v1.1), the OCI distribution
//! specification (v1.1) and Docker's image manifest V2, schema 2. Must not know where bytes come from or where they go.

mod descriptor;
mod digest;
pub mod files;
mod manifest;
pub mod media;
mod name;
pub mod natural;
mod platform;
mod reference;
pub mod sbom;

pub use descriptor::Descriptor;
pub use digest::Digest;
pub use manifest::{Body, Manifest};
pub use name::{RepositoryName, Tag};
pub use platform::{Platform, Selection};
pub use reference::{Reference, Target, Upstream};
/// Which tags are meant, compiled by itself for speed.
pub use roadstead_tags as tags;
