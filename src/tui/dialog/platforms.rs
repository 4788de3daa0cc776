//! The platforms to choose from where images are added. Of several images each may have others, and others of them may be chosen.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::plan::AddPlan;

/// Whether something is chosen of several images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tick {
    /// None of the images has it chosen.
    Off,
    /// Some of the images have it chosen, others not.
    Mixed,
    /// Every image has it chosen.
    On,
}

impl Tick {
    /// Of so many of so many.
    pub fn of(some: usize, all: usize) -> Self {
        match some {
            0 => Self::Off,
            some if some < all => Self::Mixed,
            _ => Self::On,
        }
    }

    /// What a key makes of it: what is not chosen of all is chosen of all first.
    #[must_use]
    pub fn turned(self) -> Self {
        if self == Self::On { Self::Off } else { Self::On }
    }
}

/// The platforms, by what was asked for.
#[derive(Debug, Default)]
pub struct Platforms {
    /// Those that the images have; none unless there is a choice.
    pub rows: Vec<(String, Tick)>,
    /// Those that each image has upstream.
    offered: BTreeMap<String, BTreeSet<String>>,
    /// Those that the plan has of each image.
    planned: BTreeMap<String, BTreeSet<String>>,
    /// The user chose some; else the usual ones are.
    pub chose: bool,
}

impl Platforms {
    /// Takes those that a plan's images have; those of images that it lost stay known.
    pub fn take(&mut self, plan: &AddPlan) {
        for image in &plan.images {
            let planned: BTreeSet<String> = image.platforms.iter().cloned().collect();
            let left_out = image.left_out.iter().filter_map(|left| left.platform.clone());
            self.offered.insert(image.request.clone(), planned.iter().cloned().chain(left_out).collect());
            self.planned.insert(image.request.clone(), planned);
        }
        if plan.images.is_empty() {
            return;
        }
        let all: BTreeSet<&String> = self.offered.values().flatten().collect();
        let row = |platform: &String| (platform.clone(), Tick::of(self.planning(platform), self.offering(platform)));
        self.rows = all.into_iter().map(row).collect();
        if self.rows.len() < 2 {
            self.rows.clear();
        }
    }

    /// How many images have this platform.
    pub fn offering(&self, platform: &str) -> usize {
        self.offered.values().filter(|offered| offered.contains(platform)).count()
    }

    fn planning(&self, platform: &str) -> usize {
        self.planned.values().filter(|planned| planned.contains(platform)).count()
    }

    /// How many images there are.
    pub fn images(&self) -> usize {
        self.offered.len()
    }

    /// Chooses a row, or no longer; whether it did: one platform stays chosen.
    pub fn turn(&mut self, at: usize) -> bool {
        let chosen = self.rows.iter().filter(|(_, tick)| *tick != Tick::Off).count();
        let Some((_, tick)) = self.rows.get_mut(at) else { return false };
        if *tick == Tick::On && chosen < 2 {
            return false;
        }
        (*tick, self.chose) = (tick.turned(), true);
        true
    }

    /// Chooses all of them, or what is usual again where all are chosen; whether there is a choice.
    pub fn turn_all(&mut self) -> bool {
        self.chose = self.rows.iter().any(|(_, tick)| *tick != Tick::On);
        if self.chose {
            for (_, tick) in &mut self.rows {
                *tick = Tick::On;
            }
        }
        !self.rows.is_empty()
    }

    /// What is chosen of an image: of what it has, what is chosen of all, and where they differ what the plan has of it. Empty where
    /// nothing was chosen.
    pub fn chosen(&self, request: &str) -> Vec<&str> {
        if !self.chose {
            return Vec::new();
        }
        let (offered, planned) = (self.offered.get(request), self.planned.get(request));
        let is_chosen = |platform: &String, tick| match tick {
            Tick::On => offered.is_none_or(|offered| offered.contains(platform)),
            Tick::Mixed => planned.is_some_and(|planned| planned.contains(platform)),
            Tick::Off => false,
        };
        self.rows.iter().filter(|(platform, tick)| is_chosen(platform, *tick)).map(|(it, _)| it.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::plan::PlannedImage;

    fn platforms() -> Platforms {
        let one = PlannedImage::example("docker.io/h/a:1", &["linux/amd64", "linux/arm64"], &["linux/s390x"]);
        let other = PlannedImage::example("docker.io/h/b:1", &["linux/amd64"], &["linux/arm64"]);
        let mut platforms = Platforms::default();
        platforms.take(&AddPlan { images: vec![one, other], ..AddPlan::default() });
        platforms
    }

    fn ticks(platforms: &Platforms) -> Vec<Tick> {
        platforms.rows.iter().map(|(_, tick)| *tick).collect()
    }

    #[test]
    fn where_images_differ_the_choice_is_mixed_until_it_is_made() {
        let mut platforms = platforms();
        assert_eq!(ticks(&platforms), [Tick::On, Tick::Mixed, Tick::Off]);
        assert!(platforms.chosen("docker.io/h/a:1").is_empty(), "nobody chose");
        // Another choice leaves what differs as it is.
        assert!(platforms.turn(2));
        assert_eq!(platforms.chosen("docker.io/h/a:1"), ["linux/amd64", "linux/arm64", "linux/s390x"]);
        assert_eq!(platforms.chosen("docker.io/h/b:1"), ["linux/amd64"]);
        assert!(platforms.turn(1));
        assert_eq!(platforms.chosen("docker.io/h/b:1"), ["linux/amd64", "linux/arm64"], "of all of them now");
        assert!(platforms.turn(1));
        assert_eq!(platforms.chosen("docker.io/h/a:1"), ["linux/amd64", "linux/s390x"]);
    }

    #[test]
    fn all_are_chosen_at_once_and_the_usual_ones_after_that() {
        let mut platforms = platforms();
        assert!(platforms.turn_all());
        assert_eq!(ticks(&platforms), [Tick::On; 3]);
        assert_eq!(platforms.chosen("docker.io/h/a:1"), ["linux/amd64", "linux/arm64", "linux/s390x"]);
        assert!(platforms.turn_all());
        assert!(platforms.chosen("docker.io/h/a:1").is_empty(), "nothing is chosen: the usual ones are taken");
        assert!(!Platforms::default().turn_all());
    }

    #[test]
    fn one_platform_stays() {
        let mut platforms = platforms();
        assert!(platforms.turn(1) && platforms.turn(1) && !platforms.turn(0));
        assert_eq!(ticks(&platforms), [Tick::On, Tick::Off, Tick::Off]);
    }
}
