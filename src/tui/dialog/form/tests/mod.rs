//! The form of a target: mistakes where they were made, what is emptied, and the fields of a bucket.

use super::*;

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
        node: crate::catalog::targets::NodeSettings::kubo("http://127.0.0.1:5001"),
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
        serving: None,
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
    let host = settings.node.host().unwrap();
    assert_eq!((host.bucket.as_str(), host.grace_days), ("s3://registry/below", 7));
    assert_eq!(host.endpoint.as_deref(), Some("https://s3.example.com"));
}
