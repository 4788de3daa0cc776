//! What an IPFS program sends, read without a server or blocks: for the targets in `fuzz/`.

use axum::http::header::{ACCEPT, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue};

use super::entity_bytes::{EntityBytes, Window};
use super::headers::{put_disposition, put_etag, put_location, put_path};
use super::names;
use super::request::{ContentPath, Parameters};

/// The names below the root in what follows `/ipfs/`.
pub fn content_path(path: &str) -> Option<Vec<String>> {
    ContentPath::parse(path).ok().map(|path| path.names)
}

/// Whether a query and an `Accept` ask for a format that there is.
pub fn format(query: &str, accept: &[u8]) -> bool {
    let mut headers = HeaderMap::new();
    headers.extend(HeaderValue::from_bytes(accept).ok().map(|value| (ACCEPT, value)));
    Parameters::parse(Some(query)).format(&headers).is_ok()
}

/// The fields of an answer that repeat what was asked for.
pub fn fields(path: &str, query: &str, known: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let (parameters, read) = (Parameters::parse(Some(query)), ContentPath::parse(path).ok());
    let ends: Vec<_> = read.iter().map(|path| path.root).collect();
    put_path(&mut headers, path, &ends);
    put_location(&mut headers, format!("{path}?{query}&format=car"));
    put_disposition(&mut headers, parameters.filename.as_deref(), "block.bin");
    let mut request = HeaderMap::new();
    request.extend(HeaderValue::from_bytes(known).ok().map(|value| (IF_NONE_MATCH, value)));
    put_etag(&mut headers, "W/\"root.car.0123456789abcdef\"", &request);
    headers
}

/// The first and the last byte that `entity-bytes` asks for in a file of this size.
pub fn entity_bytes(text: &str, size: u64) -> Option<(u64, u64)> {
    match text.parse::<EntityBytes>().ok()?.within(size) {
        Window::Part(first, last) => Some((first, last)),
        Window::Empty | Window::Outside => None,
    }
}

/// The multihash of the key that a text names.
pub fn key(text: &str) -> Option<Vec<u8>> {
    names::key_multihash(text)
}
