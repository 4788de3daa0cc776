//! Which of a repository's tags a rule takes, and why not the others.

use std::num::NonZeroU32;

use serde::Serialize;

use super::bound::Bound;
use super::key::Key;
use super::pattern::TagPattern;

/// What a rule says about tags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TagRule {
    /// Each variant of each pattern is counted for itself.
    pub tags: Vec<TagPattern>,
    /// What is not taken, whatever else says so.
    pub except: Vec<TagPattern>,
    /// Versions of each line, and of all if there are no lines.
    pub newest: Option<NonZeroU32>,
    /// How many numbers of a version make its line.
    pub per: Option<NonZeroU32>,
    /// Lines, the newest ones.
    pub lines: Option<NonZeroU32>,
    /// The lowest version.
    pub at_least: Option<Bound>,
    /// What all versions are lower than.
    pub below: Option<Bound>,
}

/// What is said about one tag. The order is that of what counts if variants differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is taken.
    Selected,
    /// It would be looked at, but was not here for long enough.
    TooYoung,
    /// There are enough newer versions of its line.
    Older,
    /// There are enough newer lines.
    OlderLine,
    /// It is lower than the range.
    BelowRange,
    /// It is beyond the range.
    AboveRange,
    /// The rule excepts it.
    Excepted,
    /// It belongs to an image: a signature or another thing that is attached by its tag.
    Attached,
}

/// One tag that a pattern matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged<'t> {
    /// The tag.
    pub tag: &'t str,
    /// Whether it is taken, or why not.
    pub verdict: Verdict,
    /// Which of the rule's patterns says so.
    pub pattern: usize,
}

/// What a rule says about all tags of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice<'t> {
    /// The tags that a pattern matches, by pattern and variant, the newest first.
    pub judged: Vec<Judged<'t>>,
    /// How many tags no pattern matches.
    pub unmatched: usize,
}

impl Verdict {
    /// For people, as what is said of a tag: `excepted`, `not below 1.26`. `rule` is the one that says so.
    pub fn words(self, rule: &TagRule) -> String {
        let than = |bound: &Option<Bound>| bound.as_ref().map_or_else(|| "the range".to_owned(), Bound::to_string);
        let words = match self {
            Self::Selected => "selected",
            Self::TooYoung => "too young",
            Self::Older => "older: there are enough newer versions",
            Self::OlderLine => "of an older line",
            Self::BelowRange => return format!("below {}", than(&rule.at_least)),
            Self::AboveRange => return format!("not below {}", than(&rule.below)),
            Self::Excepted => "excepted",
            Self::Attached => "attached to an image",
        };
        words.to_owned()
    }
}

impl Choice<'_> {
    /// The tags that are taken.
    pub fn selected(&self) -> impl Iterator<Item = &str> {
        self.judged.iter().filter(|judged| judged.verdict == Verdict::Selected).map(|judged| judged.tag)
    }
}

impl TagRule {
    /// The tags that it takes without a list, if its patterns name each.
    pub fn literals(&self) -> Option<Vec<String>> {
        let all: Option<Vec<Vec<String>>> = self.tags.iter().map(TagPattern::literals).collect();
        Some(all?.into_iter().flatten().filter(|tag| !self.excepts(tag)).collect())
    }

    /// What is wrong with the rule as a whole: the field, and why.
    pub fn fault(&self) -> Option<(&'static str, &'static str)> {
        let counted = [
            ("newest", self.newest.is_some()),
            ("per", self.per.is_some()),
            ("lines", self.lines.is_some()),
            ("at_least", self.at_least.is_some()),
            ("below", self.below.is_some()),
        ];
        if !self.tags.iter().any(TagPattern::has_number)
            && let Some((field, _)) = counted.into_iter().find(|(_, set)| *set)
        {
            return Some((field, "it counts versions, and no pattern of the rule has `#`"));
        }
        if self.lines.is_some() && self.per.is_none() {
            return Some(("lines", "`per` has to say how many numbers make a line"));
        }
        None
    }

    /// Judges a list of tags. `is_young` is asked only about tags that could be taken.
    pub fn choose<'t>(&self, listed: &[&'t str], is_young: impl Fn(&str) -> bool) -> Choice<'t> {
        let mut verdicts: Vec<Option<(Verdict, u32)>> = vec![None; listed.len()];
        let mut order: Vec<u32> = Vec::new();
        for (number, pattern) in self.tags.iter().enumerate() {
            for variant in pattern.variants() {
                let counts = variant.has_number();
                // All keys of a variant have the same length, so they lie in one list.
                let (mut parts, mut length) = (Vec::new(), 0);
                let mut matched: Vec<(u32, Option<Verdict>)> = Vec::new();
                for (place, tag) in listed.iter().enumerate() {
                    let begin = parts.len();
                    if variant.read(tag, &mut parts) {
                        length = parts.len() - begin;
                        let refusal = self.refusal(tag, Key(&parts[begin..]), counts, &is_young);
                        matched.push((place as u32, refusal));
                    }
                }
                let mut newest_first: Vec<u32> = (0..matched.len() as u32).collect();
                if counts {
                    let key = |at: u32| Key(&parts[at as usize * length..][..length]);
                    newest_first.sort_by(|one, other| key(*other).cmp(&key(*one)));
                    let is_counted = |at: &u32| matched[*at as usize].1.is_none();
                    let counted: Vec<u32> = newest_first.iter().copied().filter(is_counted).collect();
                    let keys = counted.into_iter().map(|at| (key(at), at));
                    self.count(keys, |at, verdict| matched[at as usize].1 = Some(verdict));
                }
                for at in newest_first {
                    let (place, verdict) = matched[at as usize];
                    note(&mut verdicts, &mut order, place, verdict.unwrap_or(Verdict::Selected), number);
                }
            }
        }
        let judged: Vec<Judged<'t>> = order
            .into_iter()
            .filter_map(|place| {
                let (verdict, pattern) = verdicts[place as usize]?;
                Some(Judged { tag: listed[place as usize], verdict, pattern: pattern as usize })
            })
            .collect();
        Choice { unmatched: listed.len() - judged.len(), judged }
    }

    fn excepts(&self, tag: &str) -> bool {
        self.except.iter().any(|pattern| pattern.matches(tag))
    }

    fn refusal(&self, tag: &str, key: Key<'_, '_>, counts: bool, is_young: impl Fn(&str) -> bool) -> Option<Verdict> {
        if tag.starts_with("sha256-") {
            return Some(Verdict::Attached);
        }
        if self.excepts(tag) {
            return Some(Verdict::Excepted);
        }
        if counts {
            if self.at_least.as_ref().is_some_and(|bound| bound.compare(key).is_lt()) {
                return Some(Verdict::BelowRange);
            }
            if self.below.as_ref().is_some_and(|bound| bound.compare(key).is_ge()) {
                return Some(Verdict::AboveRange);
            }
        }
        is_young(tag).then_some(Verdict::TooYoung)
    }

    /// Counts versions, the newest first. Equal keys are one version.
    fn count<'k, 't: 'k>(&self, counted: impl Iterator<Item = (Key<'k, 't>, u32)>, mut say: impl FnMut(u32, Verdict)) {
        let per = self.per.map_or(0, |per| per.get() as usize);
        let most = |limit: Option<NonZeroU32>| limit.map_or(u32::MAX, NonZeroU32::get);
        let (newest, lines) = (most(self.newest), most(self.lines));
        let (mut line, mut version) = (0, 0);
        let mut last: Option<Key<'_, '_>> = None;
        for (key, place) in counted {
            match last {
                Some(before) if before == key => {}
                Some(before) if before.is_in_line_with(key, per) => version += 1,
                _ => (line, version) = (line + 1, 1),
            }
            last = Some(key);
            let verdict = if line > lines {
                Verdict::OlderLine
            } else if version > newest {
                Verdict::Older
            } else {
                Verdict::Selected
            };
            say(place, verdict);
        }
    }
}

/// The better one of what two variants say stays, in the place of the first.
fn note(verdicts: &mut [Option<(Verdict, u32)>], order: &mut Vec<u32>, place: u32, verdict: Verdict, pattern: usize) {
    let known = &mut verdicts[place as usize];
    match known {
        None => {
            order.push(place);
            *known = Some((verdict, pattern as u32));
        }
        Some((before, _)) if verdict < *before => *known = Some((verdict, pattern as u32)),
        Some(_) => {}
    }
}
