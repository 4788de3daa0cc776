//! What is answered when there is nothing to give: a status and the distribution spec's JSON ("Error Codes").
//!
//! Knows the codes. Must not know why a request came to nothing.

use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Map, json};

use super::body::Body;
use super::range::{Excess, MAX_RANGES};
use crate::error::{Error, Kind};

/// A request that gets an error as its answer.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
    detail: Vec<(&'static str, String)>,
    header: Option<(HeaderName, &'static str)>,
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), detail: Vec::new(), header: None }
    }

    fn about(mut self, what: &'static str, value: &str) -> Self {
        self.detail.push((what, value.to_owned()));
        self
    }

    fn with(mut self, name: HeaderName, value: &'static str) -> Self {
        self.header = Some((name, value));
        self
    }

    /// The status of the answer.
    #[cfg(test)]
    pub(super) fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// RFC 9112, section 3.2.
    pub(super) fn host_invalid(message: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "HOST_INVALID", message)
    }

    /// `host` must be printable.
    pub(super) fn other_host(host: &str) -> Self {
        let message = format!(
            "this server answers only for names of the machine it runs on, not for `{host}`; if that is one of its \
             names, start it with `roadstead serve --allow-host {host}`"
        );
        Self::new(StatusCode::MISDIRECTED_REQUEST, "DENIED", message).about("host", host)
    }

    pub(super) fn name_unknown(name: &str) -> Self {
        let message = "there is no such repository here".to_owned();
        Self::new(StatusCode::NOT_FOUND, "NAME_UNKNOWN", message).about("name", name)
    }

    pub(super) fn name_invalid(error: &Error) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "NAME_INVALID", error.to_string())
    }

    pub(super) fn manifest_unknown(name: &str, target: &str, message: Option<String>) -> Self {
        let message = message.unwrap_or_else(|| "the repository has no such manifest".to_owned());
        Self::new(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", message).about("name", name).about("reference", target)
    }

    pub(super) fn blob_unknown(name: &str, digest: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", "the repository has no such blob")
            .about("name", name)
            .about("digest", digest)
    }

    pub(super) fn digest_invalid(error: &Error) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "DIGEST_INVALID", error.to_string())
    }

    /// The code is that of the reference implementation (distribution/distribution); the spec has none.
    pub(super) fn number_invalid() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "PAGINATION_NUMBER_INVALID", "`n` must be a number, 0 or more")
    }

    /// Not 416: some of it is there. Podman and stargz-snapshotter ask for fewer and larger ranges after a 400.
    pub(super) fn ranges_refused(excess: Excess) -> Self {
        let message = match excess {
            Excess::Number => format!("`Range` has more than {MAX_RANGES} ranges"),
            Excess::Overlap => "ranges of `Range` overlap".to_owned(),
        };
        Self::new(StatusCode::BAD_REQUEST, "RANGE_INVALID", message)
    }

    pub(super) fn no_such_endpoint() -> Self {
        Self::new(StatusCode::NOT_FOUND, "UNSUPPORTED", "there is no such endpoint; see the OCI distribution spec 1.1")
    }

    pub(super) fn read_only() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "UNSUPPORTED",
            "this registry is read-only; `roadstead add` mirrors images into it",
        )
        .with(ALLOW, "GET, HEAD")
    }

    pub(super) fn page_unknown() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", "there is no such page")
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "user name and password are required")
            .with(WWW_AUTHENTICATE, "Basic realm=\"roadstead\"")
    }

    pub(super) fn too_many_attempts() -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS", "too many passwords are being checked")
            .with(RETRY_AFTER, "1")
    }

    pub(super) fn unavailable(message: &'static str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", message).with(RETRY_AFTER, "1")
    }
}

impl From<Error> for Refusal {
    /// The words go to the log: a puller can do nothing about them, and they may name local paths.
    fn from(error: Error) -> Self {
        if error.kind() == Kind::Locked {
            tracing::warn!(%error, "the catalog is busy");
            return Self::unavailable("the catalog is busy");
        }
        tracing::error!(%error, "a request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN", "the server failed; its log says why")
    }
}

impl Refusal {
    pub(super) fn into_response(self) -> Response<Body> {
        let detail: Map<_, _> = self.detail.into_iter().map(|(what, value)| (what.to_owned(), value.into())).collect();
        let error = json!({ "code": self.code, "message": self.message, "detail": detail });
        let body = json!({ "errors": [error] }).to_string();
        let mut response = Response::new(Body::default());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_LENGTH, body.len().into());
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.extend(self.header.map(|(name, value)| (name, HeaderValue::from_static(value))));
        *response.body_mut() = Body::Bytes(body.into());
        response
    }
}
