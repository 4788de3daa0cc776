//! One request to a bucket: signed (AWS Signature Version 4, in the query), sent, tried again where that helps, its answer capped.
//!
//! A signed URL is a secret as long as it lives: it is in no error and in no log.

use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::StreamExt as _;
use rand::Rng as _;
use reqwest::header::{CONTENT_LENGTH, DATE, HeaderMap, RETRY_AFTER};
use reqwest::{Body, Method, Response};
use rusty_s3::signing::sign;
use url::Url;

use super::S3;
use super::documents;
use super::failure;
use crate::error::{Error, Kind, Result};
use crate::hosts::{ByteStream, Content};
use crate::text::bytes;

/// How long a signed URL is good for.
const SIGNATURE_LIFETIME: Duration = Duration::from_hours(1);
/// How often a request is sent that fails in passing.
const MAX_TRIES: u32 = 6;
/// The longest pause between two tries, whatever the host says.
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// How long an answer may be waited for, besides the time that its bytes take.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);
/// Bytes that have to go out or come in each second.
const MIN_BYTES_PER_SECOND: u64 = 16 << 10;
/// Bytes of an answer that is no object.
pub(super) const MAX_DOCUMENT_BYTES: u64 = 8 << 20;

/// What is sent.
#[derive(Clone, Copy)]
pub(super) enum Payload<'r> {
    Nothing,
    Bytes(&'r Bytes),
    Part { content: &'r dyn Content, offset: u64, length: u64 },
}

impl Payload<'_> {
    fn length(&self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Part { length, .. } => *length,
        }
    }
}

/// A request to a key, or to the bucket itself.
pub(super) struct Request<'r> {
    pub(super) method: Method,
    /// Whole key, with the prefix; empty: the bucket.
    pub(super) key: String,
    /// Sorted by name when it is signed.
    pub(super) query: Vec<(&'static str, String)>,
    /// All are signed; names in lower case.
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) payload: Payload<'r>,
    /// As anybody asks who has no credentials.
    pub(super) anonymous: bool,
}

impl Request<'_> {
    pub(super) fn new(method: Method, key: String) -> Self {
        Self { method, key, query: Vec::new(), headers: Vec::new(), payload: Payload::Nothing, anonymous: false }
    }
}

/// What came back, its body not read yet.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    response: Response,
    /// An earlier try may have been carried out, though its answer was lost.
    pub(super) repeated: bool,
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body, at most this many bytes.
    pub(super) async fn body(self, most: u64) -> Result<Bytes> {
        let mut response = self.response;
        let limit = usize::try_from(most).unwrap_or(usize::MAX);
        let body = crate::http::body_within(&mut response, limit).await.map_err(|error| lost(error.without_url()))?;
        body.ok_or_else(|| Error::new(Kind::Node, format!("the answer is larger than {}", bytes(most))))
    }

    /// The body in pieces of any size.
    pub(super) fn pieces(self) -> ByteStream {
        Box::pin(
            self.response.bytes_stream().map(|piece| piece.map_err(|error| std::io::Error::other(error.without_url()))),
        )
    }
}

fn lost(error: reqwest::Error) -> Error {
    Error::new(Kind::Network, "the answer broke off").caused_by(error)
}

/// How far the host's clock is ahead of ours, in seconds.
pub(super) fn clock_difference(headers: &HeaderMap, now: SystemTime) -> Option<i64> {
    let theirs = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    Some(match theirs.duration_since(now) {
        Ok(ahead) => ahead.as_secs().cast_signed(),
        Err(behind) => -behind.duration().as_secs().cast_signed(),
    })
}

/// Whether the same request may succeed a little later.
fn passes(status: u16) -> bool {
    matches!(status, 408 | 409 | 425 | 429 | 500 | 502 | 503 | 504)
}

impl S3 {
    fn url(&self, request: &Request<'_>) -> Url {
        let mut query: Vec<(&str, &str)> = request.query.iter().map(|(name, value)| (*name, value.as_str())).collect();
        query.sort_unstable();
        let url = self.bucket.object_url(&request.key);
        let Some(credentials) = self.credentials.as_ref().filter(|_| !request.anonymous) else {
            let mut url = url;
            if !query.is_empty() {
                url.query_pairs_mut().extend_pairs(query);
            }
            return url;
        };
        let mut headers: Vec<(&str, &str)> =
            request.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        headers.sort_unstable();
        let method = match request.method {
            Method::PUT => rusty_s3::Method::Put,
            Method::POST => rusty_s3::Method::Post,
            Method::DELETE => rusty_s3::Method::Delete,
            Method::HEAD => rusty_s3::Method::Head,
            _ => rusty_s3::Method::Get,
        };
        sign(
            &jiff_0_2::Timestamp::now(),
            method,
            url,
            &credentials.key,
            &credentials.secret,
            credentials.token.as_deref(),
            self.bucket.region(),
            SIGNATURE_LIFETIME.as_secs(),
            query.into_iter(),
            headers.into_iter(),
        )
    }

    async fn try_once(&self, request: &Request<'_>) -> Result<Response> {
        let length = request.payload.length();
        let patience = ANSWER_TIMEOUT + Duration::from_secs(length / MIN_BYTES_PER_SECOND);
        let mut sent = self.client.request(request.method.clone(), self.url(request));
        for (name, value) in &request.headers {
            sent = sent.header(*name, value);
        }
        if matches!(request.method, Method::PUT | Method::POST) {
            // Some servers want it where there is nothing, too.
            sent = sent.header(CONTENT_LENGTH, length);
        }
        sent = match request.payload {
            Payload::Nothing => sent,
            Payload::Bytes(bytes) => sent.body(bytes.clone()),
            Payload::Part { content, offset, length } => {
                sent.body(Body::wrap_stream(content.read(offset, length).await?))
            }
        };
        self.requests.fetch_add(1, Ordering::Relaxed);
        let answer = tokio::time::timeout(patience, sent.send()).await;
        let answer = answer.map_err(|_| {
            Error::new(Kind::Network, format!("{} did not answer within {} s", self.place, patience.as_secs()))
        })?;
        answer.map_err(|error| {
            let what = if error.is_connect() { "can't be reached" } else { "does not answer" };
            Error::new(Kind::Network, format!("{} {what}", self.place)).caused_by(error.without_url())
        })
    }

    /// Sends a request until it is answered for good. What the answer means is the caller's to say.
    pub(super) async fn send(&self, request: &Request<'_>) -> Result<Answer> {
        let (mut tries, mut repeated) = (1, false);
        loop {
            let pause = self.first_pause * 2_u32.pow(tries - 1);
            let pause = pause.mul_f64(rand::rng().random_range(0.5..1.0)).min(MAX_PAUSE);
            let last = tries >= MAX_TRIES;
            let pause = match self.try_once(request).await {
                Ok(response) => {
                    let (status, headers) = (response.status().as_u16(), response.headers().clone());
                    if last || !passes(status) {
                        return Ok(Answer { status, headers, response, repeated });
                    }
                    let told = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
                    tracing::debug!(place = %self.place, status, "a request is sent again");
                    told.map_or(pause, Duration::from_secs).min(MAX_PAUSE)
                }
                Err(error) if last || error.kind() != Kind::Network => return Err(error),
                Err(error) => {
                    tracing::debug!(place = %self.place, %error, "a request is sent again");
                    pause
                }
            };
            (tries, repeated) = (tries + 1, true);
            tokio::time::sleep(pause).await;
        }
    }

    /// The error of an answer that is no success; `doing` is a fragment: `can't store KEY`.
    pub(super) async fn refused(&self, answer: Answer, doing: &str) -> Error {
        let (status, clock) = (answer.status, clock_difference(&answer.headers, SystemTime::now()));
        let body = answer.body(MAX_DOCUMENT_BYTES).await.unwrap_or_default();
        failure::error(&self.place, doing, status, &documents::refusal(&body), clock)
    }

    /// Sends a request that has to succeed, and reads its answer.
    pub(super) async fn document(&self, request: &Request<'_>, doing: &str) -> Result<Bytes> {
        let answer = self.send(request).await.map_err(|error| error.context(doing))?;
        if !answer.is_success() {
            return Err(self.refused(answer, doing).await);
        }
        answer.body(MAX_DOCUMENT_BYTES).await.map_err(|error| error.context(doing))
    }
}
