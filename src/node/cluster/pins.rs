//! Pins of a cluster: what is wanted, which peers have fulfilled it, and waiting until they have.
//!
//! `POST /pins/CID` writes a wish into the cluster's common state and answers at once. Each peer reads it and has its IPFS node pin
//! the root; `GET /pins/CID` says how far each is (IPFS Cluster api/types.go `TrackerStatus`). Knows these words. Must not know blocks.

use std::collections::BTreeMap;
use std::time::Duration;

use cid::Cid;
use reqwest::Method;
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::Replication;
use crate::error::{Error, Kind, Result};
use crate::node::web::{Failed, WebApi};
use crate::node::{Holder, Pin, PinProgress};
use crate::text::{count, printable_within};

/// The most bytes of what is said of one root: some hundred peers, each with its addresses.
const MAX_STANDING_BYTES: usize = 4 << 20;
/// The first pause until peers are asked again; it grows up to `MAX_POLL_DELAY`.
const FIRST_POLL_DELAY: Duration = Duration::from_millis(20);
/// The longest pause.
const MAX_POLL_DELAY: Duration = Duration::from_secs(3);
/// Peers that are named in one error.
const MAX_NAMED_PEERS: usize = 3;

/// What is wanted of a root, as the cluster has written it down.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    replication_factor_min: i32,
    #[serde(default)]
    replication_factor_max: i32,
}

impl Wanted {
    /// Whether it is kept at so many peers.
    pub(super) fn is(&self, wanted: Replication) -> bool {
        (self.replication_factor_min, self.replication_factor_max) == (wanted.min, wanted.max)
    }

    /// Peers without which it is not kept: one, where all are to keep it, since some may be gone.
    fn least(&self) -> usize {
        usize::try_from(self.replication_factor_min).unwrap_or(1).max(1)
    }
}

/// How far one peer is.
#[derive(Debug, Clone, Deserialize)]
struct At {
    #[serde(default)]
    peername: String,
    status: String,
    #[serde(default)]
    error: String,
}

/// How far a peer is, in our terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Kept,
    /// It is at it.
    Underway,
    /// It may not have heard of it yet, or has lost it.
    Absent,
    /// It can't, or can't be asked.
    Failed,
    /// It is not to keep it.
    Elsewhere,
}

impl At {
    fn stage(&self) -> Stage {
        match self.status.as_str() {
            "pinned" => Stage::Kept,
            "pinning" | "pin_queued" | "queued" => Stage::Underway,
            "remote" => Stage::Elsewhere,
            "pin_error" | "cluster_error" | "error" | "unpin_error" => Stage::Failed,
            _ => Stage::Absent,
        }
    }
}

/// How far all peers are with a root.
#[derive(Debug, Deserialize)]
pub(super) struct Standing {
    #[serde(default)]
    name: String,
    #[serde(default)]
    created: String,
    #[serde(default)]
    peer_map: BTreeMap<String, At>,
}

impl Standing {
    /// The name that it is pinned under.
    pub(super) fn name(&self) -> Option<String> {
        Some(self.name.clone()).filter(|name| !name.is_empty())
    }

    /// When it was asked for, if it is wanted: of another root the year is 1.
    pub(super) fn made(&self) -> Option<jiff::Timestamp> {
        self.created.parse().ok().filter(|at: &jiff::Timestamp| at.as_second() > 0)
    }

    fn count(&self, stage: Stage) -> usize {
        self.peer_map.values().filter(|at| at.stage() == stage).count()
    }

    /// Whether peers keep it, and none is still at it.
    pub(super) fn is_kept(&self) -> bool {
        self.count(Stage::Kept) > 0 && self.count(Stage::Underway) == 0
    }

    /// The peers that are to keep it.
    pub(super) fn holders(self) -> Vec<Holder> {
        let holder = |(peer_id, at): (String, At)| {
            let stage = at.stage();
            let name = if at.peername.is_empty() { &peer_id } else { &at.peername };
            (stage != Stage::Elsewhere).then(|| Holder {
                name: printable_within(name, 100),
                peer_id: printable_within(&peer_id, 100),
                holds: stage == Stage::Kept,
                state: printable_within(&at.status, 40),
                error: Some(printable_within(&at.error, 300)).filter(|error| !error.is_empty()),
            })
        };
        let mut holders: Vec<Holder> = self.peer_map.into_iter().filter_map(holder).collect();
        // Peers have ids of chance; people know them by their names.
        holders.sort_by(|one, other| (&one.name, &one.peer_id).cmp(&(&other.name, &other.peer_id)));
        holders
    }

    /// What changes as the peers get on.
    fn mark(&self) -> Vec<(Stage, String)> {
        self.peer_map.iter().map(|(peer, at)| (at.stage(), peer.clone())).collect()
    }
}

/// Says that a root is wanted, by these options.
pub(super) async fn want(api: &WebApi, cid: &Cid, query: &[(&str, String)], doing: &str) -> Result<Wanted> {
    let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let request = api.request(Method::POST, &["pins", &cid.to_string()], &query);
    let answer = async { api.ask(request, doing).await?.only::<Wanted>(MAX_STANDING_BYTES).await };
    answer.await.map_err(|failed| api.error(failed, doing))
}

/// How far the peers are with a root. Of one that nobody wants all say that they have not pinned it.
pub(super) async fn standing(api: &WebApi, cid: &Cid) -> Result<Standing> {
    let doing = format!("can't check whether {cid} is pinned");
    let request = api.request(Method::GET, &["pins", &cid.to_string()], &[]);
    let answer = async { api.ask(request, &doing).await?.only::<Standing>(MAX_STANDING_BYTES).await };
    answer.await.map_err(|failed| api.error(failed, &doing))
}

/// Waits until every peer that is to keep a root keeps it, or can't. As few as the cluster allows are a success; who lacks it then
/// is said by [`Standing::holders`].
pub(super) async fn wait(
    api: &WebApi,
    cid: &Cid,
    wanted: &Wanted,
    doing: &str,
    progress: &(dyn Fn(PinProgress) + Send + Sync),
) -> Result<()> {
    let (begun, mut pause) = (Instant::now(), FIRST_POLL_DELAY);
    let (mut mark, mut moved) = (Vec::new(), begun);
    loop {
        let standing = standing(api, cid).await?;
        let [kept, underway, absent, failed] =
            [Stage::Kept, Stage::Underway, Stage::Absent, Stage::Failed].map(|stage| standing.count(stage));
        if standing.mark() != mark {
            (mark, moved, pause) = (standing.mark(), Instant::now(), FIRST_POLL_DELAY);
            let of = count((kept + underway + absent + failed) as u64, "peer", "peers");
            progress(PinProgress::Words(format!("{kept} of {of} of {} keep the root.", api.place)));
        }
        let is_quiet = moved.elapsed() >= api.limits.stall;
        let settled = underway == 0 && (absent == 0 || is_quiet);
        if settled && kept >= wanted.least() {
            return Ok(());
        }
        if settled && (failed > 0 || is_quiet) {
            return Err(too_few(api, standing, wanted.least(), doing));
        }
        if begun.elapsed() >= api.limits.pin {
            return Err(Error::new(
                Kind::Node,
                format!(
                    "{doing}: {} after {} min, {kept} of {} have pinned it",
                    api.place,
                    begun.elapsed().as_secs() / 60,
                    count((kept + underway + absent + failed) as u64, "peer", "peers"),
                ),
            )
            .hint("The cluster goes on with it. Publish again later: what is done is not done twice."));
        }
        sleep(pause).await;
        pause = (pause * 3 / 2).min(MAX_POLL_DELAY);
    }
}

/// Fewer peers keep a root than have to.
fn too_few(api: &WebApi, standing: Standing, least: usize, doing: &str) -> Error {
    let holders = standing.holders();
    let kept = holders.iter().filter(|holder| holder.holds).count();
    let of = count(holders.len() as u64, "peer", "peers");
    let lacking: Vec<String> =
        holders.iter().filter(|holder| !holder.holds).take(MAX_NAMED_PEERS).map(Holder::lack).collect();
    Error::new(
        Kind::Node,
        format!("{doing}: {kept} of {of} of {} pinned it, {least} have to: {}", api.place, lacking.join("; ")),
    )
    .hint("Check the IPFS node behind each of these peers: `ipfs-cluster-ctl status` and `ipfs-cluster-ctl health alerts` say more.")
}

/// All roots that are pinned under exactly this name.
pub(super) async fn named(api: &WebApi, name: &str) -> Result<Vec<Pin>> {
    #[derive(Deserialize)]
    struct Listed {
        cid: String,
        #[serde(default)]
        name: String,
    }
    let doing = format!("can't list the pins of {}", printable_within(name, 100));
    let request = api.request(Method::GET, &["allocations"], &[("filter", "pin")]);
    let found = async {
        let mut answer = api.ask(request, &doing).await?;
        let mut found = Vec::new();
        while let Some(listed) = answer.next::<Listed>().await? {
            if listed.name != name {
                continue;
            }
            let cid = listed.cid.parse::<Cid>();
            let cid =
                cid.map_err(|error| Failed::Broken(api.nonsense(&doing, &format!("a pin of no CID: {error}"))))?;
            found.push(Pin { cid, name: Some(listed.name) });
        }
        Ok(found)
    };
    found.await.map_err(|failed| api.error(failed, &doing))
}

/// A root is wanted no longer. It not being so is fine.
pub(super) async fn remove(api: &WebApi, cid: &Cid) -> Result<()> {
    let doing = format!("can't unpin {cid}");
    let request = api.request(Method::DELETE, &["pins", &cid.to_string()], &[]);
    match async { api.ask(request, &doing).await?.done().await }.await {
        Err(Failed::Refused(refusal)) if refusal.status == Some(404) => Ok(()),
        answer => answer.map_err(|failed| api.error(failed, &doing)),
    }
}
