//! Kubo: who it asks for blocks, and that it may take them over HTTP (Kubo's docs/config.md).

use serde_json::json;

use super::recipe::{ClientSetup, Recipe};
use super::source::HostKind;
use crate::error::{Error, Kind, Result};

const FILE: &str = "kubo.sh";

/// What it has to be told.
pub(super) fn recipe(setup: &ClientSetup) -> Result<Recipe> {
    let source = &setup.source;
    if setup.kind != HostKind::Serve {
        return Err(Error::new(Kind::Usage, format!("a Kubo can't ask {source} who has a block"))
            .hint("Only `roadstead serve --ipfs` answers that; name one by `--from http://HOST:5050`."));
    }
    let mut recipe = Recipe::without_place(setup);
    // Kubo replaces `auto` by the routers that it comes with.
    let set = |key: &str, value: serde_json::Value| {
        let value = value.to_string();
        format!("{}\n", shell_words::join(["ipfs", "config", "--json", key, &value]))
    };
    let text = [
        setup.heading(),
        "# Ask the DHT, the routers that Kubo comes with, and this server for who has a block.\n".to_owned(),
        set("Routing.Type", json!("auto")),
        set("Routing.DelegatedRouters", json!(["auto", source.to_string()])),
        "# Take blocks over HTTP.\n".to_owned(),
        set("HTTPRetrieval.Enabled", json!(true)),
    ];
    recipe.file(FILE, text.concat());
    recipe.reload.push(format!("roadstead client kubo --from {source} | sh"));
    recipe.reload.push("ipfs shutdown; ipfs daemon --enable-gc".to_owned());
    recipe.note(format!(
        "{} has to run with `--ipfs`. The Kubo then reads everything published there, by CID and by IPNS name, through its own \
         gateway, too.",
        source.host
    ));
    recipe.note(
        "Kubo keeps what it reads until its garbage collection: with `ipfs daemon --enable-gc` that begins at 90% of \
         Datastore.StorageMax. Pin nothing, and it needs no second copy: `ipfs config Datastore.StorageMax 1GB`.",
    );
    recipe.note(format!(
        "`ipfs pin add ROOT` stores a full copy. To pin without one, let Kubo read each blob from here for as long as it is here: \
         `ipfs config --json Experimental.UrlstoreEnabled true`, restart it, then for each blob `ipfs add --nocopy --cid-version=1 \
         --chunker=size-1048576 {source}/v2/NAME/blobs/DIGEST`, and pin the root afterwards. This works with the profile \
         unixfs-v1-2025."
    ));
    recipe.note(format!(
        "If Kubo shall ask nobody else, set Routing.Type to `delegated`, Routing.DelegatedRouters to `[\"{source}\"]` and \
         Provide.Enabled to `false`. If it has routers of its own, keep them in Routing.DelegatedRouters."
    ));
    if source.plain && !source.loopback {
        recipe
            .note("Over plain HTTP, Kubo takes blocks from private addresses only; beyond them the server needs TLS.");
    }
    Ok(recipe)
}

#[cfg(test)]
mod tests {
    use super::super::mirrors::Mirrors;
    use super::super::recipe::Client;
    use super::super::source::Source;
    use super::*;

    fn setup(from: &str, kind: HostKind) -> ClientSetup {
        ClientSetup {
            client: Client::Kubo,
            source: Source::parse(from).unwrap(),
            kind,
            sure: true,
            types_from: None,
            mirrors: Mirrors::default(),
            nodes: None,
            example: None,
        }
    }

    #[test]
    fn a_shell_is_told_what_to_set() {
        let recipe = recipe(&setup("http://registry.lan:5050", HostKind::Serve)).unwrap();
        insta::assert_snapshot!("kubo", format!("{}---\n{}", recipe.printed(), recipe.notes.join("\n")));
        let lines = recipe.files[0].text.lines().filter(|line| !line.starts_with('#'));
        for line in lines {
            let words = shell_words::split(line).unwrap();
            assert_eq!((&words[..3], words.len()), (&["ipfs", "config", "--json"].map(str::to_owned)[..], 5), "{line}");
            serde_json::from_str::<serde_json::Value>(&words[4]).unwrap();
        }
    }

    #[test]
    fn who_answers_no_routing_is_refused() {
        for (from, kind) in [("https://ipfs.io/ipfs/bafyx", HostKind::Gateway), ("https://x.org", HostKind::Static)] {
            assert_eq!(recipe(&setup(from, kind)).unwrap_err().kind(), Kind::Usage);
        }
        let of = |from| recipe(&setup(from, HostKind::Serve)).unwrap().notes.concat().contains("needs TLS");
        assert!(of("http://10.0.0.1:5050") && !of("http://127.0.0.1:5050") && !of("https://x.org"));
    }
}
