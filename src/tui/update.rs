//! What a message changes, and what it makes the interface ask of the outside world. No I/O: every behaviour is a unit test.

use std::time::Duration;

use crossterm::event::{KeyEvent, KeyEventKind, MouseButton, MouseEvent, MouseEventKind};

use super::app::{App, Tab};
use super::command::Command;
use super::dialog::Dialog;
use super::dialog::confirm::Confirm;
use super::effect::Effect;
use super::keymap::Key;
use super::message::Msg;
use super::planning::ANSWER_DELAY;
use super::problem::Problem;
use super::question::Answer;
use super::state::images::Level;
use super::state::job::JobState;
use super::state::log;
use super::state::wait::Wait;
use super::work::{JobId, Outcome, Plan, Request};
use super::{
    act, adding, comparing, describe, dialog_keys, dialog_mouse, following, looking, notices, publishing, ruling,
    serving, unfolding,
};
use crate::engine::job::Event;
use crate::engine::query::view::UpstreamState;
use crate::error::Kind;

impl App {
    /// Applies one message and returns the effects to perform; does no I/O.
    pub fn update(&mut self, message: Msg) -> Vec<Effect> {
        // Counters and time move nothing and are many.
        let moves =
            !matches!(message, Msg::Tick(..) | Msg::Reading(..) | Msg::Samples(_) | Msg::Job(..) | Msg::Logged(_));
        if matches!(message, Msg::Changed | Msg::Answer(..) | Msg::Ended(..) | Msg::Planned(..)) {
            self.news = self.now;
        }
        let over = match &message {
            Msg::Ended(id, _) | Msg::Planned(id, _) => Some(*id),
            _ => None,
        };
        let mut effects = self.apply(message);
        effects.extend(over.and_then(|id| notices::of_job(self, id)).map(Effect::Notify));
        self.offer_plan();
        self.measure();
        if moves {
            let need = super::view::list_need(self);
            self.images.set_need(need);
            let (lines, height) = super::view::details_reach(self);
            self.images.reach(lines, height);
            if self.tab == Tab::Stats {
                self.stats.set_end(super::view::stats_end(self));
            }
        }
        effects.extend(self.sorted_anew());
        effects.extend(self.grouped_anew());
        effects.extend(following::look_if_due(self));
        effects.extend(self.wants());
        effects
    }

    fn apply(&mut self, message: Msg) -> Vec<Effect> {
        match message {
            Msg::Key(key) if key.kind == KeyEventKind::Release => Vec::new(),
            Msg::Key(key) => self.key(key),
            Msg::Mouse(mouse) => self.mouse(mouse),
            Msg::Paste(text) => self.paste(&text),
            Msg::Resize(columns, rows) => {
                self.resize((columns, rows));
                Vec::new()
            }
            Msg::Terminate => vec![Effect::Quit { finish: false }],
            Msg::Tick(now, wall) => {
                (self.now, self.wall) = (now, wall);
                self.toast = self.toast.take().filter(|toast| toast.until > now);
                Vec::new()
            }
            Msg::Changed => {
                self.stale = true;
                self.images.refresh();
                self.standings.refresh();
                self.stats.refresh();
                self.publish.refresh();
                self.rules.refresh();
                self.follow_state.refresh();
                // A first run says whether there is a target, too.
                self.looked = false;
                Vec::new()
            }
            Msg::Answer(_, answer) => self.answer(*answer),
            Msg::Planned(ticket, planned) => self.planned(ticket, planned),
            Msg::Reading(image, which, reading) => {
                if let Some(files) = &mut self.files {
                    files.read(&image, &which, reading);
                }
                Vec::new()
            }
            Msg::Rested(number) => {
                adding::rested(self, number).into_iter().chain(ruling::rested(self, number)).collect()
            }
            Msg::Cut(requests) => {
                if requests.is_empty() {
                    return Vec::new();
                }
                self.cut.clone_from(&requests);
                self.dialogs.push(Dialog::Cut(requests));
                // Until somebody decides they are what was cut, whatever becomes of this program.
                self.remember().into_iter().collect()
            }
            Msg::Job(id, event) => {
                following::heard(self, id, &event);
                self.follow(id, &event);
                if let Some((level, line)) = self.jobs.event(id, event) {
                    self.note(level, Some(id), line);
                }
                Vec::new()
            }
            Msg::Ended(id, ended) => self.ended(id, ended),
            Msg::Samples(samples) => {
                self.jobs.sample(samples);
                Vec::new()
            }
            Msg::Logged(line) => {
                self.log.push(line);
                Vec::new()
            }
            Msg::RulesChanged => {
                self.rules.refresh();
                Vec::new()
            }
            Msg::Troubled(problem) => {
                self.complain(problem);
                Vec::new()
            }
            Msg::Elsewhere(holder) => {
                self.elsewhere = holder;
                Vec::new()
            }
            Msg::Serving(url) => {
                serving::began(self, url);
                self.publish.look_again();
                Vec::new()
            }
            Msg::Served(ended) => {
                serving::ended(self, ended);
                self.publish.look_again();
                Vec::new()
            }
        }
    }

    pub(super) fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        self.keys += 1;
        self.toast = self.toast.take().filter(|toast| toast.until < Duration::MAX);
        // Too small to show what a key would do.
        let command = self.keymap.command(Key::from(key), self.contexts());
        if self.is_too_small() && !matches!(command, Some(Command::Quit | Command::Suspend | Command::Redraw)) {
            return Vec::new();
        }
        if let Some(dialog) = self.dialogs.pop() {
            return dialog_keys::key(self, dialog, key);
        }
        // A problem that was shown is seen now; the key does what it does all the same, but for those that close things.
        if !self.problems.is_empty() {
            self.problems.pop();
            if matches!(command, Some(Command::Back | Command::Open)) {
                return Vec::new();
            }
        }
        match command {
            Some(command) => act::act(self, command),
            None => {
                // A key that does something elsewhere is no key that does nothing.
                if let Some(words) = self.keymap.elsewhere(Key::from(key)) {
                    self.hint(words);
                }
                Vec::new()
            }
        }
    }

    fn paste(&mut self, text: &str) -> Vec<Effect> {
        let room = !self.is_too_small();
        match self.dialogs.last_mut() {
            Some(Dialog::Prompt(prompt)) => {
                prompt.field.insert(text);
                let (text, purpose) = (prompt.field.value().to_owned(), prompt.purpose);
                act::set_text(self, purpose, &text);
            }
            Some(Dialog::Add(_)) => return adding::pasted(self, text),
            Some(Dialog::Palette(palette)) => palette.paste(text),
            Some(Dialog::Jump(_)) => return super::jumping::pasted(self, text),
            Some(Dialog::Form(form)) => form.paste(text),
            Some(Dialog::Flags(form)) => form.paste(text),
            Some(Dialog::RuleForm(form)) => {
                form.paste(text);
                return ruling::pasted(self);
            }
            // An image reference that is pasted into a list is one to add; it is text, never keys.
            None if !text.trim().is_empty() && room => return adding::pasted_into_list(self, text),
            _ => {}
        }
        Vec::new()
    }

    fn mouse(&mut self, mouse: MouseEvent) -> Vec<Effect> {
        self.keys += u64::from(mouse.kind != MouseEventKind::Moved);
        if self.is_too_small() {
            return Vec::new();
        }
        if !self.dialogs.is_empty() {
            return dialog_mouse::mouse(self, mouse);
        }
        let is_elsewhere = super::view::frame::hit(self, mouse.column, mouse.row).is_some();
        if self.tab == Tab::Images && self.files.is_some() && !is_elsewhere {
            looking::mouse(self, mouse);
            return Vec::new();
        }
        let rows = match mouse.kind {
            MouseEventKind::ScrollUp => -3,
            MouseEventKind::ScrollDown => 3,
            MouseEventKind::Down(MouseButton::Left) => return self.click(mouse.column, mouse.row),
            _ => return Vec::new(),
        };
        match self.tab {
            Tab::Images => {
                if let Some(pane) = super::view::pane_at(self, mouse.column, mouse.row) {
                    self.images.scroll_pane(pane, rows);
                }
            }
            _ => {
                let command = if rows < 0 { Command::Up } else { Command::Down };
                return act::act(self, command);
            }
        }
        Vec::new()
    }

    fn click(&mut self, column: u16, row: u16) -> Vec<Effect> {
        match super::view::frame::hit(self, column, row) {
            Some(super::view::frame::Hit::Tab(tab)) => self.open(tab),
            Some(super::view::frame::Hit::Command(command)) => return act::act(self, command),
            Some(super::view::frame::Hit::Row(place)) if self.images.click(place, self.now) => {
                return act::act(self, Command::Open);
            }
            Some(super::view::frame::Hit::Repositories(order)) => self.images.sort_repositories(order),
            Some(super::view::frame::Hit::Tags(order)) => self.images.sort_tags(order),
            Some(super::view::frame::Hit::Platform(place)) => unfolding::choose(self, place),
            Some(super::view::frame::Hit::Line(line)) => unfolding::click(self, line),
            Some(super::view::frame::Hit::Open) => return act::act(self, Command::Open),
            Some(super::view::frame::Hit::Back) => return act::act(self, Command::Back),
            Some(super::view::frame::Hit::Row(_)) | None => {}
        }
        Vec::new()
    }

    fn answer(&mut self, answer: Answer) -> Vec<Effect> {
        match answer {
            Answer::Overview(overview) => self.overview = Some(overview),
            Answer::Statistics(statistics) => self.stats.answer(statistics),
            Answer::Targets(targets, history) => self.publish.answer(targets, history),
            Answer::Sight(target, sight) => self.publish.seen(target, self.now, sight),
            Answer::Difference(sides, differs) => {
                self.publish.differences.insert(sides.clone(), differs);
                if self.publish.comparing.take_if(|comparing| *comparing == sides).is_some()
                    && self.tab == Tab::Publish
                    && self.dialogs.is_empty()
                {
                    publishing::show(self, &sides);
                }
            }
            Answer::Words(words, suggested) => {
                if let Some(Dialog::Palette(palette)) = self.dialogs.last_mut() {
                    palette.suggest(&words, suggested);
                }
            }
            Answer::Comparison(sides, compared) => comparing::answered(self, &sides, compared),
            Answer::Found(text, found) => super::jumping::found(self, text, found),
            Answer::Complete(found) => adding::names(self, found),
            Answer::Tags(repository, tags) => adding::tags(self, &repository, tags),
            Answer::Standings(standings) => {
                self.standings.answer(standings);
                self.images.standings_changed();
            }
            Answer::Rules(shown) => {
                self.rules.answer(shown.map(|shown| *shown));
                self.rules.judge(&self.tag_lists);
            }
            Answer::TagList(upstream, list) => {
                self.tag_lists.answer(&upstream, list);
                self.rules.judge(&self.tag_lists);
                ruling::preview(self);
            }
            Answer::Following(following, serving) => self.follow_state.answer(following, serving),
            Answer::Source(source, named) => return ruling::sources_read(self, &source, named),
            Answer::Files(image, which, answer) => {
                if let Some(files) = &mut self.files {
                    files.answer(&image, &which, answer);
                }
            }
            Answer::Environment(found, files) => {
                self.environment = Some(found);
                (self.compose_file, self.regsync_file) = (files.compose, files.regsync);
            }
            // What was shown may be gone since: the lists say so themselves.
            Answer::Failed(problem) if problem.kind == Kind::NotFound => {
                self.images.details = None;
                if self.images.level == Level::Details {
                    self.images.level = Level::Tags;
                }
            }
            Answer::Failed(problem) => {
                if self.problems.last() != Some(&problem) {
                    self.complain(problem);
                }
            }
            answer => self.images.answer(answer),
        }
        Vec::new()
    }

    /// Runs a plan as a job.
    pub(super) fn start(&mut self, plan: Box<Plan>, request: Option<Request>) -> Vec<Effect> {
        self.start_as(None, plan, request)
    }

    /// Runs a plan as the job that it was made for, or as a new one.
    pub(super) fn start_as(&mut self, job: Option<JobId>, plan: Box<Plan>, request: Option<Request>) -> Vec<Effect> {
        if plan.changes() && self.refuses(&format!("`{}`", plan.title())) {
            return Vec::new();
        }
        let id = job.unwrap_or_else(|| self.job_number());
        let title = plan.title();
        self.note(log::Level::Info, Some(id), format!("{title} started"));
        let request = request.or_else(|| plan.again());
        self.cut.retain(|cut| request.as_ref() != Some(cut));
        self.pending.remove(&id);
        self.jobs.begin(id, title, request);
        self.images.clear_marks();
        let mut effects = vec![Effect::Start(id, plan)];
        effects.extend(self.remember());
        effects
    }

    /// What runs is remembered outside: what is cut by a kill is offered again at the next start.
    pub(super) fn remember(&mut self) -> Option<Effect> {
        let running = self.jobs.begun().filter_map(|job| job.request.clone());
        let requests: Vec<Request> = running.chain(self.cut.iter().cloned()).collect();
        if requests.is_empty() && self.noted == 0 {
            return None;
        }
        self.noted = requests.len();
        Some(Effect::Remember(requests))
    }

    /// What an event says beside the job that it belongs to.
    fn follow(&mut self, id: JobId, event: &Event) {
        match event {
            Event::Failed { image, reason } => self.images.failed(image, Some(reason.clone())),
            Event::Recorded { image } => self.images.failed(image, None),
            Event::Waiting { .. } | Event::Queued { .. } => {
                self.waits = Wait::of(event).map(|wait| (id, wait.words()));
            }
            Event::Proceeding => self.waits = self.waits.take().filter(|(of, _)| *of != id),
            Event::Resolving { done, total } if *total > 1 => {
                self.waits = Some((id, format!("checked {done} of {total}")));
            }
            _ => {}
        }
    }

    /// What to do about what failed of an outcome.
    fn what_next(&self, outcome: &Outcome, again: bool) -> Vec<String> {
        let mut hints = describe::hints(outcome);
        if let Outcome::Ruled(ruled) = outcome
            && ruled.parts.iter().any(|part| part.brake.is_some())
        {
            let (rules, decide) = (super::view::key(self, Command::Rules), super::view::key(self, Command::Decide));
            hints.push(format!("To remove them or keep them: {decide} in Rules ({rules})."));
        }
        if matches!(outcome, Outcome::Added(_)) && again {
            let key = |command| super::view::key(self, command);
            hints.push(format!(
                "Fetched blobs are kept: {} in Jobs ({}) continues from there.",
                key(Command::Retry),
                key(Command::Jobs)
            ));
        }
        hints
    }

    fn ended(&mut self, id: JobId, ended: Result<Outcome, Problem>) -> Vec<Effect> {
        if following::ended(self, id, &ended) {
            return Vec::new();
        }
        let title = self.jobs.jobs.iter().find(|job| job.id == id).map(|job| job.title.clone()).unwrap_or_default();
        let request = self.jobs.jobs.iter().find(|job| job.id == id).and_then(|job| job.request.clone());
        let mut next = Vec::new();
        let refused = ended.as_ref().err().cloned();
        let state = match ended {
            Ok(outcome) => {
                if let Outcome::Added(added) = &outcome {
                    for failed in &added.failed {
                        self.images.failed(&failed.request, Some(failed.error.to_string()));
                    }
                }
                if let Outcome::Checked(checked) = &outcome {
                    for row in checked.iter().filter(|row| !matches!(row.state, UpstreamState::Unknown { .. })) {
                        self.images.failed(&row.image, None);
                    }
                }
                // What is damaged can be fetched again.
                if let Outcome::Verified(verified) = &outcome
                    && verified.damaged.len() > verified.repaired.len()
                    && !verified.repair
                    && self.dialogs.is_empty()
                    && self.read_only.is_none()
                {
                    let damaged = crate::text::count(verified.damaged.len() as u64, "blob is", "blobs are");
                    let mut confirm = Confirm::new(Box::new(Plan::Verify { repair: true }), None);
                    confirm.answers_from = self.now + ANSWER_DELAY;
                    let because = Some(format!("{damaged} damaged."));
                    self.dialogs.push(Dialog::Confirm(Box::new(confirm.because(because))));
                }
                next.extend(ruling::ended(self, &outcome));
                let (words, failed) = describe::outcome(&outcome);
                if matches!(outcome, Outcome::Published(_) | Outcome::TargetSaved(..)) {
                    self.publish.look_again();
                }
                if let Outcome::Tested(trial) = &outcome {
                    return publishing::tested(self, id, trial, words, &failed);
                }
                for line in &failed {
                    self.note(log::Level::Error, Some(id), line.clone());
                }
                let notices = describe::notices(&outcome, &super::view::how_to_serve(self));
                for line in &notices {
                    self.note(log::Level::Warning, Some(id), line.clone());
                }
                let report = describe::report(&outcome, &self.zone);
                // What is told image by image is not told again.
                if !matches!(outcome, Outcome::Ruled(_)) {
                    self.jobs.note(id, notices);
                }
                self.jobs.report(id, report);
                match failed.as_slice() {
                    [] if matches!(outcome, Outcome::Removed(_)) => {
                        let undo = super::view::key(self, Command::Undo);
                        self.say(format!("{words}; {undo} undoes"));
                        JobState::Done(words)
                    }
                    [] if matches!(outcome, Outcome::RuleSaved { .. } | Outcome::RuleRemoved(_)) => {
                        self.say(words.clone());
                        JobState::Done(words)
                    }
                    [] => {
                        self.tell(id, &title, &words, matches!(outcome, Outcome::Published(_)));
                        JobState::Done(words)
                    }
                    failed => {
                        let problem = Problem {
                            message: describe::failure(&title, &outcome, &words, failed),
                            hints: self.what_next(&outcome, request.is_some()),
                            kind: Kind::Partial,
                        };
                        self.problems.push(problem.of(&self.short(&title)));
                        JobState::Failed(problem)
                    }
                }
            }
            Err(problem) if problem.kind == Kind::Interrupted => {
                self.tell(id, &title, "cancelled; what is verified is kept", false);
                JobState::Cancelled
            }
            // The catalog is another one than the plan was made for: here is the plan for how it is now.
            Err(problem) if problem.kind == Kind::Locked && self.dialogs.is_empty() && request.is_some() => {
                self.note(log::Level::Warning, Some(id), format!("{title}: {}", problem.message));
                let because = format!("{}. Here is a new plan.", problem.message);
                next = request.map(|request| self.plan_because(request, Some(because))).unwrap_or_default();
                JobState::Failed(problem)
            }
            Err(problem) => {
                self.note(log::Level::Error, Some(id), format!("{title}: {}", problem.message));
                self.problems.push(problem.of(&self.short(&title)));
                JobState::Failed(problem)
            }
        };
        self.jobs.end(id, state);
        next.extend(publishing::saved(self, id, refused.as_ref()));
        following::saved(self, id, refused.as_ref());
        if let Some(problem) = &refused {
            ruling::refused(self, id, &problem.sentences());
        }
        next.extend(self.remember());
        next.extend(self.apply(Msg::Changed));
        next
    }
}
