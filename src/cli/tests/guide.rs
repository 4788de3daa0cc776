//! The reference pages of the guide, made from the program: verbs, keys, configuration, exit codes.
//!
//! Held by tests, so that the guide can't say anything else. `INSTA_UPDATE=always` writes the pages anew, as it does with
//! snapshots.

use std::fmt::Write as _;

use clap::{Arg, Command};

use crate::cli::commands::man;
use crate::cli::{arguments, groups};
use crate::config::DEFAULT_TEXT;
use crate::tui::key_list;

/// What each page says about itself.
const MADE: &str = "<!-- Made by src/cli/tests/guide.rs from the program: INSTA_UPDATE=always writes it anew. -->";

/// Holds a page of the guide to what it has to say.
fn hold(page: &str, title: &str, body: &str) {
    let path = format!("{}/docs/src/reference/{page}", env!("CARGO_MANIFEST_DIR"));
    let wanted = format!("# {title}\n\n{MADE}\n\n{}\n", body.trim());
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(&path, &wanted).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(there == wanted, "INSTA_UPDATE=always writes {path} anew; it has to say:\n{wanted}");
}

/// Text in a cell of a table.
fn cell(text: &str) -> String {
    sentence(text).replace('|', "\\|")
}

/// Text in one line, with nothing outside of code that Markdown or HTML would take for its own.
fn sentence(text: &str) -> String {
    let mut shown = String::new();
    for (place, part) in text.split('`').enumerate() {
        let is_code = place % 2 == 1;
        if place > 0 {
            shown.push('`');
        }
        let part = part.replace('\n', " ");
        shown.push_str(&if is_code { part } else { part.replace('<', "&lt;").replace('*', "\\*") });
    }
    shown
}

/// `--platform <PLATFORM>`, `-y`, `--yes`, or `<REF>...`.
fn written(argument: &Arg) -> String {
    let names = argument.get_value_names().filter(|_| argument.get_action().takes_values()).unwrap_or_default();
    let names = names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let is_optional = argument.get_num_args().is_some_and(|count| count.min_values() == 0);
    let values = match names.as_str() {
        "" => String::new(),
        names if is_optional => format!("[={names}]"),
        names => format!(" {names}"),
    };
    match (argument.get_short(), argument.get_long()) {
        (None, None) => {
            let many = if argument.get_num_args().is_some_and(|count| count.max_values() > 1) { "…" } else { "" };
            format!("`{}{many}`", values.trim())
        }
        (Some(short), Some(long)) => format!("`-{short}`, `--{long}{values}`"),
        (Some(short), None) => format!("`-{short}{values}`"),
        (None, Some(long)) => format!("`--{long}{values}`"),
    }
}

/// What an argument means, with its default and what it may be.
fn meaning(argument: &Arg) -> String {
    let help = argument.get_long_help().or_else(|| argument.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut text = cell(help.trim());
    if let Some(variable) = argument.get_env() {
        let _ = write!(text, " [env: {}]", cell(&format!("`{}`", variable.to_string_lossy())));
    }
    let defaults: Vec<String> =
        argument.get_default_values().iter().map(|value| format!("`{}`", value.to_string_lossy())).collect();
    if !defaults.is_empty() && argument.get_action().takes_values() && !argument.is_hide_default_value_set() {
        let _ = write!(text, " [default: {}]", defaults.join(", "));
    }
    let values: Vec<String> = argument
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| {
            let help = value.get_help().map(|help| format!(": {}", cell(&help.to_string()))).unwrap_or_default();
            format!("`{}`{help}", value.get_name())
        })
        .collect();
    if argument.get_action().takes_values() && !values.is_empty() && !argument.is_hide_possible_values_set() {
        let _ = write!(text, "<br>{}", values.join("<br>"));
    }
    text
}

/// A table of those arguments that belong to a verb alone.
fn table(text: &mut String, command: &Command, is_main: bool) {
    let rows: Vec<&Arg> = command
        .get_arguments()
        .filter(|argument| !argument.is_hide_set() && !matches!(argument.get_id().as_str(), "help" | "version"))
        .filter(|argument| is_main || !argument.is_global_set())
        .collect();
    if rows.is_empty() {
        return;
    }
    text.push_str("| | |\n|---|---|\n");
    for argument in rows {
        let _ = writeln!(text, "| {} | {} |", written(argument).replace('|', "\\|"), meaning(argument));
    }
    text.push('\n');
}

/// What stands below a verb's help: examples as they are, sentences as sentences.
fn after(text: &mut String, help: &str) {
    for part in help.split("\n\n") {
        if let Some((heading, lines)) = part.split_once(":\n").filter(|(_, lines)| lines.starts_with("  ")) {
            let lines: Vec<&str> = lines.lines().map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
            let _ = write!(text, "{heading}:\n\n```text\n{}\n```\n\n", lines.join("\n"));
        } else {
            let _ = write!(text, "{}\n\n", sentence(part));
        }
    }
}

fn describe(text: &mut String, command: &Command, path: &str) {
    let is_main = path == "roadstead";
    let about = command.get_long_about().or_else(|| command.get_about()).map(ToString::to_string).unwrap_or_default();
    let about = sentence(about.trim());
    let stop = if about.ends_with(['.', ':']) { "" } else { "." };
    let usage = command.clone().render_usage().to_string();
    let usage: Vec<&str> = usage.trim_start_matches("Usage:").lines().map(str::trim).collect();
    let _ = write!(text, "## {path}\n\n{about}{stop}\n\n```text\n{}\n```\n\n", usage.join("\n"));
    let aliases: Vec<String> = command.get_visible_aliases().map(|alias| format!("`{alias}`")).collect();
    if !aliases.is_empty() {
        let _ = write!(text, "Alias: {}\n\n", aliases.join(", "));
    }
    table(text, command, is_main);
    if let Some(help) = command.get_after_long_help().or_else(|| command.get_after_help()) {
        after(text, help.to_string().trim());
    }
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        describe(text, verb, &format!("{path} {}", verb.get_name()));
    }
}

#[test]
fn the_page_of_verbs() {
    let mut command = arguments::command();
    command.build();
    let mut text = String::from("Every verb takes the options of `roadstead` itself, before or after its own.\n\n");
    for (title, names) in groups::GROUPS {
        let links = names.iter().map(|name| format!("[`{name}`](#roadstead-{name})")).collect::<Vec<_>>();
        let _ = writeln!(text, "- **{title}**: {}", links.join(", "));
    }
    text.push('\n');
    describe(&mut text, &command, "roadstead");
    hold("verbs.md", "Verbs", &text);
}

#[test]
fn the_page_of_keys() {
    let text = format!(
        "`roadstead` without a verb opens the [terminal interface](../interface.md). `?` shows the commands available where you are. \
         The section `[interface.keys]` of the [configuration](configuration.md) changes their keys, by the names in the second \
         column.\n\n{}",
        key_list::markdown()
    );
    hold("keys.md", "Keys", &text);
}

#[test]
fn the_page_of_the_configuration() {
    let mut text = format!(
        "A flag overrides an environment variable, which overrides the configuration file. `roadstead config show` prints every \
         setting, its value, and where it comes from.\n\n## The file\n\n`roadstead config init` writes it with every default in it, \
         commented out:\n\n```toml\n{}\n```\n\nThe registry's own name and its default platform are part of the published tree, so \
         they are kept in the catalog: `roadstead config set name registry.example.com`.\n\n",
        DEFAULT_TEXT.trim()
    );
    for (title, rows) in [("Environment", &man::ENVIRONMENT[..]), ("Files", &man::FILES[..])] {
        let _ = write!(text, "## {title}\n\n| | |\n|---|---|\n");
        for (name, meaning) in rows {
            let _ = writeln!(text, "| `{name}` | {} |", cell(meaning));
        }
        text.push('\n');
    }
    hold("configuration.md", "Configuration", &text);
}

#[test]
fn the_page_of_exit_codes() {
    let mut text = String::from(
        "The kind is what an error says with `--json`: `{\"error\": {\"kind\": …, \"message\": …, \"hints\": […], \"exit_code\": …}}`.\n\n\
         | code | kind | meaning |\n|---|---|---|\n| 0 | | Success. |\n",
    );
    let mut codes = man::EXIT_CODES;
    codes.sort_by_key(|(kind, _)| kind.exit_code());
    for (kind, meaning) in codes {
        let _ = writeln!(text, "| {} | `{}` | {} |", kind.exit_code(), kind.name(), cell(meaning));
    }
    let _ = write!(text, "\n## Output\n\n{}", man::OUTPUT);
    hold("exit-codes.md", "Exit codes", &text);
}
