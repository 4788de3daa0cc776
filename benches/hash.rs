//! Both digests of bytes in memory, one thread, beside one and two passes of `sha2`.
//!
//! The other side of the comparison is `openssl speed -evp sha256 -bytes 1048576 -seconds 3`.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use roadstead::unixfs::Profile;
use roadstead::unixfs::hash::FileHasher;
use sha2::{Digest as _, Sha256};

const SIZE: usize = 64 << 20;
/// What an HTTP body gives at a time, about.
const PIECES: [usize; 2] = [16 << 10, 1 << 20];

fn hash(criterion: &mut Criterion) {
    let data: Vec<u8> = (0..SIZE as u32 / 4).flat_map(|i| i.wrapping_mul(0x9e37_79b9).to_le_bytes()).collect();
    let mut group = criterion.benchmark_group("hash");
    group.throughput(Throughput::Bytes(SIZE as u64)).sample_size(20).measurement_time(Duration::from_secs(4));
    group.bench_function("sha2 once", |bencher| bencher.iter(|| Sha256::digest(black_box(&data))));
    for (name, profile) in [("both digests, v1", Profile::V1_2025), ("both digests, v0", Profile::V0_2015)] {
        for piece in PIECES {
            group.bench_with_input(BenchmarkId::new(name, piece), &piece, |bencher, &piece| {
                bencher.iter(|| {
                    let mut hasher = FileHasher::new(profile, SIZE as u64);
                    for part in black_box(&data).chunks(piece) {
                        hasher.update(part);
                    }
                    hasher.finish()
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, hash);
criterion_main!(benches);
