//! The page of a rule: what it says, what came of it, and why each tag is in or out.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::super::app::App;
use super::super::cells::{cut, cut_middle, width, wrap};
use super::super::columns::{self, RULE_TAGS, RuleTagCells};
use super::super::command::Command;
use super::super::describe::{Role, Row, day};
use super::super::state::rule_tags::TagRow;
use super::super::state::rules::next_run;
use super::super::state::tag_lists::Listed;
use super::dialogs::style;
use super::frame::pane;
use super::publish::key;
use super::rules::{ago, listed, until};
use super::table;
use crate::engine::rules::ShownRule;
use crate::image::tags::{TagRule, Verdict};
use crate::rules::{Subject, write_rule};
use crate::text::printable;

/// Columns before the value of a fact.
const LABEL_COLUMNS: usize = 10;
/// Rows of tags that stay in sight, whatever there is to say of a rule.
const MIN_TAG_ROWS: u16 = 8;

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    if app.beside() {
        let left = Rect { width: area.width * 3 / 5, ..area };
        tags(app, frame, left);
        facts_pane(app, frame, Rect { x: area.x + left.width, width: area.width - left.width, ..area });
        return;
    }
    let lines = facts(app, usize::from(area.width).saturating_sub(4)).len();
    let wanted = u16::try_from(lines).unwrap_or(u16::MAX).saturating_add(2);
    let height = wanted.min(area.height.saturating_sub(MIN_TAG_ROWS)).max(3);
    facts_pane(app, frame, Rect { height, ..area });
    tags(app, frame, Rect { y: area.y + height, height: area.height.saturating_sub(height), ..area });
}

/// What there is to say of the rule, in a frame.
pub(super) fn facts_pane(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let name = app.rules.current().map(|shown| shown.rule.name.to_string()).unwrap_or_default();
    let name = cut_middle(&name, usize::from(area.width).saturating_sub(4), &look.glyphs);
    let block = pane(look, Line::styled(format!(" {name} "), look.theme.title));
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let mut lines = facts(app, usize::from(inside.width).saturating_sub(2));
    let room = usize::from(inside.height);
    if lines.len() > room {
        lines.truncate(room.saturating_sub(1));
        let words = format!("{} {} copies the definition", look.glyphs.ellipsis, key(app, Command::Copy));
        lines.push(Line::styled(words, look.theme.dim));
    }
    let text = Rect { x: inside.x + 1, width: inside.width.saturating_sub(1), ..inside };
    frame.render_widget(Paragraph::new(lines), text);
}

fn facts(app: &App, columns: usize) -> Vec<Line<'static>> {
    let Some(shown) = app.rules.current() else { return Vec::new() };
    let mut lines = Vec::new();
    for (label, (role, text)) in rows(app, shown) {
        let room = columns.saturating_sub(LABEL_COLUMNS).max(20);
        for (number, part) in wrap(&text, room).into_iter().enumerate() {
            let label = if number == 0 { label } else { "" };
            lines.push(Line::styled(format!("{label:LABEL_COLUMNS$}{part}"), style(&app.look, role)));
        }
    }
    lines
}

/// Everything about a rule, but for its tags.
fn rows(app: &App, shown: &ShownRule) -> Vec<(&'static str, Row)> {
    let mut rows = Vec::new();
    match &shown.run {
        None => {
            let run = key(app, Command::RuleRun);
            rows.push(("last run", (Role::Warning, format!("never: {run} runs it"))));
        }
        Some((at, outcome)) => {
            let role = if outcome.failed.is_empty() { Role::Good } else { Role::Warning };
            let text = format!("{} ({}): {}", ago(app, *at), day(*at, &app.zone), outcome.summary());
            rows.push(("last run", (role, text)));
            rows.extend(outcome.failed.iter().map(|why| ("failed", (Role::Danger, printable(why)))));
        }
    }
    let next = match next_run(shown) {
        Some(at) => (Role::Text, format!("{}, by `roadstead watch`", until(app, at))),
        // Whether there is a timer is not known here.
        None => (Role::Dim, "when a timer or you run it; `:schedule` prints a timer".to_owned()),
    };
    rows.push(("next run", next));
    let checked = app.rules.checked(shown);
    let words = checked.map_or_else(|| "never".to_owned(), |at| ago(app, at));
    rows.push(("checked", (Role::Text, words)));
    if let Subject::Repository { upstream, .. } = &shown.rule.subject
        && let Some((left, of)) = app.jobs.quotas.get(&upstream.registry)
    {
        let text =
            format!("{left} of {of} pulls left at {}, {} of them reserved", upstream.registry, shown.rule.reserve);
        let role = if *left <= u64::from(shown.rule.reserve) { Role::Warning } else { Role::Text };
        rows.push(("quota", (role, text)));
    }
    if let Some(file) = &app.rules.shown.file {
        rows.push(("file", (Role::Dim, printable(&file.display().to_string()))));
    }
    let definition = write_rule(&shown.rule);
    for (number, line) in definition.lines().skip(1).enumerate() {
        rows.push((if number == 0 { "says" } else { "" }, (Role::Name, printable(line))));
    }
    rows
}

/// Why there are no tags to show.
fn nothing(app: &App) -> (String, Style) {
    let theme = &app.look.theme;
    let Some(shown) = app.rules.current() else { return (String::new(), theme.dim) };
    let Subject::Repository { upstream, .. } = &shown.rule.subject else {
        return ("  Nothing is here of it yet.".to_owned(), theme.dim);
    };
    match app.tag_lists.of(upstream) {
        Some(Listed::Failed(why)) => {
            let check = key(app, Command::RuleCheck);
            (format!("  The tags of {upstream} can't be listed: {why}. {check} asks again."), theme.warning)
        }
        Some(Listed::Known(_)) => ("  No tag matches: a pattern matches the whole tag.".to_owned(), theme.warning),
        Some(Listed::Asked) | None => (format!("  asking for the tags of {upstream}"), theme.dim),
    }
}

fn cells(app: &App, row: &TagRow) -> RuleTagCells {
    let (theme, glyphs) = (&app.look.theme, &app.look.glyphs);
    let held = app.rules.held(&row.tag);
    let nothing = TagRule::default();
    let rule = match app.rules.current().map(|shown| &shown.rule.subject) {
        Some(Subject::Repository { tags, .. }) => tags,
        _ => &nothing,
    };
    let why = match (row.verdict, held) {
        (_, Some(until)) => (format!("{} too young until {}", glyphs.waiting, day(until, &app.zone)), theme.warning),
        (Some(verdict), _) => {
            let (glyph, style) = match verdict {
                Verdict::Selected => (glyphs.done, theme.good),
                Verdict::TooYoung => (glyphs.waiting, theme.warning),
                _ => (glyphs.dot, theme.dim),
            };
            (format!("{glyph} {}", verdict.words(rule)), style)
        }
        (None, _) if row.image.as_ref().is_some_and(|image| image.leaving_at.is_none()) => (String::new(), theme.dim),
        (None, _) => (format!("{} no pattern matches it any more", glyphs.dot), theme.dim),
    };
    let own = app.rules.current().map(|shown| shown.rule.name.to_string());
    let here = match &row.image {
        image if !row.is_here => {
            let is_wanted = row.verdict == Some(Verdict::Selected) || row.verdict.is_none() && image.is_some();
            let words = if is_wanted { "waits for the next run" } else { "" };
            (words.to_owned(), theme.warning)
        }
        None => ("here, by hand".to_owned(), theme.dim),
        Some(image) if Some(&image.rule) != own.as_ref() => (format!("here, by {}", printable(&image.rule)), theme.dim),
        Some(image) => match (image.brought, app.rules.goes(image)) {
            (_, Some(at)) => (format!("leaving, {}", goes(app, at)), theme.warning),
            (true, None) => ("brought".to_owned(), theme.text),
            (false, None) => ("was here before".to_owned(), theme.dim),
        },
    };
    RuleTagCells { tag: row.tag.clone(), why, here }
}

/// When something that leaves goes, in a few words.
pub(super) fn goes(app: &App, at: Option<i64>) -> String {
    match at.map(|at| at - app.wall.as_second()) {
        None => "stays".to_owned(),
        Some(..=0) => "goes next".to_owned(),
        Some(seconds) => format!("goes in {}", super::super::cells::age(seconds)),
    }
}

fn tags(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let (look, all) = (&app.look, app.rules.tags());
    let rows = usize::from(area.height.saturating_sub(3)).max(1);
    let taken = all.iter().filter(|row| row.verdict == Some(Verdict::Selected)).count();
    let of_sources = |shown: &ShownRule| matches!(shown.rule.subject, Subject::Sources(_));
    let title = if app.rules.current().is_some_and(of_sources) { "Images" } else { "Tags" };
    let taken = if taken > 0 { format!("{taken} selected") } else { String::new() };
    let checked = app.rules.current().and_then(|shown| app.rules.checked(shown));
    let (block, top) = listed(app, title, all.len(), rows, app.rules.place(), (&taken, checked));
    let inside = block.inner(area);
    frame.render_widget(block, area);
    if all.is_empty() {
        let filter = app.rules.filter();
        let (words, style) = match filter {
            "" => nothing(app),
            filter => (format!("  No tag matches `{}`.", cut(filter, 40, &look.glyphs)), look.theme.title),
        };
        let lines = wrap(&words, usize::from(inside.width).saturating_sub(2)).into_iter();
        let lines: Vec<Line<'_>> = lines.map(|row| Line::styled(row, style)).collect();
        frame.render_widget(Paragraph::new(lines), inside);
        return;
    }
    let shown = || all.iter().enumerate().skip(top).take(rows);
    let cells: Vec<RuleTagCells> = shown().map(|(_, row)| cells(app, row)).collect();
    let widest = |texts: Vec<&str>, most: u16| {
        texts.into_iter().filter_map(|text| u16::try_from(width(text)).ok()).max().unwrap_or(0).min(most)
    };
    let need = |id: &str| match id {
        "tag" => {
            Some(widest(cells.iter().map(|cells| cells.tag.as_str()).collect(), (inside.width / 2).saturating_sub(4)))
        }
        "here" => Some(widest(cells.iter().map(|cells| cells.here.0.as_str()).collect(), 22)),
        _ => None,
    };
    let fitting = table::fit(&table::fixed(&RULE_TAGS, need), inside);
    let mut lines = vec![table::head(&fitting, look)];
    let room = table::width_of(&fitting, &RULE_TAGS, "why");
    for ((place, _), mut cells) in shown().zip(cells) {
        cells.why.0 = cut(&cells.why.0, room, &look.glyphs);
        let texts = columns::texts(&RULE_TAGS, &cells, &look.theme);
        lines.push(table::row(&fitting, look, &texts, place == app.rules.place(), false, inside.width));
    }
    frame.render_widget(Paragraph::new(lines), inside);
}
