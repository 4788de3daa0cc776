//! `mirror.lock`: what exactly a run took, so that another machine takes the same.
//!
//! ```text
//! file       = "# mirror.lock 1" end *( ( entry / comment / "" ) end )
//! entry      = repository " " tag " " digest " " platforms [ " as=" name ]
//! repository = registry "/" path          ; where it was taken from: `docker.io/library/nginx`
//! tag        = the tag / "-"              ; `-`: it has only a digest
//! digest     = "sha256:" 64 hexadecimal digits, of the top manifest
//! platforms  = "all" / platform *( "," platform )
//! platform   = os "/" architecture [ "/" variant ]
//! name       = the repository that it is published as, where that is not the usual one
//! comment    = "#" any text
//! end        = [ CR ] LF
//! ```
//! Written entries are sorted by repository, tag, name and digest, so that one choice has one text. Any order is read, and several
//! spaces count as one. One published repository and tag stand for one digest.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

use super::fault::{Faults, RuleFault, quoted};
use crate::image::{Digest, Reference, RepositoryName, Selection, Tag, Upstream};

/// Bytes of the largest lock file.
pub const MAX_LOCK_BYTES: usize = 32 << 20;
/// Entries of one lock file.
pub const MAX_LOCK_ENTRIES: usize = 100_000;

/// The first line of version 1.
const HEADER: &str = "# mirror.lock 1";
/// What stands for a tag where there is none. No tag begins like that.
const NO_TAG: &str = "-";

/// What a run took. The entries are in the order of the file, whatever order they were given in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    entries: Vec<LockEntry>,
}

/// One image that was taken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LockEntry {
    /// Where it was taken from.
    pub upstream: Upstream,
    /// The tag that it was taken by, if any.
    pub tag: Option<Tag>,
    /// The published name where it is not the usual one.
    pub published_as: Option<RepositoryName>,
    /// Its top manifest.
    pub digest: Digest,
    /// The platforms that were chosen.
    pub platforms: Selection,
}

impl LockEntry {
    /// What it is published as: a repository, and a tag or a digest in it.
    fn published(&self) -> (String, String) {
        let usual = || self.upstream.published_name().map_or_else(|_| self.upstream.to_string(), String::from);
        let name = self.published_as.as_ref().map_or_else(usual, ToString::to_string);
        (name, self.tag.as_ref().map_or_else(|| self.digest.to_string(), ToString::to_string))
    }

    /// Without a name that is the usual one.
    fn shortened(mut self) -> Self {
        let usual = self.upstream.published_name().ok();
        self.published_as = self.published_as.filter(|name| usual.as_ref() != Some(name));
        self
    }
}

impl fmt::Display for LockEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tag = self.tag.as_ref().map_or(NO_TAG, Tag::as_str);
        write!(f, "{} {tag} {} {}", self.upstream, self.digest, self.platforms)?;
        self.published_as.iter().try_for_each(|name| write!(f, " as={name}"))
    }
}

impl Lock {
    /// A lock of these images. Where several have one published repository and tag, platforms are united, and all else is that of the
    /// first.
    pub fn new(entries: impl IntoIterator<Item = LockEntry>) -> Self {
        let mut known: HashMap<(String, String), LockEntry> = HashMap::new();
        for entry in entries {
            match known.entry(entry.published()) {
                Entry::Vacant(place) => drop(place.insert(entry.shortened())),
                Entry::Occupied(mut place) => {
                    let first = &mut place.get_mut().platforms;
                    *first = first.clone().union(entry.platforms);
                }
            }
        }
        let mut entries: Vec<LockEntry> = known.into_values().collect();
        entries.sort();
        Self { entries }
    }

    /// The images, in the order of the file.
    pub fn entries(&self) -> &[LockEntry] {
        &self.entries
    }

    /// Reads a lock file. The faults are in the order of the text, a hundred at most.
    pub fn read(text: &str) -> Result<Self, Vec<RuleFault>> {
        let mut faults = Faults::new(text);
        let mut entries = Vec::new();
        let mut known: HashMap<(String, String), usize> = HashMap::new();
        if text.len() > MAX_LOCK_BYTES {
            faults.note(0, "the file is larger than 32 MiB");
            return faults.or(Self::default());
        }
        let mut at = 0;
        for (number, line) in text.split_inclusive('\n').enumerate() {
            let begin = at;
            at += line.len();
            let line = line.strip_suffix('\n').unwrap_or(line);
            let line = line.strip_suffix('\r').unwrap_or(line);
            if number == 0 {
                header(line, &mut faults);
            } else if !line.trim().is_empty() && !line.starts_with('#') {
                let Some(entry) = entry(line, begin, &mut faults) else { continue };
                if entries.len() == MAX_LOCK_ENTRIES {
                    faults.note(begin, format!("a lock file has {MAX_LOCK_ENTRIES} images at most"));
                    break;
                }
                match known.insert(entry.published(), number + 1) {
                    Some(before) => faults.note(begin, format!("line {before} has this repository and tag, too")),
                    None => entries.push(entry),
                }
            }
            if faults.is_full() {
                break;
            }
        }
        if text.is_empty() {
            header("", &mut faults);
        }
        faults.or(Self::new(entries))
    }

    /// The same as imgpkg's `ImagesLock` (carvel.dev/imgpkg, "ImagesLock"), as YAML. It has no place for platforms.
    pub fn images_lock(&self) -> String {
        let mut text = "---\napiVersion: imgpkg.carvel.dev/v1alpha1\nkind: ImagesLock\nimages:".to_owned();
        if self.entries.is_empty() {
            text.push_str(" []\n");
            return text;
        }
        text.push('\n');
        for LockEntry { upstream, tag, digest, .. } in &self.entries {
            let image = scalar(&format!("{upstream}@{digest}"));
            let id = tag.as_ref().map_or_else(|| image.clone(), |tag| scalar(&format!("{upstream}:{tag}")));
            for part in ["- image: ", &image, "\n  annotations:\n    kbld.carvel.dev/id: ", &id, "\n"] {
                text.push_str(part);
            }
        }
        text
    }
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        self.entries.iter().try_for_each(|entry| writeln!(f, "{entry}"))
    }
}

/// A reference in YAML. Only the bracket of an IPv6 address means something at its beginning.
fn scalar(reference: &str) -> String {
    if reference.starts_with('[') { format!("\"{reference}\"") } else { reference.to_owned() }
}

fn header(line: &str, faults: &mut Faults<'_>) {
    let line = line.trim_start_matches('\u{feff}').trim_end();
    if line == HEADER {
        return;
    }
    match line.strip_prefix("# mirror.lock ") {
        Some(version) => {
            let message =
                format!("this program reads version 1 of lock files, and this is version {}", quoted(version));
            faults.note(0, message);
        }
        None => faults.note(0, format!("a lock file begins with `{HEADER}`")),
    }
}

/// The fields of a line with the bytes before each.
fn fields(line: &str, begin: usize) -> impl Iterator<Item = (usize, &str)> {
    let blank = |character: char| matches!(character, ' ' | '\t');
    let mut at = begin;
    line.split(blank).filter_map(move |field| {
        let before = at;
        at += field.len() + 1;
        (!field.is_empty()).then_some((before, field))
    })
}

fn entry(line: &str, begin: usize, faults: &mut Faults<'_>) -> Option<LockEntry> {
    let mut fields = fields(line, begin);
    let parts = (fields.next(), fields.next(), fields.next(), fields.next());
    let (Some(repository), Some(tag), Some(digest), Some(platforms)) = parts else {
        let message = "a line has a repository, a tag, a digest and platforms: \
                       `docker.io/library/nginx 1.31.4 sha256:… linux/amd64`";
        faults.note(begin, message);
        return None;
    };
    let name = fields.next();
    if let Some((at, field)) = fields.next() {
        faults.note(at, format!("nothing follows the name, and here is {}", quoted(field)));
    }
    let upstream = upstream(repository, faults);
    let tag = if tag.1 == NO_TAG { Some(None) } else { parsed::<Tag>(tag, faults).map(Some) };
    let digest = parsed::<Digest>(digest, faults);
    let platforms = parsed::<Selection>(platforms, faults);
    let published_as = match name {
        None => Some(None),
        Some((at, field)) => match field.strip_prefix("as=") {
            Some(name) => parsed::<RepositoryName>((at + 3, name), faults).map(Some),
            None => {
                faults.note(at, format!("the fifth field is `as=` and a name, not {}", quoted(field)));
                None
            }
        },
    };
    Some(LockEntry {
        upstream: upstream?,
        tag: tag?,
        published_as: published_as?,
        digest: digest?,
        platforms: platforms?,
    })
}

fn parsed<T: std::str::FromStr<Err = crate::error::Error>>(field: (usize, &str), faults: &mut Faults<'_>) -> Option<T> {
    field.1.parse().map_err(|error| faults.note(field.0, error)).ok()
}

/// A repository with its registry, in the one form that it has.
fn upstream((at, field): (usize, &str), faults: &mut Faults<'_>) -> Option<Upstream> {
    let upstream = parsed::<Reference>((at, field), faults)?.upstream;
    if upstream.to_string() != field {
        faults.note(at, format!("a repository is written with its registry: `{upstream}`"));
        return None;
    }
    Some(upstream)
}
