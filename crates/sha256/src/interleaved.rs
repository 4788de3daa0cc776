//! Two SHA-256 states in one stream of x86 SHA instructions (FIPS 180-4, 6.2.2; Intel SDM, SHA256RNDS2).
//!
//! A round needs the result of the round before it, and the processor could do two in that time. So the rounds of two
//! states alternate. When both eat the same block, they also share its message schedule.
//!
//! The only `unsafe` of the program: calling functions that need processor features which were found at run time.

#![expect(unsafe_code, reason = "a function compiled for SHA instructions can't be called in safe code")]

use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_blend_epi16, _mm_extract_epi32, _mm_set_epi32, _mm_set_epi64x,
    _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi8, _mm_shuffle_epi32,
};

use super::state::{BLOCK_BYTES, State};

/// The proof that this processor has the instructions: only [`Available::detect`] makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Available(());

impl Available {
    /// Asks the processor; cheap, the standard library remembers the answer.
    pub fn detect() -> Option<Self> {
        (is_x86_feature_detected!("sha") && is_x86_feature_detected!("ssse3") && is_x86_feature_detected!("sse4.1"))
            .then_some(Self(()))
    }
}

/// Advances both states over the same blocks.
pub(crate) fn compress_shared(_: Available, first: &mut State, second: &mut State, blocks: &[[u8; BLOCK_BYTES]]) {
    // SAFETY: an `Available` exists only where the features were detected.
    unsafe { shared(first, second, blocks) }
}

/// Advances each state over its own blocks, as many as both have.
pub(crate) fn compress_each(
    _: Available,
    (first, first_blocks): (&mut State, &[[u8; BLOCK_BYTES]]),
    (second, second_blocks): (&mut State, &[[u8; BLOCK_BYTES]]),
) {
    // SAFETY: an `Available` exists only where the features were detected.
    unsafe { each((first, first_blocks), (second, second_blocks)) }
}

/// The round constants (FIPS 180-4, 4.2.2), four rounds a row.
#[rustfmt::skip]
static ROUND_CONSTANTS: [[u32; 4]; 16] = [
    [0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5], [0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5],
    [0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3], [0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174],
    [0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc], [0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da],
    [0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7], [0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967],
    [0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13], [0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85],
    [0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3], [0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070],
    [0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5], [0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3],
    [0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208], [0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2],
];

/// A state in the two registers that the instructions want: the words A, B, E, F and C, D, G, H.
#[derive(Clone, Copy)]
struct Lane {
    abef: __m128i,
    cdgh: __m128i,
}

#[inline]
#[target_feature(enable = "sse2")]
fn words([a, b, c, d]: [u32; 4]) -> __m128i {
    _mm_set_epi32(d as i32, c as i32, b as i32, a as i32)
}

#[inline]
#[target_feature(enable = "ssse3,sse4.1")]
fn load(state: &State) -> Lane {
    let word = state.0;
    Lane { abef: words([word[5], word[4], word[1], word[0]]), cdgh: words([word[7], word[6], word[3], word[2]]) }
}

#[inline]
#[target_feature(enable = "ssse3,sse4.1")]
fn store(lane: Lane, state: &mut State) {
    let feba = _mm_shuffle_epi32(lane.abef, 0x1b);
    let dchg = _mm_shuffle_epi32(lane.cdgh, 0xb1);
    let dcba = _mm_blend_epi16(feba, dchg, 0xf0);
    let hgfe = _mm_alignr_epi8(dchg, feba, 8);
    state.0 = [
        _mm_extract_epi32(dcba, 0) as u32,
        _mm_extract_epi32(dcba, 1) as u32,
        _mm_extract_epi32(dcba, 2) as u32,
        _mm_extract_epi32(dcba, 3) as u32,
        _mm_extract_epi32(hgfe, 0) as u32,
        _mm_extract_epi32(hgfe, 1) as u32,
        _mm_extract_epi32(hgfe, 2) as u32,
        _mm_extract_epi32(hgfe, 3) as u32,
    ];
}

/// The block as sixteen big-endian words; the compiler makes four plain loads of it.
#[inline]
#[target_feature(enable = "ssse3")]
fn message(block: &[u8; BLOCK_BYTES]) -> [__m128i; 4] {
    let swap = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    let (halves, _) = block.as_chunks::<8>();
    let quarter = |i: usize| {
        let pair = _mm_set_epi64x(i64::from_le_bytes(halves[2 * i + 1]), i64::from_le_bytes(halves[2 * i]));
        _mm_shuffle_epi8(pair, swap)
    };
    [quarter(0), quarter(1), quarter(2), quarter(3)]
}

/// The next four words of the schedule, in the place of the oldest four, which are the `oldest`th.
#[inline]
#[target_feature(enable = "sha,ssse3")]
fn schedule(message: &mut [__m128i; 4], oldest: usize) -> __m128i {
    let [w0, w1, w2, w3] = [0, 1, 2, 3].map(|i| message[(oldest + i) % 4]);
    let partial = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8(w3, w2, 4));
    let next = _mm_sha256msg2_epu32(partial, w3);
    message[oldest] = next;
    next
}

/// Four rounds of both states, alternating.
#[inline]
#[target_feature(enable = "sha,ssse3")]
fn rounds(first: &mut Lane, first_words: __m128i, second: &mut Lane, second_words: __m128i) {
    first.cdgh = _mm_sha256rnds2_epu32(first.cdgh, first.abef, first_words);
    second.cdgh = _mm_sha256rnds2_epu32(second.cdgh, second.abef, second_words);
    let first_high = _mm_shuffle_epi32(first_words, 0x0e);
    let second_high = _mm_shuffle_epi32(second_words, 0x0e);
    first.abef = _mm_sha256rnds2_epu32(first.abef, first.cdgh, first_high);
    second.abef = _mm_sha256rnds2_epu32(second.abef, second.cdgh, second_high);
}

#[inline]
#[target_feature(enable = "sse2")]
fn add(lane: &mut Lane, before: Lane) {
    lane.abef = _mm_add_epi32(lane.abef, before.abef);
    lane.cdgh = _mm_add_epi32(lane.cdgh, before.cdgh);
}

/// Four rounds of both states over one schedule.
#[inline]
#[target_feature(enable = "sha,ssse3")]
fn shared_row(a: &mut Lane, b: &mut Lane, w: __m128i, row: usize) {
    let wk = _mm_add_epi32(w, words(ROUND_CONSTANTS[row]));
    rounds(a, wk, b, wk);
}

/// Four rounds of each state over its own schedule.
#[inline]
#[target_feature(enable = "sha,ssse3")]
fn each_row(a: &mut Lane, a_words: __m128i, b: &mut Lane, b_words: __m128i, row: usize) {
    let constants = words(ROUND_CONSTANTS[row]);
    rounds(a, _mm_add_epi32(a_words, constants), b, _mm_add_epi32(b_words, constants));
}

// The loops below are of four rows each, so that the compiler unrolls them and the schedule stays in registers: one
// loop over all sixteen is a quarter slower.

#[target_feature(enable = "sha,ssse3,sse4.1")]
fn shared(first: &mut State, second: &mut State, blocks: &[[u8; BLOCK_BYTES]]) {
    let (mut a, mut b) = (load(first), load(second));
    for block in blocks {
        let (a_before, b_before) = (a, b);
        let mut w = message(block);
        for (i, words) in w.into_iter().enumerate() {
            shared_row(&mut a, &mut b, words, i);
        }
        for i in 0..4 {
            let next = schedule(&mut w, i);
            shared_row(&mut a, &mut b, next, 4 + i);
        }
        for i in 0..4 {
            let next = schedule(&mut w, i);
            shared_row(&mut a, &mut b, next, 8 + i);
        }
        for i in 0..4 {
            let next = schedule(&mut w, i);
            shared_row(&mut a, &mut b, next, 12 + i);
        }
        add(&mut a, a_before);
        add(&mut b, b_before);
    }
    store(a, first);
    store(b, second);
}

#[target_feature(enable = "sha,ssse3,sse4.1")]
fn each(
    (first, first_blocks): (&mut State, &[[u8; BLOCK_BYTES]]),
    (second, second_blocks): (&mut State, &[[u8; BLOCK_BYTES]]),
) {
    let (mut a, mut b) = (load(first), load(second));
    for (a_block, b_block) in first_blocks.iter().zip(second_blocks) {
        let (a_before, b_before) = (a, b);
        let (mut v, mut w) = (message(a_block), message(b_block));
        for (i, (a_words, b_words)) in v.into_iter().zip(w).enumerate() {
            each_row(&mut a, a_words, &mut b, b_words, i);
        }
        for i in 0..4 {
            let (a_next, b_next) = (schedule(&mut v, i), schedule(&mut w, i));
            each_row(&mut a, a_next, &mut b, b_next, 4 + i);
        }
        for i in 0..4 {
            let (a_next, b_next) = (schedule(&mut v, i), schedule(&mut w, i));
            each_row(&mut a, a_next, &mut b, b_next, 8 + i);
        }
        for i in 0..4 {
            let (a_next, b_next) = (schedule(&mut v, i), schedule(&mut w, i));
            each_row(&mut a, a_next, &mut b, b_next, 12 + i);
        }
        add(&mut a, a_before);
        add(&mut b, b_before);
    }
    store(a, first);
    store(b, second);
}
