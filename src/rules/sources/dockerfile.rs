//! Dockerfiles: the images that they build on and copy from (Dockerfile reference, docs.docker.com).

use std::collections::{BTreeMap, BTreeSet};

use super::found::{Finder, Found};
use super::instructions::{Instruction, instructions};
use super::variables::{Escape, Unresolved, interpolate};
use crate::error::{Error, Kind, Result};

/// Variables that the builder sets by the platform.
const OF_PLATFORM: [&str; 8] = [
    "TARGETPLATFORM",
    "TARGETOS",
    "TARGETARCH",
    "TARGETVARIANT",
    "BUILDPLATFORM",
    "BUILDOS",
    "BUILDARCH",
    "BUILDVARIANT",
];

/// What is known while a file is read from its top.
struct Reader {
    escape: Escape,
    finder: Finder,
    /// Defaults of `ARG` before the first `FROM`; none without one.
    arguments: BTreeMap<String, Option<String>>,
    stages: BTreeSet<String>,
    has_stage: bool,
}

/// The images of a Dockerfile: `FROM`, `COPY --from` and `RUN --mount=from=`, without stages and `scratch`.
///
/// A name with an `ARG` that has no default is left out.
pub fn dockerfile(text: &str) -> Result<Found> {
    let instructions = instructions(text)?;
    let mut reader = Reader {
        escape: Escape::Before(instructions.escape),
        finder: Finder::default(),
        arguments: BTreeMap::new(),
        stages: BTreeSet::new(),
        has_stage: false,
    };
    if let Some(syntax) = instructions.syntax {
        reader.finder.skip(&syntax, "BuildKit fetches it to read the Dockerfile (`# syntax=`)")?;
    }
    for instruction in &instructions.all {
        reader.read(instruction)?;
    }
    Ok(reader.finder.found())
}

impl Reader {
    fn read(&mut self, instruction: &Instruction) -> Result<()> {
        let Instruction { line, keyword, rest } = instruction;
        match keyword.as_str() {
            "ARG" if !self.has_stage => self.argument(rest),
            "FROM" => return self.from(rest, *line),
            "COPY" | "ADD" => {
                for from in flags(rest).filter_map(|flag| flag.strip_prefix("--from=")) {
                    self.other(from, *line)?;
                }
            }
            "RUN" => {
                for mount in flags(rest).filter_map(|flag| flag.strip_prefix("--mount=")) {
                    let mount = unquoted(mount);
                    let from = mount.split(',').find_map(|part| part.trim().strip_prefix("from="));
                    from.map_or(Ok(()), |from| self.other(from, *line))?;
                }
            }
            "ONBUILD" => {
                let (keyword, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
                let (keyword, rest) = (keyword.to_ascii_uppercase(), rest.trim().to_owned());
                // `ONBUILD ONBUILD` and `ONBUILD FROM` are not allowed there.
                if matches!(keyword.as_str(), "COPY" | "ADD" | "RUN") {
                    return self.read(&Instruction { line: *line, keyword, rest });
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn argument(&mut self, rest: &str) {
        for word in words(rest) {
            let (name, default) = word.split_once('=').map_or((word.as_str(), None), |(name, text)| (name, Some(text)));
            let default = default.and_then(|text| self.resolved(&unquoted(text)).ok());
            self.arguments.insert(name.to_owned(), default);
        }
    }

    fn from(&mut self, rest: &str, line: usize) -> Result<()> {
        self.has_stage = true;
        let mut words = rest.split_whitespace().skip_while(|word| word.starts_with("--"));
        let Some(name) = words.next() else {
            return Err(Error::new(Kind::Usage, format!("line {line}: FROM names no image")));
        };
        let name = unquoted(name);
        let alias = words.next().filter(|word| word.eq_ignore_ascii_case("as")).and_then(|_| words.next());
        // A stage may have the name of the image that it is made from.
        let taken = match self.resolved(&name) {
            Ok(name) if self.stages.contains(&name.to_ascii_lowercase()) || name == "scratch" => Ok(()),
            Ok(resolved) => self.finder.take_name(&resolved, Some(line)),
            Err(why) => self.left_out(&name, &why),
        };
        self.stages.extend(alias.map(str::to_ascii_lowercase));
        taken
    }

    /// What is copied or mounted from: a stage by name or number, or an image.
    fn other(&mut self, from: &str, line: usize) -> Result<()> {
        let from = unquoted(from);
        let is_number = !from.is_empty() && from.bytes().all(|byte| byte.is_ascii_digit());
        if from.is_empty() || is_number || from == "scratch" {
            return Ok(());
        }
        match self.resolved(&from) {
            Ok(name) if self.stages.contains(&name.to_ascii_lowercase()) => Ok(()),
            Ok(name) => self.finder.take_name(&name, Some(line)),
            Err(why) => self.left_out(&from, &why),
        }
    }

    fn resolved(&self, text: &str) -> Result<String, Unresolved> {
        interpolate(text, self.escape, &|name| self.arguments.get(name).cloned().flatten())
    }

    fn left_out(&mut self, name: &str, why: &Unresolved) -> Result<()> {
        let words = match why {
            Unresolved::Unset(variable) if OF_PLATFORM.contains(&variable.as_str()) => {
                format!("the builder sets `{variable}` by the platform")
            }
            Unresolved::Unset(variable) if self.arguments.contains_key(variable) => {
                format!("`ARG {variable}` has no default")
            }
            other => other.words(),
        };
        self.finder.skip(name, words)
    }
}

/// The flags that an instruction begins with.
fn flags(rest: &str) -> impl Iterator<Item = &str> {
    rest.split_whitespace().take_while(|word| word.starts_with("--"))
}

/// Words between spaces that are not in quotes.
fn words(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    for character in text.chars() {
        match quote {
            None if character.is_whitespace() => {
                if !word.is_empty() {
                    all.push(std::mem::take(&mut word));
                }
                continue;
            }
            None if matches!(character, '"' | '\'') => quote = Some(character),
            Some(open) if open == character => quote = None,
            _ => {}
        }
        word.push(character);
    }
    if !word.is_empty() {
        all.push(word);
    }
    all
}

/// Text without the quotes around it.
fn unquoted(text: &str) -> String {
    text.chars().filter(|character| !matches!(character, '"' | '\'')).collect()
}
