//! The command line: arguments in, text out, a truthful exit code.
//!
//! One file a verb: its arguments and what it does with the engine. Knows the engine and the configuration; only
//! `output` writes, only `progress` hears signals. Verbs that only read start no runtime.

mod arguments;
mod background;
mod commands;
mod completers;
mod configuration_files;
mod context;
mod exit;
mod global;
mod groups;
mod hooks;
mod mirroring;
mod mistakes;
mod origin;
mod output;
mod parsed;
mod place;
mod planned;
mod progress;
mod publish_plan;
mod publish_report;
mod quoting;
mod references;
mod report;
mod returning;
mod rule_report;
mod style;
mod suggest;
mod table;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::FromArgMatches as _;

use crate::error::{Error, Kind, Result};
use arguments::{Arguments, Verb};
use commands::{
    add, allow, client, completions, config, demo, diff, doctor, export, follow, gc, history, import, interface, list,
    man, metrics, outdated, publish, remove, restore, rollback, root, rules, schedule, serve, show, stats, targets,
    undo, update, verify, watch,
};
use context::Context;
use exit::Exit;
use output::{Colour, Output, Style};

/// Runs the program with the arguments of this process and returns its exit code.
pub fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    match completers::answer_shell(&words, arguments::command) {
        Ok(false) => {}
        Ok(true) => return ExitCode::SUCCESS,
        Err(error) => return end(&Output::of_process(Style::default()), Err(error)),
    }
    let matches = match arguments::command().try_get_matches_from(&words) {
        Ok(matches) => matches,
        Err(error) => return explain_arguments(&error, &words),
    };
    let arguments = match Arguments::from_arg_matches(&matches) {
        Ok(arguments) => arguments,
        Err(error) => return explain_arguments(&error, &words),
    };
    // Help and version come out of clap as errors that are none.
    if let Some(asked) = arguments.verb.as_ref().and_then(Verb::as_flag)
        && let Err(error) = arguments::command().try_get_matches_from(asked)
    {
        return explain_arguments(&error, &words);
    }
    let output = Output::of_process(arguments.global.style());
    let ended = run(arguments, &matches, &output);
    end(&output, ended)
}

fn run(arguments: Arguments, matches: &clap::ArgMatches, output: &Output) -> Result<Exit> {
    let Some(verb) = arguments.verb else {
        if output.is_json() {
            return Err(Error::new(Kind::Usage, "no verb given").hint("`roadstead --help` lists them."));
        }
        let given = arguments.global.given(matches);
        return interface::run(&Context::new(arguments.global, &given, output.clone())?, &arguments::command());
    };
    let given = arguments.global.given(matches);
    let read_only = arguments.global.read_only;
    // These work without any configuration, a broken one too.
    match &verb {
        Verb::Completions(arguments) => return completions::run(arguments, output),
        Verb::Man(asked) => return man::run(asked, arguments::command(), output),
        Verb::Config(config::Arguments { verb: config::ConfigVerb::Init(arguments) }) => {
            context::may_change(read_only)?;
            return config::init(arguments, &given, output);
        }
        Verb::Config(config::Arguments { verb: config::ConfigVerb::Web(arguments) }) => {
            return config::web(arguments, output);
        }
        Verb::Doctor(asked) => return doctor::run(asked, arguments.global.clone(), &given, output),
        _ => {}
    }
    let context = Context::new(arguments.global, &given, output.clone())?;
    context.start_log();
    match verb {
        Verb::Add(arguments) => add::run(&arguments, &context),
        Verb::Update(arguments) => update::run(&arguments, &context),
        Verb::Rule(arguments) => rules::run(&arguments, &context),
        Verb::Outdated(arguments) => outdated::run(&arguments, &context),
        Verb::Remove(arguments) => remove::run(&arguments, &context),
        Verb::Undo(arguments) => undo::run(&arguments, &context, undo::Direction::Undo),
        Verb::Redo(arguments) => undo::run(&arguments, &context, undo::Direction::Redo),
        Verb::Gc(arguments) => gc::run(&arguments, &context),
        Verb::Allow(arguments) => allow::run(&arguments, &context),
        Verb::List(arguments) => list::run(&arguments, &context),
        Verb::Show(arguments) => show::run(&arguments, &context),
        Verb::Stats => stats::run(&context),
        Verb::Root(arguments) => root::run(&arguments, &context),
        Verb::Export(arguments) => export::run(&arguments, &context),
        Verb::Restore(arguments) => restore::run(&arguments, &context),
        Verb::Import(arguments) => import::run(&arguments, &context),
        Verb::Follow(arguments) => follow::run(&arguments, &context),
        Verb::Serve(arguments) => serve::run(&arguments, &context),
        Verb::Publish(arguments) => publish::run(&arguments, &context),
        Verb::Rollback(arguments) => rollback::run(&arguments, &context),
        Verb::Target(arguments) => targets::run(&arguments, &context),
        Verb::History(arguments) => history::run(&arguments, &context),
        Verb::Diff(arguments) => diff::run(&arguments, &context),
        Verb::Client(arguments) => client::run(&arguments, &context),
        Verb::Schedule(arguments) => schedule::run(&arguments, &context),
        Verb::Watch(arguments) => watch::run(&arguments, &context),
        Verb::Metrics(arguments) => metrics::run(&arguments, &context),
        Verb::Verify(arguments) => verify::run(&arguments, &context),
        Verb::Demo(arguments) => demo::run(&arguments, &context, &arguments::command()),
        Verb::Config(config::Arguments { verb: config::ConfigVerb::Set(arguments) }) => {
            config::set(&arguments, &context)
        }
        Verb::Config(_) => config::show(&context),
        Verb::Completions(_) | Verb::Man(_) | Verb::Doctor(_) | Verb::Help(_) | Verb::Version => Ok(Exit::Done),
    }
}

/// Says what went wrong, brings all data out, and gives the exit code.
fn end(output: &Output, ended: Result<Exit>) -> ExitCode {
    // Data that can't be written are an error, also after one.
    let ended = match (ended, output.finish()) {
        (Ok(_), Err(error)) => Err(error),
        (ended, _) => ended,
    };
    match ended {
        Ok(exit) => ExitCode::from(exit.code()),
        // Nobody reads any more: `roadstead list | head`.
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output.error(&error);
            ExitCode::from(error.kind().exit_code())
        }
    }
}

/// What clap says of the arguments: help and version as data, mistakes as errors in the form that was asked for.
fn explain_arguments(error: &clap::Error, words: &[OsString]) -> ExitCode {
    // Nothing is parsed yet, so the few flags that decide the form are looked for.
    let before_end = || words.iter().skip(1).take_while(|word| *word != "--");
    let colour = before_end().zip(before_end().skip(1)).find_map(|(flag, value)| {
        let value = if flag == "--color" { value.to_str() } else { flag.to_str()?.strip_prefix("--color=") }?;
        <Colour as clap::ValueEnum>::from_str(value, false).ok()
    });
    let json = before_end().any(|word| word == "--json");
    let output = Output::of_process(Style { json, quiet: 0, colour: colour.unwrap_or_default() });
    if !error.use_stderr() {
        let text = error.render();
        let text = if output.paint.is_colour() { text.ansi().to_string() } else { text.to_string() };
        return end(&output, output.raw(text.as_bytes()).map(|()| Exit::Done));
    }
    let mut root = arguments::command();
    root.build();
    output.error(&mistakes::explain(error, &root));
    ExitCode::from(Kind::Usage.exit_code())
}
