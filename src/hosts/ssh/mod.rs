//! A directory of another machine, by the ssh and the rsync of this system: files are sent beside the tree that is given out, the new
//! tree is made there, and a link is switched.
//!
//! | file | knows |
//! |---|---|
//! | `address` | where it is, and what no address may be |
//! | `program` | runs ssh and rsync, with an end |
//! | `script` | what the other machine is told |
//! | `failure` | what their errors mean |
//! | `trial` | what is tried for `target test` |
//!
//! ssh never asks (`BatchMode`), and no host key is accepted that the user has not accepted. Nothing of ssh is configured here but the
//! port and the key: users, aliases, jumps and agents are what the user's own configuration says.

pub mod address;
mod failure;
mod program;
mod script;
mod trial;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::process::Command;

use self::address::Address;
use self::failure::{Asked, code};
use self::program::{Ended, Limits};
use super::trees::{
    CURRENT, INCOMING, MAX_RECORD_BYTES, NewTree, RECORD, Reading, TREES, Trees, check_keys, check_record, is_name,
    record_of, record_tag, tag,
};
use super::{
    ByteStream, Condition, Content, CopyObjects, Host, HostStatus, Listed, Object, Openness, Page, Read, Stored, Tried,
    Uploads,
};
use crate::error::{Error, Kind, Result};

/// What ssh waits for a connection and for the other machine's greeting, in seconds.
const CONNECT_SECONDS: u32 = 10;
/// How often a connection is asked whether it is alive, in seconds, and how many answers may be missing.
const ALIVE: (u32, u32) = (15, 4);
/// How long rsync waits for a byte, in seconds.
const STALL_SECONDS: u32 = 120;
/// How long a question may take, and what is as quick.
const SHORT: Duration = Duration::from_mins(2);
/// How long the other machine may work on a whole tree, or its bytes be on their way.
const LONG: Duration = Duration::from_hours(24);
/// Bytes that a question may be answered with.
const SHORT_OUTPUT_BYTES: usize = 1 << 20;
/// Bytes that a list of all files may have.
const LIST_OUTPUT_BYTES: usize = 1 << 30;

/// How to reach a directory of another machine.
#[derive(Debug, Clone)]
pub struct SshOptions {
    /// Where it is.
    pub address: Address,
    /// A file with the private key, instead of those that ssh tries by itself.
    pub key: Option<PathBuf>,
    /// A directory of this machine, on the file system of the blob store, for files on their way.
    pub layout: PathBuf,
}

/// A directory of another machine.
#[derive(Debug)]
pub struct Ssh {
    options: SshOptions,
    /// Records that were seen, by their tags.
    records: Mutex<HashMap<String, String>>,
}

/// What the other machine says of the place.
#[derive(Debug, Default)]
struct Seen {
    current: Option<String>,
    record: Option<Bytes>,
    digests: bool,
}

impl Ssh {
    /// Nothing is connected to yet.
    pub fn new(options: SshOptions) -> Self {
        Self { options, records: Mutex::default() }
    }

    fn address(&self) -> &Address {
        &self.options.address
    }

    fn ssh_words(&self) -> Vec<String> {
        let mut words = vec!["ssh".to_owned(), "-T".to_owned(), "-x".to_owned()];
        for option in [
            "BatchMode=yes".to_owned(),
            format!("ConnectTimeout={CONNECT_SECONDS}"),
            format!("ServerAliveInterval={}", ALIVE.0),
            format!("ServerAliveCountMax={}", ALIVE.1),
        ] {
            words.extend(["-o".to_owned(), option]);
        }
        if let Some(port) = self.address().port() {
            words.extend(["-p".to_owned(), port.to_string()]);
        }
        if let Some(key) = &self.options.key {
            words.extend([
                "-o".to_owned(),
                "IdentitiesOnly=yes".to_owned(),
                "-i".to_owned(),
                key.display().to_string(),
            ]);
        }
        words
    }

    /// Runs a script on the other machine. That a condition does not hold ([`code::REFUSED`]) is none that fails.
    async fn tell(
        &self,
        doing: &str,
        script: &str,
        input: &[u8],
        (total, output_bytes): (Duration, usize),
        each: &mut (dyn FnMut(&str) -> bool + Send),
    ) -> Result<Ended> {
        let words = self.ssh_words();
        let (program, arguments) = words.split_first().ok_or_else(|| Error::new(Kind::Unexpected, "no program"))?;
        let mut command = Command::new(program);
        command.args(arguments).arg("--").arg(self.address().machine()).arg(script::command(script));
        let limits = Limits { total, ready: Some(script::READY), output_bytes };
        let machine = self.address().machine();
        let asked = Asked { machine: &machine, path: self.address().path(), doing };
        let ended = program::run(command, input, limits, each).await;
        let ended = ended.map_err(|failed| failure::of_run(asked, "ssh", failed))?;
        match ended.code {
            Some(0 | code::REFUSED) => Ok(ended),
            _ => Err(failure::of_end(asked, "ssh", &ended)),
        }
    }

    /// The same for a question that is answered at once.
    async fn ask(&self, doing: &str, script: &str, input: &[u8]) -> Result<Ended> {
        self.tell(doing, script, input, (SHORT, SHORT_OUTPUT_BYTES), &mut |_| true).await
    }

    async fn rsync(
        &self,
        doing: &str,
        words: &[String],
        input: &[u8],
        each: &mut (dyn FnMut(&str) -> bool + Send),
    ) -> Result<Ended> {
        let mut command = Command::new("rsync");
        command.arg("-s").arg(format!("--timeout={STALL_SECONDS}"));
        command.arg("-e").arg(program::for_rsync(&self.ssh_words())).args(words);
        let limits = Limits { total: LONG, ready: None, output_bytes: LIST_OUTPUT_BYTES };
        let machine = self.address().machine();
        let asked = Asked { machine: &machine, path: self.address().path(), doing };
        let ended = program::run(command, input, limits, each).await;
        let ended = ended.map_err(|failed| failure::of_run(asked, "rsync", failed))?;
        if ended.code == Some(0) { Ok(ended) } else { Err(failure::of_end(asked, "rsync", &ended)) }
    }

    async fn look(&self) -> Result<Seen> {
        let said = self.ask("look", &script::look(self.address()), b"").await?.output;
        let mut seen = Seen::default();
        let mut rest = said.as_str();
        while let Some((line, after)) = rest.split_once('\n') {
            rest = after;
            match line {
                "digests" => seen.digests = true,
                script::RECORD_FOLLOWS => {
                    if rest.len() as u64 > MAX_RECORD_BYTES {
                        return Err(Error::new(Kind::Node, format!("{RECORD} at {} is too large", self.place())));
                    }
                    self.remember(rest);
                    seen.record = Some(Bytes::copy_from_slice(rest.as_bytes()));
                    break;
                }
                line => {
                    let name =
                        line.strip_prefix("current ").and_then(|link| link.strip_prefix(TREES)?.strip_prefix('/'));
                    seen.current = name.filter(|name| is_name(name)).map(str::to_owned);
                }
            }
        }
        Ok(seen)
    }

    fn remember(&self, record: &str) -> String {
        let tag = record_tag(record.as_bytes());
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.insert(tag.clone(), record.to_owned());
        tag
    }

    /// The record of this tag, if it is the one that is there or was.
    async fn record(&self, tag: &str) -> Result<Option<String>> {
        let known = |own: &Self| own.records.lock().unwrap_or_else(PoisonError::into_inner).get(tag).cloned();
        if let Some(record) = known(self) {
            return Ok(Some(record));
        }
        self.look().await?;
        Ok(known(self))
    }
}

/// What came of what is done under a condition.
fn stored(ended: &Ended, tag: String) -> Stored {
    if ended.code == Some(code::REFUSED) { Stored::Refused } else { Stored::Now(tag) }
}

/// A line of `rsync --list-only`: `-rw-r--r--  12345 2026/11/30 13:02:57 v2/index.html`.
fn listed(line: &str) -> Option<Listed> {
    let rest = line.strip_prefix('-')?;
    let (_, rest) = rest.split_once(' ')?;
    let (size, rest) = rest.trim_start().split_once(' ')?;
    let (date, rest) = rest.split_once(' ')?;
    let (time, key) = rest.split_once(' ')?;
    let size: u64 = size.replace(',', "").parse().ok()?;
    let at = jiff::civil::DateTime::strptime("%Y/%m/%d %H:%M:%S", format!("{date} {time}")).ok()?;
    let at = jiff::tz::TimeZone::UTC.to_timestamp(at).ok()?.as_second();
    Some(Listed { key: key.to_owned(), size, tag: tag(size, at) })
}

/// A line of `sha256sum`.
fn digest(line: &str) -> Option<(&str, [u8; 32])> {
    let (hex, key) = line.split_at_checked(64)?;
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(hex.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    // Two spaces, or one and a star.
    Some((key.get(2..)?, digest))
}

fn with_nuls(keys: &[String]) -> Vec<u8> {
    keys.iter().flat_map(|key| key.bytes().chain([0])).collect()
}

#[async_trait]
impl Host for Ssh {
    fn place(&self) -> String {
        self.address().text()
    }

    async fn status(&self) -> Result<HostStatus> {
        self.look().await?;
        Ok(HostStatus { agent: "rsync over ssh".to_owned(), url: format!("{}/{CURRENT}", self.address().text()) })
    }

    async fn try_rights(&self) -> Vec<Tried> {
        trial::run(self).await
    }

    async fn list(&self, _: Option<&str>) -> Result<Page> {
        let seen = self.look().await?;
        let mut objects = Vec::new();
        if let Some(record) = &seen.record {
            objects.push(Listed { key: RECORD.to_owned(), size: record.len() as u64, tag: record_tag(record) });
        }
        if seen.current.is_some() {
            let from = self.address().for_rsync(&format!("{CURRENT}/"));
            let words = ["-r", "--list-only", "--no-human-readable", from.as_str()].map(str::to_owned);
            let mut each = |line: &str| {
                objects.extend(listed(line));
                false
            };
            self.rsync("list the tree", &words, b"", &mut each).await?;
        }
        Ok(Page { objects, next: None })
    }

    async fn read(&self, key: &str, most: u64) -> Result<Option<Read>> {
        if key == RECORD {
            let record = self.look().await?.record;
            return Ok(record.map(|bytes| Read { tag: record_tag(&bytes), bytes, content_type: String::new() }));
        }
        check_keys([key].into_iter())?;
        let limits = (SHORT, usize::try_from(most).unwrap_or(usize::MAX).saturating_add(1 << 10));
        let script = script::read(self.address(), key, most);
        let ended = self.tell("read a file", &script, b"", limits, &mut |_| true).await?;
        if ended.code == Some(code::REFUSED) {
            return Ok(None);
        }
        let bytes = Bytes::from(ended.output);
        if bytes.len() as u64 > most {
            return Err(Error::new(Kind::Node, format!("{key} at {} is too large", self.place())));
        }
        Ok(Some(Read { tag: record_tag(&bytes), bytes, content_type: String::new() }))
    }

    /// Files are checked there, and not brought here.
    async fn open(&self, key: &str) -> Result<Option<ByteStream>> {
        Err(Error::new(Kind::Usage, format!("{key} at {} can't be read from here", self.place())))
    }

    async fn put(
        &self,
        object: &Object,
        content: &dyn Content,
        condition: &Condition,
        _: &dyn Uploads,
    ) -> Result<Stored> {
        check_record(&object.key)?;
        let bytes = record_of(object, content).await?;
        let text = String::from_utf8(bytes).map_err(|_| Error::new(Kind::Unexpected, "the record is no text"))?;
        let script = match condition {
            Condition::Always => script::replace_record(self.address()),
            Condition::Absent => script::write_record(self.address(), None),
            Condition::Tag(tag) => match self.record(tag).await? {
                Some(former) => script::write_record(self.address(), Some(&former)),
                None => return Ok(Stored::Refused),
            },
        };
        let ended = self.ask("write the record", &script, text.as_bytes()).await?;
        Ok(stored(&ended, self.remember(&text)))
    }

    async fn delete(&self, key: &str, _: Option<&str>) -> Result<Stored> {
        check_record(key)?;
        self.ask("remove the record", &script::remove_record(self.address()), b"").await?;
        Ok(Stored::Now(String::new()))
    }

    fn copies(&self) -> Option<&dyn CopyObjects> {
        None
    }

    fn trees(&self) -> Option<&dyn Trees> {
        Some(self)
    }

    /// Who may read is said by the web server there.
    async fn openness(&self, _: &str) -> Openness {
        Openness { read: Some(true), list: false }
    }
}

#[async_trait]
impl Trees for Ssh {
    fn layout(&self) -> &Path {
        &self.options.layout
    }

    /// They are read, and gone when they were sent.
    fn hard_links(&self) -> bool {
        true
    }

    fn is_remote(&self) -> bool {
        true
    }

    async fn current(&self) -> Result<Option<String>> {
        Ok(self.look().await?.current)
    }

    async fn send(&self, keys: &[String], uploads: &dyn Uploads) -> Result<()> {
        check_keys(keys.iter().map(String::as_str))?;
        if keys.is_empty() {
            return Ok(());
        }
        let from = format!("{}/", self.options.layout.display());
        let to = self.address().for_rsync(&format!("{INCOMING}/"));
        let mut words = ["-tpH", "--chmod=D755,F644", "--omit-dir-times", "--partial-dir=.rsync-partial"].to_vec();
        // What a cut has left under a name that changes may be as large and of the same second.
        words.push("--modify-window=-1");
        words.extend(["--from0", "--files-from=-", "--out-format=%b", "--", &from, &to]);
        let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        let mut each = |line: &str| {
            uploads.sent(line.trim().replace(',', "").parse().unwrap_or_default());
            false
        };
        self.rsync("send files", &words, &with_nuls(keys), &mut each).await.map(drop)
    }

    async fn make(&self, tree: &NewTree) -> Result<()> {
        check_keys(tree.without.iter().chain(&tree.new).map(String::as_str))?;
        check_keys(tree.same.iter().flat_map(|(from, to)| [from.as_str(), to.as_str()]))?;
        if !is_name(&tree.name) {
            return Err(Error::new(Kind::Unexpected, "a tree can't be called so"));
        }
        let (address, name, doing) = (self.address(), tree.name.as_str(), "make the new tree");
        let limits = (LONG, SHORT_OUTPUT_BYTES);
        self.tell(doing, &script::make(address, name), &with_nuls(&tree.without), limits, &mut |_| true).await?;
        if !tree.new.is_empty() {
            self.tell(doing, &script::add(address, name), &with_nuls(&tree.new), limits, &mut |_| true).await?;
        }
        if !tree.same.is_empty() {
            let mut pairs = String::new();
            for (from, to) in &tree.same {
                pairs.extend([from, "\n", to, "\n"]);
            }
            let script = script::name_again(address, name);
            self.tell(doing, &script, pairs.as_bytes(), limits, &mut |_| true).await?;
        }
        Ok(())
    }

    async fn switch(&self, name: &str, record: &str) -> Result<Stored> {
        let Some(record) = self.record(record).await? else { return Ok(Stored::Refused) };
        let script = script::switch(self.address(), name, &record);
        // What was written goes to the disks first.
        let limits = (LONG, SHORT_OUTPUT_BYTES);
        let ended = self.tell("switch the tree", &script, b"", limits, &mut |_| true).await?;
        Ok(stored(&ended, name.to_owned()))
    }

    async fn tidy(&self) -> Result<u64> {
        let layout = self.options.layout.clone();
        let removed = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(layout)).await;
        if let Ok(Err(error)) = removed
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::debug!(%error, "files that were sent stay here");
        }
        let limits = (LONG, LIST_OUTPUT_BYTES);
        let ended = self.tell("tidy", &script::tidy(self.address()), b"", limits, &mut |_| true).await?;
        Ok(ended.output.lines().count() as u64)
    }

    async fn reading(&self) -> Result<Reading> {
        Ok(if self.look().await?.digests { Reading::Digests } else { Reading::Sizes })
    }

    async fn digests(&self, keys: &[String]) -> Result<Vec<Option<[u8; 32]>>> {
        check_keys(keys.iter().map(String::as_str))?;
        let places: HashMap<&str, usize> = keys.iter().enumerate().map(|(place, key)| (key.as_str(), place)).collect();
        let mut found = vec![None; keys.len()];
        let mut each = |line: &str| {
            if let Some((key, digest)) = digest(line)
                && let Some(found) = places.get(key).and_then(|place| found.get_mut(*place))
            {
                *found = Some(digest);
            }
            false
        };
        let limits = (LONG, LIST_OUTPUT_BYTES);
        self.tell("read the tree", &script::digests(self.address()), &with_nuls(keys), limits, &mut each).await?;
        Ok(found)
    }
}

#[cfg(test)]
mod tests;
