//! The files of an image: which layer is looked at, what is unfolded, what is under the cursor.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::super::command::{Command, Context};
use super::super::problem::Problem;
use super::super::question::Question;
use crate::engine::query::files::{ImageFiles, Which};
use crate::image::files::{Entry, NodeId, Present, Stage, State, Tree};

/// Two clicks within this time are a double click.
const DOUBLE_CLICK_TIMEOUT: Duration = Duration::from_millis(400);

/// The view of an image's files.
#[derive(Debug)]
pub struct Files {
    /// `name:tag` or `name@digest`.
    pub image: String,
    /// Which of its platforms.
    pub which: Which,
    /// What is known of them.
    pub contents: Contents,
    asked: bool,
    height: usize,
}

/// What is known of an image's files.
#[derive(Debug)]
pub enum Contents {
    /// Layers are being read: how many are done, and of how many bytes.
    Loading(Reading),
    /// They can't be had.
    Failed(Problem),
    /// They are here.
    Shown(Box<Shown>),
}

/// How far reading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reading {
    /// Layers that are done, and all.
    pub layers: (u64, u64),
    /// Bytes that are read, and all.
    pub bytes: (u64, u64),
}

/// A row of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Path of the row.
    pub node: NodeId,
    /// Directories that it is in.
    pub depth: u16,
}

/// Files that are shown.
#[derive(Debug)]
pub struct Shown {
    /// The image's files.
    pub files: Arc<ImageFiles>,
    /// The image as of the layer that is looked at.
    pub stage: Stage,
    /// Only what the layer did.
    pub only_changes: bool,
    /// Only paths with this text.
    pub filter: String,
    /// Rows of the tree, as it is unfolded.
    pub rows: Vec<Row>,
    /// Row under the cursor.
    pub cursor: usize,
    /// First row on the screen.
    pub top: usize,
    open: HashSet<NodeId>,
    height: usize,
    clicked: Option<(usize, Duration)>,
}

impl Files {
    /// A view that knows nothing yet.
    pub fn new(image: String, which: Which) -> Self {
        Self { image, which, contents: Contents::Loading(Reading::default()), asked: false, height: 1 }
    }

    /// The question whose answer is missing, once.
    pub fn wants(&mut self) -> Option<Question> {
        let asked = std::mem::replace(&mut self.asked, true);
        (!asked).then(|| Question::Files { image: self.image.clone(), which: self.which.clone() })
    }

    fn is_about(&self, image: &str, which: &Which) -> bool {
        self.image == image && self.which == *which && matches!(self.contents, Contents::Loading(_))
    }

    /// Layers are being read.
    pub fn read(&mut self, image: &str, which: &Which, reading: Reading) {
        if self.is_about(image, which) {
            self.contents = Contents::Loading(reading);
        }
    }

    /// Takes the answer.
    pub fn answer(&mut self, image: &str, which: &Which, answer: Result<Arc<ImageFiles>, Problem>) {
        if self.is_about(image, which) {
            self.contents = match answer {
                Ok(files) => Contents::Shown(Box::new(Shown::new(files, self.height))),
                Err(problem) => Contents::Failed(problem),
            };
        }
    }

    /// Whether it still waits for what it asked for.
    pub fn is_loading(&self) -> bool {
        matches!(self.contents, Contents::Loading(_))
    }

    /// Whether a command has anything to do: most need files that are shown.
    pub fn offers(&self, command: Command) -> bool {
        let is_own = command.entry().contexts.contains(&Context::Files);
        !is_own || command == Command::CloseFiles || self.shown().is_some()
    }

    /// What is shown, once it is there.
    pub fn shown(&self) -> Option<&Shown> {
        if let Contents::Shown(shown) = &self.contents { Some(shown) } else { None }
    }

    /// As [`Files::shown`].
    pub fn shown_mut(&mut self) -> Option<&mut Shown> {
        if let Contents::Shown(shown) = &mut self.contents { Some(shown) } else { None }
    }

    /// How many rows of the tree are on the screen.
    pub fn set_height(&mut self, height: u16) {
        self.height = usize::from(height.max(1));
        let height = self.height;
        if let Some(shown) = self.shown_mut() {
            shown.height = height;
            shown.follow();
        }
    }

    /// The same image for its next platform, if there are several.
    pub fn next_platform(&mut self) -> bool {
        let Some(files) = self.shown().map(|shown| Arc::clone(&shown.files)) else { return false };
        let place = files.platforms.iter().position(|(digest, _)| *digest == files.manifest);
        let next = place.and_then(|place| files.platforms.get((place + 1) % files.platforms.len()));
        let Some((digest, _)) = next.filter(|(digest, _)| *digest != files.manifest) else { return false };
        let height = self.height;
        *self = Self { height, ..Self::new(std::mem::take(&mut self.image), Which::Manifest(*digest)) };
        true
    }
}

impl Shown {
    fn new(files: Arc<ImageFiles>, height: usize) -> Self {
        let stage = Stage::of(&files.tree, files.layers.len().saturating_sub(1));
        let mut shown = Self {
            files,
            stage,
            only_changes: false,
            filter: String::new(),
            rows: Vec::new(),
            cursor: 0,
            top: 0,
            open: HashSet::new(),
            height,
            clicked: None,
        };
        shown.rebuild();
        shown
    }

    /// Path under the cursor.
    pub fn current(&self) -> Option<NodeId> {
        self.rows.get(self.cursor).map(|row| row.node)
    }

    /// What is at a path: as the layer leaves it, or as it was before the layer took it away.
    pub fn entry(&self, node: NodeId) -> Option<(usize, &Entry)> {
        match self.files.tree.at(node, self.layer_of(node)) {
            Some(Present::Entry(layer, entry)) => Some((layer, entry)),
            _ => None,
        }
    }

    /// Layer as of which a path is there: the one that is looked at, or of what that took away the one before.
    pub fn layer_of(&self, node: NodeId) -> usize {
        match self.stage.standing(node).state {
            State::Deleted => self.stage.layer.saturating_sub(1),
            _ => self.stage.layer,
        }
    }

    /// Whether a row can be unfolded.
    pub fn is_directory(&self, node: NodeId) -> bool {
        self.files.tree.children(node).any(|child| self.stage.shows(child))
    }

    /// Whether what is in it is shown.
    pub fn is_open(&self, node: NodeId) -> bool {
        !self.filter.is_empty() || self.open.contains(&node)
    }

    /// Carries a command out, if it is one of this view's.
    pub fn command(&mut self, command: Command) -> bool {
        let page = self.height.max(1);
        match command {
            Command::Up => self.go(self.cursor.saturating_sub(1)),
            Command::Down => self.go(self.cursor + 1),
            Command::PageUp => self.go(self.cursor.saturating_sub(page)),
            Command::PageDown => self.go(self.cursor + page),
            Command::HalfUp => self.go(self.cursor.saturating_sub((page / 2).max(1))),
            Command::HalfDown => self.go(self.cursor + (page / 2).max(1)),
            Command::First => self.go(0),
            Command::Last => self.go(usize::MAX),
            Command::Open => self.toggle(),
            Command::FoldDirectory => self.fold(),
            Command::FoldAll => self.fold_all(),
            Command::OnlyChanges => {
                self.only_changes = !self.only_changes;
                self.show_changes();
                self.rebuild();
            }
            Command::LayerNext => self.look_at(self.stage.layer + 1),
            Command::LayerFormer => self.look_at(self.stage.layer.saturating_sub(1)),
            _ => return false,
        }
        true
    }

    /// Looks at a layer, from 0; the cursor stays at its path if that is there.
    pub fn look_at(&mut self, layer: usize) {
        if layer < self.files.layers.len() && layer != self.stage.layer {
            self.stage = Stage::of(&self.files.tree, layer);
            self.show_changes();
            self.rebuild();
        }
    }

    /// Shows only paths with this text; none: all.
    pub fn set_filter(&mut self, filter: &str) {
        filter.clone_into(&mut self.filter);
        self.rebuild();
    }

    /// Scrolls without moving the cursor further than the screen forces it to.
    pub fn scroll_by(&mut self, rows: i64) {
        let last = self.rows.len().saturating_sub(self.height);
        self.top = self.top.saturating_add_signed(rows as isize).min(last);
        let lowest = (self.top + self.height - 1).min(self.rows.len().saturating_sub(1));
        self.cursor = self.cursor.clamp(self.top.min(lowest), lowest);
    }

    /// The row at this place of the screen was clicked: the cursor goes there, and twice unfolds it.
    pub fn click(&mut self, place: usize, now: Duration) {
        let row = self.top + place;
        if row >= self.rows.len() {
            return;
        }
        self.cursor = row;
        let twice =
            self.clicked.is_some_and(|(same, at)| same == row && now.saturating_sub(at) <= DOUBLE_CLICK_TIMEOUT);
        self.clicked = (!twice).then_some((row, now));
        if twice {
            self.toggle();
        }
    }

    fn go(&mut self, row: usize) {
        self.cursor = row.min(self.rows.len().saturating_sub(1));
        self.follow();
    }

    fn follow(&mut self) {
        if self.cursor < self.top {
            self.top = self.cursor;
        } else if self.cursor >= self.top + self.height {
            self.top = self.cursor + 1 - self.height;
        }
        self.top = self.top.min(self.rows.len().saturating_sub(self.height));
    }

    fn toggle(&mut self) {
        let Some(node) = self.current().filter(|node| self.is_directory(*node)) else { return };
        if !self.open.remove(&node) {
            self.open.insert(node);
        }
        self.rebuild();
    }

    fn fold(&mut self) {
        let Some(node) = self.current() else { return };
        if !self.open.remove(&node) {
            let parent = self.files.tree.parent(node);
            if parent == Tree::ROOT {
                return;
            }
            self.open.remove(&parent);
            self.cursor = self.rows.iter().position(|row| row.node == parent).unwrap_or(self.cursor);
        }
        self.rebuild();
    }

    fn fold_all(&mut self) {
        if self.open.is_empty() {
            let tree = &self.files.tree;
            self.open = tree.walk().filter(|node| tree.has_children(*node)).collect();
        } else {
            self.open.clear();
        }
        self.rebuild();
    }

    /// Unfolds what leads to changes: what is new or gone as a whole stays folded.
    fn show_changes(&mut self) {
        if self.only_changes {
            let stage = &self.stage;
            self.open.extend(self.files.tree.walk().filter(|node| stage.standing(*node).state == State::Changed));
        }
    }

    /// Whether each path has the text of the filter, or something below it has.
    fn hits(&self) -> Option<Vec<bool>> {
        let wanted = self.filter.trim_matches('/').to_lowercase();
        if wanted.is_empty() {
            return None;
        }
        let tree = &self.files.tree;
        let mut hits = vec![false; tree.len()];
        for place in (1..tree.len()).rev() {
            let node = place as NodeId;
            if !hits[place] && self.stage.shows(node) {
                let is_it = |text: &str| text.to_lowercase().contains(&wanted);
                hits[place] = if wanted.contains('/') { is_it(&tree.path(node)) } else { is_it(tree.name(node)) };
            }
            if hits[place] {
                hits[tree.parent(node) as usize] = true;
            }
        }
        Some(hits)
    }

    /// Makes the rows anew. The cursor stays at its path, or goes to the nearest directory above it that is shown.
    fn rebuild(&mut self) {
        let tree = &self.files.tree;
        let mut under = self.current();
        let hits = self.hits();
        let is_shown = |node: NodeId| {
            self.stage.shows(node)
                && (!self.only_changes || self.stage.touches(node))
                && hits.as_ref().is_none_or(|hits| hits[node as usize])
        };
        let children = |node: NodeId, depth: u16| {
            let all: Vec<Row> =
                tree.children(node).filter(|child| is_shown(*child)).map(|node| Row { node, depth }).collect();
            all.into_iter().rev()
        };
        let mut rows = Vec::new();
        let mut todo: Vec<Row> = children(Tree::ROOT, 0).collect();
        while let Some(row) = todo.pop() {
            rows.push(row);
            if hits.is_some() || self.open.contains(&row.node) {
                todo.extend(children(row.node, row.depth.saturating_add(1)));
            }
        }
        self.rows = rows;
        while let Some(node) = under {
            if let Some(place) = self.rows.iter().position(|row| row.node == node) {
                self.cursor = place;
                break;
            }
            under = (node != Tree::ROOT).then(|| self.files.tree.parent(node));
        }
        self.go(self.cursor);
    }
}
