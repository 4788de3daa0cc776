//! What a shell is told while `add` is written: references that are mirrored and their tags, and at the second TAB the tags that
//! the registry tells everyone.

use super::*;
use crate::peers::finish;
use std::process::Command;

/// What completes the last of these words; `asked`: what bash says of how often TAB was pressed.
#[track_caller]
fn completed(scene: &Scene, words: &[&str], asked: Option<&str>) -> Vec<String> {
    let line = scene.roadstead.command(words);
    let mut shell = Command::new(line.get_program());
    shell.env_clear().envs(line.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.arg("--").arg("roadstead").args(line.get_args());
    let last = line.get_args().count();
    shell.env("ROADSTEAD_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", last.to_string()).env("_CLAP_IFS", "\n");
    shell.envs(asked.map(|asked| ("_CLAP_COMPLETE_COMP_TYPE", asked)));
    checked(finish(&shell)).success().lines().filter(|line| !line.starts_with('-')).map(str::to_owned).collect()
}

#[test]
fn a_second_tab_asks_the_registry_for_its_tags() {
    let scene = Scene::new();
    for tag in ["1.9", "1.10", "2"] {
        scene.put("app", tag, &image(tag));
    }
    scene.add("app:1.9").success();
    scene.registry.forget_requests();
    let reference = |what: &str| scene.reference(what);
    assert_eq!(completed(&scene, &["add", &reference("a")], Some("9")), [reference("app")]);
    assert_eq!(completed(&scene, &["add", &reference("app:")], Some("9")), [reference("app:1.9")]);
    assert!(scene.registry.log().is_empty(), "the first TAB asks nobody");
    let all = [reference("app:1.10"), reference("app:1.9")];
    assert_eq!(completed(&scene, &["add", &reference("app:1")], Some("63")), all);
    // A shell that does not say how often it asked: where nothing of it is mirrored.
    assert_eq!(completed(&scene, &["add", &reference("app:")], None), [reference("app:1.9")]);
}

#[test]
fn a_registry_that_wants_a_password_completes_nothing_and_is_told_none() {
    let scene = Scene::with(MemoryRegistry::builder().basic_auth("someone", "secret"));
    scene.put("app", "1", &image("one"));
    scene.roadstead.log_in(&scene.host(), "someone", "secret");
    assert_eq!(completed(&scene, &["add", &scene.reference("app:")], Some("63")), [""; 0]);
    let told = scene.registry.log().into_iter().filter(|request| request.headers.contains_key("authorization"));
    assert_eq!(told.count(), 0);
}
