//! A plan that asks whether it is to be run. The key that asked is not the key that answers where something is taken away.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent};

use super::super::describe::{self, Described, Role, Row};
use super::super::work::{JobId, Plan, Request};

/// State of the dialog that shows a plan and asks whether to run it.
#[derive(Debug)]
pub struct Confirm {
    /// Plan that is run if the answer is yes.
    pub plan: Box<Plan>,
    /// Request that the plan was made for; none where it can't be made again.
    pub request: Option<Request>,
    /// The job that it was made for, and that waits for the answer.
    pub job: Option<JobId>,
    /// The plan in words, as it is shown.
    pub described: Described,
    /// Lines that are scrolled out at the top.
    pub scroll: u16,
    /// It came up by itself, and takes answers from this time on: a key that was meant for what was there before is none.
    pub answers_from: Duration,
}

/// What a key means to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Run the plan that is shown.
    Yes,
    /// Leave everything as it is.
    No,
    /// The dialog stays open, and nothing is to be done.
    Stay,
}

impl Confirm {
    /// A dialog about a plan.
    pub fn new(plan: Box<Plan>, request: Option<Request>) -> Self {
        let described = describe::plan(&plan);
        Self { plan, request, job: None, described, scroll: 0, answers_from: Duration::ZERO }
    }

    /// Adds lines below those of the plan.
    #[must_use]
    pub fn with(mut self, rows: Vec<Row>) -> Self {
        self.described.rows.extend(rows);
        self
    }

    /// Says first why it is asked.
    #[must_use]
    pub fn because(mut self, reason: Option<String>) -> Self {
        if let Some(reason) = reason {
            self.described.rows.splice(0..0, [(Role::Warning, reason), (Role::Text, String::new())]);
        }
        self
    }

    /// The keys and what they do, as they are shown.
    pub fn keys(&self) -> [(&'static str, String); 2] {
        if self.described.destroys {
            [("y", self.described.verb.to_owned()), ("enter", "keep everything as it is".to_owned())]
        } else {
            [("enter", self.described.verb.to_owned()), ("esc", "not now".to_owned())]
        }
    }

    /// Handles a key and says what to do.
    pub fn key(&mut self, key: KeyEvent) -> Answer {
        match key.code {
            KeyCode::Enter if !self.described.destroys => Answer::Yes,
            KeyCode::Char('y') => Answer::Yes,
            KeyCode::Enter | KeyCode::Esc | KeyCode::Char('n' | 'q') => Answer::No,
            _ => Answer::Stay,
        }
    }
}
