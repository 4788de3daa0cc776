//! Jobs: the list, and the one under the cursor: its blobs, steps and notes.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::app::{App, Look};
use super::super::cells::{age, cut, cut_middle, left, right, wrap};
use super::super::state::jobs::{Job, Standing};
use super::frame::{job_line, pane};
use crate::engine::job::StepState;
use crate::text::bytes;

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let (list, details) = if app.beside() {
        let left = Rect { width: area.width / 2, ..area };
        (left, Rect { x: area.x + left.width, width: area.width - left.width, ..area })
    } else {
        let height = (area.height / 2).max(4);
        (Rect { height, ..area }, Rect { y: area.y + height, height: area.height - height, ..area })
    };
    rows(app, frame, list);
    one(app, frame, details);
}

pub(super) fn standing(job: &Job, look: &Look) -> (String, Style) {
    let (theme, glyphs) = (&look.theme, &look.glyphs);
    match &job.standing {
        Standing::Running if job.waiting.is_some() => (format!("{} waits", glyphs.waiting), theme.warning),
        Standing::Running => (format!("{} runs", glyphs.arriving), theme.accent),
        Standing::Done(_) => (format!("{} done", glyphs.done), theme.good),
        Standing::Failed(_) => (format!("{} failed", glyphs.failed), theme.danger),
        Standing::Cancelled => (format!("{} cancelled", glyphs.failed), theme.warning),
    }
}

fn rows(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let (look, jobs) = (&app.look, &app.jobs);
    let running = jobs.running().count();
    let block = pane(
        look,
        Line::from(vec![
            Span::styled(" Jobs ", look.theme.title),
            Span::styled(format!("{running} running "), look.theme.dim),
        ]),
    );
    let inside = block.inner(area);
    frame.render_widget(block, area);
    if jobs.jobs.is_empty() {
        let words =
            Line::styled("  Nothing has run yet: adding, updating, publishing and checking show here.", look.theme.dim);
        frame.render_widget(Paragraph::new(words), inside);
        return;
    }
    let height = usize::from(inside.height).max(1);
    let top = jobs.cursor.saturating_sub(height - 1);
    let columns = usize::from(inside.width);
    let lines: Vec<Line<'_>> = jobs
        .jobs
        .iter()
        .enumerate()
        .skip(top)
        .take(height)
        .map(|(place, job)| {
            let (word, style) = standing(job, look);
            let time = age(i64::try_from(job.running.as_secs()).unwrap_or(0));
            let percent = job.percent().map(|percent| format!("{percent} %")).unwrap_or_default();
            let selected = place == jobs.cursor;
            let cursor = if selected { look.glyphs.cursor } else { " " };
            let title = left(&job.title, columns.saturating_sub(32), &look.glyphs);
            let line = Line::from(vec![
                Span::styled(format!("{cursor} "), look.theme.accent),
                Span::styled(left(&word, 12, &look.glyphs), style),
                Span::raw(format!("{title} ")),
                Span::styled(
                    format!("{} {}", right(&percent, 6, &look.glyphs), right(&time, 8, &look.glyphs)),
                    look.theme.dim,
                ),
            ]);
            if selected { super::table::under_cursor(line, look) } else { line }
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), inside);
}

/// A bar of so many columns.
pub(super) fn bar(done: u64, total: u64, columns: usize, look: &Look) -> String {
    let full =
        if total == 0 { 0 } else { (u128::from(done.min(total)) * columns as u128 / u128::from(total)) as usize };
    format!("{}{}", look.glyphs.bar.0.repeat(full), look.glyphs.bar.1.repeat(columns - full))
}

fn one(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let Some(job) = app.jobs.current() else {
        frame.render_widget(pane(look, Line::styled(" Job ", look.theme.dim)), area);
        return;
    };
    let title =
        cut_middle(&format!("#{} {}", job.id, job.title), usize::from(area.width).saturating_sub(4), &look.glyphs);
    let block = pane(look, Line::styled(format!(" {title} "), look.theme.title));
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let columns = usize::from(inside.width).saturating_sub(2);
    let mut lines = Vec::new();
    match &job.standing {
        Standing::Running => lines.push(Line::styled(job_line(job, look, columns), look.theme.accent)),
        Standing::Done(words) => {
            lines.extend(wrap(words, columns).into_iter().map(|row| Line::styled(row, look.theme.good)));
        }
        Standing::Failed(problem) => {
            lines.extend(wrap(&problem.text(), columns).into_iter().map(|row| Line::styled(row, look.theme.danger)));
        }
        Standing::Cancelled => lines.push(Line::styled("Cancelled; what is verified is kept.", look.theme.warning)),
    }
    if job.blobs.0 > 0 {
        lines.push(Line::styled(format!("{} of {} blobs", job.blobs.1, job.blobs.0), look.theme.dim));
    }
    for blob in &job.fetching {
        let bar = bar(blob.done(), blob.size, 16, look);
        let text = format!(
            "{} {} {}",
            right(&bytes(blob.done()), 9, &look.glyphs),
            right(&bytes(blob.size), 9, &look.glyphs),
            blob.digest
        );
        lines.push(Line::from(vec![
            Span::styled(format!("{bar} "), look.theme.accent),
            Span::raw(cut_middle(&text, columns.saturating_sub(17), &look.glyphs)),
        ]));
    }
    for (target, steps) in &job.steps {
        lines.push(Line::styled(cut(target, columns, &look.glyphs), look.theme.name));
        for (step, state) in steps {
            let (sign, style, words) = match state {
                StepState::Running => (look.glyphs.arriving, look.theme.accent, "…".to_owned()),
                StepState::Done(words) => (look.glyphs.done, look.theme.good, words.clone()),
                StepState::Skipped => (look.glyphs.dot, look.theme.dim, "nothing to do".to_owned()),
                StepState::Failed(reason) => (look.glyphs.failed, look.theme.danger, reason.clone()),
            };
            let text = cut(&format!("{} {words}", step_name(*step)), columns.saturating_sub(4), &look.glyphs);
            lines.push(Line::from(vec![Span::styled(format!("  {sign} "), style), Span::raw(text)]));
        }
    }
    lines.extend(job.notes.iter().flat_map(|note| wrap(note, columns)).map(|row| Line::styled(row, look.theme.dim)));
    for (registry, (left, of)) in &app.jobs.quotas {
        lines.push(Line::styled(
            cut(&format!("{registry}: {left} of {of} pulls left"), columns, &look.glyphs),
            look.theme.dim,
        ));
    }
    let text = Rect { x: inside.x + 1, width: inside.width.saturating_sub(1), ..inside };
    frame.render_widget(Paragraph::new(lines), text);
}

pub(super) fn step_name(step: crate::engine::publish::plan::Step) -> &'static str {
    use crate::engine::publish::plan::Step;
    match step {
        Step::HandOver => "hand over",
        Step::Pin => "pin",
        Step::Check => "check",
        Step::Dnslink => "DNSLink",
        Step::Ipns => "IPNS",
        Step::Tidy => "tidy",
        Step::Gateways => "gateways",
    }
}
