//! Looking at a name once, or again and again until it is told to stop.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;
use serde_json::json;
use tokio::time::sleep;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::report::shown;
use crate::engine::Engine;
use crate::engine::follow::report::came;
use crate::engine::follow::{Follower, Look, Resolver, Taken};
use crate::engine::job::Job;
use crate::error::{Kind, Result};

/// What one look gave.
#[derive(Debug, Serialize)]
struct LookReport {
    name: String,
    /// The root that is held.
    root: Option<String>,
    /// What came with it; nothing if it was held before.
    taken: Option<Taken>,
    /// What is wrong with some source, a sentence each.
    notes: Vec<String>,
}

impl LookReport {
    fn of(follower: &Follower, look: &Look) -> Self {
        let name = follower.setting().name.to_string();
        Self { name, root: look.root.map(shown), taken: look.taken, notes: look.notes.clone() }
    }
}

/// Looks once.
pub(super) fn once(engine: &Arc<Engine>, context: &Context) -> Result<Exit> {
    let follower = Follower::open(Arc::clone(engine), Arc::new(Resolver))?;
    let look = context.run(async |job: &Job| follower.look(job).await)?;
    let output = &context.output;
    output.json(&LookReport::of(&follower, &look))?;
    look.notes.iter().for_each(|note| output.warning(note));
    output.message(&came(&look).unwrap_or_else(|| "Nothing to do: the name has not moved.".to_owned()));
    Ok(Exit::Done)
}

/// Looks again and again.
pub(super) fn run(engine: &Arc<Engine>, context: &Context) -> Result<Exit> {
    let output = context.output.clone();
    let ended = context
        .run_quietly("Stopping; what is verified is kept. Press ^C again to stop at once.", async |job: &Job| {
            keep_following(Arc::clone(engine), &output, job).await
        });
    match ended {
        Err(error) if error.kind() == Kind::Interrupted => Ok(Exit::Done),
        ended => ended.map(|()| Exit::Done),
    }
}

/// Looks at the name again and again until the job is cancelled. What goes wrong is said once, and the next look may go right.
pub(in crate::cli) async fn keep_following(engine: Arc<Engine>, output: &Output, job: &Job) -> Result<()> {
    let follower = Follower::open(engine, Arc::new(Resolver))?;
    let setting = follower.setting();
    output.message(&format!("Following {} from {}.", setting.name, setting.shown_sources()));
    let mut told: BTreeSet<String> = BTreeSet::new();
    loop {
        let mut now = BTreeSet::new();
        match follower.look(job).await {
            Ok(look) => {
                if let Some(words) = came(&look) {
                    output.message(&words);
                    if output.is_json() {
                        output.json_line(&json!({ "followed": LookReport::of(&follower, &look) }));
                    }
                }
                for note in look.notes {
                    if !told.contains(&note) {
                        output.warning(&note);
                    }
                    now.insert(note);
                }
            }
            Err(error) if error.kind() == Kind::Interrupted => return Ok(()),
            // Whom to follow has changed, or nothing is followed any more: this is not the one that goes on.
            Err(error) if error.kind() == Kind::NotFound && follower.is_over()? => return Err(error),
            Err(error) => {
                let words = error.to_string();
                if !told.contains(&words) {
                    output.error(&error);
                }
                now.insert(words);
            }
        }
        told = now;
        tokio::select! {
            () = sleep(setting.every) => {}
            () = job.cancellation().cancelled() => return Ok(()),
        }
        if job.is_ending() {
            return Ok(());
        }
    }
}
