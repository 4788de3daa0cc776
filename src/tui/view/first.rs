//! A first run: nothing is here yet, so this says what is found on this machine and which keys lead on.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::app::App;
use super::super::cells::{cut, cut_middle};
use super::super::command::Command;
use super::dialogs::style;

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let (theme, glyphs) = (&app.look.theme, &app.look.glyphs);
    let columns = usize::from(area.width).saturating_sub(6);
    if app.follow_state.following.is_some() {
        following(app, frame, area, columns);
        return;
    }
    let mut lines = vec![Line::raw(""), Line::styled("  No images yet.", theme.title), Line::raw("")];
    match &app.environment {
        None => lines.push(Line::styled(format!("  {} looking at this machine", glyphs.waiting), theme.dim)),
        Some(checks) => lines.extend(checks.iter().map(|check| {
            let (sign, style) = match check.good {
                Some(true) => (glyphs.done, theme.good),
                Some(false) => (glyphs.failed, theme.danger),
                None => (glyphs.dot, theme.dim),
            };
            Line::from(vec![
                Span::styled(format!("  {sign} "), style),
                Span::styled(cut(&check.text, columns, glyphs), theme.text),
            ])
        })),
    }
    lines.push(Line::raw(""));
    let mut key = |command: Command, words: &str| {
        if app.read_only.is_some() && command.changes() {
            return;
        }
        let key = app.keymap.key(command).map(|key| key.short()).unwrap_or_default();
        lines.push(Line::from(vec![
            Span::styled(format!("  {key:>3}  "), theme.key),
            Span::styled(cut(words, columns.saturating_sub(1), glyphs), theme.text),
        ]));
    };
    let rules = app.rules.shown.rules.len() as u64;
    if rules > 0 {
        key(
            Command::UpdateAll,
            &format!("runs {}", crate::text::count(rules, "rule that is here", "rules that are here")),
        );
    }
    key(Command::Add, "mirrors nginx:alpine, or a pattern like nginx:1.#.#; pasting does too");
    let file = match (app.compose_file, app.regsync_file) {
        (Some(file), Some(other)) => format!("takes {file}, which is here; `:rule import {other}` makes rules of that"),
        (Some(file), None) => format!("takes {file}, which is here, or another file that names images"),
        (None, Some(file)) => format!("makes rules of {file}, which is here"),
        (None, None) => "takes a file that names images: Compose, Kubernetes, Dockerfile, list".to_owned(),
    };
    key(Command::FirstFile, &file);
    key(Command::Example, "mirrors a small example, docker.io/library/hello-world");
    key(Command::FirstTarget, "sets up where to publish to: this program itself or an IPFS node, and a name");
    key(Command::FollowName, "follows a published registry: this catalog becomes its verified copy");
    key(Command::Help, "shows all commands");
    lines.push(Line::raw(""));
    let words = "`roadstead demo --tui` shows it all with generated images.";
    lines.push(Line::styled(format!("  {}", cut(words, columns, glyphs)), theme.dim));
    frame.render_widget(Paragraph::new(lines), area);
}

/// The catalog is a copy of which nothing is here yet.
fn following(app: &App, frame: &mut Frame<'_>, area: Rect, columns: usize) {
    let (theme, glyphs) = (&app.look.theme, &app.look.glyphs);
    let mut lines = vec![Line::raw("")];
    let title = super::super::following::in_short(app).unwrap_or_default();
    lines.push(Line::styled(format!("  {}", cut_middle(&title, columns, glyphs)), theme.title));
    lines.push(Line::raw(""));
    let rows = super::following::rows(app, columns).into_iter();
    lines.extend(rows.map(|(role, text)| Line::styled(format!("  {text}"), style(&app.look, role))));
    lines.push(Line::raw(""));
    for (command, words) in [
        (Command::FollowName, "shows this, looks at the name now, or stops following"),
        (Command::Jobs, "shows what is being fetched"),
        (Command::Help, "shows all commands"),
    ] {
        let key = app.keymap.key(command).map(|key| key.short()).unwrap_or_default();
        lines.push(Line::from(vec![
            Span::styled(format!("  {key:>3}  "), theme.key),
            Span::styled(cut(words, columns, glyphs), theme.text),
        ]));
    }
    frame.render_widget(Paragraph::new(lines), area);
}
