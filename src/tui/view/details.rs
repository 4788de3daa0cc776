//! Everything about one image: a tab for each platform, and groups that can be folded.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::app::App;
use super::super::cells::{cut_middle, width};
use super::super::command::Command;
use super::super::state::image_page::{self, Group, ImagePage, Part};
use super::super::state::images::{Level, named};
use super::super::state::standings::PublishedState;
use super::frame::Hit;
use super::image_lines::{Lines, Row, UNCUT_COLUMNS};
use super::images::Keys;
use super::{layers, more, table, tabs};
use crate::engine::query::view::{ConfigDetails, ImageDetails, ManifestDetails};
use crate::text::{bytes, count, printable};

/// Where the parts of the page are.
struct Shape {
    /// The row of tabs; empty if there is none.
    tabs: Rect,
    text: Rect,
}

impl Shape {
    fn of(area: Rect, details: &ImageDetails) -> Self {
        let inside = area.inner(ratatui::layout::Margin::new(1, 1));
        let has_tabs = image_page::tabs(details).iter().any(|manifest| manifest.platform.is_some());
        let taken = u16::from(has_tabs).min(inside.height);
        let tabs = Rect { height: taken, ..inside };
        Self { tabs, text: Rect { y: inside.y + taken, height: inside.height - taken, ..inside } }
    }

    /// Columns of a line, with one left free at either side.
    fn columns(&self) -> usize {
        usize::from(self.text.width.saturating_sub(2))
    }
}

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect, keys: Keys) {
    let look = &app.look;
    let Some(details) = &app.images.details else {
        let block = keys.pane(look, Line::styled(" Details ", look.theme.dim));
        frame.render_widget(block, area);
        return;
    };
    let checked = super::images::checked(app);
    let room = usize::from(area.width).saturating_sub(4 + width(&checked));
    let name = cut_middle(&named(&details.row), room, &look.glyphs);
    let style = if keys.are_here() { look.theme.title } else { look.theme.dim };
    let title = vec![Span::styled(format!(" {name} "), style), Span::styled(checked, look.theme.dim)];
    let mut block = keys.pane(look, Line::from(title));
    let shape = Shape::of(area, details);
    let rows = screen_rows(app, details, shape.columns());
    let (all, height) = (rows.len(), usize::from(shape.text.height));
    let top = usize::from(app.images.scroll).min(all.saturating_sub(height));
    if keys.are_here() {
        block = more::more(app, block, top, all.saturating_sub(top + height));
    }
    frame.render_widget(block, area);
    let tabs = image_page::tabs(details);
    if shape.tabs.height > 0 {
        tabs::draw(app, frame, shape.tabs, &tabs::names(&tabs), app.images.page.tab(&tabs));
    }
    let shown = rows.into_iter().enumerate().skip(top).take(height).map(|(place, row)| {
        let mut line = row.line;
        line.spans.insert(0, Span::raw(" "));
        if !keys.are_here() || place != app.images.page.cursor {
            return line;
        }
        let free = usize::from(shape.text.width).saturating_sub(line.width());
        line.push_span(Span::raw(" ".repeat(free)));
        table::under_cursor(line, look)
    });
    frame.render_widget(Paragraph::new(shown.collect::<Vec<_>>()), shape.text);
    more::scrollbar(look, frame, area, (top, height, all));
    if keys.are_here() {
        super::found::mark(app, frame, shape.text);
    }
}

/// The page as it is drawn, if it is.
fn drawn(app: &App) -> Option<(Vec<Row>, Shape)> {
    let area = super::images::details_area(app, super::frame::Parts::of(app).body)?;
    let details = app.images.details.as_ref()?;
    let shape = Shape::of(area, details);
    Some((screen_rows(app, details, shape.columns()), shape))
}

/// The details line by line, as they are drawn.
pub(in crate::tui) fn text(app: &App) -> Vec<String> {
    drawn(app).map(|(rows, _)| rows.iter().map(|row| row.line.to_string()).collect()).unwrap_or_default()
}

/// All of the details, for where lines may be long.
pub(in crate::tui) fn whole(app: &App, details: &ImageDetails) -> String {
    let title = printable(&named(&details.row));
    let lines = rows(app, details, UNCUT_COLUMNS, None).into_iter().map(|row| row.line.to_string());
    let lines = lines.map(|line| line.trim_end().to_owned());
    [title, String::new()].into_iter().chain(lines).collect::<Vec<_>>().join("\n")
}

/// How many lines the details have, and how many of them are shown at once.
pub(in crate::tui) fn reach(app: &App) -> (usize, usize) {
    drawn(app).map_or((0, 0), |(rows, shape)| (rows.len(), usize::from(shape.text.height)))
}

/// What the line under the cursor belongs to, and how far below the first line of that it is.
pub(in crate::tui) fn under_cursor(app: &App) -> Option<(Part, usize)> {
    let (rows, _) = drawn(app)?;
    let part = rows.get(app.images.page.cursor)?.part?;
    let first = rows.iter().position(|row| row.part == Some(part))?;
    Some((part, app.images.page.cursor - first))
}

/// The line that is so far below the first one of a part, if that is there.
pub(in crate::tui) fn line_of(app: &App, part: Part, below: usize) -> Option<usize> {
    let (rows, _) = drawn(app)?;
    let of = |part| rows.iter().position(|row| row.part == Some(part));
    // A step of one image is none of another one, and none where its group is folded.
    let first = of(part).or_else(|| of(Part::Group(Group::Layers)).filter(|_| matches!(part, Part::Step(_))))?;
    let last = rows.iter().rposition(|row| row.part == Some(part)).unwrap_or(first);
    Some((first + below).min(last))
}

/// What is at a place of the page: a platform's tab, or a line.
pub(super) fn hit(app: &App, area: Rect, column: u16, row: u16) -> Option<Hit> {
    let details = app.images.details.as_ref()?;
    let shape = Shape::of(area, details);
    if shape.tabs.contains((column, row).into()) {
        let tabs = image_page::tabs(details);
        let open = app.images.page.tab(&tabs);
        let at = column - shape.tabs.x;
        return tabs::at(&app.look.glyphs, &tabs::names(&tabs), open, shape.tabs.width, at).map(Hit::Platform);
    }
    let line = usize::from(row.checked_sub(shape.text.y)?) + usize::from(app.images.scroll);
    let is_line = app.images.level == Level::Details && shape.text.contains((column, row).into());
    is_line.then_some(Hit::Line(line))
}

fn screen_rows(app: &App, details: &ImageDetails, columns: usize) -> Vec<Row> {
    // What is looked for is found wherever it is.
    let folds = app.images.search.is_empty().then_some(&app.images.page);
    rows(app, details, columns, folds)
}

fn rows(app: &App, details: &ImageDetails, columns: usize, folds: Option<&ImagePage>) -> Vec<Row> {
    let mut out = Lines::new(&app.look, columns, super::key(app, Command::Browse), folds);
    notices(app, details, &mut out);
    if out.group(Group::Image, "Image", "") {
        image(app, details, &mut out);
    }
    let tabs = image_page::tabs(details);
    let shown =
        if out.is_whole() { tabs.clone() } else { tabs.get(app.images.page.tab(&tabs)).copied().into_iter().collect() };
    for manifest in shown {
        if out.is_whole() && tabs.len() > 1 {
            let platform = manifest.platform.as_deref().unwrap_or("content");
            out.indent = 0;
            out.push(Vec::new());
            out.line(&format!("{platform}  {}", manifest.digest), app.look.theme.title);
        }
        layers::add(&mut out, manifest);
        if let Some(config) = &manifest.config {
            configuration(config, &mut out);
        }
        if out.is_whole() {
            digests(details, manifest, &mut out);
        }
    }
    attached(details, &mut out);
    if !details.left_out.is_empty() && out.group(Group::LeftOut, "Left out", &details.left_out.len().to_string()) {
        for left in &details.left_out {
            let of = left.platform.as_deref().map(|platform| format!("{platform} ")).unwrap_or_default();
            out.value(&format!("{of}{}: {}", left.digest, left.reason));
        }
    }
    gateway(details, &mut out);
    if let Some(manifest) = tabs.get(app.images.page.tab(&tabs)).filter(|_| !out.is_whole()) {
        digests(details, manifest, &mut out);
    }
    out.rows
}

/// What is to be known first.
fn notices(app: &App, details: &ImageDetails, out: &mut Lines<'_>) {
    let theme = &app.look.theme;
    if let Some(why) = app.images.failure(&named(&details.row)) {
        out.styled("failed", why, theme.danger);
    }
    if let Some(gone) = &details.row.gone {
        let words = format!("upstream no longer has this tag (seen at {gone}); it stays here");
        out.styled("gone", &words, theme.warning);
    }
    if let Some(outdated) = &details.row.outdated {
        let key = super::key(app, Command::Update);
        out.styled("outdated", &format!("upstream has {outdated} now: `{key}` updates"), theme.warning);
    }
}

fn image(app: &App, details: &ImageDetails, out: &mut Lines<'_>) {
    published(app, details, out);
    out.field("digest", &details.row.digest.to_string());
    out.field("CID", &details.row.cid);
    out.field("type", &details.media_type);
    if let Some(rule) = details.row.tag.as_ref().and_then(|tag| app.rules.image(&details.row.name, tag)) {
        let words = match (rule.brought, app.rules.goes(rule)) {
            (_, Some(at)) => {
                let goes = super::rule_page::goes(app, at);
                format!("{} brought it and does not select it any more: it {goes}", rule.rule)
            }
            (true, None) => format!("{} brought it", rule.rule),
            (false, None) => format!("{} selects it; it was here before", rule.rule),
        };
        out.field("rule", &words);
    }
    out.field("upstream", details.upstream.as_deref().unwrap_or("none: it came from a file"));
    let visible = match (details.private, details.published) {
        (true, false) => "private upstream; left out when publishing",
        (true, true) => "private upstream, allowed; included when publishing",
        (false, _) if details.upstream.is_none() => "from a file; included when publishing",
        (false, _) => "public upstream",
    };
    out.field("access", visible);
    out.field("platforms", &details.selection.replace(',', ", "));
    let figures = &details.figures;
    out.field("size", &format!("{}, {} of it unique", bytes(figures.logical), bytes(figures.unique)));
    out.field("added", &details.row.added);
}

/// Where it is published, and as what.
fn published(app: &App, details: &ImageDetails, out: &mut Lines<'_>) {
    let look = &app.look;
    if app.standings.is_without_targets() {
        let add = Command::TargetAdd.entry().id;
        out.field("published", &format!("no: there is no target yet; `:{add}` sets one up"));
    }
    let of = details.row.tag.clone().unwrap_or_else(|| details.row.digest.to_string());
    for (target, root, pinned, how) in app.standings.of_tag(&details.row.name, &of) {
        let (words, style) = match root {
            _ if details.private && !details.published => {
                let key = super::key(app, Command::Allow);
                let words =
                    format!("left out because its upstream is private: {key} in the list of repositories allows it");
                out.styled("target", &format!("{target}: {words}"), look.theme.warning);
                continue;
            }
            Some(_) if how.is_none() => ("? another root, not kept here".to_owned(), look.theme.dim),
            _ => super::images::standing(look, how),
        };
        let at = match (root, pinned) {
            (Some(root), true) => format!(", pinned there in {root}"),
            (Some(root), false) => format!(", in {root}"),
            (None, _) => ", nothing published yet".to_owned(),
        };
        let at = if matches!(how, Some(PublishedState::New)) && root.is_some() { String::new() } else { at };
        out.styled("target", &format!("{target}: {words}{at}"), style);
    }
}

fn configuration(config: &ConfigDetails, out: &mut Lines<'_>) {
    let note = config.created.as_deref().map(|created| format!("created {created}")).unwrap_or_default();
    if out.group(Group::Configuration, "Configuration", &note) {
        out.some("entry", &config.entrypoint.join(" "));
        out.some("command", &config.command.join(" "));
        out.some("user", config.user.as_deref().unwrap_or_default());
        out.some("directory", config.working_directory.as_deref().unwrap_or_default());
        out.some("ports", &config.ports.join(" "));
        out.list("environment", config.environment.iter().cloned());
    }
    if !config.labels.is_empty() && out.group(Group::Labels, "Labels", &config.labels.len().to_string()) {
        out.list("", config.labels.iter().map(|(key, value)| format!("{key}={value}")));
    }
}

fn attached(details: &ImageDetails, out: &mut Lines<'_>) {
    let theme = out.look.theme;
    let inside: Vec<&ManifestDetails> =
        details.manifests.iter().filter(|manifest| manifest.attests.is_some()).collect();
    let many = details.attached.len() + inside.len();
    if many == 0 || !out.group(Group::Attached, "Attached", &many.to_string()) {
        return;
    }
    let mut one = |size: u64, kind: &str, digest: String, cid: &str| {
        out.line(&format!("{:>9}  {kind}", bytes(size)), theme.text);
        out.indent += 11;
        out.line(&digest, theme.name);
        out.line(cid, theme.dim);
        out.indent -= 11;
    };
    for attached in &details.attached {
        let kind = kind(attached.artifact_type.as_deref(), attached.tag.as_deref());
        one(attached.logical, &kind, attached.digest.to_string(), &attached.cid);
    }
    for manifest in inside {
        let subject = details.manifests.iter().find(|other| Some(other.digest) == manifest.attests);
        let of = subject.and_then(|subject| subject.platform.as_deref()).map(|of| format!(" for {of}"));
        let size = manifest.size + manifest.layers.iter().map(|layer| layer.size).sum::<u64>();
        let kind = format!("attestation{} (in the index)", of.unwrap_or_default());
        one(size, &kind, manifest.digest.to_string(), &manifest.cid);
    }
}

fn gateway(details: &ImageDetails, out: &mut Lines<'_>) {
    let missing = details.gateway.iter().filter(|gateway| gateway.left_out.is_some()).count();
    let platforms = count(details.gateway.len() as u64, "platform", "platforms");
    let note = if missing == 0 { platforms } else { format!("{platforms}, {missing} missing") };
    if !out.group(Group::Gateway, "In the gateway view", &note) {
        return;
    }
    for gateway in &details.gateway {
        match (&gateway.tag, &gateway.left_out) {
            (_, Some(reason)) => out.value(&format!("{}: missing: {reason}", gateway.platform)),
            (Some(tag), None) => out.value(&format!("{} as :{tag}", gateway.platform)),
            (None, None) => out.value(&format!("{} by digest", gateway.platform)),
        }
    }
}

/// The digests and CIDs of what a platform consists of.
fn digests(details: &ImageDetails, manifest: &ManifestDetails, out: &mut Lines<'_>) {
    if !out.group(Group::Digests, "Digests and CIDs", "manifest, configuration, layers") {
        return;
    }
    let (theme, is_whole) = (out.look.theme, out.is_whole());
    let mut one = |name: &str, digest: &str, cid: &str| {
        out.styled(name, digest, theme.name);
        out.styled("", cid, theme.dim);
    };
    if manifest.digest != details.row.digest || manifest.cid != details.row.cid {
        one("manifest", &manifest.digest.to_string(), &manifest.cid);
    }
    if let Some(config) = &manifest.config {
        one("config", &config.digest, &config.cid);
    }
    // The whole page has these below the layers.
    for (place, layer) in manifest.layers.iter().enumerate().filter(|_| !is_whole) {
        let cid = layer.cid.as_deref().unwrap_or("left out");
        one(&format!("layer {}", place + 1), &layer.digest.to_string(), cid);
    }
}

/// What is attached, by its type or its tag (`sha256-….sig`).
fn kind(artifact_type: Option<&str>, tag: Option<&str>) -> String {
    let text = artifact_type.or(tag).unwrap_or_default().to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let word = if has(&["sbom", "spdx", "cyclonedx"]) {
        "SBOM"
    } else if has(&["attest", ".att", "in-toto", "provenance"]) {
        "attestation"
    } else if has(&["cosign", ".sig", "signature", "notary", "sigstore"]) {
        "signature"
    } else {
        "referrer"
    };
    match artifact_type.or(tag) {
        Some(of) => format!("{word} ({of})"),
        None => word.to_owned(),
    }
}
