//! What the caller of a fetch holds: asks for blocks, and gets them verified or learns why not.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cid::Cid;
use libp2p::Multiaddr;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::driver::Command;
use crate::error::{Error, Result};
use crate::fetch::PeerReport;

/// SHA-256 as a multihash function; blocks that say themselves have the other.
const SHA2_256: u64 = 0x12;
const IDENTITY: u64 = 0;

/// Whom to ask, and how much at once.
#[derive(Debug, Clone)]
pub struct FetchOptions {
    /// Peers to dial. An address without `/p2p/PEER` is asked whoever answers there.
    pub peers: Vec<Multiaddr>,
    /// A block whose providers in the DHT are asked as well: the root of what is fetched.
    pub providers_of: Option<Cid>,
    /// How long a block may take before [`crate::Missing::TimedOut`].
    pub timeout: Duration,
    /// Blocks that are asked for at once, of up to 2 MiB each; further calls of [`Session::get`] wait.
    pub max_blocks: usize,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self { peers: Vec::new(), providers_of: None, timeout: Duration::from_mins(1), max_blocks: 32 }
    }
}

/// A fetch from several peers. It ends, and its peers are let go, when it is dropped.
#[derive(Debug)]
pub struct Session {
    id: u64,
    commands: mpsc::UnboundedSender<Command>,
    space: Arc<Semaphore>,
}

/// Says that nobody waits any more, unless the answer has come.
struct Waiting<'a> {
    session: &'a Session,
    cid: Cid,
    answered: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.answered {
            let _ = self.session.commands.send(Command::Unwant { session: self.session.id, cid: self.cid });
        }
    }
}

impl Session {
    pub(crate) fn new(id: u64, commands: mpsc::UnboundedSender<Command>, max_blocks: usize) -> Self {
        Self { id, commands, space: Arc::new(Semaphore::new(max_blocks.clamp(1, 1024))) }
    }

    /// One block. Calls may run at the same time, and one that is dropped is not asked for any more.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] when nobody has it or delivers it in time, [`Error::HashFunction`] for a CID of another hash function than
    /// SHA-256, [`Error::Stopped`] when the node is shut down.
    pub async fn get(&self, cid: &Cid) -> Result<Bytes> {
        match (cid.hash().code(), cid.hash().size()) {
            (SHA2_256, 32) => {}
            (IDENTITY, _) => return Ok(Bytes::copy_from_slice(cid.hash().digest())),
            (other, _) => return Err(Error::HashFunction(other)),
        }
        let _space = self.space.acquire().await.map_err(|_| Error::Stopped)?;
        let (answer, answered) = oneshot::channel();
        let mut waiting = Waiting { session: self, cid: *cid, answered: false };
        let command = Command::Want { session: self.id, cid: *cid, answer };
        self.commands.send(command).map_err(|_| Error::Stopped)?;
        let outcome = answered.await;
        waiting.answered = true;
        Ok(outcome.map_err(|_| Error::Stopped)??)
    }

    /// The peers of this session, and what each delivered.
    ///
    /// # Errors
    ///
    /// [`Error::Stopped`] when the node is shut down.
    pub async fn peers(&self) -> Result<Vec<PeerReport>> {
        let (answer, answered) = oneshot::channel();
        self.commands.send(Command::Report { session: self.id, answer }).map_err(|_| Error::Stopped)?;
        answered.await.map_err(|_| Error::Stopped)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.commands.send(Command::CloseSession(self.id));
    }
}
