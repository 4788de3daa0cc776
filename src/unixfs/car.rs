//! CARv1: a header that names the roots, then blocks, each with its CID before it (ipld.io/specs/transport/car/carv1).
//!
//! Knows the format. The writing side gives the bytes around a block, so that a leaf can be streamed from where it lies;
//! the reading side takes any [`Read`] and trusts nothing in it. Must not know what the blocks mean.

use std::io::{BufReader, ErrorKind, Read, Seek};

use cid::Cid;

use super::dagpb::{varint_length, write_varint};
use super::{Block, MAX_BLOCK_BYTES, cid_from_bytes, verify_block};
use crate::error::{Error, Kind, Result};

/// The most bytes that a header may have: room for some 25 000 roots.
pub const MAX_HEADER_BYTES: u64 = 1 << 20;
/// The most bytes that a CID may have: more than any with a hash of 64 bytes.
const MAX_CID_BYTES: u64 = 128;
/// The most bytes that a block and its CID may have.
pub const MAX_SECTION_BYTES: u64 = MAX_BLOCK_BYTES as u64 + MAX_CID_BYTES;

/// The bytes that a CAR with these roots starts with.
pub fn header(roots: &[Cid]) -> Vec<u8> {
    // DAG-CBOR: {"roots": [42(h'00' CID), …], "version": 1}, keys in the order of their lengths.
    let mut cbor = vec![0xa2, 0x65];
    cbor.extend_from_slice(b"roots");
    write_cbor_head(&mut cbor, 4, roots.len() as u64);
    for root in roots {
        let bytes = root.to_bytes();
        cbor.extend_from_slice(&[0xd8, 42]);
        write_cbor_head(&mut cbor, 2, bytes.len() as u64 + 1);
        cbor.push(0);
        cbor.extend_from_slice(&bytes);
    }
    cbor.push(0x67);
    cbor.extend_from_slice(b"version");
    cbor.push(1);
    let mut out = Vec::with_capacity(cbor.len() + 3);
    write_varint(&mut out, cbor.len() as u64);
    out.extend_from_slice(&cbor);
    out
}

/// The bytes before a block of `length` bytes.
pub fn block_prefix(cid: &Cid, length: u64) -> Vec<u8> {
    let cid_bytes = cid.to_bytes();
    let mut out = Vec::with_capacity(cid_bytes.len() + 4);
    write_varint(&mut out, cid_bytes.len() as u64 + length);
    out.extend_from_slice(&cid_bytes);
    out
}

/// The bytes that a block of `length` bytes takes in a CAR.
pub fn section_length(cid: &Cid, length: u64) -> u64 {
    let body = cid.encoded_len() as u64 + length;
    varint_length(body) as u64 + body
}

fn write_cbor_head(out: &mut Vec<u8>, major: u8, value: u64) {
    let major = major << 5;
    match value {
        0..24 => out.push(major | value as u8),
        24..0x100 => out.extend_from_slice(&[major | 0x18, value as u8]),
        0x100..0x1_0000 => {
            out.push(major | 0x19);
            out.extend_from_slice(&(value as u16).to_be_bytes());
        }
        0x1_0000..0x1_0000_0000 => {
            out.push(major | 0x1a);
            out.extend_from_slice(&(value as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 0x1b);
            out.extend_from_slice(&value.to_be_bytes());
        }
    }
}

fn broken(why: &str) -> Error {
    Error::new(Kind::Verification, format!("not a CAR file: {why}"))
}

/// Reads an untrusted CAR block by block: every block is at most [`MAX_BLOCK_BYTES`] and hashes to its CID.
pub struct Reader<R> {
    from: BufReader<R>,
    roots: Vec<Cid>,
}

impl<R: Read> Reader<R> {
    /// Reads the header, which may have [`MAX_HEADER_BYTES`] bytes at most.
    pub fn new(from: R) -> Result<Self> {
        let mut from = BufReader::with_capacity(64 << 10, from);
        let length = read_varint(&mut from)?.ok_or_else(|| broken("it is empty"))?;
        if length > MAX_HEADER_BYTES {
            return Err(broken("its header is larger than 1 MiB"));
        }
        let header = read_exactly(&mut from, length)?;
        let roots = Cbor { bytes: &header }.header()?;
        Ok(Self { from, roots })
    }

    /// The roots in the header, unchecked: whether their blocks follow is not known yet.
    pub fn roots(&self) -> &[Cid] {
        &self.roots
    }

    /// The next block, or nothing at the end. After an error nothing more can be read.
    pub fn block(&mut self) -> Result<Option<Block>> {
        let Some(length) = read_varint(&mut self.from)? else { return Ok(None) };
        let (cid, rest) = self.section(length)?;
        let bytes = read_exactly(&mut self.from, rest)?;
        verify_block(&cid, &bytes)?;
        Ok(Some(Block { cid, bytes }))
    }

    /// Reads the CID of a section of this length, and says how many bytes of its block follow.
    fn section(&mut self, length: u64) -> Result<(Cid, u64)> {
        if length > MAX_SECTION_BYTES {
            return Err(broken("a block is larger than 2 MiB"));
        }
        let mut section = &mut (&mut self.from).take(length);
        let cid = match Cid::read_bytes(&mut section) {
            Ok(cid) => cid,
            Err(cid::Error::Io(error)) if error.kind() != ErrorKind::UnexpectedEof => return Err(error.into()),
            Err(cid::Error::Io(_)) if section.limit() > 0 => return Err(cut_short()),
            Err(error) => return Err(broken("a block has no CID").caused_by(error)),
        };
        let rest = section.limit();
        if rest > MAX_BLOCK_BYTES as u64 {
            return Err(broken("a block is larger than 2 MiB"));
        }
        Ok((cid, rest))
    }
}

/// Where a block lies in a CAR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockPosition {
    /// What it is said to be; its bytes are not checked.
    pub cid: Cid,
    /// Byte of the CAR where the section begins: see [`section_at`].
    pub section: u64,
    /// Byte of the CAR where the block's data begins.
    pub offset: u64,
    /// Bytes of the block's data, at most [`MAX_BLOCK_BYTES`].
    pub length: u64,
}

impl<R: Read + Seek> Reader<R> {
    /// Where the next block lies, without reading it; nothing at the end. Whether its bytes are all there is not seen.
    pub fn place(&mut self) -> Result<Option<BlockPosition>> {
        let section = self.from.stream_position()?;
        let Some(length) = read_varint(&mut self.from)? else { return Ok(None) };
        let start = self.from.stream_position()?;
        let (cid, rest) = self.section(length)?;
        self.from.seek_relative(rest as i64)?;
        Ok(Some(BlockPosition { cid, section, offset: start + (length - rest), length: rest }))
    }
}

/// The most bytes that a length takes.
const MAX_VARINT_BYTES: usize = 9;

/// The most bytes before a block in its section: a length and a CID.
pub const MAX_SECTION_HEAD_BYTES: usize = MAX_CID_BYTES as usize + 10;

/// How many bytes the section has that begins so, its length included; nothing where its length is not all there yet.
pub fn whole_section(begin: &[u8], limit: u64) -> Result<Option<usize>> {
    let length = begin.len().min(MAX_VARINT_BYTES);
    let mut rest = &begin[..length];
    if rest.len() < MAX_VARINT_BYTES && rest.iter().all(|byte| byte & 0x80 != 0) {
        return Ok(None);
    }
    let body = read_varint(&mut rest)?.ok_or_else(cut_short)?;
    if body > limit {
        return Err(broken("a part of it is larger than any may be"));
    }
    Ok(Some(length - rest.len() + body as usize))
}

/// What a section holds whose first [`MAX_SECTION_HEAD_BYTES`] bytes (fewer at the end of the file) are these: the place of its block.
pub fn section_at(section: u64, mut head: &[u8]) -> Result<BlockPosition> {
    let whole = head.len();
    let length = read_varint(&mut head)?.ok_or_else(cut_short)?;
    let before = head.len();
    let cid = Cid::read_bytes(&mut head).map_err(|error| broken("a block has no CID").caused_by(error))?;
    let rest = length.checked_sub((before - head.len()) as u64).filter(|rest| *rest <= MAX_BLOCK_BYTES as u64);
    let length = rest.ok_or_else(|| broken("a block is larger than 2 MiB"))?;
    Ok(BlockPosition { cid, section, offset: section + (whole - head.len()) as u64, length })
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Block>;

    fn next(&mut self) -> Option<Self::Item> {
        self.block().transpose()
    }
}

fn cut_short() -> Error {
    broken("it ends in the middle of a block").hint("It was cut off on its way; fetch it again.")
}

/// Reads `length` bytes, which the caller has bounded.
fn read_exactly(from: &mut impl Read, length: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(cut_short()) }
}

/// Reads a varint, or nothing if there are no more bytes.
fn read_varint(from: &mut impl Read) -> Result<Option<u64>> {
    let mut value = 0;
    for shift in (0..63).step_by(7) {
        let mut byte = [0];
        if let Err(error) = from.read_exact(&mut byte) {
            return match error.kind() {
                ErrorKind::UnexpectedEof if shift == 0 => Ok(None),
                ErrorKind::UnexpectedEof => Err(cut_short()),
                _ => Err(error.into()),
            };
        }
        value |= u64::from(byte[0] & 0x7f) << shift;
        if byte[0] & 0x80 == 0 {
            return if byte[0] == 0 && shift > 0 {
                Err(broken("a length is longer than it need be"))
            } else {
                Ok(Some(value))
            };
        }
    }
    Err(broken("a length has more than 63 bits"))
}

/// The rest of a header in CBOR.
struct Cbor<'a> {
    bytes: &'a [u8],
}

impl<'a> Cbor<'a> {
    fn take(&mut self, length: u64) -> Result<&'a [u8]> {
        let length = usize::try_from(length).ok().filter(|&length| length <= self.bytes.len());
        let (taken, rest) = self.bytes.split_at(length.ok_or_else(|| broken("its header is cut short"))?);
        self.bytes = rest;
        Ok(taken)
    }

    fn head(&mut self) -> Result<(u8, u64)> {
        let first = self.take(1)?[0];
        let following = match first & 31 {
            value @ 0..24 => return Ok((first >> 5, u64::from(value))),
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            _ => return Err(broken("its header is not DAG-CBOR")),
        };
        let value = self.take(following)?.iter().fold(0, |value, &byte| value << 8 | u64::from(byte));
        Ok((first >> 5, value))
    }

    /// Reads a value that must be of this major type.
    fn expect(&mut self, major: u8) -> Result<u64> {
        match self.head()? {
            (found, value) if found == major => Ok(value),
            _ => Err(broken("its header has other fields than roots and version")),
        }
    }

    fn header(mut self) -> Result<Vec<Cid>> {
        let (mut roots, mut version) = (None, None);
        for _ in 0..self.expect(5)? {
            let length = self.expect(3)?;
            match self.take(length)? {
                b"version" => version = Some(self.expect(0)?),
                b"roots" => {
                    let mut list = Vec::new();
                    for _ in 0..self.expect(4)? {
                        list.push(self.root()?);
                    }
                    roots = Some(list);
                }
                _ => return Err(broken("its header has other fields than roots and version")),
            }
        }
        match (version, roots) {
            (Some(1), Some(roots)) if self.bytes.is_empty() => Ok(roots),
            (Some(2), _) => Err(broken("it is of version 2").hint("Export it again as version 1.")),
            _ => Err(broken("its header is not of version 1")),
        }
    }

    fn root(&mut self) -> Result<Cid> {
        if self.expect(6)? != 42 {
            return Err(broken("a root is not a CID"));
        }
        let length = self.expect(2)?;
        match self.take(length)? {
            [0, cid @ ..] => cid_from_bytes(cid).map_err(|error| error.context("a root of a CAR file")),
            _ => Err(broken("a root is not a CID")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::unixfs::{Profile, file};

    fn car(roots: &[Cid], blocks: &[Block]) -> Vec<u8> {
        let mut bytes = header(roots);
        for block in blocks {
            let before = bytes.len() as u64;
            bytes.extend(block_prefix(&block.cid, block.bytes.len() as u64));
            bytes.extend(&block.bytes);
            assert_eq!(bytes.len() as u64 - before, section_length(&block.cid, block.bytes.len() as u64));
        }
        bytes
    }

    fn block(bytes: &[u8]) -> Block {
        Block { cid: file::of_bytes(Profile::V1_2025, bytes).0.cid, bytes: bytes.to_vec() }
    }

    fn node(bytes: &[u8]) -> Block {
        Block { cid: Profile::V0_2015.cid_of_node(bytes), bytes: bytes.to_vec() }
    }

    fn read(bytes: &[u8]) -> Result<(Vec<Cid>, Vec<Block>)> {
        let mut reader = Reader::new(bytes)?;
        let roots = reader.roots().to_vec();
        let mut blocks = Vec::new();
        while let Some(block) = reader.block()? {
            blocks.push(block);
        }
        Ok((roots, blocks))
    }

    const FIXTURE: &[u8] = include_bytes!("testdata/hamt-1000-files.car");

    #[test]
    fn a_car_that_kubo_wrote_is_written_again_to_the_byte() {
        let (roots, blocks) = read(FIXTURE).unwrap();
        assert_eq!(roots[0].to_string(), "bafybeidbclfqleg2uojchspzd4bob56dqetqjsj27gy2cq3klkkgxtpn4i");
        assert!(blocks.len() > 100);
        assert!(car(&roots, &blocks) == FIXTURE);
    }

    #[test]
    fn damage_is_found() {
        let blocks = [block(b"one"), node(b"two")];
        let good = car(&[blocks[0].cid], &blocks);
        assert_eq!(read(&good).unwrap(), (vec![blocks[0].cid], blocks.to_vec()));
        let header_length = header(&[blocks[0].cid]).len();
        let sections = [header_length, header_length + section_length(&blocks[0].cid, 3) as usize];
        for length in 0..good.len() {
            let cut = read(&good[..length]);
            // A cut between two blocks can't be seen: whether all blocks came is the caller's to check.
            assert_eq!(cut.is_ok(), sections.contains(&length), "{length}");
        }
        for at in 0..good.len() {
            let mut wrong = good.clone();
            wrong[at] ^= 1;
            let result = read(&wrong);
            // The root's digest is only a name, and so is whether a CID is of raw bytes or of a dag-pb node.
            if let Ok((roots, blocks_read)) = result {
                assert!(roots != [blocks[0].cid] || blocks_read[0].cid.codec() != blocks[0].cid.codec(), "{at}");
            }
        }
    }

    #[test]
    fn sections_are_found_as_they_come() {
        let blocks = [block(b"one"), node(&[7; 300])];
        let whole = car(&[blocks[0].cid], &blocks);
        let mut rest = &whole[..];
        for (place, limit) in [(None, MAX_HEADER_BYTES), (Some(0), MAX_SECTION_BYTES), (Some(1), MAX_SECTION_BYTES)] {
            let length = whole_section(rest, limit).unwrap().unwrap();
            if let Some(place) = place {
                let found = section_at(0, &rest[..length]).unwrap();
                assert_eq!(found.cid, blocks[place].cid);
                assert_eq!((found.offset + found.length) as usize, length);
            }
            rest = &rest[length..];
        }
        assert_eq!((rest, whole_section(rest, 1).unwrap()), (&[][..], None));
        assert_eq!(whole_section(&[0x80, 0x80], MAX_SECTION_BYTES).unwrap(), None);
        assert_eq!(whole_section(&[0xac, 0x02], 300).unwrap(), Some(302));
        assert!(whole_section(&[0xac, 0x02], 299).is_err());
        assert!(whole_section(&[0xff; 20], u64::MAX).is_err());
    }

    #[test]
    fn sizes_are_capped() {
        let header = header(&[]);
        let mut huge = header.clone();
        write_varint(&mut huge, u64::MAX >> 1);
        assert!(read(&huge).is_err());
        let limit = vec![7; MAX_BLOCK_BYTES];
        assert_eq!(read(&car(&[], &[node(&limit)])).unwrap().1.len(), 1);
        let above = vec![7; MAX_BLOCK_BYTES + 1];
        assert!(read(&car(&[], &[node(&above)])).is_err());
        let mut long_header = Vec::new();
        write_varint(&mut long_header, MAX_HEADER_BYTES + 1);
        long_header.resize(2 << 20, 0);
        assert!(read(&long_header).is_err());
        // The pragma of CARv2.
        let error = read(b"\x0a\xa1\x67version\x02").unwrap_err();
        assert!(error.to_string().contains("version 2"), "{error}");
    }

    #[test]
    fn identity_blocks_are_their_own_hash() {
        let cid: Cid = "bafkqaaa".parse().unwrap();
        assert!(read(&car(&[cid], &[Block { cid, bytes: Vec::new() }])).is_ok());
        assert!(read(&car(&[cid], &[Block { cid, bytes: vec![1] }])).is_err());
    }

    proptest! {
        #[test]
        fn cars_round_trip(contents in prop::collection::vec(any::<Vec<u8>>(), 0..20), roots in 0..40_usize) {
            let blocks: Vec<_> =
                contents.iter().enumerate().map(|(i, bytes)| if i % 2 == 0 { block(bytes) } else { node(bytes) }).collect();
            let roots: Vec<_> = blocks.iter().map(|block| block.cid).cycle().take(if blocks.is_empty() { 0 } else { roots }).collect();
            prop_assert_eq!(read(&car(&roots, &blocks)).unwrap(), (roots, blocks));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = read(&bytes);
        }
    }
}
