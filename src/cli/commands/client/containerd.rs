//! containerd and nerdctl: one `hosts.toml` a registry (containerd's docs/hosts.md).

use std::fmt::Write as _;

use super::gateway;
use super::recipe::{Client, ClientSetup, Recipe, heading};
use super::source::{HostKind, Source};

/// Where containerd looks for these files.
pub(super) const CERTS_DIRECTORY: &str = "/etc/containerd/certs.d";
const DEFAULT_FILE: &str = "_default/hosts.toml";
const CAPABILITIES: &str = "capabilities = [\"pull\", \"resolve\"]\n";

/// What it has to be told.
pub(super) fn recipe(setup: &ClientSetup) -> Recipe {
    let mut recipe = Recipe::new(setup, CERTS_DIRECTORY);
    if setup.client == Client::Nerdctl {
        recipe.user_place = Some("~/.config/containerd/certs.d");
    }
    if setup.kind == HostKind::Gateway {
        over_gateway(setup, &mut recipe);
    } else {
        over_host(setup, &mut recipe);
    }
    if recipe.usable && setup.client == Client::Containerd {
        recipe.note(config_path_note());
        recipe.note(
            "In containerd 2, `ctr` needs every platform's configuration unless you pass `--skip-metadata`; \
            Kubernetes and nerdctl don't.",
        );
    }
    recipe
}

/// What Kubernetes needs before it reads these files.
pub(super) fn config_path_note() -> String {
    format!(
        "Kubernetes reads {CERTS_DIRECTORY} if containerd's config.toml says so: `config_path = \"{CERTS_DIRECTORY}\"` below \
         [plugins.\"io.containerd.cri.v1.images\".registry] (version 3 of that file, containerd 2) or \
         [plugins.\"io.containerd.grpc.v1.cri\".registry] (version 2); then restart containerd once."
    )
}

/// The file for every registry that has none of its own, with its path: the same that `client containerd` writes.
pub(super) fn default_hosts(source: &Source) -> (&'static str, String) {
    (DEFAULT_FILE, default_text(&heading(Client::Containerd, source), source))
}

fn default_text(heading: &str, source: &Source) -> String {
    format!("{heading}\n[host.\"{source}\"]\n{CAPABILITIES}")
}

fn pull(setup: &ClientSetup, image: &str) -> Vec<String> {
    match setup.client {
        Client::Nerdctl => vec![format!("nerdctl pull {image}")],
        _ => vec![format!("crictl pull {image}"), format!("ctr images pull --hosts-dir {CERTS_DIRECTORY} {image}")],
    }
}

fn over_host(setup: &ClientSetup, recipe: &mut Recipe) {
    let source = &setup.source;
    let own = format!("{}\nserver = \"{source}\"\n\n[host.\"{source}\"]\n{CAPABILITIES}", setup.heading());
    recipe.file(format!("{}/hosts.toml", source.host), own);
    let mirrors = &setup.mirrors;
    if setup.kind == HostKind::Serve && !mirrors.is_empty() {
        // It is told the registry that an image is from.
        recipe.file(DEFAULT_FILE, default_text(&setup.heading(), source));
        recipe.note(
            "One file covers every upstream, including those mirrored later: images that aren't mirrored \
            come from upstream.",
        );
    } else {
        // Without `server` it is the registry itself, by the scheme that containerd takes for it.
        for (registry, prefix) in &mirrors.registries {
            let slash = if prefix.is_empty() { "" } else { "/" };
            recipe.file(
                format!("{registry}/hosts.toml"),
                format!(
                    "{}\n[host.\"{source}/v2{slash}{prefix}\"]\n{CAPABILITIES}override_path = true\n",
                    setup.heading()
                ),
            );
        }
        if !mirrors.registries.is_empty() {
            recipe.note(
                "Mirrored images also come from here under their upstream names, as they were when \
                mirrored; all others come from upstream.",
            );
        }
    }
    for (upstream, name) in &mirrors.renamed {
        recipe.note(format!(
            "{upstream} has another name here, which containerd can't map: pull it as {}/{name}.",
            source.host
        ));
    }
    recipe.pull = pull(setup, &setup.image());
    if !source.plain {
        recipe.note(format!("For your own certificate authority: `ca = \"/path/ca.crt\"` below [host.\"{source}\"]."));
    }
}

/// Tags and types from a host that has them, bytes from the gateway.
fn over_gateway(setup: &ClientSetup, recipe: &mut Recipe) {
    let gateway = &setup.source;
    let Some(host) = &setup.types_from else {
        gateway::impossible(recipe);
        recipe.note(format!(
            "{} can take the bytes from the gateway if a small host resolves the tags: add `--types-from \
             https://HOST`, where HOST is \
             `roadstead serve` or the exported tree behind nginx or Caddy.",
            setup.client.name()
        ));
        return;
    };
    let mut text = setup.heading();
    let _ = write!(
        text,
        "# {host} resolves tags; manifests and layers come from the gateway.\n\nserver = \"{host}\"\n\n\
         [host.\"{gateway}/oci/v2\"]\ncapabilities = [\"pull\"]\noverride_path = true\n\n\
         # Images named by digest can't be pulled this way: containerd asks the gateway first what they are. If you need them, use a\n\
         # host that has the manifests but not the blobs (404), with this instead of everything above:\n\
         #\n\
         # server = \"{gateway}/oci/v2\"\n# override_path = true\n#\n# [host.\"{host}\"]\n# capabilities = [\"pull\", \"resolve\"]\n"
    );
    recipe.file(format!("{}/hosts.toml", host.host), text);
    recipe.note(format!(
        "{} resolves tags; the bytes come from the gateway, or from {} if the gateway lacks them.",
        host.host, host.host
    ));
    recipe.note("Images named by digest can't be pulled this way; the file says what to write if you need them.");
    if gateway.path.starts_with("/ipfs/") || gateway.host.contains(".ipfs.") {
        recipe.note(
            "The gateway's address names one root: images mirrored later come from the host until you \
            change the address as well.",
        );
    }
    recipe.note("A gateway isn't set up as a mirror of other registries: images named by digest would fail.");
    recipe.pull = pull(setup, &setup.image_at(&host.host));
}
