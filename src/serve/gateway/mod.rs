//! Gives published blocks and names out to IPFS programs: the trustless gateway (specs.ipfs.tech/http-gateways/trustless-gateway),
//! and delegated routing (specs.ipfs.tech/routing/http-routing-v1), beside the registry and on the same port.
//!
//! Everything comes through [`PublishedBlocks`]; nothing else of the catalog can be asked for here. What that gives out is
//! public: it was published, and whoever has a CID has it from there. So these paths have rules of their own:
//!
//! - `htpasswd` guards the registry, with its private repositories, and not these paths: no IPFS program can log in.
//! - A `Host` has to be well-formed, and may be any: a page that is pointed here (DNS rebinding) learns nothing that it could not
//!   ask for openly, which `Access-Control-Allow-Origin: *` lets it do. What is put has to be signed.
//! - The access log has them as it has all others.
//!
//! Memory is bounded as for large blobs: an answer has one buffer of the common stock, in which it is made when the one before
//! has been taken, so that a client that takes nothing holds one buffer. Beside it a CAR has its way down the tree (some
//! kilobytes) and, without `dups=y`, the blocks that it has already: at most 4.3 MiB, and 16 MiB for all at once. A CAR that
//! outgrows that has duplicates from there on if nothing was said of them, and ends unfinished if `dups=n` was asked for.

mod accept;
mod block_reader;
mod block_writer;
mod car_writer;
mod content;
mod dag_cbor;
mod entity_bytes;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod headers;
mod names;
mod published_blocks;
mod records;
mod refusal;
mod request;
mod resolve;
mod routing;
mod seen;
#[cfg(test)]
pub(super) mod tests;
mod turns;
mod walk;
mod writing;
mod written_body;

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{Method, Request, Response, StatusCode};
use bytes::Bytes;

use super::body::Body;
use super::buffers::Buffers;
use super::peer::Peer;
use content::Asked;
pub use published_blocks::{Asker, Coming, NamedRecord, PieceRead, Provider, PublishedBlocks};
use refusal::Refusal;
use turns::Turns;

/// What is answered here: see the module.
pub(super) struct Gateway {
    turns: Arc<Turns>,
}

/// Which of the two a path belongs to, with what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place<'a> {
    Content(&'a str),
    Name(&'a str),
    Routing(&'a str),
}

impl<'a> Place<'a> {
    fn of(path: &'a str) -> Option<Self> {
        path.strip_prefix("/ipfs/")
            .map(Self::Content)
            .or_else(|| path.strip_prefix("/ipns/").map(Self::Name))
            .or_else(|| path.strip_prefix("/routing/v1/").map(Self::Routing))
    }

    fn methods(self) -> &'static str {
        if matches!(self, Self::Routing(_)) { routing::METHODS } else { content::METHODS }
    }
}

/// Whether a path is answered here.
pub(super) fn covers(path: &str) -> bool {
    Place::of(path).is_some()
}

impl Gateway {
    /// Over these blocks, with buffers that others use too.
    pub(super) fn new(source: Arc<dyn PublishedBlocks>, buffers: Arc<Buffers>) -> Self {
        Self { turns: Arc::new(Turns::new(source, buffers)) }
    }

    /// The answer to a request from this address, which counts for this peer.
    pub(super) async fn answer<B>(&self, request: Request<B>, peer: Peer, ip: IpAddr) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes>,
    {
        self.find(request, peer, ip).await.unwrap_or_else(Refusal::into_response)
    }

    async fn find<B>(&self, request: Request<B>, peer: Peer, ip: IpAddr) -> Result<Response<Body>, Refusal>
    where
        B: http_body::Body<Data = Bytes>,
    {
        let (head, body) = request.into_parts();
        let asked = Asked { method: &head.method, uri: &head.uri, headers: &head.headers, peer, ip };
        let place = Place::of(head.uri.path()).ok_or_else(Refusal::no_such_path)?;
        if head.method == Method::OPTIONS {
            return Ok(preflight(place.methods()));
        }
        if !matches!(place, Place::Routing(_)) && !matches!(head.method, Method::GET | Method::HEAD) {
            return Err(Refusal::not_allowed(content::METHODS));
        }
        match place {
            Place::Content(below) => content::content(&self.turns, &asked, below).await,
            Place::Name(name) => records::named(&self.turns, &asked, name).await,
            Place::Routing(below) => routing::route(&self.turns, &asked, below, body).await,
        }
    }
}

/// What a browser asks before it asks.
fn preflight(methods: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers::allow_origins(headers, methods);
    headers::allow_requests(headers);
    response
}
