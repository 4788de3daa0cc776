//! Planning a run of the rules: looking, and what follows from it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream;
use serde::{Deserialize, Serialize};

use super::doubts::Doubts;
use super::leaving::Leaving;
use super::plan::{Going, HeldTag, MovedTag, Postponed, PostponedTag, RulePart, RulePlan};
use super::requests::{requests, rows, shown};
use super::rule_set::RulesInForce;
use super::sources;
use super::survey::{Found, Looked, State, Survey};
use super::wanted::Wanted;
use crate::catalog::rule_images::FormerImage;
use crate::catalog::{checked, repositories, rule_images, rule_set};
use crate::engine::Engine;
use crate::engine::blocking::in_place;
use crate::engine::find::image_at;
use crate::engine::job::{Event, Job};
use crate::engine::plan::Added;
use crate::engine::request::Pick;
use crate::error::{Error, Result};
use crate::rules::Rules;

/// Repositories that are looked at at the same time.
const MAX_CONCURRENT_REPOSITORIES: usize = 8;

/// What a run is told.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// Names of the rules to run; none: all.
    pub only: Vec<String>,
    /// Remove more than half of what a rule brought, if that is what the rules say.
    pub force: bool,
    /// Where sources with a relative path are, and where their commands run.
    pub base: PathBuf,
    /// Only look: no manifest is fetched, so what comes is not in the plan.
    pub look: bool,
    /// The rules with what was allowed of them, which is checked again before the gate is asked: a checkout may change meanwhile.
    pub trust: Option<RulesInForce>,
}

/// What came of a rule in a run, as the catalog keeps it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RuleOutcome {
    /// Images that it selected.
    pub selected: u64,
    /// Images that came.
    pub new: u64,
    /// Tags that moved.
    pub moved: u64,
    /// Tags that are not old enough.
    pub held: u64,
    /// Tags that moved upstream and stay here.
    pub refused: u64,
    /// Images that go after a time.
    pub leaving: u64,
    /// Images that are not there upstream any more.
    pub gone: u64,
    /// Images that went.
    pub removed: u64,
    /// Images that wait for the next run.
    pub postponed: u64,
    /// Images that the gate keeps out.
    pub gated: u64,
    /// What failed, or why nothing was removed.
    pub failed: Vec<String>,
    /// What lasts and was told, so that it is not told again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<String>,
}

/// What came of a run.
#[derive(Debug, Default)]
pub struct Updated {
    /// What was fetched and recorded.
    pub added: Added,
    /// The images that went.
    pub removed: Vec<String>,
}

impl Engine {
    /// Plans a run of these rules.
    pub async fn plan_rules(self: &Arc<Self>, rules: &Rules, options: &RunOptions, job: &Job) -> Result<RulePlan> {
        let _listening = self.notices.listen(job);
        let mut plan = RulePlan { now: crate::engine::now(), ..RulePlan::default() };
        plan.rules =
            rules.rules.iter().map(|rule| RulePart { rule: rule.name.to_string(), ..RulePart::default() }).collect();
        let names: Vec<String> = plan.rules.iter().map(|part| part.rule.clone()).collect();
        let is_run = |rule: usize| options.only.is_empty() || options.only.contains(&names[rule]);
        let run: BTreeSet<usize> = (0..names.len()).filter(|rule| is_run(*rule)).collect();
        let sources = sources::read(rules, &run, &options.base, job).await?;
        let mut unread: Vec<usize> = Vec::new();
        for (rule, error) in &sources.failed {
            unread.push(*rule);
            plan.rules[*rule].failed.push(error.to_string());
        }
        for (rule, skipped) in sources.skipped {
            plan.rules[rule].skipped.push(skipped);
        }
        let mut wanted = Wanted::of(rules, &sources.named);
        // All rules decide to whom a tag belongs; those that are not run are not looked at.
        wanted.retain(|wanted| wanted.parts.iter().any(|part| is_run(part.rule)));
        let looked = self.look_at(rules, &wanted, plan.now, job).await?;
        in_place(|| self.note_looks(&looked, plan.now))?;
        for looked in &looked {
            for (rule, error) in &looked.failed {
                plan.rules[*rule].failed.push(error.to_string());
            }
            for (rule, image) in &looked.postponed {
                let postponed = PostponedTag { image: image.clone(), reason: Postponed::Quota };
                plan.rules[*rule].postponed.push(postponed);
            }
        }
        let mut found: Vec<&Found> = looked.iter().flat_map(|looked| &looked.found).collect();
        // Another rule of a repository that was looked at is not run for that.
        found.retain(|found| run.contains(&found.rule));
        // Within a rule the order is that of its tags.
        found.sort_by_key(|found| found.rule);
        tell(&found, &looked, &wanted, &mut plan);
        in_place(|| {
            let reader = self.catalog.read()?;
            let known = |repository: &str, tag: &str| rule_images::of_tag(&reader, repository, tag).ok().flatten();
            plan.rows = rows(rules, &found, known);
            // Where a repository of another upstream has that name, nothing is the rule's.
            for found in &found {
                let there = repositories::by_name(&reader, found.name.as_str())?;
                if there.is_some_and(|there| there.upstream.as_ref() != Some(&found.reference.upstream)) {
                    let name = found.name.as_str();
                    plan.rows.retain(|row| row.repository != name);
                }
            }
            Ok::<_, Error>(())
        })?;
        let asking = requests(rules, &found, &mut plan);
        let asked: Vec<(String, String)> = asking.iter().map(|one| (one.request(), one.image.clone())).collect();
        plan.rule_of = asking.iter().map(|one| (one.request(), names[one.rule].clone())).collect();
        if options.look {
            for one in &asking {
                let part = &mut plan.rules[one.rule];
                part.pulls += one.pulls;
                one.tell(part);
            }
        } else {
            if let Some(in_force) = options.trust.as_ref().filter(|_| !rules.gate.is_empty()) {
                in_place(|| in_force.check_trust())?;
            }
            plan.add = self.resolve_within_quotas(rules, &looked, asking, &mut plan, &options.base, job).await?;
            plan.note_failures(&asked);
        }
        let leaving = Leaving {
            rules,
            wanted: &wanted,
            looked: &looked,
            doubts: Doubts::of(rules, &run, &unread, &looked),
            only: &options.only,
            force: options.force,
            now: plan.now,
        };
        in_place(|| {
            leaving.decide(self, &mut plan)?;
            self.expired_formers(&mut plan)?;
            if !plan.going.is_empty() {
                let picks: Vec<Pick> = plan.going.iter().map(Going::pick).collect();
                plan.remove = self.plan_remove(&picks)?;
            }
            Ok::<_, Error>(())
        })?;
        let mut number = 0..;
        // Behind the rules come those that are not there any more.
        plan.rules.retain(|_| number.next().is_none_or(|number| number >= names.len() || run.contains(&number)));
        Ok(plan)
    }

    async fn look_at(self: &Arc<Self>, rules: &Rules, wanted: &[Wanted], now: i64, job: &Job) -> Result<Vec<Looked>> {
        let total = wanted.len() as u64;
        job.tell(Event::Resolving { done: 0, total });
        let survey = Survey::new(self, rules, job, now);
        let each: Vec<_> = wanted
            .iter()
            .enumerate()
            .map(|(index, wanted)| {
                let survey = &survey;
                async move { (index, survey.look(wanted).await) }
            })
            .collect();
        let mut looks = stream::iter(each).buffer_unordered(MAX_CONCURRENT_REPOSITORIES);
        let mut looked = Vec::with_capacity(wanted.len());
        while let Some((index, look)) = looks.next().await {
            looked.push((index, look?));
            job.tell(Event::Resolving { done: looked.len() as u64, total });
        }
        looked.sort_by_key(|(index, _)| *index);
        Ok(looked.into_iter().map(|(_, looked)| looked).collect())
    }

    /// Notes since when tags are known, and what upstream said of images.
    fn note_looks(&self, looked: &[Looked], now: i64) -> Result<()> {
        if self.catalog.is_read_only() {
            return Ok(());
        }
        self.catalog.write(|writer| {
            for looked in looked {
                if let Some(ages) = looked.ages.as_ref().filter(|ages| ages.has_news()) {
                    ages.save(writer)?;
                }
                for found in &looked.found {
                    let said = match &found.state {
                        State::Moves { from, to } => Some((from.id, Some(*to))),
                        State::Gone { here: Some(image) } => Some((image.id, None)),
                        State::Here { image: Some(image) } => Some((image.id, Some(image.digest))),
                        _ => None,
                    };
                    if let Some((image, digest)) = said {
                        checked::set(writer, image, digest.as_ref(), now)?;
                    }
                }
            }
            Ok(())
        })
    }

    /// The former images whose time is over, and that no rule selects by now.
    fn expired_formers(&self, plan: &mut RulePlan) -> Result<()> {
        let reader = self.catalog.read()?;
        for former in rule_images::formers(&reader)? {
            let image = image_at(&reader, &former.repository, &former.image)?;
            if image.is_none() {
                plan.former_ends.push(former);
                continue;
            }
            // A clock that was ahead when it was kept: its time begins now.
            let ahead = former.since.saturating_sub(plan.now).max(0);
            if ahead > 0 {
                let until = former.until.saturating_sub(ahead);
                plan.formers.push(FormerImage { since: plan.now, until, ..former });
                continue;
            }
            let is_selected = rule_images::of_tag(&reader, &former.repository, &former.image)?.is_some();
            if former.until <= plan.now && !is_selected && plan.add.failed.is_empty() {
                plan.going.push(Going::Former(former));
            }
        }
        Ok(())
    }

    /// What came of a rule's last run, and when that was, in seconds since 1970.
    pub fn last_rule_run(&self, rule: &str) -> Result<Option<(i64, RuleOutcome)>> {
        let Some(run) = rule_set::last_run(&*self.catalog.read()?, rule)? else { return Ok(None) };
        // What another version wrote may have other fields.
        Ok(Some((run.ran_at, serde_json::from_str(&run.outcome).unwrap_or_default())))
    }
}

/// Says of each rule what it selects, and what is not as it wants.
fn tell(found: &[&Found], looked: &[Looked], wanted: &[Wanted], plan: &mut RulePlan) {
    for (wanted, looked) in wanted.iter().zip(looked) {
        let listed = looked.listed.as_ref().map_or(0, |listed| listed.len() as u64);
        let rules: BTreeSet<usize> = wanted.parts.iter().map(|part| part.rule).collect();
        for rule in rules {
            plan.rules[rule].listed += listed;
        }
    }
    for found in found {
        let part = &mut plan.rules[found.rule];
        let image = shown(found);
        match &found.state {
            State::Held { until, here } => {
                part.held.push(HeldTag { image: image.clone(), until: *until });
                if !here {
                    continue;
                }
            }
            State::Refused { from, to } => {
                part.refused.push(MovedTag { image: image.clone(), from: *from, to: *to });
            }
            State::Gone { here: None } => {
                part.failed.push(format!("{image} is not there upstream"));
                continue;
            }
            State::Unknown => continue,
            State::New | State::Here { .. } | State::Lacking | State::Moves { .. } | State::Gone { .. } => {}
        }
        part.selected.push(image);
    }
}

impl RulePart {
    /// In numbers.
    pub fn outcome(&self) -> RuleOutcome {
        RuleOutcome {
            selected: self.selected.len() as u64,
            new: self.new.len() as u64,
            moved: self.moved.len() as u64,
            held: self.held.len() as u64,
            refused: self.refused.len() as u64,
            leaving: self.leaving.len() as u64,
            gone: self.gone.len() as u64,
            removed: self.removed.len() as u64,
            postponed: self.postponed.len() as u64,
            gated: self.gated.len() as u64,
            told: Vec::new(),
            failed: self.failed.iter().chain(&self.brake).cloned().collect(),
        }
    }

    /// How many images come, move or go.
    pub fn changes(&self) -> u64 {
        (self.new.len() + self.moved.len() + self.removed.len() + self.postponed.len()) as u64
    }

    /// As [`RuleOutcome::summary`].
    pub fn summary(&self) -> String {
        self.outcome().summary()
    }
}

impl RuleOutcome {
    /// `3 selected, 1 new, 1 held`: what is not nothing.
    pub fn summary(&self) -> String {
        let parts = [
            (self.new, "new"),
            (self.moved, "moved"),
            (self.held, "held"),
            (self.refused, "refused"),
            (self.gated, "kept out"),
            (self.leaving, "leaving"),
            (self.gone, "gone"),
            (self.removed, "removed"),
            (self.postponed, "postponed"),
        ];
        let others = parts.into_iter().filter(|(number, _)| *number > 0);
        others.fold(format!("{} selected", self.selected), |words, (number, word)| format!("{words}, {number} {word}"))
    }
}
