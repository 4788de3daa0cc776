//! Several places for the same blocks: the best one is asked first, the next one when that fails, lies or is slow.
//!
//! Every block is verified by the place it comes from, so a bad place costs time and nothing else. One that fails or lies is put
//! back for a while, a slow one behind those that are faster; a dead one is waited for once, not for each block.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use cid::Cid;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::time::sleep;

use super::standing::Standing;
use super::{BlockSource, FileBlocks};
use crate::error::{Error, Kind, Result};

/// How long one place is waited for before the next one is asked, too.
const HEDGE_DELAY: Duration = Duration::from_secs(1);
/// How often all places are asked for a block that none of them gives because of a failure.
const MAX_ROUNDS: u32 = 3;
/// The pause before the second round; the third one has twice as much.
const ROUND_DELAY: Duration = Duration::from_millis(500);
/// How long nothing may come of a file that is sent as a whole.
pub(super) const STALL_TIMEOUT: Duration = Duration::from_secs(15);

/// Several places, in the order in which they are asked while nothing is known of them.
pub struct Several {
    places: Vec<Place>,
}

struct Place {
    blocks: Arc<dyn BlockSource>,
    standing: Arc<Mutex<Standing>>,
}

impl Place {
    /// Its answer, with when it was asked.
    async fn ask(&self, cid: Cid) -> (&Self, Instant, Result<Option<Bytes>>) {
        let begun = Instant::now();
        (self, begun, self.blocks.block(&cid).await)
    }

    fn note(&self, what: impl FnOnce(&mut Standing)) {
        what(&mut self.standing.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl std::fmt::Debug for Several {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.places.iter().map(|place| place.blocks.place())).finish()
    }
}

impl Several {
    /// These places.
    pub fn new(places: Vec<Arc<dyn BlockSource>>) -> Self {
        Self { places: places.into_iter().map(|blocks| Place { blocks, standing: Arc::default() }).collect() }
    }

    /// The places, the best one first.
    fn in_order(&self) -> Vec<&Place> {
        let mut order: Vec<((bool, bool), f64, &Place)> = self
            .places
            .iter()
            .map(|place| {
                let standing = place.standing.lock().unwrap_or_else(PoisonError::into_inner);
                // One that has nothing yet, as a follower that has just begun, answers fastest of all.
                ((standing.is_put_back(), standing.lacks), standing.seconds, place)
            })
            .collect();
        // The sort is stable: where nothing is known the first one is the one that was named first.
        order.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        order.into_iter().map(|(_, _, place)| place).collect()
    }

    /// Asks all places once: nothing if none of them has it.
    async fn ask_all(&self, cid: &Cid) -> Result<Option<Bytes>> {
        let order = self.in_order();
        let mut next = order.into_iter();
        let mut asked = FuturesUnordered::new();
        let mut waited_for: Vec<(&Place, Instant)> = Vec::new();
        let (mut failure, mut lacking): (_, Vec<&Place>) = (None, Vec::new());
        loop {
            if asked.is_empty() {
                let Some(place) = next.next() else { break };
                waited_for.push((place, Instant::now()));
                asked.push(place.ask(*cid));
            }
            let (place, begun, answer) = tokio::select! {
                Some(answered) = asked.next() => answered,
                () = sleep(HEDGE_DELAY), if next.len() > 0 => {
                    if let Some(place) = next.next() {
                        waited_for.push((place, Instant::now()));
                        asked.push(place.ask(*cid));
                    }
                    continue;
                }
            };
            waited_for.retain(|(other, _)| !std::ptr::eq(*other, place));
            match answer {
                Ok(Some(block)) => {
                    place.note(|standing| standing.answered(begun.elapsed()));
                    for (slow, since) in waited_for {
                        if since < begun {
                            slow.note(|standing| standing.overtaken(since.elapsed()));
                        }
                    }
                    for place in lacking {
                        place.note(|standing| standing.lacks = true);
                    }
                    return Ok(Some(block));
                }
                Ok(None) => lacking.push(place),
                Err(error) => {
                    tracing::info!("{error}; others are asked");
                    place.note(|standing| standing.failed(error.kind()));
                    failure = Some(error);
                }
            }
        }
        failure.map_or(Ok(None), Err)
    }
}

#[async_trait]
impl BlockSource for Several {
    fn place(&self) -> String {
        match self.places.as_slice() {
            [one] => one.blocks.place(),
            [first, rest @ ..] => {
                let others = crate::text::count(rest.len() as u64, "other source", "other sources");
                format!("{} and {others}", first.blocks.place())
            }
            [] => "no source".to_owned(),
        }
    }

    async fn block(&self, cid: &Cid) -> Result<Option<Bytes>> {
        let mut round = 0;
        loop {
            round += 1;
            match self.ask_all(cid).await {
                // Lies and refusals are no better the second time.
                Err(error) if error.kind() == Kind::Network && round < MAX_ROUNDS => sleep(ROUND_DELAY * round).await,
                answer => return answer,
            }
        }
    }

    async fn file(&self, cid: &Cid, from: u64) -> Option<FileBlocks> {
        let best = self.in_order().into_iter().next()?;
        let blocks = best.blocks.file(cid, from).await?;
        let standing = Arc::clone(&best.standing);
        let place = best.blocks.place();
        Some(blocks.watched(STALL_TIMEOUT, move |failure| {
            tracing::info!("{place}: {failure}");
            standing.lock().unwrap_or_else(PoisonError::into_inner).failed(failure.kind());
        }))
    }

    fn at_once(&self) -> usize {
        self.places.iter().map(|place| place.blocks.at_once()).max().unwrap_or(1)
    }
}

/// The error of a place from which nothing comes.
pub(super) fn stalled(limit: Duration) -> Error {
    Error::new(Kind::Network, format!("nothing came for {} s", limit.as_secs()))
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
    }

    #[derive(Debug)]
    struct Fake {
        way: Way,
        blocks: HashMap<Cid, Bytes>,
        asked: AtomicU64,
    }

    impl Fake {
        fn asked(&self) -> u64 {
            self.asked.load(Ordering::SeqCst)
        }
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
            }
        }
    }

    fn blocks(count: u8) -> (Vec<Cid>, HashMap<Cid, Bytes>) {
        let all = (0..count).map(|n| {
            let bytes = Bytes::from(vec![n; 3]);
            (file::of_bytes(Profile::V1_2025, &bytes).0.cid, bytes)
        });
        let all: Vec<(Cid, Bytes)> = all.collect();
        (all.iter().map(|(cid, _)| *cid).collect(), all.into_iter().collect())
    }

    fn several(ways: &[Way]) -> (Several, Vec<Arc<Fake>>, Vec<Cid>) {
        let (cids, blocks) = blocks(20);
        let fakes: Vec<Arc<Fake>> = ways
            .iter()
            .map(|way| Arc::new(Fake { way: *way, blocks: blocks.clone(), asked: AtomicU64::new(0) }))
            .collect();
        let places = fakes.iter().map(|fake| Arc::clone(fake) as Arc<dyn BlockSource>).collect();
        (Several::new(places), fakes, cids)
    }

    #[tokio::test(start_paused = true)]
    async fn liars_dead_and_silent_ones_are_asked_once_and_then_put_back() {
        for way in [Way::Lies, Way::Dead, Way::Silent] {
            let (several, fakes, cids) = several(&[way, Way::Good]);
            for cid in &cids {
                assert!(several.block(cid).await.unwrap().is_some(), "{way:?}");
            }
            assert_eq!((fakes[0].asked(), fakes[1].asked()), (1, 20), "{way:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_one_lacks_another_has_and_what_all_lack_is_nowhere() {
        let (several, fakes, cids) = several(&[Way::Empty, Way::Good]);
        assert!(several.block(&cids[0]).await.unwrap().is_some());
        let unknown = file::of_bytes(Profile::V1_2025, b"unknown").0.cid;
        assert_eq!(several.block(&unknown).await.unwrap(), None);
        assert_eq!((fakes[0].asked(), fakes[1].asked()), (2, 2));
        // Who has one block is likelier to have the next one than who lacked it.
        assert!(several.block(&cids[1]).await.unwrap().is_some());
        assert_eq!((fakes[0].asked(), fakes[1].asked()), (2, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_of_all_is_tried_again_and_then_said() {
        let (several, fakes, cids) = several(&[Way::Dead, Way::Dead]);
        assert_eq!(several.block(&cids[0]).await.unwrap_err().kind(), Kind::Network);
        assert_eq!(fakes[0].asked(), u64::from(MAX_ROUNDS));
        // One that does not answer may have what the other lacks.
        let (several, ..) = self::several(&[Way::Dead, Way::Empty]);
        assert_eq!(several.block(&cids[0]).await.unwrap_err().kind(), Kind::Network);
    }
}
