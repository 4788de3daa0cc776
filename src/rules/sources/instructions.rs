//! A Dockerfile's instructions: lines joined, comments and heredocs left out (Dockerfile reference, "Format").

use crate::error::{Error, Kind, Result};

/// Bytes of the largest Dockerfile.
const MAX_DOCKERFILE_BYTES: usize = 4 << 20;
/// Heredocs of one instruction.
const MAX_HEREDOCS: usize = 100;

/// One instruction.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Instruction {
    /// The line that it begins on, from 1.
    pub(super) line: usize,
    /// In upper case.
    pub(super) keyword: String,
    pub(super) rest: String,
}

/// What a Dockerfile says to whom.
#[derive(Debug)]
pub(super) struct Instructions {
    /// The character that joins lines.
    pub(super) escape: char,
    /// The program that reads the file (`# syntax=`), which is an image.
    pub(super) syntax: Option<String>,
    pub(super) all: Vec<Instruction>,
}

pub(super) fn instructions(text: &str) -> Result<Instructions> {
    if text.len() > MAX_DOCKERFILE_BYTES {
        return Err(Error::new(Kind::Usage, "it is larger than 4 MiB"));
    }
    let text = text.trim_start_matches('\u{feff}');
    let (escape, syntax) = directives(text);
    let mut lines = text.lines().enumerate();
    let mut all = Vec::new();
    while let Some((number, line)) = lines.next() {
        if is_left_out(line) {
            continue;
        }
        let mut joined = String::new();
        let mut current = line;
        loop {
            let trimmed = current.trim_end();
            let Some(head) = trimmed.strip_suffix(escape) else {
                joined.push_str(current);
                break;
            };
            joined.push_str(head);
            // Comments and empty lines inside of an instruction are not part of it.
            match lines.by_ref().find(|(_, line)| !is_left_out(line)) {
                Some((_, next)) => current = next,
                None => break,
            }
        }
        let joined = joined.trim();
        let (keyword, rest) = joined.split_once(char::is_whitespace).unwrap_or((joined, ""));
        let (keyword, rest) = (keyword.to_ascii_uppercase(), rest.trim().to_owned());
        if matches!(keyword.as_str(), "RUN" | "COPY" | "ADD") {
            for (word, tabs) in heredocs(&rest, escape) {
                let is_end = |line: &str| if tabs { line.trim_start_matches('\t') == word } else { line == word };
                if !lines.by_ref().any(|(_, line)| is_end(line)) {
                    return Err(Error::new(Kind::Usage, format!("line {}: its heredoc has no end", number + 1)));
                }
            }
        }
        all.push(Instruction { line: number + 1, keyword, rest });
    }
    Ok(Instructions { escape, syntax, all })
}

fn is_left_out(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with('#')
}

/// The directives, which are comments before everything else.
fn directives(text: &str) -> (char, Option<String>) {
    let (mut escape, mut syntax) = ('\\', None);
    for line in text.lines() {
        let directive = line.trim().strip_prefix('#').and_then(|comment| comment.split_once('='));
        let Some((name, value)) = directive else { break };
        let value = value.trim();
        match name.trim().to_ascii_lowercase().as_str() {
            "escape" if value == "`" => escape = '`',
            "syntax" => syntax = Some(value.to_owned()),
            "escape" | "check" => {}
            _ => break,
        }
    }
    (escape, syntax)
}

/// The words that end heredocs, and whether tabs before them don't count: as BuildKit does it, only a whole word of the line begins
/// one (`<<EOF`, `3<<-"EOF"`), so that what a shell shifts or is given (`$((1<<N))`, `<<<x`) is none.
fn heredocs(rest: &str, escape: char) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    for word in words(rest, escape) {
        let Some(rest) = word.trim_start_matches(|first: char| first.is_ascii_digit()).strip_prefix("<<") else {
            continue;
        };
        let (tabs, name) = rest.strip_prefix('-').map_or((false, rest), |name| (true, name));
        if name.is_empty() || name.contains('<') {
            continue;
        }
        found.push((name.chars().filter(|character| !matches!(character, '"' | '\'')).collect(), tabs));
        if found.len() == MAX_HEREDOCS {
            break;
        }
    }
    found
}

/// Words between spaces that are not in quotes, with their quotes.
fn words(text: &str, escape: char) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match quote {
            None if character.is_whitespace() => {
                all.push(String::new());
                continue;
            }
            None if matches!(character, '"' | '\'') => quote = Some(character),
            Some(open) if open == character => quote = None,
            _ => {}
        }
        if let Some(word) = all.last_mut() {
            word.push(character);
            if character == escape && quote != Some('\'') {
                word.extend(characters.next());
            }
        }
    }
    all.retain(|word| !word.is_empty());
    all
}
