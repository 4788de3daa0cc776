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

/// What a layer's media type says of what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerKind {
    /// A tar archive of files, compressed or not.
    Files,
    /// Files that only those can read who have the key (containers/ocicrypt, "Encryption of layers").
    Encrypted,
    /// Something else: an artifact's blob.
    Other,
}

/// What is in a layer of this type (OCI image specification, layer.md; Docker image manifest V2, schema 2).
pub fn layer_kind(media_type: &str) -> LayerKind {
    let essence = essence(media_type);
    if essence.ends_with("+encrypted") {
        return LayerKind::Encrypted;
    }
    let is_oci = ["application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.nondistributable.v1.tar"]
        .iter()
        .any(|begin| essence.strip_prefix(begin).is_some_and(|rest| rest.is_empty() || rest.starts_with(['+', '.'])));
    let is_docker =
        ["application/vnd.docker.image.rootfs.diff.tar", "application/vnd.docker.image.rootfs.foreign.diff.tar"]
            .iter()
            .any(|begin| essence.starts_with(begin));
    if is_oci || is_docker { LayerKind::Files } else { LayerKind::Other }
}

/// A `Content-Type` header without its parameters, lowercased.
pub fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_told_from_what_holds_no_files() {
        for (media_type, kind) in [
            ("application/vnd.oci.image.layer.v1.tar", LayerKind::Files),
            ("application/vnd.oci.image.layer.v1.tar+gzip", LayerKind::Files),
            ("application/vnd.oci.image.layer.v1.tar+zstd", LayerKind::Files),
            ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", LayerKind::Files),
            ("application/vnd.docker.image.rootfs.diff.tar.gzip", LayerKind::Files),
            ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", LayerKind::Files),
            ("application/vnd.oci.image.layer.v1.tar+gzip+encrypted", LayerKind::Encrypted),
            ("application/vnd.oci.image.layer.v1.tarball", LayerKind::Other),
            ("application/vnd.dev.cosign.simplesigning.v1+json", LayerKind::Other),
            ("application/spdx+json", LayerKind::Other),
            ("application/vnd.cncf.helm.chart.content.v1.tar+gzip", LayerKind::Other),
        ] {
            assert_eq!(layer_kind(media_type), kind, "{media_type}");
        }
    }
}
