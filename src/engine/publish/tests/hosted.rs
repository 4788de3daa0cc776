//! Publishing to static hosts: in which order, what is not done twice, whose hand is noticed, what leaves when.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::fake_host::{Answer, FakeHost};
use super::*;
use crate::catalog::host_objects;
use crate::engine::tests::index;
use crate::error::Kind;
use crate::hosts::Host;
use crate::site::objects::RECORD_KEY;

/// Seconds of a day.
const DAY: i64 = 86_400;

#[derive(Debug)]
struct Hosted {
    host: Arc<FakeHost>,
}

impl Places for Hosted {
    fn host(&self, _: &Target) -> Result<Option<Arc<dyn Host>>> {
        Ok(Some(Arc::<FakeHost>::clone(&self.host)))
    }

    fn node(&self, _: &Target) -> Result<Arc<dyn Node>> {
        unreachable!("it is no node")
    }

    fn zone(&self, _: &Target) -> Result<Option<Arc<dyn Zone>>> {
        Ok(None)
    }

    fn warnings(&self, _: &Target) -> Vec<String> {
        Vec::new()
    }
}

impl Hosted {
    fn new(test: &TestEngine) -> Self {
        Self::beside(test, &FakeHost::new())
    }

    /// The same host as a target of this catalog.
    fn beside(test: &TestEngine, host: &Arc<FakeHost>) -> Self {
        let settings = TargetSettings {
            node: NodeSettings::s3("s3://registry"),
            keep: 3,
            ipns: None,
            dnslink: None,
            gateways: Vec::new(),
        };
        test.engine.catalog.write(|writer| targets::save(writer, "bucket", &settings, 1)).unwrap();
        Self { host: Arc::clone(host) }
    }

    async fn plan(&self, test: &TestEngine, force: bool) -> Result<PublishPlan> {
        let request = PublishRequest { force, ..PublishRequest::default() };
        let (engine, places) = (&test.engine, self);
        Job::new().0.run(async |job: &Job| engine.plan_publish(&request, places, job).await).await
    }

    async fn apply(&self, test: &TestEngine, plan: &PublishPlan) -> PublishOutcome {
        let (engine, places) = (&test.engine, self);
        Job::new().0.run(async |job: &Job| engine.apply_publish(plan, places, job).await).await.unwrap()
    }

    /// Publishes, which must succeed and leave nothing to do.
    async fn publish(&self, test: &TestEngine) -> PublishOutcome {
        let plan = self.plan(test, false).await.unwrap();
        assert!(plan.failed.is_empty(), "{:?}", plan.failed);
        let outcome = self.apply(test, &plan).await;
        assert!(outcome.targets[0].failure.is_none(), "{outcome:?}");
        self.host.assert_pullable();
        let lists = self.host.state().lists;
        let again = self.plan(test, false).await.unwrap();
        assert!(again.is_done(), "{again:?}");
        assert_eq!(self.host.state().lists, lists, "the record is still ours: nothing is listed");
        outcome
    }

    /// What would be published, or why not.
    async fn refusal(&self, test: &TestEngine) -> crate::error::Error {
        self.plan(test, false).await.unwrap().failed.remove(0).error
    }
}

fn id(test: &TestEngine) -> i64 {
    targets::by_name(&test.engine.catalog.read().unwrap(), "bucket").unwrap().unwrap().id
}

/// All that nothing needs has been unneeded for this long.
fn age(test: &TestEngine, days: i64) {
    let target = id(test);
    let rows = host_objects::after(&test.engine.catalog.read().unwrap(), target, "", 10_000).unwrap();
    test.engine
        .catalog
        .write(|writer| {
            rows.iter().filter(|row| row.unneeded_since.is_some()).try_for_each(|row| {
                let since = row.unneeded_since.map(|since| since - days * DAY);
                host_objects::set_unneeded(writer, target, &row.key, since)
            })
        })
        .unwrap();
}

/// The host was last listed so long ago that what is remembered of it counts no more.
fn forget_list(test: &TestEngine) {
    let target = id(test);
    test.engine
        .catalog
        .write(|writer| host_objects::set_listed(writer, target, Some(crate::engine::now() - 2 * DAY)))
        .unwrap();
}

#[tokio::test]
async fn everything_goes_in_order_and_nothing_twice() {
    let test = TestEngine::new().await;
    let places = Hosted::new(&test);
    test.put("app", "1", &index("one"));
    test.add(&["app:1"]).await;
    let first = root_of(&test);
    places.publish(&test).await;
    let calls = std::mem::take(&mut places.host.state().calls);
    let place = |part: &str| {
        let found = calls.iter().position(|(_, key)| key.contains(part));
        found.unwrap_or_else(|| panic!("{part}: {calls:?}"))
    };
    assert_eq!((calls[0].1.as_str(), calls.last().unwrap().1.as_str()), (RECORD_KEY, RECORD_KEY));
    let order = ["/blobs/", "/manifests/sha256:", "/manifests/1", "/tags/list", "_catalog"].map(place);
    assert!(order.is_sorted(), "{order:?}");
    assert!(calls.iter().any(|(_, key)| key == "v2/") && calls.iter().any(|(_, key)| key == "index.html"));
    assert!(!calls.iter().any(|(_, key)| key.starts_with("oci/")), "{calls:?}");

    // A tag moves: its own objects go, and what lists it.
    test.put("app", "1", &index("two"));
    test.add(&["app:1"]).await;
    let outcome = places.publish(&test).await;
    let calls = std::mem::take(&mut places.host.state().calls);
    assert!(calls.iter().all(|(what, _)| *what == "put"), "{calls:?}");
    assert!(!calls.iter().any(|(_, key)| key == "style.css" || key == "v2/"), "{calls:?}");
    assert_eq!(calls.len() as u64, outcome.targets[0].blocks + 2, "and the record twice");

    // Back: what the former root had is still there.
    let request = PublishRequest { root: Some(first), ..PublishRequest::default() };
    let plan =
        Job::new().0.run(async |job: &Job| test.engine.plan_publish(&request, &places, job).await).await.unwrap();
    places.apply(&test, &plan).await;
    let calls = std::mem::take(&mut places.host.state().calls);
    assert!(!calls.iter().any(|(_, key)| key.contains("sha256:")), "{calls:?}");
    places.host.assert_pullable();
}

#[tokio::test]
async fn what_nothing_needs_leaves_after_its_time_and_a_tag_at_once() {
    let test = TestEngine::new().await;
    let places = Hosted::new(&test);
    test.put("app", "1", &index("one"));
    test.put("other", "1", &index("other"));
    test.add(&["app:1", "other:1"]).await;
    places.publish(&test).await;
    places.host.state().objects.insert("somebody/else".into(), (bytes::Bytes::new(), "x".into()));
    test.remove("other").await;
    places.publish(&test).await;
    let gone = |places: &Hosted| -> Vec<String> {
        let mut state = places.host.state();
        std::mem::take(&mut state.calls).into_iter().filter(|(what, _)| *what == "delete").map(|(_, key)| key).collect()
    };
    let at_once = gone(&places);
    assert!(at_once.iter().any(|key| key.ends_with("/other/manifests/1")), "{at_once:?}");
    assert!(!at_once.iter().any(|key| key.contains("sha256:")), "{at_once:?}");
    age(&test, 6);
    assert!(places.plan(&test, false).await.unwrap().is_done());
    age(&test, 2);
    let plan = places.plan(&test, false).await.unwrap();
    let objects = plan.targets[0].host.as_ref().unwrap().objects;
    assert!(objects.deleted > 0 && objects.stored == 0, "{objects:?}");
    places.apply(&test, &plan).await;
    let later = gone(&places);
    assert_eq!(later.len() as u64, objects.deleted);
    assert!(later.iter().all(|key| key.contains("/other/") && key.contains("sha256:")), "{later:?}");
    assert!(places.host.state().objects.contains_key("somebody/else"), "what is not ours stays");
    assert!(places.plan(&test, false).await.unwrap().is_done());
}

#[tokio::test]
async fn killed_before_and_after_each_call_it_goes_on_where_it_was() {
    let test = TestEngine::new().await;
    let places = Hosted::new(&test);
    test.put("app", "0", &index("anchor"));
    test.add(&["app:0"]).await;
    places.publish(&test).await;
    let mut turns = 0;
    for number in 0_usize.. {
        test.put("app", "1", &index(&format!("app {number}")));
        test.add(&["app:1"]).await;
        let plan = places.plan(&test, false).await.unwrap();
        assert!(plan.failed.is_empty(), "cut {number}: {:?}", plan.failed);
        places.host.state().calls.clear();
        let turn = Arc::new(AtomicUsize::new(0));
        places.host.intercept(
            move |_, _| {
                if turn.fetch_add(1, Ordering::SeqCst) == number { Answer::Hang } else { Answer::Go }
            },
        );
        let was_cut = tokio::select! {
            () = places.host.hung() => true,
            outcome = places.apply(&test, &plan) => {
                assert!(outcome.targets[0].failure.is_none(), "{outcome:?}");
                false
            }
        };
        places.host.behave();
        places.host.assert_pullable();
        if !was_cut {
            turns = number;
            break;
        }
        places.publish(&test).await;
        let mut keys: Vec<String> = places.host.state().calls.iter().map(|(_, key)| key.clone()).collect();
        keys.retain(|key| key != RECORD_KEY);
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), all, "cut {number}: something was stored twice");
    }
    assert!(turns > 12, "{turns}");
}

#[tokio::test]
async fn a_second_publisher_is_noticed_before_anything_is_stored() {
    let (test, other) = (TestEngine::new().await, TestEngine::new().await);
    let places = Hosted::new(&test);
    let others = Hosted::beside(&other, &places.host);
    for engine in [&test, &other] {
        engine.put("app", "1", &index("one"));
        engine.add(&["app:1"]).await;
    }
    // Both plan while there is nothing; the second one to begin finds the other's record.
    let (one, two) = (places.plan(&test, false).await.unwrap(), others.plan(&other, false).await.unwrap());
    assert!(places.apply(&test, &one).await.targets[0].failure.is_none());
    places.host.state().calls.clear();
    let outcome = others.apply(&other, &two).await;
    let (_, error) = outcome.targets[0].failure.as_ref().unwrap();
    assert_eq!(error.kind(), Kind::Locked, "{error}");
    assert!(places.host.state().calls.is_empty());
    let error = others.refusal(&other).await;
    assert!(error.kind() == Kind::Locked && error.to_string().contains("was published to by"), "{error}");
    // Taken over, it is the first one's turn to notice.
    let plan = others.plan(&other, true).await.unwrap();
    assert!(others.apply(&other, &plan).await.targets[0].failure.is_none());
    test.put("app", "1", &index("two"));
    test.add(&["app:1"]).await;
    assert_eq!(places.refusal(&test).await.kind(), Kind::Locked);
}

#[tokio::test]
async fn a_tag_that_somebody_else_moved_stays_theirs() {
    let test = TestEngine::new().await;
    let places = Hosted::new(&test);
    test.put("app", "1", &index("one"));
    test.add(&["app:1"]).await;
    places.publish(&test).await;
    let key = format!("v2/{}/manifests/1", test.published("app"));
    places.host.state().objects.insert(key.clone(), (bytes::Bytes::from_static(b"{}"), "theirs".into()));
    forget_list(&test);
    let error = places.refusal(&test).await;
    assert!(error.kind() == Kind::Locked && error.to_string().contains(&key), "{error}");
    assert_eq!(places.host.state().objects[&key].1, "theirs");
    let plan = places.plan(&test, true).await.unwrap();
    assert!(places.apply(&test, &plan).await.targets[0].failure.is_none());
    assert_ne!(places.host.state().objects[&key].1, "theirs");
    // In between plan and run, it is the condition that notices.
    test.put("app", "1", &index("two"));
    test.add(&["app:1"]).await;
    let plan = places.plan(&test, false).await.unwrap();
    places.host.state().objects.insert(key.clone(), (bytes::Bytes::from_static(b"{}"), "theirs".into()));
    let outcome = places.apply(&test, &plan).await;
    assert_eq!(outcome.targets[0].failure.as_ref().unwrap().1.kind(), Kind::Locked, "{outcome:?}");
    assert_eq!(places.host.state().objects[&key].1, "theirs");
    // The next plan looks, and names it.
    let error = places.refusal(&test).await;
    assert!(error.kind() == Kind::Locked && error.to_string().contains(&key), "{error}");
}

#[tokio::test]
async fn a_host_that_loses_fails_or_looks_away_is_lived_with() {
    let test = TestEngine::new().await;
    let places = Hosted::new(&test);
    test.put("app", "1", &index("one"));
    test.add(&["app:1"]).await;
    // Full after some objects: what is there stays, and the next one goes on.
    let turn = AtomicUsize::new(0);
    places.host.intercept(move |what, _| match what {
        "put" if turn.fetch_add(1, Ordering::SeqCst) >= 4 => Answer::Fail("the fake host is full"),
        _ => Answer::Go,
    });
    let plan = places.plan(&test, false).await.unwrap();
    let outcome = places.apply(&test, &plan).await;
    assert!(outcome.targets[0].failure.as_ref().unwrap().1.to_string().contains("full"), "{outcome:?}");
    places.host.behave();
    places.publish(&test).await;
    // It loses a blob, and cuts another one short.
    let keys: Vec<String> = places.host.state().objects.keys().filter(|key| key.contains("/blobs/")).cloned().collect();
    places.host.state().objects.remove(&keys[0]);
    places.host.state().objects.get_mut(&keys[1]).unwrap().0 = bytes::Bytes::from_static(b"cut");
    forget_list(&test);
    let plan = places.plan(&test, false).await.unwrap();
    let planned = &plan.targets[0];
    assert!(planned.notes.iter().any(|note| note.contains("stored again")), "{planned:?}");
    assert_eq!(planned.host.as_ref().unwrap().objects.stored, 2);
    places.apply(&test, &plan).await;
    let job = Job::new().0;
    assert!(test.engine.verify_target("bucket", &places, &job).await.unwrap().is_whole());
    // Other bytes of the same size are found by reading.
    {
        let mut state = places.host.state();
        let (bytes, _) = state.objects.get_mut(&keys[1]).unwrap();
        *bytes = vec![0; bytes.len()].into();
    }
    let walked = test.engine.verify_target("bucket", &places, &job).await.unwrap();
    assert_eq!((walked.damaged, walked.named.as_slice()), (1, &keys[1..2]));
    // One that ignores conditions is written to all the same.
    places.host.state().ignores_conditions = true;
    test.put("app", "1", &index("two"));
    test.add(&["app:1"]).await;
    places.publish(&test).await;
}

#[tokio::test]
async fn while_the_record_is_the_same_a_host_is_listed_once_a_day() {
    let test = TestEngine::new().await;
    let places = Hosted::new(&test);
    test.put("app", "1", &index("one"));
    test.add(&["app:1"]).await;
    places.publish(&test).await;
    let asked = || {
        let mut state = places.host.state();
        (std::mem::take(&mut state.lists), std::mem::take(&mut state.reads))
    };
    asked();
    // A tag moves: the record is read once, by the plan, and written under a condition by the run.
    test.put("app", "1", &index("two"));
    test.add(&["app:1"]).await;
    let plan = places.plan(&test, false).await.unwrap();
    places.apply(&test, &plan).await;
    assert_eq!(asked(), (0, 1));
    places.host.assert_pullable();
    // After a day it is listed, also where there is nothing new; then not for another day.
    forget_list(&test);
    assert!(places.plan(&test, false).await.unwrap().is_done());
    assert_eq!(asked().0, 1);
    assert!(places.plan(&test, false).await.unwrap().is_done());
    assert_eq!(asked(), (0, 1));
    // So it is by who forces it, and where the target may be another place.
    assert!(places.plan(&test, true).await.unwrap().is_done());
    assert_eq!(asked().0, 1);
    let places = Hosted::beside(&test, &places.host);
    assert!(places.plan(&test, false).await.unwrap().is_done());
    assert_eq!(asked().0, 1);
}

#[tokio::test]
async fn what_a_stranger_deletes_is_stored_again_once_it_is_missed() {
    let test = TestEngine::new().await;
    let places = Hosted::new(&test);
    test.put("app", "1", &index("one"));
    test.add(&["app:1"]).await;
    places.publish(&test).await;
    let lost = {
        let mut state = places.host.state();
        let lost = state.objects.keys().find(|key| key.contains("/blobs/")).unwrap().clone();
        state.objects.remove(&lost);
        lost
    };
    assert!(places.plan(&test, false).await.unwrap().is_done(), "nobody has missed it yet");
    let walked = test.engine.verify_target("bucket", &places, &Job::new().0).await.unwrap();
    assert_eq!(walked.missing, 1);
    let plan = places.plan(&test, false).await.unwrap();
    assert_eq!(plan.targets[0].host.as_ref().unwrap().objects.stored, 1);
    places.apply(&test, &plan).await;
    assert!(places.host.state().objects.contains_key(&lost));
    // A record that somebody deletes is no longer the one that was written.
    places.host.state().objects.remove(RECORD_KEY);
    places.host.state().objects.remove(&lost);
    let plan = places.plan(&test, false).await.unwrap();
    places.apply(&test, &plan).await;
    let state = places.host.state();
    assert!(state.objects.contains_key(&lost) && state.objects.contains_key(RECORD_KEY));
}

#[tokio::test]
async fn what_a_cut_run_may_have_deleted_is_looked_for() {
    let test = TestEngine::new().await;
    let places = Hosted::new(&test);
    test.put("app", "1", &index("one"));
    test.add(&["app:1"]).await;
    let first = root_of(&test);
    places.publish(&test).await;
    test.put("app", "1", &index("two"));
    test.add(&["app:1"]).await;
    places.publish(&test).await;
    age(&test, 8);
    let plan = places.plan(&test, false).await.unwrap();
    assert!(plan.targets[0].host.as_ref().unwrap().objects.deleted > 1);
    // The kill comes when objects are gone of which that is not written down.
    places.host.intercept(|what, _| if what == "deleted" { Answer::Hang } else { Answer::Go });
    tokio::select! {
        () = places.host.hung() => {}
        outcome = places.apply(&test, &plan) => panic!("{outcome:?}"),
    }
    places.host.behave();
    let request = PublishRequest { root: Some(first), ..PublishRequest::default() };
    let plan =
        Job::new().0.run(async |job: &Job| test.engine.plan_publish(&request, &places, job).await).await.unwrap();
    let outcome = places.apply(&test, &plan).await;
    assert!(outcome.targets[0].failure.is_none(), "{outcome:?}");
    places.host.assert_pullable();
}
