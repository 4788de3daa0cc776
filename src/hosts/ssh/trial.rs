//! What another machine can do of what publishing needs, tried in a directory of its own there, of which nothing is left.

use rand::Rng as _;

use super::{Ssh, script};
use crate::error::{Error, Kind, Result};
use crate::hosts::Tried;
use crate::hosts::trees::WEB_SERVER;
use crate::text::bytes;

/// Sends a file by rsync: a login that prints something is found here.
async fn send(own: &Ssh, below: &str) -> Result<()> {
    let made = tempfile::Builder::new().prefix("roadstead-test-").tempdir();
    let written = made.and_then(|made| std::fs::write(made.path().join("sent"), b"roadstead").map(|()| made));
    let made = written.map_err(|error| Error::new(Kind::Unexpected, "can't write a file to send").caused_by(error))?;
    let (from, to) = (format!("{}/sent", made.path().display()), own.address().for_rsync(&format!("{below}/")));
    own.rsync("send a file", &["-t".to_owned(), "--".to_owned(), from, to], b"", &mut |_| false).await.map(drop)
}

pub(super) async fn run(own: &Ssh) -> Vec<Tried> {
    let below = format!(".roadstead-test-{:016x}", rand::rng().random::<u64>());
    let mut tried = Vec::new();
    let mut say = |right, optional, outcome| tried.push(Tried { right, outcome, optional });
    let found = match own.ask("try what publishing needs", &script::trial(own.address(), &below), b"").await {
        Ok(ended) => ended.output,
        Err(error) => {
            say("store", false, Err(error));
            return tried;
        }
    };
    let has = |word: &str| found.lines().any(|line| line == word);
    let or = |good: bool, words: &str, without: &str, hint: &str| {
        if good { Ok(words.to_owned()) } else { Err(Error::new(Kind::Node, without).hint(hint)) }
    };
    say("store", false, or(has("store"), "allowed", "no file can be written there", "Check who may write there."));
    let links = "the file system there has no hard links: a new tree is a copy of the whole former one";
    let kinds = "Use a file system like ext4, xfs or btrfs.";
    say("hard links", true, or(has("links"), "a new tree takes the room of what is new alone", links, kinds));
    let switch = "a link can't be replaced at once there: `mv` knows neither `-T` nor `-h`";
    let readers = "readers get the former tree or the new one";
    say("switch", false, or(has("switch"), readers, switch, "Install GNU coreutils there."));
    let sent = send(own, &below).await;
    say("rsync", false, sent.map(|()| "files are sent".to_owned()));
    let sizes = "`sha256sum` is not there: `target verify` compares sizes alone";
    say(
        "digests",
        true,
        or(has("digests"), "computed there by `target verify`", sizes, "Install GNU coreutils there."),
    );
    let ended = own.ask("remove what was tried", &script::end_trial(own.address(), &below), b"").await;
    say("delete", false, ended.map(|_| "allowed".to_owned()));
    let free = found.lines().find_map(|line| line.strip_prefix("free ")?.trim().parse::<u64>().ok());
    if let Some(free) = free {
        say("room", true, Ok(format!("{} free", bytes(free.saturating_mul(1024)))));
    }
    say("web server", true, Ok(WEB_SERVER.to_owned()));
    tried
}
