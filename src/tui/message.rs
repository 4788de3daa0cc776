//! Everything that can happen to the interface.

use std::time::Duration;

use crossterm::event::{KeyEvent, MouseEvent};

use super::problem::Problem;
use super::question::Answer;
use super::state::files::Reading;
use super::work::{JobId, Outcome, Plan, Request, Sample};
use crate::engine::job::Event;
use crate::engine::query::files::Which;
use crate::holder::Holder;

/// What `App::update` can be told: keys, clicks, ticks, answers and events of jobs.
#[derive(Debug)]
pub enum Msg {
    /// A key was pressed.
    Key(KeyEvent),
    /// The mouse did something.
    Mouse(MouseEvent),
    /// Text was pasted: never keys.
    Paste(String),
    /// The terminal has another size.
    Resize(u16, u16),
    /// SIGTERM, SIGHUP or a closed terminal.
    Terminate,
    /// Time passes: since the start, and of day. Comes with every other message, and while something on the screen moves.
    Tick(Duration, jiff::Timestamp),
    /// The catalog changed, here or in another process.
    Changed,
    /// The file with the rules changed.
    RulesChanged,
    /// Another process changes the catalog, or no longer does.
    Elsewhere(Option<Holder>),
    /// A question was answered; the number is the question's.
    Answer(u64, Box<Answer>),
    /// The layers of an image are being read, for this platform of it: so far.
    Reading(String, Which, Reading),
    /// Typing has rested since the [`Effect::Rest`](super::effect::Effect::Rest) of this number.
    Rested(u64),
    /// These jobs were cut when the program ended the last time.
    Cut(Vec<Request>),
    /// A plan is ready, or can't be made; the number is the request's.
    Planned(u64, Result<Box<Plan>, Problem>),
    /// Something happened to a job.
    Job(JobId, Event),
    /// A job ended, with what came of it.
    Ended(JobId, Result<Outcome, Problem>),
    /// Counters of running jobs.
    Samples(Vec<Sample>),
    /// A line of the program's log.
    Logged(super::state::log::Line),
    /// Something of this machine failed: a pager, a browser.
    Troubled(Problem),
    /// The registry is served under this URL.
    Serving(String),
    /// It is served no longer.
    Served(Result<(), Problem>),
}
