//! Everything the interface can ask of the outside world.

use std::path::PathBuf;

use super::question::Question;
use super::remembered::Memorable;
use super::work::{JobId, Plan, Request};

/// What `App::update` asks to be done: all I/O of the interface.
#[derive(Debug)]
pub enum Effect {
    /// Answer a question; an older one of the same kind that is not answered yet need not be.
    Ask(u64, Question),
    /// Make a plan for the request; the answer has this number.
    Plan(u64, Request),
    /// Give a plan up that is being made.
    Forget(u64),
    /// Say [`Msg::Rested`](super::message::Msg::Rested) with this number when typing has rested for a while.
    Rest(u64),
    /// Remember these requests as those that run: what is cut by a kill is offered again at the next start.
    Remember(Vec<Request>),
    /// Remember this for the next start.
    Keep(Memorable),
    /// Run a plan as a job.
    Start(JobId, Box<Plan>),
    /// Cancel a running job; its end comes as a message.
    Cancel(JobId),
    /// Copy a text through the terminal.
    Copy(String),
    /// Let the terminal tell of this, in case nobody looks.
    Notify(String),
    /// Show a text in the user's pager.
    Page(String),
    /// Show a file in the user's pager.
    PageFile(PathBuf),
    /// Carry a verb of the command line out on the terminal: the verb, and what follows it.
    Verb(Vec<String>),
    /// Start serving, as these words behind `serve` say.
    Serve(Vec<String>),
    /// Stop reading the layers of an image, whose files are asked for.
    StopLooking,
    /// Stop serving.
    StopServing,
    /// Open a URL in the user's browser.
    Browse(String),
    /// Turn the mouse on or off.
    Mouse(bool),
    /// Draw the whole screen again.
    Redraw,
    /// Stop the process, as `^Z` does.
    Suspend,
    /// Leave: after the jobs that run, if they are to be finished.
    Quit {
        /// Wait for running jobs first; else they are cancelled.
        finish: bool,
    },
}

impl Effect {
    /// Whether something else has the terminal and its keys while it is performed.
    pub fn lends_the_terminal(&self) -> bool {
        matches!(self, Self::Suspend | Self::Page(_) | Self::PageFile(_) | Self::Verb(_))
    }
}
