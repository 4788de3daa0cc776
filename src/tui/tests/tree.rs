//! The tree of repositories under their registries: what it shows, how it folds, and what it remembers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::super::app::App;
use super::super::effect::Effect;
use super::super::glyphs::UNICODE;
use super::super::message::Msg;
use super::super::question::Shape;
use super::super::remembered::Memorable;
use super::super::state::images::Level;
use super::super::work::Request;
use super::world::{self, Content, picture, press, settle, settled};
use crate::catalog::statistics::Figures;
use crate::engine::query::browse::{Registry, Totals, TreeRow};
use crate::engine::query::view::RepositoryRow;

/// The registry of a published name.
pub(super) fn registry_of(name: &str) -> String {
    let first = name.split('/').next().unwrap_or_default();
    if first.contains('.') { first.replace('_', ":") } else { "docker.io".to_owned() }
}

/// Where a repository of this name is mirrored from.
pub(super) fn upstream_of(name: &str) -> String {
    let registry = registry_of(name);
    let path = name.strip_prefix(&format!("{}/", registry.replace(':', "_"))).unwrap_or(name);
    format!("{registry}/{path}")
}

pub(super) fn totals(names: &[String]) -> BTreeMap<String, Totals> {
    let mut totals = BTreeMap::<String, Totals>::new();
    for name in names {
        let of = totals.entry(registry_of(name)).or_default();
        (of.repositories, of.images) = (of.repositories + 1, of.images + 2);
        of.outdated = u64::from(name.starts_with("ghcr.io"));
        of.added = Some(1_795_000_000);
        of.figures = Figures { logical: of.images << 26, stored: of.images << 25, unique: of.images << 24 };
    }
    totals
}

/// Names of the repositories of a registry, each with its bytes.
pub(super) fn members(rows: Vec<RepositoryRow>, registry: &str) -> Vec<(String, u64)> {
    let of = rows.into_iter().filter(|row| registry_of(&row.name) == registry);
    of.map(|row| (row.name, 1 << 20)).collect()
}

/// Rows as the catalog puts them.
pub(super) fn shaped(
    rows: Vec<RepositoryRow>,
    shape: &Shape,
    searches: bool,
    around: Option<&str>,
) -> Vec<TreeRow<RepositoryRow>> {
    let Shape::Tree(folded) = shape else { return rows.into_iter().map(TreeRow::Repository).collect() };
    let mut groups = BTreeMap::<String, Vec<RepositoryRow>>::new();
    for row in rows {
        groups.entry(registry_of(&row.name)).or_default().push(row);
    }
    let mut shaped = Vec::new();
    for (name, rows) in groups {
        let has_wanted = rows.iter().any(|row| around == Some(row.name.as_str()));
        let folded = folded.contains(&name) && !searches && !has_wanted;
        shaped.push(TreeRow::Registry(Registry { name, repositories: rows.len() as u64, folded }));
        if !folded {
            shaped.extend(rows.into_iter().map(TreeRow::Repository));
        }
    }
    shaped
}

/// The rows of the list in short: a registry by its name, a repository below it.
fn rows(app: &App) -> Vec<String> {
    let text = |row: &TreeRow<RepositoryRow>| match row {
        TreeRow::Registry(registry) => registry.key(),
        TreeRow::Repository(row) => row.name.clone(),
    };
    app.images.repositories.window.loaded().iter().map(text).collect()
}

fn under(app: &App) -> String {
    let row = app.images.repositories.window.current().unwrap();
    row.registry().map_or_else(|| row.repository().unwrap().name.clone(), Registry::key)
}

#[test]
fn pictures_of_the_tree() {
    for (size, glyphs, of) in world::every_size() {
        let mut app = settled(size, glyphs, Content::Small);
        press(&mut app, Content::Small, "t");
        insta::assert_snapshot!(format!("tree-{of}"), picture(&app));
        press(&mut app, Content::Small, "g enter j j space");
        insta::assert_snapshot!(format!("tree-folded-{of}"), picture(&app));
    }
}

#[test]
fn the_cursor_stays_on_its_repository_and_a_registry_folds() {
    let content = Content::Small;
    let mut app = settled((120, 40), &UNICODE, content);
    press(&mut app, content, "j j t");
    let all = [
        "docker.io/",
        "library/alpine",
        "library/nginx",
        "ghcr.io/",
        "ghcr.io/org/app",
        "registry.example/",
        "registry.example/team/private",
    ];
    assert_eq!((rows(&app), under(&app).as_str()), (all.map(str::to_owned).to_vec(), "ghcr.io/org/app"));
    assert_eq!(app.images.repositories.entries, 4);
    // Left folds the registry of the row; enter on it unfolds it again.
    press(&mut app, content, "h");
    assert_eq!((rows(&app).len(), under(&app).as_str()), (6, "ghcr.io/"));
    assert_eq!(app.images.level, Level::Repositories);
    press(&mut app, content, "enter");
    assert_eq!((rows(&app).len(), under(&app).as_str()), (7, "ghcr.io/"));
    press(&mut app, content, "z");
    assert_eq!((rows(&app).len(), under(&app).as_str()), (3, "ghcr.io/"));
    press(&mut app, content, "z j t");
    assert_eq!((rows(&app).len(), under(&app).as_str()), (4, "ghcr.io/org/app"), "one list again");
}

#[test]
fn what_is_looked_for_is_shown_whatever_is_folded() {
    let content = Content::Small;
    let mut app = settled((80, 24), &UNICODE, content);
    press(&mut app, content, "t z / n g i n x enter");
    assert_eq!(rows(&app), ["docker.io/", "library/nginx"]);
    assert!(picture(&app).contains("docker.io (1 of 2)"), "{}", picture(&app));
    press(&mut app, content, "g enter");
    assert!(picture(&app).contains("Nothing is folded while you search"), "{}", picture(&app));
    press(&mut app, content, "n");
    assert_eq!(under(&app), "library/nginx");
    assert!(picture(&app).contains("1 repository matches `nginx`"), "{}", picture(&app));
    press(&mut app, content, "esc");
    assert_eq!(rows(&app).len(), 5, "only the registry of what was under the cursor is unfolded:\n{:?}", rows(&app));
}

#[test]
fn space_marks_what_is_below_a_registry_and_commands_are_about_that() {
    let content = Content::Small;
    let mut app = settled((120, 40), &UNICODE, content);
    for keys in ["t g d", "r", "c", "V"] {
        app.toast = None;
        let effects = press(&mut app, content, keys);
        assert!(!effects.iter().any(|effect| matches!(effect, Effect::Plan(..) | Effect::Start(..))), "{keys}");
        app.dialogs.clear();
        let said = picture(&app).contains("space marks all repositories of docker.io");
        assert_eq!(said, keys != "V", "{keys}\n{}", picture(&app));
    }
    press(&mut app, content, "space");
    assert_eq!(app.images.chosen(), ["library/alpine", "library/nginx"]);
    let effects = press(&mut app, content, "r");
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Plan(_, Request::Update(picks)) if picks.len() == 2)));
    app.dialogs.clear();
    // What a folded registry has is marked, too, and no longer if all of it is.
    press(&mut app, content, "z j space");
    assert_eq!(app.images.chosen().len(), 3);
    press(&mut app, content, "g space");
    assert_eq!(app.images.chosen(), ["ghcr.io/org/app"]);
    press(&mut app, content, "*");
    assert_eq!(app.images.chosen().len(), 4);
}

#[test]
fn one_click_folds_a_registry_and_two_open_a_repository() {
    let content = Content::Small;
    let mut app = settled((120, 40), &UNICODE, content);
    press(&mut app, content, "t");
    let click = |app: &mut App, row: u16| {
        let kind = MouseEventKind::Down(MouseButton::Left);
        let effects = app.update(Msg::Mouse(MouseEvent { kind, column: 5, row, modifiers: KeyModifiers::NONE }));
        settle(app, content, effects);
    };
    let line = |app: &App, text: &str| {
        let place = picture(app).lines().position(|line| line.contains(text)).unwrap();
        u16::try_from(place).unwrap()
    };
    let head = line(&app, "docker.io (2)");
    click(&mut app, head);
    assert_eq!((rows(&app).len(), under(&app).as_str()), (5, "docker.io/"));
    click(&mut app, head);
    assert_eq!(rows(&app).len(), 7);
    let row = line(&app, "library/nginx");
    click(&mut app, row);
    click(&mut app, row);
    assert_eq!((app.images.level, app.images.repository.as_deref()), (Level::Tags, Some("library/nginx")));
}

#[test]
fn the_tree_and_what_is_folded_are_kept() {
    let content = Content::Small;
    let mut app = settled((80, 24), &UNICODE, content);
    let effects = press(&mut app, content, "t g enter");
    let kept = effects.iter().filter(|effect| matches!(effect, Effect::Keep(Memorable::Grouping(_)))).count();
    assert_eq!(kept, 2);
    let mut next = world::app((80, 24), &UNICODE);
    next.recall(app.remembered.clone());
    let effects = next.update(Msg::Tick(Duration::ZERO, next.wall));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Keep(_))), "nothing is new");
    settle(&mut next, content, effects);
    assert_eq!(rows(&next), rows(&app));
    assert_eq!(rows(&next).iter().filter(|row| row.starts_with("library/")).count(), 0);
}

#[test]
fn going_to_a_repository_unfolds_its_registry() {
    let content = Content::Small;
    let mut app = settled((120, 40), &UNICODE, content);
    press(&mut app, content, "t z ctrl-p a l p i n e enter");
    assert_eq!(under(&app), "library/alpine");
    let folded: BTreeSet<&str> = ["ghcr.io", "registry.example"].into();
    let heads = app.images.repositories.window.loaded().iter().filter_map(TreeRow::registry);
    assert_eq!(heads.filter(|head| head.folded).map(|head| head.name.as_str()).collect::<BTreeSet<_>>(), folded);
}

#[test]
fn one_list_says_why_nothing_folds() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    press(&mut app, Content::Small, "z");
    assert!(picture(&app).contains("One list has nothing to fold; t shows it by registry"), "{}", picture(&app));
}
