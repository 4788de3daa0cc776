//! Blocks that are on their way: answered at once, and sent as they come.

use cid::Cid;

use super::*;
use crate::unixfs::{Profile, car};

fn published() -> (Arc<MemoryBlocks>, Cid, Vec<Cid>) {
    let blocks = Arc::new(MemoryBlocks::default());
    let content: Vec<u8> = (0..3_u32 << 18).flat_map(u32::to_be_bytes).collect();
    let file = blocks.add_file(Profile::V1_2025, &content);
    let leaves = content.chunks(1 << 20).map(|leaf| crate::unixfs::file::of_bytes(Profile::V1_2025, leaf).0.cid);
    (blocks, file.cid, leaves.collect())
}

#[tokio::test]
async fn a_block_is_answered_before_it_is_here() {
    let (blocks, root, leaves) = published();
    let server = Server::with_blocks(&blocks).await;
    blocks.expect(&leaves[1]);
    let response = server.get(&format!("/ipfs/{}?format=raw", leaves[1])).await;
    assert_eq!((response.status().as_u16(), header(&response, "content-length")), (200, "1048576"));
    blocks.arrive(&leaves[1]);
    crate::unixfs::verify_block(&leaves[1], &response.bytes().await.unwrap()).unwrap();

    // Of a node nobody knows how long it is before it is here.
    blocks.expect(&root);
    let path = format!("/ipfs/{root}?format=raw");
    let (response, ()) = tokio::join!(server.get(&path), async {
        while !blocks.is_awaited(&root) {
            tokio::task::yield_now().await;
        }
        blocks.arrive(&root);
    });
    assert_eq!(response.status(), 200);
    crate::unixfs::verify_block(&root, &response.bytes().await.unwrap()).unwrap();
}

#[tokio::test]
async fn a_car_goes_on_as_its_blocks_come() {
    let (blocks, root, leaves) = published();
    let server = Server::with_blocks(&blocks).await;
    blocks.expect(&leaves[0]);
    blocks.expect(&leaves[2]);
    let response = server.get(&format!("/ipfs/{root}?format=car&car-dups=y")).await;
    assert_eq!(response.status(), 200);
    blocks.arrive(&leaves[0]);
    blocks.arrive(&leaves[2]);
    let bytes = response.bytes().await.unwrap();
    let mut reader = car::Reader::new(&bytes[..]).unwrap();
    let found: Vec<Cid> = std::iter::from_fn(|| reader.block().unwrap()).map(|block| block.cid).collect();
    assert_eq!(found, [&[root], &leaves[..]].concat());
}

#[tokio::test]
async fn what_does_not_come_cuts_the_answer_off() {
    let (blocks, root, leaves) = published();
    let server = Server::with_blocks(&blocks).await;
    for path in [format!("/ipfs/{root}?format=car"), format!("/ipfs/{}?format=raw", leaves[1])] {
        blocks.expect(&leaves[1]);
        let response = server.get(&path).await;
        assert_eq!(response.status(), 200);
        let leaf = blocks.fail_to_come(&leaves[1]);
        assert!(response.bytes().await.is_err(), "{path}");
        assert_eq!(server.get(&format!("/ipfs/{}?format=raw", leaves[1])).await.status(), 404);
        blocks.add(leaves[1], leaf.to_vec());
    }
}
