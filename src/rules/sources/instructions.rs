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
            for (word, tabs) in heredocs(&rest) {
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

/// The words that end heredocs, and whether tabs before them don't count.
fn heredocs(rest: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    // `<<<` is a here-string of the shell.
    for part in rest.replace("<<<", " ").split("<<").skip(1).take(MAX_HEREDOCS) {
        let (tabs, part) = part.strip_prefix('-').map_or((false, part), |part| (true, part));
        let quote = part.chars().next().filter(|first| matches!(first, '"' | '\''));
        let word = match quote {
            Some(quote) => part[1..].split(quote).next().unwrap_or_default(),
            None => {
                let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
                &part[..part.find(|character| !is_word(character)).unwrap_or(part.len())]
            }
        };
        // `1 << 3` shifts.
        if !word.is_empty() && !word.starts_with(|first: char| first.is_ascii_digit()) {
            found.push((word.to_owned(), tabs));
        }
    }
    found
}
