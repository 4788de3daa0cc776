//! Both profiles on both paths against `sha2`, in pieces of any length.

use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::*;

fn bytes(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut bytes = vec![0; size];
    for part in bytes.chunks_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        part.copy_from_slice(&state.to_le_bytes()[..part.len()]);
    }
    bytes
}

fn kernels() -> Vec<Kernel> {
    [Kernel::Portable].into_iter().chain(Kernel::interleaved()).collect()
}

/// The leaf block spelled out byte by byte, with a varint writer of its own.
fn framed(data: &[u8]) -> Vec<u8> {
    fn varint(mut number: usize, out: &mut Vec<u8>) {
        while number >= 0x80 {
            out.push(number as u8 | 0x80);
            number >>= 7;
        }
        out.push(number as u8);
    }
    let mut inner = vec![0x08, 0x02];
    if !data.is_empty() {
        inner.push(0x12);
        varint(data.len(), &mut inner);
        inner.extend_from_slice(data);
    }
    inner.push(0x18);
    varint(data.len(), &mut inner);
    let mut block = vec![0x0a];
    varint(inner.len(), &mut block);
    block.extend(inner);
    block
}

fn expected(profile: Profile, data: &[u8]) -> FileDigests {
    let chunks: Vec<&[u8]> =
        if data.is_empty() { vec![data] } else { data.chunks(profile.chunk_size() as usize).collect() };
    let leaf = |chunk: &[u8]| match profile {
        Profile::V1_2025 => Sha256::digest(chunk).into(),
        Profile::V0_2015 => Sha256::digest(framed(chunk)).into(),
    };
    FileDigests { digest: Digest::of(data), size: data.len() as u64, leaves: chunks.into_iter().map(leaf).collect() }
}

fn in_pieces(mut hasher: FileHasher, mut data: &[u8], pieces: &[usize]) -> FileDigests {
    for piece in pieces.iter().cycle() {
        if data.is_empty() {
            break;
        }
        let (now, later) = data.split_at((*piece).min(data.len()));
        hasher.update(now);
        data = later;
    }
    hasher.finish()
}

#[test]
fn edge_lengths_agree_with_sha2() {
    for profile in [Profile::V1_2025, Profile::V0_2015] {
        let chunk = profile.chunk_size() as usize;
        let around = |n: usize| [n - 1, n, n + 1];
        let edges = [[0, 1, 2], [55, 56, 57], [63, 64, 65], [119, 120, 121], [127, 128, 129], [16_383, 16_384, 16_385]];
        let edges = edges.into_iter().chain([around(chunk), around(2 * chunk), around(chunk + 64)]).flatten();
        for size in edges {
            let data = bytes(size, 7);
            let expected = expected(profile, &data);
            for kernel in kernels() {
                for pieces in [&[usize::MAX][..], &[64], &[63, 1, 65], &[8191], &[chunk], &[chunk - 1, 2]] {
                    let hasher = FileHasher::with_kernel(profile, size as u64, kernel);
                    assert_eq!(
                        in_pieces(hasher, &data, pieces),
                        expected,
                        "{profile:?} {kernel:?} {size} bytes in pieces of {pieces:?}"
                    );
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_length_in_any_pieces_agrees_with_sha2(
        size in prop_oneof![0usize..5_000, 0usize..3_000_000],
        seed in any::<u64>(),
        pieces in prop::collection::vec(prop_oneof![1usize..200, 1usize..70_000, 1usize..1_500_000], 1..8),
        hint in prop_oneof![Just(0), any::<u64>(), 0u64..3_000_000],
        v1 in any::<bool>(),
    ) {
        let profile = if v1 { Profile::V1_2025 } else { Profile::V0_2015 };
        let data = bytes(size, seed);
        let expected = expected(profile, &data);
        for kernel in kernels() {
            let hasher = FileHasher::with_kernel(profile, hint, kernel);
            prop_assert_eq!(&in_pieces(hasher, &data, &pieces), &expected);
        }
    }
}

#[test]
fn a_leaf_that_is_taken_back_leaves_those_before_it() {
    let chunk = 1 << 20;
    let data = bytes(2 * chunk + 100_001, 3);
    let expected = expected(Profile::V1_2025, &data);
    let wrong = bytes(chunk, 4);
    for kernel in kernels() {
        for end in [1, 63, 64, 65, chunk - 1, chunk, chunk + 1, chunk + 64, 2 * chunk, 2 * chunk + 30, data.len()] {
            let start = (end - 1) / chunk * chunk;
            let digest: [u8; 32] = Sha256::digest(&data[start..end]).into();
            let mut hasher = FileHasher::with_kernel(Profile::V1_2025, 0, kernel);
            assert_eq!(hasher.last_leaf(), None);
            hasher.update(&data[..start]);
            hasher.update(&wrong[..end - start]);
            assert_ne!(hasher.last_leaf(), Some(digest), "{end}");
            assert_eq!(hasher.take_back_leaf(), (end - start) as u64, "{end}");
            hasher.update(&data[start..end]);
            assert_eq!(hasher.last_leaf(), Some(digest), "{end}");
            hasher.update(&data[end..]);
            assert_eq!(hasher.finish(), expected, "{end}");
        }
    }
}

#[test]
fn published_vectors() {
    // FIPS 180-4's examples, and the empty files of Kubo: CIDv0 is 0x12 0x20 and the leaf's digest in base58.
    let abc = {
        let mut hasher = FileHasher::new(Profile::V1_2025, 3);
        hasher.update(b"abc");
        hasher.finish()
    };
    assert_eq!(abc.digest.hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(abc.leaves, [*abc.digest.as_bytes()]);
    let cid = |leaf: &[u8; 32]| {
        let bytes: Vec<u8> = [0x12, 0x20].iter().chain(leaf).copied().collect();
        multibase::Base::Base58Btc.encode(bytes)
    };
    let empty = FileHasher::new(Profile::V0_2015, 0).finish();
    assert_eq!(cid(&empty.leaves[0]), "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH");
    // The empty gzip layer that `ipfs add` named.
    let gzip = b"\x1f\x8b\x08\x00\x00\x09\x6e\x88\x00\xffb\x18\x05\xa3`\x14\x8cX\x00\x08\x00\x00\xff\xff.\xaf\xb5\xef\x00\x04\x00\x00";
    let mut hasher = FileHasher::new(Profile::V0_2015, 0);
    hasher.update(gzip);
    let layer = hasher.finish();
    assert!(layer.digest.hex().starts_with("a3ed95ca"));
    assert_eq!(cid(&layer.leaves[0]), "QmRCsXVnbyvbQewGnQXc7berXzZfRwi7J1qQd3dBUW4Xad");
    assert_eq!(cid(&framed_leaf_digest(gzip)), "QmRCsXVnbyvbQewGnQXc7berXzZfRwi7J1qQd3dBUW4Xad");
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_interleaved_kernel_is_tested_where_there_is_one() {
    assert_eq!(kernels().len(), if is_x86_feature_detected!("sha") { 2 } else { 1 });
}
