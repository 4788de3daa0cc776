//! Which tag upstream an image follows: with another name here it may have another tag there.

use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::images::{Image, parsed};
use crate::image::Tag;

/// What an image follows upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Follows {
    /// The tag that it has here; nothing if it has none.
    Own,
    /// A tag that it was published under another one of.
    Tag(Tag),
    /// Nothing: it was asked for by digest, and given a tag here.
    Nothing,
}

impl Follows {
    /// What a column says.
    pub(super) fn column(row: &Row<'_>, index: usize) -> rusqlite::Result<Self> {
        Ok(match row.get_ref(index)? {
            ValueRef::Null => Self::Own,
            text if text.as_str()?.is_empty() => Self::Nothing,
            _ => Self::Tag(parsed(row, index)?),
        })
    }

    /// As it is recorded: nothing for the own tag, an empty text for none.
    pub fn upstream_tag(&self) -> Option<&str> {
        match self {
            Self::Own => None,
            Self::Tag(tag) => Some(tag.as_str()),
            Self::Nothing => Some(""),
        }
    }
}

impl Image {
    /// The tag that it follows upstream.
    pub fn followed(&self) -> Option<&Tag> {
        match &self.follows {
            Follows::Own => self.tag.as_ref(),
            Follows::Tag(tag) => Some(tag),
            Follows::Nothing => None,
        }
    }

    /// What follows its repository's name in a reference to it upstream: `:tag` or `@digest`.
    pub fn upstream_suffix(&self) -> String {
        self.followed().map_or_else(|| format!("@{}", self.digest), |tag| format!(":{tag}"))
    }
}
