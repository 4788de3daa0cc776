//! The registry in figures.

use super::super::command::Command;
use super::super::question::Question;
use crate::engine::browse::Insight;

/// The view.
#[derive(Debug, Default)]
pub struct Stats {
    /// The figures, once they are known.
    pub insight: Option<Box<Insight>>,
    /// Whether they are asked for.
    asked: bool,
    /// How far it is scrolled.
    pub scroll: u16,
    /// Rows on the screen.
    pub height: u16,
}

impl Stats {
    /// The catalog changed.
    pub fn refresh(&mut self) {
        self.asked = false;
    }

    /// Rows of everything, below each other: figures, chart, lists and their heads.
    fn rows(&self) -> u16 {
        let Some(insight) = &self.insight else { return 0 };
        let lists =
            [insight.largest.len(), insight.statistics.repositories.len(), insight.statistics.most_shared.len()];
        let rows = 24 + lists.iter().map(|rows| (*rows).max(1)).sum::<usize>();
        u16::try_from(rows).unwrap_or(u16::MAX)
    }

    /// What it wants to know.
    pub fn wants(&mut self) -> Option<Question> {
        if std::mem::replace(&mut self.asked, true) { None } else { Some(Question::Statistics) }
    }

    /// Takes the figures.
    pub fn answer(&mut self, insight: Box<Insight>) {
        self.insight = Some(insight);
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
        .min(self.rows().saturating_sub(self.height));
        true
    }
}
