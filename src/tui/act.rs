//! What commands do.

use super::adding;
use super::app::{App, Tab};
use super::command::Command;
use super::dialog::Dialog;
use super::dialog::confirm::Confirm;
use super::dialog::flag_form::Values;
use super::dialog::menu::{Item, Menu};
use super::dialog::palette::Palette;
use super::dialog::prompt::{Prompt, Purpose};
use super::effect::Effect;
use super::state::files::Files;
use super::state::images::Level;
use super::theme::{self, Theme};
use super::work::{Plan, Request};
use super::{
    actions, comparing, finding, following, jumping, looking, publishing, pulling, ruling, serving, typed, unfolding,
    watching,
};
use crate::engine::request::Pick;

/// A small image that everyone may pull.
const EXAMPLE: &str = "docker.io/library/hello-world:latest";

/// Carries a command out.
pub(super) fn act(app: &mut App, command: Command) -> Vec<Effect> {
    let what = format!("`{}`", command.entry().id);
    if command.changes() && app.refuses(&what) || command.changes_images() && following::refuses(app, &what) {
        return Vec::new();
    }
    if let Some(effects) = looking::act(app, command) {
        return effects;
    }
    let taken = match app.tab {
        Tab::Images => unfolding::command(app, command) || app.images.command(command),
        Tab::Jobs => {
            app.jobs.scroll_end = super::view::jobs_end(app);
            command == Command::Open && watching::open_plan(app) || app.jobs.command(command)
        }
        Tab::Publish => app.publish.command(command),
        Tab::Stats => app.stats.command(command),
        Tab::Log => app.log.command(command),
        Tab::Rules => {
            let taken = app.rules.command(command);
            if command == Command::Open {
                app.rules.judge(&app.tag_lists);
            }
            taken
        }
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
        Command::Rules => open(app, Tab::Rules),
        Command::NextView => step(app, true),
        Command::FormerView => step(app, false),
        Command::Filter => filter(app),
        Command::Jump => jumping::open(app),
        Command::NextMatch | Command::FormerMatch => {
            finding::step(app, command == Command::NextMatch);
            Vec::new()
        }
        Command::Add => adding::open(app, ""),
        Command::Example if app.is_empty() => match typed::requests(EXAMPLE) {
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
        Command::CheckAll if app.rules.are_there() => app.start(Box::new(Plan::Look(Vec::new())), None),
        Command::CheckAll => app.start(Box::new(Plan::Check(Vec::new())), None),
        Command::Remove => with_picks(app, Request::Remove),
        Command::Update => with_picks(app, Request::Update),
        Command::UpdateAll if app.rules.are_there() => app.plan(Request::Rules(Vec::new())),
        Command::UpdateAll => app.plan(Request::Update(Vec::new())),
        Command::Undo => app.plan(Request::Undo),
        Command::Redo => app.plan(Request::Redo),
        Command::Gc => app.plan(Request::Gc),
        Command::PublishAll => publishing::publish(app),
        Command::TargetAdd | Command::TargetEdit | Command::TargetTest | Command::TargetRemove | Command::Rollback => {
            publishing::act(app, command)
        }
        Command::Compare if app.tab == Tab::Images => comparing::compare(app),
        Command::Compare => publishing::act(app, command),
        Command::FirstFile if app.is_empty() && app.compose_file.is_none() && app.regsync_file.is_some() => {
            // What becomes of each of its settings is told on the terminal.
            let file = app.regsync_file.unwrap_or_default();
            vec![Effect::Verb(["rule", "import", file].map(str::to_owned).to_vec())]
        }
        Command::FirstFile if app.is_empty() => {
            let source = format!("compose:{}", app.compose_file.unwrap_or_default());
            adding::open(app, &source)
        }
        Command::RuleNew
        | Command::RuleEdit
        | Command::RuleRemove
        | Command::RuleRun
        | Command::RuleCheck
        | Command::Decide
        | Command::TakeNow
        | Command::Ignore => ruling::act(app, command),
        Command::Open if app.tab == Tab::Publish => publishing::act(app, command),
        Command::Open if app.tab == Tab::Log => watching::read(app),
        Command::Serve => serving::turn(app),
        Command::FollowName => following::open(app, &Values::new()),
        Command::Verify => ask(app, Plan::Verify { repair: false }),
        Command::Allow => allow(app),
        Command::Copy => copy(app),
        Command::CopyMenu => copy_menu(app),
        Command::Browse => browse(app),
        Command::Cancel => watching::cancel(app),
        Command::Retry => watching::retry(app),
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
        Command::Menu => {
            actions::open(app);
            Vec::new()
        }
        Command::Palette | Command::Help => {
            let help = command == Command::Help;
            let history = if help { &[] } else { app.remembered.typed() };
            let palette = Palette::new(&app.keymap, app.contexts(), help, app.read_only.is_some(), history);
            app.dialogs.push(Dialog::Palette(palette));
            Vec::new()
        }
        Command::Redraw => vec![Effect::Redraw],
        Command::Suspend => vec![Effect::Suspend],
        Command::Quit => {
            if app.jobs.begun().next().is_some() {
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

pub(super) fn ask(app: &mut App, plan: Plan) -> Vec<Effect> {
    app.dialogs.push(Dialog::Confirm(Box::new(Confirm::new(Box::new(plan), None))));
    Vec::new()
}

fn filter(app: &mut App) -> Vec<Effect> {
    let text = match app.tab {
        Tab::Images if app.images.level == Level::Details => {
            app.dialogs.push(Dialog::Prompt(Prompt::new(Purpose::Search, "")));
            return Vec::new();
        }
        Tab::Images => app.images.filter().to_owned(),
        Tab::Log => app.log.filter.clone(),
        Tab::Rules => app.rules.filter().to_owned(),
        _ => return Vec::new(),
    };
    let purpose = if app.tab == Tab::Images { Purpose::Images } else { Purpose::Filter };
    app.dialogs.push(Dialog::Prompt(Prompt::new(purpose, &text)));
    Vec::new()
}

/// Shows only what contains this text, or looks for it.
pub(super) fn set_text(app: &mut App, purpose: Purpose, text: &str) {
    match app.tab {
        _ if purpose == Purpose::SaveFile => {}
        _ if purpose == Purpose::Search => finding::search(app, text),
        Tab::Images if app.files.is_some() => {
            if let Some(shown) = app.files.as_mut().and_then(Files::shown_mut) {
                shown.set_filter(text);
            }
        }
        Tab::Log => text.clone_into(&mut app.log.filter),
        Tab::Rules => app.rules.set_filter(text),
        _ => app.images.set_filter(text),
    }
}

/// The images that are marked, or the one under the cursor.
pub(super) fn picks(app: &App) -> Vec<Pick> {
    if app.tab == Tab::Rules {
        return ruling::picks(app);
    }
    app.images.chosen().iter().filter_map(|name| name.parse().ok()).collect()
}

fn with_picks(app: &mut App, request: impl FnOnce(Vec<Pick>) -> Request) -> Vec<Effect> {
    let picks = picks(app);
    if picks.is_empty() {
        let nothing = app.tab == Tab::Rules && app.rules.decision().is_some();
        app.hint(if nothing { "It is not here" } else { "There is no image under the cursor" });
        return Vec::new();
    }
    app.plan(request(picks))
}

fn allow(app: &mut App) -> Vec<Effect> {
    let Some(row) = app.images.current() else { return Vec::new() };
    if !row.private {
        let words = format!("{} is not private: it is always published", row.name);
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
    if matches!(app.tab, Tab::Jobs | Tab::Log) {
        return watching::copies(app);
    }
    if app.tab == Tab::Rules {
        return ruling::copies(app);
    }
    let item = |key, title: &str, value: String| Item { key, title: title.to_owned(), value };
    if let Some(image) = app.images.image() {
        let name = super::state::images::named(image);
        let mut items = vec![
            item('r', "reference", pulling::reference(app, &name)),
            item('d', "digest", image.digest.to_string()),
            item('c', "CID", image.cid.clone()),
            item('i', "ipfs:// URL", format!("ipfs://{}", image.cid)),
        ];
        items.extend(pulling::commands(app, &name));
        return items;
    }
    if app.images.repositories.window.current().is_none() {
        return Vec::new();
    }
    let mut items = Vec::new();
    if let Some(registry) = app.images.registry().filter(|registry| !registry.name.is_empty()) {
        items.push(item('r', "registry", registry.name.clone()));
    }
    if let Some(row) = app.images.current() {
        items.push(item('r', "reference", pulling::reference(app, &row.name)));
        items.extend(row.upstream.clone().map(|upstream| item('u', "upstream", upstream)));
    }
    if let Some(root) = app.overview.as_ref().and_then(|overview| overview.root.clone()) {
        items.push(item('c', "CID of the registry's root", root.clone()));
        items.push(item('i', "ipfs:// URL of the root", format!("ipfs://{root}")));
    }
    items
}

fn copy(app: &mut App) -> Vec<Effect> {
    let Some(item) = copies(app).into_iter().next() else { return nothing_to_copy(app) };
    copied(app, item)
}

/// Copies this, and says so.
pub(super) fn copied(app: &mut App, item: Item) -> Vec<Effect> {
    match item.value.trim_end().lines().count() {
        0 | 1 => app.say(format!("Copied {}", item.value.trim_end())),
        lines => app.say(format!("Copied {lines} lines: {}", item.title)),
    }
    vec![Effect::Copy(item.value)]
}

fn copy_menu(app: &mut App) -> Vec<Effect> {
    let items = copies(app);
    if items.is_empty() {
        return nothing_to_copy(app);
    }
    app.dialogs.push(Dialog::Menu(Menu { title: "Copy".to_owned(), items, cursor: 0 }));
    Vec::new()
}

fn nothing_to_copy(app: &mut App) -> Vec<Effect> {
    app.hint("There is nothing here to copy");
    Vec::new()
}

fn browse(app: &mut App) -> Vec<Effect> {
    if matches!(app.tab, Tab::Jobs | Tab::Log) {
        return watching::browse(app);
    }
    match &app.images.details {
        Some(details) if app.images.level != Level::Repositories => {
            vec![Effect::Page(super::view::details_whole(app, details))]
        }
        _ => Vec::new(),
    }
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
