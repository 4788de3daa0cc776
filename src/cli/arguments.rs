//! The tree of verbs and the flags that all of them have.

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Args, Command, CommandFactory as _, Parser, Subcommand, ValueHint};

use super::output::{Colour, Style};
use super::progress::Mode;
use super::{
    add, allow, client, completions, config, demo, diff, doctor, export, gc, groups, help, history, import, list, man,
    outdated, publish, remove, restore, rollback, root, serve, show, target, undo, update, verify,
};
use crate::config::{Given, Origin, Setting};
use crate::error::Error;

const ABOUT: &str = "Mirror container images into a static registry on IPFS";

/// What the manual says first.
pub(super) const DESCRIPTION: &str = "Roadstead mirrors container images from any registry into a static registry that is one directory tree \
    with one CID. Put on IPFS, on any web host, or served by `roadstead serve`, clients pull from it by name.";

const EXAMPLES: &str = "\
Examples:
  roadstead demo                           see all of it work, without network
  roadstead add nginx:alpine               mirror an image for this machine
  roadstead add --platform all redis:7     mirror every platform of an image
  roadstead list                           what is here
  roadstead serve                          serve it on http://127.0.0.1:5050
  roadstead root                           the CID of the whole registry

`roadstead man | man -l -` shows exit codes, files and environment.";

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Everything on the command line.
#[derive(Debug, Parser)]
#[command(name = "roadstead", version, about = ABOUT, after_help = EXAMPLES, styles = STYLES)]
#[command(disable_help_subcommand = true, max_term_width = 100)]
#[command(subcommand_value_name = "VERB", subcommand_help_heading = "Verbs")]
pub(super) struct Arguments {
    /// What all verbs have.
    #[command(flatten)]
    pub(super) global: Global,
    /// The verb.
    #[command(subcommand)]
    pub(super) verb: Option<Verb>,
}

/// Flags that all verbs have.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// Where the catalog and the images are kept.
    #[arg(long, global = true, env = "ROADSTEAD_DATA_DIR", hide_env_values = true, value_name = "DIR", value_parser = path(), value_hint = ValueHint::DirPath)]
    pub(super) data_dir: Option<PathBuf>,

    /// The configuration file.
    #[arg(long, global = true, env = "ROADSTEAD_CONFIG", hide_env_values = true, value_name = "FILE", value_parser = path(), value_hint = ValueHint::FilePath)]
    pub(super) config: Option<PathBuf>,

    /// Answer with one JSON document on standard output.
    #[arg(long, global = true)]
    pub(super) json: bool,

    /// Don't ask before something is removed.
    #[arg(short, long, global = true)]
    pub(super) yes: bool,

    /// Change nothing: what would change something is refused.
    #[arg(long, global = true)]
    pub(super) read_only: bool,

    /// Never ask; what would ask fails instead.
    #[arg(long, global = true)]
    pub(super) no_input: bool,

    /// How long to wait for another process that is changing the catalog [default: 60].
    #[arg(long, global = true, value_name = "SECONDS")]
    pub(super) wait: Option<u64>,

    /// Say less: no messages, no progress; twice: no warnings.
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "verbose")]
    pub(super) quiet: u8,

    /// Say more: what is asked of whom; twice: in detail.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(super) verbose: u8,

    /// When to use colour: auto, always, never.
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = Colour::Auto, hide_possible_values = true)]
    pub(super) color: Colour,

    /// How to show progress: auto, bar, plain, json, none.
    #[arg(long, global = true, value_enum, value_name = "HOW", default_value_t = Mode::Auto, hide_possible_values = true)]
    pub(super) progress: Mode,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Mirror images.
    Add(add::Arguments),
    /// Bring mirrored images up to date with their registries.
    Update(update::Arguments),
    /// Ask registries which mirrored images have moved.
    Outdated(outdated::Arguments),
    /// Take images out of the catalog.
    #[command(visible_alias = "rm")]
    Remove(remove::Arguments),
    /// Take back the last change of images.
    Undo(undo::Arguments),
    /// Do again what was undone last.
    Redo(undo::Arguments),
    /// Reclaim the disk space of what no image needs any more.
    Gc(gc::Arguments),
    /// Let private repositories be published.
    Allow(allow::Arguments),
    /// List repositories, or the images of one.
    #[command(visible_alias = "ls")]
    List(list::Arguments),
    /// Show an image: platforms, layers, CIDs, and who shares them.
    Show(show::Arguments),
    /// Show the registry in figures: what is stored, what sharing saves.
    Stats,
    /// Print the CID that the catalog stands for now.
    Root(root::Arguments),
    /// Write the registry as files or as a CAR file.
    Export(export::Arguments),
    /// Rebuild a lost catalog from a published root.
    Restore(restore::Arguments),
    /// Merge a published registry into this one.
    Import(import::Arguments),
    /// Serve the registry over HTTP.
    Serve(serve::Arguments),
    /// Hand the registry to its targets, and move the names that point to it.
    Publish(publish::Arguments),
    /// Let targets give out an older root again.
    Rollback(rollback::Arguments),
    /// Keep the places that hold the registry, and the names that point to it.
    Target(Box<target::Arguments>),
    /// Show what was published where, or give old roots up.
    History(history::Arguments),
    /// Show what differs between two roots.
    Diff(diff::Arguments),
    /// Print or write what a client needs to pull from here.
    Client(client::Arguments),
    /// Check blobs against their digests, and the tree against its root.
    Verify(verify::Arguments),
    /// Check this machine, and say what to do about what it lacks.
    Doctor(doctor::Arguments),
    /// See all of it work on an image made on the spot, without network.
    Demo(demo::Arguments),
    /// Show or set the configuration, or print a web server's.
    Config(config::Arguments),
    /// Print the completion script of a shell.
    Completions(completions::Arguments),
    /// Print the manual page, or write one page a verb.
    Man(man::Arguments),
    /// Explain a verb, as `--help` does.
    #[command(hide = true)]
    Help(help::Arguments),
    /// Print the version, as `--version` does.
    #[command(hide = true)]
    Version,
}

/// The whole tree.
pub(super) fn command() -> Command {
    groups::grouped(Arguments::command())
}

impl Global {
    /// How output is to look.
    pub(super) fn style(&self) -> Style {
        Style { json: self.json, quiet: self.quiet, colour: self.color }
    }

    /// What flags and environment say of settings.
    pub(super) fn given(&self, matches: &ArgMatches) -> Given {
        let origin = |id: &str| match matches.value_source(id) {
            Some(ValueSource::EnvVariable) => Origin::Environment,
            _ => Origin::Flag,
        };
        // An empty variable is as good as none.
        let path = |value: &Option<PathBuf>, id| {
            let given = value.clone().map(|value| Setting::new(value, origin(id)));
            given.filter(|given| given.origin == Origin::Flag || !given.value.as_os_str().is_empty())
        };
        Given {
            config: path(&self.config, "config"),
            data_dir: path(&self.data_dir, "data_dir"),
            wait: self.wait.map(|value| Setting::new(value, origin("wait"))),
        }
    }
}

/// Takes any path, an empty one too: what that means depends on where it comes from.
fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// Parses a value whose error may hold hints, which clap shows as tips.
pub(super) fn parsed<T: std::str::FromStr<Err = Error>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| {
        error.hints().iter().fold(error.to_string(), |shown, hint| format!("{shown}\n\n  tip: {hint}"))
    })
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches as _;

    use super::*;

    fn parse(words: &[&str]) -> (Arguments, ArgMatches) {
        let words = std::iter::once(&"roadstead").chain(words);
        let matches = command().try_get_matches_from(words).unwrap();
        (Arguments::from_arg_matches(&matches).unwrap(), matches)
    }

    #[test]
    fn the_tree_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn global_flags_stand_anywhere() {
        for words in [["--wait", "5", "stats"], ["stats", "--wait", "5"]] {
            let (arguments, matches) = parse(&words);
            assert_eq!(arguments.global.given(&matches).wait, Some(Setting::new(5, Origin::Flag)), "{words:?}");
        }
        let (arguments, _) = parse(&["-qq", "--json", "-y", "stats"]);
        assert_eq!((arguments.global.quiet, arguments.global.json, arguments.global.yes), (2, true, true));
        assert!(command().try_get_matches_from(["roadstead", "-q", "-v", "stats"]).is_err());
    }

    #[test]
    fn mistakes_come_with_tips() {
        let error = command().try_get_matches_from(["roadstead", "root", "--profile", "v1"]).unwrap_err().to_string();
        assert!(error.contains("tip: ") && error.contains("unixfs-v1-2025"), "{error}");
        let error = command().try_get_matches_from(["roadstead", "lst"]).unwrap_err().to_string();
        assert!(error.contains("list"), "{error}");
    }

    /// The help of every verb, so that no change goes unseen.
    #[test]
    fn the_whole_reference() {
        fn describe(command: &mut Command, path: &str, text: &mut String) {
            let help = command.clone().term_width(100).render_long_help().to_string();
            let help: Vec<&str> = help.lines().map(str::trim_end).collect();
            // Every verb has the same global options; they are shown once.
            let mut shown = help.join("\n");
            if path != "roadstead" {
                if let (Some(from), Some(until)) = (shown.find("Global options:"), shown.rfind("\n\nExamples:")) {
                    shown.replace_range(from..until, "Global options: see above");
                } else if let Some(from) = shown.find("Global options:") {
                    shown.replace_range(from.., "Global options: see above");
                }
            }
            text.extend(["## ", path, "\n\n", shown.trim_end(), "\n\n"]);
            let shown = command.get_subcommands().filter(|verb| !verb.is_hide_set());
            let names: Vec<String> = shown.map(|verb| verb.get_name().to_owned()).collect();
            for name in names {
                if let Some(verb) = command.find_subcommand_mut(&name) {
                    describe(verb, &format!("{path} {name}"), text);
                }
            }
        }
        let mut command = command();
        command.build();
        let mut text = String::new();
        describe(&mut command, "roadstead", &mut text);
        insta::assert_snapshot!("reference", text);
    }
}
