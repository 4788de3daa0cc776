//! Looking into an image: what commands and clicks do in the view of its files, and how they are asked for.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::task::AbortOnDropHandle;

use super::act;
use super::app::{App, Tab};
use super::command::Command;
use super::dialog::Dialog;
use super::dialog::menu::{Item, Menu};
use super::dialog::prompt::{Prompt, Purpose};
use super::effect::Effect;
use super::message::Msg;
use super::problem::Problem;
use super::question::Answer;
use super::state::files::{Files, Reading};
use super::state::images::named;
use super::view;
use super::work::{Plan, SaveFile};
use crate::engine::Engine;
use crate::engine::job::{Event, Job, Watch};
use crate::engine::query::files::Which;
use crate::engine::query::save::usual_name;

/// How often it is said how far reading is.
const READING_INTERVAL: Duration = Duration::from_millis(100);

/// Carries a command out where an image's files are shown, or opens them; none if it is no such command.
pub(super) fn act(app: &mut App, command: Command) -> Option<Vec<Effect>> {
    if app.tab != Tab::Images {
        return None;
    }
    if app.files.is_none() {
        return (command == Command::Files).then(|| {
            open(app);
            Vec::new()
        });
    }
    match command {
        Command::CloseFiles | Command::Back => return Some(close(app)),
        Command::Filter => {
            let filter = app.files.as_ref()?.shown()?.filter.clone();
            app.dialogs.push(Dialog::Prompt(Prompt::new(Purpose::Filter, &filter)));
        }
        Command::FilesPlatform => {
            if !app.files.as_mut().is_some_and(Files::next_platform) {
                app.hint("The image has no other platform here");
            }
        }
        Command::Copy => match copies(app).into_iter().next() {
            Some(item) => return Some(act::copied(app, item)),
            None => app.hint("There is nothing here to copy"),
        },
        Command::CopyMenu => {
            let items = copies(app);
            if !items.is_empty() {
                app.dialogs.push(Dialog::Menu(Menu { title: "Copy".to_owned(), items, cursor: 0 }));
            }
        }
        Command::SaveFile => ask_where(app),
        command => {
            let shown = app.files.as_mut()?.shown_mut();
            let is_own = shown.is_some_and(|shown| shown.command(command));
            // What belongs to lists below has no meaning here.
            let is_of_lists = command.entry().applies(&[super::command::Context::List])
                && !command.entry().contexts.contains(&super::command::Context::Everywhere);
            return (is_own || is_of_lists).then(Vec::new);
        }
    }
    Some(Vec::new())
}

fn open(app: &mut App) {
    let Some(image) = app.images.image().map(named) else {
        app.hint("There is no image under the cursor");
        return;
    };
    app.files = Some(Files::new(image, Which::Usual));
}

/// One thing at a time: the filter, then the view.
fn close(app: &mut App) -> Vec<Effect> {
    let Some(files) = &mut app.files else { return Vec::new() };
    if let Some(shown) = files.shown_mut().filter(|shown| !shown.filter.is_empty()) {
        shown.set_filter("");
        return Vec::new();
    }
    let is_loading = files.is_loading();
    app.files = None;
    if is_loading { vec![Effect::StopLooking] } else { Vec::new() }
}

fn copies(app: &App) -> Vec<Item> {
    let Some(shown) = app.files.as_ref().and_then(Files::shown) else { return Vec::new() };
    let item = |key, title: &str, value: String| Item { key, title: title.to_owned(), value };
    let mut items = Vec::new();
    if let Some(node) = shown.current() {
        items.push(item('p', "path", format!("/{}", shown.files.tree.path(node))));
        if let Some((_, entry)) = shown.entry(node) {
            items.extend(entry.digest.map(|digest| item('d', "digest of the file", digest.to_string())));
            items.extend(entry.link.as_ref().map(|link| item('t', "target of the link", link.to_string())));
        }
    }
    if let Some(layer) = shown.files.layers.get(shown.stage.layer) {
        items.push(item('l', "digest of the layer", layer.digest.to_string()));
        items.extend(layer.command.clone().map(|command| item('c', "command of the layer", command)));
    }
    items
}

fn ask_where(app: &mut App) {
    let Some(shown) = app.files.as_ref().and_then(Files::shown) else { return };
    let Some(node) = shown.current() else { return };
    let path = shown.files.tree.path(node);
    // What was deleted is what the layer before has.
    match shown.files.tree.stored(&path, shown.layer_of(node)) {
        Ok(_) => {
            let name = usual_name(&path).unwrap_or_default().to_owned();
            app.dialogs.push(Dialog::Prompt(Prompt::new(Purpose::SaveFile, &name)));
        }
        Err(error) => app.hint(error.to_string()),
    }
}

/// Saves the file under the cursor there.
pub(super) fn save(app: &mut App, to: &str) -> Vec<Effect> {
    let Some(shown) = app.files.as_ref().and_then(Files::shown) else { return Vec::new() };
    let Some(node) = shown.current().filter(|_| !to.is_empty()) else { return Vec::new() };
    let (files, layer) = (Arc::clone(&shown.files), shown.layer_of(node));
    let save = SaveFile { path: files.tree.path(node), files, layer, to: PathBuf::from(to) };
    app.start(Box::new(Plan::SaveFile(Box::new(save))), None)
}

/// What the mouse does where files are shown.
pub(super) fn mouse(app: &mut App, mouse: MouseEvent) {
    let hit = view::files_hit(app, mouse.column, mouse.row);
    let now = app.now;
    let Some(shown) = app.files.as_mut().and_then(Files::shown_mut) else { return };
    match (mouse.kind, hit) {
        (MouseEventKind::ScrollUp, Some(view::FilesHit::Row(_))) => shown.scroll_by(-3),
        (MouseEventKind::ScrollDown, Some(view::FilesHit::Row(_))) => shown.scroll_by(3),
        (MouseEventKind::ScrollUp, Some(view::FilesHit::Layer(_))) => {
            shown.command(Command::LayerFormer);
        }
        (MouseEventKind::ScrollDown, Some(view::FilesHit::Layer(_))) => {
            shown.command(Command::LayerNext);
        }
        (MouseEventKind::Down(MouseButton::Left), Some(view::FilesHit::Row(place))) => shown.click(place, now),
        (MouseEventKind::Down(MouseButton::Left), Some(view::FilesHit::Layer(layer))) => shown.look_at(layer),
        _ => {}
    }
}

/// Asks the engine, and says on the way how far it is.
pub(super) async fn look(
    engine: Arc<Engine>,
    (image, which): (String, Which),
    (job, mut watch): (Job, Watch),
    messages: UnboundedSender<Msg>,
) -> Answer {
    let (of, platform, meter) = (image.clone(), which.clone(), Arc::clone(&watch.meter));
    let _telling = AbortOnDropHandle::new(tokio::spawn(async move {
        let mut layers = (0, 0);
        loop {
            tokio::time::sleep(READING_INTERVAL).await;
            while let Ok(event) = watch.events.try_recv() {
                if let Event::Progress { done, total, .. } = event {
                    layers = (done, total);
                }
            }
            let reading = Reading { layers, bytes: (meter.done(), meter.total()) };
            let _ = messages.send(Msg::Reading(of.clone(), platform.clone(), reading));
        }
    }));
    let looked = match image.parse() {
        Ok(pick) => engine.look_into(pick, which.clone(), &job).await,
        Err(error) => Err(error),
    };
    Answer::Files(image, which, looked.map(Arc::new).map_err(Problem::from))
}
