//! Plans that are asked for. One that asks registries or targets is a job that can be left alone: it is shown when it is there and
//! nobody does anything else. Any other lies over everything until it is there.

use std::time::Duration;

use super::app::App;
use super::command::Command;
use super::describe::{self, Role};
use super::dialog::Dialog;
use super::dialog::confirm::Confirm;
use super::effect::Effect;
use super::problem::Problem;
use super::state::job::JobState;
use super::state::log::Level;
use super::work::{JobId, Plan, Request};
use super::{adding, following, view};
use crate::engine::publish::plan::PublishRequest;
use crate::error::Kind;

/// How long a dialog that came up by itself takes no answer: keys that were under way meant something else.
pub(super) const ANSWER_DELAY: Duration = Duration::from_millis(700);

/// The plan of a job that has not begun yet.
#[derive(Debug)]
pub(super) struct Pending {
    /// What it is asked for.
    request: Request,
    /// Why it is made, if the user did not ask for it just now.
    because: Option<String>,
    /// How many keys had come when somebody looked at it last: with no other since, it is waited for.
    keys: u64,
    /// When that was, since the start.
    since: Duration,
    /// It is there, and nobody has seen it.
    ready: Option<Box<Confirm>>,
}

impl Request {
    /// Whether its plan asks registries or targets, which may take long: nobody should have to wait for it.
    fn takes_long(&self) -> bool {
        matches!(self, Self::Add(_) | Self::Rules(_) | Self::Update(_) | Self::Publish(_))
    }
}

/// What to do about the images of a plan that can't be had, each said once.
fn hints(plan: &Plan) -> Vec<String> {
    let (Plan::Add(plan) | Plan::Update(plan)) = plan else { return Vec::new() };
    let mut hints: Vec<String> = Vec::new();
    for hint in plan.failed.iter().flat_map(|failed| failed.error.hints()) {
        if !hints.contains(hint) {
            hints.push(hint.clone());
        }
    }
    hints
}

impl App {
    /// Asks for a plan.
    pub(super) fn plan(&mut self, request: Request) -> Vec<Effect> {
        self.plan_because(request, None)
    }

    /// Asks for a plan that the user did not ask for just now, for this reason.
    pub(super) fn plan_because(&mut self, request: Request, because: Option<String>) -> Vec<Effect> {
        let what = format!("`{}`", request.title());
        if self.refuses(&what) || request.changes_images() && following::refuses(self, &what) {
            return Vec::new();
        }
        if request.takes_long() {
            return self.plan_as_job(request, because);
        }
        let ticket = self.ticket();
        self.dialogs.push(Dialog::Planning { ticket, request: request.clone(), because, since: self.now });
        vec![Effect::Plan(ticket, request)]
    }

    fn plan_as_job(&mut self, request: Request, because: Option<String>) -> Vec<Effect> {
        if let Some((job, pending)) = self.pending.iter().find(|(_, pending)| pending.request == request) {
            let (job, is_ready) = (*job, pending.ready.is_some());
            if is_ready {
                self.show_plan(job);
            } else {
                self.await_plan(job);
                let jobs = view::key(self, Command::Jobs);
                self.hint(format!("{}: still asking; Jobs ({jobs}) shows how far it is", request.title()));
            }
            return Vec::new();
        }
        let id = self.job_number();
        let title = request.title();
        self.note(Level::Info, Some(id), format!("{title}: asking what there is"));
        self.jobs.plan(id, title, request.clone());
        let (keys, since) = (self.keys, self.now);
        self.pending.insert(id, Pending { request: request.clone(), because, keys, since, ready: None });
        vec![Effect::Plan(id, request)]
    }

    /// Somebody looks at a job whose plan is being made: it is shown when it is there.
    fn await_plan(&mut self, job: JobId) {
        let (keys, now) = (self.keys, self.now);
        if let Some(pending) = self.pending.get_mut(&job) {
            (pending.keys, pending.since) = (keys, now);
        }
    }

    /// Shows the plan of a job, if it is there; whether it was.
    pub(super) fn show_plan(&mut self, job: JobId) -> bool {
        let Some(confirm) = self.pending.get_mut(&job).and_then(|pending| pending.ready.take()) else { return false };
        self.dialogs.push(Dialog::Confirm(confirm));
        true
    }

    /// Shows a plan that came by itself, if it is waited for: no key has come since somebody asked for it.
    pub(super) fn offer_plan(&mut self) {
        if !self.dialogs.is_empty() || self.is_too_small() {
            return;
        }
        let (keys, now) = (self.keys, self.now);
        let is_waited_for = |pending: &Pending| pending.ready.is_some() && pending.keys == keys;
        let Some(job) = self.pending.iter().find(|(_, pending)| is_waited_for(pending)).map(|(job, _)| *job) else {
            return;
        };
        if let Some(pending) = self.pending.get_mut(&job)
            && let Some(confirm) = &mut pending.ready
            && (pending.because.is_some() || now.saturating_sub(pending.since) > ANSWER_DELAY)
        {
            confirm.answers_from = now + ANSWER_DELAY;
        }
        self.show_plan(job);
    }

    /// A plan was answered: the next one may come up.
    pub(super) fn answered(&mut self) {
        let keys = self.keys;
        self.pending.values_mut().for_each(|pending| pending.keys = keys);
    }

    /// Nothing is to be done of a plan.
    pub(super) fn decline(&mut self, job: JobId) {
        if let Some(Pending { request, .. }) = self.pending.remove(&job) {
            self.note(Level::Info, Some(job), format!("{}: not run", request.title()));
        }
        self.jobs.forget(job);
    }

    /// A plan is there, or can't be made.
    pub(super) fn planned(&mut self, ticket: u64, planned: Result<Box<Plan>, Problem>) -> Vec<Effect> {
        self.waits = self.waits.take().filter(|(of, _)| *of != ticket);
        let Some(planned) = adding::planned(self, ticket, planned) else { return Vec::new() };
        if let Some(pending) = self.pending.remove(&ticket) {
            return self.planned_job(ticket, pending, planned);
        }
        // Given up meanwhile.
        let waiting = |dialog: &Dialog| matches!(dialog, Dialog::Planning { ticket: of, .. } if *of == ticket);
        let Some(place) = self.dialogs.iter().position(waiting) else { return Vec::new() };
        let Dialog::Planning { request, because, .. } = self.dialogs.remove(place) else { return Vec::new() };
        let plan = match planned {
            Ok(plan) => plan,
            Err(problem) => {
                self.complain(problem);
                return Vec::new();
            }
        };
        self.learn(&plan);
        let by_itself = because.is_some();
        let mut confirm = self.confirm(plan, request, because);
        if by_itself {
            confirm.answers_from = self.now + ANSWER_DELAY;
        }
        let effects = self.settle_cut(&confirm);
        match &confirm.described.nothing {
            // With failures there is something to read.
            Some(nothing) if !nothing.is_empty() => self.hint(nothing.clone()),
            // What came up meanwhile stays on top.
            _ => self.dialogs.insert(place, Dialog::Confirm(confirm)),
        }
        effects
    }

    /// The plan of a job is there, or can't be made.
    fn planned_job(&mut self, id: JobId, pending: Pending, planned: Result<Box<Plan>, Problem>) -> Vec<Effect> {
        let title = pending.request.title();
        let plan = match planned {
            Ok(plan) => plan,
            Err(problem) if problem.kind == Kind::Interrupted => {
                self.tell(id, &title, "cancelled", false);
                self.jobs.end(id, JobState::Cancelled);
                return Vec::new();
            }
            Err(problem) => {
                self.fail_plan(id, &title, problem);
                // Rules that can't be read may be why.
                self.rules.refresh();
                return Vec::new();
            }
        };
        self.learn(&plan);
        // Nothing comes or goes, so there is nothing to ask; that it ran is noted.
        if matches!(plan.as_ref(), Plan::Rules(run) if describe::is_quiet(run)) {
            return self.start_as(Some(id), plan, Some(pending.request));
        }
        let mut confirm = self.confirm(plan, pending.request.clone(), pending.because.clone());
        confirm.job = Some(id);
        self.jobs.report(id, confirm.described.rows.clone());
        let effects = self.settle_cut(&confirm);
        match &confirm.described.nothing {
            Some(nothing) if !nothing.is_empty() => {
                let nothing = nothing.clone();
                self.tell(id, &title, &nothing, false);
                self.jobs.end(id, JobState::Done(nothing));
            }
            Some(_) => {
                let failed = confirm.described.rows.iter().filter(|(role, _)| *role == Role::Danger);
                let failed: Vec<&str> = failed.map(|(_, text)| text.as_str()).collect();
                let hints = hints(&confirm.plan);
                let problem = Problem { message: failed.join("; "), hints, kind: Kind::Partial };
                self.fail_plan(id, &title, problem);
            }
            None => {
                self.jobs.set_ready(id);
                self.pending.insert(id, Pending { ready: Some(confirm), ..pending });
                self.offer_plan();
                if self.pending.get(&id).is_some_and(|pending| pending.ready.is_some()) {
                    self.announce(id, &title);
                }
            }
        }
        effects
    }

    fn fail_plan(&mut self, id: JobId, title: &str, problem: Problem) {
        self.note(Level::Error, Some(id), format!("{title}: {}", problem.message));
        self.problems.push(problem.of(&self.short(title)));
        self.jobs.end(id, JobState::Failed(problem));
    }

    /// Says that a plan is there that nobody waits for just now.
    fn announce(&mut self, id: JobId, title: &str) {
        let words = format!("the plan is ready, {}", self.where_plans_are(id));
        self.tell(id, title, &words, true);
        if let Some(toast) = &mut self.toast {
            toast.good = false;
        }
    }

    /// Which key shows the plan of a job that waits for an answer.
    pub(super) fn where_plans_are(&self, id: JobId) -> String {
        let request = self.pending.get(&id).map(|pending| &pending.request);
        if matches!(request, Some(Request::Rules(all)) if all.is_empty()) {
            return format!("{} shows it", view::key(self, Command::UpdateAll));
        }
        if matches!(request, Some(Request::Publish(all)) if *all == PublishRequest::default()) {
            return format!("{} shows it", view::key(self, Command::PublishAll));
        }
        let (open, jobs) = (view::key(self, Command::Open), view::key(self, Command::Jobs));
        format!("{open} in Jobs ({jobs}) shows it")
    }

    fn confirm(&self, plan: Box<Plan>, request: Request, because: Option<String>) -> Box<Confirm> {
        let pulls = describe::pulls(&plan, &self.jobs.quotas);
        Box::new(Confirm::new(plan, Some(request)).with(pulls).because(because))
    }

    /// Of what was cut nothing is left where there is nothing to do.
    fn settle_cut(&mut self, confirm: &Confirm) -> Vec<Effect> {
        if confirm.described.nothing.is_none() {
            return Vec::new();
        }
        self.cut.retain(|cut| confirm.request.as_ref() != Some(cut));
        self.remember().into_iter().collect()
    }

    /// What a plan says of images and rules.
    fn learn(&mut self, plan: &Plan) {
        match plan {
            Plan::Update(update) => {
                for failed in &update.failed {
                    self.images.failed(&failed.request, Some(failed.error.to_string()));
                }
                update.images.iter().for_each(|image| self.images.failed(&image.shown(), None));
                update.gone.iter().for_each(|image| self.images.failed(image, None));
            }
            Plan::Rules(run) => self.rules.take_parts(&run.plan.rules, self.wall.as_second(), &run.only),
            _ => {}
        }
    }
}
