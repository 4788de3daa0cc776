#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use roadstead::unixfs::car::Reader;
use roadstead::unixfs::verify_block;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(mut reader) = Reader::new(bytes) {
        while let Ok(Some(block)) = reader.block() {
            verify_block(&block.cid, &block.bytes).expect("a block is given only where it is what its CID says");
        }
    }
    if let Ok(mut reader) = Reader::new(Cursor::new(bytes)) {
        while let Ok(Some(_)) = reader.place() {}
    }
});
