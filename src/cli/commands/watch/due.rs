//! When rules are due. Knows times and names; must not know what a rule says.

use std::collections::HashMap;
use std::time::Duration;

use crate::rules::Period;

/// The part of a period by which a rule may be later than that: a tenth.
const JITTER_DIVISOR: u64 = 10;
/// The longest pause: rules that came meanwhile are looked for.
const MAX_PAUSE: Duration = Duration::from_mins(1);
/// The shortest pause.
const MIN_PAUSE: Duration = Duration::from_secs(1);

/// When rules are due.
#[derive(Debug)]
pub(super) struct Schedule {
    every: Period,
    /// When each rule is due next, in seconds since 1970; the empty name is everything that no rule selects.
    next: HashMap<String, i64>,
    /// When each rule was tried last, however that ended: a run that could not begin is noted nowhere else.
    tried: HashMap<String, i64>,
    jitter: HashMap<String, u64>,
    all_due: bool,
}

impl Schedule {
    /// With nothing known, everything is due.
    pub(super) fn new(every: Period) -> Self {
        Self { every, next: HashMap::new(), tried: HashMap::new(), jitter: HashMap::new(), all_due: false }
    }

    /// Makes everything due now.
    pub(super) fn make_due(&mut self) {
        self.all_due = true;
    }

    /// Names of the rules that are due: none of them if everything is, nothing if none is. Of each rule: name, `every`, and when it
    /// ran last.
    pub(super) fn due(&mut self, rules: Vec<(String, Option<Period>, Option<i64>)>) -> Option<Vec<String>> {
        self.due_at(rules, now())
    }

    fn due_at(&mut self, rules: Vec<(String, Option<Period>, Option<i64>)>, now: i64) -> Option<Vec<String>> {
        let longest = self.every.seconds() + self.every.seconds() / JITTER_DIVISOR;
        let known = self.next.remove("").filter(|at| *at <= now.saturating_add_unsigned(longest));
        let mut next = HashMap::from([(String::new(), known.unwrap_or(now))]);
        for (name, every, ran_at) in rules {
            let every = every.unwrap_or(self.every).seconds();
            let jitter = *self.jitter.entry(name.clone()).or_insert_with(|| random(every));
            // What ran in the future ran before the clock was set back.
            let last = ran_at.into_iter().chain(self.tried.get(&name).copied()).filter(|at| *at <= now).max();
            let at = last.map_or(now, |at| at.saturating_add_unsigned(every + jitter));
            next.insert(name, at);
        }
        self.next = next;
        let is_due = |at: &i64| *at <= now;
        if std::mem::take(&mut self.all_due) || self.next.values().all(is_due) {
            return Some(Vec::new());
        }
        let mut due: Vec<String> = self
            .next
            .iter()
            .filter(|(name, at)| !name.is_empty() && is_due(at))
            .map(|(name, _)| name.clone())
            .collect();
        if self.next.get("").is_some_and(is_due) {
            // What no rule selects goes along with all of them.
            return Some(Vec::new());
        }
        due.sort();
        (!due.is_empty()).then_some(due)
    }

    /// Notes that these ran, all of them if none is named.
    pub(super) fn ran(&mut self, rules: &[String]) {
        self.ran_at(rules, now());
    }

    fn ran_at(&mut self, rules: &[String], now: i64) {
        if rules.is_empty() {
            let every = self.every.seconds();
            self.tried = self.next.keys().map(|rule| (rule.clone(), now)).collect();
            self.next.insert(String::new(), now.saturating_add_unsigned(every + random(every)));
            self.jitter.clear();
        }
        for rule in rules {
            self.tried.insert(rule.clone(), now);
            self.jitter.remove(rule);
        }
    }

    /// How long nothing is due.
    pub(super) fn pause(&self) -> Duration {
        let first = self.next.values().min().copied().unwrap_or_default();
        let pause = u64::try_from(first.saturating_sub(now())).map_or(Duration::ZERO, Duration::from_secs);
        pause.clamp(MIN_PAUSE, MAX_PAUSE)
    }
}

fn random(every: u64) -> u64 {
    rand::random_range(0..=every / JITTER_DIVISOR)
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn rules_are_due_by_their_own_time_and_all_others_by_that_of_the_watch() {
        let mut schedule = Schedule::new("6h".parse().unwrap());
        let rules =
            |ran: i64| vec![("often".to_owned(), "1h".parse().ok(), Some(ran)), ("seldom".to_owned(), None, Some(ran))];
        assert_eq!(schedule.due_at(rules(0), 1_000_000), Some(Vec::new()), "at the start everything is");
        schedule.ran_at(&[], 1_000_000);
        assert_eq!(schedule.due_at(rules(1_000_000), 1_000_001), None);
        assert_eq!(schedule.due_at(rules(1_000_000), 1_000_000 + 3600 + 360), Some(vec!["often".to_owned()]));
        assert_eq!(schedule.due_at(rules(1_000_000), 1_000_000 + 24 * 3600), Some(Vec::new()));
    }

    #[test]
    fn a_clock_that_was_set_back_and_a_hang_up_make_rules_due() {
        let mut schedule = Schedule::new("6h".parse().unwrap());
        schedule.due_at(Vec::new(), 1000);
        schedule.ran_at(&[], 1000);
        assert_eq!(schedule.due_at(vec![("a".to_owned(), None, Some(5000))], 1001), Some(vec!["a".to_owned()]));
        assert_eq!(schedule.due_at(vec![("a".to_owned(), None, Some(1000))], 1001), None);
        schedule.make_due();
        assert_eq!(schedule.due_at(vec![("a".to_owned(), None, Some(1000))], 1001), Some(Vec::new()));
    }

    /// Untrusted programs, a restore that is not finished, a disk that is full.
    #[test]
    fn a_run_that_noted_nothing_is_not_tried_again_at_once() {
        let mut schedule = Schedule::new("6h".parse().unwrap());
        let never = || vec![("often".to_owned(), "1h".parse().ok(), None), ("seldom".to_owned(), None, None)];
        assert_eq!(schedule.due_at(never(), 1_000_000), Some(Vec::new()));
        schedule.ran_at(&[], 1_000_000);
        assert_eq!(schedule.due_at(never(), 1_000_001), None);
        assert_eq!(schedule.due_at(never(), 1_000_000 + 3600 + 360), Some(vec!["often".to_owned()]));
        schedule.ran_at(&["often".to_owned()], 1_000_000 + 3600 + 360);
        assert_eq!(schedule.due_at(never(), 1_000_000 + 3600 + 361), None);
        // A rule that came meanwhile was not tried yet.
        let mut with_new = never();
        with_new.push(("new".to_owned(), None, None));
        assert_eq!(schedule.due_at(with_new, 1_000_000 + 3600 + 362), Some(vec!["new".to_owned()]));
        assert_eq!(schedule.due_at(never(), 900_000), Some(Vec::new()), "the clock was set back");
    }

    #[test]
    fn a_rule_is_never_early_and_at_most_a_tenth_late() {
        let rules = || vec![("a".to_owned(), "1h".parse().ok(), Some(1_000_000))];
        let mut delays = BTreeSet::new();
        for _ in 0..100 {
            let mut schedule = Schedule::new("6h".parse().unwrap());
            schedule.due_at(rules(), 1_000_000);
            schedule.ran_at(&[], 1_000_000);
            delays.extend((3500..4000).find(|delay| schedule.due_at(rules(), 1_000_000 + delay).is_some()));
        }
        assert!(delays.iter().all(|delay| (3600..=3960).contains(delay)), "{delays:?}");
        assert!(delays.len() > 1, "many machines do not ask at the same second");
    }
}
