//! Blocks of a Kubo: `block/stat` and `block/get`, from its own disk alone.
//!
//! Knows how Kubo says that it has no block. Believes in no block that it hasn't verified.

use bytes::Bytes;
use cid::Cid;
use serde::Deserialize;

use super::failure;
use super::reply::Failed;
use super::rpc::{Call, Rpc};
use crate::error::{Context as _, Result};
use crate::unixfs::{MAX_BLOCK_BYTES, verify_block};

#[derive(Deserialize)]
struct Stat {
    #[serde(rename = "Key")]
    key: String,
}

/// Whether it holds this block.
pub(super) async fn holds(rpc: &Rpc, cid: &Cid) -> Result<bool> {
    let (arg, doing) = (cid.to_string(), format!("can't check whether block {cid} is there"));
    let call = Call { command: "block/stat", query: &[("arg", &arg), ("offline", "true")], doing: &doing };
    let stat = async {
        let reply = rpc.call(&call, rpc.timeouts.answer).await?;
        reply.only::<Stat>(64 << 10, rpc.timeouts.answer).await
    };
    match stat.await {
        Ok(stat) if stat.key.parse::<Cid>().is_ok_and(|key| key.hash() == cid.hash()) => Ok(true),
        Ok(_) => Err(failure::nonsense(&rpc.place, &doing, "it names another block")),
        Err(Failed::Refused(answer)) if answer.is_missing_block() => Ok(false),
        Err(failed) => Err(failed.into_error(&rpc.place, &doing)),
    }
}

/// A block that it holds, verified.
pub(super) async fn get(rpc: &Rpc, cid: &Cid) -> Result<Option<Bytes>> {
    let (arg, doing) = (cid.to_string(), format!("can't read block {cid}"));
    let call = Call { command: "block/get", query: &[("arg", &arg), ("offline", "true")], doing: &doing };
    let block = async {
        let reply = rpc.call(&call, rpc.timeouts.answer).await?;
        reply.whole(MAX_BLOCK_BYTES, rpc.timeouts.answer).await
    };
    match block.await {
        Ok(bytes) => {
            verify_block(cid, &bytes).context(|| rpc.place.clone())?;
            Ok(Some(bytes))
        }
        Err(Failed::Refused(answer)) if answer.is_missing_block() => Ok(None),
        Err(failed) => Err(failed.into_error(&rpc.place, &doing)),
    }
}
