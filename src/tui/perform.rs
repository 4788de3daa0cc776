//! Performs what the interface asks of the engine: questions on blocking threads, plans and jobs as tasks. Answers come back
//! as messages, so nothing here ever holds a key up.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::{JoinSet, spawn_blocking};
use tokio_util::sync::CancellationToken;

use super::answering::answer;
use super::completing::CommandLine;
use super::dialog::form::Draft;
use super::following_jobs::{self, LastFollower};
use super::looking;
use super::memory::Memory;
use super::message::Msg;
use super::problem::Problem;
use super::question::{Answer, Question};
use super::remembered::Memorable;
use super::rule_file::RuleFile;
use super::rule_jobs;
use super::serving::Server;
use super::work::{JobId, Outcome, Plan, Request, Sample, SaveFile};
use crate::catalog::targets::Secret;
use crate::engine::Engine;
use crate::engine::job::{Job, Meter, Watch};
use crate::engine::publish::Places;
use crate::engine::publish::plan::TargetOutcome;
use crate::engine::targets::{Internet, TargetChange, Variables};
use crate::error::{Context as _, Error, Kind, Result};

/// How long typing rests before what is typed is looked up.
const TYPING_DELAY: Duration = Duration::from_millis(600);

struct Running {
    cancel: CancellationToken,
    meter: Arc<Meter>,
    begun: Instant,
}

pub(super) struct Performer {
    engine: Arc<Engine>,
    places: Arc<dyn Places>,
    messages: UnboundedSender<Msg>,
    jobs: HashMap<JobId, Running>,
    plans: HashMap<u64, (CancellationToken, Instant)>,
    tasks: JoinSet<()>,
    /// The newest question of each kind: answers to older ones are not wanted.
    newest: HashMap<Cow<'static, str>, tokio::task::AbortHandle>,
    wanted: Wanted,
    extras: Extras,
    serving: Option<CancellationToken>,
    follower: LastFollower,
    rule_file: RuleFile,
    /// Stops reading the layers of an image.
    looking: CancellationToken,
}

/// The number of the newest question of each kind. An answer that is late must not come after the one that superseded it, so
/// it is given out with this locked.
#[derive(Debug, Clone, Default)]
struct Wanted(Arc<Mutex<HashMap<Cow<'static, str>, u64>>>);

impl Wanted {
    fn ask(&self, kind: Cow<'static, str>, ticket: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(kind, ticket);
    }

    fn give(&self, kind: &str, ticket: u64, answer: Answer, messages: &UnboundedSender<Msg>) {
        let wanted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if wanted.get(kind) == Some(&ticket) {
            let _ = messages.send(Msg::Answer(ticket, Box::new(answer)));
        }
    }
}

/// What is needed beside the engine.
#[derive(Debug)]
pub(super) struct Extras {
    /// How secrets are read from the environment.
    pub(super) variables: Variables,
    /// What serves the registry on this machine.
    pub(super) server: Option<Arc<dyn Server>>,
    /// What completes the words of the command line.
    pub(super) command_line: Option<Arc<dyn CommandLine>>,
    /// What is known from one start to the next.
    pub(super) memory: Memory,
}

/// What plans are run with.
struct Tools {
    engine: Arc<Engine>,
    places: Arc<dyn Places>,
    variables: Variables,
    follower: LastFollower,
}

impl Performer {
    pub(super) fn new(
        engine: Arc<Engine>,
        places: Arc<dyn Places>,
        messages: UnboundedSender<Msg>,
        extras: Extras,
    ) -> Self {
        Self {
            engine,
            places,
            messages,
            jobs: HashMap::new(),
            plans: HashMap::new(),
            tasks: JoinSet::new(),
            newest: HashMap::new(),
            wanted: Wanted::default(),
            extras,
            serving: None,
            follower: LastFollower::default(),
            rule_file: RuleFile::default(),
            looking: CancellationToken::new(),
        }
    }

    /// Answers a question; an older one of its kind is given up.
    pub(super) fn ask(&mut self, ticket: u64, question: Question) {
        let kind = question.kind();
        let (engine, messages) = (Arc::clone(&self.engine), self.messages.clone());
        let (places, command_line) = (Arc::clone(&self.places), self.extras.command_line.clone());
        self.wanted.ask(kind.clone(), ticket);
        let (wanted, of) = (self.wanted.clone(), kind.clone());
        let looking = matches!(question, Question::Files { .. }).then(|| self.begin_looking());
        let handle = self.tasks.spawn(async move {
            if let Question::Sight(name) = question {
                let seen = engine.look_at_target(&name, places.as_ref(), &Internet).await;
                let answer = Answer::Sight(name, seen.map(Box::new).map_err(Problem::from));
                wanted.give(&of, ticket, answer, &messages);
                return;
            }
            if let (Question::Files { image, which }, Some(job)) = (&question, looking) {
                let asked = (image.clone(), which.clone());
                wanted.give(&of, ticket, looking::look(engine, asked, job, messages.clone()).await, &messages);
                return;
            }
            if let Question::TagList(upstream, insecure) = question {
                wanted.give(&of, ticket, rule_jobs::tag_list(engine, upstream, insecure).await, &messages);
                return;
            }
            if let Question::Source(source) = question {
                wanted.give(&of, ticket, rule_jobs::source(source).await, &messages);
                return;
            }
            let answered = spawn_blocking(move || match question {
                Question::Words(words) => {
                    let suggested = command_line.map(|line| line.complete(&words)).unwrap_or_default();
                    Ok(Answer::Words(words, suggested))
                }
                question => answer(&engine, question),
            });
            let answered = answered.await;
            let answer = match answered {
                Ok(Ok(answer)) => answer,
                Ok(Err(error)) => Answer::Failed(error.into()),
                Err(_) => Answer::Failed(mistake()),
            };
            wanted.give(&of, ticket, answer, &messages);
        });
        if let Some(older) = self.newest.insert(kind, handle) {
            older.abort();
        }
    }

    /// Begins to read the layers of an image; those of another one are not read any more.
    fn begin_looking(&mut self) -> (Job, Watch) {
        self.looking.cancel();
        let (job, watch) = Job::new();
        self.looking = watch.cancel.clone();
        (job, watch)
    }

    /// Reads the layers of an image no further.
    pub(super) fn stop_looking(&self) {
        self.looking.cancel();
    }

    pub(super) fn plan(&mut self, ticket: u64, request: Request) {
        let (engine, messages) = (Arc::clone(&self.engine), self.messages.clone());
        let places = Arc::clone(&self.places);
        let (job, mut watch) = Job::new();
        self.plans.insert(ticket, (watch.cancel.clone(), Instant::now()));
        let events = messages.clone();
        tokio::spawn(async move {
            while let Some(event) = watch.events.recv().await {
                let _ = events.send(Msg::Job(ticket, event));
            }
        });
        // On a thread of its own, since not all of the engine's futures can move between threads.
        let handle = Handle::current();
        self.tasks.spawn_blocking(move || {
            let planned = job.run(async |job: &Job| plan(&engine, &places, request, job).await);
            let planned = handle.block_on(planned);
            let _ = messages.send(Msg::Planned(ticket, planned.map(Box::new).map_err(Problem::from)));
        });
    }

    /// Gives a plan up.
    pub(super) fn forget(&mut self, ticket: u64) {
        if let Some((cancel, _)) = self.plans.remove(&ticket) {
            cancel.cancel();
        }
    }

    /// A plan is made, or can't be.
    pub(super) fn planned(&mut self, ticket: u64) {
        self.plans.remove(&ticket);
    }

    /// Says when typing has rested.
    pub(super) fn rest(&mut self, number: u64) {
        let messages = self.messages.clone();
        let resting = self.tasks.spawn(async move {
            tokio::time::sleep(TYPING_DELAY).await;
            let _ = messages.send(Msg::Rested(number));
        });
        if let Some(older) = self.newest.insert(Cow::Borrowed("rest"), resting) {
            older.abort();
        }
    }

    pub(super) fn start(&mut self, id: JobId, plan: Box<Plan>) {
        let (job, mut watch) = Job::new();
        self.jobs.insert(id, Running { cancel: watch.cancel, meter: watch.meter, begun: Instant::now() });
        let messages = self.messages.clone();
        let tools = Tools {
            engine: Arc::clone(&self.engine),
            places: Arc::clone(&self.places),
            variables: self.extras.variables.clone(),
            follower: self.follower.clone(),
        };
        let events = messages.clone();
        let follow = tokio::spawn(async move {
            while let Some(event) = watch.events.recv().await {
                let _ = events.send(Msg::Job(id, event));
            }
        });
        let handle = Handle::current();
        self.tasks.spawn_blocking(move || {
            let ended = job.run(async |job: &Job| run(&tools, *plan, job).await);
            let ended = handle.block_on(ended);
            // Its last event comes before its end.
            let _ = handle.block_on(follow);
            let _ = messages.send(Msg::Ended(id, ended.map_err(Problem::from)));
        });
    }

    /// Looks whether the file with the rules is another one by now, and says so.
    pub(super) fn watch_rules(&mut self, file: Option<PathBuf>) {
        if let Some(file) = file {
            let (watch, messages) = (self.rule_file.clone(), self.messages.clone());
            self.tasks.spawn_blocking(move || watch.look(file, &messages));
        }
    }

    /// Says this to the loop.
    pub(super) fn say(&self, message: Msg) {
        let _ = self.messages.send(message);
    }

    /// Remembers this for the next start.
    pub(super) fn keep(&self, what: &Memorable) {
        self.extras.memory.keep(what);
    }

    /// Starts serving, as these words say.
    pub(super) fn serve(&mut self, words: Vec<String>) {
        let Some(server) = self.extras.server.clone() else { return };
        let (stop, messages) = (CancellationToken::new(), self.messages.clone());
        self.serving = Some(stop.clone());
        let handle = Handle::current();
        self.tasks.spawn_blocking(move || {
            let started = messages.clone();
            let served =
                server.serve(&words, &handle, stop, Box::new(move |url| drop(started.send(Msg::Serving(url)))));
            let _ = messages.send(Msg::Served(served.map_err(Problem::from)));
        });
    }

    /// Stops serving, if it does.
    pub(super) fn stop_serving(&mut self) {
        if let Some(stop) = self.serving.take() {
            stop.cancel();
        }
    }

    pub(super) fn ended(&mut self, id: JobId) {
        self.jobs.remove(&id);
    }

    pub(super) fn cancel(&self, id: JobId) {
        let planning = self.plans.get(&id).map(|(cancel, _)| cancel);
        let running = self.jobs.get(&id).map(|running| &running.cancel);
        planning.into_iter().chain(running).for_each(CancellationToken::cancel);
    }

    pub(super) fn cancel_all(&self) {
        self.looking.cancel();
        self.jobs.values().for_each(|running| running.cancel.cancel());
        self.plans.values().for_each(|(cancel, _)| cancel.cancel());
    }

    /// Whether no job runs or is planned.
    pub(super) fn is_idle(&self) -> bool {
        self.jobs.is_empty() && self.plans.is_empty()
    }

    /// What the counters say now.
    pub(super) fn sample(&self) -> Vec<Sample> {
        let of = |(id, running): (&JobId, &Running)| Sample {
            id: *id,
            bytes: (running.meter.done(), running.meter.total()),
            moved: running.meter.moved(),
            running: running.begun.elapsed(),
        };
        let planning = self.plans.iter().map(|(id, (_, begun))| {
            let (bytes, moved) = ((0, 0), 0);
            Sample { id: *id, bytes, moved, running: begun.elapsed() }
        });
        self.jobs.iter().map(of).chain(planning).collect()
    }

    /// Tasks that have ended are let go.
    pub(super) fn reap(&mut self) {
        while self.tasks.try_join_next().is_some() {}
        self.newest.retain(|_, task| !task.is_finished());
    }

    /// Waits until everything has ended.
    pub(super) async fn finish(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

fn mistake() -> Problem {
    Problem::from(Error::new(Kind::Unexpected, "a bug in this program").hint("Please report it."))
}

async fn plan(engine: &Arc<Engine>, places: &Arc<dyn Places>, request: Request, job: &Job) -> Result<Plan> {
    Ok(match request {
        Request::Add(requests) => Plan::Add(engine.plan_add(&requests, job).await?),
        Request::Update(picks) => Plan::Update(engine.plan_update(&picks, job).await?),
        Request::Rules(only) => Plan::Rules(Box::new(rule_jobs::plan(engine, only, job).await?)),
        Request::Remove(picks) => Plan::Remove(blocking(engine, move |engine| engine.plan_remove(&picks)).await?),
        Request::Undo => Plan::Undo(blocking(engine, Engine::plan_undo).await?),
        Request::Redo => Plan::Redo(blocking(engine, Engine::plan_redo).await?),
        Request::Gc => Plan::Gc(blocking(engine, Engine::plan_gc).await?),
        Request::Forget(roots) => Plan::Forget(blocking(engine, move |engine| engine.plan_forget(&roots)).await?),
        Request::RemoveTarget(name) => {
            Plan::RemoveTarget(blocking(engine, move |engine| engine.plan_remove_target(&name)).await?)
        }
        Request::StopFollowing => {
            let following = blocking(engine, Engine::following).await?;
            let name = following.map(|following| following.setting.name.to_string());
            Plan::StopFollowing(name.ok_or_else(|| Error::new(Kind::NotFound, "this catalog follows nothing"))?)
        }
        Request::Publish(request) => Plan::Publish(engine.plan_publish(&request, places.as_ref(), job).await?),
    })
}

async fn blocking<T: Send + 'static>(
    engine: &Arc<Engine>,
    work: impl FnOnce(&Engine) -> Result<T> + Send + 'static,
) -> Result<T> {
    let engine = Arc::clone(engine);
    spawn_blocking(move || work(&engine))
        .await
        .map_err(|error| Error::new(Kind::Unexpected, "a bug in this program").caused_by(error))?
}

async fn run(tools: &Tools, plan: Plan, job: &Job) -> Result<Outcome> {
    super::fault::inject(super::fault::FaultPoint::Worker);
    let Tools { engine, places, variables, follower } = tools;
    Ok(match plan {
        Plan::Add(plan) => Outcome::Added(engine.apply_add(plan, "add", job).await?),
        Plan::Update(plan) => Outcome::Added(engine.apply_add(plan, "update", job).await?),
        Plan::Rules(run) => rule_jobs::run(engine, *run, job).await?,
        Plan::Look(only) => rule_jobs::look(engine, only, job).await?,
        Plan::ChangeRules(change) => blocking(engine, move |engine| rule_jobs::save(engine, change)).await?,
        Plan::Remove(plan) => {
            engine.apply_remove(&plan, job).await?;
            Outcome::Removed(plan.count())
        }
        Plan::Undo(plan) | Plan::Redo(plan) => {
            engine.apply_undo(&plan, job).await?;
            Outcome::Undone(plan.consequence())
        }
        Plan::Gc(plan) => {
            engine.apply_gc(&plan, job).await?;
            Outcome::Freed(plan.blob_bytes + plan.partial_bytes + plan.node_bytes)
        }
        Plan::Publish(mut plan) => {
            // Whoever could not be planned has nothing, and is not forgotten because the others have it.
            let failed = std::mem::take(&mut plan.failed);
            let mut outcome = engine.apply_publish(&plan, places.as_ref(), job).await?;
            outcome.targets.extend(failed.into_iter().map(TargetOutcome::of_failed));
            Outcome::Published(outcome)
        }
        Plan::Check(picks) => Outcome::Checked(engine.outdated(&picks, job).await?),
        Plan::Verify { repair } => Outcome::Verified(engine.verify(repair, job).await?),
        Plan::Allow { repositories, allowed } => Outcome::Allowed(engine.allow(&repositories, allowed, job).await?),
        Plan::Forget(plan) => {
            engine.apply_forget(&plan, job).await?;
            Outcome::Forgotten(plan.roots.len() as u64)
        }
        Plan::RemoveTarget(plan) => {
            engine.remove_target(&plan, job).await?;
            Outcome::TargetRemoved(plan.name)
        }
        Plan::SaveTarget(draft) => {
            let Draft { name, change, new } = *draft;
            let change = at_home(change)?;
            let save = move |engine: &Engine| {
                if new { engine.add_target(&name, &change) } else { engine.set_target(&name, &change) }
            };
            let variables = variables.clone();
            let (name, doubts) = blocking(engine, move |engine| {
                let name = save(engine)?.name;
                let doubts = engine.target_doubts(&name, &variables)?;
                Ok((name, doubts))
            })
            .await?;
            Outcome::TargetSaved(name, doubts)
        }
        Plan::Follow { setting, swarm_peers } => following_jobs::begin(engine, *setting, &swarm_peers, job).await?,
        Plan::LookAtName => following_jobs::look(engine, follower, job).await?,
        Plan::SaveFile(save) => {
            let SaveFile { files, path, layer, to } = *save;
            Outcome::FileSaved(engine.save_out(files, path, layer, from_home(&to), job).await?)
        }
        Plan::CheckFollowing => Outcome::Verified(engine.check_following(job).await?.1),
        Plan::StopFollowing(_) => following_jobs::stop(engine, job).await?,
        Plan::TestTarget(name) => {
            Outcome::Tested(engine.test_target(&name, places.as_ref(), &Internet, variables, job).await?)
        }
    })
}

/// `~/` is what it is in a shell.
fn from_home(path: &Path) -> PathBuf {
    let home = path.strip_prefix("~").ok().and_then(|rest| Some(std::env::home_dir()?.join(rest)));
    home.unwrap_or_else(|| path.to_owned())
}

/// Files keep their meaning in another directory.
fn at_home(mut change: TargetChange) -> Result<TargetChange> {
    let absolute = |path: &Path| -> Result<PathBuf> {
        std::path::absolute(from_home(path)).context(|| "can't find the current directory")
    };
    if let Some(Secret::File(path)) = &mut change.authorisation {
        *path = absolute(path)?;
    }
    for path in [&mut change.key_secret, &mut change.token].into_iter().flatten() {
        *path = absolute(path)?;
    }
    Ok(change)
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    #[test]
    fn an_answer_that_was_superseded_is_not_given() {
        let (sender, mut messages) = unbounded_channel();
        let wanted = Wanted::default();
        let names = |name: &str| Answer::Complete(vec![name.to_owned()]);
        wanted.ask("complete".into(), 1);
        wanted.ask("complete".into(), 2);
        wanted.ask("details".into(), 3);
        wanted.give("complete", 2, names("newer"), &sender);
        wanted.give("complete", 1, names("late"), &sender);
        assert!(matches!(messages.try_recv(), Ok(Msg::Answer(2, _))));
        assert!(messages.try_recv().is_err());
    }
}
