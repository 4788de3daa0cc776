//! What is answered on these paths when there is nothing to give: a status and a sentence in plain text.
//!
//! Must not know why a request came to nothing.

use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};

use super::super::body::Body;
use crate::error::{Error, Kind};
use crate::text::printable_within;

/// Characters of a message of another room that is passed on.
const MAX_MESSAGE_CHARACTERS: usize = 300;

/// A request that gets an error as its answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: StatusCode,
    message: String,
    header: Option<(HeaderName, &'static str)>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), header: None }
    }

    fn with(mut self, name: HeaderName, value: &'static str) -> Self {
        self.header = Some((name, value));
        self
    }

    /// The request makes no sense.
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// Neither here nor given out: nobody can tell which.
    pub(super) fn not_given_out() -> Self {
        Self::new(StatusCode::NOT_FOUND, "this block is not given out here")
    }

    pub(super) fn no_such_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is nothing at this path below the root")
    }

    pub(super) fn not_allowed(allowed: &'static str) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, format!("only {allowed} are answered here")).with(ALLOW, allowed)
    }

    pub(super) fn unavailable(message: &'static str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message).with(RETRY_AFTER, "1")
    }

    /// The same for a client that wants nothing that has to be fetched first: what is not here is never fetched.
    pub(super) fn unless_cached(mut self) -> Self {
        if self == Self::not_given_out() {
            self.status = StatusCode::PRECONDITION_FAILED;
        }
        self
    }

    #[cfg(test)]
    pub(super) fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// A refusal of something that was sent here, whose words are for the sender.
    pub(super) fn of_sent(error: Error) -> Self {
        let status = match error.kind() {
            Kind::Auth => StatusCode::FORBIDDEN,
            Kind::Usage | Kind::Verification => StatusCode::BAD_REQUEST,
            _ => return error.into(),
        };
        Self::new(status, printable_within(&error.to_string(), MAX_MESSAGE_CHARACTERS))
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::default());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.extend(self.header.map(|(name, value)| (name, HeaderValue::from_static(value))));
        let text = self.message + "\n";
        headers.insert(CONTENT_LENGTH, text.len().into());
        *response.body_mut() = Body::Bytes(text.into());
        response
    }
}

impl From<Error> for Refusal {
    /// The words go to the log: a client can do nothing about them, and they may name local paths.
    fn from(error: Error) -> Self {
        match error.kind() {
            Kind::Locked => {
                tracing::warn!(%error, "the catalog is busy");
                Self::unavailable("the catalog is busy")
            }
            // Published meanwhile no more.
            Kind::NotFound => Self::not_given_out(),
            _ => {
                tracing::error!(%error, "a request for a block failed");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the server failed; its log says why")
            }
        }
    }
}
