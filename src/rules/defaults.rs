//! What rules may leave out, because `[defaults]` or this program says it.

use super::duration::Period;
use super::fault::{Faults, quoted};
use super::keys::no_such;
use super::rule::{Kept, Moves, Rule};
use super::section::Section;
use crate::image::{Platform, Selection, Tag};

/// What is said of a rule besides what it takes. In a rule, `"0s"`, `""` and `[]` take back what `[defaults]` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Defaults {
    pub(super) platforms: Option<Selection>,
    pub(super) age: Option<Period>,
    pub(super) moves: Moves,
    pub(super) former: Option<Period>,
    pub(super) former_tag: Option<String>,
    pub(super) leave: Kept,
    pub(super) gone: Kept,
    pub(super) max_new: u32,
    pub(super) reserve: u32,
    pub(super) every: Option<Period>,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            platforms: None,
            age: None,
            moves: Moves::default(),
            former: None,
            former_tag: None,
            leave: Rule::default_leave(),
            gone: Kept::Always,
            max_new: Rule::DEFAULT_MAX_NEW,
            reserve: Rule::DEFAULT_RESERVE,
            every: None,
        }
    }
}

impl Defaults {
    /// What a rule says of all this.
    pub(super) fn of(rule: &Rule) -> Self {
        Self {
            platforms: rule.platforms.clone(),
            age: rule.age,
            moves: rule.moves,
            former: rule.former,
            former_tag: rule.former_tag.clone(),
            leave: rule.leave,
            gone: rule.gone,
            max_new: rule.max_new,
            reserve: rule.reserve,
            every: rule.every,
        }
    }

    /// What the section says, and what these say where it says nothing or nonsense.
    pub(super) fn overridden(&self, section: &Section<'_>, faults: &mut Faults<'_>) -> Self {
        let mut period = |key, usual| match section.parsed(key, faults, str::parse::<Period>) {
            Some(period) => Some(period).filter(|period| period.seconds() > 0),
            None => usual,
        };
        let (age, former, every) =
            (period("age", self.age), period("former", self.former), period("every", self.every));
        let former_tag = match section.parsed("former_tag", faults, former_tag) {
            Some(tag) => Some(tag).filter(|tag| !tag.is_empty()),
            None => self.former_tag.clone(),
        };
        Self {
            platforms: if section.has("platforms") { platforms(section, faults) } else { self.platforms.clone() },
            age,
            moves: moves(section, faults).unwrap_or(self.moves),
            former,
            former_tag,
            leave: section.parsed("leave", faults, kept).unwrap_or(self.leave),
            gone: section.parsed("gone", faults, kept).unwrap_or(self.gone),
            max_new: section.number("max_new", 0, faults).unwrap_or(self.max_new),
            reserve: section.number("reserve", 0, faults).unwrap_or(self.reserve),
            every,
        }
    }
}

fn kept(text: &str) -> Result<Kept, String> {
    match text {
        "never" => Ok(Kept::Always),
        text => text.parse().map(Kept::For).map_err(|why| format!("{why}; or write `never`")),
    }
}

/// The words for what happens when a tag moves.
pub(super) const MOVES: [(&str, Moves); 3] =
    [("follow", Moves::Follow), ("refuse", Moves::Refuse), ("ignore", Moves::Ignore)];

fn moves(section: &Section<'_>, faults: &mut Faults<'_>) -> Option<Moves> {
    let text = section.string("moves", faults)?;
    let found = MOVES.iter().find(|(word, _)| *word == text.text);
    if found.is_none() {
        let words = MOVES.map(|(word, _)| word);
        faults.note(text.at(), no_such("choice", text.text, &words));
    }
    found.map(|(_, moves)| *moves)
}

fn former_tag(text: &str) -> Result<String, &'static str> {
    let filled = text.replace("{tag}", "1").replace("{date}", "20260101");
    if text.is_empty() {
        Ok(String::new())
    } else if filled.contains(['{', '}']) {
        Err("between braces stands `{tag}` or `{date}`")
    } else if filled == text || text == "{tag}" {
        Err("it would be the same tag each time. Write `{tag}-{date}`.")
    } else if filled.parse::<Tag>().is_err() {
        Err("it makes no tag: a tag has letters, digits, `_`, `.` and `-`, and begins with none of the last two")
    } else {
        Ok(text.to_owned())
    }
}

/// A choice of platforms; none if it is left to `add`, or makes no sense.
fn platforms(section: &Section<'_>, faults: &mut Faults<'_>) -> Option<Selection> {
    let item = section.item("platforms")?;
    if item.as_str() == Some("all") {
        return Some(Selection::All);
    }
    if item.as_array().is_some_and(toml_edit::Array::is_empty) {
        return None;
    }
    let texts = section.strings("platforms", "linux/amd64", faults)?;
    let mut chosen = std::collections::BTreeSet::new();
    for text in &texts {
        match text.text.parse::<Platform>() {
            Ok(platform) => {
                chosen.insert(platform);
            }
            Err(_) if text.text == "all" && texts.len() == 1 => return Some(Selection::All),
            Err(_) if text.text == "all" => faults.note(text.at(), "`all` stands alone: `platforms = \"all\"`"),
            Err(_) => {
                let message = format!(
                    "{} is not a platform. Write one as in `linux/amd64` or `linux/arm/v7`.",
                    quoted(text.text)
                );
                faults.note(text.at(), message);
            }
        }
    }
    Some(Selection::Only(chosen))
}
