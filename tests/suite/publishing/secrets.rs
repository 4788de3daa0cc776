//! The secrets of a publication are nowhere but where the user put them: not in output, logs, events, the catalog, nor in
//! anything that is published.

use super::world::{DOMAIN, World};
use crate::peers::docker_registry::DockerRegistry;
use crate::peers::kubo::{Profile, Repository};
use crate::peers::{Finished, web};
use base64::Engine as _;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

const TOKEN: &str = "c4n4ry-t0ken-2b91";
const WRONG_TOKEN: &str = "c4n4ry-wr0ng-7d02";
const WRONG_TSIG: &str = "YzRuNHJ5LXRzaWctZTU1MS1vZi0zMi1ieXRlcy4uLi4=";

/// What must be found nowhere, and what headers make of it.
fn forbidden(tsig: &str) -> Vec<String> {
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let decode = |text: &str| base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    let pair = format!("{}:{}", DockerRegistry::USER, DockerRegistry::PASSWORD);
    let mut words = vec![TOKEN.to_owned(), WRONG_TOKEN.to_owned(), DockerRegistry::PASSWORD.to_owned()];
    words.extend([TOKEN, WRONG_TOKEN, &pair].map(|word| encode(word).trim_end_matches('=').to_owned()));
    for secret in [tsig, WRONG_TSIG] {
        words.extend([secret.trim_end_matches('=').to_owned(), String::from_utf8(decode(secret)).unwrap()]);
    }
    words
}

#[track_caller]
fn assert_clean(bytes: &[u8], tsig: &str, of: &str) {
    for word in forbidden(tsig) {
        let found = bytes.windows(word.len()).position(|window| window == word.as_bytes());
        let around =
            found.map(|at| String::from_utf8_lossy(&bytes[at.saturating_sub(200)..(at + 80).min(bytes.len())]));
        assert!(found.is_none(), "{word} in {of}: {around:?}");
    }
}

/// Runs it with everything that could talk; nothing may tell.
#[track_caller]
fn run(world: &World, arguments: &[&str]) -> Finished {
    let mut last = None;
    for more in [&["-vv"][..], &["-vvv", "--json", "--progress", "json"]] {
        let words: Vec<&str> = more.iter().chain(arguments).copied().collect();
        let finished = world.roadstead.run(&words);
        assert_clean(finished.stdout.as_bytes(), world.knot.secret(), &finished.to_string());
        assert_clean(finished.stderr.as_bytes(), world.knot.secret(), &finished.to_string());
        // A second success would say that there is nothing to do.
        if finished.code == 0 && arguments[0] == "publish" {
            return finished;
        }
        last = Some(finished);
    }
    last.expect("it ran")
}

/// All files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry"));
    entries
        .flat_map(|entry| match entry.file_type().expect("a type") {
            kind if kind.is_dir() => files(&entry.path()),
            kind if kind.is_file() => vec![entry.path()],
            _ => Vec::new(),
        })
        .collect()
}

/// A node that says back all it hears, with this status; its address.
fn parrot(status: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let (mut heard, mut buffer) = (Vec::new(), [0; 4096]);
                while !heard.windows(4).any(|window| window == b"\r\n\r\n") {
                    match client.read(&mut buffer) {
                        Ok(count @ 1..) => heard.extend_from_slice(&buffer[..count]),
                        _ => return,
                    }
                }
                let words = format!("you sent {}", String::from_utf8_lossy(&heard).replace("\r\n", " | "));
                let body = serde_json::json!({
                    "Message": words, "Code": 0, "Type": "error", "Version": words, "Key": words, "ID": words,
                    "AgentVersion": words, "RepoSize": words,
                })
                .to_string();
                let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                // Who does not listen any more has heard enough.
                let _ = client.write_all((head + &body).as_bytes());
            });
        }
    });
    url
}

/// A world whose node wants a token, and whose upstream wants a password.
fn guarded() -> World {
    let repository = Repository::new(Profile::V1);
    let paths = ["id", "block", "dag", "pin", "repo/stat", "swarm/peers", "key", "name"];
    let paths: Vec<String> = paths.iter().map(|path| format!("/api/v0/{path}")).collect();
    let secrets = serde_json::json!({
        "publisher": { "AuthSecret": format!("bearer:{TOKEN}"), "AllowedPaths": paths },
    });
    repository.run(&["config", "--json", "API.Authorizations", &secrets.to_string()]).success();
    let registry = DockerRegistry::with_basic_auth();
    let world = World::of(registry, repository);
    world.roadstead.log_in(&world.registry.host(), DockerRegistry::USER, DockerRegistry::PASSWORD);
    std::fs::write(world.roadstead.path("token"), format!("bearer:{TOKEN}\n")).unwrap();
    let token = world.roadstead.path("token");
    world.add_target("home", &world.kubo, &["--keep", "3", "--auth-file", token.to_str().unwrap()]);
    world
}

#[test]
fn the_secrets_of_a_publication_are_found_nowhere() {
    let world = guarded();
    let (token, tsig) = (world.roadstead.path("token"), world.roadstead.path("tsig.key"));
    world.mirror("greeting", "the first\n");
    let repository = format!("{}/greeting", world.registry.published());
    run(&world, &["allow", &repository, "--yes"]);
    run(&world, &["target", "test", "home"]).success();
    run(&world, &["publish", "--yes"]).success();
    world.mirror("greeting", "the second\n");

    // Failures: a wrong token, a wrong key, a node that repeats what it heard, one that is not there.
    std::fs::write(&token, format!("bearer:{WRONG_TOKEN}\n")).unwrap();
    for words in [&["publish", "--yes"][..], &["target", "test", "home"], &["target", "verify", "home"]] {
        run(&world, words).failure(5);
    }
    std::fs::write(&token, format!("basic:user:{TOKEN}\n")).unwrap();
    run(&world, &["publish", "--yes"]).failure(5);
    std::fs::write(&token, format!("bearer:{TOKEN}\n")).unwrap();
    std::fs::write(&tsig, WRONG_TSIG).unwrap();
    run(&world, &["publish", "--yes"]).failure(5);
    run(&world, &["target", "test", "home"]).failure(5);
    std::fs::write(&tsig, world.knot.secret()).unwrap();
    for status in ["200 OK", "401 Unauthorized", "403 Forbidden", "404 Not Found", "500 Internal Server Error"] {
        let url = parrot(status);
        // By the library for nodes on this machine, and by our own client.
        for url in [url.clone(), format!("{url}/rpc")] {
            run(&world, &["target", "set", "home", "--kubo", &url]);
            for words in [&["publish", "--yes"][..], &["target", "test", "home"]] {
                assert_ne!(run(&world, words).code, 0, "{status}");
            }
            for secret in [format!("basic:user:{TOKEN}"), format!("bearer:{TOKEN}")] {
                std::fs::write(&token, secret).unwrap();
                assert_ne!(run(&world, &["target", "test", "home"]).code, 0, "{status}");
            }
        }
    }
    run(&world, &["target", "set", "home", "--kubo", "http://127.0.0.1:9"]);
    run(&world, &["publish", "--yes"]).failure(7);
    // A secret in the wrong place, and files that can't be used.
    let wrong = format!("http://user:{TOKEN}@127.0.0.1:9");
    run(&world, &["target", "set", "home", "--kubo", &wrong]).failure(2);
    std::fs::write(&token, format!("{TOKEN}:{WRONG_TOKEN}")).unwrap();
    assert_ne!(run(&world, &["publish", "--yes"]).code, 0);
    std::fs::write(&token, format!("bearer:{TOKEN}\n")).unwrap();
    run(&world, &["target", "set", "home", "--kubo", &world.kubo.api_url]);

    run(&world, &["publish", "--yes"]).success();
    run(&world, &["target", "show", "home"]).success();
    run(&world, &["target", "list"]).success();
    run(&world, &["target", "verify", "home"]).success();
    run(&world, &["history"]).success();
    let root = world.roadstead.root();
    assert_eq!(world.record(), [format!("dnslink=/ipfs/{root}")]);
    assert_clean_everywhere(&world, &root);
}

/// What was written here, and what the node was given.
fn assert_clean_everywhere(world: &World, root: &str) {
    let secret = world.knot.secret();
    let home = world.roadstead.path("");
    let placed = ["token", "tsig.key", ".docker/config.json"].map(|name| home.join(name));
    let ours: Vec<PathBuf> = files(&home).into_iter().filter(|file| !placed.contains(file)).collect();
    assert!(ours.len() > 10 && ours.iter().any(|file| file.ends_with("catalog.db")), "{ours:?}");
    for file in &ours {
        assert_clean(&std::fs::read(file).unwrap(), secret, &file.display().to_string());
    }
    // Published bytes as the node gives them, and every block that it was ever handed.
    let url = format!("{}/ipfs/{root}?format=car", world.kubo.gateway_url);
    let car = web::send("GET", &url, &[("Accept", "application/vnd.ipld.car")], Vec::new()).unwrap().expect(200).body;
    assert!(car.windows(8).any(|window| window == b"greeting"), "the image is in it");
    assert_clean(&car, secret, "the CAR of the root");
    let blocks = files(&world.kubo.repository().path("blocks"));
    assert!(blocks.len() > 20, "{}", blocks.len());
    for file in files(&world.kubo.repository().path("datastore")).iter().chain(&blocks) {
        assert_clean(&std::fs::read(file).unwrap(), secret, &file.display().to_string());
    }
    for name in [format!("_dnslink.{DOMAIN}"), DOMAIN.to_owned()] {
        assert_clean(world.knot.txt(&name).join("\n").as_bytes(), secret, &name);
    }
}
