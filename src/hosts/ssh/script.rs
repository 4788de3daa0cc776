//! What the other machine is told: lines for a POSIX shell, with what any Unix has, and rsync.
//!
//! Lists of files come by standard input, so no name of a file is in a command line. A login shell of another kind only sees one word in
//! quotes.

use super::address::Address;
use super::failure::code::{NO_DIGESTS, NO_LINK, NO_PARENT, NO_RSYNC, NO_SWITCH, NOT_OURS, REFUSED};
use super::program::quoted;
use crate::hosts::trees::{CURRENT, INCOMING, MAX_RECORD_BYTES, RECORD, TREES};

/// The line after which what is printed is an answer.
pub(super) const READY: &str = "roadstead-ready";
/// What precedes the record in what [`look`] prints.
pub(super) const RECORD_FOLLOWS: &str = "record";

/// A script as the one word that ssh gives to the login shell.
pub(super) fn command(script: &str) -> String {
    format!("sh -c {}", quoted(&format!("echo {READY}; {script}")))
}

fn place(address: &Address) -> String {
    quoted(address.path())
}

/// Prints `current NAME`, `digests` where these can be computed there, and the record.
pub(super) fn look(address: &Address) -> String {
    let place = place(address);
    let most = MAX_RECORD_BYTES + 1;
    format!(
        "command -v rsync >/dev/null || exit {NO_RSYNC}; command -v sha256sum >/dev/null && echo digests; \
         [ -e {place} ] || exit 0; cd {place} || exit 1; \
         if [ -e {CURRENT} ] && [ ! -L {CURRENT} ]; then exit {NO_LINK}; fi; \
         if [ -L {CURRENT} ]; then echo \"current $(readlink {CURRENT})\"; fi; \
         if [ -f {RECORD} ]; then echo {RECORD_FOLLOWS}; head -c {most} {RECORD}; fi"
    )
}

/// Makes the place if it is new, and refuses one that is neither empty nor ours.
fn claim(address: &Address) -> String {
    let (place, parent) = (place(address), quoted(address.parent()));
    format!(
        "umask 022; [ -d {parent} ] || exit {NO_PARENT}; if [ ! -d {place} ]; then mkdir {place} || exit 1; fi; \
         cd {place} || exit 1; if [ ! -f {RECORD} ] && [ ! -L {CURRENT} ] && [ -n \"$(ls -A)\" ]; then exit {NOT_OURS}; fi"
    )
}

/// Whether the record is still this one, without its line breaks.
fn is_record(record: &str) -> String {
    let record: String = record.chars().filter(|c| *c != '\n').collect();
    format!("[ \"$(tr -d \"\\n\" < {RECORD})\" = {} ]", quoted(&record))
}

/// Writes what comes by standard input as the record, if there is none, or if it is this one.
pub(super) fn write_record(address: &Address, former: Option<&str>) -> String {
    let claim = claim(address);
    let new = ".roadstead.$$";
    match former {
        None => format!(
            "{claim}; [ -e {RECORD} ] && exit {REFUSED}; cat > {new} || exit 1; \
             ln {new} {RECORD} 2>/dev/null || {{ if [ -e {RECORD} ]; then rm -f {new}; exit {REFUSED}; fi; \
             mv {new} {RECORD} || exit 1; }}; rm -f {new}"
        ),
        Some(former) => {
            format!("{claim}; {} || exit {REFUSED}; cat > {new} && mv -f {new} {RECORD}", is_record(former))
        }
    }
}

/// Writes it whatever is there.
pub(super) fn replace_record(address: &Address) -> String {
    format!("{}; cat > .roadstead.$$ && mv -f .roadstead.$$ {RECORD}", claim(address))
}

pub(super) fn remove_record(address: &Address) -> String {
    format!("cd {} && rm -f {RECORD}", place(address))
}

/// Makes a tree of what the former one has, without the files whose names come by standard input, each with a NUL at its end.
pub(super) fn make(address: &Address, name: &str) -> String {
    format!(
        "umask 022; cd {} || exit 1; rm -rf {TREES}/{name} || exit 1; mkdir -p {TREES}/{name} || exit 1; \
         if [ -d {CURRENT}/ ]; then \
         rsync -a --link-dest=\"$PWD/{CURRENT}/\" {CURRENT}/ {TREES}/{name}/ </dev/null || exit 1; fi; \
         cd {TREES}/{name} && xargs -0 rm -f --",
        place(address)
    )
}

/// Puts new files into a tree; their names come by standard input, each with a NUL at its end.
pub(super) fn add(address: &Address, name: &str) -> String {
    format!(
        "cd {} && rsync -a --from0 --files-from=- --link-dest=\"$PWD/{INCOMING}/\" {INCOMING}/ {TREES}/{name}/",
        place(address)
    )
}

/// Gives files of a tree other names: lines by standard input, from and to by turns.
pub(super) fn name_again(address: &Address, name: &str) -> String {
    format!(
        "cd {}/{TREES}/{name} || exit 1; while IFS= read -r from && IFS= read -r to; do \
         mkdir -p \"${{to%/*}}\" || exit 1; \
         ln -f \"$from\" \"$to\" 2>/dev/null || cp -p \"$from\" \"$to\" || exit 1; done",
        place(address)
    )
}

/// Gives a tree out, if the record is still this one.
pub(super) fn switch(address: &Address, name: &str, record: &str) -> String {
    format!(
        "sync; cd {} || exit 1; {} || exit {REFUSED}; rm -f .current.new; \
         ln -s {TREES}/{name} .current.new || exit 1; {}",
        place(address),
        is_record(record),
        rename_link(CURRENT)
    )
}

fn rename_link(link: &str) -> String {
    format!(
        "mv -T -f .current.new {link} 2>/dev/null || mv -h -f .current.new {link} 2>/dev/null || \
         {{ rm -f .current.new; exit {NO_SWITCH}; }}"
    )
}

/// Removes what is not given out; prints a line for each tree. One that a cut run still makes there goes the next time.
pub(super) fn tidy(address: &Address) -> String {
    format!(
        "cd {} || exit 1; now=$(readlink {CURRENT}); case $now in {TREES}/?*) ;; *) exit 0;; esac; rm -rf {INCOMING} || exit 1; \
         for tree in {TREES}/*; do if [ \"$tree\" != \"$now\" ] && [ -d \"$tree\" ]; then \
         rm -rf \"$tree\" && echo gone; fi; done; exit 0",
        place(address)
    )
}

/// Prints the digests of files whose names come by standard input, each with a NUL at its end.
pub(super) fn digests(address: &Address) -> String {
    format!(
        "command -v sha256sum >/dev/null || exit {NO_DIGESTS}; cd {}/{CURRENT}/ || exit 1; \
         xargs -0 sha256sum -- 2>/dev/null; exit 0",
        place(address)
    )
}

/// Prints a file of the tree that is given out; [`REFUSED`] where it is not there.
pub(super) fn read(address: &Address, key: &str, most: u64) -> String {
    let key = quoted(key);
    format!("cd {}/{CURRENT}/ && [ -f {key} ] || exit {REFUSED}; head -c {} {key}", place(address), most + 1)
}

/// Tries what publishing needs in a directory of its own, and prints a line for each thing that works.
pub(super) fn trial(address: &Address, below: &str) -> String {
    format!(
        "{}; mkdir {below} && cd {below} || exit 1; echo roadstead > a && echo store; \
         ln a b 2>/dev/null && echo links; \
         ln -s a current; ln -s b .current.new; \
         {{ mv -T -f .current.new current 2>/dev/null || mv -h -f .current.new current 2>/dev/null; }} && \
         [ \"$(readlink current)\" = b ] && echo switch; \
         command -v sha256sum >/dev/null && echo digests; \
         df -Pk . 2>/dev/null | awk \"NR == 2 {{ print \\\"free\\\", \\$4 }}\"; exit 0",
        claim(address)
    )
}

/// Removes what a trial has made, and the place if nothing else is there.
pub(super) fn end_trial(address: &Address, below: &str) -> String {
    let place = place(address);
    format!("rm -rf {place}/{below} || exit 1; rmdir {place} 2>/dev/null; exit 0")
}
