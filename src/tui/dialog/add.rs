//! Adding images: what is typed, what could complete it, the platforms and options to choose from, and the plan as it would
//! be run.
//!
//! Nothing is asked of a registry while keys come: what is typed is looked up when typing has rested.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::super::describe::{self, Described};
use super::super::preview::Preview;
use super::super::problem::Problem;
use super::super::rule_text;
use super::super::text_field::TextField;
use super::super::work::{Plan, Request};
use super::completions::{Completions, RULE_OPTIONS, images_in, repository_of};
use super::platforms::{Platforms, Tick};
use crate::engine::plan::{AddPlan, PlannedImage};
use crate::image::tags::suggest;
use crate::rules::{Rule, Subject};

/// What is known of what is typed.
#[derive(Debug)]
pub enum Known {
    /// Nothing: it was typed just now, or nothing is.
    Nothing,
    /// Registries are being asked; the number is the request's.
    Asking(u64),
    /// This is what would be done.
    Plan(Box<Plan>, Described),
    /// It can't be done.
    Problem(Problem),
}

/// What is known of upstream's tags.
#[derive(Debug)]
pub enum Tags {
    /// They are asked for.
    Asked,
    /// Tags that upstream's list has.
    Known(Vec<String>),
    /// They can't be listed, for this reason.
    Failed(String),
}

/// A rule that is typed: a pattern, or files that name images.
#[derive(Debug)]
pub struct TypedRule {
    /// The rule, or why it is none.
    pub rule: Result<Rule, String>,
    /// What it would take.
    pub preview: Preview,
}

/// State of the dialog that adds images.
#[derive(Debug)]
pub struct Add {
    /// What is typed: references, separated by spaces.
    pub field: TextField,
    /// What would complete the word under the cursor.
    pub completions: Completions,
    /// References that the catalog mirrors from and that begin like the word.
    names: Vec<String>,
    /// The tags of a repository, which is asked by plain HTTP or not.
    tags: Option<((String, Option<bool>), Tags)>,
    /// The platforms that the images have, and which are chosen.
    pub platforms: Platforms,
    /// The user chose that registries are asked by plain HTTP, or that they are not.
    pub insecure: Option<bool>,
    /// Manifests of the other platforms are wanted, too.
    pub all_manifests: bool,
    /// The choice under the cursor, platforms first, then [`PLAIN_HTTP`] and [`ALL_MANIFESTS`]; none: the keys are the field's.
    pub at: Option<usize>,
    /// Counts changes, so that a rest is known to be the newest one's.
    pub typing: u64,
    /// Result of the newest plan, or why there is none.
    pub known: Known,
    /// What the newest plan was asked for.
    pub asked_for: Option<Request>,
    /// That plan, once another text is typed: a space more is no other question, and manifests count as pulls.
    pub former: Option<Box<Plan>>,
    /// The rule that is typed instead of references, and what it would take.
    pub rule: Option<TypedRule>,
    /// The rule is made as soon as its sources are read.
    pub making: bool,
    /// How far the plan is scrolled.
    pub scroll: u16,
    /// The lines that a page of it has.
    pub page: u16,
}

/// The choices below the platforms: that registries are asked by plain HTTP.
pub const PLAIN_HTTP: usize = 0;
/// And that the manifests of platforms that are not chosen are kept, too.
pub const ALL_MANIFESTS: usize = 1;
/// How many there are below the platforms.
const CHOICE_ROWS: usize = 2;

/// What a key means to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Run the plan that is shown.
    Run,
    /// Make the rule that is typed.
    Make,
    /// Look it up now.
    Look,
    /// The dialog closes without adding anything.
    Closed,
    /// The text is another one.
    Changed,
    /// The dialog stays open, and nothing is to be done.
    Stay,
}

impl Add {
    /// Asks what to add; this text is there already.
    pub fn new(text: &str) -> Self {
        let mut field = TextField::default();
        field.insert(text);
        Self {
            field,
            completions: Completions::default(),
            names: Vec::new(),
            tags: None,
            platforms: Platforms::default(),
            insecure: None,
            all_manifests: false,
            at: None,
            typing: 0,
            known: Known::Nothing,
            asked_for: None,
            former: None,
            rule: None,
            making: false,
            scroll: 0,
            page: 1,
        }
    }

    /// The word that is typed at the moment.
    pub fn word(&self) -> &str {
        let value = self.field.value();
        value.rsplit(char::is_whitespace).next().unwrap_or(value)
    }

    /// How many images are typed.
    pub fn images(&self) -> usize {
        images_in(self.field.value())
    }

    /// The pattern that takes the newer versions of the only image that is typed, if its tag has a version.
    pub fn pattern(&self) -> Option<String> {
        let word = self.field.value().trim();
        let repository = repository_of(word);
        let tag = word.strip_prefix(repository)?.strip_prefix(':')?;
        let pattern = suggest(tag);
        (pattern != tag && !word.contains(char::is_whitespace)).then(|| format!("{repository}:{pattern}"))
    }

    /// The plan that is shown.
    pub fn plan(&self) -> Option<&AddPlan> {
        match &self.known {
            Known::Plan(plan, _) => match plan.as_ref() {
                Plan::Add(plan) => Some(plan),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether something of it can't be done as far as is known; asking again may find otherwise.
    pub fn has_failed(&self) -> bool {
        matches!(self.known, Known::Problem(_)) || self.plan().is_some_and(|plan| !plan.failed.is_empty())
    }

    /// Whether a plan is shown that Enter runs.
    pub fn can_run(&self) -> bool {
        matches!(&self.known, Known::Plan(_, described) if described.nothing.is_none())
    }

    /// Whether registries are asked by plain HTTP, as far as is said here: by the choice, else by the text.
    pub fn plain_http(&self) -> Option<bool> {
        self.insecure.or_else(|| {
            self.field.value().split_whitespace().rev().find_map(|word| match word {
                "--insecure" => Some(true),
                "--no-insecure" => Some(false),
                _ => None,
            })
        })
    }

    /// Whether a choice below the platforms is made, by what is known.
    pub fn option(&self, option: usize) -> Tick {
        let images = self.plan().map_or(&[][..], |plan| &plan.images);
        let of = |is: fn(&PlannedImage) -> bool| Tick::of(images.iter().filter(|it| is(it)).count(), images.len());
        match (option, self.plain_http()) {
            (PLAIN_HTTP, Some(plain)) => Tick::of(plain.into(), 1),
            (PLAIN_HTTP, None) => of(|image| image.insecure),
            _ if self.all_manifests => Tick::On,
            _ => of(|image| image.all_manifests),
        }
    }

    /// The text is another one: what was known of it is forgotten.
    pub fn changed(&mut self) {
        self.typing += 1;
        if let Known::Plan(plan, _) = std::mem::replace(&mut self.known, Known::Nothing)
            && matches!(plan.as_ref(), Plan::Add(plan) if plan.failed.is_empty())
        {
            self.former = Some(plan);
        }
        self.platforms = Platforms::default();
        self.at = None;
        (self.scroll, self.making) = (0, false);
        // What it would take is asked of nobody: the caller knows the lists.
        self.rule = rule_text::typed(self.field.value())
            .map(|rule| TypedRule { rule: rule.map_err(|mistake| mistake.text), preview: Preview::default() });
        self.complete();
    }

    /// Something else is chosen: the plan is another one, too.
    fn chosen(&mut self) {
        self.typing += 1;
        self.known = Known::Nothing;
    }

    /// References of the catalog that begin like the word.
    pub fn take_names(&mut self, names: Vec<String>) {
        self.names = names;
        if self.completions.picked.is_none() {
            self.complete();
        }
    }

    /// The repository of the word, and how it is asked.
    pub fn asked(&self) -> (String, Option<bool>) {
        (repository_of(self.word()).to_owned(), self.plain_http())
    }

    /// Whether its tags are there or asked for.
    pub fn has_tags(&self) -> bool {
        let asked = self.asked();
        self.tags.as_ref().is_some_and(|(of, tags)| *of == asked && !matches!(tags, Tags::Failed(_)))
    }

    /// The tags of the word's repository are asked for.
    pub fn ask_tags(&mut self) {
        self.tags = Some((self.asked(), Tags::Asked));
        if self.completions.picked.is_none() {
            self.complete();
        }
    }

    /// Tags of a repository are there, or can't be had.
    pub fn take_tags(&mut self, repository: &str, answer: Result<Vec<String>, String>) {
        let Some((of, tags)) = self.tags.as_mut().filter(|(of, _)| of.0 == repository) else { return };
        *tags = match answer {
            Ok(all) => Tags::Known(all),
            Err(why) => Tags::Failed(why),
        };
        // While tags of it are gone through, they stay as they are.
        let within = format!("{}:", of.0);
        let picked = self.completions.picked.and_then(|at| self.completions.found.get(at));
        if !picked.is_some_and(|picked| picked.word.starts_with(&within)) {
            self.complete();
        }
    }

    /// What is known of the tags of the word's repository.
    pub fn tags(&self) -> Option<&Tags> {
        let (of, tags) = self.tags.as_ref()?;
        (of.0 == repository_of(self.word())).then_some(tags)
    }

    /// Why tags can't be listed, where it is worth saying: not beside a plan that is good, and not what the plan says itself.
    pub fn no_tags(&self) -> Option<&str> {
        let Some(Tags::Failed(why)) = self.tags() else { return None };
        let said = match &self.known {
            Known::Asking(_) => true,
            Known::Nothing => false,
            Known::Problem(problem) => problem.message.contains(why.as_str()),
            Known::Plan(..) => self.plan().is_none_or(|plan| {
                plan.failed.is_empty() || plan.failed.iter().any(|it| it.words().contains(why.as_str()))
            }),
        };
        (!said).then_some(why)
    }

    fn complete(&mut self) {
        if self.rule.is_some() {
            let is_of_image = self.is_of_image();
            let options: Vec<&str> =
                RULE_OPTIONS.into_iter().filter(|option| rule_text::is_option_of(option, is_of_image)).collect();
            self.completions = Completions::of_options(self.word(), &options);
            return;
        }
        let tags: &[String] = match self.tags() {
            Some(Tags::Known(tags)) => tags,
            _ => &[],
        };
        self.completions = Completions::of(self.word(), tags, &self.names);
    }

    /// Whether the rule that is typed is about a repository, not about what files name.
    pub fn is_of_image(&self) -> bool {
        let rule = self.rule.as_ref().and_then(|typed| typed.rule.as_ref().ok());
        match rule {
            Some(rule) => matches!(rule.subject, Subject::Repository { .. }),
            None => !rule_text::names_source(self.field.value()),
        }
    }

    /// Takes a plan that was made for what is typed.
    pub fn take_plan(&mut self, plan: Result<Box<Plan>, Problem>) {
        self.known = match plan {
            Err(problem) => Known::Problem(problem),
            Ok(plan) => {
                if let Plan::Add(add) = plan.as_ref() {
                    self.platforms.take(add);
                }
                let described = describe::plan(&plan);
                Known::Plan(plan, described)
            }
        };
        self.at = self.at.filter(|at| *at < self.choices());
    }

    /// How many choices there are.
    pub fn choices(&self) -> usize {
        self.platforms.rows.len() + CHOICE_ROWS
    }

    /// Whether the arrows go through completions: they are gone through already, or there is no plan that they could lead to.
    pub fn goes_through_completions(&self) -> bool {
        let picked = self.completions.picked.is_some();
        picked || !self.completions.found.is_empty() && !self.can_run()
    }

    /// Handles a key and says what to do.
    pub fn key(&mut self, key: KeyEvent) -> Choice {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let shift = key.modifiers.contains(KeyModifiers::SHIFT);
        let last = self.choices() - 1;
        if let Some(typed) = &self.rule {
            let is_rule = typed.rule.is_ok();
            match key.code {
                KeyCode::Enter => return if is_rule { Choice::Make } else { Choice::Stay },
                KeyCode::Down => self.scroll = self.scroll.saturating_add(1),
                KeyCode::Up => self.scroll = self.scroll.saturating_sub(1),
                KeyCode::BackTab => return self.step(false),
                KeyCode::Tab => return self.step(!shift),
                KeyCode::Char('o') if control => {}
                _ => return self.edited(key, control),
            }
            return Choice::Stay;
        }
        match (key.code, self.at) {
            (KeyCode::Esc, Some(_)) => self.at = None,
            (KeyCode::Esc, None) => return Choice::Closed,
            (KeyCode::Enter, _) => {
                return match &self.known {
                    _ if self.can_run() => Choice::Run,
                    Known::Plan(..) if self.has_failed() => Choice::Look,
                    // There is nothing to do.
                    Known::Plan(..) => Choice::Closed,
                    Known::Asking(_) => Choice::Stay,
                    Known::Nothing | Known::Problem(_) => Choice::Look,
                };
            }
            (KeyCode::Char('o'), None) if control => self.at = Some(0),
            (KeyCode::Char('o'), Some(_)) if control => self.at = None,
            (KeyCode::BackTab, _) => return self.step(false),
            (KeyCode::Tab, _) => return self.step(!shift),
            (KeyCode::Down, None) if self.goes_through_completions() => return self.step(true),
            (KeyCode::Up, None) if self.completions.picked.is_some() => return self.step(false),
            (KeyCode::Down, None) => self.at = Some(0),
            (KeyCode::Down | KeyCode::Right, Some(at)) => self.at = Some((at + 1).min(last)),
            (KeyCode::Up | KeyCode::Left, Some(at)) => self.at = at.checked_sub(1),
            (KeyCode::Char(' '), Some(at)) => return self.turn(at),
            (KeyCode::Char('*'), Some(_)) if self.platforms.turn_all() => {
                self.chosen();
                return Choice::Look;
            }
            _ => return self.edited(key, control),
        }
        Choice::Stay
    }

    /// A key that is a letter, or belongs to no choice.
    fn edited(&mut self, key: KeyEvent, control: bool) -> Choice {
        match key.code {
            KeyCode::Esc => return Choice::Closed,
            KeyCode::Char('r') if control => return Choice::Look,
            KeyCode::PageDown => self.scroll = self.scroll.saturating_add(self.page),
            KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(self.page),
            _ if self.field.key(key) => {
                self.changed();
                return Choice::Changed;
            }
            _ => {}
        }
        Choice::Stay
    }

    /// The next completion, or the one before, comes into the text.
    fn step(&mut self, forward: bool) -> Choice {
        let kept = self.field.value().len() - self.word().len();
        let Some(word) = self.completions.step(forward) else { return Choice::Stay };
        let text = format!("{}{word}", &self.field.value()[..kept]);
        let completions = std::mem::take(&mut self.completions);
        self.field = TextField::new(&text);
        self.changed();
        // What is gone through stays, whatever the text is now.
        self.completions = completions;
        Choice::Changed
    }

    /// A choice is turned around.
    fn turn(&mut self, at: usize) -> Choice {
        match at.checked_sub(self.platforms.rows.len()) {
            Some(PLAIN_HTTP) => self.insecure = Some(self.option(PLAIN_HTTP).turned() == Tick::On),
            Some(_) => self.all_manifests = !self.all_manifests,
            None if self.platforms.turn(at) => {}
            None => return Choice::Stay,
        }
        self.chosen();
        Choice::Look
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(add: &mut Add, code: KeyCode) -> Choice {
        add.key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn the_last_word_is_completed_from_upstream_and_from_the_catalog() {
        let mut add = Add::new("redis:7 ghcr.io:443/a/b:1.");
        assert_eq!((add.word(), repository_of(add.word())), ("ghcr.io:443/a/b:1.", "ghcr.io:443/a/b"));
        add.ask_tags();
        add.take_tags("ghcr.io:443/a/b", Ok(vec!["1.0".into(), "1.1".into(), "2.0".into()]));
        add.take_names(vec!["nginx".into()]);
        assert_eq!(press(&mut add, KeyCode::Tab), Choice::Changed);
        assert_eq!(add.field.value(), "redis:7 ghcr.io:443/a/b:1.0");
        press(&mut add, KeyCode::Down);
        assert_eq!(add.field.value(), "redis:7 ghcr.io:443/a/b:1.1");
        press(&mut add, KeyCode::BackTab);
        assert_eq!(add.field.value(), "redis:7 ghcr.io:443/a/b:1.0");
        assert_eq!(add.completions.picked, Some(0));
    }

    #[test]
    fn enter_runs_only_what_is_shown_and_one_platform_stays() {
        let mut add = Add::new("nginx");
        assert_eq!(press(&mut add, KeyCode::Enter), Choice::Look);
        add.known = Known::Asking(1);
        assert_eq!(press(&mut add, KeyCode::Enter), Choice::Stay);
        add.platforms.rows = vec![("linux/amd64".into(), Tick::On), ("linux/arm64".into(), Tick::Off)];
        press(&mut add, KeyCode::Down);
        assert_eq!(press(&mut add, KeyCode::Char(' ')), Choice::Stay);
        press(&mut add, KeyCode::Down);
        assert_eq!(press(&mut add, KeyCode::Char(' ')), Choice::Look);
        assert!(add.platforms.chose && add.platforms.rows[1].1 == Tick::On);
    }

    #[test]
    fn options_are_choices_below_the_platforms_and_images_are_counted_without_them() {
        let mut add = Add::new("127.0.0.1:5000/x --as y:1 --platform linux/arm64 'oci:my directory'");
        assert_eq!((add.images(), add.plain_http()), (2, None));
        add.key(KeyEvent::new(KeyCode::Char('o'), KeyModifiers::CONTROL));
        assert_eq!(press(&mut add, KeyCode::Char(' ')), Choice::Look);
        assert_eq!(add.plain_http(), Some(true));
        press(&mut add, KeyCode::Right);
        assert_eq!(press(&mut add, KeyCode::Char(' ')), Choice::Look);
        assert!(add.all_manifests && add.option(ALL_MANIFESTS) == Tick::On);
        assert_eq!(Add::new("--insecure x").plain_http(), Some(true));
    }

    #[test]
    fn why_there_are_no_tags_is_said_once_and_not_beside_a_good_plan() {
        let mut add = Add::new("127.0.0.1:5000/secret/vault:1");
        add.ask_tags();
        add.take_tags("127.0.0.1:5000/secret/vault", Err("wrong password".into()));
        assert_eq!(add.no_tags(), Some("wrong password"));
        assert!(!add.has_tags(), "they are asked for again");
        let problem = |message: &str| {
            Known::Problem(Problem { message: message.into(), hints: Vec::new(), kind: crate::error::Kind::Auth })
        };
        add.known = problem("127.0.0.1:5000/secret/vault:1: wrong password");
        assert_eq!(add.no_tags(), None);
        add.known = problem("something else");
        assert!(add.no_tags().is_some());
        add.take_plan(Ok(Box::new(Plan::Add(AddPlan::default()))));
        assert_eq!(add.no_tags(), None);
    }
}
