//! Hands a Kubo the blocks of a CAR: `dag/import`.
//!
//! Kubo says what it took in the last line of its answer, and that alone is a success: a stream that is cut, by the node or
//! on the way, has no such line. Who refuses us says so before we are done sending, and closes the connection, on which the
//! refusal may be lost: then it is asked for once more with next to nothing. Knows the upload; must not know what is in it.

use std::time::Duration;

use cid::Cid;
use futures::stream;
use reqwest::multipart::{Form, Part};
use serde::Deserialize;

use super::failure;
use super::reply::Failed;
use super::rpc::{Call, Rpc};
use crate::error::{Error, Kind, Result};
use crate::node::upload::Upload;
use crate::node::{CarStream, Imported};
use crate::unixfs::car;

/// The empty block, which every node has.
const EMPTY_BLOCK: &str = "bafkqaaa";

/// What can't be done if it fails.
const DOING: &str = "can't hand over blocks";

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "Stats")]
    stats: Option<Stats>,
}

#[derive(Deserialize)]
struct Stats {
    #[serde(rename = "BlockCount")]
    blocks: u64,
    #[serde(rename = "BlockBytesCount")]
    bytes: u64,
}

/// What `dag/import` took of a CAR.
pub(super) async fn import(rpc: &Rpc, car: CarStream) -> Result<Imported> {
    match upload(rpc, car).await {
        Ok(imported) => Ok(imported),
        Err(Failed::Broken(error)) if error.kind() == Kind::Node => match upload(rpc, nothing()).await {
            Err(Failed::Refused(answer)) => Err(answer.into_error(&rpc.place, DOING)),
            _ => Err(error),
        },
        Err(failed) => Err(failed.into_error(&rpc.place, DOING)),
    }
}

/// Imports a CAR without blocks.
pub(super) async fn import_nothing(rpc: &Rpc) -> Result<()> {
    upload(rpc, nothing()).await.map(drop).map_err(|failed| failed.into_error(&rpc.place, DOING))
}

fn nothing() -> CarStream {
    let roots: Vec<Cid> = EMPTY_BLOCK.parse().into_iter().collect();
    Box::pin(stream::iter([Ok(car::header(&roots).into())]))
}

async fn upload(rpc: &Rpc, car: CarStream) -> Result<Imported, Failed> {
    let call = Call {
        command: "dag/import",
        // The root is announced when it is pinned, not with every CAR that has a part of it.
        query: &[("pin-roots", "false"), ("stats", "true"), ("fast-provide-root", "false")],
        doing: DOING,
    };
    let (progress, pieces) = Upload::watched(car);
    let part = Part::stream(reqwest::Body::wrap_stream(pieces))
        .file_name("registry.car")
        .mime_str("application/octet-stream")
        .map_err(|error| Failed::Broken(Error::new(Kind::Unexpected, call.doing).caused_by(error)))?;
    let request = rpc.request(&call).multipart(Form::new().part("file", part));
    let sending = async {
        // The upload is watched below; then the node may take its time to write.
        let mut reply = rpc.send(request, call.doing, Duration::MAX).await?;
        let mut stats = None;
        while let Some(line) = reply.document::<Line>(rpc.timeouts.stall).await? {
            stats = line.stats.or(stats);
        }
        Ok(stats)
    };
    let answer = tokio::select! {
        answer = sending => answer,
        () = progress.stalled(rpc.timeouts.stall) => {
            Err(Failed::Broken(failure::stalled(&rpc.place, call.doing, rpc.timeouts.stall.as_secs())))
        }
    };
    if let Some(why) = progress.unreadable() {
        let error = Error::new(Kind::Unexpected, format!("{}: can't read the blocks to send: {why}", call.doing));
        return Err(Failed::Broken(error));
    }
    match answer? {
        Some(Stats { blocks, bytes }) => Ok(Imported { blocks, bytes }),
        None => Err(Failed::Broken(failure::cut(&rpc.place, call.doing, "no count of imported blocks"))),
    }
}
