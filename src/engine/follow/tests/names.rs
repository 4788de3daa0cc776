//! What a name means: by whose signature, or by a domain alone.

use super::super::poll::{Poller, Signed};
use super::*;
use crate::naming::TxtSet;

/// Domains and what is written there.
#[derive(Debug)]
struct Zone(Vec<(&'static str, String)>);

#[async_trait]
impl Domains for Zone {
    async fn txt(&self, name: &str) -> Result<TxtSet> {
        let of_it = self.0.iter().filter(|(domain, _)| format!("_dnslink.{domain}") == name);
        let values = of_it.map(|(_, value)| format!("dnslink={value}")).collect();
        Ok(TxtSet { values, ..TxtSet::default() })
    }
}

/// Somebody who does not answer.
#[derive(Debug)]
struct Dead(AtomicU64);

#[async_trait]
impl NameRecords for Dead {
    fn place(&self) -> String {
        "a dead one".to_owned()
    }

    async fn record(&self, _: &Name) -> Result<NameAnswer> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Err(Error::new(Kind::Network, "a dead one does not answer"))
    }
}

fn root(content: &str) -> Cid {
    crate::unixfs::file::of_bytes(crate::unixfs::Profile::V1_2025, content.as_bytes()).0.cid
}

fn record(key: &PrivateKey, root: &Cid, sequence: u64) -> Bytes {
    let validity = Timestamp::now() + SignedDuration::from_hours(1);
    Record::of_root(root, sequence, validity, Duration::from_mins(1)).sign(key).unwrap().into()
}

fn has(bytes: &Bytes) -> Arc<dyn NameRecords> {
    Arc::new(Records(Mutex::new(Some(bytes.clone()))))
}

#[tokio::test]
async fn domains_lead_to_roots_unsigned_and_to_keys_that_sign() {
    let key = PrivateKey::generate().unwrap();
    let (one, signed) = (root("one"), root("signed"));
    let zone = Arc::new(Zone(vec![
        ("plain.example", format!("/ipfs/{one}")),
        ("key.example", format!("/ipns/{}", key.name())),
        ("far.example", "/ipns/key.example".to_owned()),
        ("loop.example", "/ipns/loop.example".to_owned()),
        ("below.example", format!("/ipfs/{one}/below")),
        ("two.example", format!("/ipfs/{one}")),
        ("two.example", format!("/ipfs/{signed}")),
    ]));
    let poller = Poller::new(zone, vec![has(&record(&key, &signed, 1))]);
    let now = Timestamp::now();
    let poll = async |domain: &str| poller.poll(&domain.parse().unwrap(), None, now).await;
    let plain = poll("plain.example").await;
    assert!(plain.root.unwrap() == one && plain.signed.is_none());
    for domain in ["key.example", "far.example"] {
        let polled = poll(domain).await;
        assert_eq!((polled.root.unwrap(), polled.signed.unwrap().key), (signed, key.name()), "{domain}");
    }
    for (domain, kind) in [
        ("loop.example", Kind::Verification),
        ("below.example", Kind::Verification),
        ("two.example", Kind::Verification),
        ("nothing.example", Kind::NotFound),
    ] {
        assert_eq!(poll(domain).await.root.unwrap_err().kind(), kind, "{domain}");
    }
}

#[tokio::test]
async fn the_newest_record_counts_wherever_it_is() {
    let key = PrivateKey::generate().unwrap();
    let (old, new) = (root("old"), root("new"));
    let dead = Arc::new(Dead(AtomicU64::new(0)));
    let sources = vec![
        has(&record(&key, &old, 1)),
        Arc::clone(&dead) as Arc<dyn NameRecords>,
        has(&record(&key, &new, 2)),
        has(&record(&PrivateKey::generate().unwrap(), &old, 9)),
    ];
    let poller = Poller::new(Arc::new(Resolver), sources);
    let (name, now) = (Followed::Key(key.name()), Timestamp::now());
    for _ in 0..3 {
        let polled = poller.poll(&name, None, now).await;
        assert_eq!(polled.root.unwrap(), new);
    }
    assert_eq!(dead.0.load(Ordering::SeqCst), 1, "a dead one is waited for once");
    // One that is known is not replaced by an older one.
    let known = Signed::read(key.name(), record(&key, &root("newest"), 3)).unwrap();
    let polled = poller.poll(&name, Some(&known), now).await;
    assert_eq!((polled.root.unwrap(), polled.notes.len()), (root("newest"), 3));
    // With the same sequence, the one that expires later replaces it: it was signed again.
    let again = Timestamp::now() + SignedDuration::from_hours(9);
    let again = Record::of_root(&root("newest"), 3, again, Duration::from_mins(1)).sign(&key).unwrap();
    let poller = Poller::new(Arc::new(Resolver), vec![has(&Bytes::from(again.clone()))]);
    let polled = poller.poll(&name, Some(&known), now).await;
    assert_eq!(polled.signed.unwrap().bytes, again);
}

#[tokio::test]
async fn when_nobody_answers_that_is_said() {
    let key = PrivateKey::generate().unwrap();
    let name = Followed::Key(key.name());
    let known = Signed::read(key.name(), record(&key, &root("known"), 3)).unwrap();
    let dead = || vec![Arc::new(Dead(AtomicU64::new(0))) as Arc<dyn NameRecords>];
    for known in [None, Some(&known)] {
        let polled = Poller::new(Arc::new(Resolver), dead()).poll(&name, known, Timestamp::now()).await;
        assert_eq!(polled.root.unwrap_err().kind(), Kind::Network);
        assert_eq!(polled.signed.is_some(), known.is_some());
    }
    let unknown = Arc::new(Records::default()) as Arc<dyn NameRecords>;
    let polled = Poller::new(Arc::new(Resolver), vec![unknown]).poll(&name, None, Timestamp::now()).await;
    assert_eq!(polled.root.unwrap_err().kind(), Kind::NotFound);
}
