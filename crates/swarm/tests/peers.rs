//! Nodes among themselves, and peers that stall, flood, lie and leave.

mod nodes;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::AsyncWriteExt as _;
use libp2p::PeerId;
use roadstead_swarm::{Cid, Dht, Error, FetchOptions, Limits, Missing, Multiaddr, ProvideKey, Session};

use nodes::raw::{Happened, Raw, fields, read_message};
use nodes::{DEADLINE, Memory, Node, RAW, cid_of, field, memory, noise, options, varint};

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, what).await.expect("in time")
}

fn from(peers: &[Multiaddr]) -> FetchOptions {
    FetchOptions { peers: peers.to_vec(), timeout: Duration::from_mins(1), ..FetchOptions::default() }
}

/// All of these, several at once.
async fn get_all(session: &Session, cids: &[Cid]) -> Vec<Result<usize, Error>> {
    let gets = cids.iter().map(|cid| async { session.get(cid).await.map(|data| data.len()) });
    futures::future::join_all(gets).await
}

fn entry(cid: &Cid, have: bool) -> Vec<u8> {
    let mut entry = Vec::new();
    field(1, &cid.to_bytes(), &mut entry);
    entry.extend([0x10, 1, 0x28, 1]);
    if have {
        entry.extend([0x20, 1]);
    }
    entry
}

fn wantlist<'a>(cids: impl IntoIterator<Item = &'a Cid>) -> Vec<u8> {
    let mut list = Vec::new();
    cids.into_iter().for_each(|cid| field(1, &entry(cid, false), &mut list));
    framed(&list)
}

fn framed(list: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    field(1, list, &mut body);
    let mut message = Vec::new();
    varint(body.len() as u64, &mut message);
    message.extend(body);
    message
}

/// Blocks and refusals of the next message.
async fn next_answer(raw: &mut Raw, stream: &mut Option<libp2p::Stream>) -> (usize, usize) {
    in_time(async {
        loop {
            if stream.is_none() {
                *stream = raw.incoming.recv().await;
            }
            match read_message(stream.as_mut().expect("a stream")).await {
                Some(body) => {
                    let fields = fields(&body);
                    let count = |number| fields.iter().filter(|field| field.0 == number).count();
                    return (count(3), count(4));
                }
                None => *stream = None,
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_come_from_another_node_over_tcp_and_quic() {
    let (server, client) = (Node::start(options()), Node::start(options()));
    let (root, file, leaves) = server.blocks.file("blob", &noise(5 << 20, 1), 1 << 18);
    for transport in ["tcp", "quic-v1"] {
        let session = client.swarm.fetch(from(&[server.address(transport).await])).expect("it runs");
        let all: Vec<Cid> = [root, file].into_iter().chain(leaves.clone()).collect();
        for (cid, length) in all.iter().zip(get_all(&session, &all).await) {
            let length = length.unwrap_or_else(|error| panic!("{cid} over {transport}: {error}"));
            assert!(length > 0);
        }
        let report = session.peers().await.expect("it runs");
        assert_eq!(report.len(), 1);
        assert!(report[0].connected && !report[0].put_back && report[0].bytes > 5 << 20);
        let missing = session.get(&cid_of(RAW, b"nobody has this")).await;
        assert!(matches!(missing, Err(Error::Missing(Missing::NotFound))), "{missing:?}");
    }
    let served = server.status().await.served;
    assert_eq!(served.len(), 1);
    assert!(served[0].0 == client.peer_id() && served[0].1 > 10 << 20, "{served:?}");
    client.swarm.shutdown().await;
    assert!(matches!(client.swarm.status().await, Err(Error::Stopped)));
    // What it was given stays known, and it is gone at once.
    server
        .wait("notices that it is gone", |status| (status.peers == 0 && status.served.len() == 1).then_some(()))
        .await;
}

/// A third of the leaves each, some twice: whoever lacks one says so, and the others are asked.
#[tokio::test(flavor = "multi_thread")]
async fn several_peers_are_asked_for_what_each_has() {
    let servers = [Node::start(options()), Node::start(options()), Node::start(options())];
    let client = Node::start(options());
    let leaves: Vec<Cid> =
        (0..90_usize).map(|number| servers[number % 3].blocks.put(RAW, noise(100_000, number as u64))).collect();
    let mut peers = Vec::new();
    for server in &servers {
        peers.push(server.address("tcp").await);
    }
    let session = client.swarm.fetch(from(&peers)).expect("it runs");
    let lengths = get_all(&session, &leaves).await;
    assert!(lengths.iter().all(|length| matches!(length, Ok(100_000))), "{lengths:?}");
    let report = session.peers().await.expect("it runs");
    assert!(report.iter().all(|peer| peer.bytes >= 30 * 100_000), "{report:?}");
}

/// A peer whose bytes are wrong, one that answers nothing, and a good one: everything comes, from the good one.
#[tokio::test(flavor = "multi_thread")]
async fn peers_that_lie_or_stall_cost_time_only() {
    let (liar, good, client) = (Node::start(options()), Node::start(options()), Node::start(options()));
    let stalled = Raw::start().await;
    let leaves: Vec<Cid> = (0..40)
        .map(|number| {
            let cid = liar.blocks.put(RAW, noise(50_000, number));
            liar.blocks.damage(&cid);
            good.blocks.put(RAW, noise(50_000, number))
        })
        .collect();
    let peers = [liar.address("tcp").await, stalled.address.clone(), good.address("tcp").await];
    let session = client.swarm.fetch(from(&peers)).expect("it runs");
    let lengths = get_all(&session, &leaves).await;
    assert!(lengths.iter().all(|length| matches!(length, Ok(50_000))), "{lengths:?}");
    let report = session.peers().await.expect("it runs");
    let of = |peer: PeerId| report.iter().find(|report| report.peer == peer).expect("a member");
    assert_eq!((of(liar.peer_id()).bytes, of(stalled.peer_id).bytes), (0, 0));
    assert_eq!(of(good.peer_id()).bytes, 40 * 50_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_that_is_dropped_is_not_asked_for_any_more() {
    let client = Node::start(options());
    let mut raw = Raw::start().await;
    let session = client.swarm.fetch(from(std::slice::from_ref(&raw.address))).expect("it runs");
    let cid = cid_of(RAW, b"x");
    let get = session.get(&cid);
    let mut stream = tokio::select! {
        _ = get => panic!("nobody answered"),
        stream = raw.incoming.recv() => stream.expect("a stream"),
    };
    let asked = |body: Vec<u8>| fields(&fields(&body)[0].1)[0].1.clone();
    let want = asked(in_time(read_message(&mut stream)).await.expect("a wantlist"));
    let cancel = asked(in_time(read_message(&mut stream)).await.expect("a cancellation"));
    assert_eq!(fields(&want)[0], (1, cid.to_bytes()));
    assert_eq!(fields(&cancel)[0], (1, cid.to_bytes()));
    assert!(cancel.ends_with(&[0x18, 1]), "{cancel:?}");
}

/// Ten peers that want everything and take nothing: memory stays within the limits, an eleventh is served meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn peers_that_take_nothing_hold_nothing_for_long() {
    let limits = Limits { bytes: 24 << 20, bytes_per_peer: 4 << 20, ..Limits::default() };
    let mut options = options();
    options.limits = limits;
    let server = Node::start(options);
    let leaves: Vec<Cid> = (0..64).map(|number| server.blocks.put(RAW, noise(1 << 20, number))).collect();
    let address = server.address("tcp").await;
    let mut stalled = Vec::new();
    for _ in 0..10 {
        let mut raw = Raw::start().await;
        raw.connect(address.clone()).await.expect("a connection");
        let mut stream = raw.open(server.peer_id(), None).await.expect("a stream");
        stream.write_all(&wantlist(&leaves)).await.expect("a wantlist");
        stream.flush().await.expect("a wantlist");
        stalled.push((raw, stream));
    }
    let client = Node::start(nodes::options());
    let session = client.swarm.fetch(from(&[address])).expect("it runs");
    let lengths = get_all(&session, &leaves[..8]).await;
    assert!(lengths.iter().all(Result::is_ok), "{lengths:?}");
    // They are closed when they have taken nothing for long enough.
    for (raw, _) in &mut stalled {
        let closed = in_time(raw.happened.recv()).await;
        assert!(matches!(closed, Some(Happened::Closed(_))), "{closed:?}");
    }
    let read = server.blocks.reads.load(std::sync::atomic::Ordering::Relaxed);
    assert!(read < 64, "{read} blocks were read for peers that take none");
}

/// Messages of 4 MiB of wants, of wants that nobody can have, of garbage, and many at once.
#[tokio::test(flavor = "multi_thread")]
async fn floods_change_nothing_for_others() {
    let server = Node::start(options());
    let leaf = server.blocks.put(RAW, noise(1000, 1));
    let address = server.address("tcp").await;
    let mut raw = Raw::start().await;
    raw.connect(address.clone()).await.expect("a connection");
    let mut list = Vec::new();
    while list.len() < (4 << 20) - 200 {
        field(1, &entry(&cid_of(RAW, &list.len().to_le_bytes()), true), &mut list);
    }
    let before = memory("VmRSS");
    for _ in 0..3 {
        let mut stream = raw.open(server.peer_id(), None).await.expect("a stream");
        stream.write_all(&framed(&list)).await.expect("it is read");
        stream.write_all(&wantlist([&leaf])).await.expect("it is read");
        stream.flush().await.expect("it is read");
    }
    let mut stream = None;
    let (mut blocks, mut refusals) = (0, 0);
    while blocks == 0 {
        let answer = next_answer(&mut raw, &mut stream).await;
        (blocks, refusals) = (blocks + answer.0, refusals + answer.1);
    }
    assert!(refusals > 0 && refusals <= 3 * 1025, "{refusals}");
    let after = memory("VmRSS");
    assert!(after < before + (32 << 20), "{} MiB more", (after - before) >> 20);
    // A message that is too long, one whose lengths lie: the stream ends, the connection stays.
    for garbage in [&[0x81, 0x80, 0x80, 0x02][..], &[5, 0x0a, 9, 0, 0, 0]] {
        let mut stream = raw.open(server.peer_id(), None).await.expect("a stream");
        stream.write_all(garbage).await.expect("written");
        stream.flush().await.expect("written");
    }
    let mut asking = raw.open(server.peer_id(), None).await.expect("a stream");
    asking.write_all(&wantlist([&leaf])).await.expect("written");
    asking.flush().await.expect("written");
    while next_answer(&mut raw, &mut stream).await.0 == 0 {}
}

/// Over one connection something is wanted that is slow to come; that connection closes, and it comes over the other.
#[tokio::test(flavor = "multi_thread")]
async fn wants_go_to_the_other_connection_when_one_closes() {
    let mut options = options();
    // So slow that most of it is still to come.
    options.limits.upload_bytes_per_second = 400_000;
    let server = Node::start(options);
    let leaves: Vec<Cid> = (0..6).map(|number| server.blocks.put(RAW, noise(300_000, number))).collect();
    let address = server.address("tcp").await;
    let mut raw = Raw::start().await;
    let first = raw.connect(address.clone()).await.expect("a connection");
    let second = raw.connect(address).await.expect("another one");
    assert_ne!(first, second);
    // The server knows of the other one a moment later, and can't hand anything to one that it doesn't know.
    server.wait("has both", |status| (status.connections == 2).then_some(())).await;
    let mut asking = raw.open(server.peer_id(), Some(first)).await.expect("a stream");
    asking.write_all(&wantlist(&leaves)).await.expect("written");
    asking.flush().await.expect("written");
    // The first answer has begun, over the connection on which it was asked for.
    let begun = in_time(raw.incoming.recv()).await;
    // A connection with open streams is not closed before they are.
    drop((begun, asking));
    raw.close(first);
    let closed = in_time(raw.happened.recv()).await;
    assert!(matches!(closed, Some(Happened::Closed(id)) if id == first), "{closed:?}");
    let (mut stream, mut blocks) = (None, 0);
    while blocks < leaves.len() {
        blocks += next_answer(&mut raw, &mut stream).await.0;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_upload_limit_holds_for_all_together() {
    let mut server_options = options();
    server_options.limits.upload_bytes_per_second = 1_000_000;
    let server = Node::start(server_options);
    let leaves: Vec<Cid> = (0..10).map(|number| server.blocks.put(RAW, noise(150_000, number))).collect();
    let address = server.address("tcp").await;
    let start = Instant::now();
    let clients: Vec<Node> = (0..2).map(|_| Node::start(options())).collect();
    let fetches = clients.iter().map(|client| {
        let session = client.swarm.fetch(from(std::slice::from_ref(&address))).expect("it runs");
        let leaves = &leaves;
        async move { get_all(&session, leaves).await.into_iter().flatten().count() }
    });
    assert_eq!(futures::future::join_all(fetches).await, [10, 10]);
    assert!(start.elapsed() > Duration::from_millis(2500), "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_no_more_connections_than_allowed() {
    let mut options = options();
    options.limits = Limits { connections: 8, connections_per_peer: 2, ..Limits::default() };
    let server = Node::start(options);
    let address = server.address("tcp").await;
    let mut raws = Vec::new();
    for _ in 0..12 {
        let mut raw = Raw::start().await;
        raw.connect(address.clone()).await;
        raws.push(raw);
    }
    server.wait("refuses the others", |status| (status.connections == 7).then_some(())).await;
}

/// Two nodes and a third one between them: keys are provided and found, records are put and found by the rule.
#[tokio::test(flavor = "multi_thread")]
async fn the_dht_of_the_local_network_finds_providers_and_records() {
    let rule = Arc::new(|_: &[u8], record: &[u8], best: Option<&[u8]>| {
        record.starts_with(b"valid") && best.is_none_or(|best| record > best)
    });
    let lan = |bootstrap: Option<Multiaddr>| {
        let mut options = options();
        options.dht = Dht::Lan;
        options.bootstrap = bootstrap.into_iter().collect();
        options.record_rule = Some(rule.clone());
        Node::start(options)
    };
    let middle = lan(None);
    let address = middle.address("tcp").await;
    let (mut publisher, client) = (lan(Some(address.clone())), lan(Some(address)));
    let (root, _, leaves) = publisher.blocks.file("blob", &noise(1 << 20, 1), 1 << 18);
    publisher.swarm.provide(vec![ProvideKey::from(root)]).expect("it runs");
    let provided = |event| match event {
        roadstead_swarm::Event::Provided { key, .. } => Some(key),
        _ => None,
    };
    assert_eq!(publisher.event(provided).await, *root.hash());
    assert_eq!(publisher.status().await.providing_lan.provided, 1);
    client.wait("knows a member", |status| (status.dht_peers.1 > 0).then_some(())).await;
    let providers = client.swarm.providers(*root.hash(), 8).await.expect("it runs");
    assert_eq!(providers, [publisher.swarm.peer_id()]);
    assert!(client.swarm.providers(*cid_of(RAW, b"nobody's").hash(), 8).await.expect("it runs").is_empty());
    let options = FetchOptions { providers_of: Some(root), ..FetchOptions::default() };
    let session = client.swarm.fetch(options).expect("it runs");
    assert!(get_all(&session, &leaves).await.iter().all(Result::is_ok));
    let name = *cid_of(RAW, b"a name").hash();
    assert!(matches!(client.swarm.get_record(name).await, Ok(None)));
    publisher.swarm.put_record(name, b"invalid".to_vec()).await.expect("sent");
    assert!(matches!(client.swarm.get_record(name).await, Ok(None)));
    for record in [&b"valid 2"[..], b"valid 1"] {
        publisher.swarm.put_record(name, record.to_vec()).await.expect("sent");
    }
    let found = client.swarm.get_record(name).await.expect("it runs");
    assert_eq!(found.as_deref(), Some(&b"valid 2"[..]));
}

/// A thousand connections that do nothing cost little, and a thousand and first peer is served.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_idle_connections() {
    let mut server_options = options();
    server_options.limits.connections = 2000;
    let server = Node::start(server_options);
    let leaf = server.blocks.put(RAW, noise(1000, 1));
    let address = server.address("tcp").await;
    let mut raws = Vec::new();
    let before = memory("VmRSS");
    for _ in 0..1000 {
        // On a busy machine a handshake may take too long.
        let mut tries = 0;
        let raw = loop {
            let mut raw = Raw::start().await;
            if raw.connect(address.clone()).await.is_some() {
                break raw;
            }
            tries += 1;
            assert!(tries < 5, "no connection");
        };
        raws.push(raw);
    }
    server.wait("has them", |status| (status.connections >= 1000).then_some(())).await;
    let after = memory("VmRSS");
    // Both ends are in this process.
    eprintln!("{} KiB a connection, with both ends", (after - before) >> 10 >> 10);
    assert!(after - before < 300 << 20, "{} MiB", (after - before) >> 20);
    let client = Node::start(options());
    let session = client.swarm.fetch(from(&[address])).expect("it runs");
    assert_eq!(in_time(session.get(&leaf)).await.expect("served").len(), 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn unpublished_and_absent_blocks_are_answered_alike() {
    let server = Node::with_blocks(options(), Arc::new(Memory::default()));
    let mut raw = Raw::start().await;
    raw.connect(server.address("tcp").await).await.expect("a connection");
    let mut stream = raw.open(server.peer_id(), None).await.expect("a stream");
    let cids = [cid_of(RAW, b"a"), cid_of(nodes::DAG_PB, b"b")];
    stream.write_all(&wantlist(&cids)).await.expect("written");
    stream.flush().await.expect("written");
    let mut answers = None;
    assert_eq!(next_answer(&mut raw, &mut answers).await, (0, 2));
}
