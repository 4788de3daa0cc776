//! The recipe of each client.

use super::recipe::{Client, Recipe, Wish};
use super::source::HostKind;
use super::{containerd, containers, docker, k3s};
use crate::error::Result;

/// The recipe for this wish.
pub(super) fn of(wish: &Wish) -> Result<Recipe> {
    let mut recipe = match wish.client {
        Client::Podman | Client::CriO | Client::Skopeo => containers::recipe(wish)?,
        Client::Docker => docker::recipe(wish)?,
        Client::Containerd | Client::Nerdctl => containerd::recipe(wish),
        Client::K3s => k3s::recipe(wish),
    };
    if !wish.sure && wish.kind != HostKind::Gateway {
        recipe.note(format!(
            "This is for a host that sets media types. Whether {} does is unknown: `--probe` finds out; for a plain \
             IPFS gateway behind a DNSLink name, add `--kind gateway`.",
            wish.source.host
        ));
    }
    Ok(recipe)
}
