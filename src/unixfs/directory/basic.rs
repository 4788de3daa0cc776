//! A directory in one block: links sorted by the bytes of their names.
//!
//! An edit is one pass over the bytes that copies what stays in as few pieces as there are changes.

use super::{Change, broken, entry_name};
use crate::error::Result;
use crate::unixfs::dagpb::{self, Decoder, RawLink};
use crate::unixfs::data::BASIC_DIRECTORY;
use crate::unixfs::{Link, Profile};

/// The block of an edited directory.
pub(super) struct Edited {
    pub(super) bytes: Vec<u8>,
    pub(super) entries: usize,
    /// The sum of its links' sizes in bytes.
    pub(super) tsize_below: u64,
    /// Size in bytes as the profile's rule for sharding estimates it.
    pub(super) directory_size: u64,
}

/// Applies changes, sorted by name, to the bytes of a directory.
pub(super) fn edit(profile: Profile, old: &[u8], changes: &[Change<'_>]) -> Result<Edited> {
    let room: usize = changes.iter().map(|change| if change.link.is_some() { change.name.len() + 64 } else { 0 }).sum();
    let mut new = Edited {
        bytes: Vec::with_capacity(old.len() + room),
        entries: 0,
        tsize_below: 0,
        directory_size: profile.directory_base(),
    };
    let mut changes = changes.iter().peekable();
    // What is kept and not copied yet starts here.
    let mut kept = 0;
    let data = each_raw(old, &mut |link| {
        while let Some(change) = changes.next_if(|change| change.name.as_bytes() < link.name) {
            if change.link.is_some() {
                new.bytes.extend_from_slice(&old[kept..link.start]);
                kept = link.start;
                new.add(profile, change)?;
            }
        }
        if let Some(change) = changes.next_if(|change| change.name.as_bytes() == link.name) {
            new.bytes.extend_from_slice(&old[kept..link.start]);
            kept = link.end;
            new.add(profile, change)
        } else {
            new.count(profile, link.name.len(), link.cid.len(), link.tsize)
        }
    })?;
    new.bytes.extend_from_slice(&old[kept..data]);
    for change in changes {
        new.add(profile, change)?;
    }
    dagpb::write_data(&mut new.bytes, BASIC_DIRECTORY);
    Ok(new)
}

impl Edited {
    /// Writes what a change sets.
    fn add(&mut self, profile: Profile, change: &Change<'_>) -> Result<()> {
        let Some(link) = &change.link else { return Ok(()) };
        dagpb::write_link(&mut self.bytes, link, &[], change.name.as_bytes());
        self.count(profile, change.name.len(), link.cid.encoded_len(), link.tsize)
    }

    fn count(&mut self, profile: Profile, name: usize, cid: usize, tsize: u64) -> Result<()> {
        self.entries += 1;
        self.tsize_below =
            self.tsize_below.checked_add(tsize).ok_or_else(|| broken("its sizes add up to more than 64 bits"))?;
        self.directory_size += profile.entry_size(name, cid, tsize);
        Ok(())
    }
}

/// Visits every link, checking their order, and returns where the data starts.
fn each_raw<'a>(bytes: &'a [u8], visit: &mut dyn FnMut(&RawLink<'a>) -> Result<()>) -> Result<usize> {
    let mut decoder = Decoder::new(bytes);
    let mut previous: Option<&[u8]> = None;
    while let Some(link) = decoder.link()? {
        if previous.is_some_and(|previous| previous >= link.name) {
            return Err(broken("its names are not sorted, or one is there twice"));
        }
        previous = Some(link.name);
        visit(&link)?;
    }
    let end = decoder.position();
    if decoder.data()? != BASIC_DIRECTORY {
        return Err(broken("it has other data than its type"));
    }
    Ok(end)
}

/// Visits every entry with its link in the node.
pub(super) fn each<'a>(bytes: &'a [u8], visit: &mut dyn FnMut(&'a str, &RawLink<'a>) -> Result<()>) -> Result<()> {
    each_raw(bytes, &mut |link| visit(entry_name(link.name)?, link)).map(drop)
}

pub(super) fn list(bytes: &[u8], visit: &mut dyn FnMut(&str, Link) -> Result<()>) -> Result<()> {
    each(bytes, &mut |name, link| visit(name, link.link()?))
}

/// What the directory has under these names, which are sorted.
pub(super) fn find(bytes: &[u8], names: &[&str]) -> Result<Vec<Option<Link>>> {
    let mut found = vec![None; names.len()];
    let mut next = 0;
    let mut decoder = Decoder::new(bytes);
    while next < names.len() {
        let Some(link) = decoder.link()? else { break };
        while next < names.len() && names[next].as_bytes() < link.name {
            next += 1;
        }
        if next < names.len() && names[next].as_bytes() == link.name {
            found[next] = Some(link.link()?);
            next += 1;
        }
    }
    Ok(found)
}
