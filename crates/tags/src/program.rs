//! One variant of a pattern, compiled: matches a whole tag and reads its key.

use super::key::{Number, Part};
use super::parse::Item;
use super::stage::{digits_at, read};

/// Bytes of the longest tag (OCI distribution specification, "Pulling manifests").
pub(super) const MAX_TAG_BYTES: usize = 128;

/// What is looked for, in order. What is optional follows its [`Step::Optional`].
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Text(String),
    /// Digits that the pattern says and the key has.
    Digits(String),
    Number,
    Any,
    Prerelease,
    /// The next `steps` may be missing; `gaps` is what the key has instead.
    Optional {
        steps: usize,
        gaps: Vec<Part<'static>>,
    },
}

/// The steps of one variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    steps: Vec<Step>,
    /// What every tag that matches begins and ends with: most tags are told by that.
    begin: Begin,
    end: String,
    /// The longest text that every tag that matches has in it, if it says more than a separator.
    within: String,
}

/// What a tag begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Begin {
    Anything,
    Digit,
    Text(String),
}

impl Begin {
    fn of(steps: &[Step]) -> Self {
        match steps.first() {
            Some(Step::Text(text) | Step::Digits(text)) => Self::Text(text.clone()),
            Some(Step::Number) => Self::Digit,
            _ => Self::Anything,
        }
    }

    fn fits(&self, tag: &str) -> bool {
        match self {
            Self::Anything => true,
            Self::Digit => tag.as_bytes().first().is_some_and(u8::is_ascii_digit),
            Self::Text(text) => begins_with(tag.as_bytes(), text.as_bytes()),
        }
    }
}

/// From where a way through the rest of the steps was already looked for, so that each place is looked at once by each step: time
/// is linear in the tag, whatever the pattern.
#[derive(Default)]
struct Failed(Vec<u128>);

impl Failed {
    /// Bits of a step: a place after each byte, and one before all.
    const WORDS: usize = MAX_TAG_BYTES / 128 + 1;

    fn has(&self, step: usize, at: usize) -> bool {
        self.0.get(step * Self::WORDS + at / 128).is_some_and(|word| word >> (at % 128) & 1 == 1)
    }

    fn add(&mut self, step: usize, at: usize) {
        let word = step * Self::WORDS + at / 128;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (at % 128);
    }
}

impl Program {
    /// The steps of a variant, whose choices are made.
    pub(super) fn new(items: &[Item]) -> Self {
        let mut steps = Vec::new();
        compile(items, &mut steps);
        // What comes after the last `#` is no part of the version.
        let last = steps.iter().rposition(|step| *step == Step::Number).unwrap_or(0);
        for (place, step) in steps.iter_mut().enumerate() {
            if let Step::Digits(digits) = step
                && place >= last
            {
                *step = Step::Text(std::mem::take(digits));
            }
        }
        for place in 0..steps.len() {
            let inner = match &steps[place] {
                Step::Optional { steps, .. } => place + 1..place + 1 + steps,
                _ => continue,
            };
            let found: Vec<Part<'static>> = steps[inner].iter().filter_map(gap).collect();
            if let Step::Optional { gaps, .. } = &mut steps[place] {
                *gaps = found;
            }
        }
        let end = match items.last() {
            Some(Item::Text(text)) => text.clone(),
            _ => String::new(),
        };
        Self { begin: Begin::of(&steps), within: within(&steps), steps, end }
    }

    /// Whether there is a version to read.
    pub(super) fn has_number(&self) -> bool {
        self.steps.contains(&Step::Number)
    }

    /// The only tag that matches, if the pattern says all of it.
    pub(super) fn literal(&self) -> Option<String> {
        let texts = self.steps.iter().map(|step| match step {
            Step::Text(text) => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    /// Whether a tag matches as a whole; the parts of its key are behind those that were there before.
    pub(super) fn read<'t>(&self, tag: &'t str, parts: &mut Vec<Part<'t>>) -> bool {
        if !self.may_match(tag) {
            return false;
        }
        let known = parts.len();
        let matches = self.run(0, 0, tag, parts, &mut Failed::default());
        if !matches {
            parts.truncate(known);
        }
        matches
    }

    /// What most tags that don't match are told by.
    fn may_match(&self, tag: &str) -> bool {
        self.begin.fits(tag)
            && ends_with(tag.as_bytes(), self.end.as_bytes())
            && tag.len() <= MAX_TAG_BYTES
            && has(tag.as_bytes(), self.within.as_bytes())
            && tag.is_ascii()
    }

    fn run<'t>(
        &self,
        mut step: usize,
        mut at: usize,
        tag: &'t str,
        parts: &mut Vec<Part<'t>>,
        failed: &mut Failed,
    ) -> bool {
        while let Some(current) = self.steps.get(step) {
            let rest = &tag[at..];
            match current {
                Step::Text(text) if begins_with(rest.as_bytes(), text.as_bytes()) => at += text.len(),
                Step::Text(_) => return false,
                Step::Digits(digits) => {
                    if !begins_with(rest.as_bytes(), digits.as_bytes()) {
                        return false;
                    }
                    parts.push(Part::Number(Number::new(&rest[..digits.len()])));
                    at += digits.len();
                }
                Step::Number => {
                    let digits = digits_at(rest);
                    let whole = at == 0 || !tag.as_bytes()[at - 1].is_ascii_digit();
                    if digits.is_empty() || !whole {
                        return false;
                    }
                    parts.push(Part::Number(Number::new(digits)));
                    at += digits.len();
                }
                Step::Any | Step::Prerelease | Step::Optional { .. } => {
                    return self.choose(step, at, tag, parts, failed);
                }
            }
            step += 1;
        }
        at == tag.len()
    }

    /// Tries each way that a step can be taken, the preferred one first.
    fn choose<'t>(&self, step: usize, at: usize, tag: &'t str, parts: &mut Vec<Part<'t>>, failed: &mut Failed) -> bool {
        if failed.has(step, at) {
            return false;
        }
        let known = parts.len();
        let found = match &self.steps[step] {
            Step::Any if step + 1 == self.steps.len() => true,
            Step::Any => (at..=tag.len()).any(|end| {
                // From a place that was tried before, all behind it were.
                if end > at && failed.has(step, end) {
                    return false;
                }
                parts.truncate(known);
                let found = self.run(step + 1, end, tag, parts, failed);
                if !found {
                    failed.add(step, end);
                }
                found
            }),
            Step::Prerelease => {
                let read = read(&tag[at..]).any(|(part, length)| {
                    parts.truncate(known);
                    parts.push(part);
                    self.run(step + 1, at + length, tag, parts, failed)
                });
                read || {
                    parts.truncate(known);
                    parts.push(Part::Release);
                    self.run(step + 1, at, tag, parts, failed)
                }
            }
            Step::Optional { steps, gaps } => {
                self.run(step + 1, at, tag, parts, failed) || {
                    parts.truncate(known);
                    parts.extend(gaps);
                    self.run(step + 1 + steps, at, tag, parts, failed)
                }
            }
            Step::Text(_) | Step::Digits(_) | Step::Number => false,
        };
        if !found {
            failed.add(step, at);
        }
        found
    }
}

/// Whether bytes begin with others. Both are few, and most differ at once: to call `memcmp` takes longer.
fn begins_with(bytes: &[u8], start: &[u8]) -> bool {
    bytes.len() >= start.len() && bytes.iter().zip(start).all(|(one, other)| one == other)
}

/// Whether bytes end with others, as [`begins_with`].
fn ends_with(bytes: &[u8], end: &[u8]) -> bool {
    bytes.len() >= end.len() && bytes.iter().rev().zip(end.iter().rev()).all(|(one, other)| one == other)
}

/// Whether bytes have others in them. Tags are short: preparing a faster search takes longer.
fn has(bytes: &[u8], wanted: &[u8]) -> bool {
    let Some(first) = wanted.first() else { return true };
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        rest = &rest[at..];
        if rest.starts_with(wanted) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

/// The longest text beyond the first and the last step that is not optional.
fn within(steps: &[Step]) -> String {
    let mut longest = "";
    let mut at = 0;
    while let Some(step) = steps.get(at) {
        match step {
            Step::Text(text) if at > 0 && at + 1 < steps.len() && text.len() > longest.len().max(1) => longest = text,
            Step::Optional { steps, .. } => at += steps,
            _ => {}
        }
        at += 1;
    }
    longest.to_owned()
}

fn compile(items: &[Item], steps: &mut Vec<Step>) {
    for item in items {
        match item {
            Item::Text(text) => compile_text(text, steps),
            Item::Number => steps.push(Step::Number),
            Item::Any => steps.push(Step::Any),
            Item::Prerelease => steps.push(Step::Prerelease),
            Item::Optional(inner) => {
                let place = steps.len();
                steps.push(Step::Optional { steps: 0, gaps: Vec::new() });
                compile(inner, steps);
                let inside = steps.len() - place - 1;
                steps[place] = Step::Optional { steps: inside, gaps: Vec::new() };
            }
            // Variants have none.
            Item::Choice(_) => {}
        }
    }
}

fn compile_text(text: &str, steps: &mut Vec<Step>) {
    let mut rest = text;
    while !rest.is_empty() {
        let digits = digits_at(rest);
        let end = if digits.is_empty() {
            rest.bytes().position(|byte| byte.is_ascii_digit()).unwrap_or(rest.len())
        } else {
            digits.len()
        };
        let (part, after) = rest.split_at(end);
        steps.push(if digits.is_empty() { Step::Text(part.to_owned()) } else { Step::Digits(part.to_owned()) });
        rest = after;
    }
}

/// What the key has of a step that is missing.
fn gap(step: &Step) -> Option<Part<'static>> {
    match step {
        Step::Number | Step::Digits(_) => Some(Part::Missing),
        Step::Prerelease => Some(Part::Release),
        Step::Text(_) | Step::Any | Step::Optional { .. } => None,
    }
}
