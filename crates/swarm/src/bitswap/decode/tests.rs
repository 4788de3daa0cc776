//! Messages that are well formed, cut anywhere, and hostile.

use proptest::prelude::*;

use super::*;
use crate::bitswap::message::{self, Ask};

fn sha(data: &[u8]) -> Multihash<64> {
    Multihash::wrap(0x12, &Sha256::digest(data)).expect("32 bytes")
}

fn raw(data: &[u8]) -> Cid {
    Cid::new_v1(0x55, sha(data))
}

/// All items of `stream`, which is handed over in pieces of `step` bytes.
fn read(stream: &[u8], step: usize, keep_blocks: bool) -> Result<Vec<Item>, Malformed> {
    let mut decoder = Decoder::new();
    let mut items = Vec::new();
    for mut piece in stream.chunks(step.max(1)) {
        while let Some(item) = decoder.next(&mut piece, keep_blocks)? {
            items.push(item);
        }
        assert!(piece.is_empty(), "bytes are left over");
    }
    Ok(items)
}

fn framed(body: &[u8]) -> Vec<u8> {
    let mut message = message::begin(body.len());
    message.extend_from_slice(body);
    let start = message::finish(&mut message);
    message.split_off(start)
}

#[derive(Debug, Clone)]
enum Part {
    Want(Vec<u8>, i32, bool, bool),
    Cancel(Vec<u8>),
    Block(Vec<u8>),
    Presence(Vec<u8>, bool),
}

fn part() -> impl Strategy<Value = Part> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..300);
    prop_oneof![
        (bytes(), any::<i32>(), any::<bool>(), any::<bool>()).prop_map(|(a, b, c, d)| Part::Want(a, b, c, d)),
        bytes().prop_map(Part::Cancel),
        bytes().prop_map(Part::Block),
        (bytes(), any::<bool>()).prop_map(|(a, b)| Part::Presence(a, b)),
    ]
}

fn write(parts: &[Part]) -> (Vec<u8>, Vec<Item>) {
    let mut body = Vec::new();
    let mut items = Vec::new();
    for part in parts {
        match part {
            Part::Want(data, priority, have, send_dont_have) => {
                let kind = if *have { WantType::Have } else { WantType::Block };
                let want = Want { cid: raw(data), priority: *priority, kind, send_dont_have: *send_dont_have };
                message::put_wantlist(&[Ask::Want(want.clone())], &mut body);
                items.push(Item::Want(want));
            }
            Part::Cancel(data) => {
                message::put_wantlist(&[Ask::Cancel(raw(data))], &mut body);
                items.push(Item::Cancel(raw(data)));
            }
            Part::Block(data) => {
                let prefix = message::prefix(&raw(data));
                message::begin_block(&prefix, data.len(), &mut body);
                body.extend_from_slice(data);
                items.push(Item::Block { prefix: prefix.into(), data: data.clone().into() });
            }
            Part::Presence(data, have) => {
                message::put_presence(&raw(data), *have, &mut body);
                items.push(Item::Presence { cid: raw(data), have: *have });
            }
        }
    }
    items.push(Item::End { full: false });
    (framed(&body), items)
}

proptest! {
    #[test]
    fn what_is_written_is_read_however_it_is_cut(parts in prop::collection::vec(part(), 0..12), step in 1_usize..400) {
        let (one, items) = write(&parts);
        let stream = [one.clone(), one].concat();
        let read = read(&stream, step, true).expect("well formed");
        prop_assert_eq!(&read[..items.len()], &items[..]);
        prop_assert_eq!(&read[items.len()..], &items[..]);
    }

    #[test]
    fn a_block_has_the_cid_that_it_was_sent_for(data in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(cid_of(&message::prefix(&raw(&data)), &data), Some(raw(&data)));
        let first = Cid::new_v0(sha(&data)).expect("SHA-256");
        prop_assert_eq!(cid_of(&message::prefix(&first), &data), Some(first));
    }

    #[test]
    fn nothing_makes_it_panic_or_hold_much(stream in prop::collection::vec(any::<u8>(), 0..2000), step in 1_usize..64) {
        let mut decoder = Decoder::new();
        'all: for mut piece in stream.chunks(step) {
            loop {
                match decoder.next(&mut piece, true) {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(_) => break 'all,
                }
            }
            prop_assert!(decoder.held_bytes() <= FIRST_CAPACITY_BYTES);
        }
    }

    #[test]
    fn a_changed_byte_never_panics(parts in prop::collection::vec(part(), 1..6), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let (mut stream, _) = write(&parts);
        let at = at.index(stream.len());
        stream[at] = byte;
        let _ = read(&stream, 7, true);
    }
}

#[test]
fn lengths_that_lie_are_refused() {
    // A message of 4 MiB and a byte.
    assert_eq!(read(&[0x81, 0x80, 0x80, 0x02], 1, true), Err(Malformed::TooLong));
    // A wantlist that is longer than its message, an entry that is longer than its wantlist, a presence, an unknown field.
    for body in [&[0x0a, 9][..], &[0x0a, 3, 0x0a, 200, 1], &[0x22, 5, 0], &[0x7a, 0xff, 0xff, 0xff, 0x0f]] {
        assert_eq!(read(&framed(body), 1, true), Err(Malformed::Cut), "{body:?}");
    }
    // A CID that is longer than its entry, an entry without one, one that is none.
    assert_eq!(read(&framed(&[0x0a, 4, 0x0a, 2, 0x0a, 9]), 1, true), Err(Malformed::Cut));
    assert_eq!(read(&framed(&[0x0a, 2, 0x0a, 0]), 1, true), Err(Malformed::Cid));
    assert_eq!(read(&framed(&[0x0a, 5, 0x0a, 3, 0x0a, 1, 7]), 1, true), Err(Malformed::Cid));
    // A length of more than 64 bits; a group, which proto3 lacks.
    assert_eq!(read(&[0xff; 11], 1, true), Err(Malformed::Number));
    assert_eq!(read(&framed(&[0x0b]), 1, true), Err(Malformed::WireType));
    // The key of a field whose bytes are outside of the message.
    assert_eq!(read(&[1, 0x0a, 0], 1, true), Err(Malformed::Cut));
}

#[test]
fn nothing_is_read_after_what_is_malformed() {
    let mut decoder = Decoder::new();
    let mut input = &[0x81, 0x80, 0x80, 0x02, 0][..];
    assert_eq!(decoder.next(&mut input, true), Err(Malformed::TooLong));
    assert!(decoder.next(&mut &[0_u8][..], true).is_err());
}

#[test]
fn a_long_element_is_skipped_and_blocks_are_where_none_are_wanted() {
    let (blocks, _) = write(&[Part::Block(vec![1; 200]), Part::Presence(vec![2], true)]);
    assert_eq!(
        read(&blocks, 3, false).expect("well formed"),
        [Item::Presence { cid: raw(&[2]), have: true }, Item::End { full: false }]
    );
    let mut body = vec![0x22, 0xe8, 0x07];
    body.extend([0; 1000]);
    assert_eq!(read(&framed(&body), 11, true).expect("well formed"), [Item::End { full: false }]);
}

#[test]
fn a_full_wantlist_says_so() {
    assert_eq!(read(&framed(&[0x0a, 2, 0x10, 1]), 1, true).expect("well formed"), [Item::End { full: true }]);
}

/// Four MiB of the same want: everything is read, and nothing is held.
#[test]
fn four_mebibytes_of_wants_hold_nothing() {
    let want = Want { cid: raw(b"x"), priority: 1, kind: WantType::Block, send_dont_have: false };
    let mut one = Vec::new();
    message::put_wantlist(&[Ask::Want(want)], &mut one);
    let count = MAX_MESSAGE_BYTES / one.len();
    let stream = framed(&one.repeat(count));
    let mut decoder = Decoder::new();
    let mut wants = 0;
    for mut piece in stream.chunks(1 << 14) {
        while let Some(item) = decoder.next(&mut piece, false).expect("well formed") {
            wants += usize::from(matches!(item, Item::Want(_)));
            assert!(decoder.held_bytes() <= MAX_ENTRY_BYTES);
        }
    }
    assert_eq!(wants, count);
}

#[test]
fn other_hash_functions_have_no_cid_here() {
    for prefix in
        [&[1, 0x55, 0x13, 64][..], &[1, 0x55, 0x12, 20], &[2, 0x55, 0x12, 32], &[0, 0x55, 0x12, 32], &[1], &[]]
    {
        assert_eq!(cid_of(prefix, b"x"), None, "{prefix:?}");
    }
}
