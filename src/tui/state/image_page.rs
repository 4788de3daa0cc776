//! How the page of an image is looked at: which platform, which line, what is folded. It stays while one goes from image to
//! image.

use std::collections::BTreeSet;

use crate::engine::query::view::{ImageDetails, ManifestDetails};

/// A part of the page that can be folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// What it is, where it comes from, and where it is published.
    Image,
    /// Its layers, with the steps of the build that made them.
    Layers,
    /// The steps alone, where they do not say which layer they made.
    History,
    /// What runs in a container of it.
    Configuration,
    /// Labels of the configuration.
    Labels,
    /// Signatures, SBOMs and attestations.
    Attached,
    /// What upstream has of it and this catalog has not.
    LeftOut,
    /// What it is in the gateway view.
    Gateway,
    /// Digests and CIDs of all that it consists of.
    Digests,
}

/// What a line of the page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A group.
    Group(Group),
    /// A step of the build in the group of layers, by its number.
    Step(usize),
}

/// State of the page of an image.
#[derive(Debug)]
pub struct ImagePage {
    /// The line under the cursor.
    pub cursor: usize,
    /// Lines that are shown at once: measured by the view that draws them.
    pub height: usize,
    /// The platform that was chosen last, and how many tabs of this name come before it.
    platform: Option<(String, usize)>,
    folded: BTreeSet<Group>,
    unfolded_steps: BTreeSet<usize>,
}

impl Default for ImagePage {
    fn default() -> Self {
        let folded = BTreeSet::from([Group::Gateway, Group::Digests]);
        Self { cursor: 0, height: 0, platform: None, folded, unfolded_steps: BTreeSet::new() }
    }
}

/// The manifests that have a tab: one for each platform, or what has layers where there are no platforms.
pub fn tabs(details: &ImageDetails) -> Vec<&ManifestDetails> {
    let of = |is_one: fn(&ManifestDetails) -> bool| -> Vec<&ManifestDetails> {
        details.manifests.iter().filter(|manifest| manifest.attests.is_none() && is_one(manifest)).collect()
    };
    let platforms = of(|manifest| manifest.platform.is_some());
    if platforms.is_empty() { of(|manifest| !manifest.layers.is_empty()) } else { platforms }
}

impl ImagePage {
    /// The tab that is open of this image: that of the platform that was chosen last, or the first one.
    pub fn tab(&self, tabs: &[&ManifestDetails]) -> usize {
        let Some((name, nth)) = &self.platform else { return 0 };
        let named = || (0..tabs.len()).filter(|place| tabs[*place].platform.as_ref() == Some(name));
        named().nth(*nth).or_else(|| named().next()).unwrap_or(0)
    }

    /// Opens this tab.
    pub fn choose(&mut self, tabs: &[&ManifestDetails], place: usize) {
        let Some(name) = tabs.get(place).and_then(|manifest| manifest.platform.clone()) else { return };
        let nth = tabs[..place].iter().filter(|manifest| manifest.platform.as_ref() == Some(&name)).count();
        self.platform = Some((name, nth));
        self.unfolded_steps.clear();
    }

    /// Whether only the head of a part is shown.
    pub fn is_folded(&self, part: Part) -> bool {
        match part {
            Part::Group(group) => self.folded.contains(&group),
            Part::Step(step) => !self.unfolded_steps.contains(&step),
        }
    }

    /// Folds a part, or unfolds it.
    pub fn fold(&mut self, part: Part, folds: bool) {
        match (part, folds) {
            (Part::Group(group), true) => _ = self.folded.insert(group),
            (Part::Group(group), false) => _ = self.folded.remove(&group),
            (Part::Step(step), true) => _ = self.unfolded_steps.remove(&step),
            (Part::Step(step), false) => _ = self.unfolded_steps.insert(step),
        }
    }

    /// Another image is shown: it begins at its first line, with the same groups.
    pub fn begin(&mut self) {
        self.cursor = 0;
        self.unfolded_steps.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(platform: Option<&str>, attests: bool) -> ManifestDetails {
        let digest = crate::image::Digest::of(platform.unwrap_or_default().as_bytes());
        ManifestDetails {
            digest,
            cid: String::new(),
            media_type: String::new(),
            size: 1,
            platform: platform.map(str::to_owned),
            attests: attests.then_some(digest),
            config: None,
            layers: Vec::new(),
        }
    }

    #[test]
    fn the_platform_that_was_chosen_is_found_again_in_another_image() {
        let all =
            ["linux/amd64", "windows/amd64", "windows/amd64", "linux/arm64"].map(|name| manifest(Some(name), false));
        let all: Vec<&ManifestDetails> = all.iter().collect();
        let fewer = [all[3], all[1]];
        let mut page = ImagePage::default();
        assert_eq!(page.tab(&all), 0);
        page.choose(&all, 2);
        assert_eq!((page.tab(&all), page.tab(&fewer)), (2, 1), "the second of this name, or the only one");
        page.choose(&all, 3);
        assert_eq!((page.tab(&all), page.tab(&fewer), page.tab(&all[..2])), (3, 0, 0));
        assert_eq!(page.tab(&[]), 0);
    }

    #[test]
    fn steps_begin_folded_and_groups_do_as_they_did_in_the_image_before() {
        let mut page = ImagePage::default();
        let (group, step) = (Part::Group(Group::Labels), Part::Step(2));
        assert!(!page.is_folded(group) && page.is_folded(step) && page.is_folded(Part::Group(Group::Digests)));
        page.fold(group, true);
        page.fold(step, false);
        page.cursor = 9;
        assert!(page.is_folded(group) && !page.is_folded(step));
        page.begin();
        assert!(page.is_folded(group) && page.is_folded(step) && page.cursor == 0);
    }
}
