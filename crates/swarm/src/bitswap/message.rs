//! Bitswap 1.2.0 messages as they are written: `varint length ‖ protobuf` (specs.ipfs.tech/bitswap-protocol, boxo
//! `bitswap/message/pb/message.proto`).
//!
//! Written by hand because the payload is the point: a block goes from the file into the message's buffer and from there to the
//! stream, with no copy between. Knows no stream and no store; [`super::decode`] is the other direction.

use cid::{Cid, Version};

/// What a message may have at most: go-libp2p resets a stream on which a longer one comes (`network.MessageSizeMax`).
pub(crate) const MAX_MESSAGE_BYTES: usize = 4 << 20;
/// What a block may have at most, as the specification says.
pub(crate) const MAX_BLOCK_BYTES: usize = 2 << 20;
/// Space in front of a message for its length, which is known last. Five bytes say 32 bits.
pub(crate) const LENGTH_BYTES: usize = 5;

/// Whether the block itself is wanted, or only whether it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WantType {
    Block,
    Have,
}

/// One entry of a wantlist that asks for something; larger priorities come first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Want {
    pub(crate) cid: Cid,
    pub(crate) priority: i32,
    pub(crate) kind: WantType,
    /// Whether "it isn't here" is answered.
    pub(crate) send_dont_have: bool,
}

/// What is said to a peer about the blocks that we want.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ask {
    Want(Want),
    Cancel(Cid),
}

/// Appends `value` in seven bits a byte, the low ones first.
pub(crate) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn varint_bytes(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

fn put_key(field: u8, wire_type: u8, out: &mut Vec<u8>) {
    out.push(field << 3 | wire_type);
}

fn put_bytes(field: u8, data: &[u8], out: &mut Vec<u8>) {
    put_key(field, 2, out);
    put_varint(data.len() as u64, out);
    out.extend_from_slice(data);
}

fn put_flag(field: u8, out: &mut Vec<u8>) {
    put_key(field, 0, out);
    out.push(1);
}

/// A message buffer with space for its length in front; [`finish`] fills that in.
pub(crate) fn begin(capacity: usize) -> Vec<u8> {
    let mut message = Vec::with_capacity(LENGTH_BYTES + capacity);
    message.resize(LENGTH_BYTES, 0);
    message
}

/// Writes the length in front of what has been appended since [`begin`]; the message starts at the index that is returned.
pub(crate) fn finish(message: &mut [u8]) -> usize {
    let mut length = Vec::with_capacity(LENGTH_BYTES);
    put_varint((message.len() - LENGTH_BYTES) as u64, &mut length);
    let start = LENGTH_BYTES - length.len();
    message[start..LENGTH_BYTES].copy_from_slice(&length);
    start
}

/// Appends a wantlist that adds to what the peer already knows of ours.
pub(crate) fn put_wantlist(asks: &[Ask], out: &mut Vec<u8>) {
    let mut list = Vec::with_capacity(asks.len() * 56);
    let mut entry = Vec::with_capacity(56);
    for ask in asks {
        entry.clear();
        match ask {
            Ask::Want(want) => {
                put_bytes(1, &want.cid.to_bytes(), &mut entry);
                put_key(2, 0, &mut entry);
                // A negative int32 has ten bytes: protobuf extends the sign to 64 bits.
                put_varint(i64::from(want.priority).cast_unsigned(), &mut entry);
                if want.kind == WantType::Have {
                    put_flag(4, &mut entry);
                }
                if want.send_dont_have {
                    put_flag(5, &mut entry);
                }
            }
            Ask::Cancel(cid) => {
                put_bytes(1, &cid.to_bytes(), &mut entry);
                put_flag(3, &mut entry);
            }
        }
        put_bytes(1, &entry, &mut list);
    }
    put_bytes(1, &list, out);
}

/// Everything of a CID but the digest: version, codec, hash function and digest length as varints.
pub(crate) fn prefix(cid: &Cid) -> Vec<u8> {
    let mut prefix = Vec::with_capacity(8);
    put_varint(u64::from(cid.version() != Version::V0), &mut prefix);
    put_varint(cid.codec(), &mut prefix);
    put_varint(cid.hash().code(), &mut prefix);
    put_varint(u64::from(cid.hash().size()), &mut prefix);
    prefix
}

/// Appends everything of a block but its `length` bytes, which have to follow.
pub(crate) fn begin_block(prefix: &[u8], length: usize, out: &mut Vec<u8>) {
    let inner = 1 + varint_bytes(prefix.len() as u64) + prefix.len() + 1 + varint_bytes(length as u64) + length;
    put_key(3, 2, out);
    put_varint(inner as u64, out);
    put_bytes(1, prefix, out);
    put_key(2, 2, out);
    put_varint(length as u64, out);
}

/// Appends HAVE or DONT_HAVE.
pub(crate) fn put_presence(cid: &Cid, have: bool, out: &mut Vec<u8>) {
    let mut presence = Vec::with_capacity(48);
    put_bytes(1, &cid.to_bytes(), &mut presence);
    if !have {
        put_flag(2, &mut presence);
    }
    put_bytes(4, &presence, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cid() -> Cid {
        "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy".parse().expect("a CID")
    }

    /// Written out from the proto file by hand.
    #[test]
    fn a_want_is_written_as_the_proto_file_says() {
        let mut message = begin(0);
        let want = Want { cid: cid(), priority: 1, kind: WantType::Have, send_dont_have: true };
        put_wantlist(&[Ask::Want(want)], &mut message);
        let start = finish(&mut message);
        let mut expected = vec![50, 0x0a, 48, 0x0a, 46, 0x0a, 36];
        expected.extend(cid().to_bytes());
        expected.extend([0x10, 1, 0x20, 1, 0x28, 1]);
        expected[0] = (expected.len() - 1) as u8;
        expected[2] = (expected.len() - 3) as u8;
        expected[4] = (expected.len() - 5) as u8;
        assert_eq!(message[start..], expected);
    }

    #[test]
    fn the_prefix_is_a_cid_without_its_digest() {
        assert_eq!(prefix(&cid()), [1, 0x55, 0x12, 32]);
        let first: Cid = "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n".parse().expect("a CID");
        assert_eq!(prefix(&first), [0, 0x70, 0x12, 32]);
    }

    #[test]
    fn a_long_message_has_its_length_in_front() {
        let mut message = begin(300);
        message.extend([7; 300]);
        let start = finish(&mut message);
        assert_eq!(message[start..start + 3], [0xac, 0x02, 7]);
        assert_eq!(message.len() - start, 302);
    }
}
