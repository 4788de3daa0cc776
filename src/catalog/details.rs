//! What pages show of images, looked up for a whole page of them at once: a query each would cost more than the page.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};

use cid::Cid;
use rusqlite::{Connection, Row, params};

use super::Writer;
use super::blobs::{cid_column, digest_column};
use super::images::{self, COLUMNS, FROM, Image, gateway_winner, image, tag_column};
use crate::error::Result;
use crate::image::{Digest, Tag, natural};

/// What is shown of one image.
#[derive(Debug, Clone)]
pub struct Details {
    /// CID of its top manifest.
    pub cid: Cid,
    /// Type of its top manifest.
    pub media_type: String,
    /// What it is, if it is no container image.
    pub artifact_type: Option<String>,
    /// CIDs of all manifests of the image, the top one among them.
    pub manifests: HashMap<Digest, Cid>,
    /// Platforms that are here, in the order that they were recorded.
    pub platforms: Vec<PlatformDetails>,
    /// Manifests of the repository that are about one of its manifests, by their `subject`.
    pub referrers: Vec<ReferrerDetails>,
    /// Images that came along with one of its manifests.
    pub attached: Vec<AttachedDetails>,
    /// Platforms that were left out.
    pub left_out: BTreeSet<String>,
}

/// One platform of an image.
#[derive(Debug, Clone)]
pub struct PlatformDetails {
    /// Platform as `os/architecture[/variant]`.
    pub platform: String,
    /// Digest of its manifest.
    pub digest: Digest,
    /// CID of its manifest.
    pub cid: Cid,
    /// Bytes of its configuration and layers.
    pub size: u64,
    /// Tag that it wants in the gateway view.
    pub name: Option<String>,
    /// Whether it has that tag: another may have it.
    pub has_its_name: bool,
    /// Why it can't be said there.
    pub reason: Option<String>,
    /// Row of its manifest in the table `blobs`.
    pub manifest: i64,
    /// Row of its manifest in the gateway view.
    pub gateway_manifest: Option<i64>,
}

/// A manifest that is about another one.
#[derive(Debug, Clone)]
pub struct ReferrerDetails {
    /// Type of the artifact, as the referrers API shows it.
    pub artifact_type: Option<String>,
    /// Digest of the referring manifest.
    pub digest: Digest,
    /// CID of the referring manifest as a file.
    pub cid: Cid,
}

/// An image that came along with another.
#[derive(Debug, Clone)]
pub struct AttachedDetails {
    /// The manifest it came along with.
    pub subject: Digest,
    /// Tag, if it was attached by tag.
    pub tag: Option<Tag>,
    /// Digest of its manifest.
    pub digest: Digest,
    /// CID of its manifest.
    pub cid: Cid,
    /// Type of its manifest.
    pub media_type: String,
}

/// What is shown of these images of a repository, by row. One whose manifest is not described is missing.
///
/// `CROSS JOIN` holds the order of the loops: from the few images to what they need, each by an index.
pub fn of(connection: &Connection, repository: i64, ids: &[i64]) -> Result<HashMap<i64, Details>> {
    let rows: Vec<String> = ids.iter().map(i64::to_string).collect();
    let rows = format!("[{}]", rows.join(","));
    let mut all: HashMap<i64, Details> = HashMap::with_capacity(ids.len());
    each(
        connection,
        "SELECT i.id, b.cid, m.media_type, m.artifact_type FROM json_each(?1) j CROSS JOIN images i ON i.id = j.value
         CROSS JOIN blobs b ON b.id = i.manifest CROSS JOIN manifests m ON m.blob = i.manifest WHERE i.repository = ?2",
        (&rows, repository),
        |row| {
            let details = Details {
                cid: cid_column(row, 1)?,
                media_type: row.get(2)?,
                artifact_type: row.get(3)?,
                manifests: HashMap::new(),
                platforms: Vec::new(),
                referrers: Vec::new(),
                attached: Vec::new(),
                left_out: BTreeSet::new(),
            };
            all.insert(row.get(0)?, details);
            Ok(())
        },
    )?;
    each(
        connection,
        "SELECT c.image, b.digest, b.cid FROM json_each(?1) j CROSS JOIN image_contents c ON c.image = j.value AND c.role = 0
         CROSS JOIN blobs b ON b.id = c.blob WHERE c.repository = ?2",
        (&rows, repository),
        |row| {
            if let Some(details) = all.get_mut(&row.get(0)?) {
                details.manifests.insert(digest_column(row, 1)?, cid_column(row, 2)?);
            }
            Ok(())
        },
    )?;
    let winner = gateway_winner("?2", "g.name");
    each(
        connection,
        &format!(
            "SELECT g.image, g.platform, b.digest, b.cid, g.size, g.name, g.reason, coalesce(g.blob = ({winner}), 0), g.manifest, g.blob
             FROM json_each(?1) j CROSS JOIN gateway_manifests g ON g.image = j.value CROSS JOIN blobs b ON b.id = g.manifest
             WHERE g.platform != '' AND g.repository = ?2 ORDER BY g.id"
        ),
        (&rows, repository),
        |row| {
            if let Some(details) = all.get_mut(&row.get(0)?) {
                details.platforms.push(PlatformDetails {
                    platform: row.get(1)?,
                    digest: digest_column(row, 2)?,
                    cid: cid_column(row, 3)?,
                    size: row.get(4)?,
                    name: row.get(5)?,
                    reason: row.get(6)?,
                    has_its_name: row.get(7)?,
                    manifest: row.get(8)?,
                    gateway_manifest: row.get(9)?,
                });
            }
            Ok(())
        },
    )?;
    each(
        connection,
        "SELECT c.image, m.artifact_type, b.digest, b.cid FROM json_each(?1) j
         CROSS JOIN image_contents c ON c.image = j.value AND c.role = 0 CROSS JOIN blobs s ON s.id = c.blob
         CROSS JOIN manifests m ON m.subject = s.digest CROSS JOIN blobs b ON b.id = m.blob
         WHERE EXISTS (SELECT 1 FROM image_contents h WHERE h.blob = m.blob AND h.repository = ?2 AND h.role = 0)",
        (&rows, repository),
        |row| {
            if let Some(details) = all.get_mut(&row.get(0)?) {
                details.referrers.push(ReferrerDetails {
                    artifact_type: row.get(1)?,
                    digest: digest_column(row, 2)?,
                    cid: cid_column(row, 3)?,
                });
            }
            Ok(())
        },
    )?;
    each(
        connection,
        "SELECT c.image, s.digest, a.tag, t.digest, t.cid, m.media_type FROM json_each(?1) j
         CROSS JOIN image_contents c ON c.image = j.value AND c.role = 0 CROSS JOIN blobs s ON s.id = c.blob
         CROSS JOIN images a ON a.repository = ?2 AND a.attached_to = s.digest CROSS JOIN blobs t ON t.id = a.manifest
         LEFT JOIN manifests m ON m.blob = a.manifest",
        (&rows, repository),
        |row| {
            if let Some(details) = all.get_mut(&row.get(0)?) {
                details.attached.push(AttachedDetails {
                    subject: digest_column(row, 1)?,
                    tag: tag_column(row, 2)?,
                    digest: digest_column(row, 3)?,
                    cid: cid_column(row, 4)?,
                    media_type: row.get::<_, Option<String>>(5)?.unwrap_or_default(),
                });
            }
            Ok(())
        },
    )?;
    each(
        connection,
        "SELECT o.image, o.platform FROM json_each(?1) j CROSS JOIN image_omissions o ON o.image = j.value
         CROSS JOIN images i ON i.id = o.image WHERE o.platform IS NOT NULL AND i.repository = ?2",
        (&rows, repository),
        |row| {
            if let Some(details) = all.get_mut(&row.get(0)?) {
                details.left_out.insert(row.get(1)?);
            }
            Ok(())
        },
    )?;
    Ok(all)
}

/// An image by its name on the pages of its repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageName {
    /// Tag, or digest as text.
    pub name: String,
    /// How many rows it needs there.
    pub rows: usize,
    /// Row in the table `images`.
    pub image: i64,
}

/// The image with this name on the pages of a repository. Attached ones have none.
pub fn named(connection: &Connection, repository: i64, name: &str) -> Result<Option<Image>> {
    let found = match name.parse::<Digest>() {
        Ok(digest) => images::by_digest(connection, repository, &digest)?,
        Err(_) => images::by_tag(connection, repository, name)?,
    };
    Ok(found.filter(|image| image.attached_to.is_none()))
}

/// These images of a repository, in the order that they are named in.
pub fn images_of(connection: &Connection, repository: i64, ids: &[i64]) -> Result<Vec<Image>> {
    let rows: Vec<String> = ids.iter().map(i64::to_string).collect();
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} {FROM} WHERE i.id IN (SELECT value FROM json_each(?1)) AND i.repository = ?2"
    ))?;
    let rows = statement.query_map(params![format!("[{}]", rows.join(",")), repository], image)?;
    let mut all: HashMap<i64, Image> = HashMap::with_capacity(ids.len());
    for row in rows {
        let row = row?;
        all.insert(row.id, row);
    }
    Ok(ids.iter().filter_map(|id| all.remove(id)).collect())
}

/// The names on the pages of a repository, in the order that they have there.
pub fn page_names(
    connection: &Connection,
    repository: i64,
    order: fn(&str, &str) -> Ordering,
) -> Result<Vec<PageName>> {
    let mut statement = connection.prepare_cached(
        "SELECT tag, page_rows, id FROM images WHERE repository = ? AND tag IS NOT NULL AND attached_to IS NULL",
    )?;
    let rows = statement
        .query_map([repository], |row| Ok(PageName { name: row.get(0)?, rows: row.get(1)?, image: row.get(2)? }))?;
    let mut all: Vec<PageName> = rows.collect::<Result<_, _>>()?;
    let mut statement = connection.prepare_cached(
        "SELECT b.digest, i.page_rows, i.id FROM images i JOIN blobs b ON b.id = i.manifest
         WHERE i.repository = ? AND i.tag IS NULL AND i.attached_to IS NULL",
    )?;
    let rows = statement.query_map([repository], |row| {
        Ok(PageName { name: digest_column(row, 0)?.to_string(), rows: row.get(1)?, image: row.get(2)? })
    })?;
    for row in rows {
        all.push(row?);
    }
    all.sort_by(|one, other| order(&one.name, &other.name));
    Ok(all)
}

/// The tags of a repository that are this manifest, in the order of pages, attached ones left out.
pub fn tags_of_manifest(connection: &Connection, repository: i64, manifest: i64) -> Result<Vec<String>> {
    let mut statement = connection.prepare_cached(
        "SELECT tag FROM images WHERE manifest = ? AND repository = ? AND tag IS NOT NULL AND attached_to IS NULL",
    )?;
    let rows = statement.query_map([manifest, repository], |row| row.get(0))?;
    let mut all: Vec<String> = rows.collect::<Result<_, _>>()?;
    all.sort_by(|one, other| natural::newest_first(one, other));
    Ok(all)
}

/// Records how many rows an image needs on its page.
pub fn set_page_rows(writer: &Writer<'_>, image: i64, rows: u64) -> Result<()> {
    writer.prepare_cached("UPDATE images SET page_rows = ? WHERE id = ?")?.execute(params![rows, image])?;
    Ok(())
}

fn each(
    connection: &Connection,
    query: &str,
    (images, repository): (&str, i64),
    mut visit: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
) -> Result<()> {
    let mut statement = connection.prepare_cached(query)?;
    let mut rows = statement.query(params![images, repository])?;
    while let Some(row) = rows.next()? {
        visit(row)?;
    }
    Ok(())
}
