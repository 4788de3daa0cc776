//! What registries, gates and clocks do that nobody wants, and what is told of a run.

use super::*;

#[tokio::test]
async fn the_order_and_the_pages_of_a_list_do_not_matter() {
    let test = TestEngine::with(MemoryRegistry::builder().page_size(1).start().await.unwrap(), None);
    for tag in ["1.10.0", "1.9.0", "1.2.0", "latest"] {
        test.put("app", tag, &index(tag));
    }
    let rules = rules(&[rule(&test, "app", &["#.#.#"], 2)]);
    run(&test, &rules).await;
    assert_eq!(tags(&test, "app"), ["1.9.0", "1.10.0"]);
    // Oldest first, each page again and again: the same, and an end.
    test.registry.intercept(|request: &RequestInfo| {
        let pages = ["[\"1.2.0\",\"1.9.0\"]", "[\"latest\",\"1.2.0\"]", "[\"1.10.0\"]"];
        let page = request.query.split("page=").nth(1).and_then(|page| page.parse::<usize>().ok()).unwrap_or(0);
        let answer = axum::response::Response::builder().status(200);
        let answer = match page {
            2 => answer,
            page => answer.header("link", format!("</v2/app/tags/list?page={}>; rel=\"next\"", page + 1)),
        };
        let answer = answer.body(format!("{{\"name\":\"app\",\"tags\":{}}}", pages[page]).into()).unwrap();
        request.path.ends_with("/tags/list").then_some(answer)
    });
    let again = plan(&test, &rules).await;
    assert!(again.is_empty() && again.rules[0].failed.is_empty(), "{:?}", again.rules[0]);
    assert_eq!(again.rules[0].listed, 4);
    // One without an end removes nothing.
    test.registry.intercept(|request: &RequestInfo| {
        let answer = axum::response::Response::builder().status(200);
        let answer = answer.header("link", format!("</v2/app/tags/list?n={}>; rel=\"next\"", request.count));
        let answer = answer.body("{\"name\":\"app\",\"tags\":[\"9.9.9\"]}".into()).unwrap();
        request.path.ends_with("/tags/list").then_some(answer)
    });
    let endless = plan(&test, &rules).await;
    assert!(endless.is_empty() && endless.rules[0].failed.len() == 1);
}

#[tokio::test]
async fn a_list_that_is_cut_between_its_pages_removes_nothing() {
    let test = TestEngine::with(MemoryRegistry::builder().page_size(1).start().await.unwrap(), None);
    for tag in ["1.0", "1.1", "1.2"] {
        test.put("app", tag, &index(tag));
    }
    let at_once = Rule { leave: Kept::For("0s".parse().unwrap()), ..rule(&test, "app", &["#.#"], 0) };
    let rules = rules(&[at_once]);
    run(&test, &rules).await;
    for (status, body) in [(404, ""), (403, ""), (200, "{\"name\":\"app\",\"tags\":[\"1.")] {
        test.registry.intercept(move |request: &RequestInfo| {
            let is_later = request.path.ends_with("/tags/list") && request.query.contains("last=");
            is_later.then(|| axum::response::Response::builder().status(status).body(body.into()).unwrap())
        });
        let parts = run(&test, &rules).await;
        assert_eq!((parts[0].failed.len(), parts[0].leaving.len()), (1, 0), "{status}: {:?}", parts[0]);
        assert_eq!(tags(&test, "app"), ["1.0", "1.1", "1.2"]);
    }
}

#[tokio::test]
async fn a_file_of_100_megabytes_is_not_read_and_takes_nothing_away() {
    let test = TestEngine::new().await;
    test.put("app", "1.0", &index("1.0"));
    let file = test.directory.path().join("compose.yaml");
    std::fs::write(&file, format!("services: {{web: {{image: '{}/app:1.0'}}}}\n", test.registry.host())).unwrap();
    let source = Subject::Sources(vec!["compose:compose.yaml".parse().unwrap()]);
    let leave = Kept::For("0s".parse().unwrap());
    let rules = rules(&[Rule { leave, ..Rule::new("stack".parse().unwrap(), source) }]);
    let options = || RunOptions { base: test.directory.path().to_owned(), ..RunOptions::default() };
    carry_out(&test, plan_with(&test, &rules, options()).await).await;
    assert_eq!(tags(&test, "app"), ["1.0"]);
    std::fs::File::options().write(true).open(&file).unwrap().set_len(100 << 20).unwrap();
    let large = plan_with(&test, &rules, options()).await;
    assert!(large.is_empty() && large.rules[0].failed[0].contains("larger than 8.0 MiB"), "{:?}", large.rules[0]);
    carry_out(&test, large).await;
    assert_eq!(tags(&test, "app"), ["1.0"]);
}

#[tokio::test]
async fn a_429_in_the_middle_postpones_the_rest() {
    let test = TestEngine::new().await;
    for tag in ["1.0", "1.1", "1.2"] {
        test.put("app", tag, &index(tag));
    }
    // More than this program waits for.
    test.registry.intercept(|request: &RequestInfo| {
        let is_pull = request.method == axum::http::Method::GET && request.path.ends_with("/manifests/1.1");
        let answer =
            axum::response::Response::builder().status(429).header("retry-after", "86400").body("".into()).unwrap();
        is_pull.then_some(answer)
    });
    let rules = rules(&[rule(&test, "app", &["#.#"], 0)]);
    let plan = plan(&test, &rules).await;
    assert!(plan.add.failed.is_empty() && plan.rules[0].failed.is_empty(), "{:?}", plan.add.failed);
    assert_eq!(plan.rules[0].postponed.len(), 1);
    assert_eq!(plan.rules[0].postponed[0].reason, Postponed::Quota);
    carry_out(&test, plan).await;
    assert_eq!(tags(&test, "app"), ["1.0", "1.2"]);
    test.registry.clear_intercept();
    run(&test, &rules).await;
    assert_eq!(tags(&test, "app").len(), 3);
}

#[tokio::test]
async fn the_gate_is_asked_once_for_what_comes_and_believed_only_when_it_says_yes() {
    let test = TestEngine::new().await;
    for tag in ["1.0", "1.1"] {
        test.put("app", tag, &index(tag));
    }
    let asked = test.directory.path().join("asked");
    let script = |then: &str| vec!["sh".to_owned(), "-c".to_owned(), format!("cat >> {}; {then}", asked.display())];
    let gated = |then: &str| Rules { gate: script(then), ..rules(&[rule(&test, "app", &["#.#"], 1)]) };
    // It prints that all is well, and ends with a failure.
    let refused = plan(&test, &gated("echo fine; exit 7")).await;
    assert_eq!((refused.rules[0].gated.len(), refused.add.images.len()), (1, 0));
    assert_eq!(refused.rules[0].gated[0].words, "fine");
    // It prints a refusal, and ends well: its exit code counts.
    let taken = plan(&test, &gated("echo no; exit 0")).await;
    assert_eq!((taken.rules[0].gated.len(), taken.add.images.len()), (0, 1));
    carry_out(&test, taken).await;
    std::fs::write(&asked, "").unwrap();
    assert!(plan(&test, &gated("exit 1")).await.is_empty());
    assert_eq!(std::fs::read_to_string(&asked).unwrap(), "", "what is here was asked about when it came");
    // One that is not there refuses.
    test.put("app", "1.2", &index("1.2"));
    let missing = Rules { gate: vec!["/does/not/exist".into()], ..gated("") };
    assert_eq!(plan(&test, &missing).await.rules[0].gated.len(), 1);
}

#[tokio::test]
async fn what_lasts_is_told_once_and_what_happens_each_time() {
    let test = TestEngine::new().await;
    test.put("app", "1.0", &index("1"));
    let rules = rules(&[Rule { moves: Moves::Refuse, ..rule(&test, "app", &["#.#"], 1) }]);
    run(&test, &rules).await;
    test.put("app", "1.0", &index("2"));
    run(&test, &rules).await;
    run(&test, &rules).await;
    test.put("app", "1.0", &index("3"));
    run(&test, &rules).await;
    let runs = test.engine.rule_runs(10).unwrap();
    assert_eq!(runs.len(), 4, "each is one, however soon it follows another");
    let mut told: Vec<&str> = runs
        .iter()
        .flat_map(|run| &run.events)
        .map(|event| event.kind.name())
        .filter(|name| *name != "finished")
        .collect();
    told.sort_unstable();
    assert_eq!(told, ["new", "refused", "refused"]);
}

#[tokio::test]
async fn a_lock_gives_the_same_root_elsewhere() {
    let test = TestEngine::new().await;
    for tag in ["1.0", "1.1"] {
        test.put("app", tag, &index(tag));
    }
    let on = |on: &str| Rule { platforms: Some(on.parse().unwrap()), ..rule(&test, "app", &["#.#"], 0) };
    let rules = rules(&[on("linux/amd64,linux/arm64")]);
    run(&test, &rules).await;
    let (lock, left_out) = test.engine.lock_of_images().unwrap();
    assert!(left_out.is_empty());
    assert_eq!(lock.entries().len(), 2);
    // Upstream has moved on.
    test.put("app", "1.1", &index("moved"));
    let other = tempfile::tempdir().unwrap();
    let engine = Engine::open(options(other.path(), None)).unwrap();
    let mut plan = Job::new().0.run(async |job: &Job| engine.plan_locked(&lock, job).await).await.unwrap();
    assert!(plan.add.failed.is_empty(), "{:?}", plan.add.failed);
    Job::new().0.run(async |job: &Job| engine.apply_rules(&rules, &mut plan, job).await).await.unwrap();
    assert_eq!(engine.root().unwrap(), test.engine.root().unwrap());
}
