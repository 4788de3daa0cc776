//! Places that want credentials: a node with `API.Authorizations`, a gateway behind basic authentication.

use super::proxy::Proxy;
use crate::cli::Roadstead;
use crate::peers::kubo::{Kubo, Profile, Repository};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

const SECRET: &str = "c4n4ry-0f-the-n0de";

#[test]
fn a_gateway_behind_basic_authentication_is_asked_with_a_password() {
    let (_registry, lost, car) = super::published(Profile::V1);
    let root = lost.root();
    let repository = Repository::new(Profile::V1);
    repository.dag_import(&car);
    let kubo = Kubo::from_repository(repository, &[("registry.roadstead.test", &root)]);
    // `user:c4n4ry-0f-the-n0de` in base64.
    let guard = Proxy::guarding(&kubo.gateway_url, Some("Basic dXNlcjpjNG40cnktMGYtdGhlLW4wZGU="));
    let back = Roadstead::new();
    let said = back.run(&["restore", &root, "--from", &guard.url]).failure(5);
    assert!(said.contains("401") && said.contains("`--auth-file FILE`"), "{said}");
    back.run(&["restore", "registry.roadstead.test", "--from", &guard.url]).failure(5);
    let secret = file(&back, "secret", &format!("basic:user:{SECRET}"));
    let words = ["restore", "registry.roadstead.test", "--from", &guard.url, "--auth-file", secret.to_str().unwrap()];
    let run = back.run(&words);
    assert!(!run.to_string().contains(SECRET), "{run}");
    run.success();
    assert_eq!(back.root(), root);
    back.ok(&["verify"]);
}

/// A file with this text that only its owner reads.
fn file(of: &Roadstead, name: &str, text: &str) -> PathBuf {
    let path = of.path(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

#[test]
fn a_node_that_wants_a_secret_is_shown_it_and_nobody_else() {
    let (_registry, lost, car) = super::published(Profile::V1);
    let root = lost.root();
    let repository = Repository::new(Profile::V1);
    repository.dag_import(&car);
    let secrets = serde_json::json!({
        "reader": { "AuthSecret": format!("bearer:{SECRET}"), "AllowedPaths": ["/api/v0/block"] },
        "other": { "AuthSecret": "basic:user:pass:word", "AllowedPaths": ["/api/v0/block", "/api/v0/resolve"] },
    });
    repository.run(&["config", "--json", "API.Authorizations", &secrets.to_string()]).success();
    let kubo = Kubo::from_repository(repository, &[("registry.roadstead.test", &root)]);
    let node = format!("kubo:{}", kubo.api_url);

    let back = Roadstead::new();
    let said = back.run(&["restore", &root, "--from", &node]).failure(5);
    assert!(said.contains("403") && said.contains("`--auth-file FILE`"), "{said}");
    let wrong = file(&back, "wrong", "bearer:wrong");
    let said = back.run(&["restore", &root, "--from", &node, "--auth-file", wrong.to_str().unwrap()]).failure(5);
    assert!(said.contains("refuses the secret"), "{said}");
    let nowhere = back.path("nowhere");
    back.run(&["restore", &root, "--from", &node, "--auth-file", nowhere.to_str().unwrap()]).failure(4);
    back.run(&["restore", car.to_str().unwrap(), "--auth-file", wrong.to_str().unwrap()]).failure(2);

    for (name, text, what) in [
        ("bearer", format!("bearer:{SECRET}\n"), root.as_str()),
        ("token", SECRET.to_owned(), root.as_str()),
        ("basic", "basic:user:pass:word".to_owned(), "registry.roadstead.test"),
    ] {
        let back = Roadstead::new();
        let secret = file(&back, name, &text);
        let secret = secret.to_str().unwrap();
        let run = back.run(&["-vv", "restore", what, "--from", &node, "--auth-file", secret]);
        assert!(!run.to_string().contains(SECRET), "{run}");
        assert!(!run.stderr.contains("world-readable"), "{run}");
        run.success();
        assert_eq!(back.root(), root, "{name}");
        back.ok(&["verify"]);
    }

    // A blob that comes later is asked for with the same secret, which is in the file alone.
    let back = Roadstead::new();
    let secret = file(&back, "secret", SECRET);
    back.ok(&["restore", "--lazy", &root, "--from", &node, "--auth-file", secret.to_str().unwrap()]);
    for entry in std::fs::read_dir(back.path("registry")).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_file() {
            let bytes = std::fs::read(&entry).unwrap();
            let found = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
            assert!(!found, "the secret is in {}", entry.display());
        }
    }
    let again = back.path("again.car");
    back.ok(&["export", again.to_str().unwrap()]);
    assert_eq!(std::fs::read(&again).unwrap(), std::fs::read(&car).unwrap());

    // A merge is told the same way.
    let other = Roadstead::with_profile(Profile::V1.name());
    other.ok(&["import", &root, "--from", &node, "--auth-file", secret.to_str().unwrap()]);
    // Everybody can read it.
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).unwrap();
    let run = other.run(&["import", &root, "--from", &node, "--auth-file", secret.to_str().unwrap()]);
    assert!(run.code == 0 && run.stderr.contains("chmod 600"), "{run}");
}
