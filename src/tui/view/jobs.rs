//! Jobs: the list, and the one under the cursor: its blobs, steps and notes.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::app::{App, Look};
use super::super::cells::{age, cut, cut_middle, left, right, width, wrap};
use super::super::command::Command;
pub(super) use super::super::state::job::step_name;
use super::super::state::job::{Job, JobState};
use super::frame::pane;
use crate::engine::job::StepState;
use crate::holder::Holder;
use crate::text::bytes;

/// Where the list is, if it is shown, and what the job under the cursor says.
fn parts(app: &App, area: Rect) -> (Option<Rect>, Rect) {
    if app.beside() {
        let left = Rect { width: area.width / 2, ..area };
        return (Some(left), Rect { x: area.x + left.width, width: area.width - left.width, ..area });
    }
    if app.jobs.open && app.jobs.current().is_some() {
        return (None, area);
    }
    // The list takes no more than it has rows.
    let rows = app.jobs.jobs.len() + usize::from(app.elsewhere.is_some());
    let rows = u16::try_from(rows).unwrap_or(u16::MAX).saturating_add(2);
    let height = rows.clamp(4, (area.height / 2).max(4)).min(area.height);
    (Some(Rect { height, ..area }), Rect { y: area.y + height, height: area.height - height, ..area })
}

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let (list, details) = parts(app, area);
    if let Some(list) = list {
        rows(app, frame, list);
    }
    one(app, frame, details);
}

/// How far what the job under the cursor says can be scrolled, as it is drawn.
pub(in crate::tui) fn end(app: &App) -> u16 {
    let Some(job) = app.jobs.current() else { return 0 };
    let (_, details) = parts(app, super::frame::Parts::of(app).body);
    beyond(lines(app, job, columns_in(details)).len(), details)
}

/// The columns of the text in a pane: without frame, and a column at either side.
fn columns_in(area: Rect) -> usize {
    usize::from(area.width).saturating_sub(4)
}

/// How many of so many lines a pane has no room for.
fn beyond(lines: usize, area: Rect) -> u16 {
    u16::try_from(lines).unwrap_or(u16::MAX).saturating_sub(area.height.saturating_sub(2))
}

pub(super) fn standing(job: &Job, look: &Look) -> (String, Style) {
    let (theme, glyphs) = (&look.theme, &look.glyphs);
    match &job.state {
        JobState::Ready => (format!("{} ready", glyphs.outdated), theme.warning),
        JobState::Planning | JobState::Running if job.waiting.is_some() || job.stalled().is_some() => {
            (format!("{} waiting", glyphs.waiting), theme.warning)
        }
        JobState::Planning => (format!("{} planning", glyphs.arriving), theme.accent),
        JobState::Running => (format!("{} running", glyphs.arriving), theme.accent),
        JobState::Done(_) => (format!("{} done", glyphs.done), theme.good),
        JobState::Failed(_) => (format!("{} failed", glyphs.failed), theme.danger),
        JobState::Cancelled => (format!("{} cancelled", glyphs.failed), theme.warning),
    }
}

fn rows(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let (look, jobs) = (&app.look, &app.jobs);
    let running = jobs.running().count();
    let other = if app.elsewhere.is_some() { ", 1 in another process" } else { "" };
    let block = pane(
        look,
        Line::from(vec![
            Span::styled(" Jobs ", look.theme.title),
            Span::styled(format!("{running} running{other} "), look.theme.dim),
        ]),
    );
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let columns = usize::from(inside.width);
    let foreign = app.elsewhere.as_ref().map(|holder| elsewhere(app, holder, columns));
    if let (true, Some(foreign)) = (jobs.jobs.is_empty(), &foreign) {
        frame.render_widget(Paragraph::new(foreign.clone()), inside);
        return;
    }
    if jobs.jobs.is_empty() {
        let words = if app.jobs_begun > 0 {
            let key = super::key(app, Command::Log);
            format!("No jobs are running. Ended jobs were cleared; the log ({key}) still has them.")
        } else {
            "Nothing has run yet: adding, updating, publishing and checking show here.".to_owned()
        };
        let rows = wrap(&words, usize::from(inside.width).saturating_sub(3));
        let lines: Vec<_> = rows.into_iter().map(|row| Line::styled(format!("  {row}"), look.theme.dim)).collect();
        frame.render_widget(Paragraph::new(lines), inside);
        return;
    }
    let height = usize::from(inside.height).saturating_sub(usize::from(foreign.is_some())).max(1);
    let top = jobs.cursor.saturating_sub(height - 1);
    let own = jobs.jobs.iter().enumerate().skip(top).take(height).map(|(place, job)| {
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
    });
    let lines: Vec<Line<'_>> = foreign.into_iter().chain(own).collect();
    frame.render_widget(Paragraph::new(lines), inside);
}

/// What another process does, as a row of the list that no key is about.
fn elsewhere(app: &App, holder: &Holder, columns: usize) -> Line<'static> {
    let look = &app.look;
    let after = format!("process {}{}", holder.process, elsewhere_since(app, holder));
    let title = left(&holder.doing, columns.saturating_sub(16 + width(&after)), &look.glyphs);
    Line::from(vec![
        Span::raw("  "),
        Span::styled(left(&format!("{} running", look.glyphs.arriving), 12, &look.glyphs), look.theme.accent),
        Span::raw(format!("{title} ")),
        Span::styled(after, look.theme.dim),
    ])
}

/// For how long another process has been at it, if it says so.
pub(super) fn elsewhere_since(app: &App, holder: &Holder) -> String {
    let since = holder.since.map(|since| age(app.wall.as_second().saturating_sub(since).max(0)));
    since.map(|since| format!(", {since}")).unwrap_or_default()
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
    let active = app.jobs.open || !app.beside();
    let mut block =
        pane(look, Line::styled(format!(" {title} "), if active { look.theme.title } else { look.theme.dim }));
    let lines = lines(app, job, columns_in(area));
    let end = beyond(lines.len(), area);
    let scroll = if app.jobs.open { app.jobs.scroll.min(end) } else { 0 };
    let more = crate::text::count(u64::from(end - scroll), "more line", "more lines");
    let below = match (app.jobs.open, end > scroll) {
        (false, false) => String::new(),
        (false, true) => format!(" {more}: {} ", super::key(app, Command::Open)),
        (true, false) => format!(" back: {} ", super::key(app, Command::Back)),
        (true, true) => format!(" {more}, back: {} ", super::key(app, Command::Back)),
    };
    block = block.title_bottom(Line::styled(below, look.theme.dim));
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let text = Rect { x: inside.x + 1, width: inside.width.saturating_sub(1), ..inside };
    frame.render_widget(Paragraph::new(lines).scroll((scroll, 0)), text);
}

/// What a job says, line by line: how it stands, then what it did.
fn lines(app: &App, job: &Job, columns: usize) -> Vec<Line<'static>> {
    let look = &app.look;
    let mut lines = Vec::new();
    let mut say = |text: &str, style| lines.extend(wrap(text, columns).into_iter().map(|row| Line::styled(row, style)));
    // The frame has room for a short one.
    if width(&job.title) + 8 > columns {
        say(&job.title, look.theme.name);
    }
    match &job.state {
        JobState::Ready => {
            let open = super::key(app, Command::Open);
            say(&format!("The plan is ready: {open} shows it and asks whether to run it."), look.theme.warning);
        }
        JobState::Planning | JobState::Running => {
            if let Some(wait) = &job.waiting {
                say(&wait.words(), look.theme.warning);
            } else {
                say(&job.facts().join("  "), look.theme.accent);
                job.reason().iter().for_each(|reason| say(reason, look.theme.warning));
            }
        }
        JobState::Done(words) => say(words, look.theme.good),
        JobState::Failed(problem) => {
            say(&problem.message, look.theme.danger);
            problem.hints.iter().for_each(|hint| say(hint, look.theme.text));
        }
        JobState::Cancelled => say("Cancelled; what is verified is kept.", look.theme.warning),
    }
    if job.blobs.0 > 0 {
        say(&format!("{} of {} blobs fetched", job.blobs.1, job.blobs.0), look.theme.dim);
    }
    for blob in &job.fetching {
        let bar = bar(blob.done(), blob.size, 16, look);
        let sizes =
            format!("{} {}", right(&bytes(blob.done()), 9, &look.glyphs), right(&bytes(blob.size), 9, &look.glyphs));
        let digest = cut_middle(&blob.digest.to_string(), columns.saturating_sub(17 + width(&sizes) + 1), &look.glyphs);
        lines.push(Line::from(vec![
            Span::styled(format!("{bar} "), look.theme.accent),
            Span::raw(format!("{sizes} {digest}")),
        ]));
    }
    for (target, steps) in &job.steps {
        lines.push(Line::styled(cut(target, columns, &look.glyphs), look.theme.name));
        for (step, state) in steps {
            let (sign, style, words) = match state {
                StepState::Running => (look.glyphs.arriving, look.theme.accent, look.glyphs.waiting.to_owned()),
                StepState::Done(words) => (look.glyphs.done, look.theme.good, words.clone()),
                StepState::Skipped => (look.glyphs.dot, look.theme.dim, "nothing to do".to_owned()),
                StepState::Failed(reason) => (look.glyphs.failed, look.theme.danger, reason.clone()),
            };
            let rows = wrap(&format!("{} {words}", step_name(*step)), columns.saturating_sub(4));
            for (place, row) in rows.into_iter().enumerate() {
                let sign = if place == 0 { sign } else { " " };
                lines.push(Line::from(vec![Span::styled(format!("  {sign} "), style), Span::raw(row)]));
            }
        }
    }
    let mut say = |text: &str, style| lines.extend(wrap(text, columns).into_iter().map(|row| Line::styled(row, style)));
    // Why it failed has been said above.
    let said = if let JobState::Failed(problem) = &job.state { problem.text() } else { String::new() };
    let new = |note: &&String| {
        // What was tried of a target begins with a sign, and is told once by its name.
        let glyphs = &look.glyphs;
        let signs = [glyphs.done, glyphs.failed, glyphs.outdated, glyphs.dot];
        let tried = signs.iter().find_map(|sign| note.strip_prefix(sign)?.strip_prefix(' '));
        let reason = tried.or_else(|| note.split_once(": ").map(|(_, reason)| reason)).unwrap_or(note);
        !said.contains(note.as_str()) && !said.contains(reason)
    };
    job.notes.iter().filter(new).for_each(|note| say(note, look.theme.dim));
    for (role, text) in &job.report {
        let indent = text.len() - text.trim_start().len();
        for (number, row) in wrap(text.trim_start(), columns.saturating_sub(indent + 2)).into_iter().enumerate() {
            let indent = if number == 0 { indent } else { indent + 2 };
            lines.push(Line::styled(format!("{:indent$}{row}", ""), super::dialogs::style(look, *role)));
        }
    }
    let mut say = |text: &str, style| lines.extend(wrap(text, columns).into_iter().map(|row| Line::styled(row, style)));
    for (registry, (left, of)) in &app.jobs.quotas {
        say(&format!("{registry}: {left} of {of} pulls left"), look.theme.dim);
    }
    lines
}
