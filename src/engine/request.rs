//! What a face asks for.

use std::fmt;

use crate::error::{Error, Kind, Result};
use crate::image::{Digest, Reference, RepositoryName, Selection, Tag};
use crate::registry::LocalSource;

/// Where an image comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// An image at a registry, asked over the network.
    Registry(Reference),
    /// A file or directory here.
    Local(LocalSource),
    /// A published tree, which has it under this name.
    Tree(String),
}

impl std::str::FromStr for Source {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.starts_with("oci:") || text.starts_with("oci-archive:") {
            return text.parse().map(Self::Local);
        }
        text.parse().map(Self::Registry)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry(reference) => reference.fmt(f),
            Self::Local(source) => source.fmt(f),
            Self::Tree(name) => f.write_str(name),
        }
    }
}

/// One image to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddRequest {
    /// Where it comes from.
    pub source: Source,
    /// Platforms to mirror. None: what the catalog has chosen for it before, else this machine's. Platforms that it already
    /// has stay.
    pub selection: Option<Selection>,
    /// Also keep the manifests of platforms that are not chosen.
    pub all_manifests: bool,
    /// Published name (and perhaps tag) instead of the usual one.
    pub name: Option<PublishedAs>,
    /// The registry speaks plain HTTP, or it does not. None: as the catalog has chosen before for what is mirrored from there,
    /// else it does not.
    pub insecure: Option<bool>,
    /// The rule that it is taken for, so that it is not pinned as what is asked for by hand.
    pub rule: Option<String>,
}

impl AddRequest {
    /// A request without any option.
    pub fn new(source: Source) -> Self {
        Self { source, selection: None, all_manifests: false, name: None, insecure: None, rule: None }
    }
}

/// What is said of images to add, wherever it stands among them: it holds for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddOptions {
    /// As [`AddRequest::selection`].
    pub selection: Option<Selection>,
    /// As [`AddRequest::all_manifests`].
    pub all_manifests: bool,
    /// As [`AddRequest::name`].
    pub name: Option<PublishedAs>,
    /// As [`AddRequest::insecure`].
    pub insecure: Option<bool>,
}

impl AddOptions {
    /// Says it of each of these. One name is for one repository, and with a tag for one image.
    pub fn requests(&self, sources: Vec<Source>) -> Result<Vec<AddRequest>> {
        if let Some(name) = self.name.as_ref().filter(|_| sources.len() > 1) {
            let repository = |source: &Source| match source {
                Source::Registry(reference) => Some(reference.upstream.clone()),
                Source::Local(_) | Source::Tree(_) => None,
            };
            if name.tag.is_some() {
                return Err(Error::new(Kind::Usage, "`--as NAME:TAG` names one image, but several are given")
                    .hint("Leave out the tag to publish several tags of one repository under another name."));
            }
            let first = sources.first().and_then(repository);
            if first.is_none() || sources.iter().any(|source| repository(source) != first) {
                return Err(Error::new(Kind::Usage, "`--as` names one repository, but images of several are given")
                    .hint("Add them one by one, each with its own `--as`."));
            }
        }
        let request = |source| AddRequest {
            source,
            selection: self.selection.clone(),
            all_manifests: self.all_manifests,
            name: self.name.clone(),
            insecure: self.insecure,
            rule: None,
        };
        Ok(sources.into_iter().map(request).collect())
    }
}

/// A name chosen with `--as`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedAs {
    /// Published name of the repository.
    pub name: RepositoryName,
    /// Published tag; none: upstream's.
    pub tag: Option<Tag>,
}

impl std::str::FromStr for PublishedAs {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.rsplit_once(':') {
            Some((name, tag)) => Ok(Self { name: name.parse()?, tag: Some(tag.parse()?) }),
            None => Ok(Self { name: text.parse()?, tag: None }),
        }
    }
}

/// Images that are in the catalog, as a user names them: `name` (all of it), `name:tag`, `name@digest`. The name may be the
/// published one, the alias, or the reference they were added by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pick {
    /// The name as written.
    pub name: String,
    /// Tag, if one was written.
    pub tag: Option<Tag>,
    /// Digest, if one was written.
    pub digest: Option<Digest>,
}

impl std::str::FromStr for Pick {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse()?)),
            None => (text, None),
        };
        // A colon before the last slash belongs to a port.
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag.parse()?)),
            _ => (rest, None),
        };
        if name.is_empty() {
            return Err(Error::new(
                Kind::Usage,
                format!("`{}` names no repository", crate::text::printable_within(text, 200)),
            ));
        }
        Ok(Self { name: name.to_owned(), tag, digest })
    }
}

impl fmt::Display for Pick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::text::printable_within(&self.name, 300))?;
        self.tag.iter().try_for_each(|tag| write!(f, ":{tag}"))?;
        self.digest.iter().try_for_each(|digest| write!(f, "@{digest}"))
    }
}
