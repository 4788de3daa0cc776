//! What a look at a repository finds, and how it stands to what is here.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::ages::Ages;
use super::chosen::Choice;
use crate::catalog::images::Image;
use crate::error::Error;
use crate::image::{Digest, Reference, RepositoryName, Selection, Tag, Upstream};

/// What was found of a repository.
#[derive(Debug)]
pub(super) struct Looked {
    pub(super) upstream: Upstream,
    /// The tags that were listed. None: nothing had to be listed.
    pub(super) listed: Option<Arc<BTreeSet<Tag>>>,
    /// By rule: what is selected, in the order in which it is fetched.
    pub(super) found: Vec<Found>,
    /// By rule: what failed.
    pub(super) failed: Vec<(usize, Error)>,
    /// By rule: the images, or the repository, of which its registry says nothing now because it was asked too much.
    pub(super) postponed: Vec<(usize, String)>,
    pub(super) ages: Option<Ages>,
}

/// Something that a rule selects.
#[derive(Debug)]
pub(super) struct Found {
    /// The first rule that does.
    pub(super) rule: usize,
    pub(super) reference: Reference,
    /// Name and tag (or digest) that it has here.
    pub(super) name: RepositoryName,
    /// Platforms of all rules that select it. None: as `add` without `--platform`.
    pub(super) selection: Option<Selection>,
    pub(super) state: State,
    /// The digest that was found to be old enough, where its age counts: no other one is taken.
    pub(super) checked: Option<Digest>,
}

impl Found {
    /// What it is called in its repository.
    pub(super) fn tag_or_digest(&self) -> Option<String> {
        let Reference { tag, digest, .. } = &self.reference;
        tag.as_ref().map(Tag::to_string).or_else(|| digest.map(|digest| digest.to_string()))
    }
}

/// How something that is selected stands to what is here.
#[derive(Debug)]
pub(super) enum State {
    /// It is not here.
    New,
    /// It is here and stays as it is; the image where upstream said that it has the same.
    Here { image: Option<Image> },
    /// It is here, but not all that is wanted of it.
    Lacking,
    /// It has another digest upstream, and follows.
    Moves { from: Image, to: Digest },
    /// The same, but it stays as it is.
    Refused { from: Digest, to: Digest },
    /// It is not taken before then, in seconds since 1970. What is here of it stays.
    Held { until: i64, here: bool },
    /// It is not there any more.
    Gone { here: Option<Image> },
    /// Upstream gave no answer. What is here of it stays as it is.
    Unknown,
}

impl Looked {
    pub(super) fn push(&mut self, choice: Choice, state: State, checked: Option<Digest>) {
        let Choice { rule, reference, name, selection, .. } = choice;
        self.found.push(Found { rule, reference, name, selection, state, checked });
    }
}
