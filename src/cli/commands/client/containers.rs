//! podman, buildah, skopeo and CRI-O: registries.conf (containers-registries.conf(5)).

use std::fmt::Write as _;

use super::gateway;
use super::recipe::{Client, ClientSetup, Recipe};
use super::source::HostKind;
use crate::error::Result;

const FILE: &str = "50-roadstead.conf";

/// What they have to be told.
pub(super) fn recipe(setup: &ClientSetup) -> Result<Recipe> {
    gateway::refuse_path(setup)?;
    let source = &setup.source;
    let mut recipe = Recipe::new(setup, "/etc/containers/registries.conf.d");
    let is_gateway = setup.kind == HostKind::Gateway;
    let mut text = setup.heading();
    let insecure = if source.plain { "insecure = true\n" } else { "" };
    // Writing to a String can't fail.
    let _ = write!(text, "\n[[registry]]\nlocation = \"{}\"\n{insecure}", source.host);
    if !is_gateway {
        for (registry, prefix) in &setup.mirrors.registries {
            let slash = if prefix.is_empty() { "" } else { "/" };
            mirror(&mut text, registry, &format!("{}{slash}{prefix}", source.host), insecure);
        }
        for (upstream, name) in &setup.mirrors.renamed {
            mirror(&mut text, upstream, &format!("{}/{name}", source.host), insecure);
        }
    }
    recipe.file(FILE, text);
    let image = setup.image();
    match setup.client {
        Client::CriO => {
            recipe.reload.push("systemctl reload crio".to_owned());
            recipe.pull.push(format!("crictl pull {image}"));
        }
        Client::Skopeo => {
            recipe.user_place = Some("~/.config/containers/registries.conf.d");
            recipe.pull.push(format!("skopeo copy docker://{image} oci:DIR"));
        }
        _ => {
            recipe.user_place = Some("~/.config/containers/registries.conf.d");
            recipe.pull.push(format!("podman pull {image}"));
        }
    }
    if is_gateway {
        recipe.notes.extend(gateway::limits(setup));
    } else if !setup.mirrors.is_empty() {
        recipe.note(
            "Mirrored images also come from here under their upstream names, as they were when mirrored; \
            all others come from upstream.",
        );
    }
    if !source.plain && !is_gateway {
        recipe
            .note(format!("Your own certificate authority goes into /etc/containers/certs.d/{}/ca.crt.", source.host));
    }
    Ok(recipe)
}

fn mirror(text: &mut String, upstream: &str, location: &str, insecure: &str) {
    let _ = write!(
        text,
        "\n[[registry]]\nprefix = \"{upstream}\"\nlocation = \"{upstream}\"\n\n[[registry.mirror]]\nlocation = \"{location}\"\n{insecure}"
    );
}
