//! What a rule says.

use std::fmt;
use std::str::FromStr;

use super::duration::Period;
use crate::image::tags::TagRule;
use crate::image::{RepositoryName, Selection, Upstream};

/// Characters of the longest name of a rule.
const MAX_NAME_CHARACTERS: usize = 200;

/// All that a rule file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// The rules, in the order in which what they take is fetched.
    pub rules: Vec<Rule>,
    /// Who is told of what happens.
    pub hooks: Vec<Hook>,
    /// A program that says whether an image may enter: its words are the first, then its arguments.
    pub gate: Vec<String>,
    /// How long what a rule brought stays that is not in the file any more: as `[defaults]` say it.
    pub leave: Kept,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What it is called: as written, else by its image or its first source.
    pub name: RuleName,
    /// What it takes images from.
    pub subject: Subject,
    /// Platforms to mirror. None: as `add` without `--platform`.
    pub platforms: Option<Selection>,
    /// Published name instead of the usual one.
    pub published_as: Option<RepositoryName>,
    /// How long a digest has to be known at a tag before it is taken.
    pub age: Option<Period>,
    /// What happens when a tag gets another digest upstream.
    pub moves: Moves,
    /// How long what a tag pointed to stays pullable by its digest.
    pub former: Option<Period>,
    /// Tag that what a tag pointed to gets, with `{tag}` and `{date}` in it.
    pub former_tag: Option<String>,
    /// How long what the rule brought stays when it does not select it any more.
    pub leave: Kept,
    /// How long what upstream has removed stays.
    pub gone: Kept,
    /// New images of one run at most; the rest waits for the next.
    pub max_new: u32,
    /// Pulls of a registry's quota that are left for others.
    pub reserve: u32,
    /// How often `watch` runs it. None: as `watch` is told.
    pub every: Option<Period>,
}

/// What a rule is called. Unique in its file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleName(String);

/// What a rule takes images from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The tags of one repository.
    Repository {
        /// The repository.
        upstream: Upstream,
        /// Which of its tags.
        tags: TagRule,
    },
    /// What files name or a program prints, read anew at each run.
    Sources(Vec<Source>),
}

/// Something that names images.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// Compose files, by a path with `*` and `**`.
    Compose(String),
    /// Kubernetes manifests.
    Kubernetes(String),
    /// Dockerfiles.
    Dockerfile(String),
    /// Files with a reference a line.
    List(String),
    /// A program that prints a reference a line.
    Command(String),
}

/// What happens when a tag gets another digest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Moves {
    /// The new image is taken.
    #[default]
    Follow,
    /// The old image stays, and the move is reported.
    Refuse,
    /// The tag is not asked for again.
    Ignore,
}

/// How long something is kept that is not selected or not there any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kept {
    /// It is not removed.
    Always,
    /// It is removed when so much time has passed.
    For(Period),
}

/// Two weeks.
impl Default for Kept {
    fn default() -> Self {
        Rule::default_leave()
    }
}

/// Who is told of what happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Names of the events; none: all.
    pub on: Vec<String>,
    /// How it is told.
    pub action: HookAction,
}

/// How a hook is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookAction {
    /// A program and its arguments, with the event as JSON on its standard input.
    Run(Vec<String>),
    /// An address that the event is posted to as JSON.
    Post {
        /// The address.
        url: String,
        /// A file with the secret of the signature.
        secret_file: Option<String>,
    },
    /// An address that is asked when a run begins (`/start`), ends, or fails (`/fail`).
    Ping(String),
}

impl Rule {
    /// How long what is not selected any more stays where nothing else is said: two weeks.
    pub fn default_leave() -> Kept {
        Kept::For(Period::days(14))
    }

    /// New images of one run where nothing else is said.
    pub const DEFAULT_MAX_NEW: u32 = 20;
    /// Pulls that are left where nothing else is said.
    pub const DEFAULT_RESERVE: u32 = 20;
}

impl Rule {
    /// A rule that says nothing but its name and what it takes.
    pub fn new(name: RuleName, subject: Subject) -> Self {
        Self {
            name,
            subject,
            platforms: None,
            published_as: None,
            age: None,
            moves: Moves::default(),
            former: None,
            former_tag: None,
            leave: Self::default_leave(),
            gone: Kept::Always,
            max_new: Self::DEFAULT_MAX_NEW,
            reserve: Self::DEFAULT_RESERVE,
            every: None,
        }
    }
}

impl Rules {
    /// The rule of this name.
    pub fn by_name(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.name.as_str() == name)
    }
}

impl RuleName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RuleName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || text.trim() != text {
            return Err("a name has no space at its ends, and is not empty");
        }
        if text.chars().count() > MAX_NAME_CHARACTERS {
            return Err("a name has 200 characters at most");
        }
        if text.chars().any(char::is_control) {
            return Err("a name has no control characters");
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Source {
    /// The kinds, as written before the colon.
    pub const KINDS: [&'static str; 5] = ["compose", "kubernetes", "dockerfile", "list", "command"];

    /// The same with another path; a command has none.
    pub fn with_path<E>(self, change: impl FnOnce(String) -> Result<String, E>) -> Result<Self, E> {
        Ok(match self {
            Self::Compose(path) => Self::Compose(change(path)?),
            Self::Kubernetes(path) => Self::Kubernetes(change(path)?),
            Self::Dockerfile(path) => Self::Dockerfile(change(path)?),
            Self::List(path) => Self::List(change(path)?),
            command @ Self::Command(_) => command,
        })
    }

    /// The kind, and the path or command.
    pub fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Compose(path) => (Self::KINDS[0], path),
            Self::Kubernetes(path) => (Self::KINDS[1], path),
            Self::Dockerfile(path) => (Self::KINDS[2], path),
            Self::List(path) => (Self::KINDS[3], path),
            Self::Command(words) => (Self::KINDS[4], words),
        }
    }
}

impl FromStr for Source {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const SHAPE: &str =
            "write `compose:`, `kubernetes:`, `dockerfile:` or `list:` and a path, or `command:` and a command";
        let (kind, rest) = text.split_once(':').ok_or(SHAPE)?;
        let rest = rest.trim();
        if rest.is_empty() || rest.chars().any(char::is_control) {
            return Err(SHAPE);
        }
        let rest = rest.to_owned();
        match kind {
            "compose" => Ok(Self::Compose(rest)),
            "kubernetes" => Ok(Self::Kubernetes(rest)),
            "dockerfile" => Ok(Self::Dockerfile(rest)),
            "list" => Ok(Self::List(rest)),
            "command" => Ok(Self::Command(rest)),
            _ => Err(SHAPE),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, rest) = self.parts();
        write!(f, "{kind}:{rest}")
    }
}
