//! What the owner of a node holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use cid::multihash::Multihash;
use libp2p::PeerId;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::blocks::Blocks;
use crate::dht::ProvideKey;
use crate::driver::{Command, Driver};
use crate::error::{Error, Result};
use crate::options::Options;
use crate::session::{FetchOptions, Session};
use crate::status::{Event, Status};

/// Events that wait for the owner.
const MAX_EVENTS: usize = 1024;

/// What happens to a node, in order. Whoever does not take it misses it, and is told how much: [`Event::Missed`].
pub type Events = mpsc::Receiver<Event>;

/// A node that runs until it is shut down or dropped.
#[derive(Debug)]
pub struct Swarm {
    peer_id: PeerId,
    commands: mpsc::UnboundedSender<Command>,
    task: Mutex<Option<JoinHandle<()>>>,
    sessions: AtomicU64,
}

impl Swarm {
    /// Starts a node that gives out `blocks`. Has to be called inside of a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`Error::Listen`] when none of the addresses can be listened on, [`Error::Resolver`] and [`Error::Transport`] when this machine
    /// can't be used for it.
    pub fn start(options: Options, blocks: Arc<dyn Blocks>) -> Result<(Self, Events)> {
        let (commands, taken) = mpsc::unbounded_channel();
        let (told, events) = mpsc::channel(MAX_EVENTS);
        let driver = Driver::new(options, blocks, taken, told)?;
        let peer_id = driver.peer_id();
        let task = Mutex::new(Some(tokio::spawn(driver.run())));
        Ok((Self { peer_id, commands, task, sessions: AtomicU64::new(0) }, events))
    }

    /// Who this node is.
    pub fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// Closes all connections and ends. Whatever is asked afterwards fails with [`Error::Stopped`].
    pub async fn shutdown(&self) {
        let _ = self.commands.send(Command::Shutdown);
        if let Some(task) = self.task.lock().await.take() {
            let _ = task.await;
        }
    }

    /// Provides exactly these keys from now on, in this order: about eight at once, and all of them again every 22 hours. Keys that
    /// were given before and are not among these are let go.
    ///
    /// # Errors
    ///
    /// [`Error::Stopped`].
    pub fn provide(&self, keys: Vec<ProvideKey>) -> Result<()> {
        self.send(Command::Provide(keys))
    }

    /// Stores a record under `/ipns/NAME` at the members of the DHT that are closest to it. To be done again every few hours: they
    /// forget it after 48.
    ///
    /// # Errors
    ///
    /// [`Error::NoDht`] when no member is known, [`Error::NotStored`] when none took it, [`Error::Stopped`].
    pub async fn put_record(&self, name: Multihash<64>, value: Vec<u8>) -> Result<()> {
        self.ask(|answer| Command::PutRecord { name, value, answer }).await?
    }

    /// The best record under `/ipns/NAME` by [`Options::record_rule`]; `None` when there is no valid one.
    ///
    /// # Errors
    ///
    /// [`Error::NoDht`] when no member of the DHT is known, [`Error::Stopped`].
    pub async fn get_record(&self, name: Multihash<64>) -> Result<Option<Vec<u8>>> {
        self.ask(|answer| Command::GetRecord { name, answer }).await?
    }

    /// Who provides a block, this node among them, in no order: at most `limit` of them, of whom the DHT's members know. Takes as
    /// long as a question to the DHT does: up to a minute.
    ///
    /// # Errors
    ///
    /// [`Error::NoDht`] when no member of the DHT is known, [`Error::Stopped`].
    pub async fn providers(&self, key: Multihash<64>, limit: usize) -> Result<Vec<PeerId>> {
        self.ask(|answer| Command::Providers { key, limit, answer }).await?
    }

    /// How the node is.
    ///
    /// # Errors
    ///
    /// [`Error::Stopped`].
    pub async fn status(&self) -> Result<Status> {
        self.ask(Command::Status).await
    }

    /// A fetch from the peers that are named and, if a root is, from its providers.
    ///
    /// # Errors
    ///
    /// [`Error::Stopped`].
    pub fn fetch(&self, options: FetchOptions) -> Result<Session> {
        let session = self.sessions.fetch_add(1, Relaxed);
        let FetchOptions { peers, providers_of, timeout, max_blocks } = options;
        self.send(Command::OpenSession { session, peers, providers_of, timeout })?;
        Ok(Session::new(session, self.commands.clone(), max_blocks))
    }

    fn send(&self, command: Command) -> Result<()> {
        self.commands.send(command).map_err(|_| Error::Stopped)
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        self.send(command(answer))?;
        answered.await.map_err(|_| Error::Stopped)
    }
}
