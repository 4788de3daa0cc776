//! Everything about one image.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::app::{App, Look};
use super::super::cells::{cut, cut_middle, wrap};
use super::super::state::images::named;
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
    let lines = lines(look, details, usize::from(inside.width).saturating_sub(2));
    let end = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_sub(inside.height);
    let text = Rect { x: inside.x + 1, width: inside.width.saturating_sub(1), ..inside };
    frame.render_widget(Paragraph::new(lines).scroll((app.images.scroll.min(end), 0)), text);
}

/// How many lines the details have in so many columns.
pub fn height(look: &Look, details: &ImageDetails, columns: usize) -> usize {
    lines(look, details, columns).len()
}

fn lines(look: &Look, details: &ImageDetails, columns: usize) -> Vec<Line<'static>> {
    let mut out = Page { look, columns, lines: Vec::new() };
    out.field("digest", &details.row.digest.to_string());
    out.field("CID", &details.row.cid);
    out.field("type", &details.media_type);
    out.field("upstream", details.upstream.as_deref().unwrap_or("none: it came from a file"));
    let visible = match (details.private, details.published) {
        (true, false) => "private upstream, not published",
        (true, true) => "private upstream, allowed",
        (false, _) => "published",
    };
    out.field("access", visible);
    out.field("mirrors", &details.selection);
    let figures = &details.figures;
    out.field("size", &format!("{}, {} of it needed by nothing else", bytes(figures.logical), bytes(figures.unique)));
    out.field("added", &details.row.added);
    if let Some(stale) = &details.row.stale {
        out.field("upstream has", &format!("{stale} now: `r` updates"));
    }
    for manifest in &details.manifests {
        out.manifest(manifest);
    }
    if !details.attached.is_empty() {
        out.head(&format!("Attached: {}", details.attached.len()));
        for attached in &details.attached {
            let what = attached.artifact_type.clone().or_else(|| attached.tag.clone()).unwrap_or_default();
            out.text(&format!("{what}  {}", attached.digest));
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

struct Page<'l> {
    look: &'l Look,
    columns: usize,
    lines: Vec<Line<'static>>,
}

impl Page<'_> {
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
            for variable in config.environment.iter().take(20) {
                self.text(variable);
            }
            for (key, value) in config.labels.iter().take(20) {
                self.text(&format!("{key}={value}"));
            }
        }
        for layer in &manifest.layers {
            self.layer(layer);
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
