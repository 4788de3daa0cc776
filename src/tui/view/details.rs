//! Everything about one image.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::app::{App, Look};
use super::super::cells::{cut, cut_middle, wrap};
use super::super::command::Command;
use super::super::state::images::named;
use super::super::state::standings::Standing;
use super::frame::pane;
use crate::engine::view::{ImageDetails, LayerDetails, ManifestDetails};
use crate::text::{bytes, printable};

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect, active: bool) {
    let look = &app.look;
    let Some(details) = &app.images.details else {
        let block = pane(look, Line::styled(" Details ", look.theme.dim));
        frame.render_widget(block, area);
        return;
    };
    let name = cut_middle(&named(&details.row), usize::from(area.width).saturating_sub(4), &look.glyphs);
    let style = if active { look.theme.title } else { look.theme.dim };
    let block = pane(look, Line::styled(format!(" {name} "), style));
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let lines = lines(app, details, usize::from(inside.width).saturating_sub(2));
    let text = Rect { x: inside.x + 1, width: inside.width.saturating_sub(1), ..inside };
    frame.render_widget(Paragraph::new(lines).scroll((app.images.scroll.min(app.images.scroll_end), 0)), text);
}

/// The details line by line, as they are drawn.
pub(in crate::tui) fn text(app: &App) -> Vec<String> {
    let area = super::images::details_area(app, super::frame::Parts::of(app).body);
    let (Some(area), Some(details)) = (area, &app.images.details) else { return Vec::new() };
    let lines = lines(app, details, usize::from(area.width.saturating_sub(4)));
    lines.iter().map(ToString::to_string).collect()
}

/// How far the details can be scrolled, as they are drawn.
pub(in crate::tui) fn end(app: &App) -> u16 {
    let area = super::images::details_area(app, super::frame::Parts::of(app).body);
    let (Some(area), Some(details)) = (area, &app.images.details) else { return 0 };
    // Frame, and a column at the left.
    let lines = lines(app, details, usize::from(area.width.saturating_sub(2)).saturating_sub(2)).len();
    u16::try_from(lines).unwrap_or(u16::MAX).saturating_sub(area.height.saturating_sub(2))
}

fn lines(app: &App, details: &ImageDetails, columns: usize) -> Vec<Line<'static>> {
    let look = &app.look;
    let mut out = Page { look, columns, lines: Vec::new() };
    if let Some(why) = app.images.failure(&named(&details.row)) {
        out.styled("failed", why, look.theme.danger);
    }
    if let Some(stale) = &details.row.stale {
        let key = super::key(app, Command::Update);
        out.styled("stale", &format!("upstream has {stale} now: `{key}` updates"), look.theme.warning);
    }
    if app.standings.is_without_targets() {
        let view = super::key(app, Command::Publish);
        out.field("published", &format!("no: there is no target yet, {view} sets one up"));
    }
    let of = details.row.tag.clone().unwrap_or_else(|| details.row.digest.to_string());
    for (target, root, pinned, how) in app.standings.of_tag(&details.row.name, &of) {
        let (words, style) = match root {
            _ if details.private && !details.published => {
                let key = super::key(app, Command::Allow);
                let words =
                    format!("left out, since its upstream is private: {key} in the list of repositories lets it in");
                out.styled("target", &format!("{target}: {words}"), look.theme.warning);
                continue;
            }
            Some(_) if how.is_none() => ("? another root, which is not kept here".to_owned(), look.theme.dim),
            _ => super::images::standing(look, how),
        };
        let at = match (root, pinned) {
            (Some(root), true) => format!(", pinned there in {root}"),
            (Some(root), false) => format!(", in {root}"),
            (None, _) => ", where nothing was published yet".to_owned(),
        };
        let at = if matches!(how, Some(Standing::New)) && root.is_some() { String::new() } else { at };
        out.styled("target", &format!("{target}: {words}{at}"), style);
    }
    out.field("digest", &details.row.digest.to_string());
    out.field("CID", &details.row.cid);
    out.field("type", &details.media_type);
    out.field("upstream", details.upstream.as_deref().unwrap_or("none: it came from a file"));
    let visible = match (details.private, details.published) {
        (true, false) => "private upstream, kept out of what is published",
        (true, true) => "private upstream, allowed into what is published",
        (false, _) if details.upstream.is_none() => "from a file, part of what is published",
        (false, _) => "public upstream",
    };
    out.field("access", visible);
    out.field("mirrors", &details.selection);
    let figures = &details.figures;
    out.field("size", &format!("{}, {} of it needed by nothing else", bytes(figures.logical), bytes(figures.unique)));
    out.field("added", &details.row.added);
    out.field("platforms", &details.row.platforms.join(", "));
    for manifest in &details.manifests {
        out.manifest(manifest);
    }
    if !details.attached.is_empty() {
        out.head(&format!("Attached: {}", details.attached.len()));
        for attached in &details.attached {
            let kind = kind(attached.artifact_type.as_deref(), attached.tag.as_deref());
            out.line(&format!("{:>9}  {kind}", bytes(attached.logical)), look.theme.text);
            out.indented(&attached.digest.to_string(), look.theme.name);
            out.indented(&attached.cid, look.theme.dim);
        }
    }
    if !details.left_out.is_empty() {
        out.head("Left out");
        for left in &details.left_out {
            let of = left.platform.as_deref().unwrap_or("");
            out.text(&format!("{of} {}: {}", left.digest, left.reason));
        }
    }
    out.head("In the gateway view");
    for gateway in &details.gateway {
        match (&gateway.tag, &gateway.left_out) {
            (_, Some(reason)) => out.text(&format!("{}: not there: {reason}", gateway.platform)),
            (Some(tag), None) => out.text(&format!("{} as :{tag}", gateway.platform)),
            (None, None) => out.text(&format!("{} by digest", gateway.platform)),
        }
    }
    out.lines
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

struct Page<'l> {
    look: &'l Look,
    columns: usize,
    lines: Vec<Line<'static>>,
}

impl Page<'_> {
    fn styled(&mut self, label: &str, value: &str, style: Style) {
        let from = self.lines.len();
        self.field(label, value);
        for line in self.lines.iter_mut().skip(from) {
            if let Some(span) = line.spans.last_mut() {
                span.style = style;
            }
        }
    }

    fn line(&mut self, text: &str, style: Style) {
        self.lines.push(Line::styled(cut(text, self.columns, &self.look.glyphs), style));
    }

    /// Below the sizes.
    fn indented(&mut self, text: &str, style: Style) {
        let text = cut_middle(text, self.columns.saturating_sub(11), &self.look.glyphs);
        self.lines.push(Line::styled(format!("{:11}{text}", ""), style));
    }

    fn field(&mut self, label: &str, value: &str) {
        let room = self.columns.saturating_sub(10).max(8);
        let mut rows = wrap(&printable(value), room).into_iter();
        let first = rows.next().unwrap_or_default();
        self.lines.push(Line::from(vec![Span::styled(format!("{label:<9} "), self.look.theme.dim), Span::raw(first)]));
        self.lines.extend(rows.map(|row| Line::raw(format!("{:10}{row}", ""))));
    }

    fn head(&mut self, text: &str) {
        self.lines.push(Line::raw(""));
        self.lines.push(Line::styled(cut(text, self.columns, &self.look.glyphs), self.look.theme.title));
    }

    fn text(&mut self, text: &str) {
        self.lines
            .push(Line::raw(format!("  {}", cut_middle(text, self.columns.saturating_sub(2), &self.look.glyphs))));
    }

    fn manifest(&mut self, manifest: &ManifestDetails) {
        let kind = match (&manifest.platform, &manifest.attests) {
            (Some(platform), _) => platform.clone(),
            (None, Some(_)) => "attestation".to_owned(),
            (None, None) if manifest.layers.is_empty() => "index".to_owned(),
            (None, None) => "artifact".to_owned(),
        };
        self.head(&format!("{kind}  {}", manifest.digest));
        if let Some(config) = &manifest.config {
            let mut say = |label: &str, value: &str| {
                if !value.is_empty() {
                    self.field(label, value);
                }
            };
            say("entry", &config.entrypoint.join(" "));
            say("command", &config.command.join(" "));
            say("user", config.user.as_deref().unwrap_or(""));
            say("directory", config.working_directory.as_deref().unwrap_or(""));
            say("ports", &config.ports.join(" "));
            say("created", config.created.as_deref().unwrap_or(""));
            self.list("environment", config.environment.iter().cloned());
            self.list("labels", config.labels.iter().map(|(key, value)| format!("{key}={value}")));
        }
        if !manifest.layers.is_empty() {
            self.label(&format!("layers {}", manifest.layers.len()));
        }
        for layer in &manifest.layers {
            self.layer(layer);
        }
        if let Some(config) = &manifest.config {
            self.list("history", config.history.iter().cloned());
        }
    }

    fn label(&mut self, text: &str) {
        self.lines.push(Line::styled(text.to_owned(), self.look.theme.dim));
    }

    /// Some of many, under a label.
    fn list(&mut self, label: &str, all: impl ExactSizeIterator<Item = String>) {
        const SHOWN: usize = 40;
        let many = all.len();
        if many == 0 {
            return;
        }
        self.label(label);
        for text in all.take(SHOWN) {
            let rows = wrap(&printable(&text), self.columns.saturating_sub(4).max(8));
            for (place, row) in rows.into_iter().take(4).enumerate() {
                let indent = if place == 0 { 2 } else { 4 };
                self.lines.push(Line::raw(format!("{:indent$}{row}", "")));
            }
        }
        if many > SHOWN {
            self.label(&format!("  and {} more", many - SHOWN));
        }
    }

    fn layer(&mut self, layer: &LayerDetails) {
        let theme = &self.look.theme;
        let size = format!("{:>9}", bytes(layer.size));
        let digest = cut_middle(&layer.digest.to_string(), self.columns.saturating_sub(12).min(71), &self.look.glyphs);
        self.lines.push(Line::from(vec![Span::raw(format!("{size}  ")), Span::styled(digest, theme.name)]));
        let more = match (layer.shared_by, layer.shared_with.as_slice()) {
            (0, _) => "only here".to_owned(),
            (by, with) if by as usize > with.len() => {
                format!("also in {} and {} more", with.join(", "), by as usize - with.len())
            }
            (_, with) => format!("also in {}", with.join(", ")),
        };
        let more = cut(&more, self.columns.saturating_sub(11), &self.look.glyphs);
        self.lines.push(Line::styled(format!("{:11}{more}", ""), theme.dim));
        if let Some(cid) = &layer.cid {
            let cid = cut_middle(cid, self.columns.saturating_sub(11), &self.look.glyphs);
            self.lines.push(Line::styled(format!("{:11}{cid}", ""), theme.dim));
        }
    }
}
