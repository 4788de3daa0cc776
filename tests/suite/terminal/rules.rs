//! A rule as somebody makes it, from a pattern to what it brought, and as the command line then has it.

use super::session::Session;
use crate::cli::Roadstead;
use roadstead::registry::memory::{ImageBuilder, MemoryRegistry};

#[test]
fn a_pattern_is_previewed_made_a_rule_run_and_changed() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let registry = runtime.block_on(MemoryRegistry::builder().start()).expect("a registry");
    for tag in ["1.1", "1.2", "1.3", "latest"] {
        let image = ImageBuilder::new("linux/amd64".parse().expect("a platform")).layer(&[("own", tag)]).build();
        registry.put_image(&"team/app".parse().expect("a name"), Some(tag), &image);
    }
    let host = registry.host();
    let roadstead = Roadstead::with_config(&format!("[registries.\"{host}\"]\ninsecure = true\n"));
    let mut command = roadstead.command(&[]);
    command.env("TERM", "xterm-256color");
    let mut session = Session::start(&command, (100, 30));
    session.see("No images yet.");
    session.type_in("a");
    session.see("A pattern makes a rule");
    session.type_in(&format!("{host}/team/app:1.# --newest 2 --name app --platform all"));
    session.see("Would take 2 tags of 4");
    session.see("leave  1.1");
    session.type_in("\r");
    session.see("Run the rule app?");
    session.see("2 selected, 2 new");
    session.type_in("\r");
    session.see("2 images brought");

    session.type_in("6");
    session.see("#");
    session.type_in("\r");
    session.see("older: there are enough newer versions");
    session.wait("both that it brought", |screen| screen.contents().matches("brought").count() >= 2);
    session.type_in("e");
    session.see("Rule app");
    session.type_in("\t\x7f1");
    session.see("Would take 1 tag of 4");
    session.type_in("\r");
    session.see("Changed the rule app");
    session.type_in("q");
    assert_eq!(session.end(), 0);
    let rules = roadstead.json(&["rule", "show", "app"]);
    assert!(rules["definition"].as_str().is_some_and(|text| text.contains("newest = 1")), "{rules}");
    assert_eq!(rules["images"].as_array().map(Vec::len), Some(2), "{rules}");
}
