//! What waits for somebody to decide: what a run of the rules held, refused, or found to be gone.

use crate::engine::rules::plan::RulePart;
use crate::image::{Digest, Tag};
use crate::rules::{Moves, Rule, Subject};

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
}

impl Decision {
    /// All that a part of a plan leaves to somebody.
    pub fn of(part: &RulePart) -> impl Iterator<Item = Self> {
        let made = |image: &String, about| Self { rule: part.rule.clone(), image: image.clone(), about };
        let held = part.held.iter().map(move |held| made(&held.image, About::Held(held.until)));
        let refused = part.refused.iter();
        let refused = refused.map(move |moved| made(&moved.image, About::Refused { from: moved.from, to: moved.to }));
        held.chain(refused).chain(part.gone.iter().map(move |gone| made(&gone.image, About::Gone(gone.until))))
    }

    /// Its tag.
    pub fn tag(&self) -> Option<Tag> {
        self.image.rsplit_once(':').and_then(|(_, tag)| tag.parse().ok())
    }

    /// Whether a rule, as it is now, settles it.
    pub fn is_settled_by(&self, rule: &Rule) -> bool {
        let Subject::Repository { tags, .. } = &rule.subject else { return false };
        let excepted = || {
            let tag = self.image.rsplit_once(':').map_or("", |(_, tag)| tag);
            tags.except.iter().any(|pattern| pattern.matches(tag))
        };
        match self.about {
            About::Refused { .. } => rule.moves != Moves::Refuse || excepted(),
            About::Held(_) => rule.age.is_none() || excepted(),
            About::Gone(_) => excepted(),
        }
    }
}
