//! Adding images: what is typed, what could complete it, the platforms to choose from, and the plan as it would be run.
//!
//! Nothing is asked of a registry while keys come: what is typed is looked up when typing has rested.

use crossterm::event::{KeyCode, KeyEvent};

use super::super::describe::{self, Described};
use super::super::problem::Problem;
use super::super::text_field::TextField;
use super::super::work::Plan;

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

/// The dialog.
#[derive(Debug)]
pub struct Add {
    /// What is typed: references, separated by spaces.
    pub field: TextField,
    /// What would complete the word under the cursor.
    pub completions: Vec<String>,
    next: usize,
    /// Names in the catalog that begin like the word.
    names: Vec<String>,
    /// Tags that upstream has of a repository, or why they can't be had.
    tags: Option<(String, Result<Vec<String>, String>)>,
    /// The platforms that the image has, and which are chosen.
    pub platforms: Vec<(String, bool)>,
    /// The user chose platforms; else the usual ones are.
    pub chose: bool,
    /// The platform under the cursor; none: the keys are the field's.
    pub at: Option<usize>,
    /// Counts changes, so that a rest is known to be the newest one's.
    pub typing: u64,
    /// What is known of it.
    pub known: Known,
    /// How far the plan is scrolled.
    pub scroll: u16,
}

/// What a key means to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Run the plan that is shown.
    Run,
    /// Look it up now.
    Look,
    /// It was given up.
    Closed,
    /// The text is another one.
    Changed,
    /// Nothing.
    Stay,
}

/// A reference without its tag and digest; a colon before the last slash belongs to a port.
pub fn repository_of(word: &str) -> &str {
    let word = word.split('@').next().unwrap_or(word);
    match word.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => word,
    }
}

impl Add {
    /// Asks what to add; this text is there already.
    pub fn new(text: &str) -> Self {
        let mut field = TextField::default();
        field.insert(text);
        Self {
            field,
            completions: Vec::new(),
            next: 0,
            names: Vec::new(),
            tags: None,
            platforms: Vec::new(),
            chose: false,
            at: None,
            typing: 0,
            known: Known::Nothing,
            scroll: 0,
        }
    }

    /// The word that is typed at the moment.
    pub fn word(&self) -> &str {
        let value = self.field.value();
        value.rsplit(char::is_whitespace).next().unwrap_or(value)
    }

    /// The text is another one: what was known of it is forgotten.
    pub fn changed(&mut self) {
        self.typing += 1;
        self.known = Known::Nothing;
        self.platforms.clear();
        self.chose = false;
        self.at = None;
        self.scroll = 0;
        self.complete();
    }

    /// Other platforms are wanted: the plan is another one, too.
    fn chosen(&mut self) {
        self.typing += 1;
        self.chose = true;
        self.known = Known::Nothing;
    }

    /// Names of the catalog that begin like the word.
    pub fn take_names(&mut self, names: Vec<String>) {
        self.names = names;
        self.complete();
    }

    /// Whether the tags of this repository are there or asked for.
    pub fn has_tags_of(&self, repository: &str) -> bool {
        self.tags.as_ref().is_some_and(|(of, _)| of == repository)
    }

    /// Tags of a repository are asked for, are there, or can't be had.
    pub fn take_tags(&mut self, repository: &str, tags: Result<Vec<String>, String>) {
        self.tags = Some((repository.to_owned(), tags));
        self.complete();
    }

    /// How many tags upstream has, or why they can't be had.
    pub fn tags(&self) -> Option<Result<usize, &str>> {
        let (of, tags) = self.tags.as_ref()?;
        (of == repository_of(self.word())).then(|| tags.as_ref().map(Vec::len).map_err(String::as_str))
    }

    fn complete(&mut self) {
        let word = self.word().to_owned();
        let repository = repository_of(&word);
        let mut found = Vec::new();
        if let Some((of, Ok(tags))) = &self.tags
            && of == repository
            && !word.is_empty()
        {
            let all = tags.iter().map(|tag| format!("{repository}:{tag}"));
            found.extend(all.filter(|text| text.starts_with(&word) && *text != word).take(200));
        }
        found.extend(self.names.iter().filter(|name| name.starts_with(&word) && **name != word).cloned());
        (self.completions, self.next) = (found, 0);
    }

    /// Takes a plan that was made for what is typed.
    pub fn take_plan(&mut self, plan: Result<Box<Plan>, Problem>) {
        self.known = match plan {
            Err(problem) => Known::Problem(problem),
            Ok(plan) => {
                if let Plan::Add(add) = plan.as_ref() {
                    if let [image] = add.images.as_slice() {
                        let chosen = image.platforms.iter().map(|platform| (platform.clone(), true));
                        let others = image.left_out.iter().filter_map(|left| left.platform.clone());
                        let mut all: Vec<(String, bool)> = chosen.collect();
                        for other in others {
                            if !all.iter().any(|(known, _)| *known == other) {
                                all.push((other, false));
                            }
                        }
                        all.sort();
                        self.platforms = all;
                    } else {
                        self.platforms.clear();
                    }
                }
                let described = describe::plan(&plan);
                Known::Plan(plan, described)
            }
        };
        self.at = self.at.filter(|at| *at < self.platforms.len());
    }

    /// What a key means.
    pub fn key(&mut self, key: KeyEvent) -> Choice {
        let last = self.platforms.len().saturating_sub(1);
        match (key.code, self.at) {
            (KeyCode::Esc, Some(_)) => self.at = None,
            (KeyCode::Esc, None) => return Choice::Closed,
            (KeyCode::Enter, _) => {
                return match &self.known {
                    Known::Plan(_, described) if described.nothing.is_none() => Choice::Run,
                    Known::Plan(..) | Known::Asking(_) => Choice::Stay,
                    Known::Nothing | Known::Problem(_) => Choice::Look,
                };
            }
            (KeyCode::Tab, _) => {
                if let Some(completion) = self.completions.get(self.next).cloned() {
                    let kept = self.field.value().len() - self.word().len();
                    let text = format!("{}{completion}", &self.field.value()[..kept]);
                    let (next, all) = ((self.next + 1) % self.completions.len(), self.completions.clone());
                    self.field = TextField::new(&text);
                    self.changed();
                    // What is gone through stays, whatever the text is now.
                    (self.completions, self.next) = (all, next);
                    return Choice::Changed;
                }
            }
            (KeyCode::PageDown, _) => self.scroll = self.scroll.saturating_add(5),
            (KeyCode::PageUp, _) => self.scroll = self.scroll.saturating_sub(5),
            (KeyCode::Down, None) if !self.platforms.is_empty() => self.at = Some(0),
            (KeyCode::Down, Some(at)) => self.at = Some((at + 1).min(last)),
            (KeyCode::Up, Some(at)) => self.at = at.checked_sub(1),
            (KeyCode::Char(' '), Some(at)) => {
                let chosen = self.platforms.iter().filter(|(_, chosen)| *chosen).count();
                if let Some((_, is_chosen)) = self.platforms.get_mut(at)
                    // One at least.
                    && (chosen > 1 || !*is_chosen)
                {
                    *is_chosen = !*is_chosen;
                    self.chosen();
                    return Choice::Look;
                }
            }
            _ => {
                if self.field.key(key) {
                    self.changed();
                    return Choice::Changed;
                }
            }
        }
        Choice::Stay
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyModifiers;

    use super::*;

    fn press(add: &mut Add, code: KeyCode) -> Choice {
        add.key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn the_last_word_is_completed_from_upstream_and_from_the_catalog() {
        let mut add = Add::new("redis:7 ghcr.io:443/a/b:1.");
        assert_eq!((add.word(), repository_of(add.word())), ("ghcr.io:443/a/b:1.", "ghcr.io:443/a/b"));
        add.take_tags("ghcr.io:443/a/b", Ok(vec!["1.0".into(), "1.1".into(), "2.0".into()]));
        add.take_names(vec!["nginx".into()]);
        assert_eq!(add.completions, ["ghcr.io:443/a/b:1.0", "ghcr.io:443/a/b:1.1"]);
        assert_eq!(press(&mut add, KeyCode::Tab), Choice::Changed);
        assert_eq!(add.field.value(), "redis:7 ghcr.io:443/a/b:1.0");
        press(&mut add, KeyCode::Tab);
        assert_eq!(add.field.value(), "redis:7 ghcr.io:443/a/b:1.1");
    }

    #[test]
    fn enter_runs_only_what_is_shown_and_one_platform_stays() {
        let mut add = Add::new("nginx");
        assert_eq!(press(&mut add, KeyCode::Enter), Choice::Look);
        add.known = Known::Asking(1);
        assert_eq!(press(&mut add, KeyCode::Enter), Choice::Stay);
        add.platforms = vec![("linux/amd64".into(), true), ("linux/arm64".into(), false)];
        press(&mut add, KeyCode::Down);
        assert_eq!(press(&mut add, KeyCode::Char(' ')), Choice::Stay);
        press(&mut add, KeyCode::Down);
        assert_eq!(press(&mut add, KeyCode::Char(' ')), Choice::Look);
        assert!(add.chose && add.platforms[1].1);
    }
}
