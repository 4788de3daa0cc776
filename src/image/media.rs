//! The media types this program knows, by their names in the specifications.

/// Media type of an OCI index (image specification, "OCI Image Index").
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Media type of an OCI manifest (image specification, "OCI Image Manifest").
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of a Docker manifest list (schema 2), Docker's form of an index.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Docker image manifest V2, schema 2.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker image manifest V2, schema 1, signed: what the gateway view holds.
pub const SCHEMA1_SIGNED: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";
/// Docker image manifest V2, schema 1, without signature.
pub const SCHEMA1: &str = "application/vnd.docker.distribution.manifest.v1+json";
/// Configuration of an OCI image.
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Configuration of a Docker image.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// The empty descriptor's type (OCI image spec 1.1, "Guidance for an empty descriptor").
pub const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// The manifest types that are mirrored, each with its directory below `oci/types/`.
pub const MANIFEST_TYPES: [(&str, &str); 4] = [
    (OCI_INDEX, "oci-index"),
    (OCI_MANIFEST, "oci-manifest"),
    (DOCKER_LIST, "docker-list"),
    (DOCKER_MANIFEST, "docker-manifest"),
];

/// The directory below `oci/types/` for a manifest type.
pub fn slug(media_type: &str) -> Option<&'static str> {
    MANIFEST_TYPES.iter().find(|(known, _)| *known == media_type).map(|(_, slug)| *slug)
}

/// Whether this type is an index or a manifest list.
pub fn is_index(media_type: &str) -> bool {
    matches!(media_type, OCI_INDEX | DOCKER_LIST)
}

/// Whether this type is a manifest of any known kind, index or image.
pub fn is_manifest(media_type: &str) -> bool {
    slug(media_type).is_some()
}

/// Whether a layer of this type may not be redistributed ("foreign" layers, fetched from `urls`).
pub fn is_foreign_layer(media_type: &str) -> bool {
    media_type.contains(".foreign.") || media_type.contains(".nondistributable.")
}

/// A `Content-Type` header without its parameters, lowercased.
pub fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
