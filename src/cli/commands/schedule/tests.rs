//! The units as they are printed, and as the parsers of their formats read them.

use std::path::Path;

use proptest::prelude::*;
use quick_xml::Reader;
use quick_xml::events::Event;

use super::command::Options;
use super::*;

const PROGRAM: &str = "/usr/local/bin/roadstead";

fn plain() -> UpdateCommand {
    UpdateCommand::new(Path::new(PROGRAM), Options::default()).unwrap()
}

/// A command whose words mean something to every format.
fn awkward() -> UpdateCommand {
    let options = Options {
        data_dir: Some("/srv/50% of $HOME/<a> & \"b\" 'c'".into()),
        config: Some("/etc/roadstead/config.toml".into()),
        wait: Some(600),
        publish: true,
        ..Options::default()
    };
    UpdateCommand::new(Path::new(PROGRAM), options).unwrap()
}

fn in_container() -> UpdateCommand {
    let options = Options { data_dir: Some("/var/lib/roadstead".into()), ..Options::default() };
    UpdateCommand::new(Path::new("roadstead"), options).unwrap()
}

fn units(format: Format, command: &UpdateCommand, every: &str) -> Result<Units> {
    let every = every.parse().unwrap();
    let home = Path::new("/home/me");
    match format {
        Format::Systemd => systemd::units(command, every, systemd_directory(Some(home), None).as_deref()),
        Format::Launchd => launchd::units(command, every, Some(home)),
        Format::Cron => cron::units(command, every),
        Format::Kubernetes => kubernetes::units(command, every),
    }
}

/// What is printed, then what is said.
fn shown(format: Format, command: &UpdateCommand) -> String {
    let units = units(format, command, "6h").unwrap();
    let notes: Vec<String> = units.notes.iter().map(|note| format!("- {note}\n")).collect();
    let commands: Vec<String> = units.commands.iter().map(|command| format!("Then:  {command}\n")).collect();
    format!("{}---\n{}{}", printed(format, &units), notes.concat(), commands.concat())
}

#[test]
fn units_of_every_format() {
    insta::assert_snapshot!("systemd", shown(Format::Systemd, &plain()));
    insta::assert_snapshot!("launchd", shown(Format::Launchd, &plain()));
    insta::assert_snapshot!("cron", shown(Format::Cron, &plain()));
    insta::assert_snapshot!("kubernetes", shown(Format::Kubernetes, &in_container()));
}

#[test]
fn options_in_force_are_carried_on() {
    insta::assert_snapshot!("systemd_options", shown(Format::Systemd, &awkward()));
    insta::assert_snapshot!("launchd_options", shown(Format::Launchd, &awkward()));
    insta::assert_snapshot!("cron_options", shown(Format::Cron, &awkward()));
    insta::assert_snapshot!("kubernetes_options", shown(Format::Kubernetes, &awkward()));
}

#[test]
fn what_a_format_can_not_say_is_refused_with_what_it_can() {
    for (format, words) in
        [(Format::Cron, "cron can't run a command every 7h"), (Format::Kubernetes, "a CronJob can't run every 7h")]
    {
        let error = units(format, &in_container(), "7h").unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (crate::error::Kind::Usage, words));
        assert!(error.hints()[0].starts_with("`--every 6h` is the nearest"), "{error:?}");
    }
    for format in [Format::Systemd, Format::Launchd] {
        assert!(units(format, &plain(), "7h").is_ok());
    }
    for format in <Format as clap::ValueEnum>::value_variants() {
        let error = units(*format, &in_container(), "59s").unwrap_err().to_string();
        assert_eq!(error, "`--every 59s` is shorter than a minute");
    }
}

#[test]
fn paths_are_absolute_text() {
    let command = UpdateCommand::new(Path::new("r"), Options { data_dir: Some("x/../y".into()), ..Options::default() });
    assert!(Path::new(command.unwrap().data_dir().unwrap()).is_absolute());
    use std::os::unix::ffi::OsStrExt as _;
    for path in [&b"/a\nb"[..], b"/a\xff", b"/\x1b", "/\u{85}".as_bytes()] {
        let path = Path::new(std::ffi::OsStr::from_bytes(path)).to_owned();
        let error =
            UpdateCommand::new(Path::new("r"), Options { config: Some(path), ..Options::default() }).unwrap_err();
        assert!(error.to_string().contains("control characters") && !error.to_string().contains('\n'), "{error}");
    }
}

#[test]
fn the_places_of_units_are_those_of_the_user() {
    let of = |home: Option<&str>, configuration: Option<&str>| {
        let found = systemd_directory(home.map(Path::new), configuration.map(PathBuf::from));
        found.map(|found| found.display().to_string())
    };
    assert_eq!(of(Some("/h"), None).as_deref(), Some("/h/.config/systemd/user"));
    assert_eq!(of(Some("/h"), Some("/c")).as_deref(), Some("/c/systemd/user"));
    assert_eq!(
        of(Some("/h"), Some("c")).as_deref(),
        Some("/h/.config/systemd/user"),
        "a relative one is to be ignored"
    );
    assert_eq!(of(None, None), None);
}

/// The text of the elements of a property list, each behind its name; every element is closed, or reading fails.
fn elements(text: &str) -> Vec<(String, String)> {
    let mut reader = Reader::from_str(text);
    let (mut open, mut found) = (Vec::<(String, String)>::new(), Vec::new());
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) => open.push((tag.name().as_ref().to_owned(), String::new())),
            Event::Text(text) => {
                if let Some((_, content)) = open.last_mut() {
                    content.push_str(&text.xml10_content());
                }
            }
            Event::GeneralRef(name) => {
                let text = quick_xml::escape::resolve_predefined_entity(&name).unwrap();
                open.last_mut().unwrap().1.push_str(text);
            }
            Event::End(_) => found.push(open.pop().unwrap()),
            Event::Eof => break,
            Event::Decl(_) | Event::DocType(_) | Event::Comment(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(open.is_empty(), "{open:?}");
    found
}

/// The words in the property list, and its keys.
fn of_property_list(text: &str) -> (Vec<String>, Vec<String>) {
    let elements = elements(text);
    let of = |wanted: &str| {
        let found = elements.iter().filter(|(name, _)| name == wanted);
        found.map(|(_, content)| content.clone()).collect::<Vec<_>>()
    };
    (of("string"), of("key"))
}

/// The strings in a list of the manifest, as JSON reads them.
fn of_manifest(text: &str) -> Vec<String> {
    let lines = text.lines().skip_while(|line| line.trim() != "command:").skip(1);
    let items = lines.map_while(|line| line.trim().strip_prefix("- \"").map(|_| &line.trim()[2..]));
    items.map(|item| serde_json::from_str(item).unwrap()).collect()
}

#[test]
fn the_property_list_is_read_as_xml() {
    let text = units(Format::Launchd, &awkward(), "90m").unwrap().files.remove(0).text;
    let (strings, keys) = of_property_list(&text);
    assert_eq!(keys, ["Label", "ProgramArguments", "StartInterval", "ProcessType", "StandardErrorPath"]);
    assert_eq!(strings[1..strings.len() - 2], *awkward().words());
    assert!(text.contains("<integer>5400</integer>"), "{text}");
    assert!(elements(&format!("{text}<!-- Written by x -->\n")).len() > 5, "a comment may follow");
}

/// No parser of YAML is at hand: the lines are indented by two, keys are unique in their mapping, and strings are those of JSON.
#[test]
fn the_manifest_is_sound() {
    let text = units(Format::Kubernetes, &awkward(), "1h").unwrap().files.remove(0).text;
    let mut above = 0;
    for line in text.lines().skip(1) {
        let indent = line.len() - line.trim_start_matches(' ').len();
        assert!(indent % 2 == 0 && indent <= above + 4 && !line.contains('\t'), "{line}");
        let item = line.trim().trim_start_matches("- ");
        let is_string = item.starts_with('"') && serde_json::from_str::<String>(item).is_ok();
        let value = item.split_once(": ").map(|(_, value)| value);
        let is_scalar = |value: &str| !value.starts_with('"') || serde_json::from_str::<String>(value).is_ok();
        assert!(is_string || item.ends_with(':') || value.is_some_and(is_scalar), "{line}");
        above = indent;
    }
    for line in
        ["apiVersion: batch/v1", "kind: CronJob", "  concurrencyPolicy: Forbid", "          restartPolicy: Never"]
    {
        assert_eq!(text.lines().filter(|other| *other == line).count(), 1, "{line}");
    }
    let words: Vec<String> = awkward().words().iter().map(|word| word.replace('$', "$$")).collect();
    assert_eq!(of_manifest(&text), words);
}

proptest! {
    #[test]
    fn words_are_read_as_they_are(name in "[a-z <>&\"'\\\\\\]%#:é{}\u{2028}\u{feff}-]{1,12}") {
        let data_dir = Some(Path::new("/srv").join(&name));
        let command = UpdateCommand::new(Path::new(PROGRAM), Options { data_dir, ..Options::default() }).unwrap();
        let text = |format| units(format, &command, "6h").unwrap().files.remove(0).text;
        prop_assert_eq!(&of_property_list(&text(Format::Launchd)).0[1..=command.words().len()], command.words());
        prop_assert_eq!(of_manifest(&text(Format::Kubernetes)), command.words());
    }
}
