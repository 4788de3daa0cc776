//! A rule as it is typed: setting by setting in a form, or in a line with options as on the command line.
//!
//! What is typed is written as a rule file, and read as one: the same words tell of the same mistakes everywhere.

use std::fmt::Write as _;

use toml_edit::{DocumentMut, Item, Value};

use crate::rules::{self, Rule, Source, write_rule};

/// Something that a rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// What the rule is called.
    Name,
    /// The repository.
    Image,
    /// Patterns for its tags.
    Tags,
    /// Files and programs that name images.
    Sources,
    /// Versions that are taken.
    Newest,
    /// Numbers of a version that make its line.
    Per,
    /// Lines that are taken.
    Lines,
    /// The lowest version.
    AtLeast,
    /// What all versions are lower than.
    Below,
    /// Patterns for what is never taken.
    Except,
    /// How long a digest has to be known.
    Age,
    /// What happens when a tag moves.
    Moves,
    /// How long what is not selected any more stays.
    Leave,
    /// How long what upstream has removed stays.
    Gone,
    /// New images of one run.
    MaxNew,
    /// Pulls that are left to others.
    Reserve,
    /// How long what a tag pointed to stays.
    Former,
    /// Tag of what a tag pointed to.
    FormerTag,
    /// Platforms.
    Platforms,
    /// Published name.
    PublishedAs,
    /// How often `watch` runs it.
    Every,
}

/// How a value is written in a rule file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Text,
    Number,
    /// Words between spaces.
    Words,
    /// Words as in a shell: a command has spaces.
    Quoted,
}

/// What is wrong, and in which setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where it is.
    pub setting: Setting,
    /// What is wrong, and what was meant.
    pub text: String,
}

impl Setting {
    /// All of them, in the order of the form.
    pub const ALL: [Self; 21] = [
        Self::Name,
        Self::Image,
        Self::Tags,
        Self::Sources,
        Self::Newest,
        Self::Per,
        Self::Lines,
        Self::AtLeast,
        Self::Below,
        Self::Except,
        Self::Age,
        Self::Moves,
        Self::Leave,
        Self::Gone,
        Self::MaxNew,
        Self::Reserve,
        Self::Former,
        Self::FormerTag,
        Self::Platforms,
        Self::PublishedAs,
        Self::Every,
    ];

    /// Its key in a rule file.
    pub fn key(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Image => "image",
            Self::Tags => "tags",
            Self::Sources => "sources",
            Self::Newest => "newest",
            Self::Per => "per",
            Self::Lines => "lines",
            Self::AtLeast => "at_least",
            Self::Below => "below",
            Self::Except => "except",
            Self::Age => "age",
            Self::Moves => "moves",
            Self::Leave => "leave",
            Self::Gone => "gone",
            Self::MaxNew => "max_new",
            Self::Reserve => "reserve",
            Self::Former => "former",
            Self::FormerTag => "former_tag",
            Self::Platforms => "platforms",
            Self::PublishedAs => "as",
            Self::Every => "every",
        }
    }

    /// What belongs into it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Name => "name of the rule; empty: its image, or its first source",
            Self::Image => "repository, like nginx or ghcr.io/org/app",
            Self::Tags => {
                "patterns, with spaces between: # is a number, * any text, [x] x or nothing, {a,b} either, each counted, \
                 {pre} a prerelease"
            }
            Self::Sources => {
                "compose:FILE, kubernetes:FILE, dockerfile:FILE, list:FILE or 'command:WORDS', with spaces between"
            }
            Self::Newest => "number of versions to take, the newest ones; of each line with `per`; empty: all",
            Self::Per => "how many numbers of a version make its line: 2 makes 1.28 and 1.29 two lines",
            Self::Lines => "number of lines to take, the newest ones; needs `per`",
            Self::AtLeast => "take no version lower than this, like 1.25",
            Self::Below => "take only versions lower than this, like 2",
            Self::Except => "patterns of tags that are never taken, between spaces, like 1.29.3*",
            Self::Age => "take only what this catalog has known for so long, like 3d or 12h",
            Self::Moves => {
                "when a tag gets another digest upstream: follow, refuse (report it, keep the old one) or ignore"
            }
            Self::Leave => "remove what the rule brought and does not select any more after so long, or never",
            Self::Gone => "remove what upstream has removed after so long, or never",
            Self::MaxNew => "new images of one run; the rest waits for the next",
            Self::Reserve => "pulls of the registry's quota that are left to others",
            Self::Former => "keep what a tag pointed to pullable by its digest for so long, like 30d",
            Self::FormerTag => "give what a tag pointed to this tag, like {tag}-{date}",
            Self::Platforms => "platforms between spaces, like linux/amd64 linux/arm64, or all; empty: this machine's",
            Self::PublishedAs => "publish under this name instead of the usual one",
            Self::Every => "how often `watch` runs it, like 6h",
        }
    }

    /// What an empty field means.
    pub fn otherwise(self) -> &'static str {
        match self {
            Self::Name => "as its image or first source",
            Self::Tags => "latest",
            Self::Newest => "all",
            Self::PublishedAs => "the usual name",
            Self::Every => "as `watch` is told",
            Self::Moves => "follow",
            Self::Leave => "14d",
            Self::Gone => "never",
            Self::MaxNew | Self::Reserve => "20",
            Self::Platforms => "this machine's",
            Self::Image | Self::Sources => "",
            _ => "none",
        }
    }

    /// Whether it is for a rule with an image, or for one with sources; none: for both.
    pub fn is_of_image(self) -> Option<bool> {
        match self {
            Self::Image
            | Self::Tags
            | Self::Newest
            | Self::Per
            | Self::Lines
            | Self::AtLeast
            | Self::Below
            | Self::Except
            | Self::PublishedAs => Some(true),
            Self::Sources => Some(false),
            _ => None,
        }
    }

    fn shape(self) -> Shape {
        match self {
            Self::Tags | Self::Except | Self::Platforms => Shape::Words,
            Self::Sources => Shape::Quoted,
            Self::Newest | Self::Per | Self::Lines | Self::MaxNew | Self::Reserve => Shape::Number,
            _ => Shape::Text,
        }
    }

    /// Its option in a line that is typed.
    fn of_flag(flag: &str) -> Option<Self> {
        let name = flag.strip_prefix("--")?;
        let key = if name == "platform" { "platforms".to_owned() } else { name.replace('-', "_") };
        let is_option = |setting: &Self| !matches!(setting, Self::Image | Self::Tags | Self::Sources);
        Self::ALL.into_iter().filter(is_option).find(|setting| setting.key() == key)
    }

    /// The value as a rule file has it.
    fn written(self, text: &str) -> Result<String, Mistake> {
        let list = |words: Vec<String>| {
            let words: Vec<String> = words.iter().map(|word| Value::from(word.as_str()).to_string()).collect();
            format!("[{}]", words.join(", "))
        };
        Ok(match self.shape() {
            Shape::Text => Value::from(text).to_string(),
            Shape::Number => match text.parse::<u32>() {
                Ok(number) => number.to_string(),
                Err(_) => return Err(Mistake { setting: self, text: "Use a whole number.".to_owned() }),
            },
            Shape::Words if self == Self::Platforms && text == "all" => Value::from(text).to_string(),
            Shape::Words => {
                let separates = |letter: char| letter.is_whitespace() || self == Self::Platforms && letter == ',';
                list(text.split(separates).filter(|word| !word.is_empty()).map(str::to_owned).collect())
            }
            Shape::Quoted => match shell_words::split(text) {
                Ok(words) => list(words),
                Err(_) => return Err(Mistake { setting: self, text: "A quotation mark is not closed.".to_owned() }),
            },
        })
    }
}

/// The rule that these settings make; what is empty is not said.
pub fn rule<'t>(said: impl Iterator<Item = (Setting, &'t str)>) -> Result<Rule, Mistake> {
    let mut text = "version = 1\n[[rule]]\n".to_owned();
    let above = text.lines().count();
    let mut lines = Vec::new();
    for (setting, value) in said {
        // One line each, so that the line of a fault says whose it is.
        let value: String = value.trim().chars().filter(|letter| !letter.is_control()).collect();
        if value.is_empty() {
            continue;
        }
        let _ = writeln!(text, "{} = {}", setting.key(), setting.written(&value)?);
        lines.push(setting);
    }
    match rules::read(&text) {
        Ok(mut read) if read.rules.len() == 1 => Ok(read.rules.remove(0)),
        Ok(_) => Err(Mistake { setting: Setting::Image, text: "The rule takes nothing.".to_owned() }),
        Err(faults) => {
            let first = faults.first();
            let place = first.and_then(|fault| fault.line.checked_sub(above + 1)).and_then(|line| lines.get(line));
            let message = first.map_or("it can't be read", |fault| fault.message.as_str());
            let mut letters = message.chars();
            let begin = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
            let text = format!("{begin}{}", letters.as_str());
            Err(Mistake { setting: place.copied().unwrap_or(Setting::Image), text })
        }
    }
}

/// What a rule says by each setting, as it is typed; what every rule says by itself is empty.
pub fn said(rule: &Rule) -> Vec<(Setting, String)> {
    let written = write_rule(rule);
    let document = written.parse::<DocumentMut>().ok();
    let section = document.as_ref().and_then(|document| document.get("rule")?.as_array_of_tables()?.get(0));
    let of = |setting: Setting| {
        let text = section.and_then(|section| section.get(setting.key())).map(|item| typed_value(setting, item));
        (setting, text.unwrap_or_default())
    };
    Setting::ALL.into_iter().map(of).collect()
}

fn typed_value(setting: Setting, item: &Item) -> String {
    if let Some(words) = item.as_array() {
        let words = words.iter().filter_map(Value::as_str);
        return match setting.shape() {
            Shape::Quoted => shell_words::join(words),
            _ => words.collect::<Vec<_>>().join(" "),
        };
    }
    match item.as_str() {
        Some(text) => text.to_owned(),
        None => item.as_integer().map(|number| number.to_string()).unwrap_or_default(),
    }
}

/// Whether an option means something for a rule about a repository, or for one about what files name.
pub fn is_option_of(flag: &str, is_of_image: bool) -> bool {
    Setting::of_flag(flag).is_some_and(|setting| setting.is_of_image().is_none_or(|of| of == is_of_image))
}

/// Whether a word of this is a source.
pub fn names_source(line: &str) -> bool {
    line.split_whitespace().any(is_source)
}

fn is_source(word: &str) -> bool {
    Source::KINDS.iter().any(|kind| word.strip_prefix(kind).is_some_and(|rest| rest.starts_with(':')))
}

/// A repository, and the pattern behind its colon. A port has a slash behind it, and a regular expression may have both.
fn split(word: &str) -> (&str, Option<&str>) {
    if let Some(at) = word.find(":/").filter(|_| !word.contains("://")) {
        return (&word[..at], Some(&word[at + 1..]));
    }
    match word.rsplit_once(':') {
        Some((repository, pattern)) if !pattern.contains('/') => (repository, Some(pattern)),
        _ => (word, None),
    }
}

fn has_pattern(word: &str) -> bool {
    // Images on disk have paths, which look like regular expressions.
    if word.starts_with("oci:") || word.starts_with("oci-archive:") {
        return false;
    }
    split(word).1.is_some_and(|pattern| pattern.contains(['#', '*', '{', '[']) || pattern.starts_with('/'))
}

/// The rule that a line means: `nginx:1.#.#-alpine --newest 3`, `compose:compose.yaml`. None if it has neither a pattern nor a
/// source: it is references then.
pub fn typed(line: &str) -> Option<Result<Rule, Mistake>> {
    let words = match shell_words::split(line) {
        Ok(words) => words,
        // A quotation mark that is open will be closed.
        Err(_) => line.split_whitespace().map(str::to_owned).collect(),
    };
    let mut subjects = Vec::new();
    let mut options: Vec<(Setting, String)> = Vec::new();
    let mut unknown = None;
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if !word.starts_with("--") {
            subjects.push(word);
            continue;
        }
        let (flag, given) = word.split_once('=').map_or((word.as_str(), None), |(flag, value)| (flag, Some(value)));
        match Setting::of_flag(flag) {
            Some(setting) => {
                let value = given.map(str::to_owned).or_else(|| words.next()).unwrap_or_default();
                match options.iter_mut().find(|(known, _)| *known == setting && setting.shape() == Shape::Words) {
                    Some((_, known)) => *known = format!("{known} {value}"),
                    None => options.push((setting, value)),
                }
            }
            None if matches!(flag, "--insecure" | "--no-insecure") => {}
            None => unknown = Some(flag.to_owned()),
        }
    }
    if !subjects.iter().any(|word| is_source(word) || has_pattern(word)) {
        return None;
    }
    if let Some(flag) = unknown {
        let text = format!("`{}` is not an option of a rule.", crate::text::printable_within(&flag, 40));
        return Some(Err(Mistake { setting: Setting::Name, text }));
    }
    Some(subject(&subjects).and_then(|subject| {
        let options = options.iter().map(|(setting, text)| (*setting, text.as_str()));
        rule(subject.iter().map(|(setting, text)| (*setting, text.as_str())).chain(options))
    }))
}

fn subject(words: &[String]) -> Result<Vec<(Setting, String)>, Mistake> {
    if words.iter().any(|word| is_source(word)) {
        return Ok(vec![(Setting::Sources, shell_words::join(words))]);
    }
    let repository = words.first().map_or("", |word| split(word).0);
    if let Some(other) = words.iter().map(|word| split(word).0).find(|of| *of != repository) {
        let other = crate::text::printable_within(other, 60);
        let text = format!("A rule is for one repository, and {other} is another one. Make a rule for each.");
        return Err(Mistake { setting: Setting::Image, text });
    }
    let patterns: Vec<&str> = words.iter().filter_map(|word| split(word).1).collect();
    Ok(vec![(Setting::Image, repository.to_owned()), (Setting::Tags, patterns.join(" "))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Subject;

    fn of(line: &str) -> Rule {
        typed(line).unwrap().unwrap_or_else(|mistake| panic!("{line}: {mistake:?}"))
    }

    #[test]
    fn a_line_with_a_pattern_or_a_source_is_a_rule() {
        for line in [
            "",
            "nginx:1.25",
            "nginx",
            "localhost:5000/app",
            "a:1 --as x:1",
            "https://a/b",
            "oci:/a*/b",
            "oci-archive:/a",
        ] {
            assert!(typed(line).is_none(), "{line}");
        }
        let rule = of("nginx:1.#.#{,-alpine} nginx:stable --newest 3 --except '1.29.3*' --except=1.28.#  --age 3d");
        let Subject::Repository { upstream, tags } = &rule.subject else { panic!() };
        assert_eq!((upstream.to_string().as_str(), rule.name.as_str()), ("docker.io/library/nginx", "nginx"));
        assert_eq!((tags.tags.len(), tags.except.len(), tags.newest.map(std::num::NonZero::get)), (2, 2, Some(3)));
        let rule = of("compose:stack/a.yaml 'command:kubeadm config images list' --every 6h");
        assert!(matches!(&rule.subject, Subject::Sources(sources) if sources.len() == 2));
        let repository = |line| match of(line).subject {
            Subject::Repository { upstream, .. } => upstream.to_string(),
            Subject::Sources(_) => String::new(),
        };
        assert_eq!(repository("h.example:5000/a/b:[v]#"), "h.example:5000/a/b");
    }

    #[test]
    fn a_mistake_is_where_it_was_made() {
        let mistake = |line: &str| typed(line).unwrap().unwrap_err();
        assert_eq!(mistake("nginx:1#").setting, Setting::Tags);
        assert_eq!(mistake("nginx:1.# --newest x").setting, Setting::Newest);
        assert_eq!(mistake("nginx:1.# --age soon").setting, Setting::Age);
        assert_eq!(mistake("nginx:1.# redis:7.#").setting, Setting::Image);
        assert!(mistake("nginx:1.# --neuest 3").text.contains("`--neuest`"));
        assert_eq!(mistake("nginx:1.# --lines 3").setting, Setting::Lines);
    }

    #[test]
    fn what_is_said_makes_the_same_rule() {
        for line in [
            "nginx:1.#.#{,-alpine} --newest 3 --per 2 --lines 2 --at-least 1.2 --below 2 --except 1.29.3* --age 3d",
            "nginx:#-x --moves refuse --leave never --gone 2d --max-new 5 --reserve 0 --former 30d --former-tag {tag}-{date}",
            "nginx:#.#.# --platform linux/amd64,linux/arm64 --as mine --every 6h --name 'two words'",
            "list:a.txt 'command:a b' --platform all",
        ] {
            let rule = of(line);
            let said = said(&rule);
            let again = super::rule(said.iter().map(|(setting, text)| (*setting, text.as_str())));
            assert_eq!(again.as_ref(), Ok(&rule), "{line}: {said:?}");
        }
    }
}
