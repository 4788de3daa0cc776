//! Who else has a root, asked for over HTTP (specs.ipfs.tech/routing/http-routing-v1, "Content Routing API" and "Peer Routing API").
//!
//! What is answered is authenticated by nothing: it names places to ask, and what they give is verified.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use cid::Cid;
use reqwest::header::ACCEPT;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::Deserialize;

use super::HttpRecords;
use crate::error::{Error, Kind, Result};
use crate::http::body_within;
use crate::ipns::Holding;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes that are read of an answer.
const MAX_ANSWER_BYTES: usize = 64 << 10;
/// Most redirects that are followed.
const MAX_REDIRECTS: usize = 3;
/// Which of the peers are asked for.
const FILTER: &str = "filter-protocols=transport-ipfs-gateway-http";

/// A router, which may know who has what.
pub struct HttpProviders {
    client: Client,
    base: String,
}

/// What a router answered.
#[derive(Debug, Default)]
pub struct Providers {
    /// Where the answer came from, if that is known.
    pub from: Option<SocketAddr>,
    /// Peer IDs, each with its multiaddrs.
    pub peers: Vec<(String, Vec<String>)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(alias = "Peers")]
    providers: Option<Vec<Record>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record {
    #[serde(rename = "ID")]
    id: Option<String>,
    #[serde(default)]
    addrs: Option<Vec<String>>,
}

impl fmt::Debug for HttpProviders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpProviders").field("base", &self.base).finish_non_exhaustive()
    }
}

impl HttpProviders {
    /// The router at this URL.
    pub fn new(address: &str) -> Result<Self> {
        let client = crate::http::client()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .redirect(crate::http::safe_redirects(MAX_REDIRECTS))
            .build()
            .map_err(|error| Error::new(Kind::Unexpected, "can't create an HTTP client").caused_by(error))?;
        Ok(Self { client, base: HttpRecords::new(address)?.base() })
    }

    /// The same client for another router.
    #[must_use]
    pub fn at(&self, base: &str) -> Self {
        Self { client: self.client.clone(), base: base.to_owned() }
    }

    /// Asks who gives out this root over HTTP. Whoever asks may say what they hold of it, and are told accordingly.
    pub async fn providers(&self, root: &Cid, holding: Option<&Holding>) -> Result<Providers> {
        let mut request = self.client.get(format!("{}/routing/v1/providers/{root}?{FILTER}", self.base));
        if let Some(holding) = holding {
            request = request.header(Holding::FIELD, holding.to_string());
        }
        ask(request).await
    }

    /// Whether the server is this peer, as it says itself.
    pub async fn is_peer(&self, id: &str) -> Result<bool> {
        let answer = ask(self.client.get(format!("{}/routing/v1/peers/{id}", self.base))).await?;
        Ok(answer.peers.iter().any(|(found, _)| found == id))
    }
}

async fn ask(request: RequestBuilder) -> Result<Providers> {
    let failed =
        |error: reqwest::Error| Error::new(Kind::Network, "a router could not be asked").caused_by(error.without_url());
    let mut response = request.header(ACCEPT, "application/json").send().await.map_err(failed)?;
    let from = response.remote_addr();
    if response.status() != StatusCode::OK {
        return Err(Error::new(Kind::Network, format!("a router answered {}", response.status().as_u16())));
    }
    let body = body_within(&mut response, MAX_ANSWER_BYTES).await.map_err(failed)?;
    let body = body.ok_or_else(|| Error::new(Kind::Verification, "a router sent more than 64 KiB"))?;
    let answer: Answer = serde_json::from_slice(&body)
        .map_err(|error| Error::new(Kind::Verification, "can't read what a router answered").caused_by(error))?;
    let peers = answer.providers.unwrap_or_default().into_iter();
    let peers = peers.filter_map(|record| Some((record.id?, record.addrs.unwrap_or_default()))).collect();
    Ok(Providers { from, peers })
}
