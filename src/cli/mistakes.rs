//! Mistakes on the command line in the program's own words: what is wrong, what was probably meant, how it is written.
//!
//! clap finds them. Knows the tree of verbs; must not know what any verb does.

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::error::{Error, Kind};
use crate::text::{nearest, printable_within};

/// What other programs call a verb of ours.
const ELSEWHERE: [(&str, &str); 22] = [
    ("catalog", "list"),
    ("check", "verify"),
    ("clean", "gc"),
    ("copy", "add"),
    ("delete", "remove"),
    ("df", "stats"),
    ("du", "stats"),
    ("fetch", "add"),
    ("fsck", "verify"),
    ("get", "add"),
    ("images", "list"),
    ("info", "show"),
    ("inspect", "show"),
    ("mirror", "add"),
    ("prune", "gc"),
    ("pull", "add"),
    ("refresh", "update"),
    ("rmi", "remove"),
    ("save", "export"),
    ("start", "serve"),
    ("sync", "update"),
    ("upgrade", "update"),
];

/// What other programs have a verb for and this one has not, with what there is in its place.
const THEIRS: [(&str, &str); 6] = [
    ("login", LOGIN),
    ("logout", LOGIN),
    ("push", "Nothing is pushed to this registry; `roadstead add` mirrors an image into it."),
    ("search", "No registry is searched. `roadstead list` shows what is mirrored, and `/` in the interface finds it."),
    ("tag", "`roadstead add --as NAME:TAG` mirrors an image under another name."),
    (
        "tags",
        "`roadstead list REPO` lists the tags that are mirrored, `roadstead rule try 'REPO:*'` those that upstream has.",
    ),
];
const LOGIN: &str = "`docker login` and `podman login` store credentials; roadstead reads them.";

/// More verbs than this that begin alike are no suggestion.
const MAX_SUGGESTIONS: usize = 3;

/// What is wrong, as every other error is shown. `root` is the built tree.
pub(super) fn explain(error: &clap::Error, root: &Command) -> Error {
    let (command, path) = spoken_to(error, root);
    let given = |kind| error.get(kind).map(words).unwrap_or_default();
    let argument = shown(given(ContextKind::InvalidArg).first().map_or("", String::as_str));
    let value = shown(given(ContextKind::InvalidValue).first().map_or("", String::as_str));
    let (message, hints) = match error.kind() {
        ErrorKind::InvalidSubcommand => unknown_verb(error, command, &path),
        // With nothing at all after the verb clap would rather show help.
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let verbs: Vec<String> = verbs(command).map(|verb| format!("`{path} {verb}`")).collect();
            (format!("`{path}` needs a verb"), vec![format!("Choose {}.", listed(&verbs, "or"))])
        }
        ErrorKind::MissingRequiredArgument => {
            let missing = given(ContextKind::InvalidArg);
            // A flag that another flag needs: the usage would say nothing of it.
            let hint = (!missing.iter().any(|name| name.starts_with('-'))).then(|| usage(command));
            let missing: Vec<String> = missing.iter().map(|name| plain(name)).collect();
            (format!("`{path}` needs {}", listed(&missing, "and")), hint.into_iter().collect())
        }
        ErrorKind::UnknownArgument if argument.starts_with('-') => {
            let meant = given(ContextKind::SuggestedArg).first().map(|flag| format!("Did you mean `{}`?", shown(flag)));
            let hint = meant.unwrap_or_else(|| format!("`{path} --help` lists its flags."));
            (format!("`{path}` has no flag `{argument}`"), vec![hint])
        }
        ErrorKind::UnknownArgument => (format!("`{path}` takes no argument `{argument}`"), vec![usage(command)]),
        ErrorKind::InvalidValue if value.is_empty() => (format!("`{}` needs a value", plain(&argument)), vec![]),
        ErrorKind::InvalidValue => {
            let possible: Vec<String> =
                given(ContextKind::ValidValue).iter().map(|value| format!("`{}`", shown(value))).collect();
            let message = format!("invalid value `{value}` for `{}`", plain(&argument));
            (message, vec![format!("Choose {}.", listed(&possible, "or"))])
        }
        ErrorKind::ValueValidation => invalid_value(error, &argument, &value),
        ErrorKind::ArgumentConflict => {
            let other = given(ContextKind::PriorArg).first().map_or(String::new(), |other| plain(other));
            (format!("`{}` and `{other}` can't be combined", plain(&argument)), vec![])
        }
        _ => fallback(error),
    };
    hints.into_iter().fold(Error::new(Kind::Usage, message), Error::hint)
}

/// The verb that the error is about, and its name in full.
fn spoken_to<'a>(error: &clap::Error, root: &'a Command) -> (&'a Command, String) {
    // Help in place of an error has it in its text.
    let usage = error.get(ContextKind::Usage).map_or_else(|| vec![error.render().to_string()], words).concat();
    let usage = usage.split_once("Usage: ").map_or("", |(_, usage)| usage);
    let mut command = root;
    let mut path = root.get_name().to_owned();
    // `roadstead config [OPTIONS] …`
    for word in usage.split_whitespace().skip(1) {
        let Some(verb) = command.find_subcommand(word) else { break };
        command = verb;
        path = format!("{path} {word}");
    }
    (command, path)
}

fn unknown_verb(error: &clap::Error, command: &Command, path: &str) -> (String, Vec<String>) {
    let word = error.get(ContextKind::InvalidSubcommand).map(words).unwrap_or_default().concat();
    let is_root = !path.contains(' ');
    let mut hints = Vec::new();
    let help = format!("`{path} --help` lists the verbs.");
    let meant: Vec<String> = match word.as_str() {
        "help" => {
            let hint = format!("`{path} --help` lists the verbs, and `{path} VERB --help` explains one.");
            return (format!("`{path}` has no verb `help`"), vec![hint]);
        }
        _ if is_root && THEIRS.iter().any(|(verb, _)| *verb == word) => {
            hints.extend(THEIRS.iter().filter(|(verb, _)| *verb == word).map(|(_, hint)| (*hint).to_owned()));
            vec![]
        }
        _ => similar(&word, command, is_root).into_iter().map(|verb| format!("{path} {verb}")).collect(),
    };
    if !meant.is_empty() {
        let meant: Vec<String> = meant.iter().map(|line| format!("`{line}`")).collect();
        hints.push(format!("Did you mean {}?", listed(&meant, "or")));
    }
    hints.push(help);
    (format!("`{path}` has no verb `{}`", shown(&word)), hints)
}

/// The verbs that this word may stand for: what other programs call so, else what it begins, else the nearest one.
fn similar(word: &str, command: &Command, is_root: bool) -> Vec<String> {
    let elsewhere = ELSEWHERE.iter().find(|(name, _)| is_root && *name == word).map(|(_, verb)| *verb);
    if let Some(verb) = elsewhere {
        return vec![verb.to_owned()];
    }
    let begun: Vec<String> = verbs(command).filter(|verb| verb.starts_with(word)).map(String::from).collect();
    if !word.is_empty() && (1..=MAX_SUGGESTIONS).contains(&begun.len()) {
        return begun;
    }
    nearest(word, verbs(command)).map(String::from).into_iter().collect()
}

fn invalid_value(error: &clap::Error, argument: &str, value: &str) -> (String, Vec<String>) {
    let why = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    // `arguments::parsed` hands hints on as lines of clap's kind.
    let mut lines = why.lines().map(str::trim);
    let what = match lines.next().unwrap_or_default() {
        "invalid digit found in string" => "not a number",
        what => what,
    };
    let hints = lines.filter_map(|line| line.strip_prefix("tip: ")).map(String::from).collect();
    let message = match (what.starts_with('`'), argument.starts_with('-')) {
        // It names the value itself.
        (true, false) => what.to_owned(),
        (true, true) => format!("`{}`: {what}", flag(argument)),
        (false, _) => format!("invalid value `{value}` for `{}`: {what}", plain(argument)),
    };
    (message, hints)
}

fn fallback(error: &clap::Error) -> (String, Vec<String>) {
    let text = error.render().to_string();
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let hints = rest.lines().map(str::trim).filter_map(|line| line.strip_prefix("tip: ")).map(String::from);
    (first.trim_start_matches("error: ").to_owned(), hints.collect())
}

/// How the verb is written, and its first example.
fn usage(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let mut lines = examples.lines().skip_while(|line| *line != "Examples:").skip(1);
    match lines.next().and_then(|line| line.trim().split("  ").next()) {
        Some(example) => format!("Write `{usage}`, for example `{example}`."),
        None => format!("Write `{usage}`."),
    }
}

fn verbs(command: &Command) -> impl Iterator<Item = &str> {
    command.get_subcommands().filter(|verb| !verb.is_hide_set()).map(Command::get_name)
}

fn words(value: &ContextValue) -> Vec<String> {
    match value {
        ContextValue::String(word) => vec![word.clone()],
        ContextValue::Strings(words) => words.clone(),
        ContextValue::StyledStr(text) => vec![text.to_string()],
        _ => vec![],
    }
}

fn shown(word: &str) -> String {
    printable_within(word, 200)
}

/// `--tls-key <FILE>` without its value.
fn flag(argument: &str) -> &str {
    argument.split([' ', '=']).next().unwrap_or_default()
}

/// `--tls-key <FILE>` as `--tls-key FILE`, and `<REF>...` as `REF`.
fn plain(argument: &str) -> String {
    shown(argument.trim_end_matches("...")).replace(['<', '>'], "")
}

/// `a, b and c`.
pub(super) fn listed(words: &[String], last: &str) -> String {
    match words {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., end] => format!("{} {last} {end}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::arguments;
    use super::*;

    fn said(words: &[&str]) -> String {
        let mut root = arguments::command();
        root.build();
        let error = arguments::command().try_get_matches_from([&["roadstead"], words].concat()).unwrap_err();
        let error = explain(&error, &root);
        assert_eq!(error.kind(), Kind::Usage);
        format!("{error}\n{}\n", error.hints().join("\n"))
    }

    #[test]
    fn verbs_that_other_programs_have() {
        for (word, verb) in
            [("images", "list"), ("rmi", "remove"), ("pull", "add"), ("inspect", "show"), ("prune", "gc")]
        {
            let said = said(&[word, "nginx"]);
            assert!(said.contains(&format!("Did you mean `roadstead {verb}`?")), "{said}");
        }
        let names: Vec<String> = verbs(&arguments::command()).map(String::from).collect();
        for (word, verb) in ELSEWHERE {
            assert!(names.iter().any(|name| name == verb), "{verb} is no verb");
            assert!(names.iter().all(|name| name != word), "{word} is a verb by now");
        }
    }

    #[test]
    fn everything_a_person_gets_wrong() {
        // What the environment sets must not show up in how a verb is written.
        let mut text = String::new();
        for line in [
            "lst",
            "sh",
            "s",
            "re",
            "x",
            "config help",
            "push a",
            "login ghcr.io",
            "tags nginx",
            "search nginx",
            "tag a b",
            "config",
            "config shw",
            "add",
            "remove",
            "show",
            "list a b",
            "list --al",
            "list --sort colour",
            "--jsn list",
            "add x --dryrun",
            "add x --platform",
            "add x --platform amd46",
            "completions tcsh",
            "list --color sometimes",
            "list -q -v",
            "serve --tls-cert x",
            "serve --listen 5050",
            "list --wait long",
            "list a@b",
            "export",
            "root --profile v1",
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            text.extend(["$ roadstead ", line, "\n", &said(&words), "\n"]);
        }
        insta::assert_snapshot!("mistakes", text);
    }
}
