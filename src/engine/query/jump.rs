//! Anything in the catalog by what is typed of it: repositories and tags by any of their letters, digests and CIDs by how they
//! begin.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::ops::RangeInclusive;

use cid::Cid;
use rusqlite::Connection;

use crate::catalog::names::{self, Part, PartRole};
use crate::catalog::search::Search;
use crate::catalog::{images, publications, repositories};
use crate::engine::Engine;
use crate::error::Result;
use crate::image::natural;
use crate::text::{bytes, count, platforms};

/// The most that is found.
const MAX_HITS: usize = 100;
/// The most blobs that are found by one beginning.
const MAX_PARTS: u64 = 20;
/// Fewer letters say nothing of a digest that has no `sha256:` before it.
const MIN_HEX_LETTERS: usize = 6;
/// Fewer letters say nothing of a CID.
const MIN_CID_LETTERS: usize = 6;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HitKind {
    /// A repository.
    Repository,
    /// An image by its tag.
    Tag,
    /// A manifest by its digest or its CID.
    Manifest,
    /// The configuration of an image, likewise.
    Configuration,
    /// A layer of an image, likewise.
    Layer,
    /// Content of an artifact that is no image, likewise.
    Blob,
    /// A root that was published, by its CID.
    Root,
}

impl HitKind {
    /// Word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Repository => "repository",
            Self::Tag => "tag",
            Self::Manifest => "manifest",
            Self::Configuration => "config",
            Self::Layer => "layer",
            Self::Blob => "blob",
            Self::Root => "root",
        }
    }
}

/// Where something is in an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A repository, by its published name.
    Repository(String),
    /// An image: the repository's name, and its tag or digest there.
    Image(String, String),
    /// A publication, by its number.
    Publication(i64),
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// What it is.
    pub kind: HitKind,
    /// Name, digest or CID, as it was looked for.
    pub name: String,
    /// What there is to know of it: what a repository has, which image a layer belongs to.
    pub about: String,
    /// Where it is.
    pub place: Place,
}

impl Engine {
    /// What matches a text, what matches it best first. An empty text finds nothing.
    pub fn find_anything(&self, text: &str) -> Result<Vec<Hit>> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let reader = self.catalog.read()?;
        let mut hits = by_beginning(&reader, text)?;
        hits.extend(by_name(&reader, text, MAX_HITS.saturating_sub(hits.len()))?);
        Ok(hits)
    }
}

/// A text without what people copy along with it.
fn bare(text: &str) -> &str {
    let mut text = text;
    for prefix in ["docker://", "oci://", "https://", "index.docker.io/", "docker.io/"] {
        text = text.strip_prefix(prefix).unwrap_or(text);
    }
    text
}

/// Something that was found by its name. What is worse is greater.
#[derive(Debug, PartialEq, Eq)]
struct Candidate {
    score: u32,
    repository: String,
    tag: Option<String>,
    id: i64,
}

/// What of two things found by name comes first: the better match, repositories before images, then by name.
fn order(one: (u32, &str, Option<&str>), other: (u32, &str, Option<&str>)) -> Ordering {
    let ((score, repository, tag), (other_score, other_repository, other_tag)) = (one, other);
    let tags = || match (tag, other_tag) {
        (Some(tag), Some(other)) => natural::compare(tag, other),
        _ => Ordering::Equal,
    };
    let by_name = || tag.is_some().cmp(&other_tag.is_some()).then_with(|| repository.cmp(other_repository));
    other_score.cmp(&score).then_with(by_name).then_with(tags)
}

impl Candidate {
    fn key(&self) -> (u32, &str, Option<&str>) {
        (self.score, &self.repository, self.tag.as_deref())
    }
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        order(self.key(), other.key())
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn by_name(connection: &Connection, text: &str, limit: usize) -> Result<Vec<Hit>> {
    let search = Search::words(bare(text));
    // The best so far, the worst of them at the top: nothing is kept of what is not shown.
    let (mut finder, mut best) = (search.finder(), BinaryHeap::with_capacity(limit + 1));
    let mut whole = String::new();
    names::each(connection, |named| {
        let mut score = |name: &str| match named.tag {
            None => finder.score(name),
            Some(tag) => {
                whole.clear();
                whole.extend([name, ":", tag]);
                finder.score(&whole)
            }
        };
        let Some(score) = score(named.repository).max(named.alias.and_then(&mut score)) else { return };
        let key = (score, named.repository, named.tag);
        let is_in = best.len() < limit || best.peek().is_some_and(|worst: &Candidate| order(key, worst.key()).is_lt());
        if is_in {
            let (repository, tag) = (named.repository.to_owned(), named.tag.map(str::to_owned));
            best.push(Candidate { score, repository, tag, id: named.id });
            if best.len() > limit {
                best.pop();
            }
        }
    })?;
    best.into_sorted_vec().into_iter().map(|found| named_hit(connection, found)).collect()
}

fn named_hit(connection: &Connection, found: Candidate) -> Result<Hit> {
    let Candidate { repository, tag, id, .. } = found;
    let Some(tag) = tag else {
        let images = images::count(connection, id)?;
        return Ok(Hit {
            kind: HitKind::Repository,
            name: repository.clone(),
            about: count(images, "image", "images"),
            place: Place::Repository(repository),
        });
    };
    let image = images::by_id(connection, id)?;
    let about = image.map(|image| {
        let here = image.platforms.split(',').filter(|platform| !platform.is_empty()).map(str::to_owned);
        format!("{}, {}", platforms(&here.collect::<Vec<_>>()), bytes(image.logical))
    });
    Ok(Hit {
        kind: HitKind::Tag,
        name: format!("{repository}:{tag}"),
        about: about.unwrap_or_default(),
        place: Place::Image(repository, tag),
    })
}

/// What has a digest or a CID that begins so.
fn by_beginning(connection: &Connection, text: &str) -> Result<Vec<Hit>> {
    // A reference may end in a digest.
    let digest = text.rsplit_once('@').map_or(text, |(_, digest)| digest);
    let mut hits = Vec::new();
    if let Some(range) = digest_range(digest) {
        for part in names::by_digest(connection, &range, MAX_PARTS)? {
            let name = part.digest.to_string();
            hits.extend(part_hit(connection, &part, name)?);
        }
    }
    let cid = text.strip_prefix("ipfs://").or_else(|| text.strip_prefix("/ipfs/")).unwrap_or(text);
    if let Some(range) = cid_range(cid.split('/').next().unwrap_or_default()) {
        for publication in publications::by_root_range(connection, &range)? {
            hits.push(Hit {
                kind: HitKind::Root,
                name: publication.root.cid.to_string(),
                about: format!("published to {}", publication.target_name),
                place: Place::Publication(publication.id),
            });
        }
        for part in names::by_cid(connection, &range, MAX_PARTS)? {
            let name = part.cid.clone();
            hits.extend(part_hit(connection, &part, name)?);
        }
    }
    Ok(hits)
}

fn part_hit(connection: &Connection, part: &Part, name: String) -> Result<Option<Hit>> {
    let Some(image) = images::by_id(connection, part.image)? else { return Ok(None) };
    let repository = repositories::by_id(connection, image.repository)?;
    let of = crate::engine::find::shown(&repository, &image);
    let kind = match part.role {
        PartRole::Top | PartRole::Other(images::Role::Manifest) => HitKind::Manifest,
        PartRole::Other(images::Role::Config) => HitKind::Configuration,
        PartRole::Other(images::Role::Layer) => HitKind::Layer,
        PartRole::Other(_) => HitKind::Blob,
    };
    let more = if part.images > 1 { format!(" +{}", part.images - 1) } else { String::new() };
    let key = image.tag.as_ref().map_or_else(|| image.digest.to_string(), ToString::to_string);
    Ok(Some(Hit { kind, name, about: format!("{of}{more}"), place: Place::Image(repository.name.to_string(), key) }))
}

/// The SHA-256 digests that a text is the beginning of.
fn digest_range(text: &str) -> Option<RangeInclusive<Vec<u8>>> {
    let (hex, least) = text.strip_prefix("sha256:").map_or((text, MIN_HEX_LETTERS), |hex| (hex, 1));
    let hex = hex.to_ascii_lowercase();
    if hex.len() < least || hex.len() > 64 {
        return None;
    }
    let numbers: Option<Vec<u8>> =
        hex.chars().map(|letter| letter.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    Some(padded(&numbers?, 4, 32))
}

/// The CIDs, in bytes, that a text is the beginning of: of version 1 in base32, as they are shown here; any other one in full.
fn cid_range(text: &str) -> Option<RangeInclusive<Vec<u8>>> {
    /// A CID with a SHA-256 digest: version, codec, and the multihash.
    const CID_BYTES: usize = 36;
    /// The most letters of such a CID in base32, without that of the base.
    const MAX_LETTERS: usize = CID_BYTES * 8 / 5 + 1;
    if text.len() < MIN_CID_LETTERS {
        return None;
    }
    if let Ok(whole) = text.parse::<Cid>() {
        return Some(whole.to_bytes()..=whole.to_bytes());
    }
    let letters = text.to_ascii_lowercase();
    let letters = letters.strip_prefix('b').filter(|letters| letters.len() <= MAX_LETTERS)?;
    let number = |letter: char| match letter {
        'a'..='z' => Some(letter as u8 - b'a'),
        '2'..='7' => Some(letter as u8 - b'2' + 26),
        _ => None,
    };
    let numbers: Vec<u8> = letters.chars().map(number).collect::<Option<_>>()?;
    let range = padded(&numbers, 5, CID_BYTES);
    (range.start().first() == Some(&1)).then_some(range)
}

/// The bytes that begin with these numbers of so many bits each: from those that go on with zeros to those that go on with ones.
fn padded(numbers: &[u8], bits: usize, length: usize) -> RangeInclusive<Vec<u8>> {
    let (mut low, mut high) = (vec![0u8; length], vec![0xffu8; length]);
    for (place, number) in numbers.iter().enumerate() {
        for bit in 0..bits {
            let at = place * bits + bit;
            let Some((low, high)) = low.get_mut(at / 8).zip(high.get_mut(at / 8)) else { break };
            let mask = 0x80 >> (at % 8);
            if number >> (bits - 1 - bit) & 1 == 1 {
                *low |= mask;
            } else {
                *high &= !mask;
            }
        }
    }
    low..=high
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::image::Digest;

    #[test]
    fn what_is_no_beginning_of_a_digest_or_a_cid() {
        for text in ["", "nginx", "sha256:", "sha256:xyz", "abcde", &"a".repeat(65)] {
            assert_eq!(digest_range(text), None, "{text}");
        }
        for text in ["", "bafy", "bafy1aaaa", "bzzzzzzzz", "nginx:1.27", "búsqueda"] {
            assert_eq!(cid_range(text), None, "{text}");
        }
        assert!(cid_range("QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn").is_some(), "in full");
    }

    proptest! {
        /// Every beginning of a digest or a CID finds it, and a beginning with another last letter does not.
        #[test]
        fn a_beginning_finds_what_begins_so(text in ".{1,20}", letters in 6usize..40) {
            let digest = Digest::of(text.as_bytes());
            let hex = digest.hex();
            let holds = |text: &str| digest_range(text).unwrap().contains(&digest.as_bytes().to_vec());
            prop_assert!(holds(&hex[..letters]) && holds(&digest.to_string()));
            let other = if hex.as_bytes()[letters] == b'0' { '1' } else { '0' };
            let begun = format!("{}{other}", &hex[..letters]);
            prop_assert!(!holds(&begun));

            let mut bytes = vec![1, 0x55, 0x12, 0x20];
            bytes.extend(digest.as_bytes());
            let cid = Cid::try_from(bytes.as_slice()).unwrap().to_string();
            let holds = |text: &str| cid_range(text).unwrap().contains(&bytes);
            prop_assert!(holds(&cid[..letters]) && holds(&cid));
            let other = if cid.as_bytes()[letters] == b'a' { 'b' } else { 'a' };
            let begun = format!("{}{other}", &cid[..letters]);
            prop_assert!(cid_range(&begun).is_none_or(|range| !range.contains(&bytes)));
        }
    }
}
