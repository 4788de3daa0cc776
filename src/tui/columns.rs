//! The columns of every list: one line of a table for each, as commands have one.
//!
//! A column says what it is called, what of `--json` it shows, how wide it is, what the list is sorted by where it is chosen, and
//! what stands in it. Must not know where on the screen a list is.

use ratatui::style::Style;

pub use super::rule_columns::{DECISIONS, DecisionCells, RULE_TAGS, RULES, RuleCells, RuleOrder, RuleTagCells};
use super::theme::Theme;
use crate::engine::query::browse::{ImageOrder, RepositoryOrder};
use crate::text::bytes;

/// A text and how it looks.
pub type Styled = (String, Style);

/// A column of a list whose rows are `Cells` and whose orders are `Order`.
pub struct Column<Cells, Order = ()> {
    /// What it is called in the file that keeps the orders.
    pub id: &'static str,
    /// Heading, the same as in the tables of the command line.
    pub title: &'static str,
    /// The key of `--json` that has what it shows.
    pub json: &'static str,
    /// Columns of the terminal.
    pub width: Width,
    /// What the list is sorted by if this column is chosen.
    pub order: Order,
    /// Text of a row's cell, with its style.
    pub text: fn(&Cells, &Theme) -> Styled,
}

/// How wide a column is, and when it is there at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Width {
    /// Columns of the terminal it takes, or at least takes; 0: what is left.
    pub least: u16,
    /// It takes as many as its longest text does, up to so many.
    pub most: u16,
    /// Numbers stand at the right.
    pub right: bool,
    /// It is left out below so many columns in total.
    pub from: u16,
    /// It is left out where names would be cut else.
    pub spare: bool,
}

pub(super) const fn exactly(width: u16) -> Width {
    Width { least: width, most: width, right: false, from: 0, spare: false }
}

pub(super) const fn between(least: u16, most: u16) -> Width {
    Width { most, ..exactly(least) }
}

/// Names are not given more columns than these of what is beside them.
pub(super) const MAX_NAME_COLUMNS: u16 = 64;
/// The least columns of platforms: one of the usual ones, and that there are more.
const MIN_PLATFORM_COLUMNS: u16 = 15;

/// What is shown of a repository.
#[derive(Debug, Default)]
pub struct RepositoryCells {
    /// Published name, cut to its column.
    pub name: String,
    /// Number of tags, and of manifests pinned by digest.
    pub images: u64,
    /// Bytes of every image in full.
    pub logical: u64,
    /// Bytes that no other repository needs.
    pub unique: u64,
    /// How long ago an image was added.
    pub added: String,
    /// State that wants attention first, with its style.
    pub state: Styled,
}

/// The columns of the list of repositories.
pub const REPOSITORIES: [Column<RepositoryCells, RepositoryOrder>; 6] = [
    Column {
        id: "name",
        title: "REPOSITORY",
        json: "name",
        width: between(0, MAX_NAME_COLUMNS),
        order: RepositoryOrder::Name,
        text: |row, theme| (row.name.clone(), theme.name),
    },
    Column {
        id: "images",
        title: "IMAGES",
        json: "images",
        width: Width { right: true, ..exactly(8) },
        order: RepositoryOrder::Images,
        text: |row, theme| (row.images.to_string(), theme.text),
    },
    Column {
        id: "size",
        title: "SIZE",
        json: "logical",
        width: Width { right: true, ..exactly(9) },
        order: RepositoryOrder::Size,
        text: |row, theme| (bytes(row.logical), theme.text),
    },
    Column {
        id: "unique",
        title: "UNIQUE",
        json: "unique",
        width: Width { right: true, from: 70, spare: true, ..exactly(9) },
        order: RepositoryOrder::Unique,
        text: |row, theme| (bytes(row.unique), theme.dim),
    },
    Column {
        id: "added",
        title: "ADDED",
        json: "added",
        width: Width { right: true, from: 70, spare: true, ..exactly(7) },
        order: RepositoryOrder::Added,
        text: |row, theme| (row.added.clone(), theme.dim),
    },
    Column {
        id: "state",
        title: "STATE",
        json: "published",
        width: exactly(13),
        order: RepositoryOrder::State,
        text: |row, _| row.state.clone(),
    },
];

/// What is shown of a tag, or of an image that has none.
#[derive(Debug, Default)]
pub struct TagCells {
    /// Tag or digest, cut to its column.
    pub name: String,
    /// Platforms, as many as there is room for.
    pub platforms: String,
    /// Bytes of everything it consists of.
    pub logical: u64,
    /// How long ago it was added.
    pub added: String,
    /// State of the image, with its style.
    pub state: Styled,
}

/// The columns of the list of tags.
pub const TAGS: [Column<TagCells, ImageOrder>; 5] = [
    Column {
        id: "tag",
        title: "TAG",
        json: "tag",
        width: between(0, MAX_NAME_COLUMNS),
        order: ImageOrder::Tag,
        text: |row, theme| (row.name.clone(), theme.name),
    },
    Column {
        id: "platforms",
        title: "PLATFORMS",
        json: "platforms",
        width: Width { from: 56, spare: true, ..between(MIN_PLATFORM_COLUMNS, MAX_NAME_COLUMNS) },
        order: ImageOrder::Platforms,
        text: |row, theme| (row.platforms.clone(), theme.text),
    },
    Column {
        id: "size",
        title: "SIZE",
        json: "logical",
        width: Width { right: true, from: 40, ..exactly(9) },
        order: ImageOrder::Size,
        text: |row, theme| (bytes(row.logical), theme.text),
    },
    Column {
        id: "added",
        title: "ADDED",
        json: "added",
        width: Width { right: true, from: 44, spare: true, ..exactly(7) },
        order: ImageOrder::Added,
        text: |row, theme| (row.added.clone(), theme.dim),
    },
    Column {
        id: "state",
        title: "STATE",
        json: "outdated",
        width: exactly(12),
        order: ImageOrder::State,
        text: |row, _| row.state.clone(),
    },
];

/// What is shown of a target.
#[derive(Debug, Default)]
pub struct TargetCells {
    /// Name of the target, cut to its column.
    pub name: String,
    /// Whether its node is there.
    pub node: Styled,
    /// The names that it moves.
    pub names: String,
    /// The end of the CID of the root that it has: they all begin alike.
    pub root: String,
    /// Bytes that its last publication handed over.
    pub sent: Option<u64>,
    /// Requests that it took.
    pub requests: Option<u64>,
    /// How what it has stands to the catalog.
    pub state: Styled,
    /// How long ago it was published to.
    pub published: String,
}

/// The columns of the list of targets.
pub const TARGETS: [Column<TargetCells>; 8] = [
    Column {
        id: "target",
        title: "TARGET",
        json: "name",
        width: between(6, MAX_NAME_COLUMNS),
        order: (),
        text: |row, theme| (row.name.clone(), theme.name),
    },
    Column {
        id: "node",
        title: "NODE",
        json: "node",
        width: between(8, 14),
        order: (),
        text: |row, _| row.node.clone(),
    },
    Column {
        id: "names",
        title: "NAMES",
        json: "dnslink",
        width: between(0, 30),
        order: (),
        text: |row, theme| (row.names.clone(), theme.text),
    },
    Column {
        id: "root",
        title: "ROOT",
        json: "root",
        width: Width { from: 64, ..exactly(8) },
        order: (),
        text: |row, theme| (row.root.clone(), theme.dim),
    },
    Column {
        id: "sent",
        title: "SENT",
        json: "sent",
        width: Width { right: true, from: 56, ..exactly(8) },
        order: (),
        text: |row, theme| (row.sent.map_or_else(|| "-".to_owned(), bytes), theme.text),
    },
    Column {
        id: "requests",
        title: "REQUESTS",
        json: "requests",
        width: Width { right: true, spare: true, ..exactly(8) },
        order: (),
        text: |row, theme| (row.requests.map_or_else(|| "-".to_owned(), |requests| requests.to_string()), theme.text),
    },
    Column {
        id: "state",
        title: "STATE",
        json: "behind",
        width: between(9, 20),
        order: (),
        text: |row, _| row.state.clone(),
    },
    Column {
        id: "published",
        title: "PUBLISHED",
        json: "published",
        width: Width { right: true, from: 54, spare: true, ..exactly(9) },
        order: (),
        text: |row, theme| (row.published.clone(), theme.dim),
    },
];

/// What is shown of a publication.
#[derive(Debug, Default)]
pub struct PublicationCells {
    /// How long ago it was begun.
    pub published: String,
    /// Name of the target, cut to its column.
    pub target: String,
    /// What changed, as much as there is room for.
    pub changes: String,
    /// CID of the root, cut to its column.
    pub root: String,
    /// State of the publication, with its style.
    pub state: Styled,
}

/// The columns of the history.
pub const HISTORY: [Column<PublicationCells>; 5] = [
    Column {
        id: "published",
        title: "PUBLISHED",
        json: "begun",
        width: Width { right: true, ..exactly(9) },
        order: (),
        text: |row, theme| (row.published.clone(), theme.dim),
    },
    Column {
        id: "target",
        title: "TARGET",
        json: "target",
        width: between(6, 30),
        order: (),
        text: |row, theme| (row.target.clone(), theme.name),
    },
    Column {
        id: "changes",
        title: "CHANGES",
        json: "summary",
        width: exactly(0),
        order: (),
        text: |row, theme| (row.changes.clone(), theme.text),
    },
    Column {
        id: "root",
        title: "ROOT",
        json: "root",
        width: Width { from: 74, ..exactly(16) },
        order: (),
        text: |row, theme| (row.root.clone(), theme.dim),
    },
    Column {
        id: "state",
        title: "STATE",
        json: "state",
        width: between(9, 15),
        order: (),
        text: |row, _| row.state.clone(),
    },
];

/// What a list can be sorted by, as its columns are.
pub fn orders<Cells, Order: Copy, const COLUMNS: usize>(columns: &[Column<Cells, Order>; COLUMNS]) -> [Order; COLUMNS] {
    columns.each_ref().map(|column| column.order)
}

/// What an order is called in the file that keeps it.
pub fn id_of<Cells, Order: PartialEq>(columns: &[Column<Cells, Order>], order: &Order) -> &'static str {
    columns.iter().find(|column| column.order == *order).map_or("", |column| column.id)
}

/// The order of this name, if there is one.
pub fn order_of<Cells, Order: Copy>(columns: &[Column<Cells, Order>], id: &str) -> Option<Order> {
    columns.iter().find(|column| column.id == id).map(|column| column.order)
}

/// What stands in the columns of a row.
pub fn texts<Cells, Order>(columns: &[Column<Cells, Order>], row: &Cells, theme: &Theme) -> Vec<Styled> {
    columns.iter().map(|column| (column.text)(row, theme)).collect()
}
