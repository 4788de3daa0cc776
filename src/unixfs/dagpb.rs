//! dag-pb nodes, to the byte: links first, then the data (IPLD dag-pb spec; Kubo always writes a link's name and Tsize).
//!
//! Knows the protobuf of `PBNode` and `PBLink`. Must not know what the data says.
//! The decoder borrows, allocates nothing, and takes only the form that the encoder writes.

use cid::Cid;

use super::{Link, cid_from_bytes};
use crate::error::{Error, Kind, Result};

/// Field 2 of a node: a link. Field 1 of a node: its data.
const LINK: u8 = 0x12;
const DATA: u8 = 0x0a;
/// Fields 1, 2 and 3 of a link.
const LINK_CID: u8 = 0x0a;
const LINK_NAME: u8 = 0x12;
const LINK_TSIZE: u8 = 0x18;

/// Appends an unsigned varint.
pub(super) fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The bytes that a varint takes.
pub(super) const fn varint_length(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// The bytes of a link's message, without the tag and length before it.
const fn link_body_length(cid: usize, name: usize, tsize: u64) -> usize {
    1 + varint_length(cid as u64) + cid + 1 + varint_length(name as u64) + name + 1 + varint_length(tsize)
}

/// The bytes that a link takes in its node.
pub(super) const fn link_length(cid: usize, name: usize, tsize: u64) -> usize {
    let body = link_body_length(cid, name, tsize);
    1 + varint_length(body as u64) + body
}

/// Appends a link whose name is `prefix` and `name`, one after the other.
pub(super) fn write_link(out: &mut Vec<u8>, link: &Link, prefix: &[u8], name: &[u8]) {
    write_link_to(out, &link.cid.to_bytes(), link.tsize, prefix, name);
}

/// Appends a link to the CID with these bytes.
pub(super) fn write_link_to(out: &mut Vec<u8>, cid: &[u8], tsize: u64, prefix: &[u8], name: &[u8]) {
    let name_length = prefix.len() + name.len();
    out.push(LINK);
    write_varint(out, link_body_length(cid.len(), name_length, tsize) as u64);
    out.push(LINK_CID);
    write_varint(out, cid.len() as u64);
    out.extend_from_slice(cid);
    out.push(LINK_NAME);
    write_varint(out, name_length as u64);
    out.extend_from_slice(prefix);
    out.extend_from_slice(name);
    out.push(LINK_TSIZE);
    write_varint(out, tsize);
}

/// Appends the data, which ends the node.
pub(super) fn write_data(out: &mut Vec<u8>, data: &[u8]) {
    out.push(DATA);
    write_varint(out, data.len() as u64);
    out.extend_from_slice(data);
}

fn broken(why: &str) -> Error {
    Error::new(Kind::Verification, format!("not a dag-pb node in canonical form: {why}"))
}

/// Untrusted protobuf bytes and how far they have been read.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    pub(super) const fn is_at_end(&self) -> bool {
        self.position == self.bytes.len()
    }

    /// Where in the bytes the next field starts.
    pub(super) const fn position(&self) -> usize {
        self.position
    }

    fn next_is(&self, tag: u8) -> bool {
        self.bytes.get(self.position) == Some(&tag)
    }

    fn tag(&mut self, tag: u8, why: &str) -> Result<()> {
        if !self.next_is(tag) {
            return Err(broken(why));
        }
        self.position += 1;
        Ok(())
    }

    /// Reads a varint of at most 64 bits in its shortest form.
    pub(super) fn varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let Some(&byte) = self.bytes.get(self.position) else { return Err(broken("it ends inside a number")) };
            self.position += 1;
            if shift == 63 && byte > 1 {
                return Err(broken("a number has more than 64 bits"));
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err(broken("a number is longer than it need be"));
                }
                return Ok(value);
            }
        }
        Err(broken("a number has more than 64 bits"))
    }

    /// Reads bytes after their length.
    pub(super) fn chunk(&mut self) -> Result<&'a [u8]> {
        let length = self.varint()?;
        let rest = &self.bytes[self.position..];
        let chunk = usize::try_from(length)
            .ok()
            .and_then(|length| rest.get(..length))
            .ok_or_else(|| broken("it ends inside a field"))?;
        self.position += chunk.len();
        Ok(chunk)
    }

    pub(super) fn skip(&mut self, count: usize) -> Result<()> {
        if self.bytes.len() - self.position < count {
            return Err(broken("it ends inside a field"));
        }
        self.position += count;
        Ok(())
    }
}

/// A link inside the bytes of its node.
#[derive(Clone, Copy)]
pub(super) struct RawLink<'a> {
    /// The link's name as it stands there: in a shard, slot and name.
    pub(super) name: &'a [u8],
    pub(super) cid: &'a [u8],
    pub(super) tsize: u64,
    /// Where the link's tag stands, and where the next field does.
    pub(super) start: usize,
    pub(super) end: usize,
}

impl RawLink<'_> {
    pub(super) fn link(&self) -> Result<Link> {
        Ok(Link { cid: cid_from_bytes(self.cid)?, tsize: self.tsize })
    }

    pub(super) fn cid(&self) -> Result<Cid> {
        cid_from_bytes(self.cid)
    }
}

/// Reads the links of a node one by one, then its data.
#[derive(Clone)]
pub(super) struct Decoder<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Decoder<'a> {
    pub(super) const fn new(node: &'a [u8]) -> Self {
        Self { cursor: Cursor::new(node) }
    }

    /// The next link, or nothing when only the data is left.
    pub(super) fn link(&mut self) -> Result<Option<RawLink<'a>>> {
        if !self.cursor.next_is(LINK) {
            return Ok(None);
        }
        let start = self.cursor.position;
        self.cursor.position += 1;
        let mut body = Cursor::new(self.cursor.chunk()?);
        body.tag(LINK_CID, "a link has no CID")?;
        let cid = body.chunk()?;
        body.tag(LINK_NAME, "a link has no name")?;
        let name = body.chunk()?;
        body.tag(LINK_TSIZE, "a link has no size")?;
        let tsize = body.varint()?;
        if !body.is_at_end() {
            return Err(broken("a link has unknown fields"));
        }
        Ok(Some(RawLink { name, cid, tsize, start, end: self.cursor.position }))
    }

    /// The data after the links that have not been read, skipping those.
    pub(super) fn data(mut self) -> Result<&'a [u8]> {
        while self.cursor.next_is(LINK) {
            self.cursor.position += 1;
            self.cursor.chunk()?;
        }
        self.cursor.tag(DATA, "it has no data after its links")?;
        let data = self.cursor.chunk()?;
        if self.cursor.is_at_end() { Ok(data) } else { Err(broken("something follows its data")) }
    }

    /// Where the next field starts.
    pub(super) const fn position(&self) -> usize {
        self.cursor.position()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::unixfs::Profile;

    #[test]
    fn varints() {
        // From ipfs/kubo, test/cli/cid_profiles_test.go, TestProtobufHelpers.
        for (value, length) in [
            (0, 1),
            (127, 1),
            (128, 2),
            (16_383, 2),
            (16_384, 3),
            (2_097_151, 3),
            (2_097_152, 4),
            (268_435_455, 4),
            (268_435_456, 5),
            (34_359_738_367, 5),
            (u64::MAX, 10),
        ] {
            let mut bytes = Vec::new();
            write_varint(&mut bytes, value);
            assert_eq!((varint_length(value), bytes.len()), (length, length), "{value}");
            assert_eq!(Cursor::new(&bytes).varint().unwrap(), value);
        }
        for wrong in
            [&[][..], &[0x80], &[0x80, 0], &[0xff; 10], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]]
        {
            assert!(Cursor::new(wrong).varint().is_err(), "{wrong:?}");
        }
    }

    fn node(links: &[(Vec<u8>, u64)], data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, tsize) in links {
            let link = Link { cid: Profile::V1_2025.leaf_cid(&[7; 32]), tsize: *tsize };
            let before = out.len();
            write_link(&mut out, &link, &[], name);
            assert_eq!(out.len() - before, link_length(36, name.len(), *tsize));
        }
        write_data(&mut out, data);
        out
    }

    proptest! {
        #[test]
        fn nodes_round_trip(links: Vec<(Vec<u8>, u64)>, data: Vec<u8>) {
            let bytes = node(&links, &data);
            let mut decoder = Decoder::new(&bytes);
            for (name, tsize) in &links {
                let link = decoder.link().unwrap().unwrap();
                prop_assert_eq!((link.name, link.tsize), (&name[..], *tsize));
                prop_assert_eq!(link.cid().unwrap(), Profile::V1_2025.leaf_cid(&[7; 32]));
                prop_assert_eq!(link.end, decoder.position());
            }
            prop_assert!(decoder.link().unwrap().is_none());
            prop_assert_eq!(decoder.data().unwrap(), &data[..]);
            prop_assert_eq!(Decoder::new(&bytes).data().unwrap(), &data[..]);
        }

        #[test]
        fn damaged_nodes_are_refused_or_read_but_never_panic(
            links in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..4), any::<u64>()), 0..4),
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            cut: prop::sample::Index,
        ) {
            let mut bytes = node(&links, b"data");
            for (at, byte) in damage {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes.truncate(cut.index(bytes.len() + 1));
            let mut decoder = Decoder::new(&bytes);
            while let Ok(Some(link)) = decoder.link() {
                let _ = link.link();
            }
            let _ = decoder.data();
        }
    }
}
