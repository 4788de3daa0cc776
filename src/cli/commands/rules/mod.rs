//! `rule`: what belongs in the registry, said once.

mod editing;
mod file;
pub(in crate::cli) mod flags;
mod importing;
mod listing;
mod locking;
mod trying;

use clap::{Args, Subcommand};

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::error::Result;

const EXAMPLES: &str = "\
Examples:
  roadstead rule try 'nginx:1.#.#-alpine' --newest 3
  roadstead rule add 'nginx:1.#.#{,-alpine}' nginx:stable-alpine --newest 3
  roadstead rule add 'registry.k8s.io/kube-apiserver:v1.#.#' --newest 1 --per 2 --lines 3 --age 3d
  roadstead rule add compose:stack/compose.yaml 'command:kubeadm config images list'
  roadstead update

In a pattern `#` stands for a number, `*` for any text, `[…]` for what may be missing, `{a,b}` for one or the other (each \
counts for itself), `{pre}` for a prerelease. A pattern matches the whole tag. Shells want quotes around it.";

/// What to do.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    /// The verb.
    #[command(subcommand)]
    verb: RuleVerb,
}

/// What can be done.
#[derive(Debug, Subcommand)]
enum RuleVerb {
    /// Show what a pattern would take now, and what just missed; asks for one list, and pulls nothing.
    Try(trying::TryArguments),
    /// Suggest a pattern for the versions of a tag.
    Suggest(trying::SuggestArguments),
    /// Add a rule; `update` carries it out.
    Add(editing::AddArguments),
    /// List the rules and what came of their last runs.
    #[command(visible_alias = "ls")]
    List,
    /// Show everything about a rule.
    Show(listing::NameArguments),
    /// Change a rule; settings that are not given stay.
    Set(editing::SetArguments),
    /// Remove a rule; what it brought leaves after its time.
    #[command(visible_alias = "rm")]
    Remove(editing::RemoveArguments),
    /// Read the rules from this file at every run.
    Use(file::UseArguments),
    /// Print the rules as a file.
    Export(file::ExportArguments),
    /// Make rules of another program's file, and say what became of each of its settings.
    Import(importing::ImportArguments),
    /// Write down the images that are here, by their digests, for `update --locked`.
    Lock(locking::LockArguments),
    /// Show what the rules run, where they send events and what they read elsewhere, and allow exactly that.
    ///
    /// What changes has to be allowed again: the words of a program, a script that they name, an address, the place of the rule
    /// file. A script that is only named inside of the text of `sh -c` is not looked at.
    Trust(file::TrustArguments),
}

pub(in crate::cli) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    match &arguments.verb {
        RuleVerb::Try(arguments) => trying::attempt(arguments, context),
        RuleVerb::Suggest(arguments) => trying::suggest(arguments, context),
        RuleVerb::Add(arguments) => editing::add(arguments, context),
        RuleVerb::List => listing::list(context),
        RuleVerb::Show(arguments) => listing::show(arguments, context),
        RuleVerb::Set(arguments) => editing::set(arguments, context),
        RuleVerb::Remove(arguments) => editing::remove(arguments, context),
        RuleVerb::Use(arguments) => file::change_file(arguments, context),
        RuleVerb::Export(arguments) => file::export(arguments, context),
        RuleVerb::Import(arguments) => importing::carry_out(arguments, context),
        RuleVerb::Lock(arguments) => locking::lock(arguments, context),
        RuleVerb::Trust(arguments) => file::trust(arguments, context),
    }
}
