//! What others write and this room reads, without asking anybody: for the targets in `fuzz/`.

use std::time::{Duration, SystemTime};

use reqwest::header::{CONTENT_RANGE, HeaderMap, HeaderName, HeaderValue, LINK, WWW_AUTHENTICATE};
use url::Url;

use super::challenge::Challenge;
use super::{credentials, listing, retry, transfer};

fn with(name: HeaderName, value: &[u8]) -> HeaderMap {
    HeaderValue::from_bytes(value).map(|value| HeaderMap::from_iter([(name, value)])).unwrap_or_default()
}

/// Whether a `WWW-Authenticate` sends to a token service, and whether that is reached by HTTP at all.
pub fn challenge(value: &[u8]) -> Option<bool> {
    match Challenge::from_headers(&with(WWW_AUTHENTICATE, value)) {
        Challenge::Bearer { realm, .. } => Some(matches!(realm.scheme(), "http" | "https")),
        Challenge::None | Challenge::Basic => None,
    }
}

/// The next page that a `Link` leads to.
pub fn next_link(current: &Url, value: &[u8]) -> Option<Url> {
    listing::next_link(current, &with(LINK, value))
}

/// First, last and whole of a `Content-Range`.
pub fn content_range(value: &[u8]) -> Option<(u64, u64, Option<u64>)> {
    transfer::content_range(&with(CONTENT_RANGE, value))
}

/// How long a `Retry-After` asks to wait.
pub fn retry_after(value: &str) -> Option<Duration> {
    retry::retry_after(value, SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 30))
}

/// Whether a credential file has an entry for a repository at a host.
pub fn credential(file: &[u8], host: &str, repository: &str) -> bool {
    credentials::is_found(file, host, repository)
}
