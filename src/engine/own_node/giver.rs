//! The program's own node as the one that a pinning service fetches from.
//!
//! Who publishes and who serves are two processes, mostly: where it is served stands in their notes (`serving`), and whom to connect to
//! is told by a file (`delegates`).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cid::Cid;
use tokio::time::{Instant, sleep};

use crate::catalog::own_node;
use crate::engine::Engine;
use crate::error::Result;
use crate::node::pinning::Giver;

/// How long it is waited for a root that is being published to this program's own node as well.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// This program's own node.
#[derive(Debug)]
pub(in crate::engine) struct OwnGiver {
    engine: Arc<Engine>,
}

impl OwnGiver {
    pub(in crate::engine) fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }

    /// Where peers of the swarm find what is served now.
    async fn peers(&self) -> Vec<String> {
        let serving = self.engine.blocking(|engine| Ok(engine.serving())).await.unwrap_or_default();
        let all = serving.into_iter().flat_map(|serving| serving.announced.into_iter().chain(serving.listening));
        let mut seen = BTreeSet::new();
        all.filter(|address| address.contains("/p2p/") && seen.insert(address.clone())).collect()
    }

    /// Whether a server gives it out already: that it is published here is not enough for whoever asks at once.
    async fn is_served(&self, root: Cid) -> bool {
        let serving = self.engine.blocking(|engine| Ok(engine.serving())).await.unwrap_or_default();
        serving.iter().any(|serving| serving.gives(&root))
    }

    async fn has_pinned(&self, root: Cid) -> Result<bool> {
        let pins = self.engine.blocking(|engine| own_node::pins(&*engine.catalog.read()?)).await?;
        Ok(pins.into_iter().any(|(pinned, _)| pinned == root))
    }
}

#[async_trait]
impl Giver for OwnGiver {
    async fn addresses(&self) -> Vec<String> {
        self.peers().await
    }

    async fn gives(&self, root: &Cid) -> bool {
        if self.peers().await.is_empty() {
            return false;
        }
        let may_come = self.engine.blocking(|engine| engine.publishes_here()).await.unwrap_or(false);
        let begun = Instant::now();
        loop {
            let is_pinned = self.has_pinned(*root).await.unwrap_or(false);
            if is_pinned && self.is_served(*root).await {
                return true;
            }
            if (!is_pinned && !may_come) || begun.elapsed() >= PATIENCE {
                return false;
            }
            sleep(LOOK_INTERVAL).await;
        }
    }

    async fn connect_to(&self, delegates: &[String]) {
        let delegates = delegates.to_vec();
        let told = self.engine.blocking(move |engine| engine.add_delegates(&delegates)).await;
        if let Err(error) = told {
            // The service has our addresses, too.
            tracing::warn!(%error, "the server is not told whom to connect to");
        }
    }

    async fn advice(&self) -> Vec<String> {
        let publishes_here = self.engine.blocking(|engine| engine.publishes_here()).await.unwrap_or(false);
        let mut advice = Vec::new();
        if !publishes_here {
            advice.push(
                "This program does not give the root out, so the service has to find it elsewhere: `roadstead target add here --self`, then `roadstead publish`."
                    .to_owned(),
            );
        }
        if self.peers().await.is_empty() {
            advice.push(
                "No node of this program is in the swarm now, so the service can't fetch from it: `roadstead serve --ipfs` starts one."
                    .to_owned(),
            );
        }
        advice
    }
}
