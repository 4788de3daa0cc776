//! k3s and RKE2: registries.yaml, from which they write containerd's files.

use std::fmt::Write as _;

use super::gateway;
use super::recipe::{ClientSetup, Recipe};
use super::source::HostKind;

/// What it has to be told.
pub(super) fn recipe(setup: &ClientSetup) -> Recipe {
    let mut recipe = Recipe::new(setup, "/etc/rancher/k3s");
    if setup.kind == HostKind::Gateway {
        gateway::impossible(&mut recipe);
        return recipe;
    }
    let source = &setup.source;
    let mut text = format!("{}mirrors:\n", setup.heading());
    endpoint(&mut text, &source.host, source);
    let mirrors = &setup.mirrors;
    if setup.kind == HostKind::Serve && !mirrors.is_empty() {
        // It is told the registry that an image is from.
        endpoint(&mut text, "*", source);
        recipe.note(
            "`*` covers every upstream, including those mirrored later; k3s supports it since January 2024 \
            (1.26.13, 1.27.10, 1.28.6, 1.29.1).",
        );
    } else {
        for (registry, prefix) in &mirrors.registries {
            endpoint(&mut text, registry, source);
            if !prefix.is_empty() {
                let _ = write!(text, "    rewrite:\n      \"^(.*)$\": \"{prefix}/$1\"\n");
            }
        }
    }
    if !mirrors.is_empty() {
        recipe.note("Images that aren't mirrored come from upstream.");
    }
    for (upstream, name) in &mirrors.renamed {
        recipe.note(format!("{upstream} has another name here: pull it as {}/{name}.", source.host));
    }
    if !source.plain {
        recipe.note(format!(
            "For your own certificate authority: `configs: {{\"{}\": {{tls: {{ca_file: /path/ca.crt}}}}}}`.",
            source.host
        ));
    }
    recipe.file("registries.yaml", text);
    recipe.reload.push("systemctl restart k3s  # on agents: k3s-agent".to_owned());
    recipe.pull.push(format!("k3s crictl pull {}", setup.image()));
    recipe.note("RKE2 reads the same file in /etc/rancher/rke2. It belongs on every node.");
    recipe
}

fn endpoint(text: &mut String, name: &str, source: &super::source::Source) {
    let _ = write!(text, "  \"{name}\":\n    endpoint:\n      - \"{source}\"\n");
}
