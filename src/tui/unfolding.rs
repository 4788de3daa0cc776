//! What keys and clicks mean to the page of an image: which platform it shows, and what of it is folded. The line under the cursor
//! stays the same one while lines come and go.

use super::app::App;
use super::command::Command;
use super::keymap::Key;
use super::state::image_page::{self, Group, Part};
use super::state::images::Level;
use super::view;

/// All groups that can be folded.
const GROUPS: [Group; 9] = [
    Group::Image,
    Group::Layers,
    Group::History,
    Group::Configuration,
    Group::Labels,
    Group::Attached,
    Group::LeftOut,
    Group::Gateway,
    Group::Digests,
];

/// Carries a command out, if it is one of the page's.
pub(super) fn command(app: &mut App, command: Command) -> bool {
    match command {
        command if app.images.level == Level::Repositories => return refuses(app, command),
        Command::Fold if app.images.level == Level::Details => fold(app),
        Command::FoldAll if app.images.level == Level::Details => fold_all(app),
        Command::NextPlatform | Command::FormerPlatform => step(app, command == Command::NextPlatform),
        Command::Back if app.images.level == Level::Details && !app.images.search.is_empty() => {
            app.images.found = None;
            set_search(app, "");
        }
        _ => return false,
    }
    true
}

/// Says why a command does nothing in the list of repositories, if that is so.
fn refuses(app: &mut App, command: Command) -> bool {
    let key = |app: &App, command| app.keymap.key(command).as_ref().map(Key::short).unwrap_or_default();
    let registry = app.images.registry().map(|registry| registry.name.clone());
    let folds = command == Command::FoldAll || command == Command::Open && registry.is_some();
    if command == Command::FoldAll && !app.images.tree.shown {
        let tree = key(app, Command::Tree);
        app.hint(format!("One list has nothing to fold; {tree} shows it by registry"));
    } else if folds && !app.images.repositories.filter.is_empty() {
        let back = key(app, Command::Back);
        app.hint(format!("Nothing is folded while you search; {back} ends the search"));
    } else if let Some(registry) = registry.filter(|_| !app.images.offers(command)) {
        let of = if registry.is_empty() { "what came from files".to_owned() } else { registry };
        let (mark, what) = (key(app, Command::Mark), command.entry().title);
        app.hint(format!("{mark} marks all repositories of {of}; then {what} them"));
    } else {
        return false;
    }
    true
}

/// Does something to the page, and goes to where the line under the cursor is after that.
fn keeping_line(app: &mut App, change: impl FnOnce(&mut App, Option<Part>)) {
    let here = view::details_part(app);
    change(app, here.map(|(part, _)| part));
    if let Some(line) = here.and_then(|(part, below)| view::details_line(app, part, below)) {
        app.images.page.cursor = line;
    }
}

/// Looks for another text. While something is looked for, nothing is folded; afterwards what was found stays unfolded.
pub(super) fn set_search(app: &mut App, text: &str) {
    let ends = text.is_empty() && !app.images.search.is_empty();
    keeping_line(app, |app, part| {
        text.clone_into(&mut app.images.search);
        if let Some(part) = part.filter(|_| ends) {
            app.images.page.fold(part, false);
            if matches!(part, Part::Step(_)) {
                app.images.page.fold(Part::Group(Group::Layers), false);
            }
        }
    });
}

/// Nothing is folded while something is looked for: says so.
fn is_searching(app: &mut App) -> bool {
    let searches = !app.images.search.is_empty();
    if searches {
        let key = app.keymap.key(Command::Back).as_ref().map(Key::short).unwrap_or_default();
        app.hint(format!("Nothing is folded while you search; {key} ends the search"));
    }
    searches
}

fn fold(app: &mut App) {
    if is_searching(app) {
        return;
    }
    let Some((part, _)) = view::details_part(app) else { return };
    let folds = !app.images.page.is_folded(part);
    app.images.page.fold(part, folds);
    if folds && let Some(head) = view::details_line(app, part, 0) {
        app.images.page.cursor = head;
    }
}

fn fold_all(app: &mut App) {
    if is_searching(app) {
        return;
    }
    keeping_line(app, |app, _| {
        let page = &mut app.images.page;
        let folds = GROUPS.iter().any(|group| !page.is_folded(Part::Group(*group)));
        for group in GROUPS {
            page.fold(Part::Group(group), folds);
        }
    });
}

fn step(app: &mut App, forward: bool) {
    let Some(details) = &app.images.details else { return };
    let tabs = image_page::tabs(details);
    match tabs.len() {
        0 | 1 => app.hint("This image has no other platform here"),
        many => {
            let open = app.images.page.tab(&tabs);
            choose(app, (open + if forward { 1 } else { many - 1 }) % many);
        }
    }
}

/// Shows the platform of this tab.
pub(super) fn choose(app: &mut App, place: usize) {
    keeping_line(app, |app, _| {
        if let Some(details) = &app.images.details {
            app.images.page.choose(&image_page::tabs(details), place);
        }
    });
}

/// A line was clicked: it is under the cursor, and the head of something that can be folded is folded or unfolded.
pub(super) fn click(app: &mut App, line: usize) {
    app.images.page.cursor = line;
    if matches!(view::details_part(app), Some((_, 0))) && app.images.search.is_empty() {
        fold(app);
    }
}
