//! The blocks of one file as they come in one answer: a CAR in the order in which the file is read.
//!
//! Nothing is read ahead but what the connection does, and nothing is copied that whoever reads takes piece by piece. What comes may
//! be cut, be in another order, or be no CAR at all: who reads compares each block with the one that is wanted, and asks for blocks
//! one by one where they differ.

use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use cid::Cid;
use reqwest::Response;
use tokio::time::timeout;

use super::several::stalled;
use crate::error::{Error, Kind, Result};
use crate::unixfs::{MAX_BLOCK_BYTES, car, verify_block};

/// So many bytes tell the length of a section, or are the whole of a shorter one.
const LENGTH_BYTES: usize = 10;

/// Blocks on their way.
pub struct FileBlocks {
    body: Body,
    /// The shortest time in which nothing may come.
    stall: Option<Duration>,
    failed: Vec<Failed>,
}

/// Who is told of what fails.
type Failed = Box<dyn Fn(&Error) + Send + Sync>;

impl std::fmt::Debug for FileBlocks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileBlocks").finish_non_exhaustive()
    }
}

impl FileBlocks {
    /// Begins to read a body that is said to be a CAR.
    pub(super) fn of(response: Response) -> Self {
        let body = Body {
            response,
            front: BytesMut::new(),
            rest: Bytes::new(),
            left: 0,
            current: None,
            gathered: BytesMut::new(),
            begun: false,
        };
        Self { body, stall: None, failed: Vec::new() }
    }

    /// The same, which fails when nothing comes for so long; what fails is told, too.
    pub(super) fn watched(mut self, stall: Duration, failed: impl Fn(&Error) + Send + Sync + 'static) -> Self {
        self.stall = Some(self.stall.map_or(stall, |other| other.min(stall)));
        self.failed.push(Box::new(failed));
        self
    }

    /// The CID of the next block and how many bytes it has; nothing at the end. What is left of the one before is passed over.
    /// May be dropped while it waits and called again.
    pub async fn next(&mut self) -> Result<Option<(Cid, u64)>> {
        let outcome = in_time(self.stall, self.body.next()).await;
        self.told(outcome)
    }

    /// The next bytes of that block, as they come; nothing at its end. Nobody has verified them. May be dropped while it waits and
    /// called again.
    pub async fn piece(&mut self) -> Result<Option<Bytes>> {
        let outcome = in_time(self.stall, self.body.piece()).await;
        self.told(outcome)
    }

    /// All of that block, verified, if no piece of it was taken. May be dropped while it waits and called again.
    pub async fn block(&mut self) -> Result<Bytes> {
        let outcome = in_time(self.stall, self.body.block()).await;
        self.told(outcome)
    }

    /// What came for a block is not what its CID says.
    pub fn lied(&self, cid: &Cid) {
        let words = format!("block {cid}: its bytes hash to another CID");
        self.tell(&Error::new(Kind::Verification, words));
    }

    fn told<T>(&self, outcome: Result<T>) -> Result<T> {
        outcome.inspect_err(|error| self.tell(error))
    }

    fn tell(&self, error: &Error) {
        self.failed.iter().for_each(|failed| failed(error));
    }
}

async fn in_time<T>(stall: Option<Duration>, work: impl Future<Output = Result<T>>) -> Result<T> {
    match stall {
        Some(stall) => timeout(stall, work).await.unwrap_or_else(|_| Err(stalled(stall))),
        None => work.await,
    }
}

struct Body {
    response: Response,
    /// The beginning of a section that came in parts; before what follows.
    front: BytesMut,
    /// What came and is not looked at yet.
    rest: Bytes,
    /// Bytes of the current section that were not taken yet.
    left: u64,
    /// The block in that section.
    current: Option<Cid>,
    /// What was taken of it for the whole.
    gathered: BytesMut,
    begun: bool,
}

impl Body {
    async fn next(&mut self) -> Result<Option<(Cid, u64)>> {
        if !self.begun {
            let Some(whole) = self.section(car::MAX_HEADER_BYTES).await? else { return Err(cut()) };
            self.left = whole as u64;
            self.begun = true;
        }
        while self.piece().await?.is_some() {}
        self.current = None;
        self.gathered.clear();
        let Some(whole) = self.section(car::MAX_SECTION_BYTES).await? else { return Ok(None) };
        let head = if self.front.is_empty() { &self.rest[..] } else { &self.front[..] };
        let place = car::section_at(0, &head[..head.len().min(whole)])?;
        if self.front.is_empty() {
            self.rest.advance(place.offset as usize);
        } else {
            self.front.advance(place.offset as usize);
        }
        self.left = place.length;
        self.current = Some(place.cid);
        Ok(Some((place.cid, place.length)))
    }

    async fn piece(&mut self) -> Result<Option<Bytes>> {
        while self.left > 0 {
            let wanted = usize::try_from(self.left).unwrap_or(usize::MAX);
            let bytes = if !self.front.is_empty() {
                self.front.split_to(wanted.min(self.front.len())).freeze()
            } else if !self.rest.is_empty() {
                self.rest.split_to(wanted.min(self.rest.len()))
            } else if self.more().await? {
                continue;
            } else {
                return Err(cut());
            };
            self.left -= bytes.len() as u64;
            return Ok(Some(bytes));
        }
        Ok(None)
    }

    async fn block(&mut self) -> Result<Bytes> {
        let cid = self.current.ok_or_else(cut)?;
        // Bounded where the section began.
        self.gathered.reserve(self.left.min(MAX_BLOCK_BYTES as u64) as usize);
        while let Some(piece) = self.piece().await? {
            self.gathered.extend_from_slice(&piece);
        }
        let block = self.gathered.split().freeze();
        verify_block(&cid, &block)?;
        Ok(block)
    }

    /// How long the next section is, once all that stands before its block is here in one piece; nothing at the end.
    async fn section(&mut self, limit: u64) -> Result<Option<usize>> {
        loop {
            let begin = if self.front.is_empty() { &self.rest[..] } else { &self.front[..] };
            let wanted = match car::whole_section(begin, limit)? {
                Some(whole) if begin.len() >= whole.min(car::MAX_SECTION_HEAD_BYTES) => return Ok(Some(whole)),
                Some(whole) => whole.min(car::MAX_SECTION_HEAD_BYTES),
                None => LENGTH_BYTES,
            };
            if !self.rest.is_empty() {
                let more = self.rest.split_to(wanted.saturating_sub(self.front.len()).min(self.rest.len()));
                self.front.extend_from_slice(&more);
            } else if !self.more().await? {
                return if self.front.is_empty() { Ok(None) } else { Err(cut()) };
            }
        }
    }

    /// Waits for more bytes, where all that came is looked at; whether there are any.
    async fn more(&mut self) -> Result<bool> {
        let cut_off =
            |error: reqwest::Error| Error::new(Kind::Network, "the answer was cut off").caused_by(error.without_url());
        while let Some(more) = self.response.chunk().await.map_err(cut_off)? {
            if !more.is_empty() {
                self.rest = more;
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn cut() -> Error {
    Error::new(Kind::Verification, "a CAR ends in the middle of a block")
}
