//! The flags that say what a rule takes, and how they become a rule.

use std::num::NonZeroU32;
use std::str::FromStr;

use clap::Args;

use crate::cli::parsed::parsed;
use crate::cli::references::check_no_source;
use crate::engine::rules::at_home;
use crate::error::{Error, Kind, Result};
use crate::image::tags::{Bound, TagPattern, TagRule};
use crate::image::{Reference, RepositoryName, Selection, Upstream};
use crate::rules::{Kept, Moves, Period, Rule, Source, Subject};

/// Which tags are taken.
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct TagFlags {
    /// Take this many versions, the newest ones; of each line with `--per`.
    #[arg(long, value_name = "NUMBER", help_heading = "Tags")]
    pub(in crate::cli) newest: Option<NonZeroU32>,

    /// How many numbers of a version make its line: 2 makes 1.28 and 1.29 two lines.
    #[arg(long, value_name = "NUMBER", help_heading = "Tags")]
    pub(in crate::cli) per: Option<NonZeroU32>,

    /// Take this many lines of `--per`, the newest ones.
    #[arg(long, value_name = "NUMBER", help_heading = "Tags")]
    pub(in crate::cli) lines: Option<NonZeroU32>,

    /// Take no version lower than this.
    #[arg(long, value_name = "VERSION", value_parser = named::<Bound>, help_heading = "Tags")]
    pub(in crate::cli) at_least: Option<Bound>,

    /// Take only versions lower than this.
    #[arg(long, value_name = "VERSION", value_parser = named::<Bound>, help_heading = "Tags")]
    pub(in crate::cli) below: Option<Bound>,

    /// Never take tags of this pattern (repeatable).
    #[arg(long, value_name = "PATTERN", value_parser = pattern, help_heading = "Tags")]
    pub(in crate::cli) except: Vec<TagPattern>,
}

/// What else a rule says.
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct RuleFlags {
    #[command(flatten)]
    pub(in crate::cli) tags: TagFlags,

    /// Take only what this catalog has known for so long: `3d`, `12h`.
    #[arg(long, value_name = "PERIOD", value_parser = named::<Period>)]
    age: Option<Period>,

    /// What happens when a tag gets another digest upstream [default: follow].
    #[arg(long, value_name = "HOW", value_parser = moves)]
    moves: Option<Moves>,

    /// Keep what a tag pointed to pullable by its digest for so long.
    #[arg(long, value_name = "PERIOD", value_parser = named::<Period>)]
    former: Option<Period>,

    /// Give what a tag pointed to this tag: `{tag}-{date}`.
    #[arg(long, value_name = "TAG")]
    former_tag: Option<String>,

    /// Remove what the rule brought and does not select any more after so long, or `never` [default: 14d].
    #[arg(long, value_name = "PERIOD", value_parser = kept)]
    leave: Option<Kept>,

    /// Remove what upstream has removed after so long, or `never` [default: never].
    #[arg(long, value_name = "PERIOD", value_parser = kept)]
    gone: Option<Kept>,

    /// Add no more new images in one run [default: 20].
    #[arg(long, value_name = "NUMBER")]
    max_new: Option<u32>,

    /// Leave so many pulls of the registry's quota to others [default: 20].
    #[arg(long, value_name = "PULLS")]
    reserve: Option<u32>,

    /// Platforms to mirror: `os/arch[/variant]`, or `all`; repeatable [default: this machine's].
    #[arg(long, value_name = "PLATFORM", value_parser = parsed::<Selection>)]
    platform: Vec<Selection>,

    /// Publish under this name instead of the usual one.
    #[arg(long = "as", value_name = "NAME", value_parser = parsed::<RepositoryName>)]
    published_as: Option<RepositoryName>,

    /// How often `watch` runs it.
    #[arg(long, value_name = "PERIOD", value_parser = named::<Period>)]
    every: Option<Period>,
}

fn named<T: FromStr<Err = &'static str>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: &'static str| error.to_owned())
}

/// A pattern; what is wrong with one is shown in its place.
pub(in crate::cli) fn pattern(text: &str) -> Result<TagPattern, String> {
    text.parse().map_err(|error: crate::image::tags::PatternError| {
        let before = text.get(..error.at).map_or(0, |before| before.chars().count());
        format!("{error} (at character {})", before + 1)
    })
}

fn moves(text: &str) -> Result<Moves, String> {
    match text {
        "follow" => Ok(Moves::Follow),
        "refuse" => Ok(Moves::Refuse),
        "ignore" => Ok(Moves::Ignore),
        _ => Err("write `follow`, `refuse` or `ignore`".to_owned()),
    }
}

fn kept(text: &str) -> Result<Kept, String> {
    if text == "never" { Ok(Kept::Always) } else { named(text).map(Kept::For) }
}

/// A repository and the patterns behind its colon, as `nginx:1.#.#`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct RepositoryPattern {
    pub(in crate::cli) upstream: Upstream,
    /// As written, for the rule's name.
    pub(in crate::cli) written: String,
    pub(in crate::cli) pattern: Option<TagPattern>,
}

impl FromStr for RepositoryPattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (written, pattern_text) = split(text);
        let reference: Reference = written.parse()?;
        if reference.digest.is_some() {
            return Err(Error::new(Kind::Usage, "a rule is for tags, and a digest never changes"));
        }
        let parsed = pattern_text.map(pattern).transpose().map_err(|why| {
            Error::new(
                Kind::Usage,
                format!("`{}`: {why}", crate::text::printable_within(pattern_text.unwrap_or_default(), 200)),
            )
        })?;
        Ok(Self { upstream: reference.upstream, written: written.to_owned(), pattern: parsed })
    }
}

/// The repository, and what follows its colon. A port has no pattern's characters, and a slash behind it.
fn split(text: &str) -> (&str, Option<&str>) {
    // A regular expression may have colons and slashes.
    if let Some(at) = text.find(":/").filter(|at| text.len() > at + 2 && text.ends_with('/')) {
        return (&text[..at], Some(&text[at + 1..]));
    }
    match text.rsplit_once(':') {
        Some((repository, pattern)) if !pattern.contains('/') => (repository, Some(pattern)),
        _ => (text, None),
    }
}

/// Whether it is a layout on this machine.
fn is_local(text: &str) -> bool {
    text.starts_with("oci:") || text.starts_with("oci-archive:")
}

/// Whether what is written is a pattern, not one reference.
pub(in crate::cli) fn has_pattern(text: &str) -> bool {
    split(text).1.is_some_and(|pattern| pattern.contains(['#', '*', '{', '[']) || pattern.starts_with('/'))
        && !is_local(text)
}

impl TagFlags {
    /// The rule of these patterns.
    pub(in crate::cli) fn rule(&self, patterns: Vec<TagPattern>) -> Result<TagRule> {
        let rule = TagRule {
            tags: patterns,
            except: self.except.clone(),
            newest: self.newest,
            per: self.per,
            lines: self.lines,
            at_least: self.at_least.clone(),
            below: self.below.clone(),
        };
        match rule.fault() {
            None => Ok(rule),
            Some((field, why)) => {
                Err(Error::new(Kind::Usage, format!("`--{}` can't be used: {why}", field.replace('_', "-"))))
            }
        }
    }

    /// Whether none was given.
    pub(in crate::cli) fn is_empty(&self) -> bool {
        let Self { newest, per, lines, at_least, below, except } = self;
        newest.is_none()
            && per.is_none()
            && lines.is_none()
            && at_least.is_none()
            && below.is_none()
            && except.is_empty()
    }
}

impl RuleFlags {
    /// A new rule.
    pub(in crate::cli) fn rule(&self, name: &str, subject: Subject) -> Result<Rule> {
        let name = name.parse().map_err(|why| Error::new(Kind::Usage, format!("invalid name of a rule: {why}")))?;
        let rule = Rule::new(name, subject);
        Ok(self.over(rule))
    }

    /// A rule with what was given changed.
    pub(in crate::cli) fn changed(&self, rule: &Rule) -> Result<Rule> {
        let mut changed = self.over(rule.clone());
        if !self.tags.is_empty() {
            let Subject::Repository { tags, .. } = &mut changed.subject else {
                return Err(Error::new(
                    Kind::Usage,
                    format!("`{}` takes what its sources name, not tags by a pattern", rule.name),
                ));
            };
            let given = &self.tags;
            let merged = TagFlags {
                newest: given.newest.or(tags.newest),
                per: given.per.or(tags.per),
                lines: given.lines.or(tags.lines),
                at_least: given.at_least.clone().or_else(|| tags.at_least.clone()),
                below: given.below.clone().or_else(|| tags.below.clone()),
                except: if given.except.is_empty() { tags.except.clone() } else { given.except.clone() },
            };
            *tags = merged.rule(tags.tags.clone())?;
        }
        Ok(changed)
    }

    fn over(&self, rule: Rule) -> Rule {
        Rule {
            platforms: self.platform.iter().cloned().reduce(Selection::union).or(rule.platforms),
            published_as: self.published_as.clone().or(rule.published_as),
            age: self.age.or(rule.age),
            moves: self.moves.unwrap_or(rule.moves),
            former: self.former.or(rule.former),
            former_tag: self.former_tag.clone().or(rule.former_tag),
            leave: self.leave.unwrap_or(rule.leave),
            gone: self.gone.unwrap_or(rule.gone),
            max_new: self.max_new.unwrap_or(rule.max_new),
            reserve: self.reserve.unwrap_or(rule.reserve),
            every: self.every.or(rule.every),
            ..rule
        }
    }
}

/// What a rule is about: one repository with its patterns, or sources.
pub(in crate::cli) fn subject(written: &[String], tags: &TagFlags) -> Result<(String, Subject)> {
    let Some(first) = written.first() else {
        return Err(Error::new(Kind::Usage, "no repository and no source was given"));
    };
    let is_source = |text: &String| Source::KINDS.iter().any(|kind| text.starts_with(&format!("{kind}:")));
    if written.iter().any(is_source) {
        let sources = written.iter().map(|text| {
            let source: Result<Source, _> = text.parse();
            source.map_err(|why| {
                Error::new(Kind::Usage, format!("`{}` is no source: {why}", crate::text::printable_within(text, 200)))
            })
        });
        let sources = sources.map(|source| source.and_then(at_home)).collect::<Result<Vec<_>>>()?;
        if !tags.is_empty() {
            return Err(Error::new(Kind::Usage, "sources name their tags: flags that choose tags are for patterns"));
        }
        return Ok((first.clone(), Subject::Sources(sources)));
    }
    let mut patterns = Vec::new();
    let mut upstream: Option<(Upstream, String)> = None;
    for text in written {
        if text == "-" || is_local(text) {
            let text = crate::text::printable_within(text, 200);
            return Err(Error::new(
                Kind::Usage,
                format!("a rule can't be made of `{text}`: it is for a registry's repository"),
            )
            .hint(format!("`roadstead add {text}` adds what it names, without a rule.")));
        }
        check_no_source(text)?;
        let RepositoryPattern { upstream: of, written, pattern } = text.parse()?;
        if upstream.as_ref().is_some_and(|(known, _)| *known != of) {
            return Err(Error::new(Kind::Usage, "a rule is for one repository, but several are given")
                .hint("Make a rule for each: run the command once for each repository."));
        }
        upstream = Some((of, written));
        patterns.extend(pattern);
    }
    let Some((upstream, name)) = upstream else { return Err(Error::new(Kind::Usage, "no repository was given")) };
    if patterns.is_empty() {
        patterns.extend("latest".parse::<TagPattern>().ok());
    }
    Ok((name, Subject::Repository { upstream, tags: tags.rule(patterns)? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_follows_the_last_colon() {
        for (text, repository, pattern) in [
            ("nginx:1.#.#-alpine", "docker.io/library/nginx", Some("1.#.#-alpine")),
            ("registry.example.com:5000/app", "registry.example.com:5000/app", None),
            ("registry.example.com:5000/app:[v]#", "registry.example.com:5000/app", Some("[v]#")),
            ("nginx:/1\\.(\\d+)(?::x)?/", "docker.io/library/nginx", Some("/1\\.(\\d+)(?::x)?/")),
            ("nginx", "docker.io/library/nginx", None),
        ] {
            let parsed: RepositoryPattern = text.parse().unwrap();
            assert_eq!(parsed.upstream.to_string(), repository, "{text}");
            assert_eq!(parsed.pattern.map(|pattern| pattern.to_string()).as_deref(), pattern, "{text}");
        }
        assert!("nginx:1#".parse::<RepositoryPattern>().unwrap_err().to_string().contains("at character 2"));
        assert!(
            has_pattern("nginx:1.#")
                && has_pattern("a/b:/x/")
                && !has_pattern("nginx:1.25")
                && !has_pattern("h:5000/a")
        );
    }

    #[test]
    fn lines_need_what_makes_a_line_which_the_rule_may_have() {
        let number = NonZeroU32::new;
        let words = ["nginx:1.#.#".to_owned()];
        let lines = TagFlags { lines: number(2), ..TagFlags::default() };
        let error = subject(&words, &lines).unwrap_err();
        assert!(error.kind() == Kind::Usage && error.to_string().contains("`per`"), "{error}");
        let flags = RuleFlags { tags: lines, ..RuleFlags::default() };
        let rule = |tags: &TagFlags| RuleFlags::default().rule("nginx", subject(&words, tags).unwrap().1).unwrap();
        let per = TagFlags { per: number(2), newest: number(1), ..TagFlags::default() };
        let changed = flags.changed(&rule(&per)).unwrap();
        let Subject::Repository { tags, .. } = changed.subject else { panic!() };
        assert_eq!((tags.lines, tags.per, tags.newest), (number(2), number(2), number(1)));
        assert_eq!(flags.changed(&rule(&TagFlags::default())).unwrap_err().kind(), Kind::Usage);
    }

    #[test]
    fn a_rule_is_for_one_repository_or_for_sources() {
        let none = TagFlags::default();
        let of = |words: &[&str]| subject(&words.iter().map(ToString::to_string).collect::<Vec<_>>(), &none);
        assert!(of(&["nginx:1.#", "nginx:stable"]).is_ok());
        assert!(of(&["nginx:1.#", "redis:7.#"]).is_err());
        assert!(
            matches!(of(&["list:images.txt", "command:kubeadm config images list"]), Ok((_, Subject::Sources(both))) if both.len() == 2)
        );
        assert!(of(&["list:images.txt", "nginx"]).is_err());
        let newest = TagFlags { newest: NonZeroU32::new(1), ..TagFlags::default() };
        assert!(
            subject(&["nginx:latest".to_owned()], &newest)
                .unwrap_err()
                .to_string()
                .starts_with("`--newest` can't be used")
        );
    }
}
