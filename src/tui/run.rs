//! The loop: waits for one message, applies it, performs what follows, and draws when there is quiet. Where nothing changes,
//! it sleeps.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossterm::event::Event as TerminalEvent;
use futures::{Stream, StreamExt as _};
use ratatui::Terminal;
use ratatui::backend::Backend;
use tokio::select;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::{MissedTickBehavior, interval, sleep_until};

use super::app::App;
use super::effect::Effect;
use super::message::Msg;
use super::perform::{Extras, Performer};
use super::problem::Problem;
use super::unfinished::Unfinished;
use super::view;
use crate::engine::Engine;
use crate::engine::publish::Places;
use crate::error::{Context as _, Error, Kind, Result};

/// Shortest time between two frames: a burst of messages costs one frame, a single key none of it.
const MIN_FRAME_INTERVAL: Duration = Duration::from_millis(10);
/// How often counters are sampled while jobs run.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(100);
/// How often the catalog is asked whether another process changed it.
const CATALOG_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// How long jobs that were cancelled may still take.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);
/// What is said of a pager that can't be started.
const PAGER: &str = "can't show it in the pager";
/// Where it comes from.
const OF_PAGERS: &str = "`$PAGER` names the pager to use.";

/// The outside of the loop: what draws, and what only the owner of a terminal can do.
pub(super) trait Face {
    type Backend: Backend;
    /// Keys, mouse, pastes, sizes.
    type Events: Stream<Item = io::Result<TerminalEvent>> + Unpin;

    /// Begins to read the terminal, until this is dropped.
    fn events(&mut self) -> Self::Events;

    /// The terminal's size in columns and rows.
    fn size(&mut self) -> io::Result<(u16, u16)>;

    fn terminal(&mut self) -> &mut Terminal<Self::Backend>;

    /// Lets the terminal show nothing until a frame is whole, or show it.
    fn hold(&mut self, on: bool) -> io::Result<()>;

    fn copy(&mut self, text: &str) -> io::Result<()>;

    /// Lets the terminal tell of something, wherever its user is.
    fn notify(&mut self, text: &str) -> io::Result<()>;

    /// Turns the mouse on or off.
    fn set_mouse(&mut self, on: bool) -> io::Result<()>;

    /// Draws the whole screen again.
    fn redraw(&mut self) -> io::Result<()>;

    /// Stops the process until it is continued.
    fn suspend(&mut self) -> io::Result<()>;

    /// Shows a text in a pager. Keys are the pager's meanwhile.
    fn page(&mut self, text: &str) -> io::Result<()>;

    /// Shows a file in a pager. Keys are the pager's meanwhile.
    fn page_file(&mut self, file: &Path) -> io::Result<()>;

    /// Carries a verb of the command line out on the terminal, with what follows it. Keys are its own meanwhile.
    fn verb(&mut self, words: &[String]) -> io::Result<()>;

    /// Shows a URL in a browser.
    fn browse(&mut self, url: &str) -> io::Result<()>;
}

/// What comes from outside.
pub(super) struct Inputs {
    /// Messages of tasks, signals and the log.
    pub(super) messages: UnboundedReceiver<Msg>,
    /// Where tasks send theirs.
    pub(super) sender: UnboundedSender<Msg>,
}

/// Runs the interface until it is left.
pub(super) async fn run<F>(
    mut app: App,
    face: &mut F,
    mut inputs: Inputs,
    engine: Arc<Engine>,
    places: Arc<dyn Places>,
    extras: Extras,
) -> Result<()>
where
    F: Face,
    <F::Backend as Backend>::Error: Send + Sync + 'static,
{
    let mut performer = Performer::new(Arc::clone(&engine), places, inputs.sender.clone(), extras);
    let begun = Instant::now();
    let mut sample = interval(SAMPLE_INTERVAL);
    sample.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut watch = interval(CATALOG_CHECK_INTERVAL);
    watch.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut version = engine.version().ok();
    let (mut stale, mut next_frame) = (true, tokio::time::Instant::now());
    let mut unfinished = Unfinished::open(engine.data_dir());
    let cut = if app.read_only.is_none() { unfinished.take_cut() } else { Vec::new() };
    for effect in app.wants().into_iter().chain(app.update(Msg::Cut(cut))) {
        perform(&mut performer, face, &mut unfinished, effect)?;
    }
    let mut terminated = false;
    let mut events = face.events();
    let finish = 'main: loop {
        if stale && tokio::time::Instant::now() >= next_frame {
            draw(&app, face)?;
            (stale, next_frame) = (false, tokio::time::Instant::now() + MIN_FRAME_INTERVAL);
        }
        let message = select! {
            biased;
            event = events.next() => match event {
                Some(Ok(TerminalEvent::Key(key))) => Msg::Key(key),
                Some(Ok(TerminalEvent::Mouse(mouse))) => Msg::Mouse(mouse),
                Some(Ok(TerminalEvent::Paste(text))) => Msg::Paste(text),
                Some(Ok(TerminalEvent::Resize(columns, rows))) => Msg::Resize(columns, rows),
                Some(Ok(_)) => continue,
                Some(Err(error)) => return Err(error).context(|| "can't read the terminal"),
                None => Msg::Terminate,
            },
            Some(message) = inputs.messages.recv() => message,
            _ = sample.tick(), if !performer.is_idle() => Msg::Samples(performer.sample()),
            _ = watch.tick() => {
                performer.reap();
                performer.watch_rules(app.rules.shown.file.clone());
                let now = engine.version().ok();
                let elsewhere = engine.busy_elsewhere();
                if elsewhere != app.elsewhere {
                    Msg::Elsewhere(elsewhere)
                } else if now == version {
                    // A toast goes by itself.
                    if !app.is_moving() && !app.is_due(begun.elapsed()) {
                        continue;
                    }
                    Msg::Tick(begun.elapsed(), jiff::Timestamp::now())
                } else {
                    version = now;
                    Msg::Changed
                }
            }
            () = sleep_until(next_frame), if stale => continue,
        };
        stale = true;
        match &message {
            Msg::Ended(id, _) => performer.ended(*id),
            Msg::Planned(ticket, _) => performer.planned(*ticket),
            Msg::Terminate => terminated = true,
            Msg::Key(_) => super::fault::inject(super::fault::FaultPoint::Interface),
            _ => {}
        }
        let mut effects = app.update(Msg::Tick(begun.elapsed(), jiff::Timestamp::now()));
        effects.extend(app.update(message));
        super::log_feed::write(&app.take_unwritten());
        let mut todo = VecDeque::from(effects);
        while let Some(effect) = todo.pop_front() {
            if effect.lends_the_terminal() {
                // Who has the terminal has its keys, too: what reads them here would take some of them away.
                drop(events);
                let lent = lend(face, effect);
                events = face.events();
                let size = face.size().context(|| "can't read the terminal's size")?;
                todo.extend(app.update(Msg::Resize(size.0, size.1)));
                if let Err(problem) = lent {
                    todo.extend(app.update(Msg::Troubled(problem)));
                }
            } else if let Some(finish) = perform(&mut performer, face, &mut unfinished, effect)? {
                break 'main finish;
            }
        }
    };
    performer.stop_serving();
    let cut = app.noted;
    if !finish {
        performer.cancel_all();
    }
    let ending = performer.finish();
    if finish {
        draw(&app, face)?;
        ending.await;
    } else {
        // What hangs in a system call is cut off like by a kill; what is verified is kept.
        let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, ending).await;
    }
    if finish || cut == 0 {
        unfinished.remember(&[]);
    }
    if terminated {
        let error = Error::new(Kind::Interrupted, "stopped by a signal, or the terminal is gone");
        return Err(match cut {
            0 => error,
            _ => error.hint("The jobs that were running are offered again at the next start."),
        });
    }
    Ok(())
}

fn draw<F: Face>(app: &App, face: &mut F) -> Result<()>
where
    <F::Backend as Backend>::Error: Send + Sync + 'static,
{
    let words = || "can't draw on the terminal";
    face.hold(true).context(words)?;
    match face.terminal().draw(|frame| view::draw(app, frame)) {
        Ok(_) => face.hold(false).context(words),
        Err(error) => Err(Error::new(Kind::Unexpected, words()).caused_by(error)),
    }
}

/// Performs an effect for which the terminal is lent. What can't be started is a problem, and no more.
fn lend<F: Face>(face: &mut F, effect: Effect) -> Result<(), Problem> {
    let (done, what, hint) = match effect {
        Effect::Suspend => (face.suspend(), "can't stop this program", None),
        Effect::Page(text) => (face.page(&text), PAGER, Some(OF_PAGERS)),
        Effect::PageFile(file) => (face.page_file(&file), PAGER, Some(OF_PAGERS)),
        Effect::Verb(words) => (face.verb(&words), "can't run the verb", None),
        _ => (Ok(()), "", None),
    };
    done.context(|| what).map_err(|error| Problem::from(hint.into_iter().fold(error, Error::hint)))
}

/// Performs an effect; says how to leave, if that is what it is.
fn perform<F: Face>(
    performer: &mut Performer,
    face: &mut F,
    unfinished: &mut Unfinished,
    effect: Effect,
) -> Result<Option<bool>> {
    let words = || "can't use the terminal";
    match effect {
        Effect::Ask(ticket, question) => performer.ask(ticket, question),
        Effect::Plan(ticket, request) => performer.plan(ticket, request),
        Effect::Forget(ticket) => performer.forget(ticket),
        Effect::Rest(number) => performer.rest(number),
        Effect::Remember(requests) => unfinished.remember(&requests),
        Effect::Keep(what) => performer.keep(&what),
        Effect::Start(id, plan) => performer.start(id, plan),
        Effect::Cancel(id) => performer.cancel(id),
        Effect::Copy(text) => face.copy(&text).context(words)?,
        Effect::Notify(text) => face.notify(&text).context(words)?,
        Effect::Mouse(on) => face.set_mouse(on).context(words)?,
        Effect::Redraw => face.redraw().context(words)?,
        // They lend the terminal, and are performed where its events are.
        Effect::Suspend | Effect::Page(_) | Effect::PageFile(_) | Effect::Verb(_) => {}
        Effect::Serve(words) => performer.serve(words),
        Effect::StopLooking => performer.stop_looking(),
        Effect::StopServing => performer.stop_serving(),
        Effect::Browse(url) => {
            if let Err(error) = face.browse(&url).context(|| "can't start a browser") {
                performer.say(Msg::Troubled(error.into()));
            }
        }
        Effect::Quit { finish } => return Ok(Some(finish)),
    }
    Ok(None)
}
