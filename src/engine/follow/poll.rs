//! Which root a name means now. A record counts by its signature alone, wherever it came from; a domain by what this machine's
//! resolver says of it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use cid::Cid;
use futures::future::join_all;
use jiff::Timestamp;

use super::setting::Followed;
use crate::error::{Error, Kind, Result};
use crate::ipns::{Holding, Name, Record};
use crate::naming::dnslink::Link;
use crate::naming::{TxtSet, world};
use crate::node::source::{NameAnswer, NameRecords};
use crate::text::printable_within;

/// How many domains may stand between a name and a root.
const MAX_HOPS: usize = 8;
/// How long a source is not asked for records after its first failure; each further one doubles it.
const FIRST_PUT_BACK: Duration = Duration::from_secs(15);
/// The longest that a source is not asked for records.
const MAX_PUT_BACK: Duration = Duration::from_mins(10);

/// Somebody who answers for domains.
#[async_trait]
pub trait Domains: fmt::Debug + Send + Sync {
    /// The TXT set of a name.
    async fn txt(&self, name: &str) -> Result<TxtSet>;
}

/// This machine's resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct Resolver;

#[async_trait]
impl Domains for Resolver {
    async fn txt(&self, name: &str) -> Result<TxtSet> {
        world::txt(name).await
    }
}

/// A verified record.
#[derive(Debug, Clone)]
pub(super) struct Signed {
    pub(super) key: Name,
    pub(super) record: Record,
    pub(super) bytes: Bytes,
}

impl Signed {
    /// Reads a record that was signed by this key, and that may have expired.
    pub(super) fn read(key: Name, bytes: Bytes) -> Result<Self> {
        Ok(Self { key, record: Record::verify(&bytes, &key)?, bytes })
    }
}

/// What a look at a name gave.
#[derive(Debug)]
pub(super) struct Polled {
    /// What the name means now, or why that is not known.
    pub(super) root: Result<Cid>,
    /// The newest record that was ever seen, which says it; none where nothing is signed.
    pub(super) signed: Option<Signed>,
    /// What is wrong with some source, a sentence each.
    pub(super) notes: Vec<String>,
}

/// Who is asked for the records of names, and how they did.
#[derive(Debug)]
pub(super) struct Poller {
    domains: Arc<dyn Domains>,
    sources: Vec<Source>,
}

#[derive(Debug)]
struct Source {
    records: Arc<dyn NameRecords>,
    standing: Mutex<Standing>,
}

#[derive(Debug, Default)]
struct Standing {
    failures: u32,
    put_back_until: Option<Instant>,
}

impl Source {
    fn is_put_back(&self) -> bool {
        let standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        standing.put_back_until.is_some_and(|until| until > Instant::now())
    }

    async fn ask(&self, key: &Name) -> Result<NameAnswer> {
        let answer = self.records.record(key).await;
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        if answer.is_ok() {
            *standing = Standing::default();
        } else {
            let pause = FIRST_PUT_BACK.saturating_mul(1 << standing.failures.min(10)).min(MAX_PUT_BACK);
            standing.failures = standing.failures.saturating_add(1);
            standing.put_back_until = Some(Instant::now() + pause);
        }
        answer
    }
}

/// Where a name leads without a record.
enum Led {
    Root(Cid),
    Key(Name),
}

impl Poller {
    pub(super) fn new(domains: Arc<dyn Domains>, records: Vec<Arc<dyn NameRecords>>) -> Self {
        let sources = records.into_iter().map(|records| Source { records, standing: Mutex::default() });
        Self { domains, sources: sources.collect() }
    }

    /// Asks which root the name means. `known` is the newest record that was seen of it before: an older one is not believed.
    pub(super) async fn poll(&self, name: &Followed, known: Option<&Signed>, now: Timestamp) -> Polled {
        let led = match name {
            Followed::Key(key) => Ok(Led::Key(*key)),
            Followed::Domain(domain) => self.lead(domain).await,
        };
        match led {
            Ok(Led::Key(key)) => self.newest(key, known.filter(|known| known.key == key), now).await,
            Ok(Led::Root(root)) => Polled { root: Ok(root), signed: None, notes: Vec::new() },
            Err(error) => Polled { root: Err(error), signed: known.cloned(), notes: Vec::new() },
        }
    }

    /// What was found was not kept: it has to be found again.
    pub(super) fn forget(&self) {
        self.sources.iter().for_each(|source| source.records.forget());
    }

    /// Has those who are asked know what is held here.
    pub(super) fn tell(&self, holding: &Holding) {
        self.sources.iter().for_each(|source| source.records.tell(holding));
    }

    /// What a domain says, by DNSLink.
    async fn lead(&self, domain: &str) -> Result<Led> {
        let mut name = domain.to_owned();
        for _ in 0..MAX_HOPS {
            let record = format!("_dnslink.{name}");
            let set = self.domains.txt(&record).await?;
            let link = Link::only(set.values.iter().map(String::as_str)).map_err(|error| error.context(&record))?;
            let what = match link {
                None => return Err(Error::new(Kind::NotFound, format!("{record} has no `dnslink=` value"))),
                Some(Link::Ipfs { cid, path }) if path.is_empty() => return Ok(Led::Root(cid)),
                Some(Link::Ipns { name: next, path }) if path.is_empty() => match next.parse() {
                    Ok(Followed::Key(key)) => return Ok(Led::Key(key)),
                    Ok(Followed::Domain(next)) => {
                        name = next;
                        continue;
                    }
                    Err(_) => next,
                },
                Some(other) => other.to_string(),
            };
            let words = format!("{record} says `{}`, which is not a root", printable_within(&what, 200));
            return Err(Error::new(Kind::Verification, words));
        }
        let words = format!("{} leads through more than {MAX_HOPS} names", printable_within(domain, 260));
        Err(Error::new(Kind::Verification, words))
    }

    /// The newest record of a key that anybody has, the one that is known included.
    async fn newest(&self, key: Name, known: Option<&Signed>, now: Timestamp) -> Polled {
        let mut asked: Vec<&Source> = self.sources.iter().filter(|source| !source.is_put_back()).collect();
        if asked.is_empty() {
            asked = self.sources.iter().collect();
        }
        let answers = join_all(asked.iter().map(|source| source.ask(&key))).await;
        let (mut newest, mut notes, mut failure) = (known.cloned(), Vec::new(), None);
        let mut answered = false;
        for (source, answer) in asked.iter().zip(answers) {
            let place = source.records.place();
            let bytes = match answer {
                Ok(answer) => {
                    answered = true;
                    let NameAnswer::Record(bytes) = answer else { continue };
                    bytes
                }
                Err(error) => {
                    notes.push(format!("{error}."));
                    failure = Some(error);
                    continue;
                }
            };
            match believable(key, bytes, known, now) {
                Ok(found) => {
                    if newest.as_ref().is_none_or(|newest| found.record.is_newer_than(&newest.record)) {
                        newest = Some(found);
                    }
                }
                Err(error) => {
                    // It may be believed later: the clock here may be wrong.
                    source.records.forget();
                    notes.push(format!("{place} gave out what is not believed: {error}."));
                    failure = Some(error.context(place));
                }
            }
        }
        let root = match &newest {
            // What is known may be old by now.
            Some(_) if !answered => Err(failure
                .unwrap_or_else(|| Error::new(Kind::Network, "there is no source to ask"))
                .adding("what is here stays")),
            Some(newest) => root_of(newest, now),
            None => Err(failure.unwrap_or_else(|| {
                Error::new(Kind::NotFound, format!("no source has a record of {key}"))
                    .hint("Check that the name is right, and that it was published from there.")
            })),
        };
        Polled { root, signed: newest, notes }
    }
}

/// A record that may replace the one that is known.
fn believable(key: Name, bytes: Bytes, known: Option<&Signed>, now: Timestamp) -> Result<Signed> {
    let found = Signed { record: Record::verify_at(&bytes, &key, now)?, key, bytes };
    found.record.root()?;
    match known {
        Some(known) if found.record.sequence < known.record.sequence => Err(Error::new(
            Kind::Verification,
            format!(
                "its record has the sequence {}, which is older than {}",
                found.record.sequence, known.record.sequence
            ),
        )),
        _ => Ok(found),
    }
}

fn root_of(signed: &Signed, now: Timestamp) -> Result<Cid> {
    if signed.record.is_expired(now) {
        let words = format!("the newest record of {} expired at {:.0}", signed.key, signed.record.validity);
        return Err(Error::new(Kind::Verification, words)
            .hint("The publisher has to sign it again: its `serve --ipfs` does so as long as it runs.")
            .hint("If this machine's clock is wrong, set it."));
    }
    signed.record.root()
}
