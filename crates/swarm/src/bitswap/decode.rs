//! Bitswap 1.2.0 messages as they come in, piece by piece.
//!
//! Nothing is kept but the element that is being read: an entry of a wantlist, a presence, or a block where blocks are wanted. So what a
//! peer can make us hold does not follow from the lengths that it says. Every length is checked against what is left of what
//! surrounds it. Knows no stream; [`super::message`] is the other direction.

use bytes::Bytes;
use cid::{Cid, multihash::Multihash};
use sha2::{Digest as _, Sha256};

use super::message::{MAX_BLOCK_BYTES, MAX_MESSAGE_BYTES, Want, WantType};

/// What an entry of a wantlist or a presence may have: boxo reads CIDs of up to 168 bytes (`MaximumAllowedCid`). Longer ones are skipped.
const MAX_ENTRY_BYTES: usize = 256;
/// A block with its prefix and the lengths.
const MAX_PAYLOAD_BYTES: usize = MAX_BLOCK_BYTES + 128;
/// What is set aside for an element before its bytes come.
const FIRST_CAPACITY_BYTES: usize = 64 << 10;
/// SHA-256 and its length in a multihash.
const SHA2_256: (u64, u64) = (0x12, 32);

/// Why a stream is not read any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("a message is longer than 4 MiB")]
    TooLong,
    #[error("a length points outside of what surrounds it")]
    Cut,
    #[error("a number has more than 64 bits")]
    Number,
    #[error("a field has an unknown wire type")]
    WireType,
    #[error("a CID can't be read")]
    Cid,
}

/// What has been read.
#[derive(Debug, PartialEq)]
pub(crate) enum Item {
    Want(Want),
    Cancel(Cid),
    /// A block as it came, with everything of its CID but the digest.
    Block {
        prefix: Bytes,
        data: Bytes,
    },
    Presence {
        cid: Cid,
        have: bool,
    },
    /// The end of a message, and whether its wantlist replaces the earlier ones.
    End {
        full: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Element {
    Entry,
    Payload,
    Presence,
}

impl Element {
    fn limit(self) -> usize {
        match self {
            Self::Payload => MAX_PAYLOAD_BYTES,
            Self::Entry | Self::Presence => MAX_ENTRY_BYTES,
        }
    }
}

#[derive(Debug)]
enum Step {
    /// Between messages: the length of the next one.
    Length,
    Key,
    /// A number, of this field.
    Number(u64),
    /// The length of this field.
    FieldLength(u64),
    /// An element of so many bytes.
    Element(Element, usize),
    Skip(usize),
    /// What was read before makes no sense, so nothing after it does.
    Broken,
}

/// Reads the messages of one stream.
#[derive(Debug)]
pub(crate) struct Decoder {
    step: Step,
    number: u64,
    shift: u32,
    /// Bytes left of the message.
    message: usize,
    /// Bytes left of its wantlist, inside of one.
    list: Option<usize>,
    full: bool,
    element: Vec<u8>,
}

impl Decoder {
    pub(crate) fn new() -> Self {
        Self { step: Step::Length, number: 0, shift: 0, message: 0, list: None, full: false, element: Vec::new() }
    }

    /// Whether no part of a message has been read.
    pub(crate) fn is_between_messages(&self) -> bool {
        matches!(self.step, Step::Length) && self.shift == 0
    }

    /// Bytes that are held here.
    pub(crate) fn held_bytes(&self) -> usize {
        self.element.capacity()
    }

    /// Reads from the front of `input`, and says what was there; `None` when all of it is read. Blocks are skipped unless `keep_blocks`.
    pub(crate) fn next(&mut self, input: &mut &[u8], keep_blocks: bool) -> Result<Option<Item>, Malformed> {
        let item = self.step(input, keep_blocks);
        if item.is_err() {
            self.step = Step::Broken;
            self.element = Vec::new();
        }
        item
    }

    fn step(&mut self, input: &mut &[u8], keep_blocks: bool) -> Result<Option<Item>, Malformed> {
        loop {
            match self.step {
                Step::Broken => return Err(Malformed::Cut),
                Step::Length => {
                    let Some(length) = self.varint(input, false)? else { return Ok(None) };
                    if length > MAX_MESSAGE_BYTES as u64 {
                        return Err(Malformed::TooLong);
                    }
                    (self.message, self.list, self.full) = (length as usize, None, false);
                    self.step = Step::Key;
                }
                Step::Key => {
                    if self.shift == 0 {
                        if self.list == Some(0) {
                            self.list = None;
                        }
                        if self.message == 0 {
                            self.step = Step::Length;
                            return Ok(Some(Item::End { full: self.full }));
                        }
                    }
                    let Some(key) = self.varint(input, true)? else { return Ok(None) };
                    self.step = match key & 7 {
                        0 => Step::Number(key >> 3),
                        1 => self.skip(8)?,
                        2 => Step::FieldLength(key >> 3),
                        5 => self.skip(4)?,
                        _ => return Err(Malformed::WireType),
                    };
                }
                Step::Number(field) => {
                    let Some(number) = self.varint(input, true)? else { return Ok(None) };
                    if self.list.is_some() && field == 2 {
                        self.full = number != 0;
                    }
                    self.step = Step::Key;
                }
                Step::FieldLength(field) => {
                    let Some(length) = self.varint(input, true)? else { return Ok(None) };
                    let length = usize::try_from(length).map_err(|_| Malformed::Cut)?;
                    self.step = self.field(field, length, keep_blocks)?;
                }
                Step::Element(kind, length) => {
                    let missing = length - self.element.len();
                    let taken = missing.min(input.len());
                    if self.element.capacity() == 0 {
                        self.element.reserve_exact(length.min(FIRST_CAPACITY_BYTES));
                    } else if self.element.len() + taken > self.element.capacity() {
                        // The first bytes have come, so the rest is worth its memory.
                        self.element.reserve_exact(missing);
                    }
                    self.element.extend_from_slice(&input[..taken]);
                    *input = &input[taken..];
                    if taken < missing {
                        return Ok(None);
                    }
                    self.step = Step::Key;
                    let element = std::mem::take(&mut self.element);
                    match kind {
                        Element::Payload => return payload(element).map(Some),
                        Element::Entry => return entry(&element).map(Some),
                        Element::Presence => return presence(&element).map(Some),
                    }
                }
                Step::Skip(length) => {
                    let taken = length.min(input.len());
                    *input = &input[taken..];
                    if taken < length {
                        self.step = Step::Skip(length - taken);
                        return Ok(None);
                    }
                    self.step = Step::Key;
                }
            }
        }
    }

    fn field(&mut self, field: u64, length: usize, keep_blocks: bool) -> Result<Step, Malformed> {
        if self.list.is_none() && field == 1 {
            if length > self.message {
                return Err(Malformed::Cut);
            }
            self.list = Some(length);
            return Ok(Step::Key);
        }
        self.spend(length)?;
        let kind = match (self.list.is_some(), field) {
            (true, 1) => Element::Entry,
            (false, 3) if keep_blocks => Element::Payload,
            (false, 4) => Element::Presence,
            _ => return Ok(Step::Skip(length)),
        };
        Ok(if length > kind.limit() { Step::Skip(length) } else { Step::Element(kind, length) })
    }

    fn skip(&mut self, length: usize) -> Result<Step, Malformed> {
        self.spend(length)?;
        Ok(Step::Skip(length))
    }

    /// Counts bytes as read of what surrounds them.
    fn spend(&mut self, length: usize) -> Result<(), Malformed> {
        self.message = self.message.checked_sub(length).ok_or(Malformed::Cut)?;
        if let Some(list) = &mut self.list {
            *list = list.checked_sub(length).ok_or(Malformed::Cut)?;
        }
        Ok(())
    }

    fn varint(&mut self, input: &mut &[u8], inside: bool) -> Result<Option<u64>, Malformed> {
        while let Some((byte, rest)) = input.split_first() {
            if inside {
                self.spend(1)?;
            }
            *input = rest;
            // The tenth byte has one bit of the 64.
            if self.shift == 63 && *byte > 1 {
                return Err(Malformed::Number);
            }
            self.number |= u64::from(byte & 0x7f) << self.shift;
            if *byte < 0x80 {
                let number = self.number;
                (self.number, self.shift) = (0, 0);
                return Ok(Some(number));
            }
            self.shift += 7;
        }
        Ok(None)
    }
}

/// A field of an element that is here as a whole.
enum Value<'a> {
    Number(u64),
    Data(&'a [u8]),
}

fn take_varint(rest: &mut &[u8]) -> Result<u64, Malformed> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first().ok_or(Malformed::Cut)?;
        *rest = after;
        if shift == 63 && *byte > 1 {
            break;
        }
        number |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Ok(number);
        }
    }
    Err(Malformed::Number)
}

fn take_field<'a>(rest: &mut &'a [u8]) -> Result<Option<(u64, Value<'a>)>, Malformed> {
    if rest.is_empty() {
        return Ok(None);
    }
    let key = take_varint(rest)?;
    let length = match key & 7 {
        0 => return Ok(Some((key >> 3, Value::Number(take_varint(rest)?)))),
        1 => 8,
        2 => usize::try_from(take_varint(rest)?).map_err(|_| Malformed::Cut)?,
        5 => 4,
        _ => return Err(Malformed::WireType),
    };
    let (data, after) = rest.split_at_checked(length).ok_or(Malformed::Cut)?;
    *rest = after;
    Ok(Some((key >> 3, Value::Data(data))))
}

fn entry(mut rest: &[u8]) -> Result<Item, Malformed> {
    let mut cid = None;
    let mut cancel = false;
    let (mut priority, mut kind, mut send_dont_have) = (0, WantType::Block, false);
    while let Some(field) = take_field(&mut rest)? {
        match field {
            (1, Value::Data(bytes)) => cid = Some(Cid::try_from(bytes).map_err(|_| Malformed::Cid)?),
            (2, Value::Number(number)) => priority = number as i32,
            (3, Value::Number(number)) => cancel = number != 0,
            (4, Value::Number(number)) => kind = if number == 1 { WantType::Have } else { WantType::Block },
            (5, Value::Number(number)) => send_dont_have = number != 0,
            _ => {}
        }
    }
    let cid = cid.ok_or(Malformed::Cid)?;
    Ok(if cancel { Item::Cancel(cid) } else { Item::Want(Want { cid, priority, kind, send_dont_have }) })
}

fn presence(mut rest: &[u8]) -> Result<Item, Malformed> {
    let (mut cid, mut have) = (None, true);
    while let Some(field) = take_field(&mut rest)? {
        match field {
            (1, Value::Data(bytes)) => cid = Some(Cid::try_from(bytes).map_err(|_| Malformed::Cid)?),
            (2, Value::Number(number)) => have = number == 0,
            _ => {}
        }
    }
    Ok(Item::Presence { cid: cid.ok_or(Malformed::Cid)?, have })
}

fn payload(element: Vec<u8>) -> Result<Item, Malformed> {
    let element = Bytes::from(element);
    let (mut prefix, mut data) = (Bytes::new(), Bytes::new());
    let mut rest = &element[..];
    while let Some(field) = take_field(&mut rest)? {
        match field {
            (1, Value::Data(bytes)) => prefix = element.slice_ref(bytes),
            (2, Value::Data(bytes)) => data = element.slice_ref(bytes),
            _ => {}
        }
    }
    Ok(Item::Block { prefix, data })
}

/// The CID of a block, by hashing it; `None` when its prefix names another hash function than SHA-256 or makes no sense.
pub(crate) fn cid_of(mut prefix: &[u8], data: &[u8]) -> Option<Cid> {
    let mut take = || take_varint(&mut prefix).ok();
    let (version, codec, hash) = (take()?, take()?, (take()?, take()?));
    if hash != SHA2_256 {
        return None;
    }
    let digest = Multihash::wrap(SHA2_256.0, &Sha256::digest(data)).ok()?;
    match version {
        0 => Cid::new_v0(digest).ok().filter(|_| codec == 0x70),
        1 => Some(Cid::new_v1(codec, digest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
