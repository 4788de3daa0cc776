//! A password is nowhere but where the user put it: not in output, logs, events, the catalog, or what is published.

use super::*;
use crate::peers::web;
use base64::Engine as _;
use roadstead::registry::memory::RequestInfo;

const USER: &str = "curator";
const CANARY: &str = "c4n4ry-7f3a9e51d20b";

/// What must be found nowhere: the password, and what a header makes of it.
fn forbidden() -> Vec<String> {
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let pair = encode(&format!("{USER}:{CANARY}"));
    let url = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(CANARY);
    vec![CANARY.to_owned(), pair.trim_end_matches('=').to_owned(), encode(CANARY).trim_end_matches('=').to_owned(), url]
}

#[track_caller]
fn assert_clean(bytes: &[u8], of: &str) {
    for word in forbidden() {
        let found = bytes.windows(word.len()).position(|window| window == word.as_bytes());
        let around =
            found.map(|at| String::from_utf8_lossy(&bytes[at.saturating_sub(200)..(at + 80).min(bytes.len())]));
        assert!(found.is_none(), "{word} in {of}: {around:?}");
    }
}

/// Runs it with everything that could talk; nothing may tell.
#[track_caller]
fn run(scene: &Scene, arguments: &[&str]) -> Finished {
    for more in [&["-vv"][..], &["-vvv", "--json", "--progress", "json"]] {
        let words: Vec<&str> = more.iter().chain(arguments).copied().collect();
        let finished = scene.run(&words);
        assert_clean(finished.stdout.as_bytes(), &finished.to_string());
        assert_clean(finished.stderr.as_bytes(), &finished.to_string());
        if more.len() > 1 {
            return finished;
        }
    }
    unreachable!("the second run returns")
}

/// A server that says back all it ever heard, wherever it can.
fn echo(info: &RequestInfo, status: u16) -> Response {
    let header = info.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let words = format!("you sent {header}, that is {USER} with {CANARY}, {}", forbidden()[1]);
    let body = serde_json::json!({"errors": [{"code": "ECHO", "message": words}], "details": words}).to_string();
    let challenge = format!("Basic realm=\"{words}\"");
    let kind = if info.path.len().is_multiple_of(2) { "application/json" } else { "text/plain" };
    let body = if kind == "text/plain" { words } else { body };
    with(plain(status, body), &[("content-type", kind), ("www-authenticate", &challenge)])
}

fn everything(builder: Builder) {
    let scene = Scene::with(builder);
    scene.roadstead.log_in(&scene.host(), USER, CANARY);
    let image = image("one");
    scene.put("app", "1", &index("one"));
    scene.put("app", "2", &super::image("two"));
    let reference = scene.reference("app:1");
    let add = |what: &str| run(&scene, &["add", "--insecure", &scene.reference(what)]);
    add("app:1").success();
    scene.put("app", "1", &index("moved"));
    run(&scene, &["outdated"]).success();
    run(&scene, &["update"]).success();
    run(&scene, &["list"]).success();
    run(&scene, &["show", &reference]).success();
    run(&scene, &["stats"]).success();
    run(&scene, &["verify", "--repair"]).success();
    run(&scene, &["config", "show"]).success();
    for target in ["tree", "registry.car"] {
        let target = scene.roadstead.path(target);
        scene.run(&["-vv", "export", target.to_str().unwrap(), "--include-private"]).success();
    }
    let command = scene.roadstead.command(&["-vvv", "serve", "--listen", "127.0.0.1:0"]);
    let mut daemon = crate::peers::Daemon::start("serve-aloud", &command, &scene.roadstead.path(""));
    let log = scene.roadstead.path("serve-aloud.log");
    let url = daemon.wait_for("the line with its address", || {
        let printed = std::fs::read_to_string(&log).ok()?;
        let (_, after) = printed.split_once("serving on ")?;
        Some(after.lines().next()?.trim().to_owned())
    });
    web::get_manifest(&format!("{url}/v2/{}/manifests/1", scene.published("app"))).expect(200);
    drop(daemon);

    // Failures of every kind, from a server that repeats what it heard.
    add("app:none").failure(4);
    for status in [400, 401, 403, 404, 418] {
        scene.registry.intercept(move |info| info.path.contains("/manifests/").then(|| echo(info, status)));
        assert_ne!(add("app:2").code, 0, "{status}");
        // A tag that is gone is told, and no failure.
        assert_eq!(run(&scene, &["update"]).code == 0, status == 404, "{status}");
        run(&scene, &["outdated"]);
    }
    scene.registry.intercept(|info| (info.path.contains("/blobs/") && info.count < 3).then(|| echo(info, 503)));
    add("app:2").success();
    scene.run(&["remove", &scene.reference("app:2"), "--yes"]).success();
    scene.run(&["gc", "--yes"]).success();
    let elsewhere = scene.another(MemoryRegistry::builder());
    elsewhere.intercept(|info| Some(echo(info, 403)));
    let storage = elsewhere.host();
    scene.registry.intercept(move |info| {
        let place = format!("http://{USER}:{CANARY}@{storage}/x?password={CANARY}#{CANARY}");
        info.path.contains("/blobs/").then(|| with(plain(302, ""), &[("location", &place)]))
    });
    add("app:2").failure(6);
    // The server that gives tokens repeats it, too.
    for status in [401, 400, 500] {
        scene.registry.intercept(move |info| {
            let slow = status == 500 && info.count > 2;
            (info.path == "/token" && !slow).then(|| echo(info, status))
        });
        add("app:2");
    }
    // Also to someone who asks it as nobody.
    scene.registry.intercept(|info| {
        let nobody = info.path == "/token" && !info.headers.contains_key("authorization");
        nobody.then(|| echo(info, 400))
    });
    add("app:2");
    let mut wrong = image.blobs[2].to_vec();
    wrong[0] ^= 1;
    scene.registry.clear_intercept();
    scene.put("app", "3", &image);
    scene.registry.put_blob_as(&name("app"), Digest::of(&image.blobs[2]), wrong);
    scene.add("app:3");

    // Everything that was written, except where `docker login` wrote.
    let all: Vec<PathBuf> = files(&scene.roadstead.path(""));
    let ours = all.iter().filter(|file| !file.ends_with(".docker/config.json"));
    let mut read = 0;
    for file in ours {
        assert_clean(&std::fs::read(file).unwrap(), &file.display().to_string());
        read += 1;
    }
    let databases =
        all.iter().filter(|file| file.extension().is_some_and(|extension| extension == "db" || extension == "sqlite"));
    assert!(read > 20 && databases.count() > 0, "{all:?}");
}

#[test]
fn a_password_that_is_sent_is_found_nowhere() {
    everything(MemoryRegistry::builder().basic_auth(USER, CANARY));
}

#[test]
fn a_password_for_tokens_is_found_nowhere() {
    everything(MemoryRegistry::builder().token_auth(USER, CANARY).private(name("app")));
}

#[test]
fn an_identity_token_and_a_password_in_the_wrong_place() {
    let builder = MemoryRegistry::builder().token_auth(USER, "another").identity_token(CANARY).private(name("app"));
    let scene = Scene::with(builder);
    scene.put("app", "1", &image("one"));
    let file = scene.roadstead.path(".docker/config.json");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let auths = serde_json::json!({"auths": {scene.host(): {"identitytoken": CANARY}}});
    std::fs::write(&file, auths.to_string()).unwrap();
    run(&scene, &["add", "--insecure", &scene.reference("app:1")]).success();
    scene.registry.intercept(|info| (info.path == "/token").then(|| echo(info, 401)));
    run(&scene, &["update"]).failure(5);
    // Files that can't be read are named, not quoted.
    for text in [
        format!("{{\"auths\": {{\"x\": {{\"auth\": \"{CANARY}"),
        format!("{{\"auths\": {{\"{}\": {{\"auth\": \"{CANARY}\"}}}}}}", scene.host()),
    ] {
        std::fs::write(&file, text).unwrap();
        let said = run(&scene, &["update"]);
        says(&said.stderr, &["config.json"]);
        assert_ne!(said.code, 0);
    }
    std::fs::remove_file(&file).unwrap();
    let config = scene.roadstead.path("config.toml");
    std::fs::write(
        &config,
        format!("[registries.\"docker.io\"]\nmirror = \"https://{USER}:{CANARY}@mirror.example.com\"\n"),
    )
    .unwrap();
    says(&run(&scene, &["list"]).stderr, &["config.toml", "line 2", "credentials don't belong here"]);
}
