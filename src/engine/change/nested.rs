//! Repositories whose names go on where another repository has a directory: `a/manifests/b` beside `a`.
//!
//! Such a directory holds more than its own repository, so the tree is edited entry by entry there instead of hanging
//! the whole directory in its place.

use std::collections::BTreeMap;

use super::generated::Edits;
use super::touched::Touched;
use crate::catalog::{Writer, nodes};
use crate::engine::add::names;
use crate::error::Result;
use crate::site::conflict::Conflict;
use crate::unixfs::{Link, directory};

/// One directory of a repository, before a change and after it.
pub(in crate::engine) struct Hanging<'a> {
    /// Path without the view: `a/manifests`.
    pub(in crate::engine) name: &'a str,
    /// What it was where it hung; nothing if it did not hang in the tree.
    pub(in crate::engine) before: Option<&'a Link>,
    /// What it is to be.
    pub(in crate::engine) now: Option<&'a Link>,
}

impl Hanging<'_> {
    /// Adds the edits that bring it to its path.
    pub(in crate::engine) fn edit(
        &self,
        writer: &Writer<'_>,
        touched: &Touched,
        path: String,
        edits: &mut Edits,
    ) -> Result<()> {
        if !self.is_shared(writer, touched)? {
            edits.insert(path, self.now.copied());
            return Ok(());
        }
        let (old, new) = (entries(writer, self.before)?, entries(writer, self.now)?);
        for gone in old.keys().filter(|name| !new.contains_key(*name)) {
            edits.insert(format!("{path}/{gone}"), None);
        }
        for (name, link) in new.iter().filter(|(name, link)| old.get(*name) != Some(link)) {
            self.check(writer, name)?;
            edits.insert(format!("{path}/{name}"), Some(*link));
        }
        Ok(())
    }

    /// Refuses an entry that would take the place of a repository. Tags that are made for platforms are only known now.
    fn check(&self, writer: &Writer<'_>, entry: &str) -> Result<()> {
        let below = format!("{}/{entry}", self.name);
        // No name has a colon, as digests have.
        if entry.contains(':') || !names::is_name_or_above(writer, &below)? {
            return Ok(());
        }
        let above = self.name.rsplit_once('/').map_or(self.name, |(above, _)| above).to_owned();
        names::refuse(Some(Conflict::Tag { above, below, tag: entry.to_owned() }))
    }

    /// Whether a repository's name begins with this path, now or before the change.
    fn is_shared(&self, writer: &Writer<'_>, touched: &Touched) -> Result<bool> {
        let is_here =
            |other: &str| other.strip_prefix(self.name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let mut removed = touched.removed.iter().flat_map(|gone| gone.repository.names());
        let was = removed.any(|name| is_here(name.as_str()));
        Ok(was || names::is_name_or_above(writer, self.name)?)
    }
}

fn entries(writer: &Writer<'_>, directory: Option<&Link>) -> Result<BTreeMap<String, Link>> {
    let mut all = BTreeMap::new();
    if let Some(directory) = directory {
        directory::list(&mut nodes::Nodes::inside(writer), directory, &mut |name, link| {
            all.insert(name.to_owned(), link);
            Ok(())
        })?;
    }
    Ok(all)
}
