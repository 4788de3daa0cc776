//! What differs between two roots is what was done between them.

use super::*;
use crate::engine::query::diff::{ChangeKind, RepositoryChange};

/// `name kind: tag kind, tag kind`, with moved digests as `tag moved`.
fn shown(changes: &[RepositoryChange]) -> Vec<String> {
    let kind = |kind| match kind {
        ChangeKind::Added => "added",
        ChangeKind::Changed => "changed",
        ChangeKind::Removed => "removed",
    };
    let of = |change: &RepositoryChange| {
        let tags = change.tags.iter().map(|tag| {
            let moved = tag.kind == ChangeKind::Changed && tag.before != tag.after;
            format!("{} {}", tag.tag, if moved { "moved" } else { kind(tag.kind) })
        });
        let name = change.repository.split_once('/').unwrap().1;
        format!("{name} {}: {}", kind(change.kind), tags.collect::<Vec<_>>().join(", "))
    };
    changes.iter().map(of).collect()
}

fn between(test: &TestEngine, before: Option<cid::Cid>, after: cid::Cid) -> Vec<String> {
    shown(&Engine::diff_roots(&test.engine.catalog.read().unwrap(), before, after).unwrap())
}

#[tokio::test]
async fn every_kind_of_change_is_said() {
    let test = TestEngine::new().await;
    let root = || test.engine.root().unwrap().unwrap();
    let empty = root();
    test.put("app", "1", &index("one"));
    test.put("app", "2", &index("two"));
    test.put("app/sub", "1", &image("linux/amd64", "one"));
    test.put("gone", "1", &image("linux/amd64", "gone"));
    test.add(&["app:1", "app:2", "app/sub:1", "gone:1"]).await;
    let before = root();
    let all = ["app added: 1 added, 2 added", "app/sub added: 1 added", "gone added: 1 added"];
    assert_eq!(between(&test, None, before), all);
    assert_eq!(between(&test, Some(empty), before), all);
    assert_eq!(between(&test, Some(before), before), [""; 0]);

    test.put("app", "2", &index("three"));
    test.put("new", "1", &image("linux/amd64", "new"));
    test.add(&["app:2", "new:1"]).await;
    test.remove("gone").await;
    test.remove("app:1").await;
    let after = root();
    assert_eq!(
        between(&test, Some(before), after),
        ["app changed: 1 removed, 2 moved", "gone removed: 1 removed", "new added: 1 added"]
    );
    let back = between(&test, Some(after), before);
    assert_eq!(back, ["app changed: 1 added, 2 moved", "gone added: 1 added", "new removed: 1 removed"]);
}

#[tokio::test]
async fn bytes_and_platforms_are_those_that_only_one_root_has() {
    let test = TestEngine::new().await;
    let root = || test.engine.root().unwrap().unwrap();
    test.put("app", "1", &index("one"));
    let sparse = AddRequest { selection: Some("linux/amd64".parse().unwrap()), ..test.request("app:1") };
    let plan = test.engine.plan_add(&[sparse], &Job::new().0).await.unwrap();
    test.apply(plan).await.unwrap();
    let before = root();
    let stored = test.engine.statistics().unwrap().stored;
    test.add(&["app:1"]).await;
    // The same image once more, under another name: nothing that is not here.
    test.put("other", "1", &index("one"));
    test.add(&["other:1"]).await;
    let difference = test.engine.diff(&before, &root()).unwrap();
    assert_eq!(difference.added.bytes, test.engine.statistics().unwrap().stored - stored);
    assert_eq!(difference.removed, crate::engine::query::diff::Amount::default());
    let [app, other] = difference.repositories.as_slice() else { panic!("{difference:?}") };
    let tag = &app.tags[0];
    assert_eq!(
        (tag.platforms_added.as_slice(), tag.platforms_removed.len()),
        (["linux/arm64".to_owned()].as_slice(), 0)
    );
    assert_eq!((tag.change.kind, tag.change.before), (ChangeKind::Changed, tag.change.after));
    assert_eq!((other.kind, other.tags[0].platforms_added.len()), (ChangeKind::Added, 2));
    let back = test.engine.diff(&root(), &before).unwrap();
    assert_eq!((back.removed, back.added), (difference.added, difference.removed));
}

/// So many tags that their records are in parts.
#[tokio::test]
async fn a_tag_among_many_is_found_in_its_part() {
    let test = TestEngine::new().await;
    let root = || test.engine.root().unwrap().unwrap();
    let one = image("linux/amd64", "one");
    let mut names = Vec::new();
    for number in 0..300 {
        test.put("app", &format!("t{number}"), &one);
        names.push(format!("app:t{number}"));
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    test.add(&names[..10]).await;
    let few = root();
    test.add(&names).await;
    let before = root();
    assert_eq!(between(&test, Some(few), before)[0].matches(" added").count(), 290);
    test.put("app", "t77", &image("linux/amd64", "two"));
    test.add(&["app:t77"]).await;
    assert_eq!(between(&test, Some(before), root()), ["app changed: t77 moved"]);
    test.remove("app:t5").await;
    assert_eq!(between(&test, Some(before), root()), ["app changed: t5 removed, t77 moved"]);
}

#[tokio::test]
async fn a_root_that_is_not_here_is_said_to_be_so() {
    let test = TestEngine::new().await;
    let unknown: cid::Cid = "bafybeidskjjd4zmr7oh6ku6wp72vvbxyibcli2r6if3ocdcy7jjjusvl2u".parse().unwrap();
    let root = test.engine.root().unwrap().unwrap();
    assert_eq!(test.engine.diff(&unknown, &root).unwrap_err().kind(), crate::error::Kind::NotFound);
    assert_eq!(test.engine.root_named("now").unwrap(), root);
    assert_eq!(test.engine.root_named(&format!("/ipfs/{root}/")).unwrap(), root);
    assert_eq!(test.engine.root_named("nonsense").unwrap_err().kind(), crate::error::Kind::Usage);
}
