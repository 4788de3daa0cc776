#![no_main]

use libfuzzer_sys::fuzz_target;
use roadstead::unixfs::directory::DirectoryBlock;
use roadstead::unixfs::file::FileNode;
use roadstead::unixfs::{NodeKind, verify_block};

fuzz_target!(|block: &[u8]| {
    let _ = NodeKind::of(block);
    if let Ok(directory) = DirectoryBlock::parse(block) {
        for (_, link) in &directory.links {
            let _ = verify_block(&link.cid, block);
        }
    }
    if let Ok(file) = FileNode::parse(block) {
        for (link, _) in &file.children {
            let _ = verify_block(&link.cid, block);
        }
    }
});
