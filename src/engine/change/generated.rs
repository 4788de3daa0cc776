//! What a change writes: files that are generated, and the paths of the tree that get others.

use std::collections::BTreeMap;

use crate::catalog::settings::Settings;
use crate::catalog::{Writer, blobs};
use crate::error::Result;
use crate::image::Digest;
use crate::unixfs::{Link, file};

/// Edits of the tree by path.
pub(in crate::engine) type Edits = BTreeMap<String, Option<Link>>;

/// A generated file: recorded with its bytes, so that the tree can be exported.
pub(in crate::engine) fn generated(writer: &Writer<'_>, settings: &Settings, bytes: &[u8]) -> Result<Link> {
    let digest = Digest::of(bytes);
    if let Some(known) = blobs::by_digest(writer, &digest)?.filter(|known| known.inline) {
        return Ok(known.link);
    }
    let (link, leaves) = file::of_bytes(settings.profile, bytes);
    blobs::record(
        writer,
        &blobs::NewBlob { digest, size: bytes.len() as u64, link, leaves: &leaves, bytes: Some(bytes) },
    )?;
    Ok(link)
}
