//! Rules: the list of them, the page of one with its tags, and what waits for a decision.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::super::columns::{RULES, RuleOrder};
use super::super::command::{Command, Context};
use super::super::problem::Problem;
use super::super::question::{KnownRules, Question};
use super::decisions::{About, Decision};
use super::rule_tags::{TagRow, tag_rows};
use super::tag_lists::TagLists;
use crate::catalog::rule_images::RuleImage;
use crate::engine::query::browse::Search;
use crate::engine::rules::plan::RulePart;
use crate::engine::rules::{Here, RuleOutcome, ShownRule, ShownRules};
use crate::image::Upstream;
use crate::rules::{Kept, Rule, Subject};

/// How deep the view is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Level {
    /// The list of rules.
    #[default]
    List,
    /// The page of one.
    Page,
    /// What waits for a decision.
    Decisions,
}

/// What upstream said of a rule.
#[derive(Debug)]
struct Look {
    /// Seconds since 1970.
    at: i64,
    /// What a run would do; none: one has done it.
    would: Option<RuleOutcome>,
}

/// State of the view Rules.
#[derive(Debug, Default)]
pub struct Rules {
    /// The rules, and what came of them.
    pub shown: ShownRules,
    /// Whether they were ever read.
    pub known: bool,
    /// Why they can't be read now.
    pub problem: Option<Problem>,
    /// The list, a page, or decisions.
    pub level: Level,
    /// Only rules whose name, patterns or sources contain this.
    pub filter: String,
    /// Column that the list is sorted by.
    pub order: RuleOrder,
    /// The order turned around.
    pub descending: bool,
    /// Rows of a page.
    pub height: usize,
    /// The tags of the rule whose page is open, in the order of their versions.
    tags: Vec<TagRow>,
    /// Only tags that contain this are shown.
    pub tag_filter: String,
    /// What is here of the repositories of rules.
    here: Here,
    /// When upstream was asked last of any image, in seconds since 1970.
    checked_at: Option<i64>,
    /// What waits for a decision, as far as was looked.
    pub decisions: Vec<Decision>,
    /// When upstream was asked last what a rule selects, and what it said, by the rule's name.
    looked: BTreeMap<String, Look>,
    /// The decisions are to be shown as soon as they are known.
    pub deciding: bool,
    open: Option<String>,
    asked: bool,
    cursor: usize,
    tag_cursor: usize,
    decision_cursor: usize,
}

impl Rules {
    /// Asks again for what is shown, since the catalog changed.
    pub fn refresh(&mut self) {
        self.asked = false;
    }

    /// What it wants to know, whether the view is open or not.
    pub fn wants_always(&mut self) -> Option<Question> {
        if std::mem::replace(&mut self.asked, true) { None } else { Some(Question::Rules) }
    }

    /// Takes the answer to [`Question::Rules`].
    pub fn answer(&mut self, known: Result<KnownRules, Problem>) {
        self.known = true;
        match known {
            Ok(KnownRules { shown, here, checked_at }) => {
                (self.shown, self.here, self.checked_at, self.problem) = (shown, here, checked_at, None);
            }
            Err(problem) => self.problem = Some(problem),
        }
        // A run since, of another process, found something else.
        for shown in &self.shown.rules {
            let name = shown.rule.name.as_str();
            let looked = self.looked.get(name).map(|look| look.at);
            if shown.run.as_ref().is_some_and(|(at, _)| looked.is_some_and(|looked| looked < *at)) {
                self.looked.remove(name);
                self.decisions.retain(|decision| decision.rule != name);
            }
        }
        let (rules, here) = (&self.shown.rules, &self.here);
        self.decisions.retain_mut(|decision| {
            let rule = rules.iter().find(|shown| shown.rule.name.as_str() == decision.rule);
            decision.is_open(rule.map(|shown| &shown.rule), here)
        });
        if self.open.is_some() && self.opened().is_none() {
            self.open = None;
            self.level = if self.level == Level::Page { Level::List } else { self.level };
        }
        self.clamp();
    }

    fn clamp(&mut self) {
        self.cursor = self.cursor.min(self.rows().len().saturating_sub(1));
        self.tag_cursor = self.tag_cursor.min(self.tags().len().saturating_sub(1));
        self.decision_cursor = self.decision_cursor.min(self.decisions.len().saturating_sub(1));
    }

    /// Whether runs are by rules: there are some, they can't be read, or what one brought that is gone has to leave.
    pub fn are_there(&self) -> bool {
        let ShownRules { rules, images, file, .. } = &self.shown;
        self.problem.is_some() || !rules.is_empty() || !images.is_empty() || file.is_some()
    }

    /// Contexts whose keys apply at this level.
    pub fn contexts(&self) -> &'static [Context] {
        match self.level {
            Level::List => &[Context::List, Context::Rules],
            Level::Page => &[Context::List, Context::Rule],
            Level::Decisions => &[Context::List, Context::Decisions],
        }
    }

    /// Whether the footer offers this.
    pub fn offers(&self, command: Command) -> bool {
        match command {
            Command::Mark | Command::Cancel | Command::Undo | Command::PublishAll => false,
            Command::Open | Command::Add => self.level == Level::List,
            Command::Copy => self.level == Level::Page,
            Command::Decide => self.waiting() > 0,
            _ => true,
        }
    }

    /// The rules as the list has them.
    pub fn rows(&self) -> Vec<&ShownRule> {
        let search = Search::words(&self.filter);
        let mut finder = search.finder();
        let is_shown = |shown: &&ShownRule| {
            !search.has_words() || finder.score(&format!("{} {}", shown.rule.name, takes(&shown.rule))).is_some()
        };
        let mut rows: Vec<&ShownRule> = self.shown.rules.iter().filter(is_shown).collect();
        rows.sort_by(|one, other| self.compare(one, other));
        if self.descending {
            rows.reverse();
        }
        rows
    }

    /// The row of the list, of tags or of decisions that has the cursor.
    pub fn place(&self) -> usize {
        match self.level {
            Level::List => self.cursor,
            Level::Page => self.tag_cursor,
            Level::Decisions => self.decision_cursor,
        }
    }

    /// The rule that a command is about: that of the page, or the one under the cursor.
    pub fn current(&self) -> Option<&ShownRule> {
        match self.level {
            Level::List => self.rows().get(self.cursor).copied(),
            Level::Page => self.opened(),
            Level::Decisions => self.decision().and_then(|decision| self.by_name(&decision.rule)),
        }
    }

    fn opened(&self) -> Option<&ShownRule> {
        self.by_name(self.open.as_deref()?)
    }

    /// The rule of this name.
    pub fn by_name(&self, name: &str) -> Option<&ShownRule> {
        self.shown.rules.iter().find(|shown| shown.rule.name.as_str() == name)
    }

    /// What waits under the cursor.
    pub fn decision(&self) -> Option<&Decision> {
        self.decisions.get(self.decision_cursor)
    }

    /// How many things wait for a decision: those that are known, and of the other rules those that the last run counted.
    pub fn waiting(&self) -> u64 {
        self.decisions.len() as u64 + self.unseen()
    }

    /// How many of them are only counted.
    pub fn unseen(&self) -> u64 {
        let unseen = self.shown.rules.iter().filter(|shown| !self.looked.contains_key(shown.rule.name.as_str()));
        unseen.filter_map(|shown| shown.run.as_ref()).map(|(_, run)| run.held + run.refused + run.gone).sum()
    }

    /// The row of a tag that a rule selects or brought.
    pub fn image(&self, repository: &str, tag: &str) -> Option<&RuleImage> {
        let key = (repository, tag);
        let images = &self.shown.images;
        let place = images.binary_search_by(|row| (row.repository.as_str(), row.tag.as_str()).cmp(&key));
        place.ok().map(|place| &images[place])
    }

    /// Whether this image is in the catalog: `name:tag` or `name@digest`.
    pub fn is_here(&self, image: &str) -> bool {
        let place = image.split_once('@').or_else(|| image.rsplit_once(':'));
        place.is_some_and(|(repository, tag)| self.here.get(repository).is_some_and(|tags| tags.contains(tag)))
    }

    /// When upstream was asked last what a rule selects.
    pub fn checked(&self, shown: &ShownRule) -> Option<i64> {
        let ran = shown.run.as_ref().map(|(at, _)| *at);
        ran.max(self.looked.get(shown.rule.name.as_str()).map(|look| look.at))
    }

    /// Whether a rule runs again within two minutes: that is shown by the second soon.
    pub fn is_due_soon(&self, now: i64) -> bool {
        let mut next = self.shown.rules.iter().filter_map(next_run);
        next.any(|at| at > now && at - now <= 120)
    }

    /// When upstream was asked last of any rule.
    pub fn last_checked(&self) -> Option<i64> {
        self.shown.rules.iter().filter_map(|shown| self.checked(shown)).max()
    }

    /// When upstream was asked last of anything that is here.
    pub fn images_checked(&self) -> Option<i64> {
        self.checked_at.max(self.last_checked())
    }

    /// A rule in numbers: what a check found since its last run, which is true then, or what came of that.
    pub fn figures(&self, shown: &ShownRule) -> (RuleOutcome, bool) {
        let would = self.looked.get(shown.rule.name.as_str()).and_then(|look| look.would.as_ref());
        match (would, &shown.run) {
            (Some(would), _) => (would.clone(), true),
            (None, run) => (run.as_ref().map(|(_, outcome)| outcome.clone()).unwrap_or_default(), false),
        }
    }

    /// Whether a rule's figures are known at all.
    pub fn has_figures(&self, shown: &ShownRule) -> bool {
        shown.run.is_some() || self.figures(shown).1
    }

    /// Of an image that leaves: when it goes, in seconds since 1970, if it does.
    pub fn goes(&self, row: &RuleImage) -> Option<Option<i64>> {
        let since = row.leaving_at?;
        let image = format!("{}:{}", row.repository, row.tag);
        let gone = self.decisions.iter().find_map(|decision| match decision.about {
            About::Gone(until) if decision.image == image => Some(until),
            _ => None,
        });
        let leave = self.by_name(&row.rule).map_or_else(Rule::default_leave, |shown| shown.rule.leave);
        Some(gone.unwrap_or(match leave {
            Kept::Always => None,
            Kept::For(period) => Some(since.saturating_add_unsigned(period.seconds())),
        }))
    }

    /// Takes what a look or a plan said of these rules, or of all.
    pub fn take_parts(&mut self, parts: &[RulePart], at: i64, only: &[String]) {
        let is_told = |rule: &String| only.is_empty() || only.contains(rule);
        let told = parts.iter().filter(|part| is_told(&part.rule));
        self.looked.extend(told.map(|part| (part.rule.clone(), Look { at, would: Some(part.outcome()) })));
        self.decisions.retain(|decision| !is_told(&decision.rule));
        self.decisions.extend(parts.iter().filter(|part| is_told(&part.rule)).flat_map(|part| Decision::of(part, at)));
        self.clamp();
    }

    /// What was planned for these rules is done.
    pub fn ran(&mut self, parts: &[RulePart]) {
        for part in parts {
            if let Some(look) = self.looked.get_mut(&part.rule) {
                look.would = None;
            }
        }
    }

    /// Somebody decided about these images.
    pub fn settle(&mut self, images: &[String]) {
        self.decisions.retain(|decision| !images.contains(&decision.image));
        self.clamp();
    }

    /// The repository whose tags the open page shows, if they have to be listed.
    pub fn listed(&self) -> Option<&Upstream> {
        let shown = self.opened().filter(|_| self.level == Level::Page)?;
        match &shown.rule.subject {
            Subject::Repository { upstream, tags } if tags.literals().is_none() => Some(upstream),
            _ => None,
        }
    }

    /// Says of the tags of the open page why they are in or out.
    pub fn judge(&mut self, lists: &TagLists) {
        let tags = self.opened().map(|shown| {
            let of_rule = self.decisions.iter().filter(|decision| decision.rule == shown.rule.name.as_str());
            let held = of_rule.filter(|decision| matches!(decision.about, About::Held(_)));
            let held = held.filter_map(|decision| decision.image.rsplit_once(':').map(|(_, tag)| tag)).collect();
            tag_rows(&shown.rule, (&self.shown.images, &self.here), lists, &held)
        });
        self.tags = tags.unwrap_or_default();
        self.clamp();
    }

    /// The tags of the open page that the filter shows.
    pub fn tags(&self) -> Vec<&TagRow> {
        let search = Search::words(&self.tag_filter);
        let mut finder = search.finder();
        self.tags.iter().filter(|row| !search.has_words() || finder.score(&row.tag).is_some()).collect()
    }

    /// What is known of when a tag of the open page may come.
    pub fn held(&self, tag: &str) -> Option<i64> {
        let name = self.open.as_deref()?;
        let mut of_rule = self.decisions.iter().filter(|decision| decision.rule == name);
        of_rule.find_map(|decision| match decision.about {
            About::Held(until) if decision.image.rsplit_once(':').is_some_and(|(_, of)| of == tag) => Some(until),
            _ => None,
        })
    }

    /// Shows what waits for a decision.
    pub fn decide(&mut self) {
        (self.level, self.deciding, self.decision_cursor) = (Level::Decisions, false, 0);
    }

    /// Carries a command out, if it is one of this view's.
    pub fn command(&mut self, command: Command) -> bool {
        let page = self.height.max(1);
        let all = match self.level {
            Level::List => self.rows().len(),
            Level::Page => self.tags().len(),
            Level::Decisions => self.decisions.len(),
        };
        let cursor = match self.level {
            Level::List => &mut self.cursor,
            Level::Page => &mut self.tag_cursor,
            Level::Decisions => &mut self.decision_cursor,
        };
        let moved = match command {
            Command::Up => cursor.saturating_sub(1),
            Command::Down => *cursor + 1,
            Command::PageUp => cursor.saturating_sub(page),
            Command::PageDown => *cursor + page,
            Command::HalfUp => cursor.saturating_sub((page / 2).max(1)),
            Command::HalfDown => *cursor + (page / 2).max(1),
            Command::First => 0,
            Command::Last => usize::MAX,
            _ => return self.command_on_rows(command),
        };
        *cursor = moved.min(all.saturating_sub(1));
        true
    }

    fn command_on_rows(&mut self, command: Command) -> bool {
        match command {
            Command::Open if self.level == Level::List => {
                let Some(name) = self.current().map(|shown| shown.rule.name.to_string()) else { return false };
                if self.open.as_ref() != Some(&name) {
                    (self.open, self.tag_cursor) = (Some(name), 0);
                    self.tags.clear();
                    self.tag_filter.clear();
                }
                self.level = Level::Page;
            }
            Command::Back if !self.filter().is_empty() => self.set_filter(""),
            Command::Back if self.level != Level::List => self.level = Level::List,
            Command::SortNext => self.step(true),
            Command::SortFormer => self.step(false),
            Command::SortTurn => self.sort(self.order, !self.descending),
            _ => return false,
        }
        true
    }

    fn step(&mut self, forward: bool) {
        let orders: Vec<RuleOrder> =
            std::iter::once(RuleOrder::Written).chain(RULES.iter().filter_map(|column| column.order)).collect();
        let place = orders.iter().position(|order| *order == self.order).unwrap_or(0);
        let next = if forward { place + 1 } else { place + orders.len() - 1 };
        self.sort(orders[next % orders.len()], false);
    }

    /// The cursor stays on its rule.
    fn sort(&mut self, order: RuleOrder, descending: bool) {
        let name = self.rows().get(self.cursor).map(|shown| shown.rule.name.clone());
        (self.order, self.descending) = (order, descending);
        let place = self.rows().iter().position(|shown| Some(&shown.rule.name) == name.as_ref());
        self.cursor = place.unwrap_or(0);
    }

    /// What the open list is filtered by.
    pub fn filter(&self) -> &str {
        match self.level {
            Level::List => &self.filter,
            Level::Page => &self.tag_filter,
            Level::Decisions => "",
        }
    }

    /// Shows only what this finds; without a text everything again, and the cursor stays on its row.
    pub fn set_filter(&mut self, filter: &str) {
        let stays = filter.is_empty();
        match self.level {
            Level::List => {
                let name = self.rows().get(self.cursor).map(|shown| shown.rule.name.clone()).filter(|_| stays);
                filter.clone_into(&mut self.filter);
                let place = self.rows().iter().position(|shown| Some(&shown.rule.name) == name.as_ref());
                self.cursor = place.unwrap_or(0);
            }
            Level::Page => {
                let tag = self.tags().get(self.tag_cursor).map(|row| row.tag.clone()).filter(|_| stays);
                filter.clone_into(&mut self.tag_filter);
                let place = self.tags().iter().position(|row| Some(&row.tag) == tag.as_ref());
                self.tag_cursor = place.unwrap_or(0);
            }
            Level::Decisions => {}
        }
    }

    fn compare(&self, one: &ShownRule, other: &ShownRule) -> Ordering {
        let ((a, _), (b, _)) = (self.figures(one), self.figures(other));
        match self.order {
            RuleOrder::Written => Ordering::Equal,
            RuleOrder::Name => one.rule.name.cmp(&other.rule.name),
            // The larger ones are what is looked for.
            RuleOrder::Selected => b.selected.cmp(&a.selected),
            RuleOrder::New => b.new.cmp(&a.new),
            RuleOrder::Held => b.held.cmp(&a.held),
            RuleOrder::Leaving => b.leaving.cmp(&a.leaving),
            RuleOrder::Postponed => b.postponed.cmp(&a.postponed),
            RuleOrder::Refused => b.refused.cmp(&a.refused),
            RuleOrder::Gone => b.gone.cmp(&a.gone),
            RuleOrder::LastRun => {
                let at = |shown: &ShownRule| shown.run.as_ref().map(|(at, _)| *at);
                at(other).cmp(&at(one))
            }
            RuleOrder::NextRun => {
                let at = |shown: &ShownRule| next_run(shown).unwrap_or(i64::MAX);
                at(one).cmp(&at(other))
            }
        }
    }
}

/// The patterns or sources of a rule, in a line.
pub fn takes(rule: &Rule) -> String {
    match &rule.subject {
        Subject::Repository { tags, .. } => tags.tags.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        Subject::Sources(sources) => sources.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
    }
}

/// When `watch` runs a rule again, in seconds since 1970.
pub fn next_run(shown: &ShownRule) -> Option<i64> {
    let every = shown.rule.every?.seconds();
    Some(shown.run.as_ref().map_or(0, |(at, _)| at.saturating_add_unsigned(every)))
}
