//! The page of an image: tabs, folds, the line under the cursor, and where it is.

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::super::app::App;
use super::super::glyphs::UNICODE;
use super::super::message::Msg;
use super::super::state::image_page::{Group, Part, tabs};
use super::super::state::images::Level;
use super::super::view;
use super::world::{Content, picture, press, settle, settled};

/// Presses keys on the page of the second tag of the second repository.
fn page(size: (u16, u16), keys: &str) -> App {
    let mut app = settled(size, &UNICODE, Content::Small);
    press(&mut app, Content::Small, "j enter j enter");
    press(&mut app, Content::Small, keys);
    app
}

fn platform(app: &App) -> String {
    let details = app.images.details.as_ref().unwrap();
    let tabs = tabs(details);
    tabs[app.images.page.tab(&tabs)].platform.clone().unwrap()
}

/// Clicks the first place where this text is drawn.
#[track_caller]
fn click(app: &mut App, text: &str) {
    let shown = picture(app);
    let found = shown.lines().enumerate().find_map(|(row, line)| {
        let at = line.find(text)?;
        Some((unicode_width::UnicodeWidthStr::width(&line[..at]), row))
    });
    let (column, row) = found.unwrap_or_else(|| panic!("no `{text}` in\n{shown}"));
    let (column, row) = (column.try_into().unwrap(), row.try_into().unwrap());
    let kind = MouseEventKind::Down(MouseButton::Left);
    let effects = app.update(Msg::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
    settle(app, Content::Small, effects);
}

/// Goes down to the head of a group.
fn go_to(app: &mut App, group: Group) {
    press(app, Content::Small, "g");
    for _ in 0..200 {
        if view::details_part(app) == Some((Part::Group(group), 0)) {
            return;
        }
        press(app, Content::Small, "j");
    }
    panic!("no {group:?} in\n{}", picture(app));
}

#[test]
fn a_platform_is_a_tab_by_key_and_mouse_and_stays_chosen_in_the_next_image() {
    for size in [(80, 24), (120, 40)] {
        let mut app = page(size, "");
        assert_eq!(platform(&app), "linux/amd64");
        press(&mut app, Content::Small, "]");
        assert_eq!(platform(&app), "linux/arm64/v8");
        press(&mut app, Content::Small, "esc k enter");
        assert_eq!(platform(&app), "linux/arm64/v8", "it is remembered");
        press(&mut app, Content::Small, "]");
        assert_eq!(platform(&app), "linux/amd64", "round the end");
        click(&mut app, "linux/arm64/v8 ");
        assert_eq!((platform(&app).as_str(), app.images.level), ("linux/arm64/v8", Level::Details));
        press(&mut app, Content::Small, "[");
        assert_eq!(platform(&app), "linux/amd64");
    }
}

#[test]
fn beside_a_list_tabs_are_chosen_without_opening_the_page() {
    let mut app = settled((120, 40), &UNICODE, Content::Small);
    press(&mut app, Content::Small, "j enter");
    click(&mut app, " linux/arm64/v8 ");
    assert_eq!((platform(&app).as_str(), app.images.level), ("linux/arm64/v8", Level::Tags));
    press(&mut app, Content::Small, "[");
    assert_eq!((platform(&app).as_str(), app.images.level), ("linux/amd64", Level::Tags));
    click(&mut app, "Configuration");
    assert_eq!(app.images.level, Level::Details);
}

#[test]
fn groups_and_layers_are_folded_by_key_and_mouse() {
    let mut app = page((120, 40), "");
    go_to(&mut app, Group::Labels);
    assert!(picture(&app).contains("org.opencontainers.image.version=1.27"));
    press(&mut app, Content::Small, "j enter");
    assert!(!picture(&app).contains("org.opencontainers.image.version"), "{}", picture(&app));
    assert_eq!(view::details_part(&app), Some((Part::Group(Group::Labels), 0)), "the cursor is on what was folded");
    click(&mut app, "Labels");
    assert!(picture(&app).contains("org.opencontainers.image.version=1.27"));
    // The next image has the same groups folded, and no layer unfolded.
    press(&mut app, Content::Small, "space");
    click(&mut app, "RUN set -x");
    assert!(picture(&app).contains("digest    sha256:d7cbc"), "{}", picture(&app));
    press(&mut app, Content::Small, "esc k enter");
    let shown = picture(&app);
    assert!(
        !shown.contains("org.opencontainers.image.version") && !shown.contains("digest    sha256:d7cbc"),
        "{shown}"
    );
    press(&mut app, Content::Small, "z");
    assert!(!picture(&app).contains("RUN set -x"), "{}", picture(&app));
    press(&mut app, Content::Small, "z");
    let all = view::details_text(&app).join("\n");
    assert!(all.contains("RUN set -x") && all.contains("linux/amd64 as :1.27"), "{all}");
}

#[test]
fn the_line_under_the_cursor_stays_the_same_while_others_go() {
    let mut app = page((120, 40), "");
    go_to(&mut app, Group::Configuration);
    press(&mut app, Content::Small, "j j");
    let here = view::details_part(&app);
    assert_eq!(here, Some((Part::Group(Group::Configuration), 2)));
    click(&mut app, " linux/arm64/v8 ");
    assert_eq!(view::details_part(&app), here);
}

#[test]
fn a_search_looks_into_what_is_folded_and_leaves_it_unfolded() {
    let mut app = page((120, 40), "z");
    assert!(!picture(&app).contains("NGINX_VERSION"));
    press(&mut app, Content::Small, "/ N G I N X _ V enter");
    assert!(picture(&app).contains("ENV NGINX_VERSION"), "{}", picture(&app));
    press(&mut app, Content::Small, "enter");
    assert!(picture(&app).contains("esc ends the search"), "{}", picture(&app));
    press(&mut app, Content::Small, "esc");
    let shown = picture(&app);
    assert!(shown.contains("ENV NGINX_VERSION") && !shown.contains("entry     /docker"), "{shown}");
    assert!(matches!(view::details_part(&app), Some((Part::Step(1), _))), "{:?}", view::details_part(&app));
    assert_eq!(app.images.level, Level::Details);
}

#[test]
fn a_page_that_goes_on_says_so_at_both_ends() {
    let mut app = page((80, 24), "");
    assert!(picture(&app).contains(" more: down") && picture(&app).contains('▐'), "{}", picture(&app));
    press(&mut app, Content::Small, "G");
    let shown = picture(&app);
    assert!(shown.contains(" more: up") && !shown.contains(" more: down"), "{shown}");
    assert!(shown.lines().nth(20).unwrap().ends_with('▐'), "the thumb is at the end:\n{shown}");
    app.update(Msg::Resize(100, 100));
    assert!(!picture(&app).contains('▐') && !picture(&app).contains(" more: "), "{}", picture(&app));
}

#[test]
fn the_cursor_stays_in_sight() {
    let mut app = page((80, 24), "");
    let in_sight = |app: &App| {
        let (line, top) = (app.images.page.cursor, usize::from(app.images.scroll));
        (top..top + app.images.page.height).contains(&line)
    };
    for keys in ["j j j", "page-down", "page-down", "G", "k", "ctrl-u", "page-up", "g", "end", "] [", "z", "z", "G z"] {
        press(&mut app, Content::Small, keys);
        assert!(in_sight(&app), "{keys}\n{}", picture(&app));
    }
    for kind in [MouseEventKind::ScrollUp, MouseEventKind::ScrollDown] {
        app.update(Msg::Mouse(MouseEvent { kind, column: 40, row: 12, modifiers: KeyModifiers::NONE }));
        assert!(in_sight(&app));
    }
}
