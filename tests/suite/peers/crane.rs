//! crane: pulls by go-containerregistry, as many tools that are written in Go do.

use super::{Directory, command, finish, program};
use std::collections::BTreeSet;

/// The digests of everything that crane pulls of an image with all its platforms, over plain HTTP.
#[track_caller]
pub(crate) fn pull(reference: &str) -> BTreeSet<String> {
    let directory = Directory::new();
    let layout = directory.join("layout");
    let mut crane = command(program("crane"), directory.path());
    crane.args(["pull", "--insecure", "--format", "oci", reference]).arg(&layout);
    finish(&crane).success();
    super::skopeo::files(&layout.join("blobs")).values().map(|content| crate::images::digest(content)).collect()
}
