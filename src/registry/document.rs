//! An answer that is read whole: manifests, lists, tokens. Always with a cap.
//!
//! Knows one endpoint's requests and what is small enough for memory; blobs are not.

use bytes::{Bytes, BytesMut};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use tokio::time::Instant;

use super::MIN_BYTES_PER_SECOND;
use super::authorization::Grant;
use super::endpoint::{Answer, Ask, Endpoint};
use super::failure::{Refused, of_transport};
use super::pace::Pace;
use super::retry::{Patience, Setback};
use crate::error::{Error, Kind, Result};
use crate::text;

/// How much of an answer that refuses is read for its words.
pub(super) const MAX_REFUSAL_BYTES: usize = 64 << 10;

pub(super) struct Document {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) bytes: Bytes,
    pub(super) foreign: bool,
}

impl Document {
    /// The document, or the refusal that it is.
    pub(super) fn success(self, endpoint: &Endpoint, grant: &Grant) -> Result<Self> {
        if self.status.is_success() {
            return Ok(self);
        }
        let refused = Refused {
            status: self.status,
            headers: &self.headers,
            body: &self.bytes,
            host: &endpoint.host,
            foreign: self.foreign,
            grant,
            secrets: &endpoint.keyring.secrets(grant),
        };
        Err(refused.setback().error)
    }
}

impl Endpoint {
    /// Asks with authorization and patience, and reads the answer if it is not larger than `cap` bytes.
    pub(super) async fn document(&self, ask: &Ask, cap: usize, patience: &mut Patience) -> Result<Document> {
        loop {
            let (answer, grant) = self.exchange(ask, patience).await?;
            match self.read(answer, cap).await {
                Ok(document) => return document.success(self, &grant),
                Err(setback) => patience.after(setback).await?,
            }
        }
    }

    /// The same without authorization of its own; a refusal is a document, too.
    pub(super) async fn plain_document(
        &self,
        ask: &Ask,
        grant: &Grant,
        cap: usize,
        patience: &mut Patience,
    ) -> Result<Document> {
        loop {
            let read = match self.once(ask, None, grant).await {
                Ok(answer) => self.read(answer, cap).await,
                Err(setback) => Err(setback),
            };
            match read {
                Ok(document) => return Ok(document),
                Err(setback) => patience.after(setback).await?,
            }
        }
    }

    pub(super) async fn read(&self, answer: Answer, cap: usize) -> Result<Document, Setback> {
        let Answer { mut response, foreign } = answer;
        let (status, headers) = (response.status(), response.headers().clone());
        let (cap, whole) = if status.is_success() { (cap, true) } else { (MAX_REFUSAL_BYTES, false) };
        let too_large = || {
            Setback::never(Error::new(
                Kind::Verification,
                format!("the answer of {} is larger than the {} that are allowed", self.host, text::bytes(cap as u64)),
            ))
        };
        // HEAD announces the length of a body that does not come; reading it gives nothing.
        let mut bytes = BytesMut::new();
        let mut pace = self.pace();
        while let Some(chunk) = self.next_chunk(&mut response, &mut pace).await? {
            if bytes.len() + chunk.len() > cap {
                if whole {
                    return Err(too_large());
                }
                bytes.extend_from_slice(&chunk[..cap - bytes.len()]);
                break;
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Document { status, headers, bytes: bytes.freeze(), foreign })
    }

    /// What a body of this host has to keep up with.
    pub(super) fn pace(&self) -> Pace {
        Pace::new(self.shared.timeouts.pace)
    }

    /// The next bytes of a body, within the time that a stall may last, and not too few of them.
    pub(super) async fn next_chunk(
        &self,
        response: &mut reqwest::Response,
        pace: &mut Pace,
    ) -> Result<Option<Bytes>, Setback> {
        let stall = self.shared.timeouts.stall;
        let begun = Instant::now();
        match tokio::time::timeout(stall, response.chunk()).await {
            Ok(Ok(Some(chunk))) if !pace.keeps_up(begun.elapsed(), chunk.len()) => {
                let words = format!("{} sends less than {} a second", self.host, text::bytes(MIN_BYTES_PER_SECOND));
                Err(Setback::backoff(Error::new(Kind::Network, words)))
            }
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(error)) => Err(of_transport(error, &self.host, self.is_plain())),
            Err(_) => Err(Setback::backoff(Error::new(
                Kind::Network,
                format!("{} sent nothing for {} s", self.host, stall.as_secs_f32()),
            ))),
        }
    }
}
