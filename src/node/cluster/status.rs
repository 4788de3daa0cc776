//! What a cluster says of itself and of its peers: `/id` and `/peers`.

use reqwest::Method;
use serde::Deserialize;

use crate::error::Result;
use crate::node::Status;
use crate::node::web::WebApi;
use crate::text::printable_within;

/// The most bytes of what a peer says of itself.
const MAX_ID_BYTES: usize = 1 << 20;
/// Peers that are looked at.
const MAX_PEERS: usize = 1000;

/// A peer as it says itself.
#[derive(Debug, Deserialize)]
struct Peer {
    #[serde(default)]
    id: String,
    #[serde(default)]
    peername: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    cluster_peers: Option<Vec<String>>,
    #[serde(default)]
    error: String,
    #[serde(default)]
    ipfs: Ipfs,
}

/// The IPFS node behind a peer.
#[derive(Debug, Default, Deserialize)]
struct Ipfs {
    #[serde(default)]
    error: String,
}

/// What the peer that is asked says of itself.
pub(super) async fn status(api: &WebApi) -> Result<Status> {
    let doing = "can't ask for its status";
    let request = api.request(Method::GET, &["id"], &[]);
    let answer = async { api.ask(request, doing).await?.only::<Peer>(MAX_ID_BYTES).await };
    let peer = answer.await.map_err(|failed| api.error(failed, doing))?;
    if peer.version.is_empty() {
        return Err(api.nonsense(doing, "it names no version"));
    }
    Ok(Status {
        agent: format!("ipfs-cluster/{}", peer.version),
        peer_id: peer.id,
        // It counts itself.
        peers: Some(peer.cluster_peers.unwrap_or_default().len().saturating_sub(1) as u64),
        ..Status::default()
    })
}

/// What is wrong with its peers, in sentences.
pub(super) async fn troubles(api: &WebApi) -> Result<Vec<String>> {
    let doing = "can't list its peers";
    let request = api.request(Method::GET, &["peers"], &[]);
    let found = async {
        let mut answer = api.ask(request, doing).await?;
        let mut troubles = Vec::new();
        let mut seen = 0;
        while let Some(peer) = answer.next::<Peer>().await? {
            seen += 1;
            if seen > MAX_PEERS {
                break;
            }
            let name = if peer.peername.is_empty() { &peer.id } else { &peer.peername };
            let name = printable_within(name, 100);
            if !peer.error.is_empty() {
                let why = printable_within(&peer.error, 200);
                troubles.push(format!("The peer {name} of the cluster does not answer: {why}."));
            } else if !peer.ipfs.error.is_empty() {
                let why = printable_within(&peer.ipfs.error, 200);
                troubles.push(format!("The peer {name} of the cluster can't reach its IPFS node: {why}."));
            }
        }
        Ok(troubles)
    };
    found.await.map_err(|failed| api.error(failed, doing))
}
