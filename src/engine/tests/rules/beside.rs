//! What a run does besides its rules: a lock, what no rule selects, and what is taken for a rule by hand.

use super::*;
use crate::rules::Lock;

async fn locked(test: &TestEngine, lock: &Lock, force: bool) -> RulePlan {
    let mut plan = Job::new().0.run(async |job: &Job| test.engine.plan_locked(lock, job).await).await.unwrap();
    test.engine.plan_beyond_lock(lock, force, &mut plan).unwrap();
    plan
}

#[tokio::test]
async fn a_lock_removes_what_rules_brought_beyond_it_and_names_the_rest() {
    let test = TestEngine::new().await;
    for tag in ["1.0", "1.1", "1.2"] {
        test.put("app", tag, &index(tag));
    }
    test.put("other", "1", &index("other"));
    let rules = rules(&[rule(&test, "app", &["#.#"], 0)]);
    run(&test, &rules).await;
    let (lock, _) = test.engine.lock_of_images().unwrap();
    let root = test.root();
    test.put("app", "1.3", &index("1.3"));
    run(&test, &rules).await;
    assert_ne!(test.root(), root);
    let plan = locked(&test, &lock, false).await;
    assert_eq!(plan.rules[0].removed, [test.published("app:1.3")]);
    assert!(plan.beyond.is_empty());
    carry_out(&test, plan).await;
    assert_eq!(test.root(), root);
    // By hand, and more than half.
    test.add(&["other:1"]).await;
    for tag in ["2.0", "2.1", "2.2", "2.3"] {
        test.put("app", tag, &index(tag));
    }
    run(&test, &rules).await;
    let braked = locked(&test, &lock, false).await;
    assert!(braked.rules[0].brake.is_some() && braked.is_empty());
    assert_eq!(braked.beyond, [test.published("other:1")]);
    carry_out(&test, locked(&test, &lock, true).await).await;
    assert_eq!((tags(&test, "app").len(), tags(&test, "other").len()), (3, 1));
}

#[tokio::test]
async fn a_run_and_what_is_beside_it_are_undone_as_one() {
    let test = TestEngine::new().await;
    for tag in ["1.0", "1.1"] {
        test.put("app", tag, &index(tag));
    }
    test.put("other", "latest", &index("old"));
    test.add(&["other:latest"]).await;
    let all = rules(&[Rule { leave: Kept::For("0s".parse().unwrap()), ..rule(&test, "app", &["#.#"], 2) }]);
    run(&test, &all).await;
    let root = test.root();
    test.put("app", "1.2", &index("1.2"));
    test.put("other", "latest", &index("new"));
    let mut both = plan(&test, &all).await;
    let beside = Job::new().0.run(async |job: &Job| test.engine.plan_update_beside_rules(job).await).await.unwrap();
    both.beside = beside;
    let updated = carry_out(&test, both).await;
    assert_eq!((updated.added.recorded.len(), updated.removed.len()), (2, 1));
    let undo = test.engine.plan_undo().unwrap();
    assert_eq!((undo.verb.as_str(), undo.returns.len(), undo.goes.len()), ("update", 2, 1));
    Job::new().0.run(async |job: &Job| test.engine.apply_undo(&undo, job).await).await.unwrap();
    assert_eq!(test.root(), root);
}

#[tokio::test]
async fn what_is_taken_for_a_rule_stays_the_rules() {
    let test = TestEngine::new().await;
    test.put("app", "1.0", &index("old"));
    let refusing = |newest| Rule {
        moves: Moves::Refuse,
        leave: Kept::For("0s".parse().unwrap()),
        age: Some("3d".parse().unwrap()),
        ..rule(&test, "app", &["#.#"], newest)
    };
    run(&test, &rules(&[refusing(0)])).await;
    let digest = test.put("app", "1.0", &index("new"));
    assert_eq!(run(&test, &rules(&[refusing(0)])).await[0].refused.len(), 1);
    test.put("app", "1.1", &index("young"));
    assert_eq!(run(&test, &rules(&[refusing(0)])).await[0].held.len(), 1);
    for what in ["app:1.0", "app:1.1"] {
        let request = AddRequest { selection: None, rule: Some("app".to_owned()), ..test.request(what) };
        let taken = Job::new().0.run(async |job: &Job| test.engine.plan_add(&[request], job).await).await.unwrap();
        test.apply(taken).await.unwrap();
    }
    assert_eq!(test.engine.images(&test.pick("app:1.0")).unwrap()[0].digest, digest);
    let rows = test.engine.images_of_rule("app").unwrap();
    assert!(rows.len() == 2 && rows.iter().all(|(row, _)| row.brought), "{rows:?}");
    pass(&test, 3 * DAY);
    assert_eq!(run(&test, &rules(&[refusing(1)])).await[0].removed.len(), 1);
    assert_eq!(tags(&test, "app"), ["1.1"]);
}
