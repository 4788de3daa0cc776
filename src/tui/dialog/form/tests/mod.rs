//! The form of a target: mistakes where they were made, what is emptied, and the fields of a bucket.

use super::*;
use crate::catalog::targets::NodeSettings;

fn press(form: &mut Form, code: KeyCode) -> Choice {
    form.key(KeyEvent::new(code, KeyModifiers::NONE))
}

fn type_in(form: &mut Form, text: &str) {
    for letter in text.chars() {
        press(form, KeyCode::Char(letter));
    }
}

fn wrong(form: &mut Form) -> Mistake {
    assert!(matches!(press(form, KeyCode::Enter), Choice::Stay));
    form.mistake.clone().unwrap()
}

#[test]
fn a_choice_is_gone_through_and_completed() {
    let mut form = Form::new(None, Vec::new());
    form.focus = form.fields.iter().position(|field| field.setting == Setting::Algorithm).unwrap();
    assert!(form.has_choices());
    let text = |form: &Form| form.fields[form.focus].text.value().to_owned();
    press(&mut form, KeyCode::Right);
    assert_eq!(text(&form), "hmac-sha256");
    press(&mut form, KeyCode::Right);
    assert_eq!(text(&form), "hmac-sha384");
    press(&mut form, KeyCode::Left);
    press(&mut form, KeyCode::Left);
    assert_eq!(text(&form), "hmac-sha512", "round the end");
    form.focus = form.fields.iter().position(|field| field.setting == Setting::Dns).unwrap();
    type_in(&mut form, "cl");
    assert_eq!(offered(Setting::Dns, "cl"), ["cloudflare"]);
    press(&mut form, KeyCode::Right);
    assert_eq!(text(&form), "cloudflare");
    assert!(offered(Setting::Dns, "nobody").len() > 10, "what is no choice offers all of them");
    form.focus = 0;
    assert!(!form.has_choices());
}

#[test]
fn a_mistake_is_told_where_it_was_made_and_in_the_words_of_the_form() {
    let mut form = Form::new(None, vec!["home".into()]);
    assert_eq!(wrong(&mut form).setting, Setting::Name);
    type_in(&mut form, "home");
    assert_eq!(wrong(&mut form).text, "A target `home` already exists");
    type_in(&mut form, "2");
    let fields_before = form.shown().count();
    while form.fields[form.focus].setting != Setting::Domain {
        press(&mut form, KeyCode::Tab);
    }
    type_in(&mut form, "registry.example.com");
    assert_eq!(form.shown().count(), fields_before + 2, "who changes the record, and how long it lives");
    let mistake = wrong(&mut form);
    assert_eq!(mistake.setting, Setting::Dns);
    assert!(mistake.text.starts_with("Required for DNSLink: rfc2136"), "{}", mistake.text);
    type_in(&mut form, "rfc2136");
    let mistake = wrong(&mut form);
    assert_eq!((mistake.setting, form.fields[form.focus].setting), (Setting::Server, Setting::Server));
    assert!(mistake.text.starts_with("Required for rfc2136: server"), "{}", mistake.text);
    type_in(&mut form, "ns1.example.com");
    wrong(&mut form);
    type_in(&mut form, "key");
    wrong(&mut form);
    type_in(&mut form, "/etc/tsig");
    let Choice::Save(draft) = press(&mut form, KeyCode::Enter) else { panic!("{:?}", form.mistake) };
    assert!(draft.new && draft.name == "home2");
    assert_eq!(draft.change.added().unwrap().dnslink.unwrap().domain, "registry.example.com");
}

#[test]
fn an_emptied_field_takes_it_away_and_what_is_not_shown_stays() {
    let settings = TargetSettings {
        node: NodeSettings::kubo("http://127.0.0.1:5001"),
        keep: 3,
        ipns: Some("self".into()),
        dnslink: None,
        gateways: vec!["https://ipfs.example.com".into()],
    };
    let view = TargetView {
        name: "home".into(),
        settings: settings.clone(),
        added: String::new(),
        root: None,
        published: None,
        behind: true,
        running: None,
        pinned: 0,
        sent: None,
        requests: None,
        serving: None,
        holders: Vec::new(),
        unverified: false,
        ipns_name: None,
    };
    let mut form = Form::new(Some(&view), vec!["home".into()]);
    while form.fields[form.focus].setting != Setting::Ipns {
        press(&mut form, KeyCode::Down);
    }
    for _ in 0..4 {
        press(&mut form, KeyCode::Backspace);
    }
    let Choice::Save(draft) = press(&mut form, KeyCode::Enter) else { panic!("{:?}", form.mistake) };
    let changed = draft.change.changed(settings.clone()).unwrap();
    assert_eq!(changed, TargetSettings { ipns: None, ..settings });
    assert!(!draft.new);
}

#[test]
fn a_bucket_has_fields_of_its_own_and_no_names() {
    let mut form = Form::new(None, Vec::new());
    type_in(&mut form, "bucket");
    press(&mut form, KeyCode::Tab);
    type_in(&mut form, "s3://registry/below");
    let shown: Vec<Setting> = form.shown().map(|(_, field)| field.setting).collect();
    for setting in [Setting::Endpoint, Setting::Region, Setting::Grace, Setting::AuthFile, Setting::Keep] {
        assert!(shown.contains(&setting), "{setting:?}");
    }
    for setting in [Setting::Ipns, Setting::Domain, Setting::Gateways, Setting::AuthVariable] {
        assert!(!shown.contains(&setting), "{setting:?}");
    }
    while form.fields[form.focus].setting != Setting::Endpoint {
        press(&mut form, KeyCode::Tab);
    }
    type_in(&mut form, "s3.example.com");
    assert_eq!(wrong(&mut form).setting, Setting::Endpoint);
    for _ in 0.."s3.example.com".len() {
        press(&mut form, KeyCode::Backspace);
    }
    type_in(&mut form, "https://s3.example.com");
    let Choice::Save(draft) = press(&mut form, KeyCode::Enter) else { panic!("{:?}", form.mistake) };
    let settings = draft.change.added().unwrap();
    let host = settings.node.bucket().unwrap();
    assert_eq!((host.bucket.as_str(), host.grace_days), ("s3://registry/below", 7));
    assert_eq!(host.endpoint.as_deref(), Some("https://s3.example.com"));
}

#[test]
fn a_cluster_has_copies_and_no_names_of_its_own() {
    let mut form = Form::new(None, Vec::new());
    type_in(&mut form, "cluster");
    press(&mut form, KeyCode::Tab);
    type_in(&mut form, "cluster:http://127.0.0.1:9094");
    let shown: Vec<Setting> = form.shown().map(|(_, field)| field.setting).collect();
    for setting in [Setting::Replication, Setting::AuthFile, Setting::Domain, Setting::Gateways] {
        assert!(shown.contains(&setting), "{setting:?}");
    }
    for setting in [Setting::Ipns, Setting::Endpoint, Setting::Grace] {
        assert!(!shown.contains(&setting), "{setting:?}");
    }
    while form.fields[form.focus].setting != Setting::Replication {
        press(&mut form, KeyCode::Tab);
    }
    type_in(&mut form, "3-2");
    assert_eq!(wrong(&mut form).setting, Setting::Replication);
    for _ in 0.."3-2".len() {
        press(&mut form, KeyCode::Backspace);
    }
    type_in(&mut form, "2-3");
    let Choice::Save(draft) = press(&mut form, KeyCode::Enter) else { panic!("{:?}", form.mistake) };
    let settings = draft.change.added().unwrap();
    assert_eq!(settings.node.replication().map(|copies| (copies.min, copies.max)), Some((2, 3)));
    assert_eq!(settings.node.url(), "http://127.0.0.1:9094");
    // The form of one that is there says the same.
    assert_eq!(said(&settings, Setting::Node), "cluster:http://127.0.0.1:9094");
    assert_eq!(said(&settings, Setting::Replication), "2-3");
    let service = TargetSettings { node: NodeSettings::pinning("https://api.example.com/psa"), ..settings };
    assert_eq!(said(&service, Setting::Node), "pinning:https://api.example.com/psa");
    assert_eq!(said(&service, Setting::Replication), "");
}

#[test]
fn a_directory_is_known_by_its_path_and_may_get_copies() {
    let mut form = Form::new(None, Vec::new());
    type_in(&mut form, "files");
    press(&mut form, KeyCode::Tab);
    type_in(&mut form, "/srv/registry");
    let shown: Vec<Setting> = form.shown().map(|(_, field)| field.setting).collect();
    assert_eq!(shown, [Setting::Name, Setting::Node, Setting::Grace, Setting::Copy, Setting::Keep]);
    while form.fields[form.focus].setting != Setting::Copy {
        press(&mut form, KeyCode::Tab);
    }
    type_in(&mut form, "perhaps");
    assert_eq!(wrong(&mut form).setting, Setting::Copy);
    for _ in 0.."perhaps".len() {
        press(&mut form, KeyCode::Backspace);
    }
    type_in(&mut form, "yes");
    let Choice::Save(draft) = press(&mut form, KeyCode::Enter) else { panic!("{:?}", form.mistake) };
    let node = draft.change.added().unwrap().node;
    assert_eq!((node.url(), node.copies(), node.grace_days()), ("/srv/registry", true, 7));
}
