//! Kubo's RPC over http and https: the way that serves every node, and all that is large.
//!
//! Knows URLs, headers and time limits of a call. Must not know what the commands do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH};
use reqwest::{Client, RequestBuilder};
use tokio::time::timeout;
use url::Url;

use super::failure;
use super::options::{self, Authorisation, KuboOptions, Timeouts};
use super::reply::{Failed, Reply};
use super::secrets::Secrets;
use crate::error::{Error, Kind, Result};

/// A command, its arguments and options, and what can't be done if it fails: `can't pin X`.
#[derive(Debug)]
pub(super) struct Call<'a> {
    /// Path below `/api/v0`: `pin/add`.
    pub(super) command: &'a str,
    /// `arg`, and options by their names.
    pub(super) query: &'a [(&'a str, &'a str)],
    /// Fragment for errors, as in `can't pin X`.
    pub(super) doing: &'a str,
}

#[derive(Clone)]
pub(super) struct Rpc {
    client: Client,
    base: Url,
    authorisation: Option<Authorisation>,
    /// What none of its words may say.
    pub(super) secrets: Secrets,
    /// Where it is, for people.
    pub(super) place: String,
    /// Whether it is on this machine.
    pub(super) is_local: bool,
    pub(super) timeouts: Timeouts,
    /// Requests that were sent.
    requests: Arc<AtomicU64>,
}

impl Rpc {
    /// Checks the options, and connects to nothing yet.
    pub(super) fn new(options: &KuboOptions, authorisation: Option<Authorisation>) -> Result<Self> {
        let is_local = options::is_loopback(&options.url);
        // What is decompressed on the way would lose its trailers, and credentials belong to this URL alone.
        let mut client = crate::http::client().connect_timeout(options.timeouts.connect).tcp_nodelay(true);
        if is_local {
            client = client.no_proxy();
        }
        if options.url.scheme() == "http" {
            // Nobody's certificate is looked at; reading all of the system's takes longer than a small publication.
            client = client.tls_certs_only([]);
        }
        let client = client
            .build()
            .map_err(|error| Error::new(Kind::Unexpected, "can't create an HTTP client").caused_by(error))?;
        Ok(Self {
            client,
            base: options::base(&options.url)?,
            secrets: Secrets::of(authorisation.as_ref()),
            authorisation,
            place: format!("the node at {}", options::shown(&options.url)),
            is_local,
            timeouts: options.timeouts,
            requests: Arc::default(),
        })
    }

    /// Requests that were sent so far.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// The call as a request without a body.
    pub(super) fn request(&self, call: &Call<'_>) -> RequestBuilder {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{}", self.base.path(), call.command));
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(call.query);
        }
        let request = self.client.post(url);
        match &self.authorisation {
            Some(authorisation) => request.header(AUTHORIZATION, authorisation.header.clone()),
            None => request,
        }
    }

    /// Sends a request, and has its answer once that begins, which may take `limit`.
    pub(super) async fn send(&self, request: RequestBuilder, doing: &str, limit: Duration) -> Result<Reply, Failed> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let response = match timeout(limit, request.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(Failed::Broken(self.broken(error, doing))),
            Err(_) => return Err(Failed::Broken(failure::stalled(&self.place, doing, limit.as_secs()))),
        };
        let status = response.status();
        let reply = Reply::new(response, &self.place, doing, self.secrets.clone());
        if status.as_u16() == 200 {
            Ok(reply)
        } else {
            Err(Failed::Refused(reply.refusal(status.as_u16(), self.timeouts.answer).await))
        }
    }

    /// Makes a call without a body.
    pub(super) async fn call(&self, call: &Call<'_>, limit: Duration) -> Result<Reply, Failed> {
        let request = self.request(call).header(CONTENT_LENGTH, 0);
        self.send(request, call.doing, limit).await
    }

    fn broken(&self, error: reqwest::Error, doing: &str) -> Error {
        if error.is_connect() || error.is_timeout() {
            failure::unreachable(&self.place, doing, &why(error), self.is_local)
        } else {
            failure::cut(&self.place, doing, &why(error))
        }
    }
}

/// The innermost cause, which is what a person can use; never the URL.
pub(super) fn why(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
