//! What is typed behind `:` and where images are added: words as in a shell, verbs of the command line, and what follows them.

use super::act::{act, ask, picks};
use super::app::{App, Tab};
use super::command::Command;
use super::effect::Effect;
use super::problem::Problem;
use super::work::{Plan, Request};
use super::{adding, comparing, following, rule_text, serving, view};
use crate::engine::publish::plan::PublishRequest;
use crate::engine::request::{AddOptions, Pick};
use crate::error::{Error, Kind};
use crate::image::Selection;
use crate::text::nearest;

/// Where roots are found.
const OF_ROOTS: &str = "The history in the Publish view shows them.";

/// Words as a shell reads them: quotes and backslashes keep spaces in one.
pub(super) fn words(text: &str) -> Result<Vec<String>, Problem> {
    shell_words::split(text).map_err(|_| {
        let error = Error::new(Kind::Usage, "unclosed quotation mark");
        error.hint("Quotes and backslashes work as in a shell.").into()
    })
}

/// The images that a text names. Options hold for all of them, wherever they stand, as on the command line: `--as NAME[:TAG]`,
/// `--platform LIST`, `--all-manifests`, `--insecure`, `--no-insecure`.
pub(super) fn requests(text: &str) -> Result<Request, Problem> {
    let mut sources = Vec::new();
    let mut options = AddOptions::default();
    let mut words = words(text)?.into_iter();
    while let Some(word) = words.next() {
        if !word.starts_with("--") {
            sources.push(word.parse().map_err(|error: Error| Problem::from(&error))?);
            continue;
        }
        let (flag, given) = word.split_once('=').map_or((word.as_str(), None), |(flag, value)| (flag, Some(value)));
        let wrong = |why: &str| {
            let flag = crate::text::printable_within(flag, 40);
            let error = Error::new(Kind::Usage, format!("`{flag}` {why}"));
            Problem::from(error.hint("For all images: --platform LIST, --as NAME, --all-manifests, --insecure."))
        };
        match flag {
            "--all-manifests" => options.all_manifests = true,
            "--insecure" => options.insecure = Some(true),
            "--no-insecure" => options.insecure = Some(false),
            "--as" if options.name.is_some() => return Err(wrong("is given twice")),
            "--as" | "--platform" => {
                let value = given.map(str::to_owned).or_else(|| words.next()).ok_or_else(|| wrong("needs a value"))?;
                if flag == "--as" {
                    options.name = Some(value.parse().map_err(|error: Error| Problem::from(&error))?);
                } else {
                    let more: Selection = value.parse().map_err(|error: Error| Problem::from(&error))?;
                    options.selection = Some(match options.selection.take() {
                        Some(before) => before.union(more),
                        None => more,
                    });
                }
            }
            _ => return Err(wrong("is not an option here")),
        }
    }
    options.requests(sources).map(Request::Add).map_err(Problem::from)
}

/// Verbs of the command line that the interface has a way of its own for.
const OWN_VERBS: [&str; 11] =
    ["add", "remove", "update", "outdated", "undo", "redo", "gc", "publish", "rollback", "allow", "verify"];

/// Whether a verb of the command line is carried out here, though it may be no command of the view that is open.
pub(super) fn is_carried_out_here(verb: &str) -> bool {
    OWN_VERBS.contains(&verb)
}

/// Whether this begins with a verb that is one here, or one of the command line.
pub(super) fn is_verb(app: &App, text: &str) -> bool {
    let verb = text.split(' ').next().unwrap_or(text);
    OWN_VERBS.contains(&verb) || app.verbs.iter().any(|known| known == verb) || matches!(verb, "check" | "quit" | "q")
}

/// A verb of the command line that was typed into the palette.
pub(super) fn typed(app: &mut App, text: &str) -> Vec<Effect> {
    let words = match words(text) {
        Ok(words) => words,
        Err(problem) => {
            app.complain(problem);
            return Vec::new();
        }
    };
    let Some((verb, rest)) = words.split_first() else { return Vec::new() };
    let named = |but: &str| -> Result<Vec<Pick>, Problem> {
        rest.iter()
            .filter(|word| *word != but)
            .map(|word| word.parse())
            .collect::<Result<_, Error>>()
            .map_err(Problem::from)
    };
    let has = |flag: &str| rest.iter().any(|word| word == flag);
    let known = |flag: &str| {
        matches!((verb.as_str(), flag), ("publish", "--force") | ("allow", "--revoke") | ("verify", "--repair"))
    };
    let flagged = rest.iter().any(|word| word.starts_with('-') && !known(word));
    if verb == "follow"
        && let Some(effects) = following::typed(app, rest)
    {
        return effects;
    }
    if verb == "diff"
        && let Some(effects) = comparing::typed(app, rest)
    {
        return effects;
    }
    let request = match verb.as_str() {
        "add" => {
            let text = text.trim_start().strip_prefix("add").unwrap_or_default().trim();
            if rule_text::typed(text).is_some() {
                return adding::open(app, text);
            }
            match requests(text) {
                Ok(_) => return adding::open(app, text),
                Err(problem) => Err(problem),
            }
        }
        "serve" if rest.is_empty() => return serving::turn(app),
        "list" if rest.is_empty() => return act(app, Command::Images),
        "history" if rest.is_empty() => return act(app, Command::Publish),
        // What the interface has no way of its own for, this program does on the terminal, in its own words.
        verb if (flagged || !OWN_VERBS.contains(&verb)) && app.verbs.iter().any(|known| known == verb) => {
            return vec![Effect::Verb(words)];
        }
        "remove" if rest.is_empty() => chosen(app).map(Request::Remove),
        "remove" => named("").map(Request::Remove),
        "update" if rest.is_empty() => return act(app, Command::UpdateAll),
        "update" => named("").map(Request::Update),
        "undo" => Ok(Request::Undo),
        "redo" => Ok(Request::Redo),
        "gc" => Ok(Request::Gc),
        "publish" => Ok(Request::Publish(PublishRequest {
            targets: rest.iter().filter(|word| *word != "--force").cloned().collect(),
            force: has("--force"),
            ..PublishRequest::default()
        })),
        "outdated" | "check" if rest.is_empty() => return act(app, Command::CheckAll),
        "outdated" | "check" => match named("") {
            Ok(picks) => return app.start(Box::new(Plan::Check(picks)), None),
            Err(problem) => Err(problem),
        },
        "rollback" => match rest.split_first().map(|(root, targets)| (root.parse(), targets)) {
            Some((Ok(root), targets)) => Ok(Request::Publish(PublishRequest {
                root: Some(root),
                targets: targets.to_vec(),
                ..PublishRequest::default()
            })),
            Some((Err(_), _)) => Err(Error::new(Kind::Usage, "not the CID of a root").hint(OF_ROOTS).into()),
            None => Err(Error::new(Kind::Usage, "`rollback` needs the CID of a root").hint(OF_ROOTS).into()),
        },
        "allow" => match named("--revoke") {
            Ok(repositories) if repositories.is_empty() => {
                Err(Error::new(Kind::Usage, "`allow` needs the name of a repository").into())
            }
            Ok(repositories) => return ask(app, Plan::Allow { repositories, allowed: !has("--revoke") }),
            Err(problem) => Err(problem),
        },
        "verify" => return ask(app, Plan::Verify { repair: has("--repair") }),
        "quit" | "q" => return act(app, Command::Quit),
        verb => {
            let shown = crate::text::printable_within(verb, 40);
            let error = Error::new(Kind::Usage, format!("there is no command `{shown}` here"));
            Err(match nearest(verb, OWN_VERBS.into_iter().chain(app.verbs.iter().map(String::as_str))) {
                Some(near) => error.hint(format!("Did you mean `{near}`?")).into(),
                None => error.hint("You can type any verb of the command line here, with its arguments.").into(),
            })
        }
    };
    match request {
        Ok(request) => app.plan(request),
        Err(problem) => {
            app.complain(problem);
            Vec::new()
        }
    }
}

/// What a verb is about that was typed alone: what is marked or under the cursor, where that is in sight.
fn chosen(app: &App) -> Result<Vec<Pick>, Problem> {
    let picks = if app.tab == Tab::Images { picks(app) } else { Vec::new() };
    if picks.is_empty() {
        let images = view::key(app, Command::Images);
        let error = Error::new(Kind::Usage, "`remove` needs to know which images");
        let hint = format!("Mark them in Images ({images}), or name them: `:remove NAME:TAG`.");
        return Err(error.hint(hint).into());
    }
    Ok(picks)
}
