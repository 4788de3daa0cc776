//! A blob under way: one continuous stream of bytes, however often the connection breaks.
//!
//! Goes on from the position it has reached (RFC 9110 section 14), at the next endpoint if one fails for good. Knows sizes
//! and ranges; the digest is for whoever stores the bytes.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use reqwest::StatusCode;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, HeaderValue, RANGE};
use tokio::sync::OwnedSemaphorePermit;

use super::endpoint::{Answer, Ask, Endpoint};
use super::pace::Pace;
use super::retry::{Patience, Setback};
use crate::error::{Error, Kind, Result};
use crate::image::{Digest, RepositoryName};
use crate::text::bytes;

pub(super) struct Transfer {
    /// The one that is asked now comes first.
    endpoints: VecDeque<Arc<Endpoint>>,
    repository: RepositoryName,
    digest: Digest,
    size: u64,
    /// How many bytes of the blob were given out, counted from its beginning.
    position: u64,
    /// Bytes that come again because the server does not know ranges.
    skip: u64,
    /// Where the current answer ends, as announced.
    announced_end: Option<u64>,
    /// Where the current answer began.
    begun_at: u64,
    response: Option<reqwest::Response>,
    /// Of the current answer.
    pace: Pace,
    patience: Patience,
    finished: bool,
    /// Held while the transfer lives, so that not too many do.
    _slot: OwnedSemaphorePermit,
}

/// `Content-Range: bytes 5-9/10`: first, last, and the whole if it is known.
pub(super) fn content_range(headers: &HeaderMap) -> Option<(u64, u64, Option<u64>)> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?.trim();
    let (range, whole) = text.strip_prefix("bytes")?.trim_start().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first <= last).then_some((first, last, whole.trim().parse().ok()))
}

impl Transfer {
    pub(super) async fn open(
        endpoints: VecDeque<Arc<Endpoint>>,
        repository: RepositoryName,
        digest: Digest,
        size: u64,
        from: u64,
        slot: OwnedSemaphorePermit,
    ) -> Result<Self> {
        let mut endpoints = endpoints;
        while endpoints.len() > 1 && endpoints[0].rests() {
            endpoints.pop_front();
        }
        let (patience, pace) = (endpoints[0].patience(), endpoints[0].pace());
        let mut transfer = Self {
            endpoints,
            repository,
            digest,
            size,
            position: from,
            skip: 0,
            announced_end: None,
            begun_at: from,
            response: None,
            pace,
            patience,
            finished: from == size,
            _slot: slot,
        };
        if from > size {
            return Err(transfer.wrong(Kind::Usage, format!("it has {size} bytes, but is wanted from byte {from} on")));
        }
        if !transfer.finished {
            transfer.ask().await?;
        }
        Ok(transfer)
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>> {
        while !self.finished {
            if self.response.is_none() {
                self.ask().await?;
            }
            let Some(response) = self.response.as_mut() else { continue };
            let endpoint = &self.endpoints[0];
            match endpoint.next_chunk(response, &mut self.pace).await {
                Ok(Some(mut bytes)) => {
                    let again = self.skip.min(bytes.len() as u64);
                    self.skip -= again;
                    bytes.advance(again as usize);
                    if bytes.is_empty() {
                        continue;
                    }
                    if bytes.len() as u64 > self.size - self.position {
                        self.response = None;
                        self.finished = true;
                        let words = format!("{} sends more than the {} bytes it should have", self.host(), self.size);
                        return Err(self.wrong(Kind::Verification, words));
                    }
                    self.position += bytes.len() as u64;
                    self.patience.progress(bytes.len());
                    return Ok(Some(bytes));
                }
                // All bytes are there; whatever else happens to this connection is of no interest.
                _ if self.position == self.size => {
                    self.response = None;
                    self.finished = true;
                }
                Ok(None) => {
                    self.response = None;
                    // A server may send less than was asked for (RFC 9110 section 15.3.7); then there is more to ask for.
                    if self.announced_end == Some(self.position) && self.position > self.begun_at {
                        continue;
                    }
                    let words = format!("{} sent only {} of {} bytes", self.host(), self.position, self.size);
                    let error = Error::new(Kind::Verification, words);
                    self.setback(Setback::backoff(error)).await?;
                }
                Err(setback) => {
                    self.response = None;
                    self.setback(setback).await?;
                }
            }
        }
        Ok(None)
    }

    fn host(&self) -> &str {
        &self.endpoints[0].host
    }

    fn wrong(&self, kind: Kind, words: String) -> Error {
        self.named(Error::new(kind, words))
    }

    /// Why it failed comes first, then of what, and how much of it had come.
    fn named(&self, error: Error) -> Error {
        // Bytes that are not what they should be are looked into; of what did not come at all, a beginning tells which.
        let blob = match error.kind() {
            Kind::Verification => self.digest.to_string(),
            _ => self.digest.hex()[..12].to_owned(),
        };
        let of = format!("blob {blob} of {}/{}", self.endpoints[0].registry, self.repository);
        let named = error.adding(match self.position {
            0 => of,
            position => format!("fetched {} of {} of {of}", bytes(position), bytes(self.size)),
        });
        named.about(self.digest)
    }

    /// Waits before the next try; if there is none, goes on to the next endpoint; if there is none, fails.
    async fn setback(&mut self, setback: Setback) -> Result<()> {
        let Err(error) = self.patience.after(setback).await else { return Ok(()) };
        self.elsewhere(error)
    }

    fn elsewhere(&mut self, error: Error) -> Result<()> {
        if self.endpoints.len() > 1 && matches!(error.kind(), Kind::Network | Kind::NotFound) {
            self.endpoints[0].instead(&error);
            self.endpoints.pop_front();
            self.patience = self.endpoints[0].patience();
            return Ok(());
        }
        self.finished = true;
        Err(self.named(error))
    }

    /// Asks for the rest, until an answer has begun.
    async fn ask(&mut self) -> Result<()> {
        loop {
            let endpoint = self.endpoints[0].clone();
            let url = endpoint.repository_url(&self.repository, &format!("blobs/{}", self.digest))?;
            let mut ask = Ask::get(url).about(&self.repository);
            if self.position > 0
                && let Ok(range) = HeaderValue::from_str(&format!("bytes={}-", self.position))
            {
                ask.headers.insert(RANGE, range);
            }
            let begun = match endpoint.exchange(&ask, &mut self.patience).await {
                Err(error) => Err(error),
                Ok((answer, grant)) if !answer.response.status().is_success() => {
                    let status = answer.response.status();
                    if status == StatusCode::RANGE_NOT_SATISFIABLE {
                        let words = format!("{} has fewer than the {} bytes it should have", endpoint.host, self.size);
                        Err(Error::new(Kind::Verification, words))
                    } else {
                        let read = endpoint.read(answer, 0).await.map_err(|setback| setback.error);
                        read.and_then(|document| document.success(&endpoint, &grant)).map(drop)
                    }
                }
                Ok((answer, _)) => self.begin(answer),
            };
            match begun {
                Ok(()) => return Ok(()),
                Err(error) => self.elsewhere(error)?,
            }
        }
    }

    /// Checks what an answer says about itself, and makes it the current one.
    fn begin(&mut self, answer: Answer) -> Result<()> {
        let response = answer.response;
        let headers = response.headers();
        let wrong = |words: String| Err(Error::new(Kind::Verification, words));
        let length: Option<u64> = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        match response.status() {
            StatusCode::OK => {
                if let Some(length) = length.filter(|length| *length != self.size) {
                    return wrong(format!("{} has {length} bytes of it instead of {}", self.host(), self.size));
                }
                self.skip = self.position;
                self.announced_end = None;
            }
            StatusCode::PARTIAL_CONTENT => {
                let Some((first, last, whole)) = content_range(headers) else {
                    return wrong(format!("{} sent a part of it without saying which", self.host()));
                };
                if first != self.position {
                    let words = format!("{} sent it from byte {first} on instead of {}", self.host(), self.position);
                    return wrong(words);
                }
                if last >= self.size || whole.is_some_and(|whole| whole != self.size) {
                    let has = whole.unwrap_or(last.saturating_add(1));
                    return wrong(format!("{} has {has} bytes of it instead of {}", self.host(), self.size));
                }
                self.skip = 0;
                self.announced_end = Some(last + 1);
            }
            status => return wrong(format!("{} answered {}", self.host(), status.as_u16())),
        }
        self.begun_at = self.position;
        self.pace = self.endpoints[0].pace();
        self.response = Some(response);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_RANGE, text.parse().unwrap());
            content_range(&headers)
        };
        assert_eq!(read("bytes 5-9/10"), Some((5, 9, Some(10))));
        assert_eq!(read("bytes 5-9/*"), Some((5, 9, None)));
        for nonsense in ["", "bytes */10", "bytes 9-5/10", "lines 5-9/10", "bytes 5-/10", "bytes -5/10", "5-9/10"] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
    }
}
