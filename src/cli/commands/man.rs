//! `man`: the manual, from the same tree as `--help`.

use std::fs;
use std::path::PathBuf;

use clap::{Args, Command, ValueHint};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};
use serde_json::json;

use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::error::{Context as _, Kind, Result};
use crate::text::count;
use crate::tui::key_list;

/// Where to.
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Write one page per verb into this directory [default: print the main page].
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(in crate::cli) directory: Option<PathBuf>,
}

/// What the manual says first.
const DESCRIPTION: &str = "Roadstead mirrors container images from any registry into a static registry that is one directory tree \
    with one CID. Clients pull from it by name: over IPFS, from any web host, or from `roadstead serve`.";

/// What each exit code means.
pub(in crate::cli) const EXIT_CODES: [(Kind, &str); 11] = [
    (Kind::Unexpected, "The disk or the database failed, or the program has a bug."),
    (Kind::Usage, "The request makes no sense or can't be done."),
    (Kind::Unchanged, "What a --fail-if flag watches for: nothing to do, or something outdated."),
    (Kind::NotFound, "A repository, tag, platform, blob or catalog was not found."),
    (Kind::Auth, "Credentials are missing or were refused."),
    (Kind::Network, "The network or a registry failed."),
    (Kind::Node, "An IPFS node failed."),
    (Kind::Verification, "Bytes don't match their digest or CID."),
    (Kind::Partial, "Part succeeded, part failed; or images wait for the next run of the rules."),
    (Kind::Locked, "Another process is changing the catalog."),
    (Kind::Interrupted, "Stopped by ^C or SIGTERM, or you answered no."),
];

pub(in crate::cli) const FILES: [(&str, &str); 6] = [
    ("~/.local/share/roadstead", "The data directory: catalog and blobs. --data-dir names another one."),
    (
        "~/.config/roadstead/config.toml",
        "The configuration; `roadstead config init` writes one. --config names another one.",
    ),
    ("$XDG_RUNTIME_DIR/containers/auth.json", "Credentials of podman login."),
    ("~/.config/containers/auth.json", "Credentials of podman login."),
    ("~/.docker/config.json", "Credentials of docker login, and its credential helpers."),
    ("/dev/stdin", "References for `roadstead add -`, one per line; blank lines and comments after # are ignored."),
];

pub(in crate::cli) const ENVIRONMENT: [(&str, &str); 7] = [
    ("ROADSTEAD_DATA_DIR", "The data directory; --data-dir overrides it."),
    ("ROADSTEAD_CONFIG", "The configuration file; --config overrides it."),
    ("ROADSTEAD_LOG", "What to log to standard error, as in `roadstead=debug`; overrides -v."),
    ("NO_COLOR", "If set and not empty: no colour, unless --color always."),
    ("DOCKER_CONFIG", "The directory of docker's config.json."),
    ("REGISTRY_AUTH_FILE", "The file with podman's credentials, instead of its usual ones."),
    ("HTTPS_PROXY, HTTP_PROXY, NO_PROXY", "Proxies for reaching registries."),
];

pub(in crate::cli) const OUTPUT: &str = "Data goes to standard output, messages and progress to standard error. With --json, standard \
    output holds one JSON document; warnings and errors are JSON objects on standard error, one per line, and so is \
    progress with --progress json. ^C stops cleanly and keeps what is verified; the same command continues from \
    there. A second ^C stops at once.";

const KEYS: &str = "Without a verb, roadstead opens its terminal interface. These are its keys; the name in parentheses is \
    what the section [interface.keys] of the configuration calls the command.";

/// Prints the main page, or writes all of them. JSON: `{"page":…}` or `{"files":[…]}`.
pub(in crate::cli) fn run(arguments: &Arguments, mut command: Command, output: &Output) -> Result<Exit> {
    command.build();
    let date = date(std::env::var("SOURCE_DATE_EPOCH").ok().as_deref());
    let Some(directory) = &arguments.directory else {
        let page = page(&command, true, &date)?;
        output.json(&json!({ "page": page }))?;
        output.data(&page)?;
        return Ok(Exit::Done);
    };
    let what = || format!("can't write manual pages to {}", directory.display());
    fs::create_dir_all(directory).context(what)?;
    let mut files = Vec::new();
    for (name, command) in commands(&command) {
        let file = directory.join(format!("{name}.1"));
        fs::write(&file, page(command, name == "roadstead", &date)?).context(what)?;
        files.push(file);
    }
    output.json(&json!({ "files": files }))?;
    output.message(&format!("Wrote {} to {}", count(files.len() as u64, "page", "pages"), directory.display()));
    Ok(Exit::Done)
}

/// Every command of the tree under the name of its page.
fn commands(command: &Command) -> Vec<(String, &Command)> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let mut all = vec![(name, command)];
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        all.extend(commands(verb));
    }
    all
}

/// The day of the pages, as `YYYY-MM-DD`: today, or the one that a build says so that it makes the same bytes again
/// (reproducible-builds.org, `SOURCE_DATE_EPOCH`: seconds since 1970).
fn date(epoch: Option<&str>) -> String {
    let said =
        epoch.and_then(|seconds| seconds.parse().ok()).and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    said.unwrap_or_else(jiff::Timestamp::now).strftime("%Y-%m-%d").to_string()
}

fn page(command: &Command, is_main: bool, date: &str) -> Result<String> {
    let what = || "can't write a manual page";
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_uppercase();
    // A manual has room for what each value means, and headings in capitals.
    let mut shown =
        command.clone().mut_args(|argument| argument.hide_possible_values(false)).subcommand_help_heading("VERBS");
    if is_main {
        shown = shown.long_about(DESCRIPTION);
    }
    let source = concat!("roadstead ", env!("CARGO_PKG_VERSION"));
    let man = Man::new(shown).title(name).section("1").date(date).source(source).manual("Roadstead");
    let mut page = Vec::new();
    man.render_title(&mut page).context(what)?;
    man.render_name_section(&mut page).context(what)?;
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    let (name, rest) = usage.split_at(usage.find([' ', '[', '<']).unwrap_or(usage.len()));
    let mut synopsis = Roff::new();
    synopsis.control("SH", ["SYNOPSIS"]);
    synopsis.text([bold(name), roman(rest)]);
    synopsis.to_writer(&mut page).context(what)?;
    man.render_description_section(&mut page).context(what)?;
    man.render_options_section(&mut page).context(what)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page).context(what)?;
    }
    let mut rest = Roff::new();
    if is_main {
        rest.control("SH", ["OUTPUT"]);
        rest.text([roman(OUTPUT)]);
    }
    rest.control("SH", ["EXIT STATUS"]);
    term(&mut rest, "0", "Success.");
    for (kind, meaning) in EXIT_CODES {
        term(&mut rest, &kind.exit_code().to_string(), meaning);
    }
    if is_main {
        rest.control("SH", ["FILES"]);
        for (name, meaning) in FILES {
            rest.control("TP", []);
            rest.text([italic(name)]);
            rest.text([roman(meaning)]);
        }
        rest.control("SH", ["ENVIRONMENT"]);
        for (name, meaning) in ENVIRONMENT {
            term(&mut rest, name, meaning);
        }
    }
    if is_main {
        rest.control("SH", ["KEYS"]);
        rest.text([roman(KEYS)]);
        for (heading, entries) in key_list::parts() {
            rest.control("SS", [heading]);
            for entry in entries {
                term(&mut rest, &entry.keys.join(", "), &format!("{} ({}).", entry.explanation, entry.id));
            }
        }
    }
    if let Some(text) = command.get_after_help() {
        let text = text.to_string();
        // `Examples:` is a heading; a sentence is not.
        let heading = text.split_once(":\n").filter(|(heading, _)| !heading.contains('\n') && heading.len() < 30);
        let (heading, text) = heading.unwrap_or(("Examples", &text));
        rest.control("SH", [heading.to_uppercase().as_str()]);
        rest.control("nf", []);
        for line in text.lines() {
            rest.text([roman(line)]);
        }
        rest.control("fi", []);
    }
    if !is_main {
        rest.control("SH", ["SEE ALSO"]);
        rest.text([bold("roadstead"), roman("(1): output, files, environment")]);
    }
    rest.to_writer(&mut page).context(what)?;
    // An empty line between two line breaks is one vertical space, and said so without a warning of mandoc.
    Ok(String::from_utf8_lossy(&page).replace("\n.br\n\n.br\n", "\n.sp\n"))
}

fn term(page: &mut Roff, name: &str, meaning: &str) {
    page.control("TP", []);
    page.text([bold(name)]);
    page.text([roman(meaning)]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::Style;
    use crate::cli::output::tests::captured;

    #[test]
    fn every_verb_has_a_page() {
        let directory = tempfile::tempdir().unwrap();
        let (output, _, err) = captured(Style::default());
        run(&Arguments { directory: Some(directory.path().to_owned()) }, crate::cli::arguments::command(), &output)
            .unwrap();
        let mut names: Vec<String> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert!(
            names.contains(&"roadstead.1".to_owned()) && names.contains(&"roadstead-config-show.1".to_owned()),
            "{names:?}"
        );
        let inner = 4 + 3 + 11 + 12;
        let shown = crate::cli::arguments::command().get_subcommands().filter(|verb| !verb.is_hide_set()).count();
        assert_eq!(names.len(), inner + shown + 1, "{names:?}");
        assert!(err.text().starts_with(&format!("Wrote {} pages to ", names.len())), "{}", err.text());
        let add = fs::read_to_string(directory.path().join("roadstead-add.1")).unwrap();
        assert!(add.contains("kubeadm") && add.contains("EXIT STATUS"), "{add}");
    }

    #[test]
    fn a_build_says_the_day_of_the_pages() {
        assert_eq!(date(Some("1700000000")), "2023-11-14");
        assert_eq!(date(Some("nonsense")), date(None));
    }

    #[test]
    fn the_main_page_says_codes_files_and_environment() {
        let mut command = crate::cli::arguments::command();
        command.build();
        let page = page(&command, true, "2026-01-31").unwrap();
        assert!(page.contains(".TH ROADSTEAD 1 2026-01-31 \"roadstead "), "{page}");
        for expected in
            ["EXIT STATUS", "130", "FILES", "config.toml", "ENVIRONMENT", "ROADSTEAD\\_LOG", "EXAMPLES", "OUTPUT"]
        {
            assert!(page.contains(expected) || page.contains(&expected.replace('\\', "")), "{expected}: {page}");
        }
        for entry in crate::tui::command::TABLE {
            let name = entry.id.replace('-', "\\-");
            assert!(page.contains(&format!("({name})")), "{name}: {page}");
        }
    }
}
