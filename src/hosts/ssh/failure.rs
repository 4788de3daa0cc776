//! What ssh, rsync and the other machine say when something fails, in words that say what to do.

use super::program::{Ended, Failed, cant_start};
use crate::error::{Error, Kind};
use crate::text::printable_within;

/// Exit codes of the scripts that run on the other machine.
pub(super) mod code {
    pub(in crate::hosts::ssh) const NO_RSYNC: i32 = 90;
    pub(in crate::hosts::ssh) const NOT_OURS: i32 = 91;
    pub(in crate::hosts::ssh) const NO_PARENT: i32 = 92;
    /// The record is another one.
    pub(in crate::hosts::ssh) const REFUSED: i32 = 93;
    pub(in crate::hosts::ssh) const NO_SWITCH: i32 = 94;
    pub(in crate::hosts::ssh) const NO_LINK: i32 = 96;
    pub(in crate::hosts::ssh) const NO_DIGESTS: i32 = 97;
    /// ssh itself failed (ssh(1), "EXIT STATUS").
    pub(in crate::hosts::ssh) const SSH: i32 = 255;
}

/// Characters of what was said that an error shows.
const MAX_SHOWN_CHARACTERS: usize = 300;

/// Who was asked, and for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    /// `[USER@]HOST`.
    pub(super) machine: &'a str,
    /// The directory there.
    pub(super) path: &'a str,
    /// What was being done: `switch the tree`.
    pub(super) doing: &'a str,
}

/// The last line that was said, without ssh's own farewell.
fn last_line(errors: &str) -> String {
    let dull =
        |line: &&str| !line.is_empty() && !line.starts_with("Connection to ") && !line.starts_with("rsync error:");
    let line = errors.lines().map(str::trim).rfind(dull).unwrap_or_default();
    if line.is_empty() { String::new() } else { format!(": {}", printable_within(line, MAX_SHOWN_CHARACTERS)) }
}

/// Why a program did not come to its end.
pub(super) fn of_run(asked: Asked<'_>, program: &str, failed: Failed) -> Error {
    let machine = asked.machine;
    match failed {
        Failed::Start(error) => cant_start(program, error),
        Failed::Timeout { ready: false } => {
            Error::new(Kind::Network, format!("{machine} does not answer: nothing came by ssh for too long"))
                .hint(format!("Try it by hand: `ssh {machine} true`."))
        }
        Failed::Timeout { ready: true } => {
            Error::new(Kind::Network, format!("{machine} took too long to {}", asked.doing))
                .hint("Look at the load and the disks of that machine, then run this again: it goes on.")
        }
        Failed::Output => Error::new(Kind::Node, format!("{machine} answered with too much, or with what is no text"))
            .hint("A login there may print something: its shell has to be silent where nobody is looking."),
    }
}

/// What it means that a program ended with an error.
pub(super) fn of_end(asked: Asked<'_>, program: &str, ended: &Ended) -> Error {
    let (machine, path) = (asked.machine, asked.path);
    let errors = ended.errors.as_str();
    let says = |word: &str| errors.contains(word);
    if says("REMOTE HOST IDENTIFICATION HAS CHANGED") {
        return Error::new(Kind::Auth, format!("the host key of {machine} is another one than before"))
            .hint("Somebody may be in between, or the machine is a new one. Nothing was sent.")
            .hint(format!(
                "If it is a new one, remove the old key with `ssh-keygen -R HOST`, then `ssh {machine} true`."
            ));
    }
    if says("Host key verification failed") || says("No matching host key fingerprint") {
        return Error::new(Kind::Auth, format!("the host key of {machine} is not known here"))
            .hint(format!("Compare and accept it by hand, as the user that this runs as: `ssh {machine} true`."));
    }
    if says("Permission denied (") || says("Too many authentication failures") {
        return Error::new(Kind::Auth, format!("{machine} asks for a password, or knows none of the keys"))
            .hint("Publishing never asks: put a key without a passphrase, or one of an agent, into `authorized_keys` there.")
            .hint("A key in another file is named with `roadstead target set NAME --auth-file FILE`.");
    }
    if ended.code == Some(code::SSH) || says("ssh: connect to host") || says("Could not resolve hostname") {
        return Error::new(Kind::Network, format!("can't reach {machine} by ssh{}", last_line(errors)))
            .hint(format!("Try it by hand: `ssh {machine} true`."));
    }
    if says("No space left on device") || says("Disk quota exceeded") {
        return Error::new(Kind::Node, format!("can't {}: the disk of {machine} is full", asked.doing))
            .hint("Readers still get the former tree. Make room there, then run this again: it goes on.");
    }
    let no_rsync = ended.code == Some(code::NO_RSYNC)
        || (program == "rsync"
            && (says("rsync: command not found") || says("rsync: not found") || ended.code == Some(127)));
    if no_rsync {
        return Error::new(Kind::Node, format!("rsync is not installed on {machine}"))
            .hint("Install it there: `apt-get install rsync`.");
    }
    if program == "rsync" && says("is your shell clean?") {
        return Error::new(Kind::Node, format!("a login on {machine} prints something, which rsync can't take"))
            .hint("Its shell has to be silent where nobody is looking: see `.bashrc` there.");
    }
    match ended.code {
        Some(code::NOT_OURS) => {
            Error::new(Kind::Usage, format!("{path} on {machine} is not empty, and not published to before"))
                .hint("Choose a new directory; nothing in this one was touched.")
        }
        Some(code::NO_PARENT) => {
            Error::new(Kind::Usage, format!("{path} on {machine} can't be made: its parent directory is not there"))
                .hint("Make it, or mount its disk.")
        }
        Some(code::NO_SWITCH) => Error::new(
            Kind::Node,
            format!("{machine} can't replace a link at once: its `mv` knows neither `-T` nor `-h`"),
        )
        .hint("Install GNU coreutils there."),
        Some(code::NO_LINK) => Error::new(Kind::Usage, format!("{path}/current on {machine} is not a link"))
            .hint("Publishing replaces a link of that name. Choose another directory."),
        _ => {
            let error = Error::new(Kind::Node, format!("can't {} on {machine}{}", asked.doing, last_line(errors)));
            if says("Permission denied") { error.hint("Check who may write there.") } else { error }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: i32, errors: &str) -> Error {
        let asked = Asked { machine: "web@host", path: "/srv", doing: "send files" };
        of_end(asked, "rsync", &Ended { code: Some(code), output: String::new(), errors: errors.to_owned() })
    }

    #[test]
    fn what_is_wrong_is_said_in_words() {
        for (code, errors, kind, words) in [
            (255, "web@host: Permission denied (publickey,password).\r\n", Kind::Auth, "asks for a password"),
            (255, "Host key verification failed.", Kind::Auth, "is not known here"),
            (255, "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @", Kind::Auth, "another one than before"),
            (255, "ssh: connect to host h port 22: Connection refused", Kind::Network, "Connection refused"),
            (255, "Connection timed out during banner exchange", Kind::Network, "banner exchange"),
            (
                12,
                "bash: line 1: rsync: command not found\nrsync error: x",
                Kind::Node,
                "rsync is not installed on web@host",
            ),
            (90, "", Kind::Node, "rsync is not installed"),
            (2, "protocol version mismatch -- is your shell clean?", Kind::Node, "prints something"),
            (11, "rsync: write failed: No space left on device (28)", Kind::Node, "is full"),
            (91, "", Kind::Usage, "is not empty"),
            (94, "", Kind::Node, "`-T`"),
            (
                1,
                "mkdir: cannot create directory 'x': Permission denied\x1b[31m",
                Kind::Node,
                "can't send files on web@host: mkdir",
            ),
        ] {
            let error = said(code, errors);
            assert_eq!(error.kind(), kind, "{errors}: {error}");
            assert!(error.to_string().contains(words), "{errors}: {error}");
            assert!(!error.to_string().contains('\x1b'), "{error}");
        }
    }
}
