//! The pull command is always offered: from where it is known to work, else with a host to fill in.

use super::super::app::App;
use super::super::dialog::Dialog;
use super::super::glyphs::UNICODE;
use super::super::serving::Serving;
use super::publication::home;
use super::world::{Content, press, settled};

/// What the menu offers of `library/nginx:1.27` to copy that pulls it: letter, title, command.
fn pulls(change: impl FnOnce(&mut App)) -> Vec<(char, String, String)> {
    let mut app = settled((120, 40), &UNICODE, Content::Small);
    press(&mut app, Content::Small, "j enter");
    change(&mut app);
    press(&mut app, Content::Small, "Y");
    let Some(Dialog::Menu(menu)) = app.dialogs.last() else { panic!("no menu") };
    let pulls = menu.items.iter().filter(|item| item.value.starts_with("podman pull "));
    pulls.map(|item| (item.key, item.title.clone(), item.value.clone())).collect()
}

fn nameless(app: &mut App) {
    if let Some(overview) = &mut app.overview {
        overview.name = None;
    }
}

#[test]
fn without_any_host_one_is_to_be_filled_in() {
    let expected = ('p', "pull command, HOST to be filled in".into(), "podman pull HOST/library/nginx:1.27".into());
    assert_eq!(pulls(nameless), [expected]);
}

#[test]
fn what_serves_here_comes_first() {
    let found = pulls(|app| app.serving = Serving::At("http://127.0.0.1:5050/".to_owned()));
    let shown: Vec<(char, &str)> = found.iter().map(|(key, _, command)| (*key, command.as_str())).collect();
    assert_eq!(
        shown,
        [
            ('p', "podman pull --tls-verify=false 127.0.0.1:5050/library/nginx:1.27"),
            ('n', "podman pull r.example.org/library/nginx:1.27"),
        ]
    );
}

#[test]
fn targets_say_domains_and_gateways() {
    let found = pulls(|app| {
        nameless(app);
        let mut target = home(Some(1), 1);
        target.settings.gateways = vec!["https://dweb.link".to_owned()];
        target.root = Some("bafyroot".to_owned());
        app.publish.targets = vec![target];
    });
    let shown: Vec<(char, &str)> = found.iter().map(|(key, _, command)| (*key, command.as_str())).collect();
    assert_eq!(
        shown,
        [
            ('p', "podman pull registry.example.org/library/nginx:1.27"),
            ('g', "podman pull bafyroot.ipfs.dweb.link/library/nginx:1.27"),
        ]
    );
}
