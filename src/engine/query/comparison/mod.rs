//! What differs between two images: platforms, layers, configuration, and packages where SBOMs of both are here.
//!
//! Knows what the catalog says of an image and reads the SBOMs that were mirrored with it; asks no registry.

mod lines;
mod packages;

#[cfg(test)]
pub(crate) use lines::tests::sample;
pub use lines::{Line, Sign, lines, summary};
pub use packages::{PackageChange, PackagesDifference};

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::Serialize;

use super::view::{ConfigDetails, ImageDetails, LayerDetails, ManifestDetails};
use crate::engine::Engine;
use crate::engine::request::Pick;
use crate::error::Result;
use crate::image::Digest;

/// What differs between two images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImageDifference {
    /// The one that is compared.
    pub before: ComparedImage,
    /// The one that it is compared to.
    pub after: ComparedImage,
    /// Platforms that only `after` has.
    pub platforms_added: Vec<String>,
    /// Platforms that only `before` has.
    pub platforms_removed: Vec<String>,
    /// The platforms that both have, in the order of `after`.
    pub platforms: Vec<PlatformDifference>,
}

/// One of two images that are compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ComparedImage {
    /// `name:tag` or `name@digest`.
    pub image: String,
    /// Digest of its manifest or index.
    pub digest: Digest,
    /// Bytes as clients pull them, all platforms.
    pub logical: u64,
}

/// What differs in a platform that both images have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlatformDifference {
    /// The platform; `content` where there is none.
    pub platform: String,
    /// Manifest and layers before.
    pub before: ComparedManifest,
    /// Manifest and layers after.
    pub after: ComparedManifest,
    /// Layers of both, in the order of `after`.
    pub layers_shared: Vec<Layer>,
    /// Layers that only `before` has.
    pub layers_removed: Vec<Layer>,
    /// Layers that only `after` has.
    pub layers_added: Vec<Layer>,
    /// What its configuration says otherwise.
    pub configuration: Vec<SettingDifference>,
    /// Packages that differ, where an SBOM of each is here.
    pub packages: Option<PackagesDifference>,
}

/// A manifest that is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ComparedManifest {
    /// Digest of the manifest.
    pub digest: Digest,
    /// Bytes of its layers.
    pub size: u64,
}

/// A layer of one of them, or of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Layer {
    /// Digest of the layer.
    pub digest: Digest,
    /// Compressed size in bytes.
    pub size: u64,
}

/// What a configuration is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// What is run.
    Entrypoint,
    /// Arguments of what is run.
    Command,
    /// Who runs it.
    User,
    /// Where it is run.
    WorkingDirectory,
    /// A port that it listens on.
    Port,
    /// A variable of the environment.
    Environment,
    /// A label.
    Label,
}

/// A setting that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingDifference {
    /// What it is about.
    pub setting: Setting,
    /// Of a variable or label, its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it says before, if it is there.
    pub before: Option<String>,
    /// What it says after, if it is there.
    pub after: Option<String>,
}

impl ImageDifference {
    /// Whether both are the same image.
    pub fn is_empty(&self) -> bool {
        self.before.digest == self.after.digest
            && self.platforms_added.is_empty()
            && self.platforms_removed.is_empty()
            && self.platforms.iter().all(PlatformDifference::is_empty)
    }
}

impl PlatformDifference {
    /// Whether it is the same in both.
    pub fn is_empty(&self) -> bool {
        self.before.digest == self.after.digest
    }
}

impl Engine {
    /// What differs between two images. A bare name means its only image, or its tag `latest`.
    pub fn compare_images(&self, before: &Pick, after: &Pick) -> Result<ImageDifference> {
        let (before, after) = (self.show(before)?, self.show(after)?);
        let mut difference = compared(&before, &after);
        let mut shelf = packages::Shelf::default();
        for platform in &mut difference.platforms {
            if platform.is_empty() {
                continue;
            }
            let old = shelf.of(self, &before, platform.before.digest)?;
            let new = if old.is_empty() { Vec::new() } else { shelf.of(self, &after, platform.after.digest)? };
            platform.packages = PackagesDifference::between(&old, &new);
        }
        Ok(difference)
    }
}

/// What differs, without packages.
fn compared(before: &ImageDetails, after: &ImageDetails) -> ImageDifference {
    let (old, new) = (of_platforms(before), of_platforms(after));
    let only = |of: &Platforms<'_>, not: &Platforms<'_>| -> Vec<String> {
        let keys: HashSet<_> = not.iter().map(|(key, _)| key).collect();
        of.iter().filter(|(key, _)| !keys.contains(key)).map(|((platform, _), _)| platform.clone()).collect()
    };
    let was: BTreeMap<_, _> = old.iter().cloned().collect();
    let both = new.iter().filter_map(|(key, manifest)| Some((&key.0, *was.get(key)?, *manifest)));
    ImageDifference {
        before: side(before),
        after: side(after),
        platforms_added: only(&new, &old),
        platforms_removed: only(&old, &new),
        platforms: both.map(|(platform, before, after)| of_platform(platform, before, after)).collect(),
    }
}

fn side(details: &ImageDetails) -> ComparedImage {
    let row = &details.row;
    let image = match &row.tag {
        Some(tag) => format!("{}:{tag}", row.name),
        None => format!("{}@{}", row.name, row.digest),
    };
    ComparedImage { image, digest: row.digest, logical: row.logical }
}

/// Manifests by what they run on. An index may have several for one platform, the first of which is compared with the first.
type Platforms<'a> = Vec<((String, usize), &'a ManifestDetails)>;

fn of_platforms(details: &ImageDetails) -> Platforms<'_> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let is_content = |manifest: &&ManifestDetails| {
        manifest.attests.is_none()
            && (manifest.platform.is_some() || manifest.config.is_some() || !manifest.layers.is_empty())
    };
    let numbered = details.manifests.iter().filter(is_content).map(|manifest| {
        let platform = manifest.platform.as_deref().unwrap_or("content");
        let number = seen.entry(platform).or_default();
        *number += 1;
        ((platform.to_owned(), *number), manifest)
    });
    numbered.collect()
}

fn of_platform(platform: &str, before: &ManifestDetails, after: &ManifestDetails) -> PlatformDifference {
    let digests = |layers: &[LayerDetails]| layers.iter().map(|layer| layer.digest).collect::<HashSet<_>>();
    let (old, new) = (digests(&before.layers), digests(&after.layers));
    let chosen = |layers: &[LayerDetails], among: &HashSet<Digest>, is_in: bool| -> Vec<Layer> {
        let layers = layers.iter().filter(|layer| among.contains(&layer.digest) == is_in);
        layers.map(|layer| Layer { digest: layer.digest, size: layer.size }).collect()
    };
    let manifest = |of: &ManifestDetails| ComparedManifest {
        digest: of.digest,
        size: of.layers.iter().map(|layer| layer.size).sum(),
    };
    let nothing = ConfigDetails::default();
    PlatformDifference {
        platform: platform.to_owned(),
        before: manifest(before),
        after: manifest(after),
        layers_shared: chosen(&after.layers, &old, true),
        layers_removed: chosen(&before.layers, &new, false),
        layers_added: chosen(&after.layers, &old, false),
        configuration: configuration(
            before.config.as_ref().unwrap_or(&nothing),
            after.config.as_ref().unwrap_or(&nothing),
        ),
        packages: None,
    }
}

/// What two configurations say otherwise.
fn configuration(before: &ConfigDetails, after: &ConfigDetails) -> Vec<SettingDifference> {
    let words = |words: &[String]| (!words.is_empty()).then(|| shell_words::join(words));
    let mut found = Vec::new();
    let mut note = |setting, name: Option<&str>, before: Option<String>, after: Option<String>| {
        if before != after {
            found.push(SettingDifference { setting, name: name.map(str::to_owned), before, after });
        }
    };
    note(Setting::Entrypoint, None, words(&before.entrypoint), words(&after.entrypoint));
    note(Setting::Command, None, words(&before.command), words(&after.command));
    note(Setting::User, None, before.user.clone(), after.user.clone());
    note(Setting::WorkingDirectory, None, before.working_directory.clone(), after.working_directory.clone());
    let ports = |of: &ConfigDetails| of.ports.iter().cloned().collect::<BTreeSet<_>>();
    let (old, new) = (ports(before), ports(after));
    for port in old.union(&new) {
        let here = |ports: &BTreeSet<String>| ports.get(port).cloned();
        note(Setting::Port, None, here(&old), here(&new));
    }
    let variables = |of: &ConfigDetails| -> BTreeMap<String, String> {
        let split = |variable: &String| {
            let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
            (name.to_owned(), value.to_owned())
        };
        of.environment.iter().map(split).collect()
    };
    for (setting, old, new) in [
        (Setting::Environment, variables(before), variables(after)),
        (Setting::Label, before.labels.clone(), after.labels.clone()),
    ] {
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names {
            note(setting, Some(name), old.get(name).cloned(), new.get(name).cloned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str) -> Digest {
        Digest::of(text.as_bytes())
    }

    #[test]
    fn a_configuration_is_compared_setting_by_setting() {
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        let before = ConfigDetails {
            entrypoint: words(&["/entry", "a b"]),
            command: words(&["serve"]),
            environment: words(&["A=1", "B=2", "BARE"]),
            user: Some("101".into()),
            ports: words(&["80/tcp", "443/tcp"]),
            labels: [("version".to_owned(), "1".to_owned())].into(),
            ..ConfigDetails::default()
        };
        assert_eq!(configuration(&before, &before), []);
        let after = ConfigDetails {
            entrypoint: words(&["/entry", "a", "b"]),
            command: words(&["serve"]),
            environment: words(&["B=3", "C=a=b", "BARE"]),
            working_directory: Some("/srv".into()),
            ports: words(&["443/tcp", "8080/tcp"]),
            labels: [("version".to_owned(), "2".to_owned())].into(),
            ..ConfigDetails::default()
        };
        let shown = |difference: SettingDifference| {
            let [before, after] = [difference.before, difference.after].map(Option::unwrap_or_default);
            format!("{:?} {}: {before} > {after}", difference.setting, difference.name.unwrap_or_default())
        };
        let found: Vec<String> = configuration(&before, &after).into_iter().map(shown).collect();
        assert_eq!(
            found,
            [
                "Entrypoint : /entry 'a b' > /entry a b",
                "User : 101 > ",
                "WorkingDirectory :  > /srv",
                "Port : 80/tcp > ",
                "Port :  > 8080/tcp",
                "Environment A: 1 > ",
                "Environment B: 2 > 3",
                "Environment C:  > a=b",
                "Label version: 1 > 2",
            ]
        );
    }

    #[test]
    fn layers_are_shared_or_only_in_one() {
        let layer = |name: &str, size| LayerDetails {
            digest: digest(name),
            cid: None,
            media_type: String::new(),
            size,
            shared_with: Vec::new(),
            shared_by: 0,
            created_by: None,
        };
        let manifest = |name: &str, layers| ManifestDetails {
            digest: digest(name),
            cid: String::new(),
            media_type: String::new(),
            size: 0,
            platform: Some("linux/amd64".into()),
            attests: None,
            config: None,
            layers,
        };
        let before = manifest("1", vec![layer("base", 10), layer("old", 3)]);
        let after = manifest("2", vec![layer("base", 10), layer("new", 4), layer("new", 4)]);
        let found = of_platform("linux/amd64", &before, &after);
        let only = |name: &str, size| Layer { digest: digest(name), size };
        assert_eq!(found.layers_shared, [only("base", 10)]);
        assert_eq!(found.layers_removed, [only("old", 3)]);
        assert_eq!(found.layers_added, [only("new", 4), only("new", 4)]);
        assert_eq!((found.before.size, found.after.size, found.is_empty()), (13, 18, false));
    }
}
