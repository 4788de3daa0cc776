//! What rules brought and do not select any more, or what is not there any more: how long it stays, and what goes now.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::plan::{LeavingTag, RulePart, RulePlan};
use super::survey::{Found, Looked, State};
use crate::catalog::images;
use crate::catalog::repositories;
use crate::catalog::rule_images::{self, RuleImage};
use crate::engine::Engine;
use crate::engine::request::Pick;
use crate::error::Result;
use crate::image::{Digest, Tag};
use crate::rules::{Kept, Rule, Rules};
use crate::text::count;

/// What a run knows when it decides what goes.
pub(super) struct Leaving<'a> {
    pub(super) rules: &'a Rules,
    pub(super) looked: &'a [Looked],
    /// Rules of which it is not known what they select: their lists or sources failed or are empty.
    pub(super) unsure: &'a BTreeSet<usize>,
    /// Remove more than half of what a rule brought.
    pub(super) force: bool,
    /// Seconds since 1970.
    pub(super) now: i64,
}

type Place = (String, String);

impl Leaving<'_> {
    /// Fills in what leaves, what is gone, and what goes now; the images that go are returned.
    pub(super) fn decide(&self, engine: &Engine, plan: &mut RulePlan) -> Result<Vec<Pick>> {
        let mut selected: HashMap<Place, &Found> = HashMap::new();
        for found in self.looked.iter().flat_map(|looked| &looked.found) {
            if let Some(tag) = found.tag_or_digest() {
                selected.entry((found.name.to_string(), tag)).or_insert(found);
            }
        }
        let places: HashMap<&str, usize> =
            self.rules.rules.iter().enumerate().map(|(place, rule)| (rule.name.as_str(), place)).collect();
        let reader = engine.catalog.read()?;
        let mut brought: BTreeMap<String, u64> = BTreeMap::new();
        let mut going: BTreeMap<String, Vec<RuleImage>> = BTreeMap::new();
        for row in rule_images::all(&reader)? {
            let place = (row.repository.clone(), row.tag.clone());
            let repository = repositories::by_name(&reader, &row.repository)?;
            let image = match &repository {
                Some(repository) => match row.tag.parse::<Digest>() {
                    Ok(digest) => images::by_digest(&reader, repository.id, &digest)?,
                    Err(_) => images::by_tag(&reader, repository.id, &row.tag)?,
                },
                None => None,
            };
            let found = selected.get(&place);
            let Some(image) = image.filter(|image| image.attached_to.is_none()) else {
                // It was removed by hand, or never came.
                if found.is_none() {
                    plan.forgotten.push(place);
                }
                continue;
            };
            if row.brought {
                *brought.entry(row.rule.clone()).or_default() += 1;
            }
            let place_of_rule = places.get(row.rule.as_str()).copied();
            if place_of_rule.is_some_and(|rule| self.unsure.contains(&rule)) && found.is_none() {
                continue;
            }
            let rule = place_of_rule.map(|rule| &self.rules.rules[rule]);
            let upstream = repository.as_ref().and_then(|repository| repository.upstream.as_ref());
            let is_gone = match found {
                Some(found) => matches!(found.state, State::Gone { .. }),
                None => self.looked.iter().any(|looked| {
                    Some(&looked.upstream) == upstream
                        && looked.listed.as_ref().is_some_and(|listed| !lists(listed, image.followed()))
                }),
            };
            let shown = shown(&row);
            let kept = match (is_gone, rule) {
                (true, Some(rule)) => rule.gone,
                (false, _) if found.is_some() => {
                    if row.leaving_at.is_some() {
                        plan.rows.push(RuleImage { leaving_at: None, ..row });
                    }
                    continue;
                }
                (_, Some(rule)) => rule.leave,
                (_, None) => Rule::default_leave(),
            };
            if !row.brought {
                if found.is_none() {
                    plan.forgotten.push(place);
                }
                continue;
            }
            let since = row.leaving_at.map_or(self.now, |since| since.min(self.now));
            let until = match kept {
                Kept::Always => None,
                Kept::For(period) => Some(since.saturating_add_unsigned(period.seconds())),
            };
            let part = plan.rules.iter_mut().find(|part| part.rule == row.rule);
            if until.is_some_and(|until| until <= self.now) {
                going.entry(row.rule.clone()).or_default().push(row);
                continue;
            }
            if let Some(part) = part {
                let list = if is_gone { &mut part.gone } else { &mut part.leaving };
                list.push(LeavingTag { image: shown, until });
            }
            if row.leaving_at.is_none() {
                plan.rows.push(RuleImage { leaving_at: Some(self.now), ..row });
            }
        }
        Ok(self.braked(going, &brought, plan))
    }

    /// What goes, unless it is more than half of what a rule brought.
    fn braked(
        &self,
        going: BTreeMap<String, Vec<RuleImage>>,
        brought: &BTreeMap<String, u64>,
        plan: &mut RulePlan,
    ) -> Vec<Pick> {
        let mut picks = Vec::new();
        for (rule, rows) in going {
            let number = rows.len() as u64;
            let place = plan.rules.iter().position(|part| part.rule == rule).unwrap_or_else(|| {
                // The rule itself is gone.
                plan.rules.push(RulePart { rule: rule.clone(), ..RulePart::default() });
                plan.rules.len() - 1
            });
            let part = &mut plan.rules[place];
            // What comes in the same run counts: the one image of a rule may make place for its next version.
            let all = brought.get(&rule).copied().unwrap_or_default() + part.new.len() as u64;
            if number * 2 > all && !self.force {
                part.leaving.extend(
                    rows.iter().map(|row| LeavingTag {
                        image: format!("{}:{}", row.repository, row.tag),
                        until: Some(self.now),
                    }),
                );
                part.brake = Some(format!(
                    "{number} of the {} that it brought would go, which is more than half, so nothing is removed",
                    count(all, "image", "images"),
                ));
                continue;
            }
            for row in &rows {
                let digest = row.tag.parse::<Digest>().ok();
                let tag = if digest.is_some() { None } else { row.tag.parse::<Tag>().ok() };
                picks.push(Pick { name: row.repository.clone(), tag, digest });
            }
            part.removed.extend(rows.iter().map(shown));
        }
        picks
    }
}

/// `name:tag` or `name@digest`.
fn shown(row: &RuleImage) -> String {
    let between = if row.tag.contains(':') { '@' } else { ':' };
    format!("{}{between}{}", row.repository, row.tag)
}

fn lists(listed: &BTreeSet<Tag>, followed: Option<&Tag>) -> bool {
    followed.is_none_or(|tag| listed.contains(tag))
}
