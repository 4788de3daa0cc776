//! What runs leave behind as figures.

use rusqlite::Connection;

use super::plan::RulePlan;
use super::run::{RuleOutcome, Updated};
use crate::catalog::{Writer, rule_set};
use crate::engine::Engine;
use crate::error::Result;
use crate::rules::metrics::{Figures, RegistryFigures, RuleFigures, TargetFigures};

/// When the last run of every rule had ended without a failure, in seconds since 1970.
const LAST_SUCCESS: &str = "last_success";
/// Moves of tags that were followed.
const MOVED: &str = "moved";
/// Bytes that came over the network.
const FETCHED: &str = "bytes_fetched";
/// Before the name of a registry: pulls that it would still allow.
const PULLS: &str = "pulls_remaining:";

impl Engine {
    /// The figures of the runs of rules, and how targets stand.
    pub fn rule_figures(&self) -> Result<Figures> {
        let mut rules = Vec::new();
        for rule in self.rules_read_last()?.map(|remembered| remembered.rules.rules).unwrap_or_default() {
            let Some((_, outcome)) = self.last_rule_run(rule.name.as_str())? else { continue };
            rules.push(RuleFigures {
                rule: rule.name.to_string(),
                selected: outcome.selected,
                new: outcome.new,
                leaving: outcome.leaving,
                held: outcome.held,
            });
        }
        let targets = self.targets()?;
        let reader = self.catalog.read()?;
        let count = |name| rule_set::figure(&reader, name).map(|value| value.unwrap_or_default().cast_unsigned());
        let registries = rule_set::figures(&reader, PULLS)?.into_iter();
        Ok(Figures {
            last_success: rule_set::figure(&reader, LAST_SUCCESS)?,
            rules,
            moved_total: count(MOVED)?,
            registries: registries
                .map(|(registry, left)| RegistryFigures { registry, pulls_remaining: left.cast_unsigned() })
                .collect(),
            bytes_fetched_total: count(FETCHED)?,
            targets: targets
                .into_iter()
                .map(|target| TargetFigures { is_behind: target.behind || target.root.is_none(), target: target.name })
                .collect(),
        })
    }

    /// Counts a run.
    pub(super) fn count_run(
        &self,
        writer: &Writer<'_>,
        plan: &RulePlan,
        updated: &Updated,
        outcomes: &[(RuleOutcome, Option<RuleOutcome>)],
    ) -> Result<()> {
        let moved: u64 = outcomes.iter().map(|(outcome, _)| outcome.moved).sum();
        rule_set::count(writer, MOVED, moved.cast_signed())?;
        rule_set::count(writer, FETCHED, updated.added.fetched.cast_signed())?;
        for (registry, left) in self.notices.all_pulls_left() {
            rule_set::set_figure(writer, &format!("{PULLS}{registry}"), left.cast_signed())?;
        }
        let is_good = outcomes.iter().all(|(outcome, _)| outcome.failed.is_empty());
        if is_good && !others_failed(writer, plan)? {
            rule_set::set_figure(writer, LAST_SUCCESS, plan.now)?;
        }
        Ok(())
    }

    /// The rules in force whose last run failed, by their names.
    pub fn failing_rules(&self) -> Result<Vec<String>> {
        failing(&*self.catalog.read()?)
    }
}

/// Whether the last run of a rule failed that was not run now: it has a time of its own.
fn others_failed(connection: &Connection, plan: &RulePlan) -> Result<bool> {
    let is_run = |rule: &String| plan.rules.iter().any(|part| part.rule == *rule);
    Ok(!failing(connection)?.iter().all(is_run))
}

fn failing(connection: &Connection) -> Result<Vec<String>> {
    let text = rule_set::load(connection)?.map(|set| set.text).unwrap_or_default();
    // It was read before it was remembered.
    let rules = crate::rules::read(&text).map(|rules| rules.rules).unwrap_or_default();
    let mut failing = Vec::new();
    for rule in rules {
        let run = rule_set::last_run(connection, rule.name.as_str())?;
        let outcome: Option<RuleOutcome> = run.and_then(|run| serde_json::from_str(&run.outcome).ok());
        if outcome.is_some_and(|outcome| !outcome.failed.is_empty()) {
            failing.push(rule.name.to_string());
        }
    }
    Ok(failing)
}
