//! The layers of an image beside the steps of the build that made them.

use ratatui::text::Span;

use super::super::cells::{cut, cut_middle, left, width};
use super::super::state::image_page::{Group, Part};
use super::image_lines::Lines;
use crate::engine::query::view::{LayerDetails, ManifestDetails};
use crate::text::{bytes, count, printable};

/// Columns of a size.
const SIZE_COLUMNS: usize = 9;
/// Hexadecimal digits of a digest that tell layers of an image apart.
const SHORT_DIGEST_COLUMNS: usize = 12;
/// Columns that a command has at least, before its layer's digest gives way.
const MIN_COMMAND_COLUMNS: usize = 16;

/// A step of the build, a layer, or both.
struct Step<'m> {
    /// None where the step changed no file.
    layer: Option<&'m LayerDetails>,
    /// What made it, or what it is where that is not known.
    text: String,
}

/// A step as a Dockerfile has it: without what builders write around it.
fn instruction(step: &str) -> String {
    let step = step.split_whitespace().collect::<Vec<_>>().join(" ");
    let step = step.strip_suffix("# buildkit").unwrap_or(&step).trim_end();
    let (run, shell) = step.strip_prefix("RUN ").map_or(("", step), |shell| ("RUN ", shell));
    // `|2 A=1 B=2 /bin/sh -c …`: the arguments of the build come before the shell.
    let shell = match shell.split_once("/bin/sh -c ") {
        Some((before, after)) if before.is_empty() || before.starts_with('|') => after,
        _ => return step.to_owned(),
    };
    match shell.strip_prefix("#(nop)") {
        Some(instruction) if run.is_empty() => instruction.trim_start().to_owned(),
        _ => format!("RUN {shell}"),
    }
}

fn steps(manifest: &ManifestDetails) -> Vec<Step<'_>> {
    let mut layers = manifest.layers.iter();
    match &manifest.config {
        Some(config) if config.explains(manifest.layers.len()) => config
            .history
            .iter()
            .map(|step| Step { layer: if step.empty { None } else { layers.next() }, text: instruction(&step.command) })
            .collect(),
        // What else is known of it: of an artifact, what it is.
        _ => layers.map(|layer| Step { layer: Some(layer), text: layer.media_type.clone() }).collect(),
    }
}

/// How many other images have a layer, in short.
fn shared(layer: &LayerDetails) -> String {
    match layer.shared_by {
        0 => "unique".to_owned(),
        others => format!("also in {others}"),
    }
}

/// Adds the group of layers, and that of the steps where these do not say which layer they made.
pub(super) fn add(lines: &mut Lines<'_>, manifest: &ManifestDetails) {
    let history = manifest.config.as_ref().map(|config| config.history.as_slice()).unwrap_or_default();
    let joined = manifest.config.as_ref().is_some_and(|config| config.explains(manifest.layers.len()));
    let of_all = bytes(manifest.layers.iter().map(|layer| layer.size).sum());
    if !manifest.layers.is_empty() {
        let title = if joined { "Layers and history" } else { "Layers" };
        let layers = count(manifest.layers.len() as u64, "layer", "layers");
        if lines.group(Group::Layers, title, &format!("{layers}, {of_all}")) {
            table(lines, &steps(manifest));
        }
    }
    if !joined && !history.is_empty() {
        let steps = count(history.len() as u64, "step", "steps");
        if lines.group(Group::History, "History", &steps) {
            lines.list("", history.iter().map(|step| instruction(&step.command)));
        }
    }
}

fn table(lines: &mut Lines<'_>, steps: &[Step<'_>]) {
    let (theme, glyphs) = (lines.look.theme, lines.look.glyphs);
    let group = lines.part;
    let of_shared = steps.iter().filter_map(|step| step.layer).map(|layer| width(&shared(layer))).max().unwrap_or(0);
    // The sign of the fold before the size.
    let room = lines.columns().saturating_sub(2 + SIZE_COLUMNS + 2 + 2 + of_shared);
    let with_digest = room >= MIN_COMMAND_COLUMNS + SHORT_DIGEST_COLUMNS + 2;
    let room = if with_digest { room - SHORT_DIGEST_COLUMNS - 2 } else { room };
    for (number, step) in steps.iter().enumerate() {
        let part = Part::Step(number);
        lines.part = Some(part);
        let size = step.layer.map(|layer| bytes(layer.size)).unwrap_or_default();
        let size = format!("{size:>SIZE_COLUMNS$}  ");
        let style = if step.layer.is_some() { theme.text } else { theme.dim };
        if lines.is_whole() {
            lines.push(vec![Span::raw(size), Span::styled(printable(&step.text), style)]);
        } else {
            let mut spans = vec![
                Span::styled(format!("{} ", lines.fold_sign(part)), theme.dim),
                Span::raw(size),
                Span::styled(cut(&step.text, room, &glyphs), style),
            ];
            if let Some(layer) = step.layer {
                if let Some(text) = spans.last_mut() {
                    let padded = left(&text.content, room + 2, &glyphs);
                    text.content = padded.into();
                }
                if with_digest {
                    let digest: String = layer.digest.hex().chars().take(SHORT_DIGEST_COLUMNS).collect();
                    spans.push(Span::styled(format!("{digest}  "), theme.name));
                }
                spans.push(Span::styled(shared(layer), theme.dim));
            }
            lines.push(spans);
        }
        if !lines.is_folded(part) {
            unfolded(lines, step, room);
        }
    }
    lines.part = group;
}

/// Everything about a step, below its line.
fn unfolded(lines: &mut Lines<'_>, step: &Step<'_>, room: usize) {
    // Under the command.
    let indent = if lines.is_whole() { SIZE_COLUMNS + 2 } else { SIZE_COLUMNS + 4 };
    lines.indent += indent;
    if width(&printable(&step.text)) > room {
        lines.command(&step.text);
    }
    if let Some(layer) = step.layer {
        lines.field("digest", &layer.digest.to_string());
        lines.field("CID", layer.cid.as_deref().unwrap_or("none: it is left out"));
        if step.text != layer.media_type {
            lines.field("type", &layer.media_type);
        }
        for (place, row) in sharers(lines, layer).into_iter().enumerate() {
            let label = if place > 0 || layer.shared_by == 0 { "" } else { "also in" };
            lines.styled(label, &row, lines.look.theme.dim);
        }
    }
    lines.indent -= indent;
}

/// Who else has a layer, in lines: names lose their middle, and how many more there are is always said.
fn sharers(lines: &Lines<'_>, layer: &LayerDetails) -> Vec<String> {
    let room = lines.columns().saturating_sub(10).max(8);
    let named = layer.shared_with.len() as u64;
    let mut parts: Vec<String> = layer.shared_with.iter().map(|name| printable(name)).collect();
    match layer.shared_by.saturating_sub(named) {
        0 if parts.is_empty() => return Vec::new(),
        0 => {}
        more => parts.push(format!("and {more} more")),
    }
    let last = parts.len() - 1;
    let mut rows: Vec<String> = Vec::new();
    for (place, part) in parts.iter().enumerate() {
        // What follows `and` needs no comma before it.
        let comma = if place < last && !parts[place + 1].starts_with("and ") { "," } else { "" };
        let part = format!("{}{comma}", cut_middle(part, room - comma.len(), &lines.look.glyphs));
        match rows.last_mut() {
            Some(row) if width(row) + 1 + width(&part) <= room => *row = format!("{row} {part}"),
            _ => rows.push(part),
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::query::view::{ConfigDetails, Step as Made};
    use crate::image::Digest;

    #[test]
    fn steps_read_as_in_a_dockerfile() {
        for (step, shown) in [
            ("/bin/sh -c #(nop)  CMD [\"nginx\"]", "CMD [\"nginx\"]"),
            ("/bin/sh -c set -x     && apk add nginx", "RUN set -x && apk add nginx"),
            ("RUN /bin/sh -c apk add nginx # buildkit", "RUN apk add nginx"),
            ("RUN |2 A=1 B=/bin /bin/sh -c make # buildkit", "RUN make"),
            ("|1 A=1 /bin/sh -c make", "RUN make"),
            ("COPY / / # buildkit", "COPY / /"),
            ("echo /bin/sh -c x", "echo /bin/sh -c x"),
            ("RUN /bin/sh -c #(nop) x", "RUN #(nop) x"),
            ("", ""),
        ] {
            assert_eq!(instruction(step), shown);
        }
    }

    fn manifest(layers: u64, steps: &[(&str, bool)]) -> ManifestDetails {
        let layer = |number: u64| LayerDetails {
            digest: Digest::of(&number.to_be_bytes()),
            cid: None,
            media_type: "type".to_owned(),
            size: number,
            created_by: None,
            shared_with: Vec::new(),
            shared_by: 0,
        };
        let history = steps.iter().map(|(command, empty)| Made { command: (*command).to_owned(), empty: *empty });
        ManifestDetails {
            digest: Digest::of(b"manifest"),
            cid: String::new(),
            media_type: String::new(),
            size: 1,
            platform: None,
            attests: None,
            config: Some(ConfigDetails { history: history.collect(), ..ConfigDetails::default() }),
            layers: (1..=layers).map(layer).collect(),
        }
    }

    #[test]
    fn a_layer_stands_beside_its_step_only_if_every_layer_has_one() {
        let shown = |manifest: &ManifestDetails| -> Vec<(Option<u64>, String)> {
            steps(manifest).into_iter().map(|step| (step.layer.map(|layer| layer.size), step.text)).collect()
        };
        let history = [("ADD a", false), ("ENV x", true), ("RUN b", false)];
        let of = |size, text: &str| (size, text.to_owned());
        assert_eq!(shown(&manifest(2, &history)), [of(Some(1), "ADD a"), of(None, "ENV x"), of(Some(2), "RUN b")]);
        assert_eq!(shown(&manifest(1, &history)), [of(Some(1), "type")]);
        assert_eq!(shown(&manifest(3, &history)).len(), 3);
        assert!(shown(&manifest(0, &history)).is_empty());
    }
}
