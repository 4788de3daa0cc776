//! The registry in figures.

use super::super::command::Command;
use super::super::question::Question;
use crate::engine::query::browse::Insight;

/// State of the view Stats: figures and growth.
#[derive(Debug, Default)]
pub struct Stats {
    /// The figures, once they are known.
    pub insight: Option<Box<Insight>>,
    /// Whether they are asked for.
    asked: bool,
    /// Lines that are scrolled out at the top.
    pub scroll: u16,
    /// How far it can be.
    end: u16,
    /// Rows on the screen.
    pub height: u16,
}

impl Stats {
    /// Asks again for the figures, since the catalog changed.
    pub fn refresh(&mut self) {
        self.asked = false;
    }

    /// So many rows of it are below what fits.
    pub fn set_end(&mut self, end: u16) {
        self.end = end;
        self.scroll = self.scroll.min(end);
    }

    /// The question, unless it was asked since the last change.
    pub fn wants(&mut self) -> Option<Question> {
        if std::mem::replace(&mut self.asked, true) { None } else { Some(Question::Statistics) }
    }

    /// Takes the figures that were asked for.
    pub fn answer(&mut self, insight: Box<Insight>) {
        self.insight = Some(insight);
    }

    /// Carries a command out, if it is one of this view's.
    pub fn command(&mut self, command: Command) -> bool {
        self.scroll = match command {
            Command::Up => self.scroll.saturating_sub(1),
            Command::Down => self.scroll.saturating_add(1),
            Command::PageUp => self.scroll.saturating_sub(self.height.max(1)),
            Command::PageDown => self.scroll.saturating_add(self.height.max(1)),
            Command::HalfUp => self.scroll.saturating_sub((self.height / 2).max(1)),
            Command::HalfDown => self.scroll.saturating_add((self.height / 2).max(1)),
            Command::First => 0,
            Command::Last => u16::MAX,
            _ => return false,
        }
        .min(self.end);
        true
    }
}
