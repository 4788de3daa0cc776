//! What rules brought and do not select any more, or what is not there any more: how long it stays, and what goes now.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::doubts::Doubts;
use super::plan::{Going, LeavingTag, RulePlan};
use super::survey::{Found, Looked, State};
use super::wanted::{Wanted, What};
use crate::catalog::images::Image;
use crate::catalog::repositories;
use crate::catalog::rule_images::{self, RuleImage};
use crate::engine::Engine;
use crate::engine::find::image_in;
use crate::error::Result;
use crate::image::{Tag, Upstream};
use crate::rules::{Kept, Rules};
use crate::text::count;

/// What a run knows when it decides what goes.
pub(super) struct Leaving<'a> {
    pub(super) rules: &'a Rules,
    pub(super) wanted: &'a [Wanted],
    pub(super) looked: &'a [Looked],
    /// What it does not know: where a rule may want something, nothing begins to leave and nothing goes.
    pub(super) doubts: Doubts<'a>,
    /// Names of the rules that are run; none: all.
    pub(super) only: &'a [String],
    /// Remove more than half of what a rule brought.
    pub(super) force: bool,
    /// Seconds since 1970.
    pub(super) now: i64,
}

type Place = (String, String);

/// A row whose image is here.
struct Here {
    row: RuleImage,
    image: Image,
    upstream: Option<Upstream>,
}

/// What would go, and when its time was over.
type Ripe = (RuleImage, i64);

impl Leaving<'_> {
    /// Fills in what leaves, what is gone, and what goes now.
    pub(super) fn decide(&self, engine: &Engine, plan: &mut RulePlan) -> Result<()> {
        let mut selected: HashMap<Place, &Found> = HashMap::new();
        for found in self.looked.iter().flat_map(|looked| &looked.found) {
            if let Some(tag) = found.tag_or_digest() {
                selected.entry((found.name.to_string(), tag)).or_insert(found);
            }
        }
        let places: HashMap<&str, usize> =
            self.rules.rules.iter().enumerate().map(|(place, rule)| (rule.name.as_str(), place)).collect();
        let rows = Self::here(engine, &selected, plan)?;
        let still_wanted = self.still_wanted(&rows);
        let mut brought: BTreeMap<String, u64> = BTreeMap::new();
        let mut going: BTreeMap<String, Vec<Ripe>> = BTreeMap::new();
        for Here { row, image, upstream } in rows {
            if row.brought {
                *brought.entry(row.rule.clone()).or_default() += 1;
            }
            let found = selected.get(&(row.repository.clone(), row.tag.clone())).copied();
            // One of another upstream is another image.
            let found = found.filter(|found| upstream.as_ref() == Some(&found.reference.upstream));
            if found.is_some_and(|found| !matches!(found.state, State::Gone { .. })) {
                if row.leaving_at.is_some() {
                    plan.rows.push(RuleImage { leaving_at: None, gone: false, ..row });
                }
                continue;
            }
            let owner = places.get(row.rule.as_str()).copied();
            // What a rule has left behind that is not there any more is looked at with all rules, or by its name.
            if owner.is_none() && !self.only.is_empty() && !self.only.contains(&row.rule) {
                continue;
            }
            let is_open = match owner {
                Some(owner) if self.doubts.about(owner) => true,
                // Told by name and with force: what another rule selected when it ran last is that rule's by now.
                None if self.force && !self.only.is_empty() => {
                    self.doubts.may_be_wanted_by_run(&row.repository, upstream.as_ref())
                }
                _ => self.doubts.may_want(&row.repository, upstream.as_ref()),
            };
            if !row.brought {
                if found.is_none() && !is_open {
                    plan.forgotten.push(row);
                }
                continue;
            }
            let is_gone = if is_open {
                row.gone
            } else {
                let wanted = upstream.as_ref().and_then(|upstream| still_wanted.get(upstream));
                found.is_some() || image.followed().is_some_and(|tag| wanted.is_some_and(|all| all.contains(tag)))
            };
            // Another reason has a time of its own; and no time began in the future.
            let known = row.leaving_at.filter(|_| row.gone == is_gone);
            if is_open && known.is_none() {
                continue;
            }
            let since = known.map_or(self.now, |since| since.min(self.now));
            let kept = match owner.map(|owner| &self.rules.rules[owner]) {
                Some(rule) if is_gone => rule.gone,
                Some(rule) => rule.leave,
                None => self.rules.leave,
            };
            let until = match kept {
                Kept::Always => None,
                Kept::For(period) => Some(since.saturating_add_unsigned(period.seconds())),
            };
            if let Some(until) = until.filter(|until| *until <= self.now && !is_open) {
                going.entry(row.rule.clone()).or_default().push((RuleImage { gone: is_gone, ..row }, until));
                continue;
            }
            leaves(plan, &row, is_gone, until);
            if !is_open && (row.leaving_at, row.gone) != (Some(since), is_gone) {
                plan.rows.push(RuleImage { leaving_at: Some(since), gone: is_gone, ..row });
            }
        }
        self.go(going, &brought, plan);
        Ok(())
    }

    /// The rows whose images are here. Those of others are forgotten, unless a rule selects them.
    fn here(engine: &Engine, selected: &HashMap<Place, &Found>, plan: &mut RulePlan) -> Result<Vec<Here>> {
        let reader = engine.catalog.read()?;
        let mut all = Vec::new();
        for row in rule_images::all(&reader)? {
            let repository = repositories::by_name(&reader, &row.repository)?;
            let image = match &repository {
                Some(repository) => image_in(&reader, repository, &row.tag)?,
                None => None,
            };
            match image.filter(|image| image.attached_to.is_none()) {
                Some(image) => {
                    all.push(Here { row, image, upstream: repository.and_then(|repository| repository.upstream) });
                }
                // It was removed by hand, or never came.
                None if !selected.contains_key(&(row.repository.clone(), row.tag.clone())) => plan.forgotten.push(row),
                None => {}
            }
        }
        Ok(all)
    }

    /// By upstream, the tags of images here that are not listed, and that a rule would select if they were: these are gone. The
    /// others are not selected, whether they are there or not.
    fn still_wanted(&self, rows: &[Here]) -> HashMap<&Upstream, BTreeSet<Tag>> {
        let mut brought: HashMap<&Upstream, BTreeSet<&Tag>> = HashMap::new();
        for Here { image, upstream, .. } in rows.iter().filter(|here| here.row.brought) {
            if let (Some(upstream), Some(tag)) = (upstream, image.followed()) {
                brought.entry(upstream).or_default().insert(tag);
            }
        }
        let mut wanted = HashMap::new();
        for (of, looked) in self.wanted.iter().zip(self.looked) {
            let (Some(listed), Some(brought)) = (&looked.listed, brought.get(&looked.upstream)) else { continue };
            let missing: BTreeSet<&Tag> = brought.iter().copied().filter(|tag| !listed.contains(*tag)).collect();
            if missing.is_empty() {
                continue;
            }
            let names: Vec<&str> = listed.iter().chain(missing.iter().copied()).map(Tag::as_str).collect();
            let held = looked.found.iter().filter(|found| matches!(found.state, State::Held { here: false, .. }));
            let held: BTreeSet<String> = held.filter_map(Found::tag_or_digest).collect();
            let mut still: BTreeSet<Tag> = BTreeSet::new();
            for part in &of.parts {
                let What::Tags(tags) = &part.what else { continue };
                let choice = tags.choose(&names, |tag| held.contains(tag));
                let selected = choice.selected().filter_map(|name| name.parse::<Tag>().ok());
                still.extend(selected.filter(|tag| missing.contains(tag)));
            }
            wanted.insert(&looked.upstream, still);
        }
        wanted
    }

    /// What goes, unless it is more than half of what a rule brought, or something failed.
    fn go(&self, going: BTreeMap<String, Vec<Ripe>>, brought: &BTreeMap<String, u64>, plan: &mut RulePlan) {
        // What only gets more platforms is not new.
        let lacking = self.looked.iter().flat_map(|looked| &looked.found);
        let lacking: BTreeSet<String> =
            lacking.filter(|found| matches!(found.state, State::Lacking)).map(super::requests::shown).collect();
        let has_failed = !plan.add.failed.is_empty();
        for (rule, ripe) in going {
            let number = ripe.len() as u64;
            let part = plan.part(&rule);
            // What comes in the same run counts: the one image of a rule may make place for its next version.
            let new = part.new.iter().filter(|image| !lacking.contains(*image)).count() as u64;
            let all = brought.get(&rule).copied().unwrap_or_default() + new;
            let is_braked = number * 2 > all && !self.force;
            if is_braked {
                let gone =
                    if self.rules.by_name(&rule).is_some() { "" } else { "the rule is not there any more, and " };
                part.brake = Some(format!(
                    "{gone}{number} of the {} that it brought would go, which is more than half, so nothing is removed",
                    count(all, "image", "images"),
                ));
            }
            for (row, until) in ripe {
                if is_braked || has_failed {
                    leaves(plan, &row, row.gone, Some(until).filter(|_| !is_braked));
                    continue;
                }
                plan.part(&rule).removed.push(row.shown());
                plan.going.push(Going::Brought(row));
            }
        }
    }
}

fn leaves(plan: &mut RulePlan, row: &RuleImage, is_gone: bool, until: Option<i64>) {
    let part = plan.part(&row.rule);
    let list = if is_gone { &mut part.gone } else { &mut part.leaving };
    list.push(LeavingTag { image: row.shown(), until });
}
