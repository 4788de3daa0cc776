//! Who is not let in, and what is not there: credentials, hosts, TLS, names, platforms.

use super::*;
use crate::images::Layout;
use crate::peers::docker_registry::DockerRegistry;
use crate::peers::free_port;

const USER: &str = "curator";
const PASSWORD: &str = "correct horse";

#[test]
fn a_wrong_password_is_said_to_be_wrong() {
    for builder in [
        MemoryRegistry::builder().basic_auth(USER, PASSWORD),
        MemoryRegistry::builder().token_auth(USER, PASSWORD).private(name("app")),
    ] {
        let scene = Scene::with(builder);
        scene.put("app", "1", &image("one"));
        scene.roadstead.log_in(&scene.host(), USER, "battery staple");
        let said = scene.add("app:1").failure(5);
        let host = scene.host();
        says(
            &said,
            &[
                "error: ",
                &scene.reference("app:1"),
                &format!("wrong user name or password for {host}"),
                "hint: ",
                &format!("podman login {host}"),
            ],
        );
        assert!(!said.contains("battery"), "{said}");
        assert_eq!(scene.listed(), Vec::<String>::new());
    }
}

#[test]
fn a_private_image_wants_credentials() {
    for builder in [
        MemoryRegistry::builder().basic_auth(USER, PASSWORD),
        MemoryRegistry::builder().token_auth(USER, PASSWORD).private(name("app")),
    ] {
        let scene = Scene::with(builder);
        scene.put("app", "1", &image("one"));
        let said = scene.add("app:1").failure(5);
        says(&said, &[&scene.reference("app:1"), "requires credentials", "docker login"]);
        let json = scene.run(&["--json", "add", "--insecure", &scene.reference("app:1")]);
        let last: serde_json::Value = serde_json::from_str(json.stderr.lines().last().unwrap()).unwrap();
        assert_eq!(last["error"]["kind"], "auth", "{json}");
        assert_eq!(last["error"]["exit_code"], 5, "{json}");
        assert!(last["error"]["hints"][0].as_str().unwrap().contains("docker login"), "{json}");
    }
}

#[test]
fn a_host_that_does_not_exist() {
    let roadstead = Roadstead::new();
    let said = checked(roadstead.run(&["add", "registry.invalid/app:1"])).failure(6);
    says(&said, &["registry.invalid/app:1", "registry.invalid: "]);
    // Where names can be resolved at all, it is the spelling; else it may pass.
    assert!(said.contains("Check the spelling") || said.contains("Temporary failure in name resolution"), "{said}");
}

#[test]
fn a_port_where_nobody_listens() {
    let roadstead = Roadstead::new();
    let host = format!("127.0.0.1:{}", free_port());
    let said = checked(roadstead.run(&["add", &format!("{host}/app:1")])).failure(6);
    says(&said, &[&format!("can't connect to {host}"), "Connection refused", "trying again in", "gave up after"]);
}

#[test]
fn names_and_tags_that_are_not_there() {
    let scene = Scene::new();
    scene.put("app", "1", &image("one"));
    for what in ["app:2", "nothing:1", &format!("app@{}", Digest::of(b"nothing"))] {
        let said = scene.add(what).failure(4);
        says(&said, &[&scene.reference(what), &format!("{} does not have it", scene.host()), "know"]);
    }
    assert_eq!(scene.asked("GET", "/blobs/"), 0);
}

#[test]
fn a_platform_that_is_not_there_is_named_with_those_that_are() {
    let scene = Scene::new();
    scene.put("app", "1", &index("one"));
    scene.put("single", "1", &image("one"));
    let said = scene.add_with(&["app:1"], &["--platform", "linux/s390x"]).failure(4);
    says(&said, &["linux/s390x", "hint: It has linux/amd64, linux/arm64", "--platform all"]);
    let said = scene.add_with(&["single:1"], &["--platform", "linux/s390x"]).failure(4);
    says(&said, &["linux/s390x", "It has linux/amd64"]);
    assert_eq!(scene.listed(), Vec::<String>::new());
}

#[test]
fn an_unknown_authority_and_the_wrong_scheme() {
    let registry = DockerRegistry::with_tls();
    let host = registry.host();
    registry.push(&Layout::busybox(), "1", "app");
    let roadstead = Roadstead::new();
    let reference = format!("{host}/app:1");
    let said = checked(roadstead.run(&["add", &reference])).failure(6);
    says(&said, &[&reference, "is from an unknown authority", "hint: ", "ca_file"]);
    let said = checked(roadstead.run(&["add", "--insecure", &reference])).failure(6);
    says(&said, &[&reference, "speaks TLS", "Leave out `--insecure`"]);
    let scene = Scene::new();
    scene.put("app", "1", &image("one"));
    // On this machine plain HTTP needs no flag, and that it is used is said once.
    let added = scene.run(&["add", &scene.reference("app:1")]);
    assert_eq!(added.stderr.matches("doesn't speak TLS").count(), 1, "{added}");
    added.success();
}
