//! What goes on, beside the images on a large screen: jobs with their bars and rates, quotas.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::app::{App, Look};
use super::super::cells::{cut, cut_middle, wrap};
use super::super::command::Command;
use super::super::state::job::{Job, JobState};
use super::frame::pane;
use super::jobs::{bar, standing};
use crate::text::bytes;

const MAX_JOBS: usize = 8;

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let block = pane(look, Line::styled(" Jobs ", look.theme.dim));
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let columns = usize::from(inside.width).saturating_sub(2);
    let mut lines = Vec::new();
    for job in app.jobs.jobs.iter().take(MAX_JOBS) {
        one(job, look, columns, &mut lines);
    }
    if lines.is_empty() {
        let key = app.keymap.key(Command::Add).map(|key| key.short()).unwrap_or_default();
        lines.push(Line::styled(format!("No jobs are running; {key} mirrors an image."), look.theme.dim));
    }
    for (registry, (left, of)) in &app.jobs.quotas {
        let words = format!("{registry}: {left} of {of} pulls left");
        lines.push(Line::styled(cut(&words, columns, &look.glyphs), look.theme.dim));
    }
    let text = Rect { x: inside.x + 1, width: inside.width.saturating_sub(1), ..inside };
    frame.render_widget(Paragraph::new(lines), text);
}

fn one(job: &Job, look: &Look, columns: usize, lines: &mut Vec<Line<'static>>) {
    let (word, style) = standing(job, look);
    lines.push(Line::from(vec![
        Span::styled(format!("{word} "), style),
        Span::raw(cut_middle(&job.title, columns.saturating_sub(super::super::cells::width(&word) + 1), &look.glyphs)),
    ]));
    match &job.state {
        JobState::Planning | JobState::Running => {
            let words = match (&job.waiting, job.percent()) {
                (Some(wait), _) => wait.words(),
                (None, Some(percent)) => {
                    let (done, total) = job.bytes;
                    lines.push(Line::styled(bar(done, total, columns, look), look.theme.accent));
                    let rate = job.rate.map(|rate| format!(", {}/s", bytes(rate))).unwrap_or_default();
                    let left = job.left().map(|left| format!(", {left} s left")).unwrap_or_default();
                    format!("{percent} % of {}{rate}{left}", bytes(total))
                }
                (None, None) => job.phase.clone(),
            };
            lines.extend(wrap(&words, columns).into_iter().take(3).map(|row| Line::styled(row, look.theme.dim)));
            if job.rates.len() > 1 {
                lines.push(Line::styled(rates(job, look, columns), look.theme.accent));
            }
        }
        JobState::Done(words) => lines.push(Line::styled(cut(words, columns, &look.glyphs), look.theme.dim)),
        JobState::Failed(problem) => {
            lines.extend(
                wrap(&problem.message, columns).into_iter().take(3).map(|row| Line::styled(row, look.theme.dim)),
            );
        }
        JobState::Ready => lines.push(Line::styled("the plan is ready", look.theme.dim)),
        JobState::Cancelled => {}
    }
    lines.push(Line::raw(""));
}

/// The rates of the last minute as small columns.
fn rates(job: &Job, look: &Look, columns: usize) -> String {
    let levels = look.glyphs.levels;
    let most = job.rates.iter().copied().max().unwrap_or(0).max(1);
    let skipped = job.rates.len().saturating_sub(columns);
    let level = |rate: &u64| (u128::from(*rate) * (levels.len() as u128 - 1) / u128::from(most)) as usize;
    job.rates.iter().skip(skipped).filter_map(|rate| levels.get(level(rate))).copied().collect()
}
