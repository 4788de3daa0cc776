//! An image as one of its layers leaves it, and what that layer did.

use super::layer::FileKind;
use super::tree::{NodeId, Present, Tree};

/// What a layer did with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// It is not there, and was not before.
    #[default]
    Absent,
    /// It is what it was, and so is everything below it.
    Unchanged,
    /// It is new.
    Added,
    /// It is another one, or something below it is.
    Changed,
    /// It is away.
    Deleted,
}

impl State {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Unchanged => "unchanged",
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Deleted => "deleted",
        }
    }
}

/// A path in a [`Stage`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// What the layer did with it.
    pub state: State,
    /// Bytes of the regular files at and below it. Of what was deleted: those that there were.
    pub size: u64,
}

/// Every path of an image as of one layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// The layer, from 0.
    pub layer: usize,
    paths: Vec<Standing>,
    /// Regular files that the layer adds, changes and deletes, each with their bytes; of changed ones, those that they have now.
    pub added: (u64, u64),
    /// As [`Stage::added`].
    pub changed: (u64, u64),
    /// As [`Stage::added`].
    pub deleted: (u64, u64),
    /// Regular files that are there, and their bytes.
    pub files: (u64, u64),
}

fn size(file: Option<Present<'_>>) -> u64 {
    match file {
        Some(Present::Entry(_, entry)) => entry.size,
        _ => 0,
    }
}

fn is_regular(file: Option<Present<'_>>) -> bool {
    matches!(file, Some(Present::Entry(_, entry)) if entry.kind == FileKind::Regular)
}

fn is_same(one: Present<'_>, other: Present<'_>) -> bool {
    match (one, other) {
        (Present::Entry(_, one), Present::Entry(_, other)) => one.is_same(other),
        // Of a directory that is only implied nothing is said.
        (one, other) => one.is_directory() && other.is_directory(),
    }
}

impl Stage {
    /// The image once this layer is there.
    pub fn of(tree: &Tree, layer: usize) -> Self {
        let mut stage = Self {
            layer,
            paths: vec![Standing::default(); tree.len()],
            added: (0, 0),
            changed: (0, 0),
            deleted: (0, 0),
            files: (0, 0),
        };
        // What is below a path comes after it.
        for place in (0..tree.len()).rev() {
            let node = place as NodeId;
            let now = tree.at(node, layer);
            let before = layer.checked_sub(1).and_then(|former| tree.at(node, former));
            let own = match (before, now) {
                (None, None) => State::Absent,
                (None, Some(_)) => State::Added,
                (Some(_), None) => State::Deleted,
                (Some(before), Some(now)) if !tree.is_made_by(node, layer) || is_same(before, now) => State::Unchanged,
                (Some(_), Some(_)) => State::Changed,
            };
            stage.count(own, before, now);
            let below = stage.paths[place];
            let own_size = if own == State::Deleted { size(before) } else { size(now) };
            let state = match (own, below.state) {
                (State::Unchanged, State::Changed) => State::Changed,
                (own, _) => own,
            };
            let standing = Standing { state, size: own_size + below.size };
            stage.paths[place] = standing;
            if node == Tree::ROOT {
                continue;
            }
            let parent = tree.parent(node);
            // What was deleted counts only below what was deleted.
            let parent_is_away = tree.at(parent, layer).is_none();
            let above = &mut stage.paths[parent as usize];
            if state != State::Absent && (state != State::Deleted || parent_is_away) {
                above.size += standing.size;
            }
            if !matches!(state, State::Absent | State::Unchanged) {
                above.state = State::Changed;
            }
        }
        stage
    }

    fn count(&mut self, state: State, before: Option<Present<'_>>, now: Option<Present<'_>>) {
        let add = |to: &mut (u64, u64), bytes: u64| *to = (to.0 + 1, to.1 + bytes);
        let is_file = (is_regular(before), is_regular(now));
        match (state, is_file) {
            (State::Added, (_, true)) | (State::Changed, (false, true)) => add(&mut self.added, size(now)),
            (State::Changed, (true, true)) => add(&mut self.changed, size(now)),
            (State::Deleted, (true, _)) | (State::Changed, (true, false)) => add(&mut self.deleted, size(before)),
            _ => {}
        }
        if is_file.1 {
            add(&mut self.files, size(now));
        }
    }

    /// What the layer did with a path.
    pub fn standing(&self, node: NodeId) -> Standing {
        self.paths[node as usize]
    }

    /// Whether the path is to be shown: it is there, or was until this layer.
    pub fn shows(&self, node: NodeId) -> bool {
        self.standing(node).state != State::Absent
    }

    /// Whether the layer did anything with the path.
    pub fn touches(&self, node: NodeId) -> bool {
        !matches!(self.standing(node).state, State::Absent | State::Unchanged)
    }
}
