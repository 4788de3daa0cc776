//! What came along with an image stays as long as something that was asked for needs what it belongs to.
//!
//! Knows the catalog's rows alone. An attachment may hold the very manifest it belongs to (a registry can send anything), so
//! being held is not enough: the way must end at an image that was asked for.

use std::collections::BTreeSet;

use rusqlite::Connection;

use crate::catalog::images;
use crate::error::Result;
use crate::image::Digest;

/// Whether an image that was asked for, or what came along with one, holds this manifest; images in `gone` don't count.
pub(super) fn is_kept(
    connection: &Connection,
    repository: i64,
    manifest: &Digest,
    gone: &BTreeSet<i64>,
) -> Result<bool> {
    let mut asked = BTreeSet::from([*manifest]);
    let mut todo = vec![*manifest];
    while let Some(manifest) = todo.pop() {
        let mut kept = false;
        images::each_holder(connection, repository, &manifest, |image, attached_to| {
            match attached_to {
                _ if gone.contains(&image) => {}
                None => kept = true,
                Some(subject) => {
                    if asked.insert(subject) {
                        todo.push(subject);
                    }
                }
            }
            !kept
        })?;
        if kept {
            return Ok(true);
        }
    }
    Ok(false)
}
