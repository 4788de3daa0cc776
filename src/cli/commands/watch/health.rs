//! Whether runs go right, by rule: a rule that runs often must not hide one that fails.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::rules::Period;
use crate::text::printable_within;

/// How many periods may pass without a run that went right.
const MAX_MISSED_PERIODS: u64 = 2;

/// How runs went so far.
#[derive(Debug)]
pub(super) struct Health {
    every: Period,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// When everything was right last, in seconds since 1970; at first, when this began.
    good_at: i64,
    /// Rules whose last run failed.
    failing: BTreeSet<String>,
    /// Rules of which nothing is known since the last run could not be carried out; the empty name is everything.
    broken: BTreeSet<String>,
}

/// How a run ended.
#[derive(Debug, Default)]
pub(super) struct Ran<'a> {
    /// The rules that were to be run; none: all of them, and what no rule selects.
    pub(super) rules: &'a [String],
    /// It failed, and that is not because a rule did.
    pub(super) is_broken: bool,
    /// All rules that there are.
    pub(super) in_force: Vec<String>,
    /// Those of them whose last run failed.
    pub(super) failing: Vec<String>,
}

impl Health {
    pub(super) fn new(every: Period) -> Self {
        let state = State { good_at: now(), failing: BTreeSet::new(), broken: BTreeSet::new() };
        Self { every, state: Mutex::new(state) }
    }

    /// Notes how a run ended.
    pub(super) fn ran(&self, ran: Ran<'_>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_run = |rule: &String| ran.rules.is_empty() || ran.rules.contains(rule);
        if ran.in_force.iter().all(is_run) {
            state.broken.clear();
        }
        state.broken.retain(|rule| rule.is_empty() || ran.in_force.contains(rule) && !is_run(rule));
        match (ran.is_broken, ran.rules) {
            (false, _) => {}
            (true, []) => state.broken.extend([String::new()]),
            (true, rules) => state.broken.extend(rules.iter().cloned()),
        }
        state.failing = ran.failing.into_iter().collect();
        if state.failing.is_empty() && state.broken.is_empty() {
            state.good_at = now();
        }
    }

    /// What is wrong, if anything is.
    pub(super) fn fault(&self) -> Option<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let since = now().saturating_sub(state.good_at);
        let most = i64::try_from(self.every.seconds().saturating_mul(MAX_MISSED_PERIODS)).unwrap_or(i64::MAX);
        match state.broken.iter().chain(&state.failing).next() {
            Some(rule) if rule.is_empty() => Some("the last run failed".to_owned()),
            Some(rule) => Some(format!("the last run of the rule {} failed", printable_within(rule, 100))),
            None => (since > most).then(|| "no run went right for too long".to_owned()),
        }
    }
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    fn ran<'a>(rules: &'a [String], failing: &[&str], is_broken: bool) -> Ran<'a> {
        Ran { rules, is_broken, in_force: names(&["often", "seldom"]), failing: names(failing) }
    }

    #[test]
    fn it_is_bad_while_the_last_run_of_any_rule_failed() {
        let health = Health::new("1h".parse().unwrap());
        assert_eq!(health.fault(), None);
        let fault = || health.fault().unwrap_or_default();
        health.ran(ran(&[], &["seldom"], false));
        assert_eq!(fault(), "the last run of the rule seldom failed");
        let often = names(&["often"]);
        health.ran(ran(&often, &["seldom"], false));
        assert_eq!(fault(), "the last run of the rule seldom failed", "another one went right");
        health.ran(ran(&names(&["seldom"]), &[], false));
        assert_eq!(health.fault(), None);
    }

    #[test]
    fn what_could_not_be_carried_out_is_bad_until_it_was() {
        let health = Health::new("1h".parse().unwrap());
        let fault = || health.fault().unwrap_or_default();
        let (often, seldom, both) = (names(&["often"]), names(&["seldom"]), names(&["often", "seldom"]));
        health.ran(ran(&[], &[], true));
        assert_eq!(fault(), "the last run failed");
        health.ran(ran(&often, &[], false));
        assert_eq!(fault(), "the last run failed");
        health.ran(ran(&both, &[], false));
        assert_eq!(health.fault(), None);
        health.ran(ran(&seldom, &[], true));
        health.ran(ran(&often, &[], false));
        assert_eq!(fault(), "the last run of the rule seldom failed");
        health.ran(ran(&seldom, &[], false));
        assert_eq!(health.fault(), None);
        // Its rule is gone.
        health.ran(ran(&names(&["former"]), &[], true));
        health.ran(ran(&often, &[], false));
        assert_eq!(health.fault(), None);
    }

    #[test]
    fn it_is_bad_when_nothing_went_right_for_too_long() {
        let health = Health::new("1h".parse().unwrap());
        health.state.lock().unwrap().good_at = now() - 3 * 3600;
        assert_eq!(health.fault().unwrap(), "no run went right for too long");
        health.ran(ran(&[], &[], false));
        assert_eq!(health.fault(), None);
    }
}
