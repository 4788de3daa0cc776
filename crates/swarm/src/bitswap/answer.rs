//! One message of blocks and presences for a peer, read from the store. Blocks while it reads; knows no stream.

use std::io;

use cid::Cid;

use super::message::{self, MAX_BLOCK_BYTES, Want, WantType};
use crate::blocks::Blocks;

/// How large a message is made. The block that reaches it may be as large as any, so a message stays below 4 MiB.
const TARGET_MESSAGE_BYTES: usize = 1 << 20;
/// What one message may have at most.
pub(crate) const MAX_ANSWER_BYTES: usize = TARGET_MESSAGE_BYTES + MAX_BLOCK_BYTES + (64 << 10);
/// A question whether a block of this length or less is here is answered with the block, as boxo does (`DefaultWantHaveReplaceSize`).
const MAX_HAVE_AS_BLOCK_BYTES: usize = 1024;
/// What an entry takes beside the block: prefix, lengths, or a presence.
const ENTRY_BYTES: usize = 64;

/// A message that is ready to be written, with what it says.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// The message with its length in front, from `start` on; empty when there is nothing to say.
    pub(crate) message: Vec<u8>,
    pub(crate) start: usize,
    /// Bytes of blocks in it.
    pub(crate) block_bytes: u64,
    pub(crate) answered: Vec<Cid>,
    /// Wants for which there was no more space.
    pub(crate) left: Vec<Cid>,
}

/// Reads blocks for `wants`, in order, until the message is large enough. Whatever can't be read is answered as if it weren't here.
pub(crate) fn answer(blocks: &dyn Blocks, wants: &[Want]) -> Answer {
    let mut answer = Answer { message: message::begin(0), ..Answer::default() };
    let mut rest = wants.iter();
    for want in rest.by_ref() {
        answer.answered.push(want.cid);
        match put_block(blocks, want, &mut answer.message) {
            Outcome::Block(bytes) => answer.block_bytes += bytes as u64,
            Outcome::Have => message::put_presence(&want.cid, true, &mut answer.message),
            Outcome::Absent if want.send_dont_have => message::put_presence(&want.cid, false, &mut answer.message),
            Outcome::Absent => {}
        }
        if answer.message.len() >= TARGET_MESSAGE_BYTES {
            break;
        }
    }
    answer.left = rest.map(|want| want.cid).collect();
    if answer.message.len() > message::LENGTH_BYTES {
        answer.start = message::finish(&mut answer.message);
    } else {
        answer.message = Vec::new();
    }
    answer
}

enum Outcome {
    Block(usize),
    Have,
    Absent,
}

fn put_block(blocks: &dyn Blocks, want: &Want, out: &mut Vec<u8>) -> Outcome {
    let length = match blocks.size(&want.cid) {
        Ok(Some(length)) if length <= MAX_BLOCK_BYTES => length,
        Ok(_) => return Outcome::Absent,
        Err(error) => return unreadable(&want.cid, &error),
    };
    if want.kind == WantType::Have && length > MAX_HAVE_AS_BLOCK_BYTES {
        return Outcome::Have;
    }
    let start = out.len();
    out.reserve(length + ENTRY_BYTES);
    message::begin_block(&message::prefix(&want.cid), length, out);
    let data = out.len();
    let outcome = blocks.read(&want.cid, out);
    if matches!(outcome, Ok(true)) && out.len() - data == length {
        return Outcome::Block(length);
    }
    out.truncate(start);
    match outcome {
        Ok(_) => Outcome::Absent,
        Err(error) => unreadable(&want.cid, &error),
    }
}

/// A damaged file is a block that isn't here; whoever runs this node can see why.
fn unreadable(cid: &Cid, error: &io::Error) -> Outcome {
    tracing::debug!(%cid, %error, "block not read");
    Outcome::Absent
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use cid::multihash::Multihash;

    use super::*;
    use crate::bitswap::decode::{Decoder, Item};

    #[derive(Default)]
    struct Map(HashMap<Cid, (usize, io::Result<Vec<u8>>)>);

    impl Blocks for Map {
        fn size(&self, cid: &Cid) -> io::Result<Option<usize>> {
            Ok(self.0.get(cid).map(|entry| entry.0))
        }

        fn read(&self, cid: &Cid, out: &mut Vec<u8>) -> io::Result<bool> {
            match self.0.get(cid) {
                None => Ok(false),
                Some((_, Ok(data))) => {
                    out.extend_from_slice(data);
                    Ok(true)
                }
                Some((_, Err(error))) => {
                    out.push(1);
                    Err(error.kind().into())
                }
            }
        }
    }

    fn cid(number: u8) -> Cid {
        Cid::new_v1(0x55, Multihash::wrap(0x12, &[number; 32]).expect("32 bytes"))
    }

    fn want(number: u8, kind: WantType) -> Want {
        Want { cid: cid(number), priority: 1, kind, send_dont_have: true }
    }

    fn items(answer: &Answer) -> Vec<Item> {
        let (mut decoder, mut input, mut items) = (Decoder::new(), &answer.message[answer.start..], Vec::new());
        while let Some(item) = decoder.next(&mut input, true).expect("well formed") {
            items.push(item);
        }
        items
    }

    fn lengths(answer: &Answer) -> Vec<(u8, usize)> {
        let length = |item| match item {
            Item::Block { data, .. } => Some((data.first().copied().unwrap_or(0), data.len())),
            _ => None,
        };
        items(answer).into_iter().filter_map(length).collect()
    }

    fn store(blocks: &[(u8, usize)]) -> Map {
        Map(blocks.iter().map(|(number, length)| (cid(*number), (*length, Ok(vec![*number; *length])))).collect())
    }

    #[test]
    fn small_blocks_answer_the_question_whether_they_are_here() {
        let blocks = store(&[(1, 1024), (2, 1025)]);
        let wants =
            [want(1, WantType::Have), want(2, WantType::Have), want(3, WantType::Have), want(2, WantType::Block)];
        let answer = answer(&blocks, &wants);
        assert_eq!(lengths(&answer), [(1, 1024), (2, 1025)]);
        let items = items(&answer);
        assert!(items.contains(&Item::Presence { cid: cid(2), have: true }));
        assert!(items.contains(&Item::Presence { cid: cid(3), have: false }));
        assert_eq!(answer.block_bytes, 2049);
    }

    #[test]
    fn a_message_ends_with_the_block_that_reaches_a_mebibyte() {
        let blocks = store(&[(1, 1 << 19), (2, 1 << 19), (3, MAX_BLOCK_BYTES), (4, 1)]);
        let wants = [1, 2, 3, 4].map(|number| want(number, WantType::Block));
        let first = answer(&blocks, &wants);
        assert_eq!((lengths(&first).len(), &first.left[..]), (2, &[cid(3), cid(4)][..]));
        let second = answer(&blocks, &[want(4, WantType::Block), want(1, WantType::Block), want(3, WantType::Block)]);
        assert_eq!(lengths(&second).len(), 3);
        assert!(second.message.len() <= MAX_ANSWER_BYTES && MAX_ANSWER_BYTES < message::MAX_MESSAGE_BYTES);
    }

    #[test]
    fn what_cannot_be_read_is_answered_as_if_it_were_not_here() {
        let mut blocks = store(&[(1, 10), (5, MAX_BLOCK_BYTES + 1)]);
        blocks.0.insert(cid(2), (10, Ok(vec![2; 9])));
        blocks.0.insert(cid(3), (10, Err(io::ErrorKind::Other.into())));
        let wants = [2, 3, 4, 5].map(|number| want(number, WantType::Block));
        let answer = answer(&blocks, &wants);
        let absent = [2, 3, 4, 5].map(|number| Item::Presence { cid: cid(number), have: false });
        assert_eq!(items(&answer)[..4], absent);
    }

    #[test]
    fn nothing_to_say_is_no_message() {
        let quiet = Want { send_dont_have: false, ..want(1, WantType::Block) };
        let answer = answer(&store(&[]), &[quiet]);
        assert!(answer.message.is_empty());
        assert_eq!(answer.answered, [cid(1)]);
    }
}
