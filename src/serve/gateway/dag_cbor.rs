//! Links in DAG-CBOR (ipld.io/specs/codecs/dag-cbor/spec): all of a block, and that at the end of a path inside of it.
//!
//! The registry publishes none; what others publish may hold them. Pure: reads each byte once, and remembers no nesting.

use cid::Cid;

use crate::error::{Error, Kind, Result};

/// The multicodec of DAG-CBOR.
pub(super) const DAG_CBOR: u64 = 0x71;
/// The tag of a link.
const LINK_TAG: u64 = 42;

/// Where a path leads inside of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// To a link, after so many names.
    Link(Cid, usize),
    /// To a value of the block itself.
    Value,
    Nothing,
}

fn broken(why: &str) -> Error {
    Error::new(Kind::Verification, format!("not a DAG-CBOR block: {why}"))
}

/// Bytes that have not been read yet.
#[derive(Clone)]
struct Reader<'a>(&'a [u8]);

/// The beginning of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item<'a> {
    /// A number, a boolean, nothing.
    Plain,
    Bytes(&'a [u8]),
    Text(&'a [u8]),
    List(u64),
    Map(u64),
    Tag(u64),
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: u64) -> Result<&'a [u8]> {
        let count = usize::try_from(count).ok().filter(|count| *count <= self.0.len());
        let (taken, rest) = self.0.split_at(count.ok_or_else(|| broken("it ends inside an item"))?);
        self.0 = rest;
        Ok(taken)
    }

    fn item(&mut self) -> Result<Item<'a>> {
        let first = self.take(1)?[0];
        let value = match first & 0x1f {
            value @ 0..24 => u64::from(value),
            size @ 24..28 => self.take(1 << (size - 24))?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)),
            _ => return Err(broken("an item has no length")),
        };
        Ok(match first >> 5 {
            2 => Item::Bytes(self.take(value)?),
            3 => Item::Text(self.take(value)?),
            4 => Item::List(value),
            5 => Item::Map(value),
            6 => Item::Tag(value),
            _ => Item::Plain,
        })
    }

    /// The CID after the tag of a link.
    fn link(&mut self) -> Result<Cid> {
        let Item::Bytes([0, bytes @ ..]) = self.item()? else { return Err(broken("a link holds no CID")) };
        Cid::try_from(bytes).map_err(|error| broken("a link holds no CID").caused_by(error))
    }

    fn skip(&mut self) -> Result<()> {
        let mut left = 1_u64;
        while left > 0 {
            let inside = match self.item()? {
                Item::Plain | Item::Bytes(_) | Item::Text(_) => 0,
                Item::List(count) => count,
                Item::Map(count) => count.saturating_mul(2),
                Item::Tag(_) => 1,
            };
            // More than there are bytes for comes to an end with them.
            left = (left - 1).saturating_add(inside);
        }
        Ok(())
    }
}

/// All links of an untrusted block, in the order of its bytes. Ends after the first error.
pub(super) fn links(block: &[u8]) -> impl Iterator<Item = Result<Cid>> {
    let mut reader = Some(Reader(block));
    std::iter::from_fn(move || {
        let read =
            reader.as_mut().filter(|reader| !reader.0.is_empty()).and_then(|reader| next_link(reader).transpose());
        if !matches!(read, Some(Ok(_))) {
            reader = None;
        }
        read
    })
}

fn next_link(reader: &mut Reader<'_>) -> Result<Option<Cid>> {
    while !reader.0.is_empty() {
        if reader.item()? == Item::Tag(LINK_TAG) {
            return reader.link().map(Some);
        }
    }
    Ok(None)
}

/// Follows names through maps and lists, up to the first link.
pub(super) fn follow(block: &[u8], names: &[String]) -> Result<Step> {
    let mut reader = Reader(block);
    for (count, name) in names.iter().map(Some).chain([None]).enumerate() {
        let item = reader.item()?;
        let (Some(name), Item::List(_) | Item::Map(_)) = (name, item) else {
            return match item {
                Item::Tag(LINK_TAG) => Ok(Step::Link(reader.link()?, count)),
                _ if name.is_none() => Ok(Step::Value),
                _ => Ok(Step::Nothing),
            };
        };
        let is_there = match item {
            Item::Map(entries) => find_key(&mut reader, entries, name)?,
            Item::List(entries) => find_index(&mut reader, entries, name)?,
            _ => false,
        };
        if !is_there {
            return Ok(Step::Nothing);
        }
    }
    Ok(Step::Value)
}

fn find_key(reader: &mut Reader<'_>, entries: u64, name: &str) -> Result<bool> {
    for _ in 0..entries {
        let Item::Text(key) = reader.item()? else { return Err(broken("a key is no text")) };
        if key == name.as_bytes() {
            return Ok(true);
        }
        reader.skip()?;
    }
    Ok(false)
}

fn find_index(reader: &mut Reader<'_>, entries: u64, name: &str) -> Result<bool> {
    let Some(index) = name.parse::<u64>().ok().filter(|index| *index < entries) else { return Ok(false) };
    for _ in 0..index {
        reader.skip()?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::unixfs::car;

    fn names(path: &str) -> Vec<String> {
        path.split('/').filter(|name| !name.is_empty()).map(ToOwned::to_owned).collect()
    }

    #[test]
    fn the_header_of_a_car_is_a_block_with_links() {
        let roots =
            ["bafkqaaa", "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"].map(|cid| cid.parse::<Cid>().unwrap());
        let header = car::header(&roots);
        let block = &header[1..];
        assert_eq!(links(block).collect::<Result<Vec<_>>>().unwrap(), roots);
        for (path, expected) in [
            ("roots/0", Step::Link(roots[0], 2)),
            ("roots/1/further/down", Step::Link(roots[1], 2)),
            ("roots/2", Step::Nothing),
            ("roots/-1", Step::Nothing),
            ("roots", Step::Value),
            ("", Step::Value),
            ("version", Step::Value),
            ("version/1", Step::Nothing),
            ("root", Step::Nothing),
        ] {
            assert_eq!(follow(block, &names(path)).unwrap(), expected, "{path}");
        }
        assert!(links(&block[..20]).last().unwrap().is_err());
        // A list of 2^64 - 1 entries, and a map as long.
        for lie in [0x9b, 0xbb] {
            let block = [&[lie][..], &[0xff; 8]].concat();
            assert!(follow(&block, &names("1000000000")).is_err());
            assert_eq!(links(&block).count(), 0);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_come_to_an_end(block: Vec<u8>, path in "[a-z0-9/]{0,9}") {
            prop_assert!(links(&block).count() <= block.len() + 1);
            let _ = follow(&block, &names(&path));
        }
    }
}
