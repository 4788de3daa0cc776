//! A node inside the process that pins as Kubo does, counts what it reads, and fails where a test wants it to.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use cid::Cid;
use futures::StreamExt as _;

use crate::error::{Error, Kind, Result};
use crate::node::{
    CarStream, Holder, ImportCar, Imported, Intake, Key, Names, Node, Pin, PinProgress, PinUpdates, Pins, ReadBlocks,
    Status, Tried,
};
use crate::unixfs::directory::DirectoryBlock;
use crate::unixfs::{RAW, car};

/// What a test wants to happen before a call is answered.
type Hook = Box<dyn FnMut(&str, &mut State) -> Answer + Send>;

/// How a call goes on.
pub(super) enum Answer {
    /// As it would.
    Go,
    /// With this error.
    Fail(Error),
    /// Never: whoever waits is killed there.
    Hang,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) blocks: HashMap<Cid, Bytes>,
    pub(super) pins: BTreeMap<Cid, Option<String>>,
    pub(super) names: HashMap<String, String>,
    pub(super) keys: Vec<Key>,
    /// Blocks that came in CARs, the ones that were here too.
    pub(super) imported: Vec<Cid>,
    pub(super) imports: u64,
    /// Blocks that pinning read.
    pub(super) read: u64,
    /// Calls, by name.
    pub(super) calls: Vec<String>,
    /// Looks for what it lacks in the network, as Kubo does, instead of saying so.
    pub(super) searches: bool,
    /// Says yes to every block, and keeps none.
    pub(super) lies: bool,
    /// It stands for these peers, which keep its pins or do not.
    pub(super) peers: Vec<Holder>,
}

pub(super) struct FakeNode {
    state: Mutex<State>,
    hook: Mutex<Option<Hook>>,
    hung: tokio::sync::Notify,
    /// It is of a kind that has no [`ReadBlocks`].
    pub(super) lacks_blocks: AtomicBool,
    /// It is of a kind that has no [`PinUpdates`].
    pub(super) lacks_pin_updates: AtomicBool,
    /// It is of a kind that has no [`Names`].
    pub(super) lacks_names: AtomicBool,
    /// It takes no blocks and fetches them elsewhere.
    pub(super) fetches: AtomicBool,
}

impl std::fmt::Debug for FakeNode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FakeNode")
    }
}

impl FakeNode {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            hook: Mutex::new(None),
            hung: tokio::sync::Notify::new(),
            lacks_blocks: AtomicBool::new(false),
            lacks_pin_updates: AtomicBool::new(false),
            lacks_names: AtomicBool::new(false),
            fetches: AtomicBool::new(false),
        })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Does this before every call.
    pub(super) fn intercept(&self, hook: impl FnMut(&str, &mut State) -> Answer + Send + 'static) {
        *self.hook.lock().unwrap() = Some(Box::new(hook));
    }

    pub(super) fn behave(&self) {
        *self.hook.lock().unwrap() = None;
    }

    /// Says when a call hangs.
    pub(super) async fn hung(&self) {
        self.hung.notified().await;
    }

    /// What came of a walk: what is not here is looked for without an end.
    async fn found(&self, walked: Result<()>) -> Result<()> {
        if walked.is_err() && self.state().searches { std::future::pending().await } else { walked }
    }

    async fn call(&self, name: &str) -> Result<()> {
        let answer = {
            let mut state = self.state();
            state.calls.push(name.to_owned());
            match &mut *self.hook.lock().unwrap() {
                Some(hook) => hook(name, &mut state),
                None => Answer::Go,
            }
        };
        match answer {
            Answer::Go => Ok(()),
            Answer::Fail(error) => Err(error),
            Answer::Hang => {
                self.hung.notify_one();
                std::future::pending().await
            }
        }
    }
}

impl State {
    fn links(&mut self, cid: &Cid) -> Result<Vec<Cid>> {
        self.read += 1;
        let Some(bytes) = self.blocks.get(cid) else {
            return Err(Error::new(
                Kind::Node,
                format!("block was not found locally (offline): ipld: could not find {cid}"),
            ));
        };
        if cid.codec() == RAW {
            return Ok(Vec::new());
        }
        Ok(DirectoryBlock::parse(bytes)?.links.into_iter().map(|(_, link)| link.cid).collect())
    }

    /// boxo `merkledag.Walk`.
    fn walk(&mut self, root: Cid, seen: &mut HashSet<Cid>) -> Result<()> {
        let mut todo = vec![root];
        while let Some(cid) = todo.pop() {
            if seen.insert(cid) {
                todo.extend(self.links(&cid)?);
            }
        }
        Ok(())
    }

    /// boxo `dagutils.DiffEnumerate`.
    fn difference(&mut self, from: Cid, to: Cid) -> Result<()> {
        let (old, new) = (self.links(&from)?, self.links(&to)?);
        let (old_set, new_set): (HashSet<Cid>, HashSet<Cid>) =
            (old.iter().copied().collect(), new.iter().copied().collect());
        let mut gone = old.iter().copied().filter(|cid| !new_set.contains(cid));
        let pairs: Vec<(Option<Cid>, Cid)> =
            new.iter().copied().filter(|cid| !old_set.contains(cid)).map(|cid| (gone.next(), cid)).collect();
        let mut seen: HashSet<Cid> = pairs.iter().filter_map(|pair| pair.0).collect();
        for (before, after) in pairs {
            match before {
                Some(before) => self.difference(before, after)?,
                None => self.walk(after, &mut seen)?,
            }
        }
        Ok(())
    }

    /// Everything below a root, which must be here.
    pub(super) fn closure(&mut self, root: &Cid) -> HashSet<Cid> {
        let mut seen = HashSet::new();
        self.walk(*root, &mut seen).unwrap();
        seen
    }

    /// Throws away what no pin needs.
    pub(super) fn collect_garbage(&mut self) {
        let mut seen = HashSet::new();
        for root in self.pins.keys().copied().collect::<Vec<_>>() {
            self.walk(root, &mut seen).unwrap();
        }
        self.blocks.retain(|cid, _| seen.contains(cid));
    }
}

#[async_trait]
impl Node for FakeNode {
    fn place(&self) -> String {
        "the fake node".into()
    }

    async fn status(&self) -> Result<Status> {
        self.call("status").await?;
        Ok(Status {
            agent: "fake".into(),
            peer_id: "x".into(),
            peers: None,
            repository_size: 0,
            storage_max: None,
            served_at: None,
            providers: None,
        })
    }

    async fn try_rights(&self, _: bool) -> Vec<Tried> {
        Vec::new()
    }

    fn intake(&self) -> Intake<'_> {
        if self.fetches.load(Ordering::Relaxed) { Intake::Fetches } else { Intake::Cars(self) }
    }

    fn blocks(&self) -> Option<&dyn ReadBlocks> {
        (!self.lacks_blocks.load(Ordering::Relaxed)).then_some(self)
    }

    fn pins(&self) -> Option<&dyn Pins> {
        Some(self)
    }

    fn pin_updates(&self) -> Option<&dyn PinUpdates> {
        (!self.lacks_pin_updates.load(Ordering::Relaxed)).then_some(self)
    }

    fn names(&self) -> Option<&dyn Names> {
        (!self.lacks_names.load(Ordering::Relaxed)).then_some(self)
    }
}

#[async_trait]
impl ReadBlocks for FakeNode {
    async fn holds(&self, cid: &Cid) -> Result<bool> {
        self.call("holds").await?;
        let state = self.state();
        Ok(state.blocks.contains_key(cid))
    }

    async fn block(&self, cid: &Cid) -> Result<Option<Bytes>> {
        self.call("block").await?;
        let state = self.state();
        Ok(state.blocks.get(cid).cloned())
    }
}

#[async_trait]
impl ImportCar for FakeNode {
    async fn import(&self, mut car: CarStream) -> Result<Imported> {
        self.call("import").await?;
        let mut bytes = Vec::new();
        while let Some(piece) = car.next().await {
            match piece {
                Ok(piece) => bytes.extend_from_slice(&piece),
                Err(error) => return Err(Error::new(Kind::Network, "the import was cut").caused_by(error)),
            }
        }
        let mut imported = Imported { blocks: 0, bytes: 0 };
        {
            let mut state = self.state();
            for block in car::Reader::new(&bytes[..])? {
                let block = block?;
                imported.blocks += 1;
                imported.bytes += block.bytes.len() as u64;
                state.imported.push(block.cid);
                if !state.lies {
                    state.blocks.insert(block.cid, block.bytes.into());
                }
            }
            state.imports += 1;
        }
        self.call("imported").await?;
        Ok(imported)
    }
}

#[async_trait]
impl Pins for FakeNode {
    async fn pin(&self, cid: &Cid) -> Result<Option<Pin>> {
        self.call("pin").await?;
        let state = self.state();
        Ok(state.pins.get(cid).map(|name| Pin { cid: *cid, name: name.clone() }))
    }

    async fn pins_named(&self, name: &str) -> Result<Vec<Pin>> {
        self.call("pins").await?;
        let state = self.state();
        let named = state.pins.iter().filter(|(_, pin)| pin.as_deref() == Some(name));
        Ok(named.map(|(cid, name)| Pin { cid: *cid, name: name.clone() }).collect())
    }

    async fn pin_add(&self, cid: &Cid, name: &str, progress: &(dyn Fn(PinProgress) + Send + Sync)) -> Result<()> {
        self.call("pin_add").await?;
        {
            let mut state = self.state();
            if !state.lies && !self.fetches.load(Ordering::Relaxed) {
                state.walk(*cid, &mut HashSet::new())?;
            }
            progress(PinProgress::Blocks(state.read));
            state.pins.entry(*cid).or_insert_with(|| Some(name.to_owned()));
        }
        self.call("pinned").await?;
        Ok(())
    }

    /// Each node has a time of its own.
    async fn made(&self, cid: &Cid) -> Result<Option<jiff::Timestamp>> {
        let own = std::ptr::from_ref(self).addr() as i128;
        let is_pinned = self.state().pins.contains_key(cid);
        Ok(is_pinned.then(|| jiff::Timestamp::from_nanosecond(own).unwrap()))
    }

    async fn holders(&self, _: &Cid) -> Result<Vec<Holder>> {
        Ok(self.state().peers.clone())
    }

    async fn unpin(&self, cid: &Cid) -> Result<()> {
        self.call("unpin").await?;
        {
            let mut state = self.state();
            state.pins.remove(cid);
        }
        self.call("unpinned").await?;
        Ok(())
    }
}

#[async_trait]
impl PinUpdates for FakeNode {
    async fn pin_update(&self, from: &Cid, to: &Cid) -> Result<()> {
        self.call("pin_update").await?;
        {
            let (name, walked) = {
                let mut state = self.state();
                let Some(name) = state.pins.get(from).cloned() else {
                    return Err(Error::new(Kind::Node, "'from' cid was not recursively pinned already"));
                };
                let walked = if state.lies { Ok(()) } else { state.difference(*from, *to) };
                (name, walked)
            };
            self.found(walked).await?;
            let mut state = self.state();
            state.pins.entry(*to).or_insert(name);
        }
        self.call("pinned").await?;
        Ok(())
    }
}

#[async_trait]
impl Names for FakeNode {
    async fn keys(&self) -> Result<Vec<Key>> {
        self.call("keys").await?;
        Ok(self.state().keys.clone())
    }

    async fn generate_key(&self, name: &str) -> Result<Key> {
        self.call("generate_key").await?;
        let key = Key { name: name.to_owned(), id: format!("k51{name}") };
        self.state().keys.push(key.clone());
        Ok(key)
    }

    async fn publish_name(&self, key: &str, root: &Cid) -> Result<String> {
        self.call("publish_name").await?;
        let mut state = self.state();
        state.names.insert(format!("k51{key}"), format!("/ipfs/{root}"));
        Ok(format!("k51{key}"))
    }

    async fn resolve_name(&self, name: &str) -> Result<Option<String>> {
        self.call("resolve_name").await?;
        Ok(self.state().names.get(name).cloned())
    }
}
