//! Peers that have a part of a root, or are about to, before the source that has all of it.
//!
//! Each block, and each file that comes in one answer, is asked of another peer first, so that load spreads. A peer that has it not yet
//! says so at once, and one that is just getting it answers at once and sends it as it comes: so a peer is waited for longer than a
//! place that has everything. What they all lack, and what none gives in time, comes from the source.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use cid::Cid;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use reqwest::Client;
use tokio::time::{sleep, timeout};

use super::several::STALL_TIMEOUT;
use super::standing::Standing;
use super::{BlockSource, FileBlocks, HttpBlocks, inline};
use crate::error::{Error, Kind, Result};
use crate::unixfs::RAW;

/// How long a peer may take to let us in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long nothing may come of an answer: longer than a peer waits for what it is getting itself.
const READ_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a block may take.
const BLOCK_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a peer is waited for before another one, or the source, is asked as well.
const HEDGE_DELAY: Duration = Duration::from_secs(5);
/// How many peers are asked for a block of content. Beside them, the one that began first: it has most.
const MAX_ASKED_FOR_CONTENT: usize = 3;
/// How many are asked for a block with links, of which many are read one after the other.
const MAX_ASKED_FOR_NODES: usize = 1;

/// Peers, and a source that has everything.
pub struct PeersFirst {
    client: Client,
    peers: RwLock<Arc<[Arc<Peer>]>>,
    rest: Arc<dyn BlockSource>,
}

struct Peer {
    url: String,
    blocks: Arc<dyn BlockSource>,
    standing: Mutex<Standing>,
}

impl Peer {
    fn is_put_back(&self) -> bool {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).is_put_back()
    }

    fn note(&self, what: impl FnOnce(&mut Standing)) {
        what(&mut self.standing.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn weight(&self, cid: &Cid) -> u64 {
        let mut hasher = DefaultHasher::new();
        (cid.hash().digest(), self.url.as_str()).hash(&mut hasher);
        hasher.finish()
    }
}

impl std::fmt::Debug for PeersFirst {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let urls: Vec<String> = self.peers().iter().map(|peer| peer.url.clone()).collect();
        f.debug_struct("PeersFirst").field("peers", &urls).field("rest", &self.rest).finish_non_exhaustive()
    }
}

/// One that is asked; none for the source.
type Asked = Option<Arc<Peer>>;

impl PeersFirst {
    /// No peers yet.
    pub fn new(rest: Arc<dyn BlockSource>) -> Result<Self> {
        let client = crate::http::client()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            // A proxy is for the world.
            .no_proxy()
            .build()
            .map_err(|error| Error::new(Kind::Unexpected, "can't create an HTTP client").caused_by(error))?;
        Ok(Self { client, peers: RwLock::new(Arc::new([])), rest })
    }

    /// Asks these from now on, by their URLs, the one that began first at the beginning. What is known of one that stays is kept.
    pub fn set_peers(&self, urls: &[String]) {
        let before = self.peers();
        let peers = urls.iter().filter_map(|url| {
            let known = before.iter().find(|peer| peer.url == *url).cloned();
            known.or_else(|| Some(Arc::new(peer(url, Arc::new(HttpBlocks::peer(&self.client, url).ok()?)))))
        });
        *self.peers.write().unwrap_or_else(PoisonError::into_inner) = peers.collect();
    }

    fn peers(&self) -> Arc<[Arc<Peer>]> {
        Arc::clone(&self.peers.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whom to ask for it before the source.
    fn order(&self, cid: &Cid) -> Vec<Arc<Peer>> {
        let peers = self.peers();
        let mut found: Vec<&Arc<Peer>> = peers.iter().filter(|peer| !peer.is_put_back()).collect();
        let first = found.first().copied();
        found.sort_by_cached_key(|peer| peer.weight(cid));
        found.truncate(if cid.codec() == RAW { MAX_ASKED_FOR_CONTENT } else { MAX_ASKED_FOR_NODES });
        let first = first.filter(|first| !found.iter().any(|peer| Arc::ptr_eq(peer, first)));
        found.into_iter().chain(first).cloned().collect()
    }

    async fn ask(&self, asked: Asked, cid: Cid) -> (Asked, Instant, Result<Option<Bytes>>) {
        let begun = Instant::now();
        let answer = match &asked {
            None => self.rest.block(&cid).await,
            Some(peer) => timeout(BLOCK_TIMEOUT, peer.blocks.block(&cid)).await.unwrap_or_else(|_| {
                Err(Error::new(Kind::Network, format!("a block took more than {} s", BLOCK_TIMEOUT.as_secs())))
            }),
        };
        (asked, begun, answer)
    }
}

fn peer(url: &str, blocks: Arc<dyn BlockSource>) -> Peer {
    Peer { url: url.to_owned(), blocks, standing: Mutex::default() }
}

#[async_trait]
impl BlockSource for PeersFirst {
    fn place(&self) -> String {
        self.rest.place()
    }

    async fn block(&self, cid: &Cid) -> Result<Option<Bytes>> {
        if let Some(bytes) = inline(cid) {
            return Ok(Some(bytes));
        }
        let order = self.order(cid);
        if order.is_empty() {
            return self.rest.block(cid).await;
        }
        let mut next = order.into_iter().map(Some).chain([None]).fuse().peekable();
        let mut asking = FuturesUnordered::new();
        let mut waited_for: Vec<Arc<Peer>> = Vec::new();
        let mut last = Ok(None);
        loop {
            if asking.is_empty() {
                let Some(asked) = next.next() else { return last };
                waited_for.extend(asked.clone());
                asking.push(self.ask(asked, *cid));
            }
            let (asked, begun, answer) = tokio::select! {
                Some(answered) = asking.next() => answered,
                () = sleep(HEDGE_DELAY), if next.peek().is_some() => {
                    if let Some(asked) = next.next() {
                        waited_for.extend(asked.clone());
                        asking.push(self.ask(asked, *cid));
                    }
                    continue;
                }
            };
            if let Some(peer) = &asked {
                waited_for.retain(|other| !Arc::ptr_eq(other, peer));
            }
            match (answer, asked) {
                (Ok(Some(block)), asked) => {
                    if let Some(peer) = asked {
                        peer.note(|standing| standing.answered(begun.elapsed()));
                    }
                    // Those that were waited for in vain would be so again.
                    for slow in waited_for {
                        slow.note(|standing| standing.failed(Kind::Network));
                    }
                    return Ok(Some(block));
                }
                (Ok(None), Some(_)) => {}
                (Err(error), Some(peer)) => {
                    tracing::info!("{error}; others are asked");
                    peer.note(|standing| standing.failed(error.kind()));
                }
                (answer, None) => last = answer,
            }
        }
    }

    async fn file(&self, cid: &Cid, from: u64) -> Option<FileBlocks> {
        for peer in self.order(cid) {
            match timeout(READ_TIMEOUT, peer.blocks.file(cid, from)).await {
                Ok(Some(blocks)) => {
                    return Some(blocks.watched(STALL_TIMEOUT.max(READ_TIMEOUT), move |failure| {
                        tracing::info!("{}: {failure}", peer.url);
                        peer.note(|standing| standing.failed(failure.kind()));
                    }));
                }
                Ok(None) => {}
                Err(_) => peer.note(|standing| standing.failed(Kind::Network)),
            }
        }
        self.rest.file(cid, from).await
    }

    fn at_once(&self) -> usize {
        if self.peers().is_empty() { self.rest.at_once() } else { self.rest.at_once().max(4) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::unixfs::{Profile, file};

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Way {
        Good,
        Lies,
        Dead,
        Silent,
        Empty,
        /// Sends it after some seconds, since it is just getting it.
        Late(u64),
    }

    #[derive(Debug)]
    struct Fake {
        way: Way,
        blocks: HashMap<Cid, Bytes>,
        asked: AtomicU64,
    }

    #[async_trait]
    impl BlockSource for Fake {
        fn place(&self) -> String {
            format!("{:?}", self.way)
        }

        async fn block(&self, cid: &Cid) -> Result<Option<Bytes>> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            match self.way {
                Way::Good => Ok(self.blocks.get(cid).cloned()),
                Way::Lies => Err(Error::new(Kind::Verification, "other bytes")),
                Way::Dead => Err(Error::new(Kind::Network, "refused")),
                Way::Silent => std::future::pending().await,
                Way::Empty => Ok(None),
                Way::Late(seconds) => {
                    sleep(Duration::from_secs(seconds)).await;
                    Ok(self.blocks.get(cid).cloned())
                }
            }
        }
    }

    /// Peers that behave like this, and a source that has everything, as the last of them; and 40 blocks.
    fn peers(ways: &[Way]) -> (PeersFirst, Vec<Arc<Fake>>, Vec<Cid>) {
        let blocks: HashMap<Cid, Bytes> = (0..40)
            .map(|number| {
                let bytes = Bytes::from(vec![number; 3]);
                (file::of_bytes(Profile::V1_2025, &bytes).0.cid, bytes)
            })
            .collect();
        let fakes: Vec<Arc<Fake>> = ways
            .iter()
            .chain([&Way::Good])
            .map(|way| Arc::new(Fake { way: *way, blocks: blocks.clone(), asked: AtomicU64::new(0) }))
            .collect();
        let (rest, others) = fakes.split_last().unwrap();
        let first = PeersFirst::new(Arc::clone(rest) as _).unwrap();
        let others = others.iter().zip(0..).map(|(fake, number)| {
            Arc::new(peer(&format!("http://192.0.2.{number}:1"), Arc::clone(fake) as Arc<dyn BlockSource>))
        });
        *first.peers.write().unwrap() = others.collect();
        (first, fakes, blocks.into_keys().collect())
    }

    async fn asked(ways: &[Way]) -> Vec<u64> {
        let (first, fakes, cids) = peers(ways);
        for cid in &cids {
            assert!(first.block(cid).await.unwrap().is_some(), "{ways:?}");
        }
        fakes.iter().map(|fake| fake.asked.load(Ordering::SeqCst)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn peers_share_the_work_and_the_source_has_none() {
        let asked = asked(&[Way::Good; 4]).await;
        assert_eq!((asked.iter().sum::<u64>(), asked[4]), (40, 0));
        assert!(asked[..4].iter().all(|asked| *asked > 0), "{asked:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn liars_dead_and_silent_ones_are_asked_once() {
        for way in [Way::Lies, Way::Dead, Way::Silent] {
            assert_eq!(asked(&[way]).await, [1, 40], "{way:?}");
            let asked = asked(&[way, Way::Good]).await;
            assert!(asked[0] == 1 && asked[1] >= 39 && asked[2] <= 1, "{way:?} {asked:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_just_getting_it_is_waited_for() {
        assert_eq!(asked(&[Way::Late(4)]).await, [40, 0]);
        // Too late.
        assert!(asked(&[Way::Late(8)]).await[0] < 40);
    }

    #[tokio::test(start_paused = true)]
    async fn what_peers_lack_comes_from_the_one_that_began_first_and_then_from_the_source() {
        let (first, fakes, cids) = peers(&[Way::Good, Way::Empty, Way::Empty, Way::Empty, Way::Empty, Way::Empty]);
        for cid in &cids {
            assert!(first.block(cid).await.unwrap().is_some());
        }
        let asked: Vec<u64> = fakes.iter().map(|fake| fake.asked.load(Ordering::SeqCst)).collect();
        assert_eq!((asked[0], asked[6]), (40, 0), "{asked:?}");
        let (first, fakes, _) = peers(&[Way::Empty; 9]);
        let unknown = file::of_bytes(Profile::V1_2025, b"unknown").0.cid;
        assert_eq!(first.block(&unknown).await.unwrap(), None);
        let asked: u64 = fakes.iter().map(|fake| fake.asked.load(Ordering::SeqCst)).sum();
        assert!(asked <= MAX_ASKED_FOR_CONTENT as u64 + 2, "{asked}");
    }

    #[tokio::test]
    async fn what_is_known_of_a_peer_stays_with_it() {
        let (first, ..) = peers(&[]);
        let urls =
            |numbers: &[u8]| numbers.iter().map(|number| format!("http://192.0.2.{number}:1")).collect::<Vec<_>>();
        first.set_peers(&urls(&[1, 2]));
        first.peers()[1].note(|standing| standing.failed(Kind::Network));
        first.set_peers(&urls(&[2, 3]));
        let put_back: Vec<bool> = first.peers().iter().map(|peer| peer.is_put_back()).collect();
        assert_eq!(put_back, [true, false]);
    }
}
