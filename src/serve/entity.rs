//! One thing that is given out, with the headers that describe it, and the answer to a request for it.
//!
//! Knows HTTP's rules for parts and for what a client already has (RFC 9110, sections 13 and 14).
//! Must not know where the thing comes from.

use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE, RANGE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use bytes::Bytes;

use super::body::Body;
use super::byteranges::{Byteranges, Section};
use super::documents::{Documents, Room};
use super::file_body::{FileBody, Origin, Reader};
use super::range::{Part, Wanted, wanted};
use super::refusal::Refusal;
use crate::engine::{Arrival, PendingBlob};
use crate::error::{Error, Kind, Result};
use crate::image::Digest;

/// Distribution spec, "Pulling manifests" and "Pulling blobs".
const DOCKER_CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// Header fields of an answer, with those that are added on its way out: room for all of them is made once.
const MAX_HEADER_FIELDS: usize = 12;

/// How long an answer may be kept by those who fetched it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// For ever: it was asked for by its digest.
    Forever,
    /// A minute: a tag may move.
    Shortly,
    /// Not without asking again.
    Never,
}

impl Keep {
    /// Without `public`, so that shared caches keep nothing that was given to a user with a password.
    fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Forever => "max-age=31536000, immutable",
            Self::Shortly => "max-age=60",
            Self::Never => "no-cache",
        })
    }
}

/// Marks answers whose body is in memory until a client has taken all of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Document;

/// Bytes that the kernel takes at once in any case, so that nothing of an answer stays in memory.
const MAX_KERNEL_BUFFERED_BYTES: usize = 64 * 1024;

#[derive(Debug)]
enum Content {
    Bytes(Bytes),
    File(Arc<File>, u64),
    /// Of so many bytes, none of which anybody wanted so far.
    Pending(PendingBlob, u64),
    /// Of so many bytes, for the one request that is answered with it.
    Arriving(Mutex<Option<Arrival>>, u64),
}

/// Something to give out.
#[derive(Debug)]
pub(super) struct Entity {
    content: Content,
    content_type: HeaderValue,
    identity: Digest,
    etag: HeaderValue,
    digest: Option<HeaderValue>,
    keep: Keep,
}

impl Entity {
    pub(super) fn manifest(bytes: Bytes, media_type: &str, digest: &Digest, keep: Keep) -> Result<Self> {
        let content_type = HeaderValue::from_str(media_type).map_err(|error| {
            Error::new(Kind::Verification, format!("the media type of {digest} can't be sent")).caused_by(error)
        })?;
        Ok(Self { content: Content::Bytes(bytes), content_type, ..Self::named(digest, keep)? })
    }

    /// A blob in memory.
    pub(super) fn blob(bytes: Bytes, digest: &Digest) -> Result<Self> {
        Ok(Self { content: Content::Bytes(bytes), ..Self::named(digest, Keep::Forever)? })
    }

    /// A blob of this many bytes in a file.
    pub(super) fn file(file: Arc<File>, size: u64, digest: &Digest) -> Result<Self> {
        Ok(Self { content: Content::File(file, size), ..Self::named(digest, Keep::Forever)? })
    }

    /// A blob of this many bytes that has to be fetched or verified before it can be given out.
    pub(super) fn pending(pending: PendingBlob, size: u64, digest: &Digest) -> Result<Self> {
        Ok(Self { content: Content::Pending(pending, size), ..Self::named(digest, Keep::Forever)? })
    }

    /// For a request that is to be given some of a blob that can't be given out at once: begins to get it, and waits until the
    /// first bytes are there or it is known that they don't come. Everything else is itself.
    pub(super) async fn begun(self: Arc<Self>, method: &Method, request: &HeaderMap) -> Result<Arc<Self>, Refusal> {
        let Content::Pending(pending, size) = &self.content else { return Ok(self) };
        if method == Method::HEAD || self.is_known(request) {
            return Ok(self);
        }
        let parts = match self.wanted(method, request) {
            Wanted::Whole => Vec::new(),
            Wanted::Part(part) => vec![part.bytes()],
            Wanted::Parts(parts) => parts.into_iter().map(Part::bytes).collect(),
            Wanted::Unsatisfiable | Wanted::Excessive(_) => return Ok(self),
        };
        let mut arrival = pending.begin_parts(&parts).await?;
        arrival.begun().await?;
        Ok(Arc::new(Self {
            content: Content::Arriving(Mutex::new(Some(arrival)), *size),
            content_type: self.content_type.clone(),
            identity: self.identity,
            etag: self.etag.clone(),
            digest: self.digest.clone(),
            keep: self.keep,
        }))
    }

    /// Something without a name of its own: a page, a list.
    pub(super) fn plain(bytes: Bytes, content_type: &'static str) -> Result<Self> {
        let digest = Digest::of(&bytes);
        let content_type = HeaderValue::from_static(content_type);
        Ok(Self { content: Content::Bytes(bytes), content_type, digest: None, ..Self::named(&digest, Keep::Never)? })
    }

    fn named(digest: &Digest, keep: Keep) -> Result<Self> {
        let header = |text: String| {
            HeaderValue::try_from(text).map_err(|error| Error::new(Kind::Unexpected, "a header").caused_by(error))
        };
        Ok(Self {
            content: Content::Bytes(Bytes::new()),
            content_type: HeaderValue::from_static("application/octet-stream"),
            identity: *digest,
            etag: header(format!("\"{digest}\""))?,
            digest: Some(header(digest.to_string())?),
            keep,
        })
    }

    /// The same, with its bytes among the documents; fails with their number if there is no room for them.
    pub(super) fn kept_in(mut self, documents: &Arc<Documents>, room: Option<Room>) -> Result<Self, usize> {
        if let Content::Bytes(bytes) = self.content {
            self.content = Content::Bytes(documents.keep(bytes, self.identity, room)?);
        }
        Ok(self)
    }

    /// The bytes it occupies in memory.
    pub(super) fn weight(&self) -> usize {
        match &self.content {
            Content::Bytes(bytes) => bytes.len(),
            Content::File(..) | Content::Pending(..) | Content::Arriving(..) => 0,
        }
    }

    /// Whether it is wholly in memory.
    pub(super) fn is_in_memory(&self) -> bool {
        matches!(self.content, Content::Bytes(_))
    }

    fn size(&self) -> u64 {
        match &self.content {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::File(_, size) | Content::Pending(_, size) | Content::Arriving(_, size) => *size,
        }
    }

    /// The answer to a GET or HEAD with these headers.
    pub(super) fn answer(&self, method: &Method, request: &HeaderMap, reader: &Arc<Reader>) -> Response<Body> {
        let mut response = Response::new(Body::default());
        let headers = response.headers_mut();
        headers.reserve(MAX_HEADER_FIELDS);
        headers.insert(ETAG, self.etag.clone());
        headers.insert(CACHE_CONTROL, self.keep.header());
        if let Some(digest) = &self.digest {
            headers.insert(DOCKER_CONTENT_DIGEST, digest.clone());
        }
        if self.is_known(request) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        let size = self.size();
        let (asked, content_type) = match self.wanted(method, request) {
            Wanted::Whole => (Asked::Part(Part { start: 0, length: size }), self.content_type.clone()),
            Wanted::Part(part) => {
                let last = part.start + part.length - 1;
                headers.insert(CONTENT_RANGE, text_header(&format!("bytes {}-{last}/{size}", part.start)));
                (Asked::Part(part), self.content_type.clone())
            }
            Wanted::Parts(parts) => {
                let of_each = self.content_type.to_str().unwrap_or("application/octet-stream");
                let parts = Byteranges::new(parts, of_each, size, rand::random());
                let media_type = text_header(&parts.media_type());
                (Asked::Parts(parts), media_type)
            }
            Wanted::Unsatisfiable => {
                headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
                headers.insert(CONTENT_RANGE, text_header(&format!("bytes */{size}")));
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
                *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
                return response;
            }
            Wanted::Excessive(excess) => return Refusal::ranges_refused(excess).into_response(),
        };
        headers.insert(CONTENT_TYPE, content_type);
        headers.insert(CONTENT_LENGTH, asked.length().into());
        if matches!(asked, Asked::Parts(_)) || headers.contains_key(CONTENT_RANGE) {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        if method != Method::HEAD {
            if self.weight() > MAX_KERNEL_BUFFERED_BYTES {
                response.extensions_mut().insert(Document);
            }
            match self.body(asked, reader) {
                Some(body) => *response.body_mut() = body,
                None => return Refusal::unavailable("the blob is not ready").into_response(),
            }
        }
        response
    }

    /// Nothing of what was not begun before it is given out.
    fn body(&self, asked: Asked, reader: &Arc<Reader>) -> Option<Body> {
        let origin = match &self.content {
            Content::Bytes(bytes) => return Some(asked.of(bytes)),
            Content::File(file, _) => Origin::Whole(Arc::clone(file)),
            Content::Arriving(arrival, _) => {
                Origin::Arriving(arrival.lock().unwrap_or_else(PoisonError::into_inner).take()?)
            }
            Content::Pending(..) => return None,
        };
        let reader = Arc::clone(reader);
        Some(Body::pieces(match asked {
            Asked::Part(part) => FileBody::new(origin, part, reader),
            Asked::Parts(parts) => FileBody::of_parts(origin, parts, reader),
        }))
    }

    fn is_known(&self, request: &HeaderMap) -> bool {
        request.get_all(IF_NONE_MATCH).iter().any(|known| self.is_among(known))
    }

    fn wanted(&self, method: &Method, request: &HeaderMap) -> Wanted {
        let mut ranges = request.get_all(RANGE).iter();
        let (Some(range), None, &Method::GET) = (ranges.next(), ranges.next(), method) else { return Wanted::Whole };
        // A date never matches: nothing here has one. A weak tag doesn't either, since ours are strong.
        if request.get(IF_RANGE).is_some_and(|known| *known != self.etag) {
            return Wanted::Whole;
        }
        range.to_str().map_or(Wanted::Whole, |range| wanted(range, self.size()))
    }

    /// Whether an `If-None-Match` names this, by weak comparison.
    fn is_among(&self, known: &HeaderValue) -> bool {
        let (Ok(known), Ok(own)) = (known.to_str(), self.etag.to_str()) else { return false };
        // No entity tag of ours has a comma in it.
        known.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == own)
    }
}

/// How much of a content is sent.
enum Asked {
    Part(Part),
    Parts(Byteranges),
}

impl Asked {
    fn length(&self) -> u64 {
        match self {
            Self::Part(part) => part.length,
            Self::Parts(parts) => parts.length(),
        }
    }

    /// The body, of a content in memory.
    fn of(self, bytes: &Bytes) -> Body {
        // Parts were cut to the size, which fits in memory.
        let slice = |part: Part| bytes.slice(part.start as usize..(part.start + part.length) as usize);
        match self {
            Self::Part(part) => Body::Bytes(slice(part)),
            Self::Parts(parts) => Body::InMemory(
                parts
                    .map(|section| match section {
                        Section::Text(text) => text,
                        Section::Part(part) => slice(part),
                    })
                    .collect(),
            ),
        }
    }
}

/// Of digits, letters and marks, which all are allowed.
fn text_header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

/// The content type of a file of the page, by its extension.
pub(super) fn type_of(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("txt" | "md" | "toml" | "conf" | "yaml" | "yml") => "text/plain; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        _ => "application/octet-stream",
    }
}
