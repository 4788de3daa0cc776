//! A node that is to pin what it has not: Kubo searches the network for that, without an end and without a word.

use super::{Tree, pieces, run};
use crate::peers::kubo::{Kubo as Peer, Profile};
use cid::Cid;
use roadstead::error::Kind;
use roadstead::node::kubo::{Kubo, KuboOptions};
use roadstead::node::{ImportCar as _, Pins as _, ReadBlocks as _};
use roadstead::unixfs::car;
use std::time::Duration;

/// A CAR of the tree without this block.
fn without(tree: &Tree, block: &Cid) -> Vec<u8> {
    let mut car = car::header(&[tree.root]);
    for (cid, bytes) in tree.blocks.iter().filter(|(cid, _)| cid != block) {
        car.extend_from_slice(&car::block_prefix(cid, bytes.len() as u64));
        car.extend_from_slice(bytes);
    }
    car
}

#[test]
fn a_pin_of_what_is_not_there_fails_soon_and_names_the_block() {
    let peer = Peer::start(Profile::V1);
    run(async {
        let mut options = KuboOptions::new(peer.api_url.parse().unwrap());
        options.timeouts.quiet = Duration::from_millis(1200);
        let kubo = Kubo::new(&options).unwrap();
        let tree = Tree::new("with a hole");
        let leaf = tree.blocks.last().unwrap().0;
        assert!(leaf != tree.root);
        kubo.import(pieces(&without(&tree, &leaf))).await.unwrap();
        let pinning = kubo.pin_add(&tree.root, "roadstead", &|_| ());
        let error = tokio::time::timeout(Duration::from_secs(20), pinning).await.expect("no limit").unwrap_err();
        assert_eq!(error.kind(), Kind::Node);
        assert!(error.to_string().contains(&format!("lacks block {leaf}")), "{error}");
        assert!(error.hints()[0].contains("Publish again"), "{:?}", error.hints());
        assert_eq!(kubo.pin(&tree.root).await.unwrap(), None, "there is no pin with a hole");
        // Nobody waits for it any more, so that garbage can be collected and the rest can come.
        kubo.import(tree.stream()).await.unwrap();
        kubo.pin_add(&tree.root, "roadstead", &|_| ()).await.unwrap();
        let mut pins = kubo.pins_named("roadstead").await.unwrap();
        assert_eq!(pins.pop().map(|pin| pin.cid), Some(tree.root));
        peer.repository().run(&["repo", "gc", "--quiet"]).success();
        for (cid, _) in &tree.blocks {
            assert!(kubo.holds(cid).await.unwrap(), "{cid}");
        }
    });
}
