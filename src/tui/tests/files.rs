//! Looking into an image: its layers, the tree of each, what is copied and saved.

use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::super::app::App;
use super::super::effect::Effect;
use super::super::glyphs::UNICODE;
use super::super::message::Msg;
use super::super::problem::Problem;
use super::super::question::{Answer, Question};
use super::super::state::files::{Files, Reading};
use super::super::work::Plan;
use super::world::{self, Content, HOSTILE, digest, picture, press, settle, settled};
use crate::engine::query::files::{FileLayer, ImageFiles, Which};
use crate::error::Kind;
use crate::image::files::{Entry, FileKind, Layer, Stage, Tree};

fn entry(path: &str, kind: FileKind, size: u64) -> Entry {
    let is_directory = kind == FileKind::Directory;
    Entry {
        path: path.into(),
        kind,
        size,
        mode: match kind {
            FileKind::Symlink => 0o777,
            _ if is_directory || path.contains("bin/") => 0o755,
            _ => 0o644,
        },
        uid: 0,
        gid: u64::from(path.starts_with("var")) * 101,
        link: (kind == FileKind::Symlink).then(|| "usr/bin".into()),
        digest: (kind == FileKind::Regular).then(|| digest(&format!("{path}{size}"))),
        number: 0,
    }
}

fn layer(files: &[(&str, u64)], whiteouts: &[&str]) -> Arc<Layer> {
    let of = |(path, size): &(&str, u64)| match path.strip_suffix('/') {
        Some(directory) => entry(directory, FileKind::Directory, 0),
        None => entry(path, FileKind::Regular, *size),
    };
    let whiteouts = whiteouts.iter().map(|path| (*path).into()).collect();
    Arc::new(Layer { entries: files.iter().map(of).collect(), whiteouts, opaque: Vec::new() })
}

/// What an image has in it.
pub(super) fn image_files(content: Content, image: &str, which: &Which) -> ImageFiles {
    let mut base = (*layer(
        &[
            ("etc/", 0),
            ("etc/apk/repositories", 102),
            ("etc/passwd", 1172),
            ("usr/bin/", 0),
            ("usr/bin/busybox", 808_712),
            ("usr/lib/", 0),
            ("usr/lib/libcrypto.so.3", 4_583_912),
            ("usr/lib/libssl.so.3", 801_848),
            ("var/cache/apk/APKINDEX.tar.gz", 2_100_000),
        ],
        &[],
    ))
    .clone();
    base.entries.push(entry("bin", FileKind::Symlink, 0));
    let nginx = layer(
        &[
            ("etc/nginx/nginx.conf", 648),
            ("etc/passwd", 1251),
            ("usr/sbin/nginx", 1_402_360),
            ("usr/share/nginx/html/index.html", 615),
            ("var/log/nginx/access.log", 0),
        ],
        &["var/cache/apk/APKINDEX.tar.gz"],
    );
    let mut conf = (*layer(&[("etc/nginx/nginx.conf", 702), ("docker-entrypoint.sh", 1620)], &[])).clone();
    match content {
        Content::Hostile => {
            for (place, text) in HOSTILE.iter().enumerate() {
                conf.entries.push(entry(&format!("{text}/../{place}"), FileKind::Regular, 7));
            }
        }
        Content::Long => conf.entries.push(entry(&"0123456789/".repeat(40), FileKind::Regular, u64::MAX >> 4)),
        _ => {}
    }
    let tree = Tree::merge(vec![Arc::new(base), nginx, Arc::new(conf)]).unwrap();
    let commands = [
        Some("/bin/sh -c #(nop) ADD file:ff3112828967e8004a5a1ee3fb0d2f0c4f1e0b8c in / ".to_owned()),
        Some(
            "RUN /bin/sh -c set -x     && addgroup -g 101 -S nginx     && apk add --no-cache nginx # buildkit"
                .to_owned(),
        ),
        None,
    ];
    let layers = commands.into_iter().enumerate().map(|(place, command)| {
        let Stage { added, changed, deleted, .. } = Stage::of(&tree, place);
        let size = [3_400_000, 41 << 20, 1200][place];
        let command =
            if content == Content::Hostile { Some(crate::text::printable(&HOSTILE.join(" "))) } else { command };
        FileLayer { digest: digest(&format!("layer {place}")), size, command, added, changed, deleted }
    });
    let platforms = ["linux/amd64", "linux/arm64/v8"].map(|name| (digest(name), name.to_owned())).to_vec();
    let manifest = if let Which::Manifest(digest) = which { *digest } else { platforms[0].0 };
    let platform = platforms.iter().find(|(digest, _)| *digest == manifest).map(|(_, name)| name.clone());
    let layers = layers.collect();
    let (figures, waste) = tree.figures();
    ImageFiles { image: image.to_owned(), manifest, platform, platforms, layers, tree, figures, waste }
}

fn opened(size: (u16, u16), content: Content, keys: &str) -> App {
    let mut app = settled(size, &UNICODE, content);
    press(&mut app, content, &format!("j enter f {keys}"));
    app
}

fn paths(app: &App) -> Vec<String> {
    let shown = app.files.as_ref().and_then(Files::shown).unwrap();
    shown.rows.iter().map(|row| shown.files.tree.path(row.node)).collect()
}

fn under_cursor(app: &App) -> String {
    let shown = app.files.as_ref().and_then(Files::shown).unwrap();
    shown.current().map(|node| shown.files.tree.path(node)).unwrap_or_default()
}

#[test]
fn pictures() {
    for (size, glyphs, of) in world::every_size() {
        let mut app = settled(size, glyphs, Content::Small);
        press(&mut app, Content::Small, "j enter f");
        insta::assert_snapshot!(format!("files-{of}"), picture(&app));
        press(&mut app, Content::Small, "[ c");
        insta::assert_snapshot!(format!("files-changes-{of}"), picture(&app));
        press(&mut app, Content::Small, "c z z");
        insta::assert_snapshot!(format!("files-unfolded-{of}"), picture(&app));
        press(&mut app, Content::Small, "j j s");
        insta::assert_snapshot!(format!("files-save-{of}"), picture(&app));
        let mut app = settled(size, glyphs, Content::Hostile);
        press(&mut app, Content::Hostile, "enter f z");
        insta::assert_snapshot!(format!("files-hostile-{of}"), picture(&app));
        let mut app = settled(size, glyphs, Content::Long);
        press(&mut app, Content::Long, "enter f z");
        insta::assert_snapshot!(format!("files-long-{of}"), picture(&app));
    }
}

#[test]
fn pictures_while_layers_are_read_and_when_they_can_not_be() {
    for (size, glyphs, of) in world::every_size() {
        let mut app = settled(size, glyphs, Content::Small);
        press(&mut app, Content::Small, "j enter");
        let asked = app.update(Msg::Key(world::event("f")));
        let Some(Effect::Ask(ticket, Question::Files { image, which })) = asked.into_iter().next() else { panic!() };
        let reading = Reading { layers: (1, 3), bytes: (12 << 20, 44 << 20) };
        app.update(Msg::Reading(image.clone(), which.clone(), reading));
        insta::assert_snapshot!(format!("files-reading-{of}"), picture(&app));
        let problem = Problem {
            message: format!(
                "can't look into layer 2 of {image}: {} is not here yet: it comes when it is first pulled",
                digest("x")
            ),
            hints: vec!["Pull the image from `roadstead serve`, then look again.".to_owned()],
            kind: Kind::NotFound,
        };
        app.update(Msg::Answer(ticket, Box::new(Answer::Files(image, which, Err(problem)))));
        insta::assert_snapshot!(format!("files-failed-{of}"), picture(&app));
    }
}

#[test]
fn directories_unfold_and_the_cursor_stays_at_its_path() {
    let mut app = opened((80, 24), Content::Small, "");
    assert_eq!(paths(&app), ["bin", "docker-entrypoint.sh", "etc", "usr", "var"]);
    press(&mut app, Content::Small, "j j enter j enter");
    assert_eq!(paths(&app)[2..5], ["etc", "etc/apk", "etc/apk/repositories"]);
    // Folding goes up.
    press(&mut app, Content::Small, "j h");
    assert_eq!(under_cursor(&app), "etc/apk");
    press(&mut app, Content::Small, "h h");
    assert_eq!((under_cursor(&app).as_str(), paths(&app).len()), ("etc", 5));
    // In the layer before, what the top one added is not there.
    press(&mut app, Content::Small, "[");
    assert_eq!((under_cursor(&app).as_str(), paths(&app).len()), ("etc", 4));
    press(&mut app, Content::Small, "k k k [ [ [ ]");
    assert_eq!(app.files.as_ref().and_then(Files::shown).unwrap().stage.layer, 1);
    press(&mut app, Content::Small, "] z end");
    assert_eq!(under_cursor(&app), "var/log/nginx/access.log");
}

#[test]
fn only_changes_are_unfolded_to_what_changed() {
    let mut app = opened((80, 24), Content::Small, "[ c");
    let changes = paths(&app);
    assert!(changes.contains(&"var/cache/apk/APKINDEX.tar.gz".to_owned()), "{changes:?}");
    assert!(changes.contains(&"etc/passwd".to_owned()) && changes.contains(&"etc/nginx".to_owned()), "{changes:?}");
    // What is new as a whole stays folded.
    assert!(
        !changes.contains(&"etc/nginx/nginx.conf".to_owned()) && !changes.contains(&"bin".to_owned()),
        "{changes:?}"
    );
    press(&mut app, Content::Small, "c");
    assert!(paths(&app).contains(&"bin".to_owned()));
}

#[test]
fn a_filter_shows_paths_and_esc_goes_back_one_thing_at_a_time() {
    let mut app = opened((120, 40), Content::Small, "/ n g i n x enter");
    let found = paths(&app);
    assert!(found.contains(&"usr/share/nginx".to_owned()) && found.contains(&"usr/sbin/nginx".to_owned()), "{found:?}");
    assert!(!found.contains(&"usr/lib".to_owned()));
    press(&mut app, Content::Small, "esc");
    assert_eq!(paths(&app)[0], "bin");
    press(&mut app, Content::Small, "esc");
    assert!(app.files.is_none());
    assert!(picture(&app).contains("1.27"), "the tags are there again");
}

#[test]
fn leaving_while_layers_are_read_stops_that() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    press(&mut app, Content::Small, "j enter");
    let asked = app.update(Msg::Key(world::event("f")));
    assert!(matches!(asked.as_slice(), [Effect::Ask(_, Question::Files { .. })]), "{asked:?}");
    let left = app.update(Msg::Key(world::event("esc")));
    assert!(matches!(left.as_slice(), [Effect::StopLooking]), "{left:?}");
    // What comes all the same is for nobody.
    settle(&mut app, Content::Small, asked);
    assert!(app.files.is_none());
}

#[test]
fn a_path_is_copied_and_a_file_saved_as_the_layer_has_it() {
    let mut app = opened((80, 24), Content::Small, "z j j j j");
    let copied = press(&mut app, Content::Small, "y");
    assert!(matches!(copied.as_slice(), [Effect::Copy(text)] if text == "/etc/apk/repositories"), "{copied:?}");
    let copied = press(&mut app, Content::Small, "Y d");
    assert!(matches!(copied.as_slice(), [Effect::Copy(text)] if text.starts_with("sha256:")), "{copied:?}");
    press(&mut app, Content::Small, "s");
    let started = press(&mut app, Content::Small, ". o l d enter");
    let [Effect::Start(_, plan), ..] = started.as_slice() else { panic!("{started:?}") };
    let Plan::SaveFile(save) = plan.as_ref() else { panic!("{plan:?}") };
    assert_eq!(
        (save.path.as_str(), save.layer, save.to.to_str()),
        ("etc/apk/repositories", 2, Some("repositories.old"))
    );
    // What a layer takes away is saved as the one before has it.
    press(&mut app, Content::Small, "[ / a p k i n d e x enter end s");
    let started = press(&mut app, Content::Small, "enter");
    let [Effect::Start(_, plan), ..] = started.as_slice() else { panic!("{started:?}") };
    let Plan::SaveFile(save) = plan.as_ref() else { panic!("{plan:?}") };
    assert_eq!((save.path.as_str(), save.layer), ("var/cache/apk/APKINDEX.tar.gz", 0));
    // A directory is no file.
    press(&mut app, Content::Small, "esc g s");
    assert!(app.dialogs.is_empty() && app.toast.is_some());
}

#[test]
fn the_next_platform_is_asked_for() {
    let mut app = opened((120, 40), Content::Small, "");
    assert!(picture(&app).contains("linux/amd64"));
    press(&mut app, Content::Small, "P");
    assert!(picture(&app).contains("linux/arm64/v8"));
    press(&mut app, Content::Small, "P");
    assert!(picture(&app).contains("linux/amd64"));
}

#[test]
fn the_mouse_chooses_layers_and_unfolds() {
    let mut app = opened((80, 24), Content::Small, "");
    let click = |app: &mut App, column, row| {
        let kind = MouseEventKind::Down(MouseButton::Left);
        app.update(Msg::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
    };
    // Below tabs, frame and head.
    click(&mut app, 5, 3);
    assert_eq!(app.files.as_ref().and_then(Files::shown).unwrap().stage.layer, 0);
    click(&mut app, 40, 4);
    assert_eq!(under_cursor(&app), "etc");
    click(&mut app, 40, 4);
    assert!(paths(&app).contains(&"etc/passwd".to_owned()));
    let app_now = app.now;
    app.update(Msg::Tick(app_now + Duration::from_secs(5), app.wall));
    click(&mut app, 40, 4);
    assert!(paths(&app).contains(&"etc/passwd".to_owned()), "two slow clicks are no double click");
    // Tabs stay tabs.
    click(&mut app, 14, 0);
    assert!(app.tab != super::super::app::Tab::Images);
}

#[test]
fn commands_of_the_lists_below_do_nothing_there() {
    let mut app = opened((80, 24), Content::Small, "");
    let before = picture(&app);
    press(&mut app, Content::Small, "space * v");
    app.toast = None;
    assert_eq!(picture(&app), before);
}
