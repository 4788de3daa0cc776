//! The packages of two images, from SBOMs that were mirrored with them: referrers, cosign's tags, BuildKit's attestations.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::Serialize;

use crate::catalog::blobs;
use crate::engine::Engine;
use crate::engine::query::view::ImageDetails;
use crate::error::Result;
use crate::image::sbom::{self, Format, Package, Sbom};
use crate::image::{Body, Digest, Manifest};

/// A larger one is not read.
const MAX_SBOM_BYTES: u64 = 48 << 20;
/// Most documents that are looked at for the SBOMs of one manifest.
const MAX_DOCUMENTS: usize = 32;

/// Packages that differ between two SBOMs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackagesDifference {
    /// Format of the SBOM before.
    pub before: Format,
    /// Format of the SBOM after.
    pub after: Format,
    /// Packages that only `after` has.
    pub added: Vec<PackageChange>,
    /// Packages that only `before` has.
    pub removed: Vec<PackageChange>,
    /// Packages of other versions.
    pub changed: Vec<PackageChange>,
    /// How many are the same in both.
    pub same: u64,
}

/// A package that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackageChange {
    /// What it is called.
    #[serde(flatten)]
    pub package: Package,
    /// Its versions before.
    pub before: BTreeSet<String>,
    /// Its versions after.
    pub after: BTreeSet<String>,
}

impl PackagesDifference {
    /// What differs between the SBOMs of two images. Of each there may be several; two of one format are rather compared, since
    /// each format has its own way to name packages.
    pub(super) fn between(before: &[Arc<Sbom>], after: &[Arc<Sbom>]) -> Option<Self> {
        let pairs = || before.iter().flat_map(|old| after.iter().map(move |new| (old, new)));
        let (old, new) = pairs().find(|(old, new)| old.format == new.format).or_else(|| pairs().next())?;
        let mut found = Self {
            before: old.format,
            after: new.format,
            added: Vec::new(),
            removed: Vec::new(),
            changed: Vec::new(),
            same: 0,
        };
        let packages: BTreeSet<&Package> = old.packages.keys().chain(new.packages.keys()).collect();
        for package in packages {
            let (was, is) = (old.packages.get(package), new.packages.get(package));
            let list = match (was, is) {
                (None, _) => &mut found.added,
                (_, None) => &mut found.removed,
                (Some(was), Some(is)) if was == is => {
                    found.same += 1;
                    continue;
                }
                _ => &mut found.changed,
            };
            let versions = |of: Option<&BTreeSet<String>>| of.cloned().unwrap_or_default();
            list.push(PackageChange { package: package.clone(), before: versions(was), after: versions(is) });
        }
        Some(found)
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// SBOMs that were read: one may be of all platforms.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    read: HashMap<Digest, Option<Arc<Sbom>>>,
}

impl Shelf {
    /// The SBOMs of a manifest of this image, its own before those of the whole image; one of each format.
    pub(super) fn of(&mut self, engine: &Engine, details: &ImageDetails, manifest: Digest) -> Result<Vec<Arc<Sbom>>> {
        let mut found: BTreeMap<bool, Arc<Sbom>> = BTreeMap::new();
        let attested = details.manifests.iter().filter(|other| other.attests == Some(manifest));
        let mut documents: Vec<(Digest, u64)> = attested
            .flat_map(|other| other.layers.iter().filter(|layer| is_json(&layer.media_type)))
            .map(|layer| (layer.digest, layer.size))
            .collect();
        let top = details.row.digest;
        for subject in if manifest == top { vec![manifest] } else { vec![manifest, top] } {
            for attached in details.attached.iter().filter(|attached| attached.subject == subject) {
                if documents.len() >= MAX_DOCUMENTS {
                    break;
                }
                documents.extend(layers(engine, attached.digest)?);
            }
        }
        for (digest, size) in documents.into_iter().take(MAX_DOCUMENTS) {
            let read = match self.read.entry(digest) {
                Entry::Occupied(read) => read.into_mut(),
                Entry::Vacant(place) => {
                    let bytes = engine.stored_within(MAX_SBOM_BYTES, &digest, size)?;
                    place.insert(bytes.and_then(|bytes| sbom::read(&bytes)).map(Arc::new))
                }
            };
            if let Some(sbom) = read {
                found.entry(sbom.format == Format::CycloneDx).or_insert_with(|| Arc::clone(sbom));
            }
            if found.len() == 2 {
                break;
            }
        }
        Ok(found.into_values().collect())
    }
}

/// What a manifest that is attached to an image consists of, as far as it may be an SBOM.
fn layers(engine: &Engine, manifest: Digest) -> Result<Vec<(Digest, u64)>> {
    let reader = engine.catalog.read()?;
    let Some(row) = blobs::by_digest(&reader, &manifest)?.filter(|blob| blob.inline) else { return Ok(Vec::new()) };
    let manifest = Manifest::parse(&blobs::bytes(&reader, row.id)?, None)?;
    let Body::Image { layers, .. } = manifest.body else { return Ok(Vec::new()) };
    let documents = layers.iter().filter(|layer| is_json(&layer.media_type));
    Ok(documents.map(|layer| (layer.digest, layer.size)).collect())
}

/// `application/spdx+json`, `text/spdx+json`, `application/vnd.in-toto+json`.
fn is_json(media_type: &str) -> bool {
    let bare = media_type.split(';').next().unwrap_or_default().trim_end();
    bare.ends_with("json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sbom(format: Format, packages: &[(&str, &[&str])]) -> Arc<Sbom> {
        let package = |name: &str| Package { name: name.to_owned(), kind: None };
        let packages = packages
            .iter()
            .map(|(name, versions)| (package(name), versions.iter().map(ToString::to_string).collect()))
            .collect();
        Arc::new(Sbom { format, packages })
    }

    #[test]
    fn packages_come_go_and_change() {
        let before = sbom(Format::Spdx, &[("a", &["1"]), ("b", &["1", "2"]), ("c", &["1"])]);
        let after = sbom(Format::Spdx, &[("b", &["2", "3"]), ("c", &["1"]), ("d", &[])]);
        let found = PackagesDifference::between(&[before], &[after]).unwrap();
        let names = |list: &[PackageChange]| {
            let shown = |change: &PackageChange| {
                format!("{} {:?} {:?}", change.package.name, change.before, change.after).replace('"', "")
            };
            list.iter().map(shown).collect::<Vec<_>>()
        };
        assert_eq!(names(&found.added), ["d {} {}"]);
        assert_eq!(names(&found.removed), ["a {1} {}"]);
        assert_eq!(names(&found.changed), ["b {1, 2} {2, 3}"]);
        assert_eq!((found.same, found.is_empty()), (1, false));
    }

    #[test]
    fn two_of_one_format_are_rather_compared() {
        let (spdx, cyclonedx) = (sbom(Format::Spdx, &[("a", &["1"])]), sbom(Format::CycloneDx, &[("a", &["1"])]));
        let formats = |before: &[Arc<Sbom>], after: &[Arc<Sbom>]| {
            PackagesDifference::between(before, after).map(|found| (found.before, found.after))
        };
        let both = [Arc::clone(&spdx), Arc::clone(&cyclonedx)];
        assert_eq!(formats(&both, std::slice::from_ref(&cyclonedx)), Some((Format::CycloneDx, Format::CycloneDx)));
        assert_eq!(formats(&[spdx], &[cyclonedx]), Some((Format::Spdx, Format::CycloneDx)));
        assert_eq!(formats(&both, &[]), None);
    }
}
