//! Whose rules are in force: who may change them, and what they may do before somebody has allowed it.

use super::*;
use crate::engine::rules::RulesInForce;
use crate::error::Kind;

/// Uses this file, and allows all that it needs.
fn use_allowed(test: &TestEngine, file: &std::path::Path) {
    test.engine.use_rule_file(Some(file)).unwrap();
    let in_force = test.engine.rules().unwrap();
    test.engine.trust_rules(&in_force, &in_force.allowances()).unwrap();
    test.engine.rules().unwrap().check_trust().unwrap();
}

/// The rules that were read last, with those who may be told that something is wrong.
fn told(test: &TestEngine) -> RulesInForce {
    test.engine.rules_read_last().unwrap().unwrap().with_allowed_hooks()
}

fn rule_named(name: &str) -> String {
    format!("[[rule]]\nname = '{name}'\nimage = 'registry.example.com/app'\n")
}

#[tokio::test]
async fn rules_that_are_added_at_once_are_all_there() {
    let test = TestEngine::new().await;
    let file = test.directory.path().join("mirror.toml");
    for used in [None, Some(&file)] {
        if let Some(file) = used {
            std::fs::write(file, "version = 1\n").unwrap();
            test.engine.use_rule_file(Some(file)).unwrap();
        }
        let begin = std::sync::Barrier::new(12);
        std::thread::scope(|scope| {
            for number in 0..12 {
                let (engine, begin) = (&test.engine, &begin);
                scope.spawn(move || {
                    begin.wait();
                    let added = |before: &RulesInForce| {
                        Ok(((), format!("{}\n{}", before.text, rule_named(&format!("r{number}")))))
                    };
                    engine.edit_rules(true, added).unwrap();
                });
            }
        });
        assert_eq!(test.engine.rules().unwrap().rules.rules.len(), 12, "{used:?}");
    }
}

#[tokio::test]
async fn of_two_who_changed_the_same_text_one_is_told() {
    let test = TestEngine::new().await;
    let before = test.engine.rules().unwrap();
    let begin = std::sync::Barrier::new(12);
    let ended: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..12)
            .map(|number| {
                let (engine, before, begin) = (&test.engine, &before, &begin);
                scope.spawn(move || {
                    begin.wait();
                    engine.change_rules(before, rule_named(&format!("r{number}")), true)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(ended.iter().filter(|ended| ended.is_ok()).count(), 1);
    assert!(ended.iter().filter_map(|ended| ended.as_ref().err()).all(|error| error.kind() == Kind::Locked));
}

#[tokio::test]
async fn who_was_allowed_is_told_that_the_programs_changed() {
    let test = TestEngine::new().await;
    let file = test.directory.path().join("mirror.toml");
    let good = format!("{}[[hook]]\nrun = ['tell', 'first']\n", rule_named("app"));
    std::fs::write(&file, &good).unwrap();
    use_allowed(&test, &file);
    // Another program: it is not allowed, and what was read last is still who is told, and what the figures are about.
    std::fs::write(&file, good.replace("first", "second")).unwrap();
    assert!(test.engine.rules().unwrap().check_trust().is_err());
    let last = told(&test);
    assert_eq!(last.rules.hooks[0].permission().to_string(), "hook: tell first");
    assert_eq!(last.rules.rules.len(), 1);
    std::fs::write(&file, "[[rule").unwrap();
    assert!(test.engine.rules().is_err());
    assert_eq!(told(&test).rules.hooks.len(), 1);
    // A file that nobody ever allowed has rules, and no hook that is told.
    let other = test.directory.path().join("other.toml");
    std::fs::write(&other, &good).unwrap();
    test.engine.use_rule_file(Some(&other)).unwrap();
    let last = told(&test);
    assert_eq!((last.rules.rules.len(), last.rules.hooks.len()), (1, 0));
}

#[tokio::test]
async fn another_file_is_not_allowed_what_the_last_one_was() {
    let test = TestEngine::new().await;
    let text = "gate = ['true']\n";
    let files = ["a", "b"].map(|name| {
        let directory = test.directory.path().join(name);
        std::fs::create_dir(&directory).unwrap();
        let file = directory.join("mirror.toml");
        std::fs::write(&file, text).unwrap();
        file
    });
    use_allowed(&test, &files[0]);
    let again = test.engine.use_rule_file(Some(&files[0])).unwrap();
    assert_eq!(again.untrusted().len(), 0, "it is the same file");
    let other = test.engine.use_rule_file(Some(&files[1])).unwrap();
    assert_eq!(other.untrusted(), ["gate: true"]);
    // Nor another one beside it.
    use_allowed(&test, &files[1]);
    let beside = files[1].with_file_name("beside.toml");
    std::fs::write(&beside, text).unwrap();
    assert_eq!(test.engine.use_rule_file(Some(&beside)).unwrap().untrusted().len(), 1);
}

#[tokio::test]
async fn the_catalog_takes_a_file_over_with_paths_that_hold_and_what_was_allowed() {
    let test = TestEngine::new().await;
    let file = test.directory.path().join("mirror.toml");
    std::fs::write(test.directory.path().join("tell.sh"), "").unwrap();
    let good =
        "[[rule]]\nsources = ['list:l.txt', 'kubernetes:out/*.yaml#.spec.image', 'command:kubeadm config'] # ours\n";
    std::fs::write(&file, format!("{good}[[hook]]\nrun = ['./tell.sh']\n")).unwrap();
    use_allowed(&test, &file);
    for relative in ["['./tell.sh']", "['sh', 'tell.sh']"] {
        std::fs::write(&file, format!("{good}[[hook]]\nrun = {relative}\n")).unwrap();
        let error = test.engine.use_rule_file(None).unwrap_err();
        assert!(error.to_string().contains("is relative to the rule file"), "{error}");
        assert!(test.engine.rules().unwrap().file.is_some());
    }
    std::fs::write(&file, format!("{good}[[hook]]\nrun = ['/bin/true', 'x']\n")).unwrap();
    let in_force = test.engine.rules().unwrap();
    test.engine.trust_rules(&in_force, &in_force.allowances()).unwrap();
    let taken = test.engine.use_rule_file(None).unwrap();
    let at = test.directory.path().display();
    assert!(taken.text.contains(&format!("list:{at}/l.txt")) && taken.text.contains("# ours"), "{}", taken.text);
    assert!(taken.text.contains(&format!("kubernetes:{at}/out/*.yaml#.spec.image")), "{}", taken.text);
    assert_eq!(taken.rules.rules[0].name.as_str(), "list:l.txt", "what it brought is still its own");
    assert_eq!((taken.file.clone(), taken.untrusted().len()), (None, 0));
    assert_eq!(test.engine.rules().unwrap(), taken);
}

#[tokio::test]
async fn what_is_typed_is_allowed_and_nothing_else() {
    let test = TestEngine::new().await;
    let file = test.directory.path().join("mirror.toml");
    std::fs::write(&file, "gate = ['check']\n").unwrap();
    test.engine.use_rule_file(Some(&file)).unwrap();
    let add = |name: &str, source: &str| {
        let rule = format!("[[rule]]\nname = '{name}'\nsources = ['{source}']\n");
        test.engine.edit_rules(true, |before| Ok(((), format!("{}{rule}", before.text)))).unwrap();
        test.engine.rules().unwrap().untrusted()
    };
    assert_eq!(add("a", "command:kubeadm config images list"), ["gate: check"]);
    assert_eq!(add("b", "list:/elsewhere/images.txt"), ["gate: check"]);
    let removed = |before: &RulesInForce| Ok(((), crate::rules::remove_rule(&before.text, "a")?));
    test.engine.edit_rules(true, removed).unwrap();
    assert_eq!(test.engine.rules().unwrap().untrusted(), ["gate: check"]);
}

#[tokio::test]
async fn the_gate_is_not_asked_when_it_has_changed_since_it_was_allowed() {
    let test = TestEngine::new().await;
    test.put("app", "1.0", &index("1"));
    let (file, gate) = (test.directory.path().join("mirror.toml"), test.directory.path().join("gate.sh"));
    std::fs::write(&gate, "exit 0\n").unwrap();
    let image = format!("{}/app", test.registry.host());
    std::fs::write(&file, format!("gate = ['sh', 'gate.sh']\n[[rule]]\nimage = '{image}'\ntags = ['#.#']\n")).unwrap();
    use_allowed(&test, &file);
    let in_force = test.engine.rules().unwrap();
    let options = RunOptions { base: in_force.base(), trust: Some(in_force.clone()), ..RunOptions::default() };
    let asked = plan_with(&test, &in_force.rules, options.clone()).await;
    assert_eq!(asked.rules[0].new.len(), 1);
    // A pull of the checkout while the registry is asked.
    let ran = test.directory.path().join("ran");
    let (script, text) = (gate.clone(), format!("touch {}\n", ran.display()));
    test.registry.intercept(move |request: &RequestInfo| {
        if request.path.ends_with("/tags/list") {
            std::fs::write(&script, &text).unwrap();
        }
        None
    });
    let planned =
        Job::new().0.run(async |job: &Job| test.engine.plan_rules(&in_force.rules, &options, job).await).await;
    assert!(planned.unwrap_err().to_string().contains("would run programs that were not allowed"));
    assert!(!ran.exists());
}
