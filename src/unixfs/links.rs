//! The links of a dag-pb block, from any place in it on, so that a walk can read a few of them at a time.
//!
//! Knows the links' form. Must not know what the block stands for.

use cid::Cid;

use super::dagpb::Decoder;
use crate::error::Result;

/// A link as it stands in its block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockLink<'a> {
    /// In a shard, the slot comes first: two hexadecimal digits, and nothing else where a further shard is linked.
    pub name: &'a [u8],
    /// What is linked.
    pub cid: Cid,
    /// Byte of the block at which the link begins.
    pub start: usize,
}

/// The links of an untrusted dag-pb block from byte `offset` on, which is 0 or where a link begins. Ends after the first error.
pub fn links_from(block: &[u8], offset: usize) -> impl Iterator<Item = Result<BlockLink<'_>>> {
    let rest = block.get(offset..).unwrap_or_default();
    let mut decoder = Some(Decoder::new(rest));
    std::iter::from_fn(move || {
        let read = decoder.as_mut()?.link().and_then(|found| {
            found.map(|raw| Ok(BlockLink { name: raw.name, cid: raw.cid()?, start: offset + raw.start })).transpose()
        });
        if !matches!(read, Ok(Some(_))) {
            decoder = None;
        }
        read.transpose()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Link, Profile, dagpb};
    use super::*;

    fn block(count: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in 0..count {
            let link = Link { cid: Profile::V1_2025.leaf_cid(&[number; 32]), tsize: 1 };
            dagpb::write_link(&mut bytes, &link, &[], &vec![b'x'; usize::from(number)]);
        }
        dagpb::write_data(&mut bytes, &[8, 1]);
        bytes
    }

    #[test]
    fn reading_goes_on_at_any_link() {
        let block = block(20);
        let all: Vec<_> = links_from(&block, 0).collect::<Result<_>>().unwrap();
        assert_eq!(all.len(), 20);
        for (index, link) in all.iter().enumerate() {
            assert_eq!(link.name.len(), index);
            assert_eq!(links_from(&block, link.start).collect::<Result<Vec<_>>>().unwrap(), all[index..]);
        }
        assert_eq!(links_from(&block, block.len()).count(), 0);
        assert_eq!(links_from(&block, usize::MAX).count(), 0);
        assert!(links_from(&block[..30], 0).next().unwrap().is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes: Vec<u8>, offset in 0..64_usize) {
            prop_assert!(links_from(&bytes, offset).count() <= bytes.len() + 1);
        }
    }
}
