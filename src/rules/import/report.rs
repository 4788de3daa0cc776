//! What was made of a file, and what was said about it.

use std::collections::{HashMap, HashSet};

use super::expressions::Expression;
use super::format::Format;
use crate::error::{Error, Kind, Result};
use crate::image::tags::{TagPattern, TagRule};
use crate::image::{Reference, Selection, Tag, Upstream};
use crate::rules::rule::{Kept, Moves, Rule, RuleName, Rules, Source, Subject};
use crate::rules::{Period, yaml::Node};
use crate::text::printable_within;

/// Rules that one file may become.
pub const MAX_RULES: usize = 10_000;
/// Characters that are shown of a text in the file.
const MAX_SHOWN_CHARACTERS: usize = 200;
/// Characters of the longest reason.
const MAX_WHY_CHARACTERS: usize = 600;
/// Regular expressions of one file: each may take a megabyte.
const MAX_EXPRESSIONS: usize = 1000;

/// How a program matches an expression.
pub(super) type Reader = fn(&str) -> Result<Expression, String>;

/// One setting of the file, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Where it is: keys with dots between them, items by their number. Printable.
    pub item: String,
    /// What it is now. None: nothing.
    pub became: Option<String>,
    /// Why, or what is different now.
    pub why: String,
}

/// What a file became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Whose file it was.
    pub format: Format,
    /// The rules. If there are images by digest, the last ones take them from lists.
    pub rules: Rules,
    /// Images by digest. A rule can't say a digest.
    pub lists: Vec<ImportedList>,
    /// What became of each setting.
    pub said: Vec<Said>,
}

/// Images by digest that have the same settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedList {
    /// Name of the file that they have to be written to, a line each.
    pub file: String,
    /// The images.
    pub images: Vec<Reference>,
}

/// The name of the list with this number, from 1.
pub fn list_file(number: usize) -> String {
    if number == 1 { "imported-images.txt".to_owned() } else { format!("imported-images-{number}.txt") }
}

/// Settings that a rule takes over from its file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Settings {
    pub(super) platforms: Option<Selection>,
    pub(super) every: Option<Period>,
    pub(super) former_tag: Option<String>,
    pub(super) reserve: Option<u32>,
}

/// What is made, while a file is read.
pub(super) struct Report {
    pub(super) format: Format,
    rules: Vec<Rule>,
    /// How many rules wanted each name.
    names: HashMap<String, usize>,
    expressions: usize,
    /// Single images that a rule or the list that was there takes.
    tags_added: usize,
    /// The number of the first list.
    first_list: usize,
    lists: Vec<(Settings, ImportedList)>,
    said: Vec<Said>,
    /// Rules of single tags, by repository and settings.
    singles: HashMap<(Upstream, Settings), usize>,
    /// Single images that were taken, with their settings.
    taken: HashSet<(Reference, Settings)>,
}

impl Report {
    pub(super) fn new(format: Format, first_list: usize) -> Self {
        Self {
            format,
            rules: Vec::new(),
            names: HashMap::new(),
            expressions: 0,
            tags_added: 0,
            first_list,
            lists: Vec::new(),
            said: Vec::new(),
            singles: HashMap::new(),
            taken: HashSet::new(),
        }
    }

    /// A setting that became something.
    pub(super) fn became(&mut self, item: &str, became: impl Into<String>, why: impl Into<String>) {
        self.said.push(Said { item: shown(item), became: Some(shown(&became.into())), why: reason(why) });
    }

    /// A setting that became nothing.
    pub(super) fn left(&mut self, item: &str, why: impl Into<String>) {
        self.said.push(Said { item: shown(item), became: None, why: reason(why) });
    }

    /// Reads a regular expression, if there were not too many.
    pub(super) fn expression(&mut self, text: &str, read: Reader) -> Result<Expression, String> {
        self.expressions += 1;
        if self.expressions > MAX_EXPRESSIONS {
            return Err(format!("a file has {MAX_EXPRESSIONS} regular expressions at most"));
        }
        read(text)
    }

    /// What is left of a file whose author set something that only means something there.
    pub(super) fn unknown(&mut self, item: &str, node: &Node) {
        let why = match node.text() {
            Some(_) => "a rule has no such setting",
            None => "a rule has no such settings",
        };
        self.left(item, why);
    }

    /// How many rules and images by digest there are so far.
    pub(super) fn made(&self) -> usize {
        let listed: usize = self.lists.iter().map(|(_, list)| list.images.len()).sum();
        self.rules.len() + listed + self.tags_added
    }

    /// How much was said so far.
    pub(super) fn mark(&self) -> usize {
        self.said.len()
    }

    /// Takes back what was said to become something since then: there is no rule that it is part of.
    pub(super) fn retract(&mut self, mark: usize) {
        for said in self.said.iter_mut().skip(mark).filter(|said| said.became.is_some()) {
            said.became = None;
            said.why = String::from("nothing is made of what it belongs to");
        }
    }

    /// Credentials, of which not even a part is shown.
    pub(super) fn credentials(&mut self, item: &str) {
        self.left(item, "credentials are never taken over: sign in with `docker login` or `podman login`");
    }

    /// Makes a rule, and says what it takes.
    pub(super) fn rule(&mut self, upstream: &Upstream, tags: TagRule, settings: &Settings) -> Result<String> {
        if let Some((field, why)) = tags.fault() {
            return Err(Error::new(Kind::Unexpected, format!("a rule of `{upstream}` is wrong at `{field}`: {why}")));
        }
        let described = describe(&tags);
        let name = self.push(Subject::Repository { upstream: upstream.clone(), tags }, &short(upstream), settings)?;
        Ok(format!("rule `{name}`: {described}"))
    }

    /// Takes one image: by a tag into the rule of its repository, by a digest into a list; each with others of the same settings.
    pub(super) fn single(&mut self, reference: &Reference, settings: &Settings) -> Result<String> {
        if !self.taken.insert((reference.clone(), settings.clone())) {
            self.tags_added += 1;
            return Ok("what takes it already".to_owned());
        }
        if reference.digest.is_some() {
            return Ok(format!("a line of `{}`", self.listed(reference, settings)));
        }
        let tag = reference.tag.clone().unwrap_or_else(Tag::latest);
        let pattern = literal(&tag)?;
        let key = (reference.upstream.clone(), settings.clone());
        if let Some(rule) = self.singles.get(&key).and_then(|place| self.rules.get_mut(*place)) {
            if let Subject::Repository { tags, .. } = &mut rule.subject {
                tags.tags.push(pattern);
                self.tags_added += 1;
            }
            return Ok(format!("tag `{tag}` of rule `{}`", rule.name));
        }
        let said = self.rule(&reference.upstream, TagRule { tags: vec![pattern], ..TagRule::default() }, settings)?;
        self.singles.insert(key, self.rules.len() - 1);
        Ok(said)
    }

    /// Puts an image into the list of its settings, whose file is given back.
    fn listed(&mut self, reference: &Reference, settings: &Settings) -> String {
        if let Some((_, list)) = self.lists.iter_mut().find(|(known, _)| known == settings) {
            list.images.push(reference.clone());
            return list.file.clone();
        }
        let file = list_file(self.first_list + self.lists.len());
        self.lists.push((settings.clone(), ImportedList { file: file.clone(), images: vec![reference.clone()] }));
        file
    }

    fn push(&mut self, subject: Subject, wanted: &str, settings: &Settings) -> Result<RuleName> {
        if self.rules.len() == MAX_RULES {
            return Err(Error::new(Kind::Usage, format!("it would become more than {MAX_RULES} rules")));
        }
        let name = self.unused(wanted)?;
        self.rules.push(Rule {
            name: name.clone(),
            subject,
            platforms: settings.platforms.clone(),
            published_as: None,
            age: None,
            moves: Moves::default(),
            former: None,
            former_tag: settings.former_tag.clone(),
            leave: Rule::default_leave(),
            gone: Kept::Always,
            max_new: Rule::DEFAULT_MAX_NEW,
            reserve: settings.reserve.unwrap_or(Rule::DEFAULT_RESERVE),
            every: settings.every,
        });
        Ok(name)
    }

    /// The name, with a number behind it if another rule has it.
    fn unused(&mut self, wanted: &str) -> Result<RuleName> {
        // Upstreams have 255 characters and more, names of rules fewer.
        let short: String = wanted.chars().rev().take(180).collect::<Vec<_>>().into_iter().rev().collect();
        let number = self.names.entry(short.clone()).or_default();
        *number += 1;
        // No image has a space in its name, so that no other rule is called so.
        let name = if *number == 1 { short } else { format!("{short} {number}") };
        name.parse().map_err(|why: &str| Error::new(Kind::Unexpected, format!("a rule can't be named: {why}")))
    }

    pub(super) fn imported(mut self) -> Result<Imported> {
        let mut lists = Vec::new();
        for (settings, list) in std::mem::take(&mut self.lists) {
            let source = Source::List(list.file.clone());
            let name = source.to_string();
            self.push(Subject::Sources(vec![source]), &name, &settings)?;
            lists.push(list);
        }
        let rules = Rules { rules: self.rules, ..Rules::default() };
        Ok(Imported { format: self.format, rules, lists, said: self.said })
    }
}

/// The pattern that is this tag.
pub(super) fn literal(tag: &Tag) -> Result<TagPattern> {
    // A tag has no character that means something in a pattern.
    tag.as_str().parse().map_err(|error| Error::new(Kind::Unexpected, format!("tag `{tag}`: {error}")))
}

/// Text of the file, made fit to show.
pub(super) fn shown(text: &str) -> String {
    printable_within(text, MAX_SHOWN_CHARACTERS)
}

fn reason(why: impl Into<String>) -> String {
    printable_within(&why.into(), MAX_WHY_CHARACTERS)
}

/// As `docker` writes it.
fn short(upstream: &Upstream) -> String {
    let full = upstream.to_string();
    let hub = full.strip_prefix("docker.io/").unwrap_or(&full);
    hub.strip_prefix("library/").unwrap_or(hub).to_owned()
}

/// What a rule says about tags, in the words of a rule file.
fn describe(tags: &TagRule) -> String {
    let list = |patterns: &[TagPattern]| {
        let all: Vec<String> = patterns.iter().map(|pattern| format!("\"{pattern}\"")).collect();
        format!("[{}]", all.join(", "))
    };
    let mut said = vec![format!("tags = {}", list(&tags.tags))];
    if !tags.except.is_empty() {
        said.push(format!("except = {}", list(&tags.except)));
    }
    said.extend(tags.newest.map(|newest| format!("newest = {newest}")));
    said.extend(tags.at_least.as_ref().map(|bound| format!("at_least = \"{bound}\"")));
    said.extend(tags.below.as_ref().map(|bound| format!("below = \"{bound}\"")));
    said.join(", ")
}
