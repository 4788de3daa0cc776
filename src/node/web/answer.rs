//! An answer of a web API: capped in size, in lines and in time, and whole or an error.
//!
//! Knows JSON documents one after the other, and the trailer `X-Stream-Error`, in which Go programs of the IPFS family say what
//! went wrong after an answer began (IPFS Cluster api/common/api.go `StreamResponse`). Must not know what documents mean.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use reqwest::Response;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use super::{Failed, Refusal, WebApi};

/// The most bytes of a line: a pin with its peers and their addresses.
const MAX_LINE_BYTES: usize = 256 << 10;
/// The most bytes of lines in one answer.
const MAX_STREAM_BYTES: u64 = 4 << 30;
/// The most bytes of an error that are read.
const MAX_ERROR_BYTES: usize = 64 << 10;
/// Where an error comes that was found after the answer had begun.
const STREAM_ERROR: &str = "x-stream-error";

/// An answer that has begun.
pub(in crate::node) struct Answer<'a> {
    api: &'a WebApi,
    doing: String,
    body: reqwest::Body,
    buffer: BytesMut,
    read: u64,
    late: Option<String>,
}

impl<'a> Answer<'a> {
    pub(super) fn new(response: Response, api: &'a WebApi, doing: &str) -> Self {
        Self { api, doing: doing.to_owned(), body: response.into(), buffer: BytesMut::new(), read: 0, late: None }
    }

    fn nonsense(&self, why: &str) -> Failed {
        Failed::Broken(self.api.nonsense(&self.doing, why))
    }

    /// The next bytes; nothing at the answer's end.
    async fn piece(&mut self, deadline: Instant, limit: Duration) -> Result<Option<Bytes>, Failed> {
        loop {
            let body = &mut self.body;
            let frame = timeout_at(deadline, poll_fn(|context| Pin::new(&mut *body).poll_frame(context))).await;
            let frame = match frame {
                Err(_) => return Err(Failed::Broken(self.api.stalled(&self.doing, limit))),
                Ok(None) => return Ok(None),
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) => {
                    return Err(Failed::Broken(self.api.cut(&self.doing, &super::why(error))));
                }
            };
            match frame.into_data() {
                Ok(data) => {
                    self.read += data.len() as u64;
                    return Ok(Some(data));
                }
                Err(frame) => {
                    let trailers = frame.into_trailers().ok();
                    let error = trailers.as_ref().and_then(|trailers| trailers.get(STREAM_ERROR));
                    let error = error.map(|error| String::from_utf8_lossy(error.as_bytes()).trim().to_owned());
                    self.late = error.filter(|error| !error.is_empty()).or(self.late.take());
                }
            }
        }
    }

    /// The end of the answer, which is an error if the other side says that it is none.
    fn ended(&mut self) -> Result<(), Failed> {
        match self.late.take() {
            Some(late) => Err(Failed::Refused(Refusal { status: None, message: self.api.clean(&late) })),
            None => Ok(()),
        }
    }

    /// The next document of several, each on a line; nothing at the end. Each may take as long as something long may be silent.
    pub(in crate::node) async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Failed> {
        let limit = self.api.limits.stall;
        let deadline = Instant::now() + limit;
        loop {
            let end = self.buffer.iter().position(|byte| *byte == b'\n');
            if end.unwrap_or(self.buffer.len()) > MAX_LINE_BYTES || self.read > MAX_STREAM_BYTES {
                return Err(self.nonsense("it is too long"));
            }
            if let Some(end) = end {
                let line = self.buffer.split_to(end + 1);
                if line.trim_ascii().is_empty() {
                    continue;
                }
                return self.parse(&line).map(Some);
            }
            match self.piece(deadline, limit).await? {
                Some(data) => self.buffer.extend_from_slice(&data),
                None => break,
            }
        }
        self.ended()?;
        let rest = self.buffer.split();
        if rest.trim_ascii().is_empty() { Ok(None) } else { self.parse(&rest).map(Some) }
    }

    /// All of it as one document of at most so many bytes.
    pub(in crate::node) async fn only<T: DeserializeOwned>(mut self, most: usize) -> Result<T, Failed> {
        self.gather(most).await?;
        let bytes = self.buffer.split();
        self.parse(&bytes)
    }

    /// Reads to the end and minds nothing but that.
    pub(in crate::node) async fn done(mut self) -> Result<(), Failed> {
        self.gather(MAX_ERROR_BYTES).await
    }

    async fn gather(&mut self, most: usize) -> Result<(), Failed> {
        let limit = self.api.limits.answer;
        let deadline = Instant::now() + limit;
        while let Some(data) = self.piece(deadline, limit).await? {
            if self.buffer.len() + data.len() > most {
                return Err(self.nonsense("it is too long"));
            }
            self.buffer.extend_from_slice(&data);
        }
        self.ended()
    }

    fn parse<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, Failed> {
        serde_json::from_slice(bytes).map_err(|error| self.nonsense(&error.to_string()))
    }

    /// What it says instead of a success, or as much of it as is read.
    pub(super) async fn refusal(mut self, limit: Duration) -> String {
        let deadline = Instant::now() + limit;
        while self.buffer.len() < MAX_ERROR_BYTES
            && let Ok(Some(data)) = self.piece(deadline, limit).await
        {
            let room = MAX_ERROR_BYTES - self.buffer.len();
            self.buffer.extend_from_slice(&data[..data.len().min(room)]);
        }
        message(&self.buffer)
    }
}

/// What IPFS Cluster says, `{"code":…,"message":…}`, or a pinning service, `{"error":{"reason":…,"details":…}}`, or else the text.
fn message(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Document {
        message: Option<String>,
        error: Option<Reason>,
    }
    #[derive(Deserialize)]
    struct Reason {
        reason: String,
        #[serde(default)]
        details: String,
    }
    let text = || String::from_utf8_lossy(body).trim().to_owned();
    let Ok(document) = serde_json::from_slice::<Document>(body) else { return text() };
    match (document.message, document.error) {
        (_, Some(Reason { reason, details })) if details.is_empty() => reason,
        (_, Some(Reason { reason, details })) => format!("{reason}: {details}"),
        (Some(message), None) => message,
        (None, None) => text(),
    }
}

#[cfg(test)]
mod tests {
    use super::message;

    #[test]
    fn refusals_are_read_in_both_forms() {
        assert_eq!(message(br#"{"code":404,"message":"not found"}"#), "not found");
        let service = br#"{"error":{"reason":"INVALID_ORIGINS","details":"private address"}}"#;
        assert_eq!(message(service), "INVALID_ORIGINS: private address");
        assert_eq!(message(br#"{"error":{"reason":"UNAUTHORIZED"}}"#), "UNAUTHORIZED");
        assert_eq!(message(b"<html>"), "<html>");
    }
}
