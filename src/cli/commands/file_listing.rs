//! The list of an image's files: a table for people, a document for programs.

use serde::Serialize;

use crate::cli::output::Output;
use crate::cli::style::Tone;
use crate::cli::table::{Cell, Column, Table};
use crate::engine::query::files::{FileLayer, ImageFiles};
use crate::error::Result;
use crate::image::Digest;
use crate::image::files::{Entry, NodeId, Present, Stage, State, Tree};
use crate::text::{bytes, count, printable};

/// Paths that waste most, as people see them.
const MAX_SHOWN_WASTE: usize = 10;
/// Paths that waste most, in JSON.
const MAX_WASTE: usize = 1000;

/// What is listed.
pub(super) struct Listing<'f> {
    pub(super) files: &'f ImageFiles,
    pub(super) stage: &'f Stage,
    /// Only what the layer did.
    pub(super) only_changes: bool,
    /// The path itself and what is below it.
    pub(super) below: NodeId,
}

/// A path of the list: what is there, or was until the layer took it away.
struct Row<'f> {
    node: NodeId,
    state: State,
    size: u64,
    /// Layer that it is from, from 0, and what that says of it.
    entry: Option<(usize, &'f Entry)>,
}

impl<'f> Listing<'f> {
    fn rows(&self) -> impl Iterator<Item = Row<'f>> {
        let tree = &self.files.tree;
        let first = (self.below != Tree::ROOT).then_some(self.below);
        let is_shown = |node: &NodeId| {
            if self.only_changes { self.stage.touches(*node) } else { tree.at(*node, self.stage.layer).is_some() }
        };
        first.into_iter().chain(tree.walk_below(self.below)).filter(is_shown).map(|node| {
            let standing = self.stage.standing(node);
            let layer =
                if standing.state == State::Deleted { self.stage.layer.saturating_sub(1) } else { self.stage.layer };
            let entry = match tree.at(node, layer) {
                Some(Present::Entry(layer, entry)) => Some((layer, entry)),
                _ => None,
            };
            Row { node, state: standing.state, size: standing.size, entry }
        })
    }

    pub(super) fn write(&self, output: &Output, with_summary: bool) -> Result<()> {
        let heading = |text: &str| output.data(&format!("\n{}\n", output.paint.tone(Tone::Heading, text)));
        if with_summary && !self.only_changes {
            output.data(&format!("{}\n", output.paint.tone(Tone::Heading, &self.title())))?;
            output.data(&format!("  {}\n", self.files.manifest))?;
            output.table(&self.facts())?;
            heading("layers")?;
            output.table(&self.layers())?;
            let waste = self.waste();
            if !waste.is_empty() {
                heading("wasted")?;
                output.table(&waste)?;
            }
            heading("files")?;
        }
        output.table(&self.table())
    }

    fn title(&self) -> String {
        let words: Vec<&str> = [self.files.image.as_str()].into_iter().chain(self.files.platform.as_deref()).collect();
        printable(&words.join(", "))
    }

    fn facts(&self) -> Table {
        let figures = &self.files.figures;
        let mut table = Table::new(&[("", Column::Fixed), ("", Column::Fact)]).indented(2);
        let mut pair = |name: &str, value: String| table.row([Cell::toned(Tone::Dim, name), value.into()]);
        pair("files", format!("{}, {}", count(figures.files, "file", "files"), bytes(figures.bytes)));
        pair("in layers", bytes(figures.layer_bytes));
        pair("wasted", format!("{} that higher layers replace or delete", bytes(figures.wasted)));
        pair("efficiency", percent(figures.efficiency));
        if figures.duplicates > 0 {
            pair("duplicates", format!("{} that another file holds as well", bytes(figures.duplicates)));
        }
        table
    }

    fn layers(&self) -> Table {
        let mut table = Table::new(&[
            ("LAYER", Column::Number),
            ("SIZE", Column::Number),
            ("ADDED", Column::Number),
            ("CHANGED", Column::Number),
            ("DELETED", Column::Number),
            ("COMMAND", Column::Aside),
        ])
        .indented(2);
        for (place, layer) in self.files.layers.iter().enumerate() {
            let number = |files: (u64, u64)| if files.0 == 0 { "-".to_owned() } else { files.0.to_string() };
            table.row([
                (place + 1).to_string().into(),
                bytes(layer.size).into(),
                number(layer.added).into(),
                number(layer.changed).into(),
                number(layer.deleted).into(),
                Cell::toned(Tone::Dim, layer.command.as_deref().unwrap_or("-")),
            ]);
        }
        table
    }

    fn waste(&self) -> Table {
        let mut table =
            Table::new(&[("SIZE", Column::Number), ("LAYERS", Column::Number), ("PATH", Column::Text)]).indented(2);
        for waste in self.files.waste.iter().take(MAX_SHOWN_WASTE) {
            let path = self.files.tree.path(waste.node);
            let path = if waste.is_deleted { format!("{path} (deleted)") } else { path };
            table.row([bytes(waste.bytes).into(), waste.layers.to_string().into(), path.into()]);
        }
        table
    }

    fn table(&self) -> Table {
        let (mode, owner, size) = (("MODE", Column::Fixed), ("OWNER", Column::Fixed), ("SIZE", Column::Number));
        let mut table = if self.only_changes {
            Table::new(&[("STATE", Column::Fixed), mode, owner, size, ("PATH", Column::Fixed)])
        } else {
            Table::new(&[mode, owner, size, ("LAYER", Column::Number), ("PATH", Column::Fixed)])
        };
        for row in self.rows() {
            let path = self.files.tree.path(row.node);
            let (mode, owner, link) = match row.entry {
                Some((_, entry)) => (
                    entry.permissions(),
                    format!("{}:{}", entry.uid, entry.gid),
                    entry.link.as_ref().map(|link| format!(" -> {link}")).unwrap_or_default(),
                ),
                None => ("d".to_owned(), String::new(), String::new()),
            };
            let (mode, owner) = (Cell::toned(Tone::Dim, mode), Cell::toned(Tone::Dim, owner));
            let (size, path): (Cell, Cell) = (bytes(row.size).into(), format!("{path}{link}").into());
            if self.only_changes {
                let tone = match row.state {
                    State::Added => Tone::Good,
                    State::Deleted => Tone::Bad,
                    _ => Tone::Warning,
                };
                table.row([Cell::toned(tone, row.state.name()), mode, owner, size, path]);
            } else {
                let layer = row.entry.map(|(layer, _)| (layer + 1).to_string()).unwrap_or_default();
                table.row([mode, owner, size, Cell::toned(Tone::Dim, layer), path]);
            }
        }
        table
    }

    pub(super) fn document(&self) -> Document<'f> {
        let (files, figures) = (self.files, &self.files.figures);
        let layer = |(place, layer): (usize, &'f FileLayer)| LayerDocument {
            layer: place + 1,
            digest: layer.digest,
            size: layer.size,
            command: layer.command.as_deref(),
            added: layer.added.into(),
            changed: layer.changed.into(),
            deleted: layer.deleted.into(),
        };
        let entry = |row: Row<'f>| EntryDocument {
            path: files.tree.path(row.node),
            r#type: row.entry.map_or("directory", |(_, entry)| entry.kind.name()),
            state: self.only_changes.then(|| row.state.name()),
            size: row.size,
            mode: row.entry.map(|(_, entry)| format!("{:04o}", entry.mode)),
            uid: row.entry.map(|(_, entry)| entry.uid),
            gid: row.entry.map(|(_, entry)| entry.gid),
            link: row.entry.and_then(|(_, entry)| entry.link.as_deref()),
            digest: row.entry.and_then(|(_, entry)| entry.digest),
            layer: row.entry.map(|(layer, _)| layer + 1),
        };
        Document {
            image: &files.image,
            digest: files.manifest,
            platform: files.platform.as_deref(),
            files: figures.files,
            size: figures.bytes,
            layer_bytes: figures.layer_bytes,
            wasted: figures.wasted,
            duplicates: figures.duplicates,
            efficiency: figures.efficiency,
            layers: files.layers.iter().enumerate().map(layer).collect(),
            waste: files
                .waste
                .iter()
                .take(MAX_WASTE)
                .map(|waste| WasteDocument {
                    path: files.tree.path(waste.node),
                    size: waste.bytes,
                    layers: waste.layers,
                    deleted: waste.is_deleted,
                })
                .collect(),
            entries: self.rows().map(entry).collect(),
        }
    }
}

/// A part of a whole, never rounded up to all of it.
fn percent(part: f64) -> String {
    format!("{:.1} %", (part * 1000.0).floor() / 10.0)
}

/// `show --files --json`.
#[derive(Debug, Serialize)]
pub(super) struct Document<'f> {
    image: &'f str,
    digest: Digest,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<&'f str>,
    files: u64,
    size: u64,
    layer_bytes: u64,
    wasted: u64,
    duplicates: u64,
    efficiency: f64,
    layers: Vec<LayerDocument<'f>>,
    waste: Vec<WasteDocument>,
    entries: Vec<EntryDocument<'f>>,
}

#[derive(Debug, Serialize)]
struct LayerDocument<'f> {
    layer: usize,
    digest: Digest,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<&'f str>,
    added: Files,
    changed: Files,
    deleted: Files,
}

#[derive(Debug, Serialize)]
struct Files {
    files: u64,
    size: u64,
}

impl From<(u64, u64)> for Files {
    fn from((files, size): (u64, u64)) -> Self {
        Self { files, size }
    }
}

#[derive(Debug, Serialize)]
struct WasteDocument {
    path: String,
    size: u64,
    layers: u32,
    deleted: bool,
}

#[derive(Debug, Serialize)]
struct EntryDocument<'f> {
    path: String,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gid: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'f str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer: Option<usize>,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::cli::output::Style;
    use crate::cli::output::tests::captured;
    use crate::image::files::{FileKind, Layer};

    fn sample() -> ImageFiles {
        let entry = |path: &str, kind, size, link: Option<&str>| Entry {
            path: path.into(),
            kind,
            size,
            mode: if kind == FileKind::Regular { 0o4755 } else { 0o755 },
            uid: 0,
            gid: 42,
            link: link.map(Into::into),
            digest: (kind == FileKind::Regular).then(|| Digest::of(path.as_bytes())),
            number: 0,
        };
        let base = Layer {
            entries: vec![
                entry("etc", FileKind::Directory, 0, None),
                entry("etc/motd", FileKind::Regular, 10, None),
                entry("usr/bin/su", FileKind::Regular, 70_000, None),
                entry("bin", FileKind::Symlink, 0, Some("usr/bin")),
            ],
            ..Layer::default()
        };
        let top = Layer {
            entries: vec![
                entry("etc/motd", FileKind::Regular, 12, None),
                entry("opt/evil\u{1b}[2J", FileKind::Regular, 70_000, None),
            ],
            whiteouts: vec!["usr/bin/su".into()],
            opaque: Vec::new(),
        };
        let tree = Tree::merge(vec![Arc::new(base), Arc::new(top)]).unwrap();
        let layer = |(place, (size, command)): (usize, (u64, Option<&str>))| {
            let Stage { added, changed, deleted, .. } = Stage::of(&tree, place);
            FileLayer {
                digest: Digest::of(&[place as u8]),
                size,
                command: command.map(str::to_owned),
                added,
                changed,
                deleted,
            }
        };
        let layers = [(30 << 10, Some("ADD rootfs.tar /")), (900, None)].into_iter().enumerate().map(layer).collect();
        let (figures, waste) = tree.figures();
        ImageFiles {
            image: "library/app:1".to_owned(),
            manifest: Digest::of(b"manifest"),
            platform: Some("linux/amd64".to_owned()),
            platforms: Vec::new(),
            layers,
            tree,
            figures,
            waste,
        }
    }

    fn shown(layer: usize, only_changes: bool, below: &str, with_summary: bool) -> String {
        let files = sample();
        let (stage, below) = (Stage::of(&files.tree, layer), files.tree.find(below).unwrap());
        let (output, out, _) = captured(Style::default());
        Listing { files: &files, stage: &stage, only_changes, below }.write(&output, with_summary).unwrap();
        output.finish().unwrap();
        out.text()
    }

    #[test]
    fn what_a_person_sees() {
        let all = shown(1, false, "", true);
        assert!(!all.contains('\u{1b}'));
        insta::assert_snapshot!("file_listing", all);
        insta::assert_snapshot!("file_listing_layer", shown(1, true, "", true));
        insta::assert_snapshot!("file_listing_path", shown(1, false, "etc", false));
    }

    #[test]
    fn the_shape_in_json() {
        let files = sample();
        let stage = Stage::of(&files.tree, 1);
        let listing = Listing { files: &files, stage: &stage, only_changes: true, below: Tree::ROOT };
        insta::assert_snapshot!("file_listing_json", serde_json::to_string_pretty(&listing.document()).unwrap());
    }

    #[test]
    fn a_part_is_never_rounded_up_to_the_whole() {
        assert_eq!([1.0, 0.99999, 0.5, 0.0].map(percent), ["100.0 %", "99.9 %", "50.0 %", "0.0 %"]);
    }
}
