//! The tree of verbs and the flags that all of them have.

use std::ffi::OsString;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Command, CommandFactory as _, Parser, Subcommand};

use super::commands::{
    add, allow, client, completions, config, demo, diff, doctor, export, follow, gc, help, history, import, list, man,
    metrics, outdated, publish, remove, restore, rollback, root, rules, schedule, serve, show, targets as target, undo,
    update, verify, watch,
};
use super::global::Global;
use super::groups;

const ABOUT: &str = "Mirror container images into a static registry on IPFS";

const EXAMPLES: &str = "\
Examples:
  roadstead demo                           see it all work, without network
  roadstead add nginx:alpine               mirror an image for this machine
  roadstead add --platform all redis:7     mirror every platform of an image
  roadstead list                           list what is mirrored
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

/// The verbs.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Mirror images.
    Add(add::Arguments),
    /// Bring mirrored images up to date with their registries, and carry out the rules.
    Update(update::Arguments),
    /// Manage rules: what belongs in the registry, said once.
    Rule(Box<rules::Arguments>),
    /// Ask registries which mirrored images are outdated.
    Outdated(outdated::Arguments),
    /// Remove images from the catalog.
    #[command(visible_alias = "rm")]
    Remove(remove::Arguments),
    /// Undo the last change to images.
    Undo(undo::Arguments),
    /// Redo the change that was undone last.
    Redo(undo::Arguments),
    /// Reclaim the disk space that no image needs any more.
    Gc(gc::Arguments),
    /// Let private repositories be published.
    Allow(allow::Arguments),
    /// List repositories, or the images of one.
    #[command(visible_alias = "ls")]
    List(list::Arguments),
    /// Show an image: platforms, layers, CIDs, and which images share them.
    Show(show::Arguments),
    /// Show statistics: what is stored, and what sharing saves.
    Stats,
    /// Print the root, the CID of the whole registry.
    Root(root::Arguments),
    /// Write the registry as files or as a CAR file.
    Export(export::Arguments),
    /// Rebuild a lost catalog from a published root.
    Restore(restore::Arguments),
    /// Merge a published registry into this one.
    Import(import::Arguments),
    /// Keep a verified copy of a published registry.
    Follow(follow::Arguments),
    /// Serve the registry over HTTP.
    Serve(serve::Arguments),
    /// Hand the registry to its targets, and move the names that point to it.
    Publish(publish::Arguments),
    /// Publish an older root again.
    Rollback(rollback::Arguments),
    /// Manage targets: nodes that hold the registry, and names that point to it.
    Target(Box<target::Arguments>),
    /// Show what was published where, or forget old roots.
    History(history::Arguments),
    /// Show what differs between two images, or between two roots.
    Diff(diff::Arguments),
    /// Print or write a client's configuration for pulling from here.
    Client(client::Arguments),
    /// Check blobs against their digests, and the tree against its root.
    Verify(verify::Arguments),
    /// Check this machine, and suggest fixes.
    Doctor(doctor::Arguments),
    /// See it all work on a generated image, without network.
    Demo(demo::Arguments),
    /// Show or set the configuration, or print a web server's.
    Config(config::Arguments),
    /// Print or write units that update the registry again and again: systemd, launchd, cron, Kubernetes.
    Schedule(schedule::Arguments),
    /// Carry the rules out again and again.
    Watch(watch::Arguments),
    /// Print figures of the runs for Prometheus.
    Metrics(metrics::Arguments),
    /// Print a shell's completion script.
    Completions(completions::Arguments),
    /// Print the manual page, or write one page per verb.
    Man(man::Arguments),
    /// Explain a verb, as `--help` does.
    #[command(hide = true)]
    Help(help::Arguments),
    /// Print the version, as `--version` does.
    #[command(hide = true)]
    Version,
}

impl Verb {
    /// `help` and `version` as the flags that say the same; nothing for every other verb.
    pub(super) fn as_flag(&self) -> Option<Vec<OsString>> {
        let (verbs, flag) = match self {
            Self::Help(arguments) => (arguments.verbs.as_slice(), "--help"),
            Self::Version => (&[][..], "--version"),
            _ => return None,
        };
        let mut words = vec![OsString::from("roadstead")];
        words.extend(verbs.iter().cloned());
        words.push(flag.into());
        Some(words)
    }
}

pub(super) fn command() -> Command {
    groups::grouped(Arguments::command())
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches as _;
    use clap::error::ErrorKind;

    use clap::ArgMatches;

    use super::*;
    use crate::config::{Origin, Setting};

    /// What clap makes of the flag that stands for these words.
    fn said(words: &[&str]) -> clap::Error {
        let words = std::iter::once(&"roadstead").chain(words);
        let matches = command().try_get_matches_from(words).unwrap();
        let verb = Arguments::from_arg_matches(&matches).unwrap().verb.unwrap();
        command().try_get_matches_from(verb.as_flag().unwrap()).unwrap_err()
    }

    #[test]
    fn help_and_version_are_verbs_too() {
        for (words, kind, text) in [
            (&["help"][..], ErrorKind::DisplayHelp, "Publish and restore"),
            (&["help", "add"], ErrorKind::DisplayHelp, "kubeadm"),
            (&["help", "ls"], ErrorKind::DisplayHelp, "repositories"),
            (&["--wait", "5", "help", "config", "set"], ErrorKind::DisplayHelp, "default-platform"),
            (&["help", "lst"], ErrorKind::InvalidSubcommand, "lst"),
            (&["version"], ErrorKind::DisplayVersion, env!("CARGO_PKG_VERSION")),
        ] {
            let error = said(words);
            assert_eq!(error.kind(), kind, "{words:?}");
            assert!(error.render().to_string().contains(text), "{words:?}: {error}");
        }
    }

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
