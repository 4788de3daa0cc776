//! What a source names, and what was left out of it.

use std::collections::HashSet;

use crate::error::{Error, Kind, Result};
use crate::image::Reference;
use crate::text::printable_within;

/// Images of one source.
pub const MAX_IMAGES: usize = 20_000;
/// What is left out of one source, with its reasons.
const MAX_SKIPPED: usize = 20_000;
/// What only looks like an image, of one source.
const MAX_ALIKE: usize = 50;
/// Characters that are shown of a name in a file.
const MAX_SHOWN_CHARACTERS: usize = 120;
/// Characters of the longest reason.
const MAX_WHY_CHARACTERS: usize = 500;

/// An image that a source names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The image.
    pub reference: Reference,
    /// The line that names it first, from 1. None where several files were read as one.
    pub line: Option<usize>,
}

/// Something in a source that could be an image, and is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// What it is, as the file calls it; printable.
    pub what: String,
    /// Why it is not taken.
    pub why: String,
}

/// What a source names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Images, each once, in the order of the file.
    pub images: Vec<Named>,
    /// What is not taken.
    pub skipped: Vec<Skipped>,
    /// What looks like an image, where none is searched for.
    pub alike: Vec<Skipped>,
}

/// Found so far.
#[derive(Default)]
pub(super) struct Finder {
    found: Found,
    known: HashSet<Reference>,
}

impl Finder {
    /// Takes an image.
    pub(super) fn take(&mut self, reference: Reference, line: Option<usize>) -> Result<()> {
        if self.known.contains(&reference) {
            return Ok(());
        }
        if self.found.images.len() == MAX_IMAGES {
            return Err(Error::new(Kind::Usage, format!("it names more than {MAX_IMAGES} images")));
        }
        self.known.insert(reference.clone());
        self.found.images.push(Named { reference, line });
        Ok(())
    }

    /// Takes an image by its name, or leaves it out if that is none.
    pub(super) fn take_name(&mut self, name: &str, line: Option<usize>) -> Result<()> {
        match name.parse::<Reference>() {
            Ok(reference) => self.take(reference, line),
            Err(error) => self.skip(name, error.to_string()),
        }
    }

    /// Leaves something out.
    pub(super) fn skip(&mut self, what: &str, why: impl Into<String>) -> Result<()> {
        if self.found.skipped.len() == MAX_SKIPPED {
            return Err(Error::new(Kind::Usage, format!("more than {MAX_SKIPPED} of its names are no images")));
        }
        self.found.skipped.push(Skipped { what: shown(what), why: printable_within(&why.into(), MAX_WHY_CHARACTERS) });
        Ok(())
    }

    /// Notes what looks like an image, unless it is taken anyhow; each text once, the first ones.
    pub(super) fn alike(&mut self, name: &str, why: impl FnOnce() -> String) {
        let Ok(reference) = name.parse::<Reference>() else { return };
        let what = shown(name);
        let found = &mut self.found;
        let is_known = self.known.contains(&reference) || found.alike.iter().any(|known| known.what == what);
        if !is_known && found.alike.len() < MAX_ALIKE {
            found.alike.push(Skipped { what, why: printable_within(&why(), MAX_WHY_CHARACTERS) });
        }
    }

    pub(super) fn found(self) -> Found {
        self.found
    }
}

/// A name of a file, made fit to show.
pub(super) fn shown(name: &str) -> String {
    printable_within(name, MAX_SHOWN_CHARACTERS)
}
