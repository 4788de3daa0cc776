//! The web API of a node or a service: JSON over HTTP, asked within bounds and read with mistrust.
//!
//! Knows requests, credentials and what a refusal means. Must not know what is asked for.

mod answer;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, RETRY_AFTER};
use reqwest::{Client, Method, RequestBuilder, Response};
use tokio::time::{sleep, timeout};
use url::Url;

pub(super) use self::answer::Answer;
use super::kubo::{Authorisation, Secrets, is_loopback, shown};
use crate::error::{Error, Kind, Result};
use crate::text::printable_within;

/// How often a request is sent that is answered by "later".
const MAX_TRIES: u32 = 5;
/// The longest pause that is waited when the other side asks for one.
const MAX_RETRY_DELAY: Duration = Duration::from_mins(1);
/// The first pause where it does not say how long; each further one is twice as long.
const FIRST_RETRY_DELAY: Duration = Duration::from_secs(1);
/// Characters of a message from the other side that a person sees.
const MAX_MESSAGE_CHARS: usize = 500;

/// How long a web API may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// To take a connection.
    pub connect: Duration,
    /// To answer a question in full.
    pub answer: Duration,
    /// Between two signs of life of something long.
    pub stall: Duration,
    /// For a pin, while the other side only says that it is at it.
    pub pin: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            answer: Duration::from_mins(1),
            stall: Duration::from_mins(2),
            pin: Duration::from_hours(6),
        }
    }
}

/// What people are told of one kind of API.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    /// What it is: `the cluster`.
    pub(super) what: &'static str,
    /// What to do where nothing answers.
    pub(super) unreachable: &'static str,
    /// What to do where the credentials are refused.
    pub(super) denied: &'static str,
    /// What to do where something else answers.
    pub(super) nonsense: &'static str,
}

/// What came instead of what was asked for.
#[derive(Debug)]
pub(super) enum Failed {
    /// The other side said no.
    Refused(Refusal),
    /// Nothing sensible came of it.
    Broken(Error),
}

/// How the other side says no.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The status; none where it said so after its answer had begun.
    pub(super) status: Option<u16>,
    /// What it says, without our secrets.
    pub(super) message: String,
}

/// A web API at one address.
#[derive(Clone)]
pub(super) struct WebApi {
    client: Client,
    base: Url,
    authorisation: Option<Authorisation>,
    secrets: Secrets,
    words: Words,
    /// Where it is, for people.
    pub(super) place: String,
    /// Its URL, for people.
    pub(super) address: String,
    /// It is on this machine.
    pub(super) is_local: bool,
    pub(super) limits: Limits,
    /// Requests that were sent.
    requests: Arc<AtomicU64>,
}

impl fmt::Debug for WebApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebApi").field("place", &self.place).finish_non_exhaustive()
    }
}

impl WebApi {
    /// Checks the address and the secret (`bearer:TOKEN`, `basic:USER:PASSWORD`, or a token), and connects to nothing yet.
    pub(super) fn new(url: &Url, secret: Option<&str>, words: Words, limits: Limits) -> Result<Self> {
        let authorisation = secret.map(Authorisation::parse).transpose()?;
        let is_local = is_loopback(url);
        let mut client = crate::http::client().connect_timeout(limits.connect).tcp_nodelay(true);
        if is_local {
            client = client.no_proxy();
        }
        let client = client
            .build()
            .map_err(|error| Error::new(Kind::Unexpected, "can't create an HTTP client").caused_by(error))?;
        Ok(Self {
            client,
            base: url.clone(),
            secrets: Secrets::of(authorisation.as_ref()),
            authorisation,
            place: format!("{} at {}", words.what, shown(url)),
            address: shown(url),
            words,
            is_local,
            limits,
            requests: Arc::default(),
        })
    }

    /// Requests that were sent so far.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// A request for what is at this path below the address.
    pub(super) fn request(&self, method: Method, path: &[&str], query: &[(&str, &str)]) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.client.request(method, url);
        match &self.authorisation {
            Some(authorisation) => request.header(AUTHORIZATION, authorisation.header.clone()),
            None => request,
        }
    }

    /// Sends a request without a body that can't be repeated, and has its answer once that begins. Where the other side asks for
    /// patience, it gets some. `doing` is a fragment: `can't pin X`.
    pub(super) async fn ask(&self, request: RequestBuilder, doing: &str) -> Result<Answer<'_>, Failed> {
        let mut pause = FIRST_RETRY_DELAY;
        let mut request = Some(request);
        for tries in 1.. {
            let Some(now) = request.take() else { break };
            request = now.try_clone();
            let response = self.begin(now, doing, self.limits.answer).await?;
            let status = response.status().as_u16();
            if !matches!(status, 429 | 503) || tries >= MAX_TRIES || request.is_none() {
                return self.read(response, doing).await;
            }
            sleep(wanted_pause(&response).unwrap_or(pause).min(MAX_RETRY_DELAY)).await;
            pause *= 2;
        }
        Err(Failed::Broken(Error::new(Kind::Unexpected, doing)))
    }

    /// Sends a request once, whose answer may take `limit` to begin.
    pub(super) async fn send(
        &self,
        request: RequestBuilder,
        doing: &str,
        limit: Duration,
    ) -> Result<Answer<'_>, Failed> {
        let response = self.begin(request, doing, limit).await?;
        self.read(response, doing).await
    }

    async fn begin(&self, request: RequestBuilder, doing: &str, limit: Duration) -> Result<Response, Failed> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        match timeout(limit, request.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(Failed::Broken(self.broken(error, doing))),
            Err(_) => Err(Failed::Broken(self.stalled(doing, limit))),
        }
    }

    async fn read(&self, response: Response, doing: &str) -> Result<Answer<'_>, Failed> {
        let status = response.status();
        let answer = Answer::new(response, self, doing);
        if status.is_success() {
            return Ok(answer);
        }
        let message = self.clean(&answer.refusal(self.limits.answer).await);
        Err(Failed::Refused(Refusal { status: Some(status.as_u16()), message }))
    }

    /// Text from the other side without our secrets.
    fn clean(&self, text: &str) -> String {
        printable_within(&self.secrets.clean(text), MAX_MESSAGE_CHARS)
    }

    fn broken(&self, error: reqwest::Error, doing: &str) -> Error {
        if error.is_connect() || error.is_timeout() {
            let why = self.clean(&why(error));
            return Error::new(Kind::Node, format!("{doing}: can't reach {}: {why}", self.place))
                .hint(self.words.unreachable);
        }
        self.cut(doing, &why(error))
    }

    /// The answer broke off, or the connection did.
    fn cut(&self, doing: &str, why: &str) -> Error {
        let why = self.clean(why);
        Error::new(Kind::Node, format!("{doing}: {} ended its answer early: {why}", self.place))
            .hint("Check its log, then try again.")
    }

    /// The other side began, and did not get on.
    pub(super) fn stalled(&self, doing: &str, limit: Duration) -> Error {
        Error::new(Kind::Node, format!("{doing}: {} made no progress for {} s", self.place, limit.as_secs()))
            .hint("Check its log, then try again.")
    }

    /// The answer is not what such an API says.
    pub(super) fn nonsense(&self, doing: &str, why: &str) -> Error {
        let why = self.clean(why);
        Error::new(Kind::Node, format!("{doing}: unexpected answer from {}: {why}", self.place))
            .hint(self.words.nonsense)
    }

    /// The error for people.
    pub(super) fn error(&self, failed: Failed, doing: &str) -> Error {
        let Refusal { status, message } = match failed {
            Failed::Refused(refusal) => refusal,
            Failed::Broken(error) => return error,
        };
        let place = &self.place;
        let says = if message.is_empty() { String::new() } else { format!(": {message}") };
        match status {
            Some(401 | 403 | 407) => Error::new(Kind::Auth, format!("{doing}: {place} refuses the credentials{says}"))
                .hint(self.words.denied),
            Some(404 | 405) => {
                Error::new(Kind::Node, format!("{doing}: {place} has nothing there{says}")).hint(self.words.nonsense)
            }
            Some(status @ 300..=399) => {
                Error::new(Kind::Node, format!("{doing}: {place} redirects elsewhere (status {status})"))
                    .hint("Use the URL that it redirects to; credentials are not sent along a redirect.")
            }
            Some(413) => Error::new(Kind::Node, format!("{doing}: {place} refuses a body of this size"))
                .hint("A proxy limits the size of bodies: allow any size (`client_max_body_size 0` in nginx)."),
            Some(429) => Error::new(Kind::Node, format!("{doing}: {place} allows no more requests now{says}"))
                .hint("Try again later."),
            Some(status) if message.is_empty() => {
                Error::new(Kind::Node, format!("{doing}: {place} answers with status {status}"))
            }
            _ => Error::new(Kind::Node, format!("{doing}: {place} says: {message}")),
        }
    }
}

/// How long the other side asks to wait; a date is no number and is ignored (RFC 9110, section 10.2.3).
fn wanted_pause(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The innermost cause, which is what a person can use; never the URL.
fn why(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
