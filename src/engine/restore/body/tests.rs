//! Files that are read beside each other.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::unixfs::Profile;
use crate::unixfs::file::{Part, parts};
use crate::unixfs::hash::FileHasher;

/// Has the root of a file, and gives no leaf until it may.
#[derive(Debug)]
struct Slow {
    root: Cid,
    bytes: Bytes,
    asked: AtomicUsize,
    may: Mutex<bool>,
}

#[async_trait::async_trait]
impl BlockSource for Slow {
    fn place(&self) -> String {
        "somewhere".to_owned()
    }

    async fn block(&self, cid: &Cid) -> Result<Option<Bytes>> {
        if *cid == self.root {
            return Ok(Some(self.bytes.clone()));
        }
        self.asked.fetch_add(1, Ordering::SeqCst);
        while !*self.may.lock().unwrap() {
            tokio::task::yield_now().await;
        }
        Ok(Some(vec![0; 1 << 20].into()))
    }

    fn at_once(&self) -> usize {
        16
    }
}

#[tokio::test]
async fn files_of_a_tree_have_one_room_for_what_is_asked_ahead() {
    let size = 40 << 20;
    let mut hasher = FileHasher::new(Profile::V1_2025, size);
    (0..40).for_each(|_| hasher.update(&vec![0; 1 << 20]));
    let Some(Part::Node(root)) = parts(Profile::V1_2025, size, hasher.finish().leaves).unwrap().next() else {
        panic!("a node");
    };
    let source =
        Arc::new(Slow { root: root.cid, bytes: root.bytes.into(), asked: AtomicUsize::new(0), may: Mutex::default() });
    let ahead = Ahead::default();
    let read = async || {
        let mut stream =
            FileStream::open_beside(Arc::clone(&source) as _, &root.cid, 0, None, ahead.clone()).await.unwrap();
        let mut read = 0;
        while let Some(chunk) = stream.chunk().await.unwrap() {
            read += chunk.len() as u64;
        }
        read
    };
    let looking = async {
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        // One has all of the room, and each other file has its next block.
        assert_eq!(source.asked.load(Ordering::SeqCst), (MAX_BYTES_AHEAD >> 20) + 2);
        *source.may.lock().unwrap() = true;
    };
    let (first, second, third, ()) = tokio::join!(read(), read(), read(), looking);
    assert_eq!([first, second, third], [size; 3]);
}
