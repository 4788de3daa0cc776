//! What a restore that was cut lets others do.

use crate::cli::Roadstead;

/// Nothing that would give out or change what is there so far does so; what reads says what it reads.
pub(super) fn is_left_alone(back: &Roadstead, root: &str) {
    let before = back.root();
    let target = back.run(&["target", "add", "home", "--kubo", "http://127.0.0.1:1"]);
    assert!(target.code == 0, "{target}");
    let layout = crate::images::Layout::saying("late");
    let image = format!("oci:{}", layout.path().display());
    let (car, tree) = (back.path("given.car"), back.path("given"));
    for words in [
        &["publish", "--yes"][..],
        &["publish", "--dry-run"],
        &["export", car.to_str().unwrap()],
        &["export", tree.to_str().unwrap()],
        &["root", "--name", "registry.example.org"],
        &["gc", "--yes"],
        &["add", &image, "--as", "late:1"],
    ] {
        let said = back.run(words).failure(2);
        let says = |what: &str| assert!(said.contains(what), "{words:?} doesn't say `{what}`: {said}");
        says("is not finished");
        says(&format!("`roadstead restore {root} --from SOURCE` continues where it stopped"));
    }
    assert!(!car.exists() && !tree.exists());
    assert_eq!(back.root(), before);
    let said = back.run(&["list"]);
    assert!(said.code == 0 && said.stderr.contains("is not finished"), "{said}");
    back.ok(&["target", "remove", "home", "--yes"]);
}
