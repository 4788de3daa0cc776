//! Pinning services, by the Pinning Service API 1.0 (ipfs.github.io/pinning-services-api-spec): somebody who fetches a root from
//! the swarm and keeps it.
//!
//! A service takes no block and gives none back. It is told where the blocks are (`origins`), and says who will fetch them
//! (`delegates`). A moved root is added and the former one removed once the new one is pinned: replacing (`POST /pins/ID`) may remove
//! first, by the specification, and IPFS Cluster 1.1 does (api/pinsvcapi `addPin`). Knows the API; must not know what the blocks mean,
//! nor who gives them out.

mod origins;
mod pins;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use cid::Cid;
use reqwest::Method;
use url::Url;

use super::web::{Failed, Limits, WebApi, Words};
use super::{Intake, Names, Node, Pin, PinProgress, PinUpdates, Pins, ReadBlocks, Status, Tried};
use crate::error::Result;
use crate::text::count;

const WORDS: Words = Words {
    what: "the service",
    unreachable: "Check the URL of its Pinning Service API, and that it can be reached from here.",
    denied: "Name a file with its access token: `roadstead target set NAME --auth-file FILE`.",
    nonsense: "Use the URL of its Pinning Service API, below which `/pins` is: the service's manual says it.",
};
/// What no service takes for a CID, nor for the ID of a request.
const NOTHING: &str = "roadstead-target-test";

/// Who gives out what a service is to fetch.
#[async_trait]
pub trait Giver: fmt::Debug + Send + Sync {
    /// Where its blocks are given out, as multiaddrs with a peer ID; empty while nobody gives them out.
    async fn addresses(&self) -> Vec<String>;

    /// Waits for a moment until this root is given out; whether it is.
    async fn gives(&self, root: &Cid) -> bool;

    /// Has these connected to, who are about to fetch.
    async fn connect_to(&self, delegates: &[String]);

    /// What is still to be done so that the root is given out, in sentences.
    async fn advice(&self) -> Vec<String>;
}

/// What it takes to reach a service.
#[derive(Clone)]
pub struct PinningOptions {
    /// The URL below which `/pins` is.
    pub url: Url,
    /// The access token: `bearer:TOKEN`, or bare.
    pub authorisation: Option<String>,
    /// How long it may take.
    pub limits: Limits,
}

impl PinningOptions {
    /// A service without a token.
    pub fn new(url: Url) -> Self {
        Self { url, authorisation: None, limits: Limits::default() }
    }
}

/// A pinning service.
pub struct PinningService {
    api: WebApi,
    giver: Arc<dyn Giver>,
}

impl fmt::Debug for PinningService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PinningService").field("place", &self.api.place).finish_non_exhaustive()
    }
}

impl PinningService {
    /// Checks the options, and connects to nothing yet.
    pub fn new(options: &PinningOptions, giver: Arc<dyn Giver>) -> Result<Self> {
        let api = WebApi::new(&options.url, options.authorisation.as_deref(), WORDS, options.limits)?;
        Ok(Self { api, giver })
    }

    async fn refuses(&self, method: Method, path: &[&str], body: Option<serde_json::Value>) -> Result<()> {
        let doing = format!("can't use {method} /pins");
        let mut request = self.api.request(method, path, &[]);
        if let Some(body) = body {
            request = request.json(&body);
        }
        match self.api.ask(request, &doing).await {
            // Looked at after the token.
            Err(Failed::Refused(refusal)) if matches!(refusal.status, Some(400 | 404 | 422)) => Ok(()),
            Err(failed) => Err(self.api.error(failed, &doing)),
            Ok(_) => Err(self.api.nonsense(&doing, "it takes anything for a CID")),
        }
    }
}

#[async_trait]
impl Node for PinningService {
    fn place(&self) -> String {
        self.api.place.clone()
    }

    async fn status(&self) -> Result<Status> {
        let pinned = pins::count(&self.api).await?;
        Ok(Status {
            agent: format!("Pinning Service API, {}", count(pinned, "pin", "pins")),
            served_at: Some(vec![self.api.address.clone()]),
            ..Status::default()
        })
    }

    async fn try_rights(&self, _: bool) -> Vec<Tried> {
        let see = Tried { right: "see pins", outcome: pins::count(&self.api).await.map(drop) };
        if see.outcome.is_err() {
            return vec![see];
        }
        let body = serde_json::json!({ "cid": NOTHING, "name": NOTHING });
        let pin = self.refuses(Method::POST, &["pins"], Some(body)).await;
        let unpin = self.refuses(Method::DELETE, &["pins", NOTHING], None).await;
        vec![see, Tried { right: "pin", outcome: pin }, Tried { right: "unpin", outcome: unpin }]
    }

    fn requests(&self) -> Option<u64> {
        Some(self.api.requests())
    }

    fn intake(&self) -> Intake<'_> {
        Intake::Fetches
    }

    fn blocks(&self) -> Option<&dyn ReadBlocks> {
        None
    }

    fn pins(&self) -> Option<&dyn Pins> {
        Some(self)
    }

    fn pin_updates(&self) -> Option<&dyn PinUpdates> {
        None
    }

    fn names(&self) -> Option<&dyn Names> {
        None
    }

    async fn advice(&self) -> Vec<String> {
        self.giver.advice().await
    }
}

#[async_trait]
impl Pins for PinningService {
    async fn pin(&self, cid: &Cid) -> Result<Option<Pin>> {
        pins::pinned(&self.api, cid).await
    }

    async fn pins_named(&self, name: &str) -> Result<Vec<Pin>> {
        pins::named(&self.api, name).await
    }

    async fn pin_add(&self, cid: &Cid, name: &str, progress: &(dyn Fn(PinProgress) + Send + Sync)) -> Result<()> {
        pins::add(&self.api, &*self.giver, cid, name, progress).await
    }

    async fn made(&self, cid: &Cid) -> Result<Option<jiff::Timestamp>> {
        pins::made(&self.api, cid).await
    }

    async fn unpin(&self, cid: &Cid) -> Result<()> {
        pins::remove(&self.api, cid).await
    }

    fn walks(&self) -> bool {
        false
    }
}
