//! The node over `roadstead-swarm`: text and values of this program to those of libp2p, and back.

use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use cid::Cid;
use jiff::Timestamp;
use roadstead_swarm as swarm;
use roadstead_swarm::{Missing, Multiaddr};

use super::given::GivenBlocks;
use super::options::{Bootstrap, FetchOptions, Options, ProvideKey};
use super::source::no_address;
use super::status::{AddressSource, Event, ExternalAddress, PeerReport, Providing, Reachability, Status};
use crate::error::{Error, Kind, Result};
use crate::ipns::{Name, Record};

/// Whether this program has a node for the swarm.
pub const fn is_built_in() -> bool {
    true
}

/// A multiaddr in its canonical form. Fails with [`Kind::Usage`].
pub fn address(text: &str) -> Result<String> {
    parsed(text).map(|address| address.to_string())
}

fn parsed(text: &str) -> Result<Multiaddr> {
    text.parse().map_err(|_| no_address(text))
}

fn all_parsed(texts: &[String]) -> Result<Vec<Multiaddr>> {
    texts.iter().map(|text| parsed(text)).collect()
}

fn failed(error: &swarm::Error) -> Error {
    let kind = match error {
        swarm::Error::Missing(_) | swarm::Error::NoDht | swarm::Error::NotStored => Kind::Network,
        swarm::Error::HashFunction(_) => Kind::Verification,
        _ => Kind::Unexpected,
    };
    Error::new(kind, error.to_string())
}

/// A node that runs until it is shut down, or every copy of this is dropped.
#[derive(Debug, Clone)]
pub struct Node {
    swarm: Arc<swarm::Swarm>,
}

struct Given(Arc<dyn GivenBlocks>);

impl swarm::Blocks for Given {
    fn size(&self, cid: &Cid) -> io::Result<Option<usize>> {
        let size = self.0.size(cid).map_err(io::Error::other)?;
        Ok(size.and_then(|size| usize::try_from(size).ok()))
    }

    fn read(&self, cid: &Cid, out: &mut Vec<u8>) -> io::Result<bool> {
        self.0.read(cid, out).map_err(io::Error::other)
    }
}

/// Whether a record that somebody has for a name is signed by its key, valid, and newer than the best one so far.
fn is_better(name: &[u8], record: &[u8], best: Option<&[u8]>) -> bool {
    let Ok(name) = Name::from_routing_key(&[b"/ipns/", name].concat()) else { return false };
    let Ok(record) = Record::verify_at(record, &name, Timestamp::now()) else { return false };
    let best = best.and_then(|best| Record::verify(best, &name).ok());
    best.is_none_or(|best| record.is_newer_than(&best))
}

impl Node {
    /// Starts a node that gives these blocks out, and what happens to it from then on. Has to be called inside of a runtime.
    ///
    /// Kinds of errors: `Usage` for an address that is no multiaddr or without the cargo feature `swarm`, `Unexpected` where none can
    /// be listened on.
    pub fn start(options: &Options, blocks: Arc<dyn GivenBlocks>) -> Result<(Self, Events)> {
        let mut how = swarm::Options::new(options.key.seed()?);
        how.listen = all_parsed(&options.listen)?;
        how.external = all_parsed(&options.announced)?;
        match &options.bootstrap {
            Bootstrap::Public => how.bootstrap.extend(swarm::PUBLIC_BOOTSTRAP.iter().flat_map(|text| text.parse())),
            Bootstrap::Peers(peers) => how.bootstrap = all_parsed(peers)?,
        }
        how.nat = options.traversal;
        how.local_discovery = options.local_discovery && options.bootstrap == Bootstrap::Public;
        how.limits.upload_bytes_per_second = options.upload_bytes_per_second;
        how.limits.connections = options.max_connections;
        how.record_rule = Some(Arc::new(is_better));
        let (swarm, events) = swarm::Swarm::start(how, Arc::new(Given(blocks))).map_err(|error| failed(&error))?;
        Ok((Self { swarm: Arc::new(swarm) }, Events(events)))
    }

    /// Closes all connections and ends.
    pub async fn shutdown(&self) {
        self.swarm.shutdown().await;
    }

    /// Provides exactly these keys from now on, in this order, and again every 22 hours.
    pub fn provide(&self, keys: Vec<ProvideKey>) -> Result<()> {
        let keys = keys.into_iter().map(|key| swarm::ProvideKey { cid: key.cid, provided: key.provided });
        self.swarm.provide(keys.collect()).map_err(|error| failed(&error))
    }

    /// Stores the record of a name in the DHT, which forgets it after 48 hours. Fails with `Network` when no member took it.
    pub async fn put_record(&self, name: &Name, record: &[u8]) -> Result<()> {
        self.swarm.put_record(*name.multihash(), record.to_vec()).await.map_err(|error| failed(&error))
    }

    /// The newest valid record of a name in the DHT. Fails with `Network` while no member is known.
    pub async fn record(&self, name: &Name) -> Result<Option<Bytes>> {
        Ok(self.swarm.get_record(*name.multihash()).await.map_err(|error| failed(&error))?.map(Bytes::from))
    }

    /// How many others provide a block, as the DHT knows: at most `limit`. Fails with `Network` while no member is known.
    pub async fn other_providers(&self, cid: &Cid, limit: usize) -> Result<usize> {
        let own = self.swarm.peer_id();
        let found = self.swarm.providers(*cid.hash(), limit + 1).await.map_err(|error| failed(&error))?;
        Ok(found.iter().filter(|peer| **peer != own).count().min(limit))
    }

    /// How the node is.
    pub async fn status(&self) -> Result<Status> {
        self.swarm.status().await.map(|status| plain(&status)).map_err(|error| failed(&error))
    }

    /// Asks peers for blocks.
    pub fn fetch(&self, options: &FetchOptions) -> Result<Fetch> {
        let session = self.swarm.fetch(swarm::FetchOptions {
            peers: all_parsed(&options.peers)?,
            providers_of: options.providers_of,
            timeout: options.timeout,
            ..swarm::FetchOptions::default()
        });
        Ok(Fetch(session.map_err(|error| failed(&error))?))
    }
}

/// What happens to a node.
pub struct Events(swarm::Events);

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

impl Events {
    /// The next one; nothing when the node has ended. May be dropped and asked again.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            return Some(match self.0.recv().await? {
                swarm::Event::ListenFailed { address, reason } => {
                    Event::ListenFailed { address: address.map(|address| address.to_string()), reason }
                }
                swarm::Event::Provided { key, at } => Event::Provided { key, at },
                swarm::Event::ProvideFailed { .. } => continue,
                swarm::Event::Missed(_) => Event::Missed,
                _ => Event::Reach,
            });
        }
    }
}

/// Peers that are asked for blocks, until it is dropped.
#[derive(Debug)]
pub struct Fetch(swarm::Session);

impl Fetch {
    /// A block, verified against its CID; nothing if every peer that could be asked says that it lacks it. Fails with `Network` when
    /// nobody is there or delivers it in time.
    pub async fn block(&self, cid: &Cid) -> Result<Option<Bytes>> {
        match self.0.get(cid).await {
            Ok(block) => Ok(Some(block)),
            Err(swarm::Error::Missing(Missing::NotFound)) => Ok(None),
            Err(error) => Err(failed(&error)),
        }
    }

    /// The peers, and what each delivered.
    pub async fn peers(&self) -> Result<Vec<PeerReport>> {
        let report = |report: swarm::PeerReport| PeerReport {
            peer: report.peer.to_string(),
            connected: report.connected,
            put_back: report.put_back,
            bytes: report.bytes,
        };
        Ok(self.0.peers().await.map_err(|error| failed(&error))?.into_iter().map(report).collect())
    }
}

fn plain(status: &swarm::Status) -> Status {
    let providing = |providing: swarm::Providing| Providing {
        total: providing.total as u64,
        provided: providing.provided as u64,
        failed: providing.failed as u64,
    };
    let external = |external: &swarm::ExternalAddress| ExternalAddress {
        address: external.address.to_string(),
        source: match external.source {
            swarm::AddressSource::Configured => AddressSource::Announced,
            swarm::AddressSource::Upnp => AddressSource::Forwarded,
            swarm::AddressSource::Autonat => AddressSource::Tried,
            swarm::AddressSource::Relay => AddressSource::Relay,
        },
    };
    Status {
        listening: status.listening.iter().map(ToString::to_string).collect(),
        external: status.external.iter().map(external).collect(),
        reachability: match status.reachability {
            swarm::Reachability::Unknown => Reachability::Unknown,
            swarm::Reachability::Public => Reachability::Public,
            swarm::Reachability::Private => Reachability::Private,
        },
        relays: status.relays.len() as u64,
        peers: status.peers as u64,
        dht_peers: status.dht_peers.0 as u64,
        lan_dht_peers: status.dht_peers.1 as u64,
        providing: providing(status.providing),
        lan_providing: providing(status.providing_lan),
        served: status.served.iter().map(|(peer, bytes)| (peer.to_string(), *bytes)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ipns::PrivateKey;
    use crate::node::source::{BlockSource as _, NameAnswer, NameRecords as _};
    use crate::swarm::{NothingGiven, SwarmBlocks, SwarmRecords};
    use crate::unixfs::RAW;

    const TTL: Duration = Duration::from_mins(1);

    fn record(key: &PrivateKey, sequence: u64, hours: i64) -> Vec<u8> {
        let root = Cid::new_v1(RAW, *key.name().multihash());
        let validity = Timestamp::now() + jiff::SignedDuration::from_hours(hours);
        Record { value: format!("/ipfs/{root}"), ..Record::of_root(&root, sequence, validity, TTL) }.sign(key).unwrap()
    }

    #[test]
    fn only_signed_valid_and_newer_records_are_kept() {
        let (key, other) = (PrivateKey::generate().unwrap(), PrivateKey::generate().unwrap());
        let name = key.name().multihash().to_bytes();
        let (one, two) = (record(&key, 1, 2), record(&key, 2, 2));
        assert!(is_better(&name, &one, None));
        assert!(is_better(&name, &two, Some(&one)));
        assert!(!is_better(&name, &one, Some(&two)) && !is_better(&name, &one, Some(&one)));
        assert!(is_better(&name, &one, Some(b"nothing")));
        assert!(!is_better(&name, &record(&key, 3, -1), Some(&one)), "it has expired");
        assert!(!is_better(&name, &record(&other, 3, 2), Some(&one)), "somebody else signed it");
        assert!(!is_better(b"nothing", &one, None) && !is_better(&name, b"nothing", None));
    }

    struct One(Cid, &'static [u8]);

    impl GivenBlocks for One {
        fn size(&self, cid: &Cid) -> Result<Option<u64>> {
            Ok((*cid == self.0).then_some(self.1.len() as u64))
        }

        fn read(&self, cid: &Cid, out: &mut Vec<u8>) -> Result<bool> {
            out.extend_from_slice(if *cid == self.0 { self.1 } else { &[] });
            Ok(*cid == self.0)
        }
    }

    fn closed(bootstrap: Vec<String>) -> Options {
        Options { bootstrap: Bootstrap::Peers(bootstrap), ..Options::new(PrivateKey::generate().unwrap()) }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn one_node_takes_blocks_and_records_from_another() {
        let block: &[u8] = b"a block";
        let cid = crate::unixfs::file::of_bytes(crate::unixfs::Profile::V1_2025, block).0.cid;
        let options = Options { listen: vec!["/ip4/127.0.0.1/tcp/0".into()], ..closed(Vec::new()) };
        let (server, mut events) = Node::start(&options, Arc::new(One(cid, block))).unwrap();
        assert_eq!(events.next().await, Some(Event::Reach));
        let listening = server.status().await.unwrap().listening;
        let at = format!("{}/p2p/{}", listening[0], options.key.name().peer_id());
        let options_of_client = Options { listen: vec!["/ip4/127.0.0.1/tcp/0".into()], ..closed(vec![at.clone()]) };
        let (client, _events) = Node::start(&options_of_client, Arc::new(NothingGiven)).unwrap();
        let blocks = SwarmBlocks::new(client.clone(), &FetchOptions { peers: vec![at], ..FetchOptions::default() });
        let blocks = blocks.unwrap();
        assert_eq!(blocks.block(&cid).await.unwrap().as_deref(), Some(block));
        let missing = crate::unixfs::file::of_bytes(crate::unixfs::Profile::V1_2025, b"another block").0.cid;
        assert_eq!(blocks.block(&missing).await.unwrap(), None);
        assert_eq!(blocks.peers().await.unwrap()[0].bytes, block.len() as u64);

        // The client is a member of the local DHT that the server knows by now, or will.
        let signed = record(&options.key, 1, 2);
        let name = options.key.name();
        let putting = async {
            while server.put_record(&name, &signed).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), putting).await.expect("the client becomes a member");
        let records = SwarmRecords::new(client);
        assert_eq!(records.record(&name).await.unwrap(), NameAnswer::Record(signed.into()));
        assert_eq!(records.record(&name).await.unwrap(), NameAnswer::Unchanged);
        server.shutdown().await;
    }
}
