//! A follower: looks at the name, takes what it says, and keeps how that went.

use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cid::Cid;
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::peers::Peers;
use super::poll::{Domains, Polled, Poller, Signed};
use super::setting::{Followed, Mode, Setting};
use super::swap::{PIN_NAME, hold};
use super::take::{Taken, Wanted};
use crate::catalog::follow::{self, Row};
use crate::catalog::{Writer, left_blobs, own_node, repositories, restoring};
use crate::engine::blocking::in_place;
use crate::engine::job::{Event, Job};
use crate::engine::own_node::OWN_KEY;
use crate::engine::query::view::Verified;
use crate::engine::spreading::UnderWay;
use crate::engine::{Engine, SwarmMember, now};
use crate::error::{Error, Kind, Result};
use crate::ipns::{Holding, Name};
use crate::node::source::{BlockSource, NameRecords, PeersFirst};
use crate::text::printable_within;

/// How often a root is tried again that was not what its records say.
const REFUSED_RETRY: Duration = Duration::from_mins(10);

/// How long the sources may take to name other followers before the root is taken from them alone.
const NAMING_TIMEOUT: Duration = Duration::from_secs(1);

/// Whom a catalog follows, and how far it is.
#[derive(Debug, Clone)]
pub struct Following {
    /// Whom, and how.
    pub setting: Setting,
    /// The key that signs the name; none where nothing is signed.
    pub key: Option<Name>,
    /// Sequence number of the newest record that was seen.
    pub sequence: Option<u64>,
    /// When that record expires.
    pub expires: Option<Timestamp>,
    /// The root that the newest record names.
    pub newest: Option<Cid>,
    /// The root that is held.
    pub root: Option<Cid>,
    /// When it came, in seconds since 1970.
    pub taken_at: Option<i64>,
    /// When the name was looked at last, in seconds since 1970.
    pub checked_at: Option<i64>,
    /// Why the last look changed nothing although it should have.
    pub failure: Option<String>,
}

/// What one look at the name gave.
#[derive(Debug, Default)]
pub struct Look {
    /// The root that is held now.
    pub root: Option<Cid>,
    /// What came, if another root did.
    pub taken: Option<Taken>,
    /// What is wrong with some source, a sentence each.
    pub notes: Vec<String>,
}

/// Follows one name.
#[derive(Debug)]
pub struct Follower {
    engine: Arc<Engine>,
    setting: Setting,
    poller: Poller,
    blocks: Arc<dyn BlockSource>,
    /// Other followers, which `blocks` asks first; none where nobody names them.
    peers: Option<Peers>,
    /// A root that was not what its records say, and when that was seen: it is not read again with each look.
    refused: Mutex<Option<(Cid, std::time::Instant)>>,
}

impl Engine {
    /// Whom this catalog follows; nothing if it is a catalog of its own.
    pub fn following(&self) -> Result<Option<Following>> {
        let row = follow::load(&*self.catalog.read()?)?;
        row.map(|row| {
            let signed = signed_of(&row)?;
            let record = signed.as_ref().map(|signed| &signed.record);
            Ok(Following {
                setting: Setting::of_row(&row)?,
                key: signed.as_ref().map(|signed| signed.key),
                sequence: record.map(|record| record.sequence),
                expires: record.map(|record| record.validity),
                newest: record.and_then(|record| record.root().ok()),
                root: row.root,
                taken_at: row.taken_at,
                checked_at: row.checked_at,
                failure: row.failure,
            })
        })
        .transpose()
    }

    /// Makes the catalog follow this from now on. It has to be empty, or to follow the same name already: then only how it is
    /// followed changes.
    pub async fn follow(&self, setting: &Setting, job: &Job) -> Result<()> {
        setting.check()?;
        let _lock = self.lock_unfinished(&format!("follow {}", setting.name), job).await?;
        in_place(|| {
            self.catalog.write(|writer| {
                let name = setting.name.to_string();
                match follow::load(writer)? {
                    Some(known) if known.name == name => {
                        let before = Setting::of_row(&known)?;
                        left_blobs::move_all(writer, &before.place(), &setting.place())?;
                    }
                    Some(known) => {
                        let words =
                            format!("this catalog follows {} already", printable_within(&known.name, 120));
                        return Err(Error::new(Kind::Usage, words)
                            .hint("Follow the other one in another data directory with `--data-dir`."));
                    }
                    None if restoring::load(writer)?.is_some() || !repositories::list(writer, None, Some(1))?.is_empty() => {
                        return Err(Error::new(Kind::Usage, "the catalog is not empty, but a follower needs an empty one")
                            .hint("Follow in another data directory with `--data-dir`; `roadstead import` merges a published registry into this one."));
                    }
                    None => {}
                }
                let seconds = setting.every.as_secs();
                follow::set(writer, &name, &setting.sources.join(" "), setting.mode.word(), seconds)
            })
        })
    }

    /// Makes the catalog one of its own, with what it holds now. Whom it followed.
    pub async fn stop_following(&self, job: &Job) -> Result<Option<Following>> {
        let Some(following) = in_place(|| self.following())? else { return Ok(None) };
        let _lock = self.lock_unfinished("follow stop", job).await?;
        in_place(|| {
            self.catalog.write(|writer| {
                for (root, name) in own_node::pins(writer)? {
                    if name == PIN_NAME {
                        own_node::unpin(writer, &root)?;
                    }
                }
                if let Some(key) = &following.key {
                    self.forget_followed(writer, key)?;
                }
                follow::clear(writer)
            })
        })?;
        Ok(Some(following))
    }

    /// Gives out no record of a key that was followed; what this program signs itself, it gives out further on.
    fn forget_followed(&self, writer: &Writer<'_>, key: &Name) -> Result<()> {
        if self.own_keys()?.iter().any(|own| own.key.name() == *key) {
            return Ok(());
        }
        own_node::forget_record(writer, &key.multihash().to_bytes())
    }

    /// Reads everything that is held, and compares what the catalog makes of it with the root that was followed.
    pub async fn check_following(self: &Arc<Self>, job: &Job) -> Result<(Following, Verified)> {
        let following = in_place(|| self.following())?.ok_or_else(follows_nothing)?;
        let mut verified = self.verify(false, job).await?;
        verified.root_matches &= following.root.is_none() || following.root == in_place(|| self.root())?;
        Ok((following, verified))
    }
}

/// The error of a question that only followers can answer.
fn follows_nothing() -> Error {
    Error::new(Kind::NotFound, "this catalog follows nothing")
        .hint("`roadstead follow NAME --from URL` makes an empty data directory a copy of a published registry.")
}

fn signed_of(row: &Row) -> Result<Option<Signed>> {
    row.record
        .as_ref()
        .map(|(key, record)| {
            let key = Name::from_routing_key(&[b"/ipns/", key.as_slice()].concat())?;
            Signed::read(key, record.clone().into())
        })
        .transpose()
}

impl Follower {
    /// Follows as the catalog says.
    pub fn open(engine: Arc<Engine>, domains: Arc<dyn Domains>) -> Result<Self> {
        let setting = in_place(|| engine.following())?.ok_or_else(follows_nothing)?.setting;
        let (blocks, records) = (setting.blocks(&engine.swarm)?, setting.records(&engine.swarm)?);
        let first = Arc::new(PeersFirst::new(blocks)?);
        let peers = Peers::new(setting.routers()?, Arc::clone(&first));
        Ok(Self { peers: Some(peers), ..Self::with(engine, setting, domains, first, records) })
    }

    pub(super) fn with(
        engine: Arc<Engine>,
        setting: Setting,
        domains: Arc<dyn Domains>,
        blocks: Arc<dyn BlockSource>,
        records: Vec<Arc<dyn NameRecords>>,
    ) -> Self {
        let poller = Poller::new(domains, records);
        Self { engine, setting, poller, blocks, peers: None, refused: Mutex::default() }
    }

    /// Which root a name means, before there is a catalog for it: what a catalog has to be made for.
    pub async fn first_root(setting: &Setting, domains: Arc<dyn Domains>, swarm: &Arc<SwarmMember>) -> Result<Cid> {
        setting.check()?;
        Poller::new(domains, setting.records(swarm)?).poll(&setting.name, None, Timestamp::now()).await.root
    }

    /// Whom it follows, and how.
    pub fn setting(&self) -> &Setting {
        &self.setting
    }

    /// Whether the catalog follows another name by now, or none.
    pub fn is_over(&self) -> Result<bool> {
        let now = in_place(|| self.engine.following())?;
        Ok(now.is_none_or(|now| now.setting.name != self.setting.name))
    }

    /// Looks at the name once, and takes the root that it means if that is another one.
    pub async fn look(&self, job: &Job) -> Result<Look> {
        let mut look = Look::default();
        let outcome = self.look_at(&mut look, Timestamp::now(), job).await;
        self.keep(outcome, look).await
    }

    /// Writes down how a look went.
    pub(super) async fn keep(&self, outcome: Result<()>, look: Look) -> Result<Look> {
        let interrupted = outcome.as_ref().is_err_and(|error| error.kind() == Kind::Interrupted);
        if !interrupted {
            let words = outcome.as_ref().err().map(ToString::to_string);
            let noted = self.engine.blocking(move |engine| {
                engine.catalog.write(|writer| follow::set_checked(writer, now(), words.as_deref()))
            });
            noted.await?;
        }
        outcome.map(|()| look)
    }

    pub(super) async fn look_at(&self, look: &mut Look, time: Timestamp, job: &Job) -> Result<()> {
        let row = in_place(|| follow::load(&*self.engine.catalog.read()?))?.ok_or_else(follows_nothing)?;
        let known = signed_of(&row)?;
        look.root = row.root;
        self.engine.swarm.seek(row.root);
        if let Some(holding) = self.holding(row.root, None).await? {
            self.poller.tell(&holding);
        }
        let polled = job.or_cancelled(async { Ok(self.poller.poll(&self.setting.name, known.as_ref(), time).await) });
        let Polled { root, signed, notes } = polled.await?;
        look.notes = notes;
        let kept = self.keep_record(known.as_ref(), signed.as_ref(), row.root).await;
        kept.inspect_err(|_| self.poller.forget())?;
        let root = root?;
        if row.root != Some(root) {
            self.check_refused(&root)?;
            job.tell(Event::Note(format!("{} means {root} now.", self.setting.name)));
            self.engine.swarm.seek(Some(root));
            let taken = self.take(root, row.root, signed.as_ref(), job).await;
            if let Err(error) = &taken
                && error.kind() == Kind::Verification
            {
                *self.refused() = Some((root, std::time::Instant::now()));
            }
            look.taken = Some(taken?);
            look.root = Some(root);
        }
        self.engine.bring_left(self.setting.mode, job).await
    }

    /// Takes a root, from other followers as far as they have it, and gives out meanwhile what is here of it.
    async fn take(&self, root: Cid, held: Option<Cid>, signed: Option<&Signed>, job: &Job) -> Result<Taken> {
        let spreading = self.engine.spreading();
        let holding = self.holding(held, Some(root)).await?;
        // Only what the name signs: else nobody has said yet that it is public.
        let is_signed = signed.is_some_and(|signed| signed.record.root().is_ok_and(|signed| signed == root));
        let is_given_out = is_signed && holding.is_some_and(|holding| holding.gateway.is_some());
        let under_way = is_given_out.then(|| UnderWay::new(root, self.engine.store.clone()));
        if let Some(under_way) = &under_way {
            spreading.begin(Arc::clone(under_way));
        }
        let place = self.setting.place();
        let wanted = Wanted { root, signed, mode: self.setting.mode, place: &place, under_way };
        let asked = Notify::new();
        let naming = async {
            match &self.peers {
                Some(peers) => peers.keep(&root, holding.filter(|_| is_given_out).as_ref(), &asked).await,
                None => {
                    asked.notify_one();
                    pending().await
                }
            }
        };
        let taking = async {
            // Who is not named by then is asked as soon as it is.
            drop(timeout(NAMING_TIMEOUT, asked.notified()).await);
            self.engine.take(&wanted, Arc::clone(&self.blocks), job).await
        };
        let taken = tokio::select! {
            taken = taking => taken,
            never = naming => match never {},
        };
        match (&taken, &self.peers) {
            (Err(_), _) => spreading.end(&root),
            (Ok(_), Some(peers)) if is_given_out => {
                if let Some(holding) = self.holding(Some(root), None).await? {
                    drop(timeout(NAMING_TIMEOUT, peers.tell(&root, &holding)).await);
                }
            }
            _ => {}
        }
        taken
    }

    /// What is held here and taken, for those who are asked; one without a key of its own says nothing.
    async fn holding(&self, root: Option<Cid>, taking: Option<Cid>) -> Result<Option<Holding>> {
        if root.is_none() && taking.is_none() {
            return Ok(None);
        }
        // Whom nobody else reaches, nobody else need know.
        let only_here = self.setting.is_only_here()?;
        let served = self.engine.spreading().served().filter(|served| !served.only_here || only_here);
        let gateway = served.map(|served| served.gateway);
        let reading = self.engine.blocking(move |engine| {
            let Some(key) = engine.own_key(OWN_KEY)? else { return Ok(None) };
            let left = left_blobs::count(&*engine.catalog.read()?)?;
            Ok(Some(Holding { peer: key.name(), root, left, taking, gateway }))
        });
        reading.await
    }

    fn refused(&self) -> std::sync::MutexGuard<'_, Option<(Cid, std::time::Instant)>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_refused(&self, root: &Cid) -> Result<()> {
        match *self.refused() {
            Some((refused, at)) if refused == *root && at.elapsed() < REFUSED_RETRY => Err(Error::new(
                Kind::Verification,
                format!("{root} was refused before, since it is not what its records say; the former root stays"),
            )),
            _ => Ok(()),
        }
    }

    /// Keeps the newest record: so that an older one is refused, and, if it names the root that is held, to give it out.
    async fn keep_record(&self, known: Option<&Signed>, signed: Option<&Signed>, held: Option<Cid>) -> Result<()> {
        if known.map(|known| &known.bytes) == signed.map(|signed| &signed.bytes) {
            return Ok(());
        }
        let signed = signed.cloned();
        let former = known.map(|known| known.key).filter(|former| signed.as_ref().is_none_or(|now| now.key != *former));
        let keeping = self.engine.blocking(move |engine| {
            engine.catalog.write(|writer| {
                let record = signed.as_ref().map(|signed| (signed.key.multihash().to_bytes(), &signed.bytes));
                if let Some(former) = former {
                    engine.forget_followed(writer, &former)?;
                }
                follow::set_record(writer, record.as_ref().map(|(key, bytes)| (key.as_slice(), bytes.as_ref())))?;
                match (&signed, held) {
                    (Some(signed), Some(held)) if signed.record.root().is_ok_and(|root| root == held) => {
                        hold(writer, &held, Some(signed))
                    }
                    _ => Ok(()),
                }
            })
        });
        keeping.await
    }
}

impl Mode {
    /// What is fetched, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Lazy => "each blob when it is first pulled",
            Self::Tags => "blobs of tags at once, others when they are first pulled",
            Self::All => "all blobs at once",
        }
    }
}

impl Following {
    /// Whether a key signs what the name means.
    pub fn is_signed(&self) -> bool {
        self.key.is_some() || matches!(self.setting.name, Followed::Key(_))
    }

    /// Whether what is held is what the newest record names.
    pub fn is_current(&self) -> bool {
        self.root.is_some() && self.failure.is_none() && (self.newest.is_none() || self.newest == self.root)
    }
}
