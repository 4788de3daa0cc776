//! Everything about one image.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::app::{App, Look};
use super::super::cells::{cut, cut_middle, width, wrap};
use super::super::command::Command;
use super::super::state::images::named;
use super::super::state::standings::PublishedState;
use super::images::Keys;
use crate::engine::query::view::{ImageDetails, LayerDetails, ManifestDetails};
use crate::text::{bytes, printable};

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
    let block = keys.pane(look, Line::from(title));
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

/// All of the details, for where lines may be long.
pub(in crate::tui) fn whole(app: &App, details: &ImageDetails) -> String {
    let title = printable(&named(&details.row));
    let lines = lines(app, details, UNCUT_COLUMNS).into_iter().map(|line| line.to_string().trim_end().to_owned());
    [title, String::new()].into_iter().chain(lines).collect::<Vec<_>>().join("\n")
}

/// How far the details can be scrolled, as they are drawn.
pub(in crate::tui) fn end(app: &App) -> u16 {
    let area = super::images::details_area(app, super::frame::Parts::of(app).body);
    let (Some(area), Some(details)) = (area, &app.images.details) else { return 0 };
    // Frame, and a column at the left.
    let lines = lines(app, details, usize::from(area.width.saturating_sub(2)).saturating_sub(2)).len();
    u16::try_from(lines).unwrap_or(u16::MAX).saturating_sub(area.height.saturating_sub(2))
}

/// So many columns that nothing is cut.
const UNCUT_COLUMNS: usize = 1 << 24;
/// The lines that a value takes at most.
const MAX_VALUE_ROWS: usize = 4;

fn lines(app: &App, details: &ImageDetails, columns: usize) -> Vec<Line<'static>> {
    let look = &app.look;
    let mut out = Page { look, columns, browse: super::key(app, Command::Browse), lines: Vec::new() };
    if let Some(why) = app.images.failure(&named(&details.row)) {
        out.styled("failed", why, look.theme.danger);
    }
    if let Some(gone) = &details.row.gone {
        let words = format!("upstream no longer has this tag (seen at {gone}); it stays here");
        out.styled("gone", &words, look.theme.warning);
    }
    if let Some(outdated) = &details.row.outdated {
        let key = super::key(app, Command::Update);
        out.styled("outdated", &format!("upstream has {outdated} now: `{key}` updates"), look.theme.warning);
    }
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
    out.field("mirrors", &details.selection);
    let figures = &details.figures;
    out.field("size", &format!("{}, {} of it unique", bytes(figures.logical), bytes(figures.unique)));
    out.field("added", &details.row.added);
    out.field("platforms", &details.row.platforms.join(", "));
    for manifest in &details.manifests {
        out.manifest(manifest);
    }
    if !details.attached.is_empty() {
        out.head(&format!("Attached: {}", details.attached.len()));
        for attached in &details.attached {
            let kind = kind(attached.artifact_type.as_deref(), attached.tag.as_deref());
            let kind = cut_middle(&kind, columns.saturating_sub(11), &look.glyphs);
            out.line(&format!("{:>9}  {kind}", bytes(attached.logical)), look.theme.text);
            out.indented(&attached.digest.to_string(), look.theme.name);
            out.indented(&attached.cid, look.theme.dim);
        }
    }
    if !details.left_out.is_empty() {
        out.head("Left out");
        for left in &details.left_out {
            let of = left.platform.as_deref().map(|platform| format!("{platform} ")).unwrap_or_default();
            out.value("  ", &format!("{of}{}: {}", left.digest, left.reason));
        }
    }
    out.head("In the gateway view");
    for gateway in &details.gateway {
        match (&gateway.tag, &gateway.left_out) {
            (_, Some(reason)) => out.text(&format!("{}: missing: {reason}", gateway.platform)),
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

/// Whether a word is a digest or a CID: these say something by both of their ends, and are not broken.
fn is_hash(word: &str) -> bool {
    let word = word.trim_end_matches([':', ',', ';']);
    if let Some((_, hex)) = word.rsplit_once("sha256:") {
        return hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    }
    // CIDv1 in base32, and CIDv0.
    let is_base32 = |text: &str| text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'));
    (word.starts_with("ba") && (50..=80).contains(&word.len()) && is_base32(word))
        || (word.starts_with("Qm") && word.len() == 46 && word.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

struct Page<'l> {
    look: &'l Look,
    columns: usize,
    /// The key that shows all of it.
    browse: String,
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

    fn indented(&mut self, text: &str, style: Style) {
        let text = cut_middle(text, self.columns.saturating_sub(11), &self.look.glyphs);
        self.lines.push(Line::styled(format!("{:11}{text}", ""), style));
    }

    fn field(&mut self, label: &str, value: &str) {
        let rows = self.rows(value, self.columns.saturating_sub(10).max(8));
        let mut rows = rows.into_iter();
        let first = rows.next().unwrap_or_default();
        self.lines.push(Line::from(vec![Span::styled(format!("{label:<9} "), self.look.theme.dim), Span::raw(first)]));
        self.lines.extend(rows.map(|row| Line::raw(format!("{:10}{row}", ""))));
    }

    /// A value in lines of so many columns; where it has more lines than are shown, the last one says how long it is.
    fn rows(&self, value: &str, room: usize) -> Vec<String> {
        let fit = |word: &str| {
            if is_hash(word) { cut_middle(word, room, &self.look.glyphs) } else { word.to_owned() }
        };
        let text = printable(value).split(' ').map(fit).collect::<Vec<_>>().join(" ");
        let mut rows = wrap(&text, room);
        if rows.len() > MAX_VALUE_ROWS {
            rows.truncate(MAX_VALUE_ROWS);
            let ellipsis = self.look.glyphs.ellipsis;
            let size = bytes(value.len() as u64);
            let sign = format!("{ellipsis} {size} in total: `{}` shows it", self.browse);
            let sign = if width(&sign) * 2 <= room { sign } else { format!("{ellipsis} {size}") };
            if let Some(last) = rows.last_mut() {
                let kept = cut(last, room.saturating_sub(width(&sign)), &self.look.glyphs);
                let kept = kept.strip_suffix(ellipsis).unwrap_or(&kept);
                *last = format!("{kept}{sign}");
            }
        }
        rows
    }

    /// A value below a head: what it does not fit into one line of is indented.
    fn value(&mut self, indent: &str, value: &str) {
        let indents = indent.len() + 2;
        for (place, row) in self.rows(value, self.columns.saturating_sub(indents).max(8)).into_iter().enumerate() {
            let indent = if place == 0 { indent.len() } else { indents };
            self.lines.push(Line::raw(format!("{:indent$}{row}", "")));
        }
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
        let kind = cut(&kind, self.columns / 2, &self.look.glyphs);
        let digest = self.columns.saturating_sub(width(&kind) + 2);
        self.head(&format!("{kind}  {}", cut_middle(&manifest.digest.to_string(), digest, &self.look.glyphs)));
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
        let shown = if self.columns == UNCUT_COLUMNS { usize::MAX } else { 40 };
        let many = all.len();
        if many == 0 {
            return;
        }
        self.label(label);
        for text in all.take(shown) {
            self.value("  ", &text);
        }
        if many > shown {
            self.label(&format!("  and {} more: `{}` shows them", many - shown, self.browse));
        }
    }

    fn layer(&mut self, layer: &LayerDetails) {
        let theme = &self.look.theme;
        let size = format!("{:>9}", bytes(layer.size));
        let digest = cut_middle(&layer.digest.to_string(), self.columns.saturating_sub(11), &self.look.glyphs);
        self.lines.push(Line::from(vec![Span::raw(format!("{size}  ")), Span::styled(digest, theme.name)]));
        for row in self.sharers(layer) {
            self.lines.push(Line::styled(format!("{:11}{row}", ""), theme.dim));
        }
        if let Some(cid) = &layer.cid {
            let cid = cut_middle(cid, self.columns.saturating_sub(11), &self.look.glyphs);
            self.lines.push(Line::styled(format!("{:11}{cid}", ""), theme.dim));
        }
    }

    /// Who else has a layer, in lines: names lose their middle, and how many more there are is always said.
    fn sharers(&self, layer: &LayerDetails) -> Vec<String> {
        let room = self.columns.saturating_sub(11).max(8);
        let named = layer.shared_with.len() as u64;
        let mut parts: Vec<String> = layer.shared_with.iter().map(|name| printable(name)).collect();
        match layer.shared_by.saturating_sub(named) {
            0 if parts.is_empty() => return vec!["unique".to_owned()],
            0 => {}
            more => parts.push(format!("and {more} more")),
        }
        let last = parts.len() - 1;
        let mut rows = vec!["also in".to_owned()];
        for (place, part) in parts.iter().enumerate() {
            // What follows `and` needs no comma before it.
            let comma = if place < last && !parts[place + 1].starts_with("and ") { "," } else { "" };
            let part = format!("{}{comma}", cut_middle(part, room - comma.len(), &self.look.glyphs));
            match rows.last_mut() {
                Some(row) if width(row) + 1 + width(&part) <= room => *row = format!("{row} {part}"),
                _ => rows.push(part),
            }
        }
        rows
    }
}
