//! Tries the rights that publishing needs, and changes nothing that lasts.
//!
//! What would change something is called without its argument: Kubo checks the token first, and then says what is missing.

use super::control::Control;
use super::failure;
use super::import;
use super::reply::Failed;
use super::rpc::{Call, Rpc};
use super::{blocks, pins};
use crate::error::Result;
use crate::node::Tried;

/// The empty block, which every node has.
const EMPTY_BLOCK: &str = "bafkqaaa";

/// Commands that would change something, with what they are for.
const CHANGING: [(&str, &str); 3] = [("pin", "pin/add"), ("move pins", "pin/update"), ("unpin", "pin/rm")];

/// Tries each right, in the order in which publishing needs them; those of IPNS names if it has `names`.
pub(super) async fn all(rpc: &Rpc, control: &Control, names: bool) -> Vec<Tried> {
    let mut tried = vec![Tried { right: "reach the node", outcome: control.version().await.map(drop) }];
    if tried[0].outcome.is_err() {
        return tried;
    }
    tried.push(Tried { right: "see its state", outcome: control.status().await.map(drop) });
    tried.push(Tried { right: "read blocks", outcome: read(rpc).await });
    tried.push(Tried { right: "import", outcome: import::import_nothing(rpc).await });
    tried.push(Tried { right: "see pins", outcome: see_pins(rpc).await });
    for (right, command) in CHANGING {
        tried.push(Tried { right, outcome: without_argument(rpc, command).await });
    }
    if names {
        tried.push(Tried { right: "list keys", outcome: control.keys().await.map(drop) });
        tried.push(Tried { right: "publish names", outcome: without_argument(rpc, "name/publish").await });
    }
    tried
}

async fn read(rpc: &Rpc) -> Result<()> {
    let Ok(empty) = EMPTY_BLOCK.parse() else { return Ok(()) };
    blocks::holds(rpc, &empty).await?;
    blocks::get(rpc, &empty).await.map(drop)
}

async fn see_pins(rpc: &Rpc) -> Result<()> {
    let Ok(empty) = EMPTY_BLOCK.parse() else { return Ok(()) };
    pins::one(rpc, &empty).await.map(drop)
}

async fn without_argument(rpc: &Rpc, command: &str) -> Result<()> {
    let doing = format!("can't use {command}");
    match rpc.call(&Call { command, query: &[], doing: &doing }, rpc.timeouts.answer).await {
        Err(Failed::Refused(answer)) if answer.wants_argument() => Ok(()),
        Err(failed) => Err(failed.into_error(&rpc.place, &doing)),
        Ok(_) => Err(failure::nonsense(&rpc.place, &doing, "the command ran without its argument")),
    }
}
