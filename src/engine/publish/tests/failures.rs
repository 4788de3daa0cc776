//! What can go wrong at the other side, each noticed, and the former publication whole.

use std::sync::atomic::Ordering;

use super::fake_node::Answer;
use super::*;
use crate::engine::job::PublishStep;
use crate::engine::tests::{image, index};
use crate::error::{Error, Kind};
use crate::naming::TxtSet;

/// A registry that was published once, and has something new.
async fn set_up() -> (TestEngine, TestPlaces, Arc<FakeNode>, Arc<FakeZone>, Cid) {
    let test = TestEngine::new().await;
    let mut places = TestPlaces::default();
    let (node, zone) = places.add(&test.engine, "home", 2);
    test.put("app", "1", &index("one"));
    test.add(&["app:1"]).await;
    publish(&test.engine, &places).await;
    let former = root_of(&test);
    test.put("app", "1", &index("two"));
    test.add(&["app:1"]).await;
    (test, places, node, zone, former)
}

fn failed(outcome: PublishOutcome) -> (PublishStep, Error) {
    outcome.targets.into_iter().find_map(|target| target.failure).expect("it must fail")
}

fn assert_former(node: &FakeNode, zone: &FakeZone, former: &Cid) {
    assert_eq!(record(zone), [format!("dnslink=/ipfs/{former}")]);
    let mut state = node.state();
    assert!(state.pins.contains_key(former));
    state.closure(former);
}

fn fail_at(call: &'static str, kind: Kind) -> impl FnMut(&str, &mut super::fake_node::State) -> Answer {
    move |name, _| if name == call { Answer::Fail(Error::new(kind, "no")) } else { Answer::Go }
}

#[tokio::test]
async fn a_node_that_is_down_stops_no_other() {
    let (test, mut places, node, zone, former) = set_up().await;
    let (other, _) = places.add(&test.engine, "other", 2);
    node.intercept(|_, _| Answer::Fail(Error::new(Kind::Node, "connection refused")));
    let plan = plan_of(&test.engine, &places, &PublishRequest::default()).await.unwrap();
    assert_eq!(plan.failed.len(), 1);
    assert_eq!((plan.failed[0].name.as_str(), plan.failed[0].error.kind()), ("home", Kind::Node));
    let outcome = apply(&test.engine, &places, &plan).await.unwrap();
    assert!(outcome.targets[0].failure.is_none());
    assert_whole(&other, &root_of(&test));
    node.behave();
    assert_former(&node, &zone, &former);
    publish(&test.engine, &places).await;
}

#[tokio::test]
async fn every_call_may_fail_and_nothing_is_lost() {
    for (call, step) in [
        ("import", PublishStep::HandOver),
        ("imported", PublishStep::HandOver),
        ("pin_update", PublishStep::Pin),
        ("block", PublishStep::Check),
    ] {
        let (test, places, node, zone, former) = set_up().await;
        node.intercept(fail_at(call, Kind::Node));
        let (at, error) = failed(attempt(&test.engine, &places).await.unwrap());
        assert_eq!((at, error.kind()), (step, Kind::Node), "{call}");
        node.behave();
        assert_former(&node, &zone, &former);
        publish(&test.engine, &places).await;
        assert_whole(&node, &root_of(&test));
    }
}

#[tokio::test]
async fn a_node_that_says_yes_and_holds_nothing_is_found_out() {
    let (test, places, node, zone, former) = set_up().await;
    node.state().lies = true;
    let (at, error) = failed(attempt(&test.engine, &places).await.unwrap());
    assert_eq!((at, error.kind()), (PublishStep::Check, Kind::Node));
    assert_eq!(record(&zone), [format!("dnslink=/ipfs/{former}")]);
    // The first time too.
    let mut places = places;
    let (fresh, zone) = places.add(&test.engine, "fresh", 2);
    fresh.state().lies = true;
    let request = PublishRequest { targets: vec!["fresh".into()], ..PublishRequest::default() };
    let plan = plan_of(&test.engine, &places, &request).await.unwrap();
    assert_eq!(failed(apply(&test.engine, &places, &plan).await.unwrap()).0, PublishStep::Check);
    assert!(record(&zone).is_empty());
    // It comes to its senses: the pin is there, and what it lacks is sent.
    fresh.state().lies = false;
    node.state().lies = false;
    publish(&test.engine, &places).await;
    assert_whole(&fresh, &root_of(&test));
    assert_whole(&node, &root_of(&test));
}

#[tokio::test]
async fn garbage_that_is_collected_before_the_pin_is_handed_over_again() {
    let (test, places, node, ..) = set_up().await;
    let mut once = true;
    node.intercept(move |name, state| {
        if name == "pin_update" && std::mem::take(&mut once) {
            state.collect_garbage();
        }
        Answer::Go
    });
    let outcome = publish(&test.engine, &places).await;
    assert!(outcome.targets[0].notes.iter().any(|note| note.contains("handed over again")), "{outcome:?}");
    assert_whole(&node, &root_of(&test));
}

/// Kubo says nothing of what it lacks below the root, and looks for it.
#[tokio::test]
async fn a_node_that_searches_for_what_it_lost_gets_it_again() {
    let (test, places, node, zone, former) = set_up().await;
    node.state().searches = true;
    // Several steps, so that temporary roots are lost too.
    for repository in ["buoy", "chart"] {
        test.put(repository, "1", &index(repository));
        test.add(&[&format!("{repository}:1")]).await;
    }
    let mut times = 2;
    let mut lose = move |name: &str, state: &mut super::fake_node::State| {
        if name == "pin_update" && times > 0 {
            times -= 1;
            state.collect_garbage();
        }
        Answer::Go
    };
    let plan = plan_of(&test.engine, &places, &PublishRequest::default()).await.unwrap();
    assert!(plan.targets[0].chain.len() > 1);
    node.intercept(move |name, state| lose(name, state));
    tokio::time::pause();
    let outcome = apply(&test.engine, &places, &plan).await.unwrap();
    tokio::time::resume();
    // Twice is too often, and said.
    let (at, error) = failed(outcome);
    assert_eq!((at, error.kind()), (PublishStep::Pin, Kind::Node));
    assert!(error.to_string().contains("lost"), "{error}");
    assert_former(&node, &zone, &former);
    let outcome = publish(&test.engine, &places).await;
    assert!(outcome.targets[0].notes.is_empty(), "{outcome:?}");
    assert_whole(&node, &root_of(&test));
}

/// Its pin says that it has the former root, and it has not all of it.
#[tokio::test]
async fn a_former_root_with_a_hole_is_not_gone_on_from() {
    let (test, places, node, zone, former) = set_up().await;
    node.state().searches = true;
    let lost = {
        let mut state = node.state();
        let blocks = state.closure(&former);
        let directories: Vec<Cid> =
            blocks.into_iter().filter(|cid| *cid != former && cid.codec() != crate::unixfs::RAW).collect();
        for cid in &directories {
            state.blocks.remove(cid);
        }
        directories
    };
    assert!(!lost.is_empty());
    let plan = plan_of(&test.engine, &places, &PublishRequest::default()).await.unwrap();
    assert_eq!(plan.targets[0].former, None);
    assert!(plan.targets[0].notes.iter().any(|note| note.contains("in full")), "{:?}", plan.targets[0].notes);
    publish(&test.engine, &places).await;
    let root = root_of(&test);
    node.state().closure(&root);
    assert_eq!(record(&zone), [format!("dnslink=/ipfs/{root}")]);
}

#[tokio::test]
async fn a_pin_of_another_writer_is_noticed() {
    let (test, places, node, zone, former) = set_up().await;
    let name = super::super::pins::name(&test.engine).unwrap();
    let foreign: Cid = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku".parse().unwrap();
    node.state().pins.insert(foreign, Some(name));
    let plan = plan_of(&test.engine, &places, &PublishRequest::default()).await.unwrap();
    assert_eq!(plan.failed[0].error.kind(), Kind::Locked);
    assert_former(&node, &zone, &former);
    let request = PublishRequest { force: true, ..PublishRequest::default() };
    let plan = plan_of(&test.engine, &places, &request).await.unwrap();
    assert!(apply(&test.engine, &places, &plan).await.unwrap().targets[0].failure.is_none());
    assert!(node.state().pins.contains_key(&foreign), "what others pinned is not touched");
}

#[tokio::test]
async fn a_pin_of_another_name_is_used_and_left() {
    let (test, places, node, ..) = set_up().await;
    let root = root_of(&test);
    node.state().pins.insert(root, Some("someone's".into()));
    let plan = plan_of(&test.engine, &places, &PublishRequest::default()).await.unwrap();
    assert!(plan.targets[0].notes.iter().any(|note| note.contains("someone's")), "{:?}", plan.targets[0].notes);
    publish(&test.engine, &places).await;
    assert_eq!(node.state().pins[&root].as_deref(), Some("someone's"));
    for content in ["three", "four", "five"] {
        test.put("app", "1", &index(content));
        test.add(&["app:1"]).await;
        publish(&test.engine, &places).await;
    }
    assert!(node.state().pins.contains_key(&root), "it is not ours to unpin");
}

#[tokio::test]
async fn a_record_of_another_writer_is_noticed_and_replaced_only_by_force() {
    let (test, places, node, zone, former) = set_up().await;
    let foreign = "dnslink=/ipfs/bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354";
    // Between plan and run.
    let plan = plan_of(&test.engine, &places, &PublishRequest::default()).await.unwrap();
    zone.set().values = vec![foreign.into()];
    let (_, error) = failed(apply(&test.engine, &places, &plan).await.unwrap());
    assert_eq!(error.kind(), Kind::Locked);
    assert_eq!(record(&zone), [foreign]);
    // Before the plan.
    let plan = plan_of(&test.engine, &places, &PublishRequest::default()).await.unwrap();
    assert_eq!(plan.failed[0].error.kind(), Kind::Locked);
    // In the last moment.
    zone.set().values = vec![format!("dnslink=/ipfs/{former}")];
    let plan = plan_of(&test.engine, &places, &PublishRequest::default()).await.unwrap();
    zone.intercept(move |name, set| {
        if name == "replace" {
            set.values = vec![foreign.into()];
        }
        Answer::Go
    });
    let (at, error) = failed(apply(&test.engine, &places, &plan).await.unwrap());
    assert_eq!((at, error.kind()), (PublishStep::Dnslink, Kind::Locked));
    zone.behave();
    assert_eq!(record(&zone), [foreign]);
    let request = PublishRequest { force: true, ..PublishRequest::default() };
    let plan = plan_of(&test.engine, &places, &request).await.unwrap();
    assert!(apply(&test.engine, &places, &plan).await.unwrap().targets[0].failure.is_none());
    assert_eq!(record(&zone), [format!("dnslink=/ipfs/{}", root_of(&test))]);
    assert_whole(&node, &root_of(&test));
}

#[tokio::test]
async fn a_zone_that_refuses_costs_only_the_record() {
    let (test, places, node, zone, former) = set_up().await;
    zone.intercept(|name, _| match name {
        "replace" => Answer::Fail(Error::new(Kind::Auth, "the server refused the key")),
        _ => Answer::Go,
    });
    let (at, error) = failed(attempt(&test.engine, &places).await.unwrap());
    assert_eq!((at, error.kind()), (PublishStep::Dnslink, Kind::Auth));
    assert_former(&node, &zone, &former);
    zone.behave();
    let imports = node.state().imports;
    publish(&test.engine, &places).await;
    assert_eq!(node.state().imports, imports, "what was handed over is not sent again");
}

#[tokio::test]
async fn a_zone_that_accepts_and_does_not_serve_is_said() {
    let (test, places, node, zone, former) = set_up().await;
    zone.stick(Some(TxtSet { values: vec![format!("dnslink=/ipfs/{former}")], ttl: Some(60) }));
    let plan = plan_of(&test.engine, &places, &PublishRequest::default()).await.unwrap();
    tokio::time::pause();
    let (at, error) = failed(apply(&test.engine, &places, &plan).await.unwrap());
    tokio::time::resume();
    assert_eq!((at, error.kind()), (PublishStep::Dnslink, Kind::Network));
    assert!(error.to_string().contains(&former.to_string()), "{error}");
    zone.stick(None);
    assert!(node.state().pins.contains_key(&former));
    publish(&test.engine, &places).await;
}

#[tokio::test]
async fn a_person_is_waited_for() {
    let (test, places, _, zone, former) = set_up().await;
    let root = root_of(&test);
    zone.leave_to_a_person();
    let plan = plan_of(&test.engine, &places, &PublishRequest::default()).await.unwrap();
    let mut reads = 0;
    zone.intercept(move |name, set| {
        reads += usize::from(name == "read");
        if reads > 9 {
            set.values = vec![format!("dnslink=/ipfs/{root}")];
        }
        Answer::Go
    });
    tokio::time::pause();
    let outcome = apply(&test.engine, &places, &plan).await.unwrap();
    tokio::time::resume();
    assert!(outcome.targets[0].failure.is_none(), "{outcome:?}");
    assert_ne!(root, former);
}

#[tokio::test]
async fn two_records_become_one() {
    let (test, places, _, zone, former) = set_up().await;
    zone.set().values = vec![format!("dnslink=/ipfs/{former}"), format!("dnslink=/ipfs/{former}/")];
    publish(&test.engine, &places).await;
    assert_eq!(record(&zone), [format!("dnslink=/ipfs/{}", root_of(&test))]);
}

/// What a kind of node can't do is done without, and said before and after.
#[tokio::test]
async fn a_node_with_fewer_capabilities_is_used_without_them() {
    let (test, places, node, zone, former) = set_up().await;
    node.lacks_pin_updates.store(true, Ordering::Relaxed);
    node.lacks_names.store(true, Ordering::Relaxed);
    node.intercept(|call, _| {
        assert!(!["pin_update", "keys", "publish_name", "resolve_name"].contains(&call), "{call}");
        Answer::Go
    });
    let plan = plan_of(&test.engine, &places, &PublishRequest::default()).await.unwrap();
    let planned = &plan.targets[0];
    assert!(planned.notes.iter().any(|note| note.contains("walks the whole root")), "{planned:?}");
    assert!(planned.notes.iter().any(|note| note.contains("can't publish IPNS names")), "{planned:?}");
    assert!(planned.former == Some(former) && planned.chain.len() == 1, "no root between them is pinned: {planned:?}");
    let sent = planned.blocks;
    let outcome = apply(&test.engine, &places, &plan).await.unwrap();
    let target = &outcome.targets[0];
    assert!(target.failure.is_none() && target.ipns_failure.is_some(), "{outcome:?}");
    assert_eq!((target.root, target.blocks), (Some(root_of(&test)), sent), "only what it lacks was sent");
    assert!(node.state().pins.contains_key(&root_of(&test)));
    assert_eq!(record(&zone), [format!("dnslink=/ipfs/{}", root_of(&test))]);
}

#[tokio::test]
async fn a_node_that_does_not_say_what_it_holds_gets_the_difference_and_is_not_checked() {
    let (test, places, node, zone, former) = set_up().await;
    node.lacks_blocks.store(true, Ordering::Relaxed);
    node.intercept(|call, _| {
        assert!(!["holds", "block"].contains(&call), "{call}");
        Answer::Go
    });
    let plan = plan_of(&test.engine, &places, &PublishRequest::default()).await.unwrap();
    let planned = &plan.targets[0];
    assert!(planned.notes.iter().any(|note| note.contains("can't be read from")), "{planned:?}");
    assert_eq!(planned.former, Some(former), "its pin says that it has the former root");
    let before = node.state().blocks.len() as u64;
    let outcome = apply(&test.engine, &places, &plan).await.unwrap();
    assert!(outcome.targets[0].failure.is_none(), "{outcome:?}");
    assert!(planned.blocks < before, "the difference, not all of it");
    assert_whole(&node, &root_of(&test));
    assert_eq!(record(&zone), [format!("dnslink=/ipfs/{}", root_of(&test))]);
    let error = test.engine.verify_target("home", &places, &Job::new().0).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().contains("can't be read from")), (Kind::Usage, true), "{error}");
}

#[tokio::test]
async fn an_ipns_name_that_does_not_move_is_no_success() {
    let (test, places, node, ..) = set_up().await;
    node.intercept(fail_at("publish_name", Kind::Node));
    let outcome = attempt(&test.engine, &places).await.unwrap();
    assert!(outcome.targets[0].failure.is_none());
    assert!(outcome.targets[0].ipns_failure.is_some(), "{outcome:?}");
    assert_eq!(outcome.targets[0].root, Some(root_of(&test)), "everything else has moved");
    node.behave();
    let imports = node.state().imports;
    publish(&test.engine, &places).await;
    assert_eq!(node.state().names["k51self"], format!("/ipfs/{}", root_of(&test)));
    assert_eq!(node.state().imports, imports);
}

#[tokio::test]
async fn a_key_that_the_node_lacks_is_told_by_every_run_until_it_is_there() {
    let (test, places, node, ..) = set_up().await;
    node.state().keys.clear();
    for _ in 0..2 {
        let plan = plan_of(&test.engine, &places, &PublishRequest::default()).await.unwrap();
        let planned = plan.targets[0].ipns_failure.as_ref().unwrap().to_string();
        assert!(planned.contains("no key `self`") && !plan.is_done(), "{plan:?}");
        let outcome = apply(&test.engine, &places, &plan).await.unwrap();
        assert_eq!(outcome.targets[0].ipns_failure.as_ref().unwrap().to_string(), planned);
        assert_eq!(outcome.targets[0].root, Some(root_of(&test)));
    }
    node.state().keys.push(crate::node::Key { name: "self".into(), id: "k51self".into() });
    publish(&test.engine, &places).await;
    assert_eq!(node.state().names["k51self"], format!("/ipfs/{}", root_of(&test)));
}

#[tokio::test]
async fn what_could_not_be_unpinned_is_unpinned_the_next_time() {
    let (test, places, node, ..) = set_up().await;
    publish(&test.engine, &places).await;
    test.put("app", "1", &index("three"));
    test.add(&["app:1"]).await;
    node.intercept(fail_at("unpin", Kind::Node));
    let outcome = attempt(&test.engine, &places).await.unwrap();
    assert!(outcome.targets[0].failure.is_none());
    assert!(node.state().pins.len() > 2);
    node.behave();
    publish(&test.engine, &places).await;
    assert_eq!(node.state().pins.len(), 2);
}

#[tokio::test]
async fn a_damaged_or_missing_blob_is_not_published() {
    for missing in [false, true] {
        let (test, places, node, zone, former) = set_up().await;
        let picture = image("linux/amd64", "soon damaged");
        test.put("app", "2", &picture);
        test.add(&["app:2"]).await;
        let digest = picture.blobs.last().map(|blob| crate::image::Digest::of(blob)).unwrap();
        let path = test.engine.store.path(&digest);
        let whole = std::fs::read(&path).unwrap();
        if missing {
            std::fs::remove_file(&path).unwrap();
            let plan = plan_of(&test.engine, &places, &PublishRequest::default()).await.unwrap();
            assert_eq!(plan.failed[0].error.kind(), Kind::NotFound);
        } else {
            std::fs::write(&path, vec![7; whole.len()]).unwrap();
            let (at, error) = failed(attempt(&test.engine, &places).await.unwrap());
            assert_eq!((at, error.kind()), (PublishStep::HandOver, Kind::Verification), "{error}");
        }
        assert_former(&node, &zone, &former);
        std::fs::write(&path, whole).unwrap();
        publish(&test.engine, &places).await;
    }
}

#[tokio::test]
async fn a_plan_that_another_run_overtook_is_refused() {
    let (test, places, ..) = set_up().await;
    let old = plan_of(&test.engine, &places, &PublishRequest::default()).await.unwrap();
    test.put("app", "1", &index("three"));
    test.add(&["app:1"]).await;
    publish(&test.engine, &places).await;
    let (_, error) = failed(apply(&test.engine, &places, &old).await.unwrap());
    assert_eq!(error.kind(), Kind::Locked);
}

#[tokio::test]
async fn a_later_change_does_not_leak_in_and_the_old_plan_runs() {
    let (test, places, node, zone, _) = set_up().await;
    let plan = plan_of(&test.engine, &places, &PublishRequest::default()).await.unwrap();
    let planned = plan.root;
    test.put("app", "1", &index("three"));
    test.add(&["app:1"]).await;
    // The plan's root is not the catalog's any more, and still whole.
    assert!(apply(&test.engine, &places, &plan).await.unwrap().targets[0].failure.is_none());
    assert_eq!(record(&zone), [format!("dnslink=/ipfs/{planned}")]);
    assert_whole(&node, &planned);
}

#[tokio::test]
async fn a_cancelled_publication_is_continued() {
    let (test, places, node, zone, former) = set_up().await;
    let plan = plan_of(&test.engine, &places, &PublishRequest::default()).await.unwrap();
    let (job, watch) = Job::new();
    let cancel = watch.cancel.clone();
    node.intercept(move |name, _| {
        if name == "imported" {
            cancel.cancel();
        }
        Answer::Go
    });
    let result = job.run(async |job: &Job| test.engine.apply_publish(&plan, &places, job).await).await;
    assert_eq!(result.unwrap_err().kind(), Kind::Interrupted);
    node.behave();
    assert_former(&node, &zone, &former);
    let imports = node.state().imports;
    publish(&test.engine, &places).await;
    assert_eq!(node.state().imports, imports);
}

/// What a restored catalog finds: its own root, named and pinned by a catalog that is lost.
#[tokio::test]
async fn a_catalog_that_comes_anew_goes_on_from_what_it_stands_for() {
    let (test, places, node, zone, former) = set_up().await;
    publish(&test.engine, &places).await;
    let root = root_of(&test);
    let mut again = TestPlaces::default();
    let fresh = TestEngine::with(test.registry.clone(), None);
    fresh.add(&["app:1"]).await;
    assert_eq!(root_of(&fresh), root);
    again.add(&fresh.engine, "home", 2);
    again.nodes.insert("home".into(), Arc::<FakeNode>::clone(&node));
    again.zones.insert("home".into(), Arc::clone(&zone));
    let imports = node.state().imports;
    publish(&fresh.engine, &again).await;
    assert_eq!(node.state().imports, imports, "it is all there");
    fresh.put("app", "1", &index("three"));
    fresh.add(&["app:1"]).await;
    publish(&fresh.engine, &again).await;
    assert_eq!(record(&zone), [format!("dnslink=/ipfs/{}", root_of(&fresh))]);
    assert!(node.state().pins.contains_key(&former), "what the lost one pinned is not ours to unpin");
}

#[tokio::test]
async fn nothing_is_published_of_what_is_not_there() {
    let (test, places, ..) = set_up().await;
    let nowhere: Cid = "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354".parse().unwrap();
    let request = PublishRequest { root: Some(nowhere), ..PublishRequest::default() };
    assert_eq!(plan_of(&test.engine, &places, &request).await.unwrap_err().kind(), Kind::NotFound);
    let request = PublishRequest { targets: vec!["away".into()], ..PublishRequest::default() };
    assert_eq!(plan_of(&test.engine, &places, &request).await.unwrap_err().kind(), Kind::NotFound);
    let empty = TestEngine::new().await;
    assert!(plan_of(&empty.engine, &TestPlaces::default(), &PublishRequest::default()).await.is_err());
}
