//! The UnixFS `Data` message inside a dag-pb node (ipfs/specs, src/unixfs.md).
//!
//! Knows its fields and the few forms that are written here. Must not know links.

use super::dagpb::{Cursor, Decoder, varint_length, write_varint};
use crate::error::{Error, Kind, Result};

/// The data of a directory in one block.
pub(super) const BASIC_DIRECTORY: &[u8] = &[0x08, 0x01];
/// The whole node of a directory without entries.
pub(super) const BASIC_DIRECTORY_NODE: &[u8] = &[0x0a, 0x02, 0x08, 0x01];
/// The slots of a HAMT shard.
pub(super) const HAMT_FANOUT: usize = 256;
/// The multicodec of the hash by which a HAMT places names: the first half of MurmurHash3 x64 128.
pub(super) const MURMUR3: u64 = 0x22;

/// What a UnixFS node stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeKind {
    /// A leaf of a file in an old form (type 0).
    Raw,
    /// A directory in one block.
    Directory,
    /// A file, or a part of one.
    File,
    /// A symbolic link (UnixFS type 4).
    Symlink,
    /// The root or a part of a sharded directory.
    Shard,
}

impl NodeKind {
    /// What this dag-pb block stands for; an error if it is no UnixFS node.
    pub fn of(block: &[u8]) -> Result<Self> {
        Ok(Data::parse(Decoder::new(block).data()?)?.kind)
    }

    /// Whether it is a directory, in one block or sharded.
    pub const fn is_directory(self) -> bool {
        matches!(self, Self::Directory | Self::Shard)
    }
}

/// The fields of the message.
pub(super) struct Data<'a> {
    pub(super) kind: NodeKind,
    pub(super) content: &'a [u8],
    pub(super) file_size: Option<u64>,
    pub(super) block_sizes: Vec<u64>,
    pub(super) hash_type: Option<u64>,
    pub(super) fanout: Option<u64>,
}

fn broken(why: &str) -> Error {
    Error::new(Kind::Verification, format!("not a UnixFS node: {why}"))
}

impl<'a> Data<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self> {
        let mut cursor = Cursor::new(bytes);
        let (mut kind, mut content, mut file_size, mut hash_type, mut fanout) = (None, &[][..], None, None, None);
        let mut block_sizes = Vec::new();
        while !cursor.is_at_end() {
            match cursor.varint()? {
                0x08 => {
                    kind = Some(match cursor.varint()? {
                        0 => NodeKind::Raw,
                        1 => NodeKind::Directory,
                        2 => NodeKind::File,
                        4 => NodeKind::Symlink,
                        5 => NodeKind::Shard,
                        other => return Err(broken(&format!("type {other} is unknown"))),
                    });
                }
                0x12 => content = cursor.chunk()?,
                0x18 => file_size = Some(cursor.varint()?),
                0x20 => block_sizes.push(cursor.varint()?),
                0x28 => hash_type = Some(cursor.varint()?),
                0x30 => fanout = Some(cursor.varint()?),
                // Mode, modification time, and what later versions of the format may add.
                tag => match tag & 7 {
                    0 => drop(cursor.varint()?),
                    1 => cursor.skip(8)?,
                    2 => drop(cursor.chunk()?),
                    5 => cursor.skip(4)?,
                    _ => return Err(broken("a field has an unknown wire type")),
                },
            }
        }
        let kind = kind.ok_or_else(|| broken("it has no type"))?;
        Ok(Self { kind, content, file_size, block_sizes, hash_type, fanout })
    }
}

/// The data of a file node that has no content of its own.
pub(super) fn file_data(file_size: u64, block_sizes: impl Iterator<Item = u64>) -> Vec<u8> {
    let mut data = vec![0x08, 0x02, 0x18];
    write_varint(&mut data, file_size);
    for size in block_sizes {
        data.push(0x20);
        write_varint(&mut data, size);
    }
    data
}

/// The bytes before and after `length` bytes of content in a file node without links, tags and lengths included.
pub(super) fn leaf_frame(length: u64) -> (Vec<u8>, Vec<u8>) {
    let mut suffix = vec![0x18];
    write_varint(&mut suffix, length);
    let mut inner = vec![0x08, 0x02];
    // Empty content is left out, not written as empty.
    if length > 0 {
        inner.push(0x12);
        write_varint(&mut inner, length);
    }
    let data_length = inner.len() as u64 + length + suffix.len() as u64;
    let mut prefix = Vec::with_capacity(1 + varint_length(data_length) + inner.len());
    prefix.push(0x0a);
    write_varint(&mut prefix, data_length);
    prefix.extend_from_slice(&inner);
    (prefix, suffix)
}

/// The data of a shard with these slots in use: bit `i % 8` of byte `i / 8` for slot `i`.
pub(super) fn shard_data(used: &[u8; HAMT_FANOUT / 8]) -> Vec<u8> {
    // A big-endian number without leading zeros, as go-bitfield writes it.
    let significant = used.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    let mut data = vec![0x08, 0x05];
    if significant > 0 {
        data.push(0x12);
        write_varint(&mut data, significant as u64);
        data.extend(used[..significant].iter().rev());
    }
    data.push(0x28);
    write_varint(&mut data, MURMUR3);
    data.push(0x30);
    write_varint(&mut data, HAMT_FANOUT as u64);
    data
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn frames_of_leaves() {
        assert_eq!(leaf_frame(0), (vec![0x0a, 4, 8, 2], vec![0x18, 0]));
        assert_eq!(leaf_frame(11), (vec![0x0a, 17, 8, 2, 0x12, 11], vec![0x18, 11]));
        let (prefix, suffix) = leaf_frame(1 << 18);
        assert_eq!(prefix, [0x0a, 0x8a, 0x80, 0x10, 8, 2, 0x12, 0x80, 0x80, 0x10]);
        assert_eq!(suffix, [0x18, 0x80, 0x80, 0x10]);
    }

    #[test]
    fn kinds() {
        assert_eq!(NodeKind::of(BASIC_DIRECTORY_NODE).unwrap(), NodeKind::Directory);
        assert_eq!(NodeKind::of(&[0x0a, 4, 8, 2, 0x18, 0]).unwrap(), NodeKind::File);
        for wrong in [&[][..], b"{}", &[0x0a, 0], &[0x0a, 2, 8, 3], &[0x0a, 2, 8, 9], &[0x0a, 2, 8, 1, 0]] {
            assert!(NodeKind::of(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn shards_trim_their_bitfield() {
        let mut used = [0; 32];
        used[0] = 1;
        assert_eq!(shard_data(&used), [8, 5, 0x12, 1, 1, 0x28, 0x22, 0x30, 0x80, 2]);
        used[1] = 0x80;
        assert_eq!(shard_data(&used), [8, 5, 0x12, 2, 0x80, 1, 0x28, 0x22, 0x30, 0x80, 2]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_or_refused(bytes: Vec<u8>) {
            let _ = Data::parse(&bytes);
            let _ = NodeKind::of(&bytes);
        }
    }
}
