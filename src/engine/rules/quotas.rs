//! How much may still be asked of each registry in a run, and in which order it is.
//!
//! What an image takes is known only once it was asked for: its index, its platforms, and what is attached to it. So a registry
//! that has not said what it allows is asked for one image first, and one that allows little is asked for one after the other,
//! the newest first.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::engine::notices::Notices;
use crate::image::Upstream;

/// A registry that allows less than so many times what is estimated is asked for one image after the other.
const SHORT_FACTOR: u64 = 2;

/// What to do with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// It is asked for.
    Now,
    /// It waits for the answers to those before it.
    Later,
    /// It waits for the next run.
    Postponed,
}

/// A request, as far as quotas matter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pull<'a> {
    pub(super) rule: usize,
    /// Pulls that the rule leaves for others.
    pub(super) reserve: u32,
    /// None: it costs no pull.
    pub(super) upstream: Option<&'a Upstream>,
    /// Pulls that its platforms take.
    pub(super) pulls: u64,
}

/// The quotas of one run.
pub(super) struct Quotas<'a> {
    notices: &'a Notices,
    /// Registries that were asked for a manifest in this run: what they say of their quotas was heard.
    asked: BTreeSet<String>,
    /// Registries that gave nothing because they were asked too much.
    spent: BTreeSet<String>,
    /// Rules that were told to wait at a registry: what is older does not go before what is newer.
    ended: BTreeSet<(usize, String)>,
    /// Pulls that all that was not asked for yet is estimated to take, by registry.
    waiting: BTreeMap<String, u64>,
    /// Manifests that one image of a repository takes beside its platforms, as many as were seen: attestations, signatures.
    more: HashMap<Upstream, u64>,
    /// Estimated pulls of what is asked for now, by registry.
    taken: BTreeMap<String, u64>,
}

impl<'a> Quotas<'a> {
    pub(super) fn new(notices: &'a Notices) -> Self {
        Self {
            notices,
            asked: BTreeSet::new(),
            spent: BTreeSet::new(),
            ended: BTreeSet::new(),
            waiting: BTreeMap::new(),
            more: HashMap::new(),
            taken: BTreeMap::new(),
        }
    }

    /// Notes that an image of a repository takes so much beside its platforms.
    pub(super) fn note_more(&mut self, upstream: &Upstream, manifests: u64) {
        let known = self.more.entry(upstream.clone()).or_default();
        *known = manifests.max(*known);
    }

    /// Notes that a registry was asked too much.
    pub(super) fn spend(&mut self, registry: &str) {
        self.spent.insert(registry.to_owned());
    }

    /// Adds to what waits.
    pub(super) fn expect(&mut self, pull: Pull<'_>) {
        if let Some(upstream) = pull.upstream {
            *self.waiting.entry(upstream.registry.clone()).or_default() += self.estimate(pull);
        }
    }

    /// The registries of which has to be known what they allow: it is unknown, or may be less than what is wanted.
    pub(super) fn unsure(&self, largest_reserve: u32) -> Vec<String> {
        let enough = |registry: &str, wanted: u64| {
            let least = wanted.saturating_add(u64::from(largest_reserve));
            self.notices.pulls_left(registry).is_some_and(|left| left >= least)
        };
        let unsure = self.waiting.iter().filter(|(registry, wanted)| **wanted > 0 && !enough(registry, **wanted));
        unsure.map(|(registry, _)| registry.clone()).collect()
    }

    /// Begins with the next ones that are asked for at the same time.
    pub(super) fn begin(&mut self) {
        self.asked.extend(std::mem::take(&mut self.taken).into_keys());
    }

    /// What to do with the next request.
    pub(super) fn admit(&mut self, pull: Pull<'_>) -> Admission {
        let Some(upstream) = pull.upstream else { return Admission::Now };
        let registry = &upstream.registry;
        let (estimate, taken) = (self.estimate(pull), self.taken.get(registry).copied());
        let admission = self.judge(pull, registry, estimate, taken);
        if admission != Admission::Later {
            let waiting = self.waiting.entry(registry.clone()).or_default();
            *waiting = waiting.saturating_sub(estimate);
        }
        match admission {
            Admission::Now => *self.taken.entry(registry.clone()).or_default() += estimate,
            Admission::Postponed => {
                self.ended.insert((pull.rule, registry.clone()));
            }
            Admission::Later => {}
        }
        admission
    }

    fn judge(&self, pull: Pull<'_>, registry: &str, estimate: u64, taken: Option<u64>) -> Admission {
        if self.spent.contains(registry) || self.ended.contains(&(pull.rule, registry.to_owned())) {
            return Admission::Postponed;
        }
        let Some(left) = self.notices.pulls_left(registry) else {
            let is_first = !self.asked.contains(registry) && taken.is_some();
            return if is_first { Admission::Later } else { Admission::Now };
        };
        let room = left.saturating_sub(u64::from(pull.reserve));
        let waiting = self.waiting.get(registry).copied().unwrap_or_default();
        match taken {
            None if room < estimate => Admission::Postponed,
            // What they take is known when they are answered.
            Some(taken) if room < (taken + waiting).saturating_mul(SHORT_FACTOR) => Admission::Later,
            _ => Admission::Now,
        }
    }

    fn estimate(&self, pull: Pull<'_>) -> u64 {
        let more = pull.upstream.and_then(|upstream| self.more.get(upstream)).copied();
        pull.pulls + more.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::{Observer as _, Quota};

    fn quota(notices: &Notices, remaining: u64) {
        notices.quota("docker.io", Quota { limit: 100, remaining, window: None });
    }

    fn pull(rule: usize, upstream: &Upstream, pulls: u64) -> Pull<'_> {
        Pull { rule, reserve: 10, upstream: Some(upstream), pulls }
    }

    #[test]
    fn a_registry_that_has_not_said_what_it_allows_is_asked_for_one_image_first() {
        let notices = Notices::default();
        let nginx = "nginx:1".parse::<crate::image::Reference>().unwrap().upstream;
        let mut quotas = Quotas::new(&notices);
        (0..3).for_each(|_| quotas.expect(pull(0, &nginx, 2)));
        assert_eq!(quotas.unsure(10), ["docker.io"]);
        assert_eq!(quotas.admit(pull(0, &nginx, 2)), Admission::Now);
        assert_eq!(quotas.admit(pull(0, &nginx, 2)), Admission::Later);
        // It says nothing of a quota, and then it has none.
        quotas.begin();
        assert_eq!(quotas.admit(pull(0, &nginx, 2)), Admission::Now);
        assert_eq!(quotas.admit(pull(0, &nginx, 2)), Admission::Now);
    }

    #[test]
    fn what_is_reserved_stays_and_older_ones_do_not_overtake() {
        let notices = Notices::default();
        let nginx = "nginx:1".parse::<crate::image::Reference>().unwrap().upstream;
        let mut quotas = Quotas::new(&notices);
        quotas.note_more(&nginx, 1);
        (0..4).for_each(|_| quotas.expect(pull(0, &nginx, 2)));
        quota(&notices, 17);
        assert_eq!(quotas.admit(pull(0, &nginx, 2)), Admission::Now);
        assert_eq!(quotas.admit(pull(0, &nginx, 2)), Admission::Later, "little is left");
        quotas.begin();
        quota(&notices, 12);
        assert_eq!(quotas.admit(pull(0, &nginx, 2)), Admission::Postponed, "with what is attached to it it takes 3");
        quota(&notices, 100);
        assert_eq!(quotas.admit(pull(0, &nginx, 1)), Admission::Postponed);
        // Another rule leaves less.
        quota(&notices, 12);
        assert_eq!(quotas.admit(Pull { reserve: 0, ..pull(1, &nginx, 2) }), Admission::Now);
        quotas.begin();
        quotas.spend("docker.io");
        assert_eq!(quotas.admit(Pull { reserve: 0, ..pull(1, &nginx, 2) }), Admission::Postponed);
    }
}
