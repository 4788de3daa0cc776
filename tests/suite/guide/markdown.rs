//! What a page in Markdown asks its reader to do, and where it leads.
//!
//! Reads text. Must not know how a command is run.

use std::collections::BTreeSet;

/// Above a block that the reader saves under a name.
const FILE: &str = "<!-- file: ";
/// Above a block of commands that is not run, with the reason.
const NOT_RUN: &str = "<!-- not run: ";

/// What a reader does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Saves a file.
    Save { name: String, content: String },
    /// Types a command.
    Type(String),
}

/// A step, and the line of the page that it begins on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) number: usize,
    pub(super) step: Step,
}

/// What stands above the next block.
enum Mark {
    File(String),
    NotRun,
}

/// The fence that a line opens or ends: how many ticks, and what follows them.
fn fence(line: &str) -> Option<(usize, &str)> {
    let ticks = line.chars().take_while(|c| *c == '`').count();
    (ticks >= 3).then(|| (ticks, line[ticks..].trim()))
}

fn mark(page: &str, number: usize, line: &str) -> Option<Mark> {
    if let Some(name) = line.strip_prefix(FILE) {
        let name = name.strip_suffix(" -->").unwrap_or_else(|| panic!("{page}, line {number}: no end: {line}"));
        return Some(Mark::File(name.to_owned()));
    }
    let reason = line.strip_prefix(NOT_RUN)?.strip_suffix("-->").map(str::trim);
    assert!(reason.is_some_and(|reason| reason.len() > 10), "{page}, line {number}: say why it is not run: {line}");
    Some(Mark::NotRun)
}

/// The steps of a page: the commands of every block that is marked `sh`, `shell`, `bash` or `console`, of a console those
/// after `$ `, since the rest is what they print; and the blocks that are files. Lines that end in a backslash go on; blank
/// lines and comments are left out.
pub(super) fn steps(page: &str, markdown: &str) -> Vec<Line> {
    let mut found: Vec<Line> = Vec::new();
    let mut marked: Option<Mark> = None;
    let mut lines = markdown.lines().enumerate().map(|(index, line)| (index + 1, line));
    while let Some((number, line)) = lines.next() {
        let trimmed = line.trim();
        let Some((opened, language)) = fence(trimmed) else {
            assert!(
                marked.is_none() || trimmed.is_empty(),
                "{page}, line {number}: the mark above belongs to no block"
            );
            marked = mark(page, number, trimmed).or(marked);
            continue;
        };
        let language = language.split([' ', ',', '{']).next().unwrap_or_default();
        let is_end = |line: &str| fence(line.trim()).is_some_and(|(ticks, rest)| ticks >= opened && rest.is_empty());
        let block: Vec<(usize, &str)> = lines.by_ref().take_while(|(_, line)| !is_end(line)).collect();
        match marked.take() {
            Some(Mark::File(name)) => {
                let content = block.iter().flat_map(|(_, line)| [*line, "\n"]).collect();
                found.push(Line { number, step: Step::Save { name, content } });
            }
            None if matches!(language, "sh" | "shell" | "bash" | "console") => {
                found.extend(commands(page, language, &block));
            }
            Some(Mark::NotRun) | None => {}
        }
    }
    found
}

fn commands(page: &str, language: &str, block: &[(usize, &str)]) -> Vec<Line> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut continued = false;
    for (number, line) in block {
        let line = line.trim();
        let text = if continued || language != "console" { Some(line) } else { line.strip_prefix("$ ") };
        let Some(text) = text.map(str::trim).filter(|text| !text.is_empty() && !text.starts_with('#')) else {
            continue;
        };
        let (text, goes_on) = text.strip_suffix('\\').map_or((text, false), |text| (text.trim_end(), true));
        match found.last_mut().filter(|_| continued) {
            Some((_, last)) => *last = format!("{last} {text}"),
            None => found.push((*number, text.to_owned())),
        }
        continued = goes_on;
    }
    assert!(!continued, "{page}: a block ends in the middle of the command {:?}", found.last());
    found.into_iter().map(|(number, text)| Line { number, step: Step::Type(text) }).collect()
}

/// The lines of a page that are neither in a block nor in a comment, without what stands between ticks.
fn prose(markdown: &str) -> Vec<(usize, String)> {
    let mut inside: Option<usize> = None;
    let mut found = Vec::new();
    for (index, line) in markdown.lines().enumerate() {
        match (inside, fence(line.trim())) {
            (None, Some((ticks, _))) => inside = Some(ticks),
            (Some(opened), Some((ticks, ""))) if ticks >= opened => inside = None,
            (Some(_), _) => {}
            (None, None) => {
                let mut text = String::new();
                for (place, part) in line.split('`').enumerate() {
                    text.push_str(if place % 2 == 0 { part } else { "x" });
                }
                found.push((index + 1, text));
            }
        }
    }
    found
}

/// Where the links and pictures of a page lead, with their lines.
pub(super) fn links(markdown: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(markdown) {
        let mut rest = line.as_str();
        while let Some((_, after)) = rest.split_once("](") {
            let (target, after) = after.split_once(')').unwrap_or((after, ""));
            let target = target.trim_matches(['<', '>']);
            found.push((number, target.split(' ').next().unwrap_or_default().to_owned()));
            rest = after;
        }
    }
    found
}

/// The anchors of a page's headings, as mdBook and GitHub make them of simple headings; a second one of a name gets `-1`.
pub(super) fn anchors(page: &str, markdown: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut inside: Option<usize> = None;
    for line in markdown.lines() {
        match (inside, fence(line.trim())) {
            (None, Some((ticks, _))) => inside = Some(ticks),
            (Some(opened), Some((ticks, ""))) if ticks >= opened => inside = None,
            (None, None) if line.starts_with('#') => {
                let heading = line.trim_start_matches('#').trim().to_lowercase();
                let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
                let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
                assert!(found.insert(anchor), "{page}: two headings have one anchor: {line}");
            }
            _ => {}
        }
    }
    found
}

#[test]
fn blocks_are_found_however_they_are_marked() {
    let markdown = "text `roadstead list`\n```sh\n# a comment\nroadstead add a:1   # why\n\nroadstead add \\\n  b:1\n```\n\
        ```text\nnot this\n```\n  ```console\n  $ roadstead list\n  REPOSITORY\n  ```\n````sh\n```\nx\n````\n";
    let typed = |text: &str| Step::Type(text.to_owned());
    let steps: Vec<(usize, Step)> = steps("page", markdown).into_iter().map(|line| (line.number, line.step)).collect();
    let expected =
        [(4, "roadstead add a:1   # why"), (6, "roadstead add b:1"), (13, "roadstead list"), (17, "```"), (18, "x")];
    assert_eq!(steps, expected.map(|(number, text)| (number, typed(text))));
}

#[test]
fn marks_say_what_a_block_is() {
    let markdown = "<!-- file: a/b.toml -->\n\n```toml\nx = 1\n\ny = 2\n```\n\n<!-- not run: needs a cluster -->\n```sh\nkubectl\n```\n```sh\nlast\n```\n";
    let steps: Vec<Step> = steps("page", markdown).into_iter().map(|line| line.step).collect();
    let saved = Step::Save { name: "a/b.toml".to_owned(), content: "x = 1\n\ny = 2\n".to_owned() };
    assert_eq!(steps, [saved, Step::Type("last".to_owned())]);
}

#[test]
fn links_and_anchors_are_found_outside_of_code() {
    let markdown = "# A page: `serve`, and more\n[a](b.md#c) `[not](this)` ![d](e/f.svg)\n```text\n# no\n[no](no)\n```\n## Two_words\n";
    assert_eq!(links(markdown), [(2, "b.md#c".to_owned()), (2, "e/f.svg".to_owned())]);
    assert_eq!(anchors("page", markdown), BTreeSet::from(["a-page-serve-and-more".to_owned(), "two_words".to_owned()]));
}
