//! CARs and blocks made without a server; what a server makes of them is in `serve/tests/gateway.rs`.

mod cars;
mod hostile;
pub(in crate::serve) mod memory_blocks;

use std::sync::Arc;

use cid::Cid;

use super::car_writer::{CarWriter, Repeats};
use super::refusal::Refusal;
use super::request::{CarOptions, ContentPath, Format, Parameters};
use super::resolve::resolve;
use super::seen::{MAX_SEEN_BYTES, Seen};
use super::writing::Writing;
use crate::error::Result;
use crate::unixfs::{Block, car};
use axum::http::HeaderMap;
use memory_blocks::MemoryBlocks;
use tokio::sync::Semaphore;

fn options(query: &str) -> CarOptions {
    match Parameters::parse(Some(&format!("format=car&{query}"))).format(&HeaderMap::new()) {
        Ok(Format::Car(options)) => options,
        other => panic!("{other:?}"),
    }
}

fn begin(blocks: &MemoryBlocks, path: &str, query: &str) -> Result<CarWriter, Refusal> {
    let (path, options) = (ContentPath::parse(path).unwrap(), options(query));
    let resolved = resolve(blocks, &path, &options)?;
    let seen = Seen::new(Arc::new(Semaphore::new(MAX_SEEN_BYTES)));
    let repeats = if query.contains("car-dups=y") {
        Repeats::Sent
    } else if query.contains("car-dups=n") {
        Repeats::Excluded(seen)
    } else {
        Repeats::Spared(seen)
    };
    Ok(CarWriter::new(path.root, resolved.path, resolved.walk, repeats))
}

/// All bytes, made so many at a time, and how many turns that took.
fn write(blocks: &MemoryBlocks, mut writer: impl Writing, room: usize) -> Result<(Vec<u8>, usize)> {
    let (mut all, mut space, mut turns) = (Vec::new(), vec![0; room], 0);
    while !writer.is_done() {
        let count = writer.fill(blocks, &mut space)?;
        all.extend_from_slice(&space[..count]);
        turns += 1;
    }
    Ok((all, turns))
}

/// The blocks of a CAR, each verified, in their order.
fn read(bytes: &[u8]) -> Vec<Cid> {
    let mut reader = car::Reader::new(bytes).unwrap();
    std::iter::from_fn(|| reader.block().unwrap()).map(|Block { cid, .. }| cid).collect()
}

/// What a request for a CAR comes to.
fn car(blocks: &MemoryBlocks, path: &str, query: &str) -> Result<Vec<Cid>, u16> {
    let writer = begin(blocks, path, query).map_err(|refusal| refusal.status())?;
    Ok(read(&write(blocks, writer, 64 << 10).unwrap().0))
}
