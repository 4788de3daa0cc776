//! What rules may do before somebody has allowed it, and who edits them at once.

use super::push;
use crate::cli::Roadstead;
use crate::peers::docker_registry::DockerRegistry;
use crate::peers::finish;

fn used(roadstead: &Roadstead, text: &str) -> String {
    let file = roadstead.path("mirror.toml");
    std::fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    roadstead.ok(&["rule", "use", &file]);
    file
}

#[test]
fn rules_that_are_added_at_once_are_all_there() {
    let roadstead = Roadstead::new();
    for file in [false, true] {
        if file {
            used(&roadstead, "version = 1\n");
        }
        let names: Vec<String> = (0..12).map(|number| format!("r{number}")).collect();
        let adds = names.iter().map(|name| roadstead.command(&["rule", "add", "--name", name, "example.com/app:#.#"]));
        let adds: Vec<_> = adds.collect();
        std::thread::scope(|scope| {
            let threads: Vec<_> = adds.iter().map(|add| scope.spawn(|| finish(add))).collect();
            for thread in threads {
                thread.join().unwrap().success();
            }
        });
        let rules = roadstead.json(&["rule", "export"]);
        assert_eq!(rules["rules"].as_array().unwrap().len(), 12, "{rules:#}");
    }
}

#[test]
fn a_file_that_nobody_has_allowed_sends_nothing_and_quotes_nothing() {
    let roadstead = Roadstead::new();
    std::fs::write(roadstead.path("netrc"), "machine example.com password hunter2\n").unwrap();
    let stack = roadstead.path("stack");
    std::fs::create_dir(&stack).unwrap();
    std::os::unix::fs::symlink(roadstead.path("netrc"), stack.join("images.txt")).unwrap();
    let file = stack.join("mirror.toml").display().to_string();
    let post = "[[hook]]\npost = 'http://127.0.0.1:9/x'\nsecret_file = '/etc/shadow'\n";
    std::fs::write(&file, format!("[[rule]]\nsources = ['list:{}']\n{post}", roadstead.path("netrc").display()))
        .unwrap();
    let said = roadstead.run(&["rule", "use", &file]);
    assert!(said.stderr.contains("rule trust"), "{said}");
    let said = roadstead.run(&["update", "--yes"]);
    assert!(said.stderr.contains("would read files and send events to addresses that were not allowed"), "{said}");
    assert!(!said.stderr.contains("hunter2"), "{said}");
    said.failure(2);
    assert_eq!(roadstead.json(&["history", "--runs"]).as_array().unwrap().len(), 0);
    // A link is not said by the words of the file.
    std::fs::write(&file, "[[rule]]\nsources = ['list:images.txt']\n").unwrap();
    let said = roadstead.run(&["update", "--yes"]);
    assert!(said.stderr.contains("leads out of the directory of the rules"), "{said}");
    assert!(!said.stderr.contains("hunter2"), "{said}");
    said.failure(9);
}

#[test]
fn what_is_allowed_is_always_shown_whole() {
    let roadstead = Roadstead::new();
    let long = "echo a; ".repeat(40);
    let file =
        used(&roadstead, &format!("gate = ['sh', '-c', \"{long}\"]\n[[hook]]\nping = 'https://hc.example.com/uuid'\n"));
    let shown = format!("ping: https://hc.example.com/…\ngate: sh -c '{long}'\n");
    // Without a terminal, too, where nothing is allowed; its hint names what there is.
    let said = roadstead.run(&["rule", "trust", &file]);
    assert_eq!(said.stdout, shown);
    assert!(said.stderr.contains("`--dry-run`"), "{said}");
    said.failure(2);
    assert_eq!(roadstead.ok(&["rule", "trust", "--dry-run"]), shown);
    assert_eq!(roadstead.json(&["rule", "trust", "--dry-run"])["trusted"], false);
    assert_eq!(roadstead.ok(&["rule", "trust", "--yes", &file]), shown);
    let report = roadstead.json(&["rule", "trust"]);
    assert_eq!((report["trusted"].as_bool(), report["programs"].as_array().unwrap().len()), (Some(true), 1));
    assert_eq!(report["addresses"][0], "ping: https://hc.example.com/…");
}

#[test]
fn a_script_by_its_absolute_path_that_changes_has_to_be_allowed_again() {
    let (roadstead, registry) = (Roadstead::new(), DockerRegistry::plain());
    push(&registry, "app", &["1.0".to_owned()], "app\n");
    let (images, tell) = (roadstead.path("images.sh"), roadstead.path("tell.sh"));
    std::fs::write(&images, format!("echo {}/app:1.0\n", registry.host())).unwrap();
    std::fs::write(&tell, "cat > /dev/null\n").unwrap();
    let (shown, told) = (images.display(), tell.display());
    used(&roadstead, &format!("[[rule]]\nsources = ['command:sh {shown}']\n[[hook]]\nrun = ['bash', '{told}']\n"));
    roadstead.ok(&["rule", "trust", "--yes"]);
    roadstead.ok(&["update", "--yes"]);
    for script in [&images, &tell] {
        let before = std::fs::read_to_string(script).unwrap();
        std::fs::write(script, format!("{before}touch '{}'\n", roadstead.path("ran").display())).unwrap();
        let said = roadstead.run(&["update", "--yes"]);
        assert!(said.stderr.contains("rule trust"), "{said}");
        said.failure(2);
        std::fs::write(script, before).unwrap();
        roadstead.ok(&["update", "--yes"]);
    }
    assert!(!roadstead.path("ran").exists());
}

#[test]
fn a_hook_that_changes_during_the_run_is_not_run() {
    let (roadstead, registry) = (Roadstead::new(), DockerRegistry::plain());
    push(&registry, "app", &["1.0".to_owned()], "app\n");
    let (tell, ran) = (roadstead.path("tell.sh"), roadstead.path("ran"));
    std::fs::write(&tell, "cat > /dev/null\n").unwrap();
    // The gate stands for whoever pulls the checkout meanwhile.
    let pull = format!("echo touch {} > {}", ran.display(), tell.display());
    let image = format!("{}/app", registry.host());
    used(
        &roadstead,
        &format!(
            "gate = ['sh', '-c', '{pull}']\n[[rule]]\nimage = '{image}'\ntags = ['#.#']\n[[hook]]\nrun = ['sh', 'tell.sh']\n"
        ),
    );
    roadstead.ok(&["rule", "trust", "--yes"]);
    let said = roadstead.run(&["update", "--yes"]);
    assert!(said.stderr.contains("the hook sh was not told: it is not what was allowed"), "{said}");
    said.success();
    assert!(!ran.exists());
}

#[test]
fn images_by_digest_of_several_files_are_imported_one_after_the_other() {
    let roadstead = Roadstead::new();
    for number in 1..=3 {
        let file = roadstead.path(&format!("lock{number}.yml"));
        let text = format!("kind: ImagesLock\nimages: [{{image: 'example.com/a@sha256:{number:064x}'}}]\n");
        std::fs::write(&file, text).unwrap();
        roadstead.ok(&["rule", "import", &file.display().to_string()]);
    }
    let rules = roadstead.json(&["rule", "export"]);
    let expected = ["list:imported-images.txt", "list:imported-images-2.txt", "list:imported-images-3.txt"];
    assert_eq!(rules["rules"], serde_json::json!(expected));
}

#[test]
fn what_is_typed_by_a_relative_path_holds_elsewhere() {
    let (roadstead, registry) = (Roadstead::new(), DockerRegistry::plain());
    push(&registry, "app", &["1.0".to_owned()], "app\n");
    let script = roadstead.path("l.sh");
    std::fs::write(&script, format!("#!/bin/sh\necho {}/app:1.0\n", registry.host())).unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut add = roadstead.command(&["rule", "add", "command:./l.sh"]);
    add.current_dir(roadstead.path(""));
    finish(&add).success();
    roadstead.ok(&["update", "--yes"]);
    assert_eq!(super::mirrored(&roadstead, &registry, "app"), ["1.0"]);
    // The same for what a file says, when the catalog takes it over.
    let other = Roadstead::new();
    std::fs::write(other.path("l.txt"), format!("{}/app:1.0\n", registry.host())).unwrap();
    used(&other, "[[rule]]\nsources = ['list:l.txt']\n");
    other.ok(&["rule", "use", "--catalog"]);
    other.ok(&["update", "--yes"]);
    assert_eq!(super::mirrored(&other, &registry, "app"), ["1.0"]);
}

#[test]
fn a_lock_is_json_where_json_is_asked_for() {
    let (roadstead, registry) = (Roadstead::new(), DockerRegistry::plain());
    push(&registry, "app", &["1.0".to_owned()], "app\n");
    roadstead.ok(&["add", &format!("{}/app:1.0", registry.host())]);
    let lock = roadstead.json(&["rule", "lock", "--images-lock"]);
    assert_eq!(lock["kind"], "ImagesLock");
    let image = &lock["images"][0];
    assert!(image["image"].as_str().unwrap().contains("/app@sha256:"), "{lock:#}");
    assert!(image["annotations"]["kbld.carvel.dev/id"].as_str().unwrap().ends_with("/app:1.0"), "{lock:#}");
}
