//! `help` and `version`: what `--help` and `--version` say, for those who write a verb.

use std::ffi::OsString;

use clap::Args;

use super::arguments::Verb;

/// What is to be explained.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The verb, and the verb below it if it has one.
    #[arg(value_name = "VERB")]
    verbs: Vec<OsString>,
}

/// The same said with a flag; nothing for every other verb.
pub(super) fn as_flag(verb: &Verb) -> Option<Vec<OsString>> {
    let (verbs, flag) = match verb {
        Verb::Help(arguments) => (arguments.verbs.as_slice(), "--help"),
        Verb::Version => (&[][..], "--version"),
        _ => return None,
    };
    let mut words = vec![OsString::from("roadstead")];
    words.extend(verbs.iter().cloned());
    words.push(flag.into());
    Some(words)
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches as _;
    use clap::error::ErrorKind;

    use super::super::arguments;
    use super::*;

    /// What clap makes of the flag that stands for these words.
    fn said(words: &[&str]) -> clap::Error {
        let words = std::iter::once(&"roadstead").chain(words);
        let matches = arguments::command().try_get_matches_from(words).unwrap();
        let verb = arguments::Arguments::from_arg_matches(&matches).unwrap().verb.unwrap();
        arguments::command().try_get_matches_from(as_flag(&verb).unwrap()).unwrap_err()
    }

    #[test]
    fn help_and_version_are_verbs_too() {
        for (words, kind, text) in [
            (&["help"][..], ErrorKind::DisplayHelp, "Publish and come back"),
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
}
