//! The loop: waits for one message, applies it, performs what follows, and draws when there is quiet. Where nothing changes,
//! it sleeps.

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
use super::unfinished::Unfinished;
use super::view;
use crate::engine::Engine;
use crate::engine::publish::Places;
use crate::error::{Context as _, Error, Kind, Result};

/// Shortest time between two frames: a burst of messages costs one frame, a single key none of it.
const FRAME: Duration = Duration::from_millis(10);
/// How often counters are sampled while jobs run.
const SAMPLE: Duration = Duration::from_millis(100);
/// How often the catalog is asked whether another process changed it.
const WATCH: Duration = Duration::from_secs(1);
/// How long jobs that were cancelled may still take.
const LAST_CALLS: Duration = Duration::from_secs(5);

/// The outside of the loop: what draws, and what only the owner of a terminal can do.
pub(super) trait Face {
    /// What draws.
    type Backend: Backend;

    /// The terminal.
    fn terminal(&mut self) -> &mut Terminal<Self::Backend>;

    /// Copies a text.
    fn copy(&mut self, text: &str) -> io::Result<()>;

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

    /// Shows a URL in a browser.
    fn browse(&mut self, url: &str) -> io::Result<()>;
}

/// What comes from outside.
pub(super) struct Inputs<I> {
    /// Keys, mouse, pastes, sizes.
    pub(super) events: I,
    /// Messages of tasks, signals and the log.
    pub(super) messages: UnboundedReceiver<Msg>,
    /// Where tasks send theirs.
    pub(super) sender: UnboundedSender<Msg>,
}

/// Runs the interface until it is left.
pub(super) async fn run<F, I>(
    mut app: App,
    face: &mut F,
    mut inputs: Inputs<I>,
    engine: Arc<Engine>,
    places: Arc<dyn Places>,
    extras: Extras,
) -> Result<()>
where
    F: Face,
    I: Stream<Item = io::Result<TerminalEvent>> + Unpin,
    <F::Backend as Backend>::Error: Send + Sync + 'static,
{
    let mut performer = Performer::new(Arc::clone(&engine), places, inputs.sender.clone(), extras);
    let begun = Instant::now();
    let mut sample = interval(SAMPLE);
    sample.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut watch = interval(WATCH);
    watch.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut generation = engine.generation().ok();
    let (mut stale, mut next_frame) = (true, tokio::time::Instant::now());
    let mut unfinished = Unfinished::open(engine.data_dir());
    for effect in app.wants().into_iter().chain(app.update(Msg::Cut(unfinished.take_cut()))) {
        perform(&mut performer, face, &mut unfinished, effect)?;
    }
    let mut terminated = false;
    let finish = 'main: loop {
        if stale && tokio::time::Instant::now() >= next_frame {
            draw(&app, face)?;
            (stale, next_frame) = (false, tokio::time::Instant::now() + FRAME);
        }
        let message = select! {
            biased;
            event = inputs.events.next() => match event {
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
                let now = engine.generation().ok();
                if now == generation {
                    // A toast goes by itself.
                    if !app.is_moving() && !app.is_due(begun.elapsed()) {
                        continue;
                    }
                    Msg::Tick(begun.elapsed(), jiff::Timestamp::now())
                } else {
                    generation = now;
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
            Msg::Key(_) => super::fault::inject(super::fault::Place::Interface),
            _ => {}
        }
        let mut effects = app.update(Msg::Tick(begun.elapsed(), jiff::Timestamp::now()));
        effects.extend(app.update(message));
        super::log_feed::write(&app.take_unwritten());
        for effect in effects {
            if let Some(finish) = perform(&mut performer, face, &mut unfinished, effect)? {
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
        ending.await;
    } else {
        // What hangs in a system call is cut off like by a kill; what is verified is kept.
        let _ = tokio::time::timeout(LAST_CALLS, ending).await;
    }
    if finish || cut == 0 {
        unfinished.remember(&[]);
    }
    if terminated {
        let error = Error::new(Kind::Interrupted, "stopped by a signal, or because the terminal is gone");
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
    match face.terminal().draw(|frame| view::draw(app, frame)) {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::new(Kind::Unexpected, "can't draw on the terminal").caused_by(error)),
    }
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
        Effect::Mouse(on) => face.set_mouse(on).context(words)?,
        Effect::Redraw => face.redraw().context(words)?,
        Effect::Suspend => face.suspend().context(words)?,
        Effect::Page(text) => face.page(&text).context(words)?,
        Effect::PageFile(file) => face.page_file(&file).context(words)?,
        Effect::Serve(on) => performer.serve(on),
        Effect::Browse(url) => face.browse(&url).context(words)?,
        Effect::Quit { finish } => return Ok(Some(finish)),
    }
    Ok(None)
}
