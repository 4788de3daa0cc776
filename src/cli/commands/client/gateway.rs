//! What a plain IPFS gateway can be for whom: it labels every manifest `application/json`.

use super::recipe::{ClientSetup, Recipe};
use crate::error::{Error, Kind, Result};

/// Who can pull from a gateway and who can't, a sentence each.
pub(super) const CLIENTS: [&str; 2] = [
    "podman, buildah, skopeo, CRI-O and Docker up to 25 can pull from a plain IPFS gateway: they accept the gateway \
     view, whose manifests are schema 1.",
    "containerd, Kubernetes on it, k3s, nerdctl, Docker 26 and newer, oras and crane insist on a media type that gateways don't send; they \
     need a host that sets it: `roadstead serve`, or nginx or Caddy with our configuration (`roadstead config web`).",
];

/// What is otherwise in the gateway view, a sentence each.
pub(super) fn limits(setup: &ClientSetup) -> Vec<String> {
    let image = setup.image();
    vec![
        CLIENTS[0].to_owned(),
        CLIENTS[1].to_owned(),
        format!(
            "There, a tag is one platform, the catalog's default; the others have the architecture after the tag: \
             `{image}-arm64`."
        ),
        "Digests there differ from upstream's, so an image can't be pulled by its upstream digest; signatures and \
         images with zstd layers are missing."
            .to_owned(),
        "A gateway isn't set up as a mirror of other registries: clients would silently get one platform and other \
         digests."
            .to_owned(),
    ]
}

/// Refuses a gateway that is asked by path, to clients that ask for `/v2/` at the root of a host.
pub(super) fn refuse_path(setup: &ClientSetup) -> Result<()> {
    if setup.source.path.is_empty() {
        return Ok(());
    }
    let error = Error::new(
        Kind::Usage,
        format!("{} asks for `/v2/` at the root of a host, and {} is a path", setup.client.name(), setup.source),
    );
    Err(match setup.source.by_host_name() {
        Some(by_name) => {
            error.hint(format!("Use the gateway's form with the root in the host name: `--from {by_name}`."))
        }
        None => error.hint("Use a gateway's form with the root in the host name, or a domain with DNSLink."),
    })
}

/// A recipe that can't work, with why.
pub(super) fn impossible(recipe: &mut Recipe) {
    recipe.usable = false;
    recipe.files.clear();
    recipe.notes = CLIENTS.map(str::to_owned).to_vec();
}
