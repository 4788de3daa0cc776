//! A refusal that comes while much is on its way: the connection breaks, and the reason is said all the same.

use super::{Tree, pieces, reach, run};
use crate::peers::kubo::{Kubo as Peer, Profile, Repository};
use ::bytes::Bytes;
use futures::{StreamExt as _, stream};
use roadstead::error::{Error, Kind};
use roadstead::node::{CarStream, ImportCar as _};

/// More than any buffer on the way takes.
fn large() -> CarStream {
    let piece = Bytes::from(vec![7; 1 << 20]);
    stream::iter((0..256).map(move |_| Ok(piece.clone()))).boxed()
}

/// Hands over much several times, as it is a matter of luck what is heard of the answer.
async fn refused(url: &str, secret: Option<&str>, check: impl Fn(&Error)) {
    for _ in 0..8 {
        check(&reach(url, secret).import(large()).await.unwrap_err());
    }
}

#[test]
fn a_token_without_the_right_to_import_is_named() {
    let repository = Repository::new(Profile::V1);
    let secrets = serde_json::json!({
        "reader": { "AuthSecret": "bearer:reader", "AllowedPaths": ["/api/v0/block", "/api/v0/pin", "/api/v0/dag/stat"] },
    });
    repository.run(&["config", "--json", "API.Authorizations", &secrets.to_string()]).success();
    let peer = Peer::from_repository(repository, &[]);
    run(async {
        for secret in [Some("reader"), Some("unknown"), None] {
            refused(&peer.api_url, secret, |error| {
                assert_eq!(error.kind(), Kind::Auth, "{secret:?}: {error}");
                assert!(error.hints().iter().any(|hint| hint.contains("/api/v0/dag/import")), "{:?}", error.hints());
            })
            .await;
        }
    });
}

#[test]
fn a_path_that_is_no_rpc_is_named() {
    let peer = Peer::start(Profile::V1);
    run(async {
        for url in [format!("{}/nowhere", peer.api_url), peer.gateway_url.clone()] {
            refused(&url, None, |error| {
                assert!(error.kind() == Kind::Node && error.to_string().contains("no such command"), "{url}: {error}");
            })
            .await;
        }
        // What is only wrong in itself is said as it is.
        refused(&peer.api_url, None, |error| assert!(error.to_string().contains("says: "), "{error}")).await;
        let tree = Tree::new("after that");
        let kubo = reach(&peer.api_url, None);
        assert!(kubo.import(pieces(&tree.car[..tree.car.len() - 1])).await.unwrap_err().to_string().contains("says: "));
        assert_eq!(kubo.import(tree.stream()).await.unwrap(), tree.content);
    });
}
