//! Targets as they are here and as they look from outside, and what was published. One cursor goes through both lists.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::command::Command;
use super::super::dialog::form::Form;
use super::super::problem::Problem;
use super::super::question::Question;
use super::super::work::JobId;
use crate::engine::query::diff::Difference;
use crate::engine::query::history::PublicationView;
use crate::engine::targets::{Sight, TargetView};

/// How often targets are looked at while the view is open.
const SURVEY_INTERVAL: Duration = Duration::from_secs(30);
/// How often it is asked how this program's own node is given out while the view is open.
const OWN_NODE_INTERVAL: Duration = Duration::from_secs(2);
/// How soon a target is looked at again that was seen with another root than it has.
const STALE_SURVEY_DELAY: Duration = Duration::from_secs(2);
/// How many publications are shown.
const MAX_PUBLICATIONS: usize = 500;

/// Row that commands are about.
#[derive(Debug, Clone, Copy)]
pub enum Row<'a> {
    /// A row of the list of targets.
    Target(&'a TargetView),
    /// A row of the history of publications.
    Publication(&'a PublicationView),
}

/// Two roots that are compared.
pub type Sides = (String, String);

/// State of the view Publish: targets, and the history of publications.
#[derive(Debug, Default)]
pub struct Publish {
    /// By name.
    pub targets: Vec<TargetView>,
    /// Newest first.
    pub history: Vec<PublicationView>,
    /// Whether targets and history were ever read.
    pub known: bool,
    /// The row under the cursor: targets first, then publications.
    pub cursor: usize,
    /// Rows of a page.
    pub height: usize,
    /// How far the details are scrolled.
    pub scroll: u16,
    /// How the targets look from outside, and since when that is known.
    pub sights: BTreeMap<String, (Duration, Result<Box<Sight>, Problem>)>,
    /// What differs between two roots.
    pub differences: BTreeMap<Sides, Result<Box<Difference>, Problem>>,
    /// Two roots whose difference is to be shown as soon as it is known.
    pub comparing: Option<Sides>,
    asked: bool,
    /// When targets were asked for last.
    asked_at: Duration,
    /// When each target was asked for that has not been seen since.
    looking: BTreeMap<String, Duration>,
    /// Everything that is known from outside is out of date.
    changed: bool,
    /// What is being saved, and by which job: in case that fails, it is shown again.
    saving: Option<(JobId, Box<Form>)>,
    /// The target that the cursor goes to as soon as it is there.
    wanted: Option<String>,
}

impl Publish {
    /// Asks again for what is shown, since the catalog changed.
    pub fn refresh(&mut self) {
        self.asked = false;
    }

    /// Something was published, or a target changed: they look different now.
    pub fn look_again(&mut self) {
        self.changed = true;
    }

    /// This form is being saved by a job. The cursor goes to its target.
    pub fn begin_saving(&mut self, job: JobId, form: Box<Form>, target: &str) {
        self.saving = Some((job, form));
        self.wanted = Some(target.to_owned());
    }

    /// A job ended: the form that it saved, if it did, or should have.
    pub fn end_saving(&mut self, job: JobId) -> Option<Box<Form>> {
        self.saving.take_if(|(saving, _)| *saving == job).map(|(_, form)| form)
    }

    /// What was to be saved is not.
    pub fn give_up_saving(&mut self) {
        self.wanted = None;
    }

    /// Goes to a publication, if it is shown.
    pub fn go_to(&mut self, publication: i64) {
        if let Some(place) = self.history.iter().position(|row| row.id == publication) {
            (self.cursor, self.scroll) = (self.targets.len() + place, 0);
        }
    }

    /// The row under the cursor.
    pub fn current(&self) -> Option<Row<'_>> {
        match self.cursor.checked_sub(self.targets.len()) {
            None => self.targets.get(self.cursor).map(Row::Target),
            Some(place) => self.history.get(place).map(Row::Publication),
        }
    }

    /// Whether the footer offers this: what is about the row under the cursor, and little else.
    pub fn offers(&self, command: Command) -> bool {
        let of_target = matches!(self.current(), Some(Row::Target(_)));
        match command {
            // Nothing is filtered or marked here, and images are added elsewhere.
            Command::Filter | Command::Mark | Command::Add | Command::Undo | Command::Copy | Command::Cancel => false,
            Command::TargetEdit | Command::TargetTest => of_target,
            Command::Rollback => matches!(self.current(), Some(Row::Publication(on)) if !on.same_root),
            _ => true,
        }
    }

    /// The target under the cursor, or that of the publication under it.
    pub fn target(&self) -> Option<&TargetView> {
        match self.current()? {
            Row::Target(target) => Some(target),
            Row::Publication(publication) => {
                self.targets.iter().find(|target| !publication.target_removed && target.name == publication.target)
            }
        }
    }

    /// Takes what the catalog knows.
    pub fn answer(&mut self, targets: Vec<TargetView>, mut history: Vec<PublicationView>) {
        history.truncate(MAX_PUBLICATIONS);
        // The cursor stays on what it is on, wherever that is now.
        let place = match self.current() {
            Some(Row::Target(on)) => targets.iter().position(|target| target.name == on.name),
            Some(Row::Publication(on)) => {
                history.iter().position(|publication| publication.id == on.id).map(|place| targets.len() + place)
            }
            None => None,
        };
        let wanted = self.wanted.as_ref().and_then(|name| targets.iter().position(|target| target.name == *name));
        if wanted.is_some() {
            self.wanted = None;
        }
        self.cursor = wanted.or(place).unwrap_or(self.cursor);
        (self.targets, self.history, self.known) = (targets, history, true);
        let names: Vec<&str> = self.targets.iter().map(|target| target.name.as_str()).collect();
        self.sights.retain(|name, _| names.contains(&name.as_str()));
        self.looking.retain(|name, _| names.contains(&name.as_str()));
        self.cursor = self.cursor.min(self.rows().saturating_sub(1));
    }

    /// Takes how a target looks.
    pub fn seen(&mut self, target: String, now: Duration, sight: Result<Box<Sight>, Problem>) {
        self.looking.remove(&target);
        self.sights.insert(target, (now, sight));
    }

    /// Whether a target is to be looked at again by now.
    pub fn is_due(&self, now: Duration) -> bool {
        self.is_own_node_due(now) || self.targets.iter().any(|target| self.is_due_at(&target.name, now))
    }

    /// What processes say of themselves changes without the catalog.
    fn is_own_node_due(&self, now: Duration) -> bool {
        let has_own = self.targets.iter().any(|target| target.serving.is_some());
        has_own && now.saturating_sub(self.asked_at) >= OWN_NODE_INTERVAL
    }

    fn is_due_at(&self, target: &str, now: Duration) -> bool {
        if let Some(since) = self.looking.get(target) {
            // Its answer has got lost.
            return now.saturating_sub(*since) > SURVEY_INTERVAL * 2;
        }
        let root = self.targets.iter().find(|known| known.name == target).and_then(|known| known.root.as_ref());
        self.changed
            || self.sights.get(target).is_none_or(|(at, sight)| {
                let age = now.saturating_sub(*at);
                // Somebody has published there since.
                let other = sight.as_ref().is_ok_and(|sight| sight.root.as_ref() != root);
                age >= SURVEY_INTERVAL || (other && age >= STALE_SURVEY_DELAY)
            })
    }

    fn rows(&self) -> usize {
        self.targets.len() + self.history.len()
    }

    /// What is known of a target's root against the catalog's.
    pub fn difference(&self, before: &str, after: &str) -> Option<&Result<Box<Difference>, Problem>> {
        self.differences.get(&(before.to_owned(), after.to_owned()))
    }

    /// What of the catalog it wants to know, whether the view is open or not.
    pub fn wants_always(&mut self) -> Option<Question> {
        if std::mem::replace(&mut self.asked, true) { None } else { Some(Question::Targets) }
    }

    /// What it wants to know while it is open; `root` is what the catalog stands for.
    pub fn wants(&mut self, now: Duration, root: Option<&str>) -> Vec<Question> {
        let mut wanted = Vec::new();
        if self.is_own_node_due(now) {
            self.asked_at = now;
            wanted.push(Question::Targets);
        }
        for target in &self.targets {
            if self.is_due_at(&target.name, now) {
                wanted.push(Question::Sight(target.name.clone()));
            }
        }
        self.changed = false;
        for question in &wanted {
            if let Question::Sight(name) = question {
                self.looking.insert(name.clone(), now);
            }
        }
        if self.differences.len() > 64 {
            self.differences.clear();
        }
        if let Some(root) = root {
            for before in self.targets.iter().filter_map(|target| target.root.as_deref()) {
                let sides = (before.to_owned(), root.to_owned());
                if before != root && !self.differences.contains_key(&sides) {
                    // Asked once; the answer takes this place.
                    self.differences.insert(sides.clone(), Err(Problem::waiting()));
                    wanted.push(Question::Difference(sides));
                }
            }
        }
        wanted
    }

    /// Carries a command out, if it is one of this view's.
    pub fn command(&mut self, command: Command) -> bool {
        let last = self.rows().saturating_sub(1);
        let page = self.height.max(1);
        let cursor = match command {
            Command::Up => self.cursor.saturating_sub(1),
            Command::Down => self.cursor + 1,
            Command::PageUp => self.cursor.saturating_sub(page),
            Command::PageDown => self.cursor + page,
            Command::HalfUp => self.cursor.saturating_sub((page / 2).max(1)),
            Command::HalfDown => self.cursor + (page / 2).max(1),
            Command::First => 0,
            Command::Last => last,
            _ => return false,
        };
        self.cursor = cursor.min(last);
        self.scroll = 0;
        true
    }
}
