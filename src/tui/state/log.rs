//! The log: what happened, newest last.

use std::collections::VecDeque;

use super::super::command::Command;

/// How many lines are remembered.
const MAX_LINES: usize = 5000;

/// Level of a line, from the least to the most important.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Level {
    /// Said to whoever looks for it.
    Debug,
    /// Something worth knowing happened.
    #[default]
    Info,
    /// Something to look at.
    Warning,
    /// Something failed, and was not done.
    Error,
}

impl Level {
    /// Word that stands for it in the log.
    pub fn word(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A line of the view Log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Local time of day, as `15:04:05`.
    pub at: String,
    /// Level, by which lines are filtered.
    pub level: Level,
    /// The job it belongs to.
    pub job: Option<u64>,
    /// Message in one line, printable.
    pub text: String,
}

impl Line {
    /// The text, with the job it belongs to.
    pub fn text_with_job(&self) -> String {
        match self.job {
            Some(job) => format!("#{job} {}", self.text),
            None => self.text.clone(),
        }
    }

    /// Whether it has each word of this text, in small letters, in its time, its job or its words.
    fn contains(&self, filter: &str) -> bool {
        let text = || format!("{} {}", self.at, self.text_with_job()).to_lowercase();
        filter.is_empty() || filter.split_whitespace().all(|word| text().contains(word))
    }
}

/// State of the view Log, with its filter.
#[derive(Debug)]
pub struct Log {
    /// Oldest first.
    pub lines: VecDeque<Line>,
    /// The least level that is shown.
    pub level: Level,
    /// Only lines with this text.
    pub filter: String,
    /// The line under the cursor, among those that are shown.
    pub cursor: usize,
    /// Stay at the newest line.
    pub follow: bool,
    /// Rows on the screen.
    pub height: usize,
}

impl Default for Log {
    fn default() -> Self {
        Self { lines: VecDeque::new(), level: Level::Info, filter: String::new(), cursor: 0, follow: true, height: 20 }
    }
}

impl Log {
    /// Adds a line, and drops the oldest beyond the limit.
    pub fn push(&mut self, line: Line) {
        if self.lines.len() == MAX_LINES {
            self.lines.pop_front();
            self.cursor = self.cursor.saturating_sub(1);
        }
        self.lines.push_back(line);
    }

    /// The lines that are shown.
    pub fn shown(&self) -> Vec<&Line> {
        let filter = self.filter.to_lowercase();
        self.lines.iter().filter(|line| line.level >= self.level).filter(|line| line.contains(&filter)).collect()
    }

    /// How many lines are not shown: because of their level, and because of the filter.
    pub fn hidden(&self) -> (usize, usize) {
        let level = self.lines.iter().filter(|line| line.level >= self.level).count();
        (self.lines.len() - level, level - self.shown().len())
    }

    /// Whether the footer offers a command.
    pub fn offers(&self, command: Command) -> bool {
        match command {
            // Nothing is marked here, and images are added elsewhere.
            Command::Mark | Command::Undo | Command::Add | Command::Cancel => false,
            Command::Open | Command::Copy | Command::Follow => !self.shown().is_empty(),
            Command::Filter | Command::Level => !self.lines.is_empty(),
            _ => true,
        }
    }

    /// The line under the cursor.
    pub fn current(&self) -> Option<&Line> {
        let shown = self.shown();
        let place = if self.follow { shown.len().checked_sub(1)? } else { self.cursor };
        shown.get(place).copied()
    }

    /// The place of the line under the cursor, among those that are shown.
    pub fn place(&self) -> usize {
        let last = self.shown().len().saturating_sub(1);
        if self.follow { last } else { self.cursor.min(last) }
    }

    /// Goes to a line, among those that are shown.
    pub fn go(&mut self, place: usize) {
        let last = self.shown().len().saturating_sub(1);
        self.cursor = place.min(last);
        self.follow = self.cursor == last;
    }

    /// Carries a command out, if it is one of this view's.
    pub fn command(&mut self, command: Command) -> bool {
        let last = self.shown().len().saturating_sub(1);
        let here = if self.follow { last } else { self.cursor.min(last) };
        let page = self.height.max(1);
        let cursor = match command {
            Command::Up => here.saturating_sub(1),
            Command::Down => here + 1,
            Command::PageUp => here.saturating_sub(page),
            Command::PageDown => here + page,
            Command::HalfUp => here.saturating_sub(page / 2),
            Command::HalfDown => here + page / 2,
            Command::First => 0,
            Command::Last => last,
            Command::Follow => {
                self.follow = !self.follow;
                self.cursor = last;
                return true;
            }
            Command::Level => {
                self.level = match self.level {
                    Level::Debug => Level::Info,
                    Level::Info => Level::Warning,
                    Level::Warning => Level::Error,
                    Level::Error => Level::Debug,
                };
                return true;
            }
            Command::Back => {
                self.filter.clear();
                return true;
            }
            _ => return false,
        };
        self.cursor = cursor.min(last);
        self.follow = self.cursor == last;
        true
    }
}
