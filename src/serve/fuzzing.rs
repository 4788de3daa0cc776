//! What a client sends, read without a server: for the targets in `fuzz/`.

use axum::http::HeaderValue;

use super::byteranges::{Byteranges, Section};
use super::credentials;
use super::endpoint::{self, Query};
pub use super::gateway::fuzzing as gateway;
use super::range::{self, Part, Wanted};

/// The repository that a path below `/v2/` is about, if it is about one.
pub fn repository(path: &str) -> Option<String> {
    endpoint::parse(path).ok().map(|(name, _)| name.to_string())
}

/// The file below the root that a path means.
pub fn page(path: &str) -> Option<String> {
    endpoint::page(path)
}

/// Whether a query is understood.
pub fn query(query: &str) -> bool {
    Query::parse(Some(query)).is_ok()
}

/// Start and length of each part that a `Range` asks for.
pub fn ranges(header: &str, size: u64) -> Vec<(u64, u64)> {
    let parts = match range::wanted(header, size) {
        Wanted::Part(part) => vec![part],
        Wanted::Parts(parts) => parts,
        Wanted::Whole | Wanted::Unsatisfiable | Wanted::Excessive(_) => Vec::new(),
    };
    parts.into_iter().map(|Part { start, length }| (start, length)).collect()
}

/// The bytes that the body of several parts says it has, and those that it has; nothing for fewer parts.
pub fn multipart(header: &str, size: u64) -> Option<(u64, u64)> {
    let Wanted::Parts(parts) = range::wanted(header, size) else { return None };
    let body = Byteranges::new(parts, "application/octet-stream", size, u128::from(size));
    let said = body.length();
    let lengths = body.map(|section| match section {
        Section::Text(text) => text.len() as u64,
        Section::Part(part) => part.length,
    });
    Some((said, lengths.sum()))
}

/// The user that an `Authorization` names, and whether a password file can be read.
pub fn credentials(header: &[u8], file: &str) -> (Option<String>, bool) {
    let header = HeaderValue::from_bytes(header).ok();
    let user = header.as_ref().and_then(credentials::basic).map(|(user, _)| user);
    (user, credentials::parse(file).is_ok())
}
