//! Targets as they are said, tried, read and removed.

mod fakes;

use std::sync::Arc;

use cid::Cid;

use super::*;
use crate::catalog::publications::NewPublication;
use crate::catalog::targets::{Secret, ZoneSettings};
use crate::engine::job::Job;
use crate::engine::targets::NodeAddress;
use crate::engine::tests::TestEngine;
use crate::naming::TxtSet;
use fakes::{FakeConnect, Seeing};

const CANARY: &str = "canary-7d1f";

fn base() -> TargetChange {
    TargetChange { node: Some(NodeAddress::typed("http://127.0.0.1:5001")), ..TargetChange::default() }
}

fn signed() -> TargetChange {
    TargetChange {
        domain: Some("_dnslink.Registry.Example.com.".into()),
        zone: Some(ZoneKind::Rfc2136),
        server: Some("ns1.example.com".into()),
        key: Some("Roadstead.".into()),
        key_secret: Some("/etc/tsig".into()),
        ..base()
    }
}

#[test]
fn settings_are_brought_into_one_form() {
    let settings = signed().added().unwrap();
    let dnslink = settings.dnslink.unwrap();
    assert_eq!((dnslink.domain.as_str(), dnslink.ttl, settings.keep), ("registry.example.com", 60, 5));
    let expected = ZoneSettings::Rfc2136 {
        server: "ns1.example.com:53".into(),
        key: "roadstead".into(),
        algorithm: "hmac-sha256".into(),
        secret: Secret::File("/etc/tsig".into()),
    };
    assert_eq!(dnslink.zone, expected);
    for (url, kept) in [
        ("https://node.example.com/ipfs/api/v0/", "https://node.example.com/ipfs"),
        ("http://[::1]:5001/", "http://[::1]:5001"),
    ] {
        let change = TargetChange { node: Some(NodeAddress::typed(url)), ..base() };
        assert_eq!(change.added().unwrap().node.url(), kept);
    }
    for (server, kept) in [("::1", "[::1]:53"), ("[::1]:5353", "[::1]:5353"), ("127.0.0.1:53", "127.0.0.1:53")] {
        let change = TargetChange { server: Some(server.into()), ..signed() };
        let zone = change.added().unwrap().dnslink.unwrap().zone;
        assert!(matches!(zone, ZoneSettings::Rfc2136 { server, .. } if server == kept));
    }
}

#[test]
fn clusters_and_services_keep_what_is_known_of_them() {
    let cluster = TargetChange {
        node: Some(NodeAddress::typed("cluster:http://127.0.0.1:9094/")),
        replication: Some("2".parse().unwrap()),
        ..TargetChange::default()
    };
    let settings = cluster.added().unwrap();
    assert_eq!((settings.node.url(), settings.node.can_be_read()), ("http://127.0.0.1:9094", false));
    let elsewhere = NodeAddress::typed("cluster:http://127.0.0.1:9194");
    let moved = TargetChange { node: Some(elsewhere), ..TargetChange::default() }.changed(settings.clone()).unwrap();
    assert_eq!((moved.node.url(), moved.node.replication()), ("http://127.0.0.1:9194", settings.node.replication()));
    let cleared = TargetChange { clear: vec![Clear::Replication], ..TargetChange::default() };
    assert_eq!(cleared.changed(settings.clone()).unwrap().node.replication(), None);
    let json = serde_json::to_string(&settings).unwrap();
    assert_eq!(serde_json::from_str::<TargetSettings>(&json).unwrap(), settings, "{json}");

    let service = TargetChange {
        node: Some(NodeAddress::typed("pinning:https://api.example.com/psa/pins")),
        ..TargetChange::default()
    };
    let settings = service.added().unwrap();
    assert_eq!(settings.node, NodeSettings::pinning("https://api.example.com/psa"));
    let json = serde_json::to_string(&settings).unwrap();
    assert_eq!(serde_json::from_str::<TargetSettings>(&json).unwrap(), settings, "{json}");
    for change in [
        TargetChange { ipns: Some("self".into()), ..service.clone() },
        TargetChange { replication: Some("2".parse().unwrap()), ..service },
        TargetChange { replication: Some("all".parse().unwrap()), ..base() },
        TargetChange { endpoint: Some("https://s3.example.com".into()), ..cluster },
    ] {
        assert_eq!(Error::from(change.added().unwrap_err()).kind(), Kind::Usage, "{change:?}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_in_words_without_secrets() {
    let with_password = format!("https://user:{CANARY}@node.example.com");
    for (change, words) in [
        (TargetChange::default(), "needs `--self` or `--kubo URL`"),
        (TargetChange { node: Some(NodeAddress::typed(&with_password)), ..base() }, "contains credentials"),
        (
            TargetChange { node: Some(NodeAddress::typed(&format!("https://node.test/?token={CANARY}"))), ..base() },
            "has a query",
        ),
        (TargetChange { node: Some(NodeAddress::typed(&format!("ftp://{CANARY}"))), ..base() }, "does not begin with"),
        (TargetChange { keep: Some(0), ..base() }, "`--keep` must be from 1"),
        (TargetChange { ipns: Some("a/b".into()), ..base() }, "invalid key name"),
        (TargetChange { ttl: Some(60), ..base() }, "`--ttl` needs `--dnslink DOMAIN`"),
        (TargetChange { domain: Some("a.test".into()), ..base() }, "`--dnslink` needs `--dns`"),
        (TargetChange { domain: Some("a..test".into()), ..signed() }, "invalid domain"),
        (TargetChange { server: Some("ns1.test:99999".into()), ..signed() }, "invalid DNS server"),
        (TargetChange { key: None, ..signed() }, "needs `--tsig-name KEY`"),
        (TargetChange { algorithm: Some("hmac-md5".into()), ..signed() }, "unsupported TSIG algorithm"),
        (TargetChange { ttl: Some(0), ..signed() }, "`--ttl` must be from 1"),
        (TargetChange { token: Some("/t".into()), ..signed() }, "`--dns-token-file` can only be used with"),
        (
            TargetChange { zone: Some(ZoneKind::Manual), ..signed() },
            "`--dns-server` can only be used with `--dns rfc2136`",
        ),
        (
            TargetChange { domain: Some("a.test".into()), zone: Some("cloudflare".parse().unwrap()), ..base() },
            "`--dns cloudflare` needs `--dns-token-file FILE`",
        ),
        (TargetChange { gateways: vec!["gateway".into()], ..base() }, "the URL of a gateway"),
        (TargetChange { authorisation: Some(Secret::Variable("NO SUCH".into())), ..base() }, "invalid variable name"),
    ] {
        let error = change.added().unwrap_err().error;
        assert_eq!(error.kind(), Kind::Usage, "{error}");
        assert!(error.to_string().contains(words), "{error} / {words}");
        assert!(!format!("{error:?}").contains(CANARY), "{error:?}");
    }
    for name in ["", "now", "..", "a b", "-x", "bafkqaaa", &"x".repeat(65), "\u{202e}"] {
        assert!(change::check_name(name).is_err(), "{name:?}");
    }
}

#[test]
fn what_is_not_said_stays() {
    let settings = TargetChange { ipns: Some("self".into()), ..signed() }.added().unwrap();
    let longer = TargetChange { ttl: Some(300), key_secret: Some("/other".into()), ..TargetChange::default() };
    let changed = longer.changed(settings.clone()).unwrap();
    let dnslink = changed.dnslink.clone().unwrap();
    assert_eq!((dnslink.ttl, changed.ipns.as_deref(), &changed.node), (300, Some("self"), &settings.node));
    assert!(
        matches!(dnslink.zone, ZoneSettings::Rfc2136 { secret: Secret::File(file), .. } if file.as_os_str() == "/other")
    );
    let by_hand = TargetChange { zone: Some(ZoneKind::Manual), ..TargetChange::default() };
    assert_eq!(by_hand.changed(changed.clone()).unwrap().dnslink.unwrap().zone, ZoneSettings::Manual);
    let cleared = TargetChange { clear: vec![Clear::Dnslink, Clear::Ipns], ..TargetChange::default() };
    let cleared = cleared.changed(changed).unwrap();
    assert_eq!((cleared.dnslink, cleared.ipns), (None, None));
}

#[tokio::test]
async fn a_file_that_cant_be_read_is_refused_and_a_variable_that_is_not_set_is_doubtful() {
    let test = TestEngine::new().await;
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    let of_file = |file: &std::path::Path| TargetChange { authorisation: Some(Secret::File(file.into())), ..base() };
    let error = test.engine.add_target("home", &of_file(&missing)).unwrap_err();
    assert!(error.kind() == Kind::NotFound && error.to_string().contains("missing"), "{error}");
    let there = directory.path().join("there");
    std::fs::write(&there, CANARY).unwrap();
    test.engine.add_target("home", &of_file(&there)).unwrap();
    // One that was readable when it was named does not stand in the way of other changes.
    std::fs::remove_file(&there).unwrap();
    test.engine.set_target("home", &TargetChange { keep: Some(3), ..of_file(&there) }).unwrap();
    assert!(test.engine.set_target("home", &of_file(&missing)).is_err());
    let variable = TargetChange { authorisation: Some(Secret::Variable("ELSEWHERE".into())), ..Default::default() };
    test.engine.set_target("home", &variable).unwrap();
    let doubts = test.engine.target_doubts("home", &Variables::none()).unwrap();
    assert!(doubts.len() == 1 && doubts[0].contains("ELSEWHERE"), "{doubts:?}");
    let set = Variables::new(|_| Some(CANARY.to_owned()));
    assert!(test.engine.target_doubts("home", &set).unwrap().is_empty());
}

#[cfg(unix)]
#[test]
fn secrets_are_read_and_never_shown() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    let variables = Variables::new(|name| (name == "TOKEN").then(|| format!(" {CANARY}\n")));
    let write = |text: &[u8], mode| {
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        secrets::read(&Secret::File(file.clone()), &variables)
    };
    let found = write(format!("\n {CANARY}\r\n").as_bytes(), 0o600).unwrap();
    assert_eq!((found.expose(), &found.warning), (CANARY, &None));
    assert!(!format!("{found:?}").contains(CANARY));
    let open = write(CANARY.as_bytes(), 0o644).unwrap();
    assert!(open.warning.unwrap().contains("chmod 600"));
    for text in [b"".as_slice(), b" \n", b"canary-7d1f\nx", b"\xffcanary-7d1f", &vec![b'x'; 70_000]] {
        let error = write(text, 0o600).unwrap_err();
        assert!(!format!("{error:?}{error}").contains(CANARY), "{error:?}");
    }
    assert_eq!(secrets::read(&Secret::Variable("TOKEN".into()), &variables).unwrap().expose(), CANARY);
    assert_eq!(secrets::read(&Secret::Variable("OTHER".into()), &variables).unwrap_err().kind(), Kind::Usage);
    let missing = Secret::File(directory.path().join("missing"));
    assert_eq!(secrets::read(&missing, &variables).unwrap_err().kind(), Kind::NotFound);
    assert!(secrets::read(&Secret::File(directory.path().into()), &variables).is_err());
}

/// A target whose secret is in a variable, and the way to it.
fn fakes(test: &TestEngine) -> (FakeConnect, Peers) {
    let change = TargetChange {
        authorisation: Some(Secret::Variable("TOKEN".into())),
        ipns: Some("self".into()),
        domain: Some("registry.test".into()),
        zone: Some(ZoneKind::Manual),
        ..base()
    };
    test.engine.add_target("home", &change).unwrap();
    let fakes = FakeConnect::default();
    "kubo/0.43.1/".clone_into(&mut fakes.node.agent.lock().unwrap());
    let peers = Peers::new(Variables::new(|name| (name == "TOKEN").then(|| CANARY.to_owned())), fakes.clone());
    (fakes, peers)
}

async fn tried(test: &TestEngine, peers: &Peers, world: &Seeing) -> Trial {
    let engine = &test.engine;
    let trial = Job::new()
        .0
        .run(async |job: &Job| engine.test_target("home", peers, world, peers.variables(), job).await)
        .await
        .unwrap();
    let shown = format!("{trial:?}{}", serde_json::to_string(&trial).unwrap());
    assert!(!shown.contains(CANARY), "{shown}");
    trial
}

fn outcome(trial: &Trial, part: Part, what: &str) -> (Outcome, String) {
    let check = trial.checks.iter().find(|check| check.part == part && check.what == what);
    let check = check.unwrap_or_else(|| panic!("{what} was not tried: {trial:?}"));
    let hinted = matches!(check.outcome, Outcome::Good | Outcome::Skipped) || !check.hints.is_empty();
    assert!(hinted || what == "secret", "nothing is said what to do: {check:?}");
    (check.outcome, check.detail.clone())
}

#[tokio::test]
async fn a_trial_says_what_works_and_what_does_not() {
    let test = TestEngine::new().await;
    let (fakes, peers) = fakes(&test);
    test.put("app", "1", &crate::engine::tests::index("one"));
    test.add(&["app:1"]).await;
    *fakes.node.storage_max.lock().unwrap() = Some(1 << 30);
    let none = Seeing::default();
    let good = tried(&test, &peers, &none).await;
    assert_eq!(good.failure(), None, "{good:?}");
    assert_eq!(fakes.asked.lock().unwrap()[0], ("http://127.0.0.1:5001".to_owned(), Some(CANARY.to_owned())));
    for what in ["secret", "reachable", "version", "read blocks", "import", "pin", "room"] {
        assert_eq!(outcome(&good, Part::Node, what).0, Outcome::Good, "{what}");
    }
    let stored = crate::text::bytes(test.engine.statistics().unwrap().stored);
    assert!(outcome(&good, Part::Node, "room").1.ends_with(&format!("the root takes {stored}")), "each blob once");
    assert_eq!(outcome(&good, Part::Ipns, "key").1, "self: k51self");
    assert_eq!(outcome(&good, Part::Dnslink, "seen by the world").1, "no record");

    *fakes.node.forbidden.lock().unwrap() = Some("pin");
    *fakes.node.storage_max.lock().unwrap() = Some(1001);
    "kubo/0.30.0/".clone_into(&mut fakes.node.agent.lock().unwrap());
    *fakes.zone.refuses.lock().unwrap() = true;
    fakes.zone.set.lock().unwrap().values =
        vec!["dnslink=/ipfs/a".into(), "dnslink=/ipfs/b".into(), "\u{1b}[31m".into()];
    let seen = Seeing(TxtSet { values: vec!["dnslink=/ipfs/old".into()], ttl: Some(60) });
    let gateway = TargetChange { gateways: vec!["https://gateway.test".into()], ..TargetChange::default() };
    test.engine.set_target("home", &gateway).unwrap();
    let bad = tried(&test, &peers, &seen).await;
    assert_eq!(bad.failure(), Some(Kind::Auth));
    assert_eq!(outcome(&bad, Part::Node, "version").0, Outcome::Doubtful);
    assert_eq!(outcome(&bad, Part::Node, "pin").0, Outcome::Failed);
    assert_eq!(outcome(&bad, Part::Node, "room").0, Outcome::Failed);
    assert_eq!(outcome(&bad, Part::Dnslink, "authoritative servers").0, Outcome::Doubtful);
    assert!(!outcome(&bad, Part::Dnslink, "authoritative servers").1.contains('\u{1b}'));
    assert_eq!(outcome(&bad, Part::Dnslink, "change").0, Outcome::Failed);
    assert_eq!(outcome(&bad, Part::Dnslink, "seen by the world").0, Outcome::Doubtful);
    assert_eq!(outcome(&bad, Part::Gateway, "reachable").0, Outcome::Failed);

    for kind in [Kind::Node, Kind::Auth] {
        *fakes.node.down.lock().unwrap() = Some(kind);
        let down = tried(&test, &peers, &none).await;
        assert_eq!(down.failure(), Some(kind));
        assert_eq!(outcome(&down, Part::Node, "reachable").0, Outcome::Failed);
        assert_eq!(outcome(&down, Part::Node, "rights").0, Outcome::Skipped);
        assert_eq!(outcome(&down, Part::Ipns, "key").0, Outcome::Skipped);
        assert_eq!(outcome(&down, Part::Dnslink, "change").0, Outcome::Failed, "the others are tried all the same");
    }
    let unset = Peers::new(Variables::new(|_| None), fakes.clone());
    let without = tried(&test, &unset, &none).await;
    assert_eq!(outcome(&without, Part::Node, "secret").0, Outcome::Failed);
    assert_eq!(outcome(&without, Part::Node, "reachable").0, Outcome::Skipped);
}

/// Every block of a root, from the engine's own CAR.
async fn hand_over(test: &TestEngine, fakes: &FakeConnect) -> Cid {
    let file = test.directory.path().join("all.car");
    test.engine.export_car(&file, false, None, &Job::new().0).await.unwrap();
    let mut reader = crate::unixfs::car::Reader::new(std::fs::File::open(&file).unwrap()).unwrap();
    let mut blocks = fakes.node.blocks.lock().unwrap();
    while let Some(block) = reader.block().unwrap() {
        blocks.insert(block.cid, block.bytes.into());
    }
    reader.roots()[0]
}

fn publish(engine: &Engine, name: &str) {
    engine
        .catalog
        .write(|writer| {
            let target = targets::by_name(writer, name)?.unwrap();
            let root = state::root(writer)?.unwrap();
            let new = NewPublication { target: &target, root, former: None, verb: "publish", summary: "1 tag added" };
            let id = publications::begin(writer, &new, 1)?;
            publications::set_pinned(writer, target.id, &root.cid, true)?;
            publications::finish(writer, id, State::Published, None, 2)
        })
        .unwrap();
}

async fn walked(engine: &Arc<Engine>, peers: &Peers) -> Result<Walked> {
    Job::new().0.run(async |job: &Job| engine.verify_target("home", peers, job).await).await
}

#[tokio::test]
async fn every_block_of_the_newest_root_is_read() {
    let test = TestEngine::new().await;
    let (fakes, peers) = fakes(&test);
    test.put("app", "1", &crate::engine::tests::index("one"));
    test.add(&["app:1"]).await;
    assert_eq!(walked(&test.engine, &peers).await.unwrap_err().kind(), Kind::NotFound);
    publish(&test.engine, "home");
    let root = hand_over(&test, &fakes).await;
    let all = fakes.node.blocks.lock().unwrap().len() as u64;
    let not_pinned = walked(&test.engine, &peers).await.unwrap();
    assert!(!not_pinned.is_whole() && not_pinned.missing == 0);
    fakes.node.pins.lock().unwrap().push(root);
    let whole = walked(&test.engine, &peers).await.unwrap();
    assert!(whole.is_whole());
    assert_eq!((whole.blocks, whole.root), (all, root.to_string()));
    let mut cids: Vec<Cid> = fakes.node.blocks.lock().unwrap().keys().copied().filter(|cid| *cid != root).collect();
    cids.retain(|cid| cid.codec() == crate::unixfs::RAW);
    fakes.node.blocks.lock().unwrap().remove(&cids[0]);
    fakes.node.blocks.lock().unwrap().insert(cids[1], bytes::Bytes::from_static(b"other"));
    let broken = walked(&test.engine, &peers).await.unwrap();
    assert_eq!((broken.missing, broken.damaged, broken.blocks), (1, 1, all - 2));
    assert_eq!(broken.named.len(), 2);
    *fakes.node.down.lock().unwrap() = Some(Kind::Node);
    assert_eq!(walked(&test.engine, &peers).await.unwrap_err().kind(), Kind::Node);
}

#[tokio::test]
async fn targets_come_change_and_go_and_their_history_stays() {
    let test = TestEngine::new().await;
    let (_fakes, _peers) = fakes(&test);
    assert_eq!(test.engine.add_target("home", &base()).unwrap_err().kind(), Kind::Usage);
    let error = test.engine.target("hme").unwrap_err();
    assert_eq!((error.kind(), error.hints()), (Kind::NotFound, ["Did you mean `home`?".to_owned()].as_slice()));
    test.put("app", "1", &crate::engine::tests::index("one"));
    test.add(&["app:1"]).await;
    publish(&test.engine, "home");
    let root = test.root();
    let view = test.engine.target("home").unwrap();
    assert_eq!((view.root.as_ref(), view.behind, view.pinned), (Some(&root), false, 1));
    assert_eq!(test.engine.root_named("home").unwrap().to_string(), root);
    test.remove("app:1").await;
    assert!(test.engine.target("home").unwrap().behind);

    let plan = test.engine.plan_remove_target("home").unwrap();
    assert_eq!(
        (plan.pinned.as_slice(), plan.released.as_slice()),
        ([root.clone()].as_slice(), [root.clone()].as_slice())
    );
    assert_eq!(plan.record.as_deref(), Some("_dnslink.registry.test"));
    test.engine.add_target("away", &base()).unwrap();
    let same =
        TargetChange { domain: Some("Registry.test.".into()), zone: Some(ZoneKind::Manual), ..TargetChange::default() };
    let error = test.engine.set_target("away", &same).unwrap_err();
    assert!(
        error.kind() == Kind::Usage && error.to_string().contains("`home` already moves the record of registry.test")
    );
    test.engine.remove_target(&plan, &Job::new().0).await.unwrap();
    assert_eq!(test.engine.target_names().unwrap(), ["away"]);
    let rows = test.engine.history(Some("home")).unwrap();
    assert!(rows.len() == 1 && rows[0].target_removed && !rows[0].kept && !rows[0].pinned && !rows[0].current);
    assert!(test.engine.history(Some("nobody")).is_err());
    let dump = std::fs::read(test.directory.path().join("catalog.db")).unwrap();
    assert!(!dump.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()));
}

#[tokio::test]
async fn forgetting_is_planned_and_what_is_given_out_is_refused() {
    let test = TestEngine::new().await;
    test.engine.add_target("home", &base()).unwrap();
    let mut roots: Vec<Cid> = Vec::new();
    for content in ["one", "two"] {
        test.put("app", "1", &crate::engine::tests::index(content));
        test.add(&["app:1"]).await;
        publish(&test.engine, "home");
        roots.push(test.root().parse().unwrap());
    }
    assert_eq!(test.engine.plan_forget(&roots).unwrap_err().kind(), Kind::Usage);
    let unknown: Cid = "bafkqaaa".parse().unwrap();
    assert_eq!(test.engine.plan_forget(&[unknown]).unwrap_err().kind(), Kind::NotFound);
    let plan = test.engine.plan_forget(&[roots[0], roots[0]]).unwrap();
    assert_eq!((plan.roots.len(), plan.roots[0].kept), (1, true));
    assert_eq!(plan.roots[0].pinned_by, ["home"]);
    let before = test.engine.plan_gc().unwrap();
    test.engine.apply_forget(&plan, &Job::new().0).await.unwrap();
    let after = test.engine.plan_gc().unwrap();
    let freed = |plan: &crate::engine::plan::GcPlan| plan.blob_bytes + plan.node_bytes;
    assert_eq!(plan.frees, freed(&after) - freed(&before));
    assert!(plan.frees > 0 && before.kept_roots == 1 && after.kept_roots == 0);
    assert!(test.engine.plan_forget(&roots[..1]).unwrap().is_empty());
    let rows = test.engine.history(None).unwrap();
    assert_eq!(rows.iter().map(|row| (row.kept, row.current)).collect::<Vec<_>>(), [(true, true), (false, false)]);
    assert_eq!(test.engine.published_roots().unwrap(), [roots[1].to_string(), roots[0].to_string()]);
}
