//! Private images: mirrored, shown as such, and published only when allowed.

use super::*;
use crate::peers::web;

/// The bytes of every file below a directory.
fn contains(directory: &Path, what: &str) -> bool {
    let has = |bytes: &[u8]| bytes.windows(what.len()).any(|window| window == what.as_bytes());
    files(directory)
        .iter()
        .any(|file| file.to_string_lossy().contains(what) || has(&std::fs::read(file).expect("a file")))
}

#[test]
fn a_private_image_is_published_only_when_allowed() {
    let open = Scene::new();
    open.put("open", "1", &image("open"));
    let scene =
        Scene::with(MemoryRegistry::builder().token_auth("curator", "correct horse").private(name("hidden-app")));
    let scene = Scene { roadstead: open.roadstead, ..scene };
    let reference = format!("{}/open:1", open.registry.host());
    scene.run(&["add", "--insecure", &reference]).success();
    let root = scene.roadstead.root();
    scene.roadstead.log_in(&scene.host(), "curator", "correct horse");
    let digest = scene.put("hidden-app", "1", &image("hidden"));
    let added = scene.add("hidden-app:1");
    says(&added.stderr, &["warning: ", "private upstream", "roadstead allow"]);
    added.success();
    let repository = scene.published("hidden-app");

    // It is shown, and in nothing that is published.
    says(&scene.run(&["list"]).success(), &[&repository, "private"]);
    says(
        &scene.run(&["show", &scene.reference("hidden-app:1")]).success(),
        &["private", "not published until `roadstead allow` permits it"],
    );
    assert_eq!(scene.roadstead.root(), root);
    let export = |at: &str, more: &[&str]| {
        let target = scene.roadstead.path(at);
        let mut words = vec!["export", target.to_str().unwrap()];
        words.extend(more);
        scene.run(&words).success();
        target
    };
    let (directory, cars) = (export("tree", &[]), scene.roadstead.path("cars"));
    std::fs::create_dir(&cars).unwrap();
    export("cars/one.car", &[]);
    assert!(!contains(&directory, "hidden-app") && !contains(&directory, &digest.hex()));
    assert!(!contains(&cars, "hidden-app"));
    assert!(contains(&directory, "/open") && contains(&cars, "open"));
    // Except for who asks for it.
    assert!(contains(&export("whole", &["--include-private"]), "hidden-app"));

    // On loopback it is given out.
    let serving = scene.roadstead.serve();
    let url = format!("{}/v2/{repository}/manifests/1", serving.url);
    assert_eq!(Digest::of(&web::get_manifest(&url).expect(200).body), digest);

    // Elsewhere only to who may, even from this machine.
    scene.run(&["allow", &repository, "--yes"]).success();
    let with_it = scene.roadstead.root();
    assert_ne!(with_it, root);
    says(&scene.run(&["show", &scene.reference("hidden-app:1")]).success(), &["publishing is allowed"]);
    assert!(contains(&export("allowed", &[]), "hidden-app"));
    scene.run(&["allow", "--revoke", &repository, "--yes"]).success();
    assert_eq!(scene.roadstead.root(), root);
    assert!(!contains(&export("revoked", &[]), "hidden-app"));
    // An update is no permission.
    scene.put("hidden-app", "1", &image("moved"));
    scene.run(&["update"]).success();
    assert_eq!(scene.roadstead.root(), root);
}

#[test]
fn beyond_this_machine_private_images_are_not_given_out() {
    let scene = Scene::with(MemoryRegistry::builder().basic_auth("curator", "correct horse"));
    scene.roadstead.log_in(&scene.host(), "curator", "correct horse");
    scene.put("app", "1", &image("one"));
    scene.add("app:1").success();
    let log = scene.roadstead.path("serve-everywhere.log");
    let command = scene.roadstead.command(&["serve", "--listen", "0.0.0.0:0"]);
    let mut daemon = crate::peers::Daemon::start("serve-everywhere", &command, &scene.roadstead.path(""));
    let port = daemon.wait_for("the line with its address", || {
        let printed = std::fs::read_to_string(&log).ok()?;
        let line = printed.lines().find(|line| line.contains("serving on "))?;
        Some(line.rsplit(':').next()?.trim_end_matches('/').to_owned())
    });
    let url = format!("http://127.0.0.1:{port}/v2/{}/manifests/1", scene.published("app"));
    web::get_manifest(&url).expect(404);
    says(&daemon.log(), &["1 private", "--htpasswd"]);
}

/// What another user of this machine can read of a path: whether it can be listed or read at all.
fn others_can(words: &[&str]) -> bool {
    let mut command = crate::peers::command(crate::peers::program("setpriv"), Path::new("/"));
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).args(words);
    crate::peers::finish(&command).code == 0
}

/// Under a umask that forbids nothing, and from an older version that has left everything open.
#[test]
fn other_users_of_this_machine_can_read_nothing_but_what_is_exported() {
    use std::os::unix::fs::PermissionsExt as _;
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can become another user");
        return;
    }
    let scene = Scene::with(MemoryRegistry::builder().basic_auth("curator", "correct horse"));
    scene.roadstead.log_in(&scene.host(), "curator", "correct horse");
    scene.put("app", "1", &image("hidden"));
    let open = |path: &Path| std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    open(&scene.roadstead.path(""));
    let without_umask = |words: &[&str]| {
        let inner = scene.roadstead.command(words);
        let mut shell = crate::peers::command(crate::peers::program("sh"), &scene.roadstead.path(""));
        shell.args(["-c", "umask 000; exec \"$0\" \"$@\""]).arg(inner.get_program()).args(inner.get_args());
        crate::peers::finish(&shell).success()
    };
    without_umask(&["add", "--insecure", &scene.reference("app:1")]);
    let data = scene.data();
    let closed = |data: &Path| {
        assert!(!others_can(&["ls", data.to_str().unwrap()]), "others can list the data directory");
        for path in files(data) {
            assert!(!others_can(&["cat", path.to_str().unwrap()]), "others can read {}", path.display());
            let mode = path.metadata().unwrap().permissions().mode() & 0o777;
            let expected = if path.parent().unwrap().ends_with("blobs/sha256") { 0o444 } else { 0o600 };
            assert_eq!(mode, expected, "{}", path.display());
        }
    };
    closed(&data);
    assert!(files(&data).len() > 4);

    // An exported tree is for a web server, whatever the umask; one with private repositories is for whoever its owner lets.
    scene.run(&["allow", &scene.published("app"), "--yes"]).success();
    let tree = scene.roadstead.path("tree");
    let inner = scene.roadstead.command(&["export", tree.to_str().unwrap()]);
    let mut shell = crate::peers::command(crate::peers::program("sh"), &scene.roadstead.path(""));
    shell.args(["-c", "umask 077; exec \"$0\" \"$@\""]).arg(inner.get_program()).args(inner.get_args());
    crate::peers::finish(&shell).success();
    let exported = files(&tree);
    assert!(exported.len() > 10);
    for path in exported {
        assert!(others_can(&["cat", path.to_str().unwrap()]), "a web server can't read {}", path.display());
    }
    let (whole, car) = (scene.roadstead.path("whole"), scene.roadstead.path("whole.car"));
    for target in [&whole, &car] {
        let said = scene.run(&["export", "--include-private", target.to_str().unwrap()]);
        says(&said.stderr, &["It contains private repositories, so only you can read it; `chmod a+r"]);
        said.success();
    }
    assert!(!others_can(&["ls", whole.to_str().unwrap()]) && !others_can(&["cat", car.to_str().unwrap()]));

    // As an older version has left it: what reads says so, what changes it closes it.
    for path in files(&data) {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    for directory in ["", "blobs", "blobs/sha256", "partial"] {
        open(&data.join(directory));
    }
    assert!(others_can(&["cat", data.join("catalog.db").to_str().unwrap()]));
    let doctor = scene.run(&["doctor", "--offline"]);
    says(&(doctor.stdout + &doctor.stderr), &["has mode 0755", "chmod 700"]);
    scene.run(&["allow", "--revoke", &scene.published("app"), "--yes"]).success();
    assert!(!others_can(&["ls", data.to_str().unwrap()]));
    for path in files(&data) {
        assert!(!others_can(&["cat", path.to_str().unwrap()]), "others can read {}", path.display());
    }
    scene.run(&["doctor", "--offline"]).success();
}
