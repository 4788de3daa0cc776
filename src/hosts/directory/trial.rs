//! What a directory can do of what publishing needs, tried in a directory of its own, of which nothing is left.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;

use super::{Directory, make_directory};
use crate::error::{Error, Kind, Result};
use crate::hosts::Tried;
use crate::hosts::trees::WEB_SERVER;
use crate::text::bytes;

/// Tries a link that is renamed over another one: what readers never see half of.
fn switch(trial: &std::path::Path) -> io::Result<()> {
    for target in ["one", "two"] {
        symlink(target, trial.join("new"))?;
        fs::rename(trial.join("new"), trial.join("current"))?;
    }
    if fs::read_link(trial.join("current"))? == std::path::Path::new("two") {
        Ok(())
    } else {
        Err(io::Error::other("a link is not replaced by renaming another one over it"))
    }
}

pub(super) fn run(own: &Directory) -> Vec<Tried> {
    let mut tried = Vec::new();
    let mut say = |right, optional, outcome: Result<String>| {
        let good = outcome.is_ok();
        tried.push(Tried { right, outcome, optional });
        good
    };
    let was_there = own.place.exists();
    let trial = own.claim().and_then(|()| {
        let made = tempfile::Builder::new().prefix(".roadstead-test-").tempdir_in(&own.place);
        own.tell(made, || format!("write in {}", own.shown()))
    });
    let trial = match trial {
        Ok(trial) => trial,
        Err(error) => {
            say("store", false, Err(error));
            return tried;
        }
    };
    let stored = fs::write(trial.path().join("a"), b"roadstead").and_then(|()| make_directory(&trial.path().join("d")));
    let stored = own.tell(stored, || format!("write in {}", own.shown()));
    say("store", false, stored.map(|()| "allowed".to_owned()));
    let linked = fs::hard_link(trial.path().join("a"), trial.path().join("d").join("a"));
    let linked = linked.map_err(|error| {
        Error::new(Kind::Node, "the file system has no hard links: a new tree is a copy of the whole former one")
            .caused_by(error)
            .hint("Use a file system like ext4, xfs or btrfs.")
    });
    say("hard links", true, linked.map(|()| "a new tree takes the room of what is new alone".to_owned()));
    let switched = own.tell(switch(trial.path()), || format!("switch a link in {}", own.shown()));
    say("switch", false, switched.map(|()| "readers get the former tree or the new one".to_owned()));
    let removed = own.tell(trial.close(), || format!("remove what was tried in {}", own.shown()));
    say("delete", false, removed.map(|()| "allowed".to_owned()));
    if let Some(free) = own.free() {
        say("room", true, Ok(format!("{} free", bytes(free))));
    }
    say("web server", true, Ok(WEB_SERVER.to_owned()));
    if !was_there {
        // What was made for the trial alone.
        let _ = fs::remove_dir(&own.place);
    }
    tried
}
