//! The recipe of each client.

use super::recipe::{Client, ClientSetup, Recipe};
use super::source::HostKind;
use super::{containerd, containers, docker, k3s, kubernetes, kubo};
use crate::error::{Error, Kind, Result};

/// The recipe for this setup.
pub(super) fn of(setup: &ClientSetup) -> Result<Recipe> {
    let mut recipe = match setup.client {
        Client::Podman | Client::CriO | Client::Skopeo => containers::recipe(setup)?,
        Client::Docker => docker::recipe(setup)?,
        Client::Containerd | Client::Nerdctl => containerd::recipe(setup),
        Client::K3s => k3s::recipe(setup),
        Client::Kubo => kubo::recipe(setup)?,
        Client::Kubernetes => {
            let nodes = setup.nodes.as_ref();
            kubernetes::recipe(setup, nodes.ok_or_else(|| Error::new(Kind::Usage, "no name to follow"))?)
        }
    };
    if !setup.sure && setup.kind != HostKind::Gateway {
        recipe.note(format!(
            "This is for a host that sets media types. Whether {} does is unknown: `--probe` finds out; for a plain \
             IPFS gateway behind a DNSLink name, add `--kind gateway`.",
            setup.source.host
        ));
    }
    Ok(recipe)
}
