//! What is typed behind `:` and where images are added: words as in a shell, and verbs that are typed alone.

use super::super::app::App;
use super::super::dialog::Dialog;
use super::super::effect::Effect;
use super::super::glyphs::UNICODE;
use super::super::message::Msg;
use super::super::work::Request;
use super::world::{Content, picture, press, settled};
use crate::engine::request::Source;

/// Types this into the palette, and Enter.
fn typed(app: &mut App, text: &str) -> Vec<Effect> {
    press(app, Content::Small, ":");
    app.update(Msg::Paste(text.to_owned()));
    press(app, Content::Small, "enter")
}

fn removed(effects: &[Effect]) -> Vec<String> {
    let names = |effect: &Effect| match effect {
        Effect::Plan(_, Request::Remove(picks)) => Some(picks.iter().map(ToString::to_string).collect()),
        _ => None,
    };
    effects.iter().find_map(names).unwrap_or_default()
}

#[test]
fn a_verb_alone_is_about_what_is_marked_or_says_what_is_missing() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    assert_eq!(removed(&typed(&mut app, "remove")), ["library/alpine"]);
    app.dialogs.clear();
    // Marking goes on to the next row.
    press(&mut app, Content::Small, "j space space");
    let mut marked = removed(&typed(&mut app, "remove"));
    marked.sort();
    assert_eq!(marked, ["ghcr.io/org/app", "library/nginx"]);
    app.dialogs.clear();
    for view in ["2", "4", "5"] {
        press(&mut app, Content::Small, view);
        assert!(removed(&typed(&mut app, "remove")).is_empty());
        let problem = app.problems.pop().unwrap_or_else(|| panic!("nothing is said in {view}:\n{}", picture(&app)));
        assert!(
            problem.message.contains("which images") && problem.hints[0].contains(":remove NAME:TAG"),
            "{problem:?}"
        );
    }
    let mut empty = settled((80, 24), &UNICODE, Content::Empty);
    typed(&mut empty, "remove");
    assert_eq!(empty.problems.len(), 1);
}

#[test]
fn quotes_keep_words_together() {
    let mut app = settled((80, 24), &UNICODE, Content::Small);
    app.verbs = ["add", "export", "remove"].map(str::to_owned).to_vec();
    let effects = typed(&mut app, r"export '/srv/my tree' --to /srv/a\ b");
    let words = effects.iter().find_map(|effect| match effect {
        Effect::Verb(words) => Some(words.clone()),
        _ => None,
    });
    assert_eq!(words.unwrap(), ["export", "/srv/my tree", "--to", "/srv/a b"]);
    assert_eq!(removed(&typed(&mut app, "remove 'library/nginx:1.27'")), ["library/nginx:1.27"]);
    app.dialogs.clear();
    typed(&mut app, "remove 'library/nginx");
    assert!(app.problems.pop().unwrap().message.contains("unclosed quotation mark"));
    typed(&mut app, "add 'oci:my images' nginx");
    let effects = press(&mut app, Content::Small, "enter");
    let sources = effects.iter().find_map(|effect| match effect {
        Effect::Plan(_, Request::Add(requests)) => {
            Some(requests.iter().map(|it| it.source.clone()).collect::<Vec<_>>())
        }
        _ => None,
    });
    let sources = sources.unwrap_or_else(|| panic!("{effects:?}\n{}", picture(&app)));
    assert!(
        matches!(&sources[..], [Source::Local(local), Source::Registry(_)] if local.to_string() == "oci:my images")
    );
    assert!(matches!(app.dialogs.last(), Some(Dialog::Add(add)) if add.images() == 2));
}

#[test]
fn options_hold_for_all_images_wherever_they_stand() {
    for text in ["h:1/a h:1/b --platform linux/arm64 --insecure", "h:1/a --platform=linux/arm64 --insecure h:1/b"] {
        let mut app = settled((80, 24), &UNICODE, Content::Small);
        typed(&mut app, &format!("add {text}"));
        let effects = press(&mut app, Content::Small, "enter");
        let requests = effects.iter().find_map(|effect| match effect {
            Effect::Plan(_, Request::Add(requests)) => Some(requests.clone()),
            _ => None,
        });
        let requests = requests.unwrap_or_else(|| panic!("{effects:?}"));
        let said = |request: &crate::engine::request::AddRequest| {
            (request.selection.as_ref().map(ToString::to_string), request.insecure)
        };
        let said: Vec<_> = requests.iter().map(said).collect();
        assert_eq!(said, [(Some("linux/arm64".to_owned()), Some(true)), (Some("linux/arm64".to_owned()), Some(true))]);
    }
}
