//! What a Kubo answers, read with mistrust: capped in size, in lines and in time, and whole or an error.
//!
//! Knows JSON lines and the trailer `X-Stream-Error`, in which Kubo says what went wrong after an answer began
//! (go-ipfs-cmds http/responseemitter.go). Must not know what the lines mean.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use super::failure::{self, Answer};
use super::secrets::Secrets;
use crate::error::Error;

/// The most bytes of a line.
const MAX_LINE_BYTES: usize = 64 << 10;
/// The most lines of an answer.
const MAX_LINES: u64 = 1 << 20;
/// The most bytes of an error that are read.
const MAX_ERROR_BYTES: usize = 64 << 10;
/// Where an error comes that was found after the answer had begun.
const STREAM_ERROR: &str = "x-stream-error";

/// What came instead of what was asked for.
#[derive(Debug)]
pub(super) enum Failed {
    /// The node said no.
    Refused(Answer),
    /// Nothing sensible came of it.
    Broken(Error),
}

impl Failed {
    /// The error for people.
    pub(super) fn into_error(self, place: &str, doing: &str) -> Error {
        match self {
            Self::Refused(answer) => answer.into_error(place, doing),
            Self::Broken(error) => error,
        }
    }
}

/// An answer that has begun.
#[derive(Debug)]
pub(super) struct Reply {
    place: String,
    doing: String,
    secrets: Secrets,
    body: reqwest::Body,
    buffer: BytesMut,
    lines: u64,
    late: Option<Answer>,
}

impl Reply {
    /// The answer to what `doing` says could fail: `can't pin X`.
    pub(super) fn new(response: reqwest::Response, place: &str, doing: &str, secrets: Secrets) -> Self {
        let late = response.headers().get(STREAM_ERROR).map(|value| Answer::late(value.as_bytes()).clean(&secrets));
        Self {
            place: place.to_owned(),
            doing: doing.to_owned(),
            secrets,
            body: response.into(),
            buffer: BytesMut::new(),
            lines: 0,
            late,
        }
    }

    fn nonsense(&self, why: &str) -> Failed {
        Failed::Broken(failure::nonsense(&self.place, &self.doing, &self.secrets.clean(why)))
    }

    /// The next bytes; nothing at the answer's end.
    async fn piece(&mut self, deadline: Instant, limit: Duration) -> Result<Option<Bytes>, Failed> {
        loop {
            let body = &mut self.body;
            let frame = timeout_at(deadline, poll_fn(|context| Pin::new(&mut *body).poll_frame(context))).await;
            let Ok(frame) = frame else {
                return Err(Failed::Broken(failure::stalled(&self.place, &self.doing, limit.as_secs())));
            };
            let frame = match frame {
                None => return Ok(None),
                Some(Ok(frame)) => frame,
                Some(Err(error)) => {
                    return Err(Failed::Broken(failure::cut(&self.place, &self.doing, &super::rpc::why(error))));
                }
            };
            match frame.into_data() {
                Ok(data) => return Ok(Some(data)),
                Err(frame) => {
                    let trailers = frame.into_trailers().ok();
                    let error = trailers.as_ref().and_then(|trailers| trailers.get(STREAM_ERROR));
                    if let Some(error) = error {
                        self.late = Some(Answer::late(error.as_bytes()).clean(&self.secrets));
                    }
                }
            }
        }
    }

    /// The next line without its end; nothing at the answer's end, which is an error if the node says that it is none.
    /// Each line may take `limit`.
    pub(super) async fn line(&mut self, limit: Duration) -> Result<Option<Bytes>, Failed> {
        let deadline = Instant::now() + limit;
        let mut scanned = 0;
        loop {
            let found = self.buffer[scanned..].iter().position(|byte| *byte == b'\n').map(|at| scanned + at);
            if found.unwrap_or(self.buffer.len()) > MAX_LINE_BYTES {
                return Err(self.nonsense("a line of more than 64 KiB"));
            }
            if let Some(end) = found {
                let mut line = self.buffer.split_to(end + 1);
                line.truncate(end);
                return self.count(line.freeze()).map(Some);
            }
            scanned = self.buffer.len();
            match self.piece(deadline, limit).await? {
                Some(data) => self.buffer.extend_from_slice(&data),
                None => break,
            }
        }
        if let Some(late) = self.late.take() {
            return Err(Failed::Refused(late));
        }
        if self.buffer.is_empty() {
            return Ok(None);
        }
        let line = self.buffer.split().freeze();
        self.count(line).map(Some)
    }

    fn count(&mut self, line: Bytes) -> Result<Bytes, Failed> {
        self.lines += 1;
        if self.lines > MAX_LINES { Err(self.nonsense("too many lines")) } else { Ok(line) }
    }

    /// The next line as a document.
    pub(super) async fn document<T: DeserializeOwned>(&mut self, limit: Duration) -> Result<Option<T>, Failed> {
        loop {
            let Some(line) = self.line(limit).await? else { return Ok(None) };
            if line.trim_ascii().is_empty() {
                continue;
            }
            return self.parse(&line).map(Some);
        }
    }

    fn parse<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, Failed> {
        serde_json::from_slice(bytes).map_err(|error| self.nonsense(&error.to_string()))
    }

    /// All of it, if it has no more than `most` bytes and comes within `limit`.
    pub(super) async fn whole(mut self, most: usize, limit: Duration) -> Result<Bytes, Failed> {
        let deadline = Instant::now() + limit;
        while let Some(data) = self.piece(deadline, limit).await? {
            if self.buffer.len() + data.len() > most {
                return Err(self.nonsense("it is too long"));
            }
            self.buffer.extend_from_slice(&data);
        }
        match self.late.take() {
            Some(late) => Err(Failed::Refused(late)),
            None => Ok(self.buffer.freeze()),
        }
    }

    /// All of it as one document.
    pub(super) async fn only<T: DeserializeOwned>(self, most: usize, limit: Duration) -> Result<T, Failed> {
        let (place, doing, secrets) = (self.place.clone(), self.doing.clone(), self.secrets.clone());
        let bytes = self.whole(most, limit).await?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Failed::Broken(failure::nonsense(&place, &doing, &secrets.clean(&error.to_string()))))
    }

    /// What it says instead of a success, or as much of it as is read.
    pub(super) async fn refusal(mut self, status: u16, limit: Duration) -> Answer {
        let deadline = Instant::now() + limit;
        while self.buffer.len() < MAX_ERROR_BYTES
            && let Ok(Some(data)) = self.piece(deadline, limit).await
        {
            let room = MAX_ERROR_BYTES - self.buffer.len();
            self.buffer.extend_from_slice(&data[..data.len().min(room)]);
        }
        Answer::read(status, &self.buffer).clean(&self.secrets)
    }
}
