//! Pins of a Kubo: `pin/add`, `pin/update`, `pin/rm`, `pin/ls`.
//!
//! Knows how Kubo answers about pins. Everything is asked offline, which Kubo minds for a root alone: a block below it that
//! isn't there is searched for in the network, and that has no end (boxo `pinner`, whose DAG service is the node's own). So a
//! pin that gets nowhere is looked at by `dag/stat`, which minds it.

use std::collections::BTreeMap;

use cid::Cid;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::time::{sleep, sleep_until};

use super::failure;
use super::reply::Failed;
use super::rising::Rising;
use super::rpc::{Call, Rpc};
use crate::error::{Error, Kind, Result};
use crate::node::{Pin, PinProgress};
use crate::text::printable_within;

/// The most bytes of a list of pins: 100 000 of them, each with a name as long as they get.
const MAX_PINS_BYTES: usize = 40 << 20;
/// The most bytes that Kubo lets a pin's name have (boxo pinning).
const MAX_NAME_BYTES: usize = 255;

#[derive(Deserialize)]
struct Added {
    #[serde(rename = "Pins", default)]
    pins: Option<Vec<String>>,
    #[serde(rename = "Progress", default)]
    progress: u64,
}

#[derive(Deserialize)]
struct Done {
    #[serde(rename = "Pins")]
    pins: Vec<String>,
}

#[derive(Deserialize)]
struct Listed {
    #[serde(rename = "Keys", default)]
    keys: Option<BTreeMap<String, Pinned>>,
}

#[derive(Deserialize)]
struct Pinned {
    #[serde(rename = "Name", default)]
    name: String,
    #[serde(rename = "Type")]
    kind: String,
}

/// See [`crate::node::Node::pin_add`].
pub(super) async fn add(
    rpc: &Rpc,
    cid: &Cid,
    name: &str,
    progress: &(dyn Fn(PinProgress) + Send + Sync),
) -> Result<()> {
    if name.len() > MAX_NAME_BYTES {
        return Err(Error::new(
            Kind::Usage,
            format!("a pin's name has at most {MAX_NAME_BYTES} bytes, not {}", name.len()),
        ));
    }
    let (arg, doing) = (cid.to_string(), format!("can't pin {cid}"));
    let query = [("arg", &*arg), ("name", name), ("recursive", "true"), ("offline", "true"), ("progress", "true")];
    let call = Call { command: "pin/add", query: &query, doing: &doing };
    let rising = Rising::new();
    let added = async {
        let mut reply = rpc.call(&call, rpc.timeouts.stall).await?;
        let mut is_done = false;
        while let Some(line) = reply.document::<Added>(rpc.timeouts.stall).await? {
            // It repeats the same number for as long as it waits for something.
            if rising.note(line.progress) {
                progress(PinProgress::Blocks(line.progress));
            }
            is_done |= line.pins.is_some_and(|pins| names(&pins, cid));
        }
        Ok(is_done)
    };
    tokio::select! {
        added = added => confirmed(rpc, added, &doing),
        error = watch(rpc, cid, &rising, &doing) => Err(error),
    }
}

/// See [`crate::node::PinUpdates::pin_update`].
pub(super) async fn update(rpc: &Rpc, from: &Cid, to: &Cid) -> Result<()> {
    let (from, arg, doing) = (from.to_string(), to.to_string(), format!("can't pin {to} by its difference to {from}"));
    let query = [("arg", &*from), ("arg", &*arg), ("unpin", "false"), ("offline", "true")];
    let call = Call { command: "pin/update", query: &query, doing: &doing };
    match changed(rpc, &call, to).await {
        Err(Failed::Refused(answer)) if answer.is_pinned_already() => Ok(()),
        // Kubo looks at the former pin first.
        Err(Failed::Refused(answer)) if answer.lacks_former_pin() => match one(rpc, to).await? {
            Some(_) => Ok(()),
            None => Err(answer.into_error(&rpc.place, &doing)),
        },
        answer => confirmed(rpc, answer, &doing),
    }
}

/// See [`crate::node::Node::unpin`].
pub(super) async fn remove(rpc: &Rpc, cid: &Cid) -> Result<()> {
    let (arg, doing) = (cid.to_string(), format!("can't unpin {cid}"));
    let query = [("arg", &*arg), ("recursive", "true"), ("offline", "true")];
    match changed(rpc, &Call { command: "pin/rm", query: &query, doing: &doing }, cid).await {
        Err(Failed::Refused(answer)) if answer.is_missing_pin() => Ok(()),
        answer => confirmed(rpc, answer, &doing),
    }
}

/// The recursive pin of a root.
pub(super) async fn one(rpc: &Rpc, cid: &Cid) -> Result<Option<Pin>> {
    let (arg, doing) = (cid.to_string(), format!("can't check whether {cid} is pinned"));
    let query = [("arg", &*arg), ("type", "recursive"), ("names", "true"), ("stream", "false"), ("offline", "true")];
    let found = list(rpc, &Call { command: "pin/ls", query: &query, doing: &doing }, |pin| pin.cid == *cid).await;
    match found {
        Ok(pins) => Ok(pins.into_iter().next()),
        Err(Failed::Refused(answer)) if answer.is_missing_pin() => Ok(None),
        Err(failed) => Err(failed.into_error(&rpc.place, &doing)),
    }
}

/// All recursive pins of exactly this name.
pub(super) async fn named(rpc: &Rpc, name: &str) -> Result<Vec<Pin>> {
    let doing = format!("can't list the pins of {}", printable_within(name, 100));
    // Kubo gives all pins whose name has this in it.
    let query = [("type", "recursive"), ("names", "true"), ("name", name), ("stream", "false")];
    let call = Call { command: "pin/ls", query: &query, doing: &doing };
    let found = list(rpc, &call, |pin| pin.name.as_deref() == Some(name)).await;
    found.map_err(|failed| failed.into_error(&rpc.place, &doing))
}

/// Ends with an error when a pin gets nowhere: at once if the node lacks a block, else after a while.
async fn watch(rpc: &Rpc, cid: &Cid, rising: &Rising, doing: &str) -> Error {
    let timeouts = &rpc.timeouts;
    loop {
        let (number, since) = rising.last();
        sleep_until(since + timeouts.quiet).await;
        if rising.last().0 != number {
            continue;
        }
        if let Some(error) = hole(rpc, cid, doing).await {
            return error;
        }
        // All is there, or it can't be asked: then it may be slow, and no slower than that.
        sleep(timeouts.stall).await;
        if rising.last().0 == number {
            return failure::stalled(&rpc.place, doing, timeouts.stall.as_secs());
        }
    }
}

/// What is wrong with what the node has below a root, if it says so.
async fn hole(rpc: &Rpc, cid: &Cid, doing: &str) -> Option<Error> {
    let arg = cid.to_string();
    let query = [("arg", &*arg), ("offline", "true"), ("progress", "false")];
    let call = Call { command: "dag/stat", query: &query, doing };
    let stat =
        async { rpc.call(&call, rpc.timeouts.walk).await?.only::<IgnoredAny>(64 << 10, rpc.timeouts.answer).await };
    match stat.await {
        Err(Failed::Refused(answer)) if answer.is_failure() => Some(match answer.missing_block() {
            Some(block) => failure::hole(&rpc.place, doing, &block),
            None => answer.into_error(&rpc.place, doing),
        }),
        // Who may not ask, and what no answer comes to, say nothing of the blocks.
        _ => None,
    }
}

/// The pins of an answer that is one document: of a list of lines nobody could tell whether it was cut between two of them,
/// as the trailer that says so is lost at some proxies.
async fn list(rpc: &Rpc, call: &Call<'_>, wanted: impl Fn(&Pin) -> bool) -> Result<Vec<Pin>, Failed> {
    let nonsense = |why: &str| Failed::Broken(failure::nonsense(&rpc.place, call.doing, why));
    let listed: Listed = rpc.call(call, rpc.timeouts.stall).await?.only(MAX_PINS_BYTES, rpc.timeouts.stall).await?;
    let mut found = Vec::new();
    for (cid, pinned) in listed.keys.unwrap_or_default() {
        if pinned.kind != "recursive" {
            continue;
        }
        let cid = cid.parse::<Cid>().map_err(|error| nonsense(&format!("a pin of no CID: {error}")))?;
        let pin = Pin { cid, name: Some(pinned.name).filter(|name| !name.is_empty()) };
        if wanted(&pin) {
            found.push(pin);
        }
    }
    Ok(found)
}

/// Makes a call that answers with the pins it changed; whether `cid` is among them.
async fn changed(rpc: &Rpc, call: &Call<'_>, cid: &Cid) -> Result<bool, Failed> {
    let done: Done = rpc.call(call, rpc.timeouts.walk).await?.only(64 << 10, rpc.timeouts.answer).await?;
    Ok(names(&done.pins, cid))
}

fn names(pins: &[String], cid: &Cid) -> bool {
    pins.iter().any(|pin| pin.parse::<Cid>().is_ok_and(|pin| pin.hash() == cid.hash() && pin.codec() == cid.codec()))
}

fn confirmed(rpc: &Rpc, answer: Result<bool, Failed>, doing: &str) -> Result<()> {
    match answer {
        Ok(true) => Ok(()),
        Ok(false) => Err(failure::cut(&rpc.place, doing, "no confirmation")),
        Err(failed) => Err(failed.into_error(&rpc.place, doing)),
    }
}
