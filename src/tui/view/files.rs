//! The files of an image: its layers at the left, and the tree of the layer that is looked at.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::app::{App, Look};
use super::super::cells::{beginning, cut, cut_middle, left, right, width, wrap};
use super::super::command::Command;
use super::super::state::files::{Contents, Files, Reading, Row, Shown};
use super::frame::pane;
use super::more::more;
use super::table::under_cursor;
use crate::engine::query::files::FileLayer;
use crate::image::files::State;
use crate::text::{bytes, count};

/// What is at a place of the view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) enum Hit {
    /// A layer, from 0.
    Layer(usize),
    /// A row of the tree, counted from the first one that is shown.
    Row(usize),
}

/// Columns of sizes.
const SIZE_COLUMNS: usize = 8;
/// Columns of kind and permissions.
const MODE_COLUMNS: usize = 10;
/// Columns of owner and group.
const OWNER_COLUMNS: usize = 11;
/// From so many columns of the tree on there are permissions, and from so many on owners.
const COLUMNS_FROM: (u16, u16) = (64, 84);
/// Rows that a command takes at most.
const MAX_COMMAND_ROWS: usize = 8;

/// Where the parts of the view are.
struct Parts {
    layers: Rect,
    /// What is said of the layer that is looked at, and of the image.
    about: Rect,
    tree: Rect,
}

impl Parts {
    fn of(app: &App, layers: usize) -> Self {
        let body = super::frame::Parts::of(app).body;
        let columns = match body.width {
            0..100 => 32,
            100..150 => 42,
            _ => 60,
        };
        // Frame and head.
        let rows = u16::try_from(layers).unwrap_or(u16::MAX).saturating_add(3).min(body.height / 2);
        let side = Rect { width: columns.min(body.width), ..body };
        Self {
            layers: Rect { height: rows, ..side },
            about: Rect { y: side.y + rows, height: side.height.saturating_sub(rows), ..side },
            tree: Rect { x: side.right(), width: body.width.saturating_sub(columns), ..body },
        }
    }
}

/// Rows of the tree on the screen.
pub(in crate::tui) fn height(app: &App) -> u16 {
    // Without frame and head.
    super::frame::Parts::of(app).body.height.saturating_sub(3).max(1)
}

/// What is at a place of the screen.
pub(in crate::tui) fn hit(app: &App, column: u16, row: u16) -> Option<Hit> {
    let shown = app.files.as_ref()?.shown()?;
    let parts = Parts::of(app, shown.files.layers.len());
    let inside = |of: Rect| {
        let is_in = (of.x + 1..of.right().saturating_sub(1)).contains(&column)
            && (of.y + 2..of.bottom().saturating_sub(1)).contains(&row);
        is_in.then(|| usize::from(row - of.y - 2))
    };
    if let Some(place) = inside(parts.layers) {
        let layer = first_layer(shown, parts.layers) + place;
        return (layer < shown.files.layers.len()).then_some(Hit::Layer(layer));
    }
    inside(parts.tree).map(Hit::Row)
}

/// The first layer that is shown: the one that is looked at is always among them.
fn first_layer(shown: &Shown, area: Rect) -> usize {
    let room = usize::from(area.height.saturating_sub(3)).max(1);
    (shown.stage.layer + 1).saturating_sub(room)
}

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let Some(files) = &app.files else { return };
    match &files.contents {
        Contents::Shown(shown) => {
            let parts = Parts::of(app, shown.files.layers.len());
            layers(app, frame, parts.layers, shown);
            about(app, frame, parts.about, shown);
            tree(app, frame, parts.tree, files, shown);
        }
        contents => waiting(app, frame, area, files, contents),
    }
}

/// What is said while there are no files to show.
fn waiting(app: &App, frame: &mut Frame<'_>, area: Rect, files: &Files, contents: &Contents) {
    let (look, theme) = (&app.look, &app.look.theme);
    let name = cut_middle(&files.image, usize::from(area.width).saturating_sub(14), &look.glyphs);
    let block = pane(
        look,
        Line::from(vec![Span::styled(" Files of ", theme.dim), Span::styled(format!("{name} "), theme.title)]),
    );
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let columns = usize::from(inside.width).saturating_sub(4);
    let back = super::key(app, Command::CloseFiles);
    let mut lines = vec![Line::raw("")];
    match contents {
        Contents::Loading(Reading { layers, bytes: (done, all) }) => {
            let at = if layers.1 == 0 { String::new() } else { format!(" {} of {}", layers.0 + 1, layers.1) };
            lines.push(Line::raw(format!("  Reading layer{at} {}", look.glyphs.ellipsis)));
            if *all > 0 {
                lines.push(Line::raw(""));
                lines.push(bar(look, *done, *all, columns.min(40)));
            }
            lines.push(Line::raw(""));
            lines.push(hint(look, &back, "stops."));
        }
        Contents::Failed(problem) => {
            lines.extend(
                wrap(&problem.message, columns).into_iter().map(|row| Line::styled(format!("  {row}"), theme.danger)),
            );
            for hint in &problem.hints {
                lines.extend(wrap(hint, columns).into_iter().map(|row| Line::raw(format!("  {row}"))));
            }
            lines.push(Line::raw(""));
            lines.push(hint(look, &back, "goes back."));
        }
        Contents::Shown(_) => {}
    }
    frame.render_widget(Paragraph::new(lines), inside);
}

fn hint(look: &Look, key: &str, words: &str) -> Line<'static> {
    Line::from(vec![Span::raw("  "), Span::styled(key.to_owned(), look.theme.key), Span::raw(format!(" {words}"))])
}

fn bar(look: &Look, done: u64, all: u64, columns: usize) -> Line<'static> {
    let full = usize::try_from(u128::from(done.min(all)) * columns as u128 / u128::from(all.max(1))).unwrap_or(columns);
    let (whole, empty) = look.glyphs.bar;
    Line::from(vec![
        Span::raw("  "),
        Span::styled(whole.repeat(full), look.theme.accent),
        Span::styled(empty.repeat(columns.saturating_sub(full)), look.theme.dim),
        Span::raw(format!("  {} of {}", bytes(done.min(all)), bytes(all))),
    ])
}

fn layers(app: &App, frame: &mut Frame<'_>, area: Rect, shown: &Shown) {
    let (look, theme) = (&app.look, &app.look.theme);
    let all = &shown.files.layers;
    let title = vec![Span::styled(" Layers ", theme.title), Span::styled(format!("{} ", all.len()), theme.dim)];
    let block = pane(look, Line::from(title));
    let inside = block.inner(area);
    let first = first_layer(shown, area);
    let room = usize::from(inside.height).saturating_sub(1);
    let below = all.len().saturating_sub(first + room);
    let glyphs = &look.glyphs;
    let more = |sign: &str, rows: usize, command| {
        (rows > 0).then(|| format!(" {sign} {rows} more: {} ", super::key(app, command)))
    };
    let words: String = [more(glyphs.up, first, Command::LayerFormer), more(glyphs.down, below, Command::LayerNext)]
        .into_iter()
        .flatten()
        .collect();
    let block =
        if words.is_empty() { block } else { block.title_bottom(Line::styled(words, theme.dim).right_aligned()) };
    frame.render_widget(block, area);
    let columns = usize::from(inside.width);
    let digits = all.len().to_string().len().max(2);
    let rest = columns.saturating_sub(digits + SIZE_COLUMNS + 6);
    let head = format!(
        "  {}  {}  {}",
        right("#", digits, glyphs),
        right("SIZE", SIZE_COLUMNS, glyphs),
        cut("COMMAND", rest, glyphs)
    );
    let mut lines = vec![Line::styled(head, theme.title)];
    for (place, layer) in all.iter().enumerate().skip(first).take(room) {
        let is_here = place == shown.stage.layer;
        let cursor = if is_here { glyphs.cursor } else { " " };
        let command = cut(&in_short(layer), rest, glyphs);
        let spans = vec![
            Span::styled(format!("{cursor} "), theme.accent),
            Span::raw(format!("{}  ", right(&(place + 1).to_string(), digits, glyphs))),
            Span::raw(format!("{}  ", right(&bytes(layer.size), SIZE_COLUMNS, glyphs))),
            Span::styled(left(&command, rest, glyphs), theme.dim),
        ];
        lines.push(if is_here { under_cursor(filled(spans, columns), look) } else { Line::from(spans) });
    }
    frame.render_widget(Paragraph::new(lines), inside);
}

/// A line that reaches the right edge.
fn filled(mut spans: Vec<Span<'static>>, columns: usize) -> Line<'static> {
    let taken: usize = spans.iter().map(|span| width(&span.content)).sum();
    spans.push(Span::raw(" ".repeat(columns.saturating_sub(taken))));
    Line::from(spans)
}

/// A command without what all of them begin and end with, in one line.
fn in_short(layer: &FileLayer) -> String {
    let command = layer.command.as_deref().unwrap_or_default();
    let command = command.split_whitespace().collect::<Vec<_>>().join(" ");
    let command = command.strip_suffix(" # buildkit").unwrap_or(&command);
    let short = command.strip_prefix("/bin/sh -c ").unwrap_or(command);
    let short = short.strip_prefix("#(nop) ").unwrap_or(short);
    short.strip_prefix("RUN /bin/sh -c ").map_or_else(|| short.to_owned(), |run| format!("RUN {run}"))
}

fn about(app: &App, frame: &mut Frame<'_>, area: Rect, shown: &Shown) {
    let (look, theme) = (&app.look, &app.look.theme);
    let Some(layer) = shown.files.layers.get(shown.stage.layer) else {
        frame.render_widget(pane(look, Line::styled(" Image ", theme.title)), area);
        return;
    };
    let block = pane(look, Line::styled(format!(" Layer {} ", shown.stage.layer + 1), theme.title));
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let columns = usize::from(inside.width).saturating_sub(2).max(1);
    let mut lines = vec![Line::raw(format!(" {}", cut_middle(&layer.digest.to_string(), columns, &look.glyphs)))];
    for (sign, style, (files, size), word) in [
        ("+", theme.good, layer.added, "added"),
        ("~", theme.warning, layer.changed, "changed"),
        ("-", theme.danger, layer.deleted, "deleted"),
    ] {
        if files > 0 {
            let words = format!("{} {word}, {}", count(files, "file", "files"), bytes(size));
            lines.push(Line::from(vec![
                Span::styled(format!(" {sign} "), style),
                Span::raw(cut(&words, columns, &look.glyphs)),
            ]));
        }
    }
    let room = usize::from(inside.height);
    let image = of_image(shown, look, columns);
    let command = wrap(&in_short(layer), columns);
    let rows = room.saturating_sub(lines.len() + image.len() + 1).min(MAX_COMMAND_ROWS);
    if rows > 0 && layer.command.is_some() {
        let is_cut = command.len() > rows;
        for (place, row) in command.into_iter().take(rows).enumerate() {
            let is_last = is_cut && place + 1 == rows;
            let row = if is_last { format!("{}{}", beginning(&row, columns - 1), look.glyphs.ellipsis) } else { row };
            lines.push(Line::styled(format!(" {row}"), theme.dim));
        }
    }
    if lines.len() + image.len() < room {
        lines.push(Line::raw(""));
    }
    lines.extend(image);
    let waste = &shown.files.waste;
    // Below an empty line and a heading.
    let left_over = room.saturating_sub(lines.len() + 2);
    if left_over > 1 && !waste.is_empty() {
        lines.push(Line::raw(""));
        lines.push(Line::styled(" most wasted", theme.dim));
        for waste in waste.iter().take(left_over) {
            let path = shown.files.tree.path(waste.node);
            let path = cut_middle(&path, columns.saturating_sub(SIZE_COLUMNS + 1), &look.glyphs);
            let size = right(&bytes(waste.bytes), SIZE_COLUMNS, &look.glyphs);
            lines.push(Line::from(vec![Span::raw(format!(" {size} ")), Span::styled(path, theme.dim)]));
        }
    }
    frame.render_widget(Paragraph::new(lines), inside);
}

/// The image in figures.
fn of_image(shown: &Shown, look: &Look, columns: usize) -> Vec<Line<'static>> {
    let figures = &shown.files.figures;
    let theme = &look.theme;
    let line = |label: &str, text: &str, style: Style| {
        let text = cut(text, columns.saturating_sub(11), &look.glyphs);
        Line::from(vec![Span::styled(format!(" {label:<11}"), theme.dim), Span::styled(text, style)])
    };
    let efficiency = (figures.efficiency * 1000.0).floor() / 10.0;
    let mut lines = vec![
        line("image", &format!("{}, {}", count(figures.files, "file", "files"), bytes(figures.bytes)), theme.text),
        line("wasted", &bytes(figures.wasted), if figures.wasted > 0 { theme.warning } else { theme.good }),
        line("efficiency", &format!("{efficiency:.1} %"), theme.text),
    ];
    if figures.duplicates > 0 {
        lines.push(line("duplicates", &bytes(figures.duplicates), theme.text));
    }
    lines
}

fn tree(app: &App, frame: &mut Frame<'_>, area: Rect, files: &Files, shown: &Shown) {
    let (look, theme) = (&app.look, &app.look.theme);
    let dot = look.glyphs.dot;
    let mut words = shown.files.platform.as_ref().map(|platform| format!(" {platform}")).unwrap_or_default();
    if shown.only_changes {
        words = format!("{words} {dot} only changes");
    }
    let filter = if shown.filter.is_empty() {
        String::new()
    } else {
        format!(" /{}", cut_middle(&shown.filter, 30, &look.glyphs))
    };
    let room = usize::from(area.width).saturating_sub(5 + width(&filter));
    let words = cut(&words, room.saturating_sub(8), &look.glyphs);
    let name = cut_middle(&files.image, room.saturating_sub(width(&words)), &look.glyphs);
    let block = pane(
        look,
        Line::from(vec![
            Span::styled(format!(" {name}"), theme.title),
            Span::styled(words, theme.dim),
            Span::styled(filter, theme.warning),
            Span::raw(" "),
        ]),
    );
    let inside = block.inner(area);
    let height = usize::from(inside.height).saturating_sub(1);
    let block = more(app, block, shown.top, shown.rows.len().saturating_sub(shown.top + height));
    frame.render_widget(block, area);
    if shown.rows.is_empty() {
        nothing(app, frame, inside, shown);
        return;
    }
    let columns = Columns::of(inside.width);
    let mut lines = vec![columns.head(look)];
    for (place, row) in shown.rows.iter().enumerate().skip(shown.top).take(height) {
        lines.push(columns.row(look, shown, *row, place == shown.cursor));
    }
    frame.render_widget(Paragraph::new(lines), inside);
}

fn nothing(app: &App, frame: &mut Frame<'_>, area: Rect, shown: &Shown) {
    let words = if !shown.filter.is_empty() {
        format!("  No path contains `{}`.", cut_middle(&shown.filter, 40, &app.look.glyphs))
    } else if shown.only_changes {
        "  The layer changes no file.".to_owned()
    } else {
        "  There is no file.".to_owned()
    };
    let mut lines = vec![Line::raw(""), Line::styled(words, app.look.theme.title)];
    if !shown.filter.is_empty() {
        lines.push(hint(&app.look, &super::key(app, Command::CloseFiles), "shows all of them."));
    } else if shown.only_changes {
        lines.push(hint(&app.look, &super::key(app, Command::OnlyChanges), "shows all files."));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

/// What the tree has room for.
struct Columns {
    all: usize,
    mode: bool,
    owner: bool,
}

impl Columns {
    fn of(columns: u16) -> Self {
        Self { all: usize::from(columns), mode: columns >= COLUMNS_FROM.0, owner: columns >= COLUMNS_FROM.1 }
    }

    /// Columns before the names.
    fn before(&self) -> usize {
        4 + SIZE_COLUMNS
            + 2
            + if self.mode { MODE_COLUMNS + 2 } else { 0 }
            + if self.owner { OWNER_COLUMNS + 2 } else { 0 }
    }

    fn head(&self, look: &Look) -> Line<'static> {
        let glyphs = &look.glyphs;
        let mut text = format!("    {}  ", right("SIZE", SIZE_COLUMNS, glyphs));
        if self.mode {
            text = format!("{text}{}  ", left("MODE", MODE_COLUMNS, glyphs));
        }
        if self.owner {
            text = format!("{text}{}  ", left("OWNER", OWNER_COLUMNS, glyphs));
        }
        Line::styled(format!("{text}NAME"), look.theme.title)
    }

    fn row(&self, look: &Look, shown: &Shown, row: Row, is_here: bool) -> Line<'static> {
        let (theme, glyphs) = (&look.theme, &look.glyphs);
        let (node, standing) = (row.node, shown.stage.standing(row.node));
        let (sign, style) = match standing.state {
            State::Added => ("+", theme.good),
            State::Changed => ("~", theme.warning),
            State::Deleted => ("-", theme.danger),
            State::Unchanged | State::Absent => (" ", theme.text),
        };
        let entry = shown.entry(node).map(|(_, entry)| entry);
        let mut spans = vec![
            Span::styled(if is_here { glyphs.cursor } else { " " }, theme.accent),
            Span::styled(format!(" {sign} "), style),
            Span::raw(format!("{}  ", right(&bytes(standing.size), SIZE_COLUMNS, glyphs))),
        ];
        if self.mode {
            let mode = entry.map_or_else(|| "d".to_owned(), crate::image::files::Entry::permissions);
            spans.push(Span::styled(format!("{}  ", left(&mode, MODE_COLUMNS, glyphs)), theme.dim));
        }
        if self.owner {
            let owner = entry.map(|entry| format!("{}:{}", entry.uid, entry.gid)).unwrap_or_default();
            spans.push(Span::styled(format!("{}  ", left(&owner, OWNER_COLUMNS, glyphs)), theme.dim));
        }
        let (folded, unfolded) = if glyphs.boxes { ("▸", "▾") } else { ("+", "-") };
        let fold = match (shown.is_directory(node), shown.is_open(node)) {
            (false, _) => " ",
            (true, true) => unfolded,
            (true, false) => folded,
        };
        // However deep it is, something of its name is seen.
        let room = self.all.saturating_sub(self.before());
        let indent = (usize::from(row.depth) * 2).min(room.saturating_sub(20));
        let room = room.saturating_sub(indent + 2);
        let is_folder = entry.is_none_or(|entry| entry.kind == crate::image::files::FileKind::Directory);
        let name = format!("{}{}", shown.files.tree.name(node), if is_folder { "/" } else { "" });
        let name = cut_middle(&name, room, glyphs);
        let link = entry.and_then(|entry| entry.link.as_deref());
        let link =
            link.map(|link| cut(&format!(" {} {link}", glyphs.arrow), room.saturating_sub(width(&name)), glyphs));
        let style = if standing.state == State::Unchanged && is_folder { theme.name } else { style };
        spans.push(Span::styled(format!("{}{fold} ", " ".repeat(indent)), theme.dim));
        spans.push(Span::styled(name, style));
        spans.push(Span::styled(link.unwrap_or_default(), theme.dim));
        if is_here { under_cursor(filled(spans, self.all), look) } else { Line::from(spans) }
    }
}
