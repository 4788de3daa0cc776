//! What waits for somebody to decide: what a run of the rules held, refused, or found to be gone.

use crate::engine::rules::Here;
use crate::engine::rules::plan::RulePart;
use crate::image::{Digest, Tag};
use crate::rules::{Kept, Moves, Rule, Subject};

/// Something that a rule did not do by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Name of the rule.
    pub rule: String,
    /// `name:tag`.
    pub image: String,
    /// What it is about.
    pub about: About,
}

/// Why something waits for a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// It is not old enough before then, in seconds since 1970.
    Held(i64),
    /// It has another digest upstream, and keeps its own here.
    Refused {
        /// The digest here.
        from: Digest,
        /// The digest upstream.
        to: Digest,
    },
    /// It is not there upstream any more, and goes then, if it does.
    Gone(Option<i64>),
    /// These images would go, but are more than half of what the rule brought.
    Braked(Vec<String>),
}

impl Decision {
    /// All that a part of a plan leaves to somebody; it was made then.
    pub fn of(part: &RulePart, at: i64) -> impl Iterator<Item = Self> {
        let made = |image: &String, about| Self { rule: part.rule.clone(), image: image.clone(), about };
        let held = part.held.iter().map(move |held| made(&held.image, About::Held(held.until)));
        let refused = part.refused.iter();
        let refused = refused.map(move |moved| made(&moved.image, About::Refused { from: moved.from, to: moved.to }));
        let gone = part.gone.iter().map(move |gone| made(&gone.image, About::Gone(gone.until)));
        held.chain(refused).chain(gone).chain(Self::braked(part, at))
    }

    /// What would go, were it not so much at once.
    fn braked(part: &RulePart, at: i64) -> Option<Self> {
        part.brake.as_ref()?;
        let due = part.leaving.iter().filter(|leaving| leaving.until.is_none_or(|until| until <= at));
        Self::of_braked(&part.rule, due.map(|leaving| leaving.image.clone()).collect())
    }

    fn of_braked(rule: &str, images: Vec<String>) -> Option<Self> {
        let (first, more) = images.split_first()?;
        let image = if more.is_empty() { first.clone() } else { format!("{first} and {} more", more.len()) };
        Some(Self { rule: rule.to_owned(), image, about: About::Braked(images) })
    }

    /// The images that it is about.
    pub fn images(&self) -> &[String] {
        match &self.about {
            About::Braked(images) => images,
            _ => std::slice::from_ref(&self.image),
        }
    }

    /// Whether it still waits, with the rule as it is now and what is here; what was decided of it otherwise is left out.
    pub fn is_open(&mut self, rule: Option<&Rule>, here: &Here) -> bool {
        let is_here = |image: &str| {
            let place = image.split_once('@').or_else(|| image.rsplit_once(':'));
            place.is_some_and(|(repository, tag)| here.get(repository).is_some_and(|tags| tags.contains(tag)))
        };
        if rule.is_some_and(|rule| self.is_settled_by(rule)) {
            return false;
        }
        match &mut self.about {
            // The rule may be gone, and what it brought be here.
            About::Braked(images) => {
                images.retain(|image| is_here(image));
                let Some(left) = Self::of_braked(&self.rule, std::mem::take(images)) else { return false };
                *self = left;
                true
            }
            About::Gone(_) => rule.is_some() && is_here(&self.image),
            About::Held(_) | About::Refused { .. } => rule.is_some(),
        }
    }

    /// Its tag.
    pub fn tag(&self) -> Option<Tag> {
        self.image.rsplit_once(':').and_then(|(_, tag)| tag.parse().ok())
    }

    /// Whether a rule, as it is now, settles it.
    fn is_settled_by(&self, rule: &Rule) -> bool {
        if matches!(self.about, About::Braked(_)) {
            return rule.leave == Kept::Always;
        }
        let Subject::Repository { tags, .. } = &rule.subject else { return false };
        let excepted = || {
            let tag = self.image.rsplit_once(':').map_or("", |(_, tag)| tag);
            tags.except.iter().any(|pattern| pattern.matches(tag))
        };
        match self.about {
            About::Refused { .. } => rule.moves != Moves::Refuse || excepted(),
            About::Held(_) => rule.age.is_none() || excepted(),
            About::Gone(_) | About::Braked(_) => excepted(),
        }
    }
}
