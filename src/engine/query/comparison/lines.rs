//! What differs between two images, line by line, as both faces show it.

use std::collections::BTreeSet;

use super::{ComparedImage, ImageDifference, Layer, PlatformDifference, Setting, SettingDifference};
use super::{PackageChange, PackagesDifference};
use crate::image::Digest;
use crate::text::{bytes, count};

/// Digits of a digest that are shown.
const SHOWN_DIGITS: usize = 12;
/// Columns of what a fact is about.
const LABEL_COLUMNS: usize = 15;
/// A name that is longer moves what stands behind it.
const MAX_NAME_COLUMNS: usize = 32;

/// What a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// The title of what follows.
    Heading,
    /// Something that is no difference.
    Note,
    /// Only the one before has it.
    Removed,
    /// Only the one after has it.
    Added,
    /// Both have it, in another version.
    Changed,
}

/// A line of what differs. The text has its sign and its indentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it says.
    pub sign: Sign,
    /// The text.
    pub text: String,
}

/// What differs, in lines. `arrow` stands between what was and what is.
pub fn lines(difference: &ImageDifference, arrow: &str) -> Vec<Line> {
    let mut lines = Lines { lines: Vec::new(), arrow };
    let width = [&difference.before, &difference.after].map(|side| side.image.chars().count()).into_iter().max();
    let width = width.unwrap_or(0);
    let side =
        |side: &ComparedImage| format!("{:width$}  {}  {:>8}", side.image, short(&side.digest), bytes(side.logical));
    lines.push(Sign::Removed, 0, &side(&difference.before));
    lines.push(Sign::Added, 0, &side(&difference.after));
    if difference.is_empty() {
        lines.blank();
        lines.note("Both are the same image.");
        return lines.lines;
    }
    let (removed, added) = (&difference.platforms_removed, &difference.platforms_added);
    let same: Vec<&str> =
        difference.platforms.iter().filter(|platform| platform.is_empty()).map(|same| same.platform.as_str()).collect();
    if !(removed.is_empty() && added.is_empty() && same.is_empty()) {
        lines.heading("platforms");
        for (sign, platforms) in [(Sign::Removed, removed), (Sign::Added, added)] {
            for platform in platforms {
                lines.push(sign, 2, platform);
            }
        }
        if !same.is_empty() {
            lines.note(&format!("  = {}", same.join(", ")));
        }
    }
    for platform in difference.platforms.iter().filter(|platform| !platform.is_empty()) {
        lines.platform(platform);
    }
    lines.lines
}

/// What differs, in a sentence.
pub fn summary(difference: &ImageDifference) -> String {
    if difference.is_empty() {
        return "Both are the same image.".to_owned();
    }
    let differ = difference.platforms.iter().filter(|platform| !platform.is_empty());
    let platforms = match difference.platforms.len() {
        0 => "No platform in common".to_owned(),
        all => {
            let verb = if all == 1 { "differs" } else { "differ" };
            format!("{} of {} in common {verb}", differ.clone().count(), count(all as u64, "platform", "platforms"))
        }
    };
    // A layer that several platforms have is pulled by each, but is one.
    let all = |layers: fn(&PlatformDifference) -> &Vec<Layer>| -> BTreeSet<(Digest, u64)> {
        let layers = differ.clone().flat_map(|platform| layers(platform).iter());
        layers.map(|layer| (layer.digest, layer.size)).collect()
    };
    let amount = |layers: &BTreeSet<(Digest, u64)>, sign: &str| {
        let size = layers.iter().map(|(_, size)| size).sum();
        (!layers.is_empty())
            .then(|| format!("{sign}{} in {}", bytes(size), count(layers.len() as u64, "layer", "layers")))
    };
    let (coming, going) = (all(|platform| &platform.layers_added), all(|platform| &platform.layers_removed));
    let amounts: Vec<String> = amount(&coming, "+").into_iter().chain(amount(&going, "-")).collect();
    if amounts.is_empty() { format!("{platforms}.") } else { format!("{platforms}: {}.", amounts.join(", ")) }
}

/// `sha256:0123456789ab`.
fn short(digest: &Digest) -> String {
    digest.to_string().chars().take("sha256:".len() + SHOWN_DIGITS).collect()
}

struct Lines<'a> {
    lines: Vec<Line>,
    arrow: &'a str,
}

impl Lines<'_> {
    fn push(&mut self, sign: Sign, indent: usize, text: &str) {
        let letter = match sign {
            Sign::Heading | Sign::Note => "",
            Sign::Removed => "- ",
            Sign::Added => "+ ",
            Sign::Changed => "~ ",
        };
        self.lines.push(Line { sign, text: format!("{:indent$}{letter}{text}", "") });
    }

    fn blank(&mut self) {
        self.push(Sign::Note, 0, "");
    }

    fn note(&mut self, text: &str) {
        self.push(Sign::Note, 0, text);
    }

    fn heading(&mut self, text: &str) {
        self.blank();
        self.push(Sign::Heading, 0, text);
    }

    fn platform(&mut self, platform: &PlatformDifference) {
        let (before, after) = (bytes(platform.before.size), bytes(platform.after.size));
        let sizes = if before == after { after } else { format!("{before} {} {after}", self.arrow) };
        self.heading(&format!("{}, {sizes}", platform.platform));
        self.layers(platform);
        let (old, new) = (short(&platform.before.digest), short(&platform.after.digest));
        if platform.layers_removed.is_empty() && platform.layers_added.is_empty() && platform.configuration.is_empty() {
            // Layers in another order, a history, a time: the digest says that it is another one.
            self.note(&format!("  {:LABEL_COLUMNS$}{old} {} {new}", "manifest", self.arrow));
        }
        if !platform.configuration.is_empty() {
            self.note("  configuration");
            for setting in &platform.configuration {
                self.setting(setting);
            }
        }
        match &platform.packages {
            Some(packages) => self.packages(packages),
            None => self.note("  packages       no SBOMs to compare"),
        }
    }

    fn layers(&mut self, platform: &PlatformDifference) {
        let shared = match platform.layers_shared.as_slice() {
            [] => "none shared".to_owned(),
            layers => {
                let size = layers.iter().map(|layer| layer.size).sum();
                format!("{} shared, {}", layers.len(), bytes(size))
            }
        };
        self.note(&format!("  {:LABEL_COLUMNS$}{shared}", "layers"));
        for (sign, layers) in [(Sign::Removed, &platform.layers_removed), (Sign::Added, &platform.layers_added)] {
            for layer in layers {
                self.push(sign, 4, &format!("{}  {:>8}", short(&layer.digest), bytes(layer.size)));
            }
        }
    }

    fn setting(&mut self, difference: &SettingDifference) {
        let what = match difference.setting {
            Setting::Entrypoint => "entrypoint",
            Setting::Command => "command",
            Setting::User => "user",
            Setting::WorkingDirectory => "directory",
            Setting::Port => "port",
            Setting::Environment => "environment",
            Setting::Label => "label",
        };
        let name = difference.name.as_ref().map_or_else(String::new, |name| format!("{name}="));
        for (sign, value) in [(Sign::Removed, &difference.before), (Sign::Added, &difference.after)] {
            if let Some(value) = value {
                self.push(sign, 4, &format!("{what:11}  {name}{value}"));
            }
        }
    }

    fn packages(&mut self, packages: &PackagesDifference) {
        let formats = if packages.before == packages.after {
            packages.after.to_string()
        } else {
            format!("{} {} {}", packages.before, self.arrow, packages.after)
        };
        let numbers = if packages.is_empty() && packages.same == 0 {
            "none listed".to_owned()
        } else if packages.is_empty() {
            format!("{} the same", packages.same)
        } else {
            let (added, removed) = (packages.added.len(), packages.removed.len());
            format!("{added} added, {removed} removed, {} changed, {} the same", packages.changed.len(), packages.same)
        };
        self.note(&format!("  {:LABEL_COLUMNS$}{numbers} ({formats})", "packages"));
        let all = || packages.removed.iter().chain(&packages.added).chain(&packages.changed);
        let width = all().map(|change| named(change).chars().count()).max().unwrap_or(0).min(MAX_NAME_COLUMNS);
        for (sign, changes) in
            [(Sign::Removed, &packages.removed), (Sign::Added, &packages.added), (Sign::Changed, &packages.changed)]
        {
            for change in changes {
                let name = named(change);
                let versions = |of: &BTreeSet<String>| of.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
                let versions = match sign {
                    Sign::Removed => versions(&change.before),
                    Sign::Changed => format!("{} {} {}", versions(&change.before), self.arrow, versions(&change.after)),
                    _ => versions(&change.after),
                };
                self.push(sign, 4, format!("{name:width$}  {versions}").trim_end());
            }
        }
    }
}

/// `curl (deb)`.
fn named(change: &PackageChange) -> String {
    match &change.package.kind {
        Some(kind) => format!("{} ({kind})", change.package.name),
        None => change.package.name.clone(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::engine::query::comparison::ComparedManifest;
    use crate::image::sbom::{Format, Package};

    fn digest(text: &str) -> Digest {
        Digest::of(text.as_bytes())
    }

    /// Something of everything.
    pub(crate) fn sample() -> ImageDifference {
        let side =
            |tag: &str, logical| ComparedImage { image: format!("library/nginx:{tag}"), digest: digest(tag), logical };
        let manifest = |text: &str, size| ComparedManifest { digest: digest(text), size };
        let layer = |text: &str, size| Layer { digest: digest(text), size };
        let setting = |setting, name: Option<&str>, before: Option<&str>, after: Option<&str>| SettingDifference {
            setting,
            name: name.map(str::to_owned),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        };
        let change = |name: &str, kind: Option<&str>, before: &[&str], after: &[&str]| PackageChange {
            package: Package { name: name.to_owned(), kind: kind.map(str::to_owned) },
            before: before.iter().map(ToString::to_string).collect(),
            after: after.iter().map(ToString::to_string).collect(),
        };
        let platform = |name: &str, before, after| PlatformDifference {
            platform: name.to_owned(),
            before: manifest(before, 71 << 20),
            after: manifest(after, 72 << 20),
            layers_shared: vec![layer("base", 28 << 20)],
            layers_removed: vec![layer("old", 43 << 20)],
            layers_added: vec![layer("new", 44 << 20), layer("small", 900)],
            configuration: vec![
                setting(Setting::Command, None, Some("nginx"), Some("nginx -g 'daemon off;'")),
                setting(Setting::User, None, None, Some("101")),
                setting(Setting::Environment, Some("NGINX_VERSION"), Some("1.27.4"), Some("1.27.5")),
            ],
            packages: None,
        };
        let packages = PackagesDifference {
            before: Format::Spdx,
            after: Format::Spdx,
            added: vec![change("zlib1g", Some("deb"), &[], &["1:1.3"])],
            removed: vec![change("libaom3", Some("deb"), &["3.6.0"], &[])],
            changed: vec![change("a-package-whose-name-is-longer-than-others", None, &["1", "2"], &["2", "3"])],
            same: 148,
        };
        ImageDifference {
            before: side("1.27.4", 142 << 20),
            after: side("1.27.5", 144 << 20),
            platforms_added: vec!["linux/riscv64".to_owned()],
            platforms_removed: vec!["linux/386".to_owned()],
            platforms: vec![
                PlatformDifference { packages: Some(packages), ..platform("linux/amd64", "a", "b") },
                platform("linux/arm64/v8", "c", "c"),
                PlatformDifference {
                    layers_removed: Vec::new(),
                    layers_added: Vec::new(),
                    configuration: Vec::new(),
                    ..platform("linux/s390x", "d", "e")
                },
            ],
        }
    }

    #[test]
    fn what_differs_in_lines_and_in_a_sentence() {
        let difference = sample();
        let lines: Vec<String> = lines(&difference, "->").into_iter().map(|line| line.text).collect();
        insta::assert_snapshot!(format!("{}\n\n{}", lines.join("\n"), summary(&difference)));
    }

    #[test]
    fn the_same_image_and_one_of_another_platform() {
        let sample = sample();
        let nothing = |after| ImageDifference {
            after,
            platforms: Vec::new(),
            platforms_added: Vec::new(),
            platforms_removed: Vec::new(),
            ..sample.clone()
        };
        let same = nothing(sample.before.clone());
        assert_eq!(summary(&same), "Both are the same image.");
        assert_eq!(lines(&same, "->").last().unwrap().text, "Both are the same image.");
        let other = nothing(sample.after.clone());
        assert_eq!(summary(&other), "No platform in common.");
    }
}
