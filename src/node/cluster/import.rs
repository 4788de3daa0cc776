//! Hands a cluster the blocks of a CAR: `POST /add?format=car`.
//!
//! The cluster gives them to the IPFS nodes of the peers that it chooses, pins nothing, and says in its last line how many bytes it
//! took and who has them. Errors come in a trailer. Knows the upload; must not know what is in it.

use std::time::Duration;

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde::Deserialize;

use crate::error::{Error, Kind, Result};
use crate::node::CarStream;
use crate::node::upload::Upload;
use crate::node::web::{Failed, WebApi};

/// What can't be done if it fails.
const DOING: &str = "can't hand over blocks";

/// What a cluster took of a CAR.
#[derive(Debug, Deserialize)]
pub(super) struct Taken {
    #[serde(default)]
    pub(super) bytes: u64,
    /// The peers whose IPFS nodes have the blocks.
    #[serde(default, rename = "allocations")]
    pub(super) peers: Vec<String>,
}

/// What it takes of a CAR, which must have a block.
pub(super) async fn import(api: &WebApi, wishes: &[(&str, String)], car: CarStream) -> Result<Taken> {
    let mut query = vec![("format", "car"), ("no-pin", "true"), ("stream-channels", "true")];
    query.extend(wishes.iter().map(|(name, value)| (*name, value.as_str())));
    let (progress, pieces) = Upload::watched(car);
    let part = Part::stream(reqwest::Body::wrap_stream(pieces))
        .file_name("registry.car")
        .mime_str("application/octet-stream")
        .map_err(|error| Error::new(Kind::Unexpected, DOING).caused_by(error))?;
    let request = api.request(Method::POST, &["add"], &query).multipart(Form::new().part("file", part));
    let sending = async {
        // The upload is watched below; then the nodes may take their time to write.
        let mut answer = api.send(request, DOING, Duration::MAX).await?;
        let mut taken = None;
        while let Some(line) = answer.next::<Taken>().await? {
            taken = Some(line);
        }
        taken.ok_or_else(|| Failed::Broken(api.nonsense(DOING, "it does not say what it took")))
    };
    let answer = tokio::select! {
        answer = sending => answer,
        () = progress.stalled(api.limits.stall) => Err(Failed::Broken(api.stalled(DOING, api.limits.stall))),
    };
    if let Some(why) = progress.unreadable() {
        return Err(Error::new(Kind::Unexpected, format!("{DOING}: can't read the blocks to send: {why}")));
    }
    answer.map_err(|failed| api.error(failed, DOING))
}
