//! regctl: pulls by regclient, which asks for a manifest by HEAD first.

use super::{Directory, command, finish, program};
use std::collections::BTreeSet;

/// The digests of everything that regctl copies of an image with all its platforms, over plain HTTP.
#[track_caller]
pub(crate) fn copy(reference: &str) -> BTreeSet<String> {
    let directory = Directory::new();
    let host = reference.split_once('/').map_or(reference, |(host, _)| host);
    let mut regctl = command(program("regctl"), directory.path());
    regctl.args(["image", "copy", "--host", &format!("reg={host},tls=disabled"), reference]);
    regctl.arg(format!("ocidir://{}:1", directory.join("layout").display()));
    finish(&regctl).success();
    let blobs = directory.join("layout").join("blobs");
    super::skopeo::files(&blobs).values().map(|content| crate::images::digest(content)).collect()
}
