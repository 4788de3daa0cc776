//! Every client's configuration, for every sort of host.

use std::fmt::Write as _;

use super::recipe::{Client, ClientSetup, Recipe};
use super::{HostKind, Mirrors, Source, all};
use crate::error::{Error, Kind};

const CLIENTS: [Client; 7] =
    [Client::Podman, Client::Docker, Client::Containerd, Client::CriO, Client::K3s, Client::Nerdctl, Client::Skopeo];

fn setup(client: Client, from: &str, kind: HostKind) -> ClientSetup {
    ClientSetup {
        client,
        source: Source::parse(from).unwrap(),
        kind,
        sure: true,
        types_from: None,
        mirrors: Mirrors::of_catalog([
            ("library/nginx", "docker.io/library/nginx"),
            ("registry.k8s.io/pause", "registry.k8s.io/pause"),
            ("127.0.0.1_5000/debian", "127.0.0.1:5000/debian"),
            ("web", "docker.io/library/caddy"),
        ]),
        nodes: None,
        example: Some("nginx:alpine".to_owned()),
    }
}

fn shown(made: Result<Recipe, Error>) -> String {
    let recipe = match made {
        Ok(recipe) => recipe,
        Err(error) => return format!("error: {error}\n{}\n", error.hints().join("\n")),
    };
    let mut text = String::new();
    for file in &recipe.files {
        let _ = write!(text, "{}/{}\n{}\n", recipe.place.unwrap_or_default(), file.path, file.text);
    }
    if !recipe.usable {
        text.push_str("not usable\n");
    }
    for note in &recipe.notes {
        let _ = writeln!(text, "- {note}");
    }
    text.push('\n');
    for command in recipe.reload.iter().chain(&recipe.pull) {
        let _ = writeln!(text, "$ {command}");
    }
    text
}

fn all(from: &str, kind: HostKind) -> String {
    CLIENTS.iter().fold(String::new(), |mut text, client| {
        let made = shown(all::of(&setup(*client, from, kind)));
        let _ = write!(text, "==== {}\n{made}\n", client.name());
        text
    })
}

#[test]
fn from_serve() {
    insta::assert_snapshot!("serve", all("http://registry.lan:5050", HostKind::Serve));
}

#[test]
fn from_a_static_host() {
    insta::assert_snapshot!("static", all("https://registry.example.com", HostKind::Static));
}

#[test]
fn from_a_gateway() {
    insta::assert_snapshot!("gateway", all("https://images.example.com", HostKind::Gateway));
    insta::assert_snapshot!("gateway-by-path", all("https://ipfs.io/ipfs/bafyroot", HostKind::Gateway));
}

#[test]
fn bytes_from_a_gateway_and_types_from_a_host() {
    let mut setup = setup(Client::Containerd, "https://ipfs.io/ipfs/bafyroot", HostKind::Gateway);
    setup.types_from = Some(Source::parse("https://registry.example.com").unwrap());
    insta::assert_snapshot!("containerd-with-gateway", shown(all::of(&setup)));
}

#[test]
fn the_shape_in_json() {
    let mut setup = setup(Client::Podman, "registry.example.com", HostKind::Static);
    setup.sure = false;
    insta::assert_snapshot!("json", serde_json::to_string_pretty(&all::of(&setup).unwrap()).unwrap());
}

/// What is TOML, YAML or JSON by its name is that.
#[test]
fn files_are_what_their_names_say() {
    for (from, kind) in [("http://registry.lan:5050", HostKind::Serve), ("https://x.example.com", HostKind::Static)] {
        for client in CLIENTS {
            for file in all::of(&setup(client, from, kind)).unwrap().files {
                let path = std::path::Path::new(&file.path);
                match path.extension().and_then(|extension| extension.to_str()) {
                    Some("toml" | "conf") => drop(file.text.parse::<toml::Table>().unwrap()),
                    Some("json") => drop(serde_json::from_str::<serde_json::Value>(&file.text).unwrap()),
                    other => assert_eq!(other, Some("yaml"), "{}", file.path),
                }
            }
        }
    }
}

/// A gateway is no mirror for anybody: its digests and platforms are others.
#[test]
fn a_gateway_stands_in_for_nobody() {
    for client in CLIENTS {
        let Ok(recipe) = all::of(&setup(client, "https://images.example.com", HostKind::Gateway)) else { continue };
        for file in recipe.files {
            assert!(!file.text.contains("docker.io") && !file.text.contains("mirror"), "{}", file.text);
        }
    }
    let error = all::of(&setup(Client::Podman, "https://ipfs.io/ipfs/bafyroot", HostKind::Gateway)).unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
}
