//! What is believed of a tree: nothing that would send passwords in clear, take another one's name, or end up in a command.

use std::collections::BTreeMap;

use super::restore::{apply, plan, records, restore};
use super::restore_hostile::{Forged, forged};
use super::*;
use crate::catalog::repositories;
use crate::engine::restore::{Place, Purpose};
use crate::error::Kind;
use crate::unixfs::{Link, tree};

const IMPORT: Purpose = Purpose::Import { replace: false };

fn fresh() -> (tempfile::TempDir, Arc<Engine>) {
    let directory = tempfile::tempdir().unwrap();
    let engine = Engine::open(options(directory.path(), None)).unwrap();
    (directory, engine)
}

/// Whether a request that says nothing of it is asked over plain HTTP by choice.
async fn is_insecure(engine: &Arc<Engine>, request: &AddRequest) -> bool {
    let request = AddRequest { insecure: None, ..request.clone() };
    let plan = engine.plan_add(&[request], &Job::new().0).await.unwrap();
    assert!(plan.failed.is_empty(), "{:?}", plan.failed);
    plan.images[0].insecure
}

#[tokio::test]
async fn nobody_is_asked_over_plain_http_because_a_tree_says_so() {
    let test = TestEngine::new().await;
    test.put("app", "1", &image("linux/amd64", "one"));
    test.put("other", "1", &image("linux/amd64", "other"));
    test.add(&["app:1"]).await;
    let from = test.export("tree.car").await;

    let restored = restore(&from, None, false).await.unwrap();
    let (app, other) = (test.request("app:1"), test.request("other:1"));
    assert_eq!(restored.engine.root().unwrap(), test.engine.root().unwrap(), "the record says it still");
    assert!(!is_insecure(&restored.engine, &app).await);
    assert!(!is_insecure(&restored.engine, &other).await);
    let known = restored.engine.catalog.read().unwrap();
    let known = repositories::by_name(&known, test.name("app").as_str()).unwrap().unwrap();
    assert!(!restored.engine.asks_plain_http(&known, known.upstream.as_ref().unwrap()).unwrap());
    // Looking for news changes nothing of it either.
    let update = restored.engine.plan_update(&[], &Job::new().0).await.unwrap();
    assert_eq!((update.images[0].insecure, update.images[0].change), (false, Change::Unchanged));
    // Nor does what is taken out and comes back.
    let removing = restored.engine.plan_remove(&[test.pick("app:1")]).unwrap();
    Job::new().0.run(async |job: &Job| restored.engine.apply_remove(&removing, job).await).await.unwrap();
    let undoing = restored.engine.plan_undo().unwrap();
    Job::new().0.run(async |job: &Job| restored.engine.apply_undo(&undoing, job).await).await.unwrap();
    assert_eq!(restored.engine.root().unwrap(), test.engine.root().unwrap());
    assert!(!is_insecure(&restored.engine, &other).await);

    let (_directory, engine) = fresh();
    let read = records(&from, None).await.unwrap();
    let planned = plan(&engine, &read, IMPORT).await.unwrap();
    assert!(planned.repositories[0].plain_http_there);
    apply(&engine, &planned, None).await.unwrap();
    assert!(!is_insecure(&engine, &app).await);
    assert!(!is_insecure(&engine, &other).await);
    // Choosing it is another thing, and is said.
    let chosen = engine.plan_add(std::slice::from_ref(&app), &Job::new().0).await.unwrap();
    assert!(chosen.images[0].plain_http && chosen.images[0].changes[0].contains("plain HTTP"), "{:?}", chosen.images);
    Job::new().0.run(async |job: &Job| engine.apply_add(chosen, "add", job).await).await.unwrap();
    assert!(is_insecure(&engine, &app).await && is_insecure(&engine, &other).await);
    // An import does not take that back.
    let again = plan(&engine, &read, IMPORT).await.unwrap();
    assert!(again.is_empty() && !again.repositories[0].plain_http_there);
}

#[tokio::test]
async fn fields_are_what_this_program_writes_or_the_tree_is_refused() {
    let (test, path, _) = forged().await;
    let record = format!("catalog/{}/_repository.json", test.name("app"));
    let registry = format!("\"registry\":\"{}\"", test.registry.host());
    let host = |name: &str| format!("\"registry\":\"{name}\"");
    let cases: Vec<(&str, String, String, &str)> = vec![
        (&record, "\"alias\":null".into(), "\"alias\":\"nginx\"".into(), "second name"),
        // Right for the upstream, and not under this name.
        (
            &record,
            format!("\"alias\":null,\"upstream\":{{{registry},\"repository\":\"app\""),
            format!("\"alias\":\"app\",\"upstream\":{{{},\"repository\":\"library/app\"", host("docker.io")),
            "second name",
        ),
        (&record, registry.clone(), host("$(touch x).io"), "not a repository at a registry"),
        (&record, registry.clone(), host("a.io --insecure"), "not a repository at a registry"),
        (&record, registry.clone(), host("index.docker.io"), "not a repository at a registry"),
        (&record, "\"selection\":\"all\"".into(), "\"selection\":{\"only\":[]}".into(), "no platform"),
        (
            &record,
            "\"selection\":\"all\"".into(),
            "\"selection\":{\"only\":[{\"os\":\"a b\",\"architecture\":\"c\"}]}".into(),
            "not a platform",
        ),
        (
            &record,
            "\"default_platform\":{\"os\":\"linux\"".into(),
            "\"default_platform\":{\"os\":\"li nux\"".into(),
            "not a platform",
        ),
        (&record, "\"media_type\":".into(), "\"media_type\":\"text/html\",\"x\":".into(), "type of manifests"),
        (&record, "\"selection\":".into(), "\"upstream_tag\":\"a b\",\"selection\":".into(), "not a tag"),
        ("catalog.json", "\"name\":null".into(), "\"name\":\"$(id)\"".into(), "host name"),
        ("catalog.json", "\"name\":null".into(), "\"name\":\"\"".into(), "host name"),
    ];
    for (at, what, lie, words) in cases {
        let mut forged = Forged::read(&path);
        forged.replace(at, &what, &lie);
        let target = path.with_extension("forged.car");
        forged.write(&target);
        let error = records(&target, None).await.err().unwrap_or_else(|| panic!("{lie} was taken"));
        assert!(error.to_string().contains(words), "{lie}: {error}");
        assert_eq!(error.kind(), Kind::Verification, "{lie}: {error}");
    }
}

#[tokio::test]
async fn records_contradict_neither_themselves_nor_each_other() {
    let (test, path, mut forged) = forged().await;
    let at = format!("catalog/{}/_repository.json", test.name("app"));
    let text = forged.text(&at);
    let record: serde_json::Value = serde_json::from_str(&text).unwrap();
    for (lie, words) in [
        (serde_json::json!({}), "has 1 twice"),
        (
            serde_json::json!({ "tag": "2", "default_platform": { "os": "windows", "architecture": "s390x" } }),
            "several default platforms",
        ),
    ] {
        let mut record = record.clone();
        let tags = record["tags"].as_array_mut().unwrap();
        let mut other = tags[0].clone();
        other.as_object_mut().unwrap().extend(lie.as_object().unwrap().clone());
        tags.push(other);
        let mut forged = Forged::read(&path);
        forged.replace(&at, &text, &record.to_string());
        let target = path.with_extension("forged.car");
        forged.write(&target);
        let error = records(&target, None).await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(error.kind(), Kind::Verification, "{error}");
    }
}

#[tokio::test]
async fn types_of_what_is_attached_are_those_of_manifests_too() {
    let test = TestEngine::new().await;
    let subject = image("linux/amd64", "one");
    let signature = test.put("app", &format!("sha256-{}.sig", subject.digest().hex()), &image("linux/amd64", "signed"));
    let sbom = subject.referrer("application/spdx+json", "an SBOM");
    let sbom = test.registry.put_image(&"app".parse().unwrap(), None, &sbom);
    test.put("app", "1", &subject);
    test.add(&["app:1"]).await;
    let path = test.export("tree.car").await;
    let record = format!("catalog/{}/_repository.json", test.name("app"));
    for digest in [signature, sbom] {
        let mut forged = Forged::read(&path);
        let of_it = |kind: &str| format!("\"digest\":\"{digest}\",\"media_type\":\"{kind}/");
        forged.replace(&record, &of_it("application"), &of_it("text"));
        let target = path.with_extension("forged.car");
        forged.write(&target);
        let error = records(&target, None).await.unwrap_err();
        assert!(error.to_string().contains("is not a type of manifests"), "{error}");
    }
}

#[tokio::test]
async fn an_import_takes_no_upstream_that_a_command_could_not_name() {
    let (test, path, mut forged) = forged().await;
    let record = format!("catalog/{}/_repository.json", test.name("app"));
    // A host that an older version read of `CORP/app`: written in a command, it is Docker Hub's user.
    forged.replace(&record, &format!("\"registry\":\"{}\"", test.registry.host()), "\"registry\":\"corp\"");
    let target = path.with_extension("forged.car");
    forged.write(&target);
    let read = records(&target, None).await.unwrap();
    let (_directory, engine) = fresh();
    let planned = plan(&engine, &read, IMPORT).await.unwrap();
    assert!(planned.repositories.is_empty());
    assert!(planned.refused[0].error.to_string().contains("no reference means"), "{:?}", planned.refused);
    // What was published by that version can come back.
    let planned = plan(&engine, &read, Purpose::Restore).await.unwrap();
    assert!(planned.refused.is_empty() && planned.repositories.len() == 1);
}

#[tokio::test]
async fn an_import_says_which_new_names_people_will_take_for_somebody_elses() {
    let test = TestEngine::new().await;
    test.put("app", "1", &image("linux/amd64", "one"));
    test.add(&["app:1"]).await;
    for name in ["library/nginx", "ghcr.io/org/tool", "web"] {
        let mut request = test.request("app:1");
        request.name = Some(name.parse().unwrap());
        test.run(vec![request]).await;
    }
    let from = test.export("tree.car").await;
    let read = records(&from, None).await.unwrap();
    let claims = async |engine: &Engine| -> BTreeMap<String, String> {
        let planned = plan(engine, &read, IMPORT).await.unwrap();
        let claiming = planned.repositories.iter().filter_map(|of| Some((of.name.to_string(), of.claims.as_ref()?)));
        claiming.map(|(name, claimed)| (name, claimed.to_string())).collect()
    };
    let (_directory, engine) = fresh();
    let expected = [
        ("ghcr.io/org/tool", "ghcr.io/org/tool"),
        ("library/nginx", "docker.io/library/nginx"),
        ("web", "docker.io/library/web"),
    ];
    let expected: BTreeMap<String, String> = expected.map(|(name, of)| (name.to_owned(), of.to_owned())).into();
    assert_eq!(claims(&engine).await, expected);
    assert!(claims(&test.engine).await.is_empty(), "they are known here");

    // Whatever it is called: its upstream, if that is only what the tree says.
    let mut forged = Forged::read(&from);
    let own = format!("\"registry\":\"{}\"", test.registry.host());
    forged.replace(&format!("catalog/{}/_repository.json", test.name("app")), &own, "\"registry\":\"quay.io\"");
    let target = from.with_extension("forged.car");
    forged.write(&target);
    let read = records(&target, None).await.unwrap();
    let planned = plan(&engine, &read, IMPORT).await.unwrap();
    let claimed = planned.repositories.iter().find(|of| of.name == test.name("app")).unwrap().claims.clone();
    assert_eq!(claimed.unwrap().to_string(), "quay.io/app");
}

/// That a tree gives it to everybody, under whatever name, is no reason to.
#[tokio::test]
async fn what_is_private_here_stays_out_though_a_tree_has_it() {
    let (test, switch) = super::consent::switched("app").await;
    switch.store(false, std::sync::atomic::Ordering::SeqCst);
    test.put("app", "1", &image("linux/amd64", "one"));
    test.put("app", "2", &image("linux/amd64", "two"));
    test.add(&["app:1", "app:2"]).await;
    let mut request = test.request("app:1");
    request.name = Some("other".parse().unwrap());
    test.run(vec![request]).await;
    let read = records(&test.export("tree.car").await, None).await.unwrap();

    let here = super::consent::logged_in(test.registry.clone(), None);
    switch.store(true, std::sync::atomic::Ordering::SeqCst);
    here.add(&["app:1"]).await;
    let before = here.root();
    let planned = plan(&here.engine, &read, IMPORT).await.unwrap();
    let said: Vec<_> = planned.repositories.iter().map(|of| (of.name.as_str(), of.private, of.published)).collect();
    assert_eq!(said, [(test.name("app").as_str(), true, false), ("other", true, false)]);
    apply(&here.engine, &planned, None).await.unwrap();
    assert_eq!(here.root(), before);
    here.check();
}

/// A directory of these entries.
fn directory(forged: &mut Forged, entries: &[(&str, Link)]) -> Link {
    let edits = entries.iter().map(|(name, link)| ((*name).to_owned(), Some(*link))).collect();
    tree::edit(Profile::V1_2025, forged, None, &edits).unwrap()
}

/// Forty directories, each twice in the one above it: a few kilobytes, and a million million paths.
#[tokio::test]
async fn records_are_walked_by_blocks_and_not_by_paths() {
    let (test, path, mut forged) = forged().await;
    let file = forged.raw(b"{}");
    let mut below = directory(&mut forged, &[("x", file)]);
    for _ in 0..40 {
        below = directory(&mut forged, &[("a", below), ("b", below)]);
    }
    forged.root = directory(&mut forged, &[("catalog", below)]);
    let target = path.with_extension("forged.car");
    forged.write(&target);
    let place: Place = target.to_str().unwrap().parse().unwrap();
    let read = Job::new().0.run(async |job: &Job| place.records(None, Some(&test.engine), job).await).await;
    let error = read.unwrap_err();
    assert!(error.to_string().contains("is in the tree twice"), "{error}");
}

#[tokio::test]
async fn a_pipe_in_the_place_of_a_file_is_not_waited_for() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let directory = tempfile::tempdir().unwrap();
    let pipe = |name: &str| {
        let path = directory.path().join(name);
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        path
    };
    pipe(".roadstead-export");
    assert!(records(directory.path(), None).await.unwrap_err().to_string().contains("catalog.json"));
    pipe("catalog.json");
    assert!(records(directory.path(), None).await.unwrap_err().to_string().contains("regular file"));
    let error = records(&pipe("registry.car"), None).await.unwrap_err();
    assert!(error.to_string().contains("regular file") && error.hints()[0].contains("pipe"), "{error}");

    let (_data, engine) = fresh();
    pipe("index.json");
    let archive = pipe("archive.tar");
    for source in [format!("oci:{}", directory.path().display()), format!("oci-archive:{}", archive.display())] {
        let request = AddRequest::new(source.parse().unwrap());
        let plan = engine.plan_add(&[request], &Job::new().0).await.unwrap();
        assert!(plan.failed[0].error.to_string().contains("regular file"), "{:?}", plan.failed);
    }
}
