//! What commands do.

use super::adding;
use super::app::{App, Tab};
use super::command::Command;
use super::describe::Role;
use super::dialog::Dialog;
use super::dialog::confirm::Confirm;
use super::dialog::menu::{Item, Menu};
use super::dialog::palette::Palette;
use super::dialog::prompt::{Prompt, Purpose};
use super::effect::Effect;
use super::problem::Problem;
use super::state::images::Level;
use super::theme::{self, Theme};
use super::work::{Plan, Request};
use super::{finding, publishing, serving};
use crate::engine::publish::plan::PublishRequest;
use crate::engine::request::{AddRequest, Pick};
use crate::error::{Error, Kind};
use crate::text::nearest;

/// A small image that everyone may pull.
const EXAMPLE: &str = "docker.io/library/hello-world:latest";

/// Carries a command out.
pub(super) fn act(app: &mut App, command: Command) -> Vec<Effect> {
    if command.changes() && app.refuses(&format!("`{}`", command.entry().id)) {
        return Vec::new();
    }
    let taken = match app.tab {
        Tab::Images => app.images.command(command),
        Tab::Jobs => app.jobs.command(command),
        Tab::Publish => app.publish.command(command),
        Tab::Stats => app.stats.command(command),
        Tab::Log => app.log.command(command),
    };
    if taken {
        return Vec::new();
    }
    match command {
        Command::Images => open(app, Tab::Images),
        Command::Jobs => open(app, Tab::Jobs),
        Command::Publish => open(app, Tab::Publish),
        Command::Stats => open(app, Tab::Stats),
        Command::Log => open(app, Tab::Log),
        Command::NextView => step(app, true),
        Command::FormerView => step(app, false),
        Command::Filter => filter(app),
        Command::NextMatch | Command::FormerMatch => {
            finding::step(app, command == Command::NextMatch);
            Vec::new()
        }
        Command::Add => adding::open(app, ""),
        Command::Example if app.is_empty() => match requests(EXAMPLE) {
            Ok(request) => app.plan(request),
            Err(problem) => {
                app.complain(problem);
                Vec::new()
            }
        },
        // A first run has no place to publish to: this sets one up, from the view that it belongs to.
        Command::FirstTarget if app.is_empty() => {
            app.open(Tab::Publish);
            act(app, Command::TargetAdd)
        }
        Command::Check => {
            let picks = if app.tab == Tab::Images { picks(app) } else { Vec::new() };
            app.start(Box::new(Plan::Check(picks)), None)
        }
        Command::CheckAll => app.start(Box::new(Plan::Check(Vec::new())), None),
        Command::Remove => with_picks(app, Request::Remove),
        Command::Update => with_picks(app, Request::Update),
        Command::UpdateAll => app.plan(Request::Update(Vec::new())),
        Command::Undo => app.plan(Request::Undo),
        Command::Redo => app.plan(Request::Redo),
        Command::Gc => app.plan(Request::Gc),
        Command::PublishAll => publishing::publish(app),
        Command::TargetAdd
        | Command::TargetEdit
        | Command::TargetTest
        | Command::TargetRemove
        | Command::Rollback
        | Command::Compare => publishing::act(app, command),
        Command::Open if app.tab == Tab::Publish => publishing::act(app, command),
        Command::Open if app.tab == Tab::Log => read(app),
        Command::Serve => serving::turn(app),
        Command::Verify => ask(app, Plan::Verify { repair: false }),
        Command::Allow => allow(app),
        Command::Copy => copy(app),
        Command::CopyMenu => copy_menu(app),
        Command::Browse => browse(app),
        Command::Cancel => app.jobs.current().map(|job| Effect::Cancel(job.id)).into_iter().collect(),
        Command::Retry => match app.jobs.current().and_then(|job| job.request.clone()) {
            Some(request) => app.plan(request),
            None => Vec::new(),
        },
        Command::Mouse => {
            app.mouse = !app.mouse;
            app.say(if app.mouse {
                "The mouse is on; hold Shift to select text"
            } else {
                "The mouse is off: the terminal selects text"
            });
            vec![Effect::Mouse(app.mouse)]
        }
        Command::Theme => next_theme(app),
        Command::Palette | Command::Help => {
            let help = command == Command::Help;
            let history = if help { &[] } else { app.remembered.typed() };
            let palette = Palette::new(&app.keymap, app.contexts(), help, history);
            app.dialogs.push(Dialog::Palette(palette));
            Vec::new()
        }
        Command::Redraw => vec![Effect::Redraw],
        Command::Suspend => vec![Effect::Suspend],
        Command::Quit => {
            if app.jobs.running().next().is_some() {
                app.dialogs.push(Dialog::Leave);
                return Vec::new();
            }
            vec![Effect::Quit { finish: false }]
        }
        _ => Vec::new(),
    }
}

fn open(app: &mut App, tab: Tab) -> Vec<Effect> {
    app.open(tab);
    Vec::new()
}

fn step(app: &mut App, forward: bool) -> Vec<Effect> {
    app.step_tab(forward);
    Vec::new()
}

fn ask(app: &mut App, plan: Plan) -> Vec<Effect> {
    app.dialogs.push(Dialog::Confirm(Box::new(Confirm::new(Box::new(plan), None))));
    Vec::new()
}

fn filter(app: &mut App) -> Vec<Effect> {
    let text = match app.tab {
        Tab::Images if app.images.level == Level::Details => {
            let text = app.images.search.clone();
            app.dialogs.push(Dialog::Prompt(Prompt::new(Purpose::Search, &text)));
            return Vec::new();
        }
        Tab::Images => app.images.filter().to_owned(),
        Tab::Log => app.log.filter.clone(),
        _ => return Vec::new(),
    };
    app.dialogs.push(Dialog::Prompt(Prompt::new(Purpose::Filter, &text)));
    Vec::new()
}

/// Shows only what contains this text, or looks for it.
pub(super) fn set_text(app: &mut App, purpose: Purpose, text: &str) {
    match app.tab {
        _ if purpose == Purpose::Search => finding::search(app, text),
        Tab::Log => text.clone_into(&mut app.log.filter),
        _ => app.images.set_filter(text),
    }
}

fn picks(app: &App) -> Vec<Pick> {
    app.images.chosen().iter().filter_map(|name| name.parse().ok()).collect()
}

fn with_picks(app: &mut App, request: impl FnOnce(Vec<Pick>) -> Request) -> Vec<Effect> {
    let picks = picks(app);
    if picks.is_empty() || app.tab != Tab::Images { Vec::new() } else { app.plan(request(picks)) }
}

fn allow(app: &mut App) -> Vec<Effect> {
    let Some(row) = app.images.repositories.window.current() else { return Vec::new() };
    if !row.private {
        let words = format!("{} is not private: it is published already", row.name);
        app.hint(words);
        return Vec::new();
    }
    let Ok(pick) = row.name.parse::<Pick>() else { return Vec::new() };
    let allowed = !row.published;
    ask(app, Plan::Allow { repositories: vec![pick], allowed })
}

/// The reference under which clients pull an image, and what else can be copied of it.
fn copies(app: &App) -> Vec<Item> {
    if app.tab == Tab::Publish {
        return publishing::copies(app);
    }
    if app.tab == Tab::Log {
        let line = app.log.current().map(super::state::log::Line::text_with_job);
        return line.map(|value| Item { key: 'l', title: "line".to_owned(), value }).into_iter().collect();
    }
    let host = app.overview.as_ref().and_then(|overview| overview.name.clone());
    let item = |key, title: &str, value: String| Item { key, title: title.to_owned(), value };
    let with_host = |name: &str| host.as_ref().map_or_else(|| name.to_owned(), |host| format!("{host}/{name}"));
    if let Some(image) = app.images.image() {
        let reference = with_host(&super::state::images::named(image));
        return vec![
            item('r', "reference", reference.clone()),
            item('d', "digest", image.digest.to_string()),
            item('c', "CID", image.cid.clone()),
            item('i', "ipfs:// URL", format!("ipfs://{}", image.cid)),
            item('p', "pull command", format!("podman pull {reference}")),
        ];
    }
    let Some(row) = app.images.repositories.window.current() else { return Vec::new() };
    let mut items = vec![item('r', "reference", with_host(&row.name))];
    items.extend(row.upstream.clone().map(|upstream| item('u', "upstream", upstream)));
    if let Some(root) = app.overview.as_ref().and_then(|overview| overview.root.clone()) {
        items.push(item('c', "CID of the registry's root", root.clone()));
        items.push(item('i', "ipfs:// URL of the root", format!("ipfs://{root}")));
    }
    items
}

fn copy(app: &mut App) -> Vec<Effect> {
    let Some(item) = copies(app).into_iter().next() else { return Vec::new() };
    app.say(format!("Copied {}", item.value));
    vec![Effect::Copy(item.value)]
}

fn copy_menu(app: &mut App) -> Vec<Effect> {
    let items = copies(app);
    if !items.is_empty() {
        app.dialogs.push(Dialog::Menu(Menu { title: "Copy".to_owned(), items, cursor: 0 }));
    }
    Vec::new()
}

fn browse(app: &mut App) -> Vec<Effect> {
    if app.tab == Tab::Log {
        if let Some(file) = &app.log_file {
            return vec![Effect::PageFile(file.clone())];
        }
        let lines = app.log.shown().iter().map(|line| format!("{} {}", line.at, line.text)).collect::<Vec<_>>();
        return vec![Effect::Page(lines.join("\n"))];
    }
    match &app.images.details {
        Some(details) if app.images.level != Level::Repositories => {
            vec![Effect::Page(super::view::details_whole(app, details))]
        }
        _ => Vec::new(),
    }
}

/// The whole line of the log that is under the cursor.
fn read(app: &mut App) -> Vec<Effect> {
    let Some(line) = app.log.current() else { return Vec::new() };
    let rows = vec![
        (Role::Dim, format!("{} {}", line.at, line.level.word())),
        (Role::Text, String::new()),
        (Role::Text, line.text_with_job()),
    ];
    app.dialogs.push(Dialog::Message { title: "Log".to_owned(), rows, scroll: 0 });
    Vec::new()
}

fn next_theme(app: &mut App) -> Vec<Effect> {
    if !app.colour {
        app.hint("Colours are off: NO_COLOR is set, or the terminal has none");
        return Vec::new();
    }
    let place = theme::NAMES.iter().position(|name| *name == app.theme).unwrap_or(0);
    let name = theme::NAMES[(place + 1) % theme::NAMES.len()];
    if let Some(theme) = Theme::named(name) {
        (app.theme, app.look.theme) = (name, theme);
    }
    app.say(format!("Theme: {name}"));
    Vec::new()
}

/// The images that a text names, separated by white space. An image may be followed by what `add` takes: `--as NAME[:TAG]`,
/// `--platform LIST`, `--all-manifests`, `--insecure`.
pub(super) fn requests(text: &str) -> Result<Request, Problem> {
    let mut requests: Vec<AddRequest> = Vec::new();
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        if !word.starts_with("--") {
            requests.push(AddRequest::new(word.parse().map_err(|error: Error| Problem::from(&error))?));
            continue;
        }
        let (flag, given) = word.split_once('=').map_or((word, None), |(flag, value)| (flag, Some(value)));
        let wrong = |why: &str| {
            let flag = crate::text::printable_within(flag, 40);
            let error = Error::new(Kind::Usage, format!("`{flag}` {why}"));
            Problem::from(
                error.hint("An image may be followed by --as NAME, --platform LIST, --all-manifests, --insecure."),
            )
        };
        let Some(request) = requests.last_mut() else { return Err(wrong("follows no image")) };
        match flag {
            "--all-manifests" => request.all_manifests = true,
            "--insecure" => request.insecure = Some(true),
            "--no-insecure" => request.insecure = Some(false),
            "--as" | "--platform" => {
                let value = given.or_else(|| words.next()).ok_or_else(|| wrong("needs a value"))?;
                if flag == "--as" {
                    request.name = Some(value.parse().map_err(|error: Error| Problem::from(&error))?);
                } else {
                    request.selection = Some(value.parse().map_err(|error: Error| Problem::from(&error))?);
                }
            }
            _ => return Err(wrong("is nothing that can be said of an image here")),
        }
    }
    Ok(Request::Add(requests))
}

/// Verbs of the command line that the palette takes.
const VERBS: [&str; 10] = ["add", "remove", "update", "outdated", "undo", "redo", "gc", "publish", "verify", "quit"];

/// Whether this begins with a verb that is one here.
pub(super) fn is_verb(text: &str) -> bool {
    let verb = text.split(' ').next().unwrap_or(text);
    VERBS.contains(&verb) || matches!(verb, "check" | "q")
}

/// A verb of the command line that was typed into the palette.
pub(super) fn typed(app: &mut App, text: &str) -> Vec<Effect> {
    let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
    let picks = || rest.split_whitespace().map(str::parse).collect::<Result<Vec<Pick>, Error>>();
    let request = match verb {
        "add" => requests(rest),
        "remove" => picks().map(Request::Remove).map_err(Problem::from),
        "update" => picks().map(Request::Update).map_err(Problem::from),
        "undo" => Ok(Request::Undo),
        "redo" => Ok(Request::Redo),
        "gc" => Ok(Request::Gc),
        "publish" => Ok(Request::Publish(PublishRequest {
            targets: rest.split_whitespace().map(str::to_owned).collect(),
            ..PublishRequest::default()
        })),
        "outdated" | "check" => match picks() {
            Ok(picks) => return app.start(Box::new(Plan::Check(picks)), None),
            Err(error) => Err(error.into()),
        },
        "verify" => return ask(app, Plan::Verify { repair: rest.contains("--repair") }),
        "quit" | "q" => return act(app, Command::Quit),
        _ => {
            let error = Error::new(Kind::Usage, format!("there is no command `{verb}` here"));
            Err(match nearest(verb, VERBS) {
                Some(near) => error.hint(format!("Did you mean `{near}`?")).into(),
                None => error
                    .hint(
                        "Type add, remove, update, outdated, undo, redo, gc, publish or verify, with what it is about.",
                    )
                    .into(),
            })
        }
    };
    match request {
        Ok(Request::Add(_)) if verb == "add" => adding::open(app, rest.trim()),
        Ok(Request::Remove(picks)) if picks.is_empty() => Vec::new(),
        Ok(request) => app.plan(request),
        Err(problem) => {
            app.complain(problem);
            Vec::new()
        }
    }
}
