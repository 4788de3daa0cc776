//! The registry in figures.

use super::super::command::Command;
use super::super::question::Question;
use crate::engine::view::Statistics;

/// The view.
#[derive(Debug, Default)]
pub struct Stats {
    /// The figures, once they are known.
    pub statistics: Option<Box<Statistics>>,
    /// Whether they are asked for.
    asked: bool,
    /// How far it is scrolled.
    pub scroll: u16,
    /// How far it can be: the view says so.
    pub scroll_end: u16,
}

impl Stats {
    /// The catalog changed.
    pub fn refresh(&mut self) {
        self.asked = false;
    }

    /// What it wants to know.
    pub fn wants(&mut self) -> Option<Question> {
        if std::mem::replace(&mut self.asked, true) { None } else { Some(Question::Statistics) }
    }

    /// Takes the figures.
    pub fn answer(&mut self, statistics: Box<Statistics>) {
        self.statistics = Some(statistics);
    }

    /// Carries a command out, if it is one of this view's.
    pub fn command(&mut self, command: Command) -> bool {
        self.scroll = match command {
            Command::Up => self.scroll.saturating_sub(1),
            Command::Down => self.scroll.saturating_add(1),
            Command::PageUp | Command::HalfUp => self.scroll.saturating_sub(10),
            Command::PageDown | Command::HalfDown => self.scroll.saturating_add(10),
            Command::First => 0,
            Command::Last => u16::MAX,
            _ => return false,
        }
        .min(self.scroll_end);
        true
    }
}
