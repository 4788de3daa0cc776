//! Tells of an event by an HTTP request: a POST with JSON, signed if there is a secret.
//!
//! Knows one address at a time. Must not show more of it than its host: the path is often a secret.

use std::path::Path;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Response, StatusCode, Url};

use super::HOOK_TIMEOUT;
use super::secret::Secret;
use crate::error::{Error, Kind, Result};
use crate::text::printable_within;

/// Header with the signature: `sha256=` and HMAC-SHA256 of the body in hexadecimal digits.
const SIGNATURE: &str = "X-Roadstead-Signature-256";
/// Most bytes that are read of what an address answers to a request that it refuses.
const MAX_ANSWER_BYTES: usize = 4 << 10;
/// Characters of an answer that an error shows.
const MAX_SHOWN_CHARACTERS: usize = 200;
/// Characters of the shortest part of an address that is taken for a secret where an answer repeats it.
const MIN_SECRET_CHARACTERS: usize = 4;

/// The client of all hooks that are addresses. It follows no redirect: what is sent is meant for whom it is sent to.
pub(super) fn client() -> Result<Client> {
    let built = crate::http::client().timeout(HOOK_TIMEOUT).connect_timeout(HOOK_TIMEOUT).build();
    built.map_err(|error| Error::new(Kind::Unexpected, "can't make an HTTP client for hooks").caused_by(error))
}

/// Posts JSON. Success is an answer of 200 to 299, whatever it says.
pub(super) async fn post(client: &Client, address: &str, secret_file: Option<&Path>, body: Vec<u8>) -> Result<()> {
    let url = parse(address)?;
    let mut request = client.post(url.clone()).header(CONTENT_TYPE, "application/json");
    if let Some(file) = secret_file {
        request = request.header(SIGNATURE, Secret::read(file)?.signature(&body));
    }
    answered(&url, request.body(body).send().await).await
}

/// The address of a hook.
pub(super) fn parse(address: &str) -> Result<Url> {
    let url = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| Error::new(Kind::Usage, "the address does not begin with https:// or http:// and a host"))
}

/// What an address answers: nothing if it is a success.
pub(super) async fn answered(url: &Url, answer: reqwest::Result<Response>) -> Result<()> {
    let response = answer.map_err(|error| {
        // The address may be a secret.
        let error = error.without_url();
        let words = if error.is_timeout() { "it did not answer in time" } else { "the request failed" };
        Error::new(Kind::Network, words).caused_by(error)
    })?;
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    // Many servers repeat what they were asked for.
    let said = first_line(response).await.filter(|line| !gives_away(line, url));
    let said = said.map(|line| format!(": {}", printable_within(&line, MAX_SHOWN_CHARACTERS))).unwrap_or_default();
    let error = Error::new(Kind::Network, format!("it answered {}{said}", named(status)));
    Err(if status.is_redirection() {
        error.hint("Redirects are not followed: name the address that it leads to.")
    } else {
        error
    })
}

/// `404 Not Found`.
fn named(status: StatusCode) -> String {
    let reason = status.canonical_reason().map(|reason| format!(" {reason}")).unwrap_or_default();
    format!("{}{reason}", status.as_u16())
}

/// Whether a text has a part of an address that may be a secret: of its path, its query or its user. Letters and digits that stand
/// together count, since the rest may be written in another way.
fn gives_away(text: &str, url: &Url) -> bool {
    let text = text.to_lowercase();
    let hidden = [url.path(), url.query().unwrap_or_default(), url.username(), url.password().unwrap_or_default()];
    let segments = hidden.iter().flat_map(|part| part.split(['/', '&', '=']));
    let words = hidden.iter().flat_map(|part| part.split(|letter: char| !letter.is_alphanumeric()));
    segments.chain(words).any(|part| part.len() >= MIN_SECRET_CHARACTERS && text.contains(&part.to_lowercase()))
}

/// The first line of an answer; no more of it is read than that takes.
async fn first_line(mut response: Response) -> Option<String> {
    let mut bytes = Vec::new();
    while bytes.len() < MAX_ANSWER_BYTES && !bytes.contains(&b'\n') {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk[..chunk.len().min(MAX_ANSWER_BYTES - bytes.len())]),
            _ => break,
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    text.lines().next().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned)
}
