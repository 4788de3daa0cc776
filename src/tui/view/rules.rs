//! Rules: the list of them with the one under the cursor beside it, the page of one, and what waits for a decision.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

use super::super::app::App;
use super::super::cells::{age, cut, width, wrap};
use super::super::columns::{self, DECISIONS, DecisionCells, RULES, RuleCells};
use super::super::command::Command;
use super::super::describe::day;
use super::super::state::decisions::{About, Decision};
use super::super::state::rules::{Level, next_run, takes};
use super::frame::pane;
use super::publish::key;
use super::{more, rule_page, table};
use crate::engine::rules::{RuleOutcome, ShownRule};
use crate::rules::Subject;
use crate::text::count;

/// Columns that a rule's facts have beside the list.
const MIN_FACTS_COLUMNS: u16 = 50;
/// Columns of the list beside which they are.
const MIN_LIST_COLUMNS: u16 = 92;
/// Columns of the list from which what rules take is shown beside what waits.
const MIN_TAKES_COLUMNS: u16 = 100;
/// What is behind a figure that a check found.
const CHECKED: &str = "?";
/// Columns of the longest name of a rule in the list.
const MAX_RULE_COLUMNS: u16 = 34;

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    match app.rules.level {
        Level::List => {
            let facts = area.width.saturating_sub(MIN_LIST_COLUMNS);
            if facts < MIN_FACTS_COLUMNS || app.rules.shown.rules.is_empty() {
                list(app, frame, area);
                return;
            }
            let facts = facts.min(area.width * 2 / 5).max(MIN_FACTS_COLUMNS);
            let left = Rect { width: area.width - facts, ..area };
            list(app, frame, left);
            rule_page::facts_pane(app, frame, Rect { x: area.x + left.width, width: facts, ..area });
        }
        Level::Page => rule_page::draw(app, frame, area),
        Level::Decisions => decisions(app, frame, area),
    }
}

/// How long ago something was, in words.
pub(super) fn ago(app: &App, at: i64) -> String {
    format!("{} ago", age(app.wall.as_second() - at))
}

/// In how long something is due.
pub(super) fn until(app: &App, at: i64) -> String {
    match at - app.wall.as_second() {
        ..=0 => "due".to_owned(),
        seconds => format!("in {}", age(seconds)),
    }
}

/// The frame of a list of the view: what it is, how many rows, and when upstream was asked last.
pub(super) fn listed(
    app: &App,
    title: &str,
    all: usize,
    rows: usize,
    cursor: usize,
    checked: (&str, Option<i64>),
) -> (Block<'static>, usize) {
    let theme = &app.look.theme;
    let top = cursor.saturating_sub(rows.saturating_sub(1));
    let shown = all.saturating_sub(top).min(rows);
    let mut title = vec![
        Span::styled(format!(" {title} "), theme.title),
        Span::styled(format!("{} ", more::count(all, shown)), theme.dim),
    ];
    let (words, checked) = checked;
    let checked = checked.map_or_else(|| "never checked".to_owned(), |at| format!("last checked {}", ago(app, at)));
    let dot = app.look.glyphs.dot;
    let words = if words.is_empty() { String::new() } else { format!("{dot} {words} ") };
    title.push(Span::styled(format!("{words}{dot} {checked} "), theme.dim));
    let filter = app.rules.filter();
    if !filter.is_empty() {
        title.push(Span::styled(format!("/{} ", cut(filter, 30, &app.look.glyphs)), theme.warning));
    }
    (more::more(app, pane(&app.look, Line::from(title)), top, all - top - shown), top)
}

/// What is wrong with all of them, or waits: a line each.
fn notices(app: &App, columns: usize) -> Vec<Line<'static>> {
    let (theme, rules) = (&app.look.theme, &app.rules);
    let mut lines = Vec::new();
    let mut say = |text: String, style: Style| {
        lines.extend(wrap(&text, columns).into_iter().map(|row| Line::styled(format!("  {row}"), style)));
    };
    if let Some(problem) = &rules.problem {
        say(problem.sentences(), theme.danger);
        say("What is shown is what they said before.".to_owned(), theme.danger);
    }
    if !rules.shown.untrusted.is_empty() {
        let programs = count(rules.shown.untrusted.len() as u64, "program", "programs");
        let were = if rules.shown.untrusted.len() == 1 { "was" } else { "were" };
        say(format!("The rules run {programs} that {were} not allowed: `:rule trust` shows them."), theme.warning);
    }
    let decide = key(app, Command::Decide);
    let (known, unseen) = (rules.decisions.len(), rules.unseen());
    let wait = |number: u64| if number == 1 { "waits" } else { "wait" };
    match (known as u64, unseen) {
        (0, 0) => {}
        (known, 0) => say(format!("{known} {} for a decision: {decide} shows what.", wait(known)), theme.warning),
        // What somebody did since is not known before upstream is asked.
        (0, unseen) => {
            let words =
                format!("{unseen} waited for a decision when the rules ran last: {decide} asks and shows what.");
            say(words, theme.warning);
        }
        (known, unseen) => {
            let words = format!(
                "{known} {} for a decision, and {unseen} did when other rules ran last: {decide} asks and shows what.",
                wait(known)
            );
            say(words, theme.warning);
        }
    }
    if rules.shown.rules.iter().any(|shown| rules.figures(shown).1) {
        say(format!("{CHECKED} what a check found: nothing of it was done."), theme.dim);
    }
    lines
}

/// What stands in the column of the quota: pulls that are left of how many, as far as the registry said.
fn quota(app: &App, shown: &ShownRule) -> (String, Style) {
    let theme = &app.look.theme;
    let Subject::Repository { upstream, .. } = &shown.rule.subject else { return (String::new(), theme.dim) };
    match app.jobs.quotas.get(&upstream.registry) {
        Some((left, of)) if *left <= u64::from(shown.rule.reserve) => (format!("{left} of {of}"), theme.warning),
        Some((left, of)) => (format!("{left} of {of}"), theme.dim),
        None => (String::new(), theme.dim),
    }
}

fn cells(app: &App, shown: &ShownRule, name: String) -> RuleCells {
    let (theme, glyphs) = (&app.look.theme, &app.look.glyphs);
    let (outcome, is_check) = app.rules.figures(shown);
    let sign = if is_check { CHECKED } else { "" };
    let number = |number: u64, style: Style| {
        let text = if number > 0 { format!("{number}{sign}") } else { String::new() };
        (text, if is_check { theme.accent } else { style })
    };
    let last_run = match &shown.run {
        None => ("never".to_owned(), theme.dim),
        Some((at, outcome)) if !outcome.failed.is_empty() => {
            (format!("{} {}", glyphs.failed, age(app.wall.as_second() - at)), theme.danger)
        }
        Some((at, _)) => (age(app.wall.as_second() - at), theme.text),
    };
    RuleCells {
        name,
        takes: takes(&shown.rule),
        selected: match app.rules.has_figures(shown) {
            true if outcome.selected == 0 => (format!("0{sign}"), theme.text),
            true => number(outcome.selected, theme.text),
            false => (String::new(), theme.text),
        },
        new: number(outcome.new, theme.text),
        held: number(outcome.held, theme.warning),
        leaving: number(outcome.leaving, theme.warning),
        postponed: number(outcome.postponed, theme.warning),
        refused: number(outcome.refused, theme.warning),
        gone: number(outcome.gone, theme.warning),
        last_run,
        next_run: next_run(shown).map(|at| until(app, at)).unwrap_or_default(),
        quota: quota(app, shown),
    }
}

fn list(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let (look, rules) = (&app.look, &app.rules);
    if rules.known && rules.shown.rules.is_empty() {
        empty(app, frame, area);
        return;
    }
    let columns = usize::from(area.width).saturating_sub(6);
    let notices = notices(app, columns);
    let below = u16::try_from(notices.len()).unwrap_or(0).min(area.height / 3);
    let rows = usize::from(area.height.saturating_sub(3 + below)).max(1);
    let all = rules.rows();
    let title = if rules.problem.is_some() { "Rules, which can't be read now:" } else { "Rules" };
    let (block, top) = listed(app, title, all.len(), rows, rules.place(), ("", rules.last_checked()));
    let inside = block.inner(area);
    frame.render_widget(block, area);
    if !rules.known {
        frame.render_widget(Paragraph::new(Line::styled("  reading ...", look.theme.dim)), inside);
        return;
    }
    if all.is_empty() {
        let words = format!("  No rule matches `{}`.", cut(&rules.filter, 40, &look.glyphs));
        frame.render_widget(Paragraph::new(vec![Line::raw(""), Line::styled(words, look.theme.title)]), inside);
        return;
    }
    let shown = || all.iter().enumerate().skip(top).take(rows);
    let has = |of: fn(&RuleOutcome) -> u64| all.iter().any(|shown| of(&rules.figures(shown).0) > 0);
    let waits = [has(|of| of.postponed), has(|of| of.refused), has(|of| of.gone)];
    let longest = shown().filter_map(|(_, shown)| u16::try_from(width(shown.rule.name.as_str())).ok()).max();
    let of_takes = shown().filter_map(|(_, shown)| u16::try_from(width(&takes(&shown.rule))).ok()).max();
    let need = |id: &str| match id {
        "rule" => {
            // Where everything waits there is less room.
            let least = if waits.iter().all(|has| *has) { 12 } else { 17 };
            Some(longest.unwrap_or(0).clamp(6, MAX_RULE_COLUMNS.min(inside.width / 5).max(least)))
        }
        "takes" => of_takes,
        _ => None,
    };
    // What no rule has is no column.
    let has_next = all.iter().any(|shown| next_run(shown).is_some());
    let has_quota = all.iter().any(|shown| !quota(app, shown).0.is_empty());
    let is_empty = |place: usize| match RULES.get(place).map(|column| column.id) {
        // Where it is narrow, what waits is more than what the rule's page says first.
        Some("takes") => inside.width < MIN_TAKES_COLUMNS && waits.iter().any(|has| *has),
        Some("postponed") => !waits[0],
        Some("refused") => !waits[1],
        Some("gone") => !waits[2],
        Some("next-run") => !has_next,
        Some("quota") => !has_quota,
        _ => false,
    };
    let wide: Vec<table::Column> = table::columns(&RULES, need, Some((Some(rules.order), rules.descending)))
        .into_iter()
        .enumerate()
        .map(|(place, column)| match place {
            0 => table::Column { width: column.need.max(column.width), ..column },
            place if is_empty(place) => table::Column { from: u16::MAX, ..column },
            _ => column,
        })
        .collect();
    let fitting = table::fit(&wide, inside);
    let room = table::width_of(&fitting, &RULES, "takes");
    let mut lines = vec![table::head(&fitting, look)];
    for (place, shown) in shown() {
        let mut cells = cells(app, shown, shown.rule.name.to_string());
        // A pattern is told apart by its beginning.
        cells.takes = cut(&cells.takes, room, &look.glyphs);
        let mut texts = columns::texts(&RULES, &cells, &look.theme);
        if rules.problem.is_some() {
            for (_, style) in &mut texts {
                *style = look.theme.dim;
            }
        }
        lines.push(table::row(&fitting, look, &texts, place == rules.place(), false, inside.width));
    }
    frame.render_widget(Paragraph::new(lines), inside);
    let foot = Rect { y: inside.bottom().saturating_sub(below), height: below, ..inside };
    frame.render_widget(Paragraph::new(notices), foot);
}

fn empty(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let theme = &app.look.theme;
    let block = pane(&app.look, Line::styled(" Rules ", theme.title));
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let columns = usize::from(inside.width).saturating_sub(4);
    let mut lines = vec![Line::raw("")];
    let says = notices(app, columns);
    let is_broken = app.rules.problem.is_some();
    lines.extend(says);
    if !is_broken {
        lines.push(Line::styled("  No rules yet.", theme.title));
    }
    lines.push(Line::raw(""));
    let words = "A rule says once what belongs in the registry, like the three newest nginx of 1.x. Each run brings what is \
                 new, and removes what has left after its time.";
    lines.extend(wrap(words, columns).into_iter().map(|row| Line::raw(format!("  {row}"))));
    lines.push(Line::raw(""));
    let mut press = |command: Command, words: &str| {
        if app.read_only.is_none() || !command.changes() {
            lines.push(Line::from(vec![
                Span::styled(format!("  {:>3}  ", key(app, command)), theme.key),
                Span::raw(words.to_owned()),
            ]));
        }
    };
    press(Command::Add, "makes one of a pattern: nginx:1.#.#-alpine --newest 3");
    press(Command::Add, "makes one of a file that names images: compose:FILE, list:FILE");
    press(Command::RuleNew, "opens a form, with what the rule would take beside it");
    press(Command::UpdateAll, "runs all rules, from every view");
    frame.render_widget(Paragraph::new(lines), inside);
}

fn decision_cells(app: &App, decision: &Decision) -> DecisionCells {
    let theme = &app.look.theme;
    let (what, then) = match &decision.about {
        About::Held(at) => (("held", theme.text), format!("comes on {}", day(*at, &app.zone))),
        About::Refused { from, to } => {
            let short = |digest: &crate::image::Digest| digest.hex().chars().take(8).collect::<String>();
            (("refused", theme.warning), format!("stays at {}, not {}", short(from), short(to)))
        }
        About::Braked(images) => {
            let stay = if images.len() == 1 { "it stays" } else { "they stay" };
            (("leaving", theme.danger), format!("{stay}: more than half of what the rule brought would go at once"))
        }
        About::Gone(None) => (("gone", theme.danger), "stays".to_owned()),
        About::Gone(Some(at)) => (("gone", theme.danger), format!("goes on {}", day(*at, &app.zone))),
    };
    DecisionCells {
        image: decision.image.clone(),
        what: (what.0.to_owned(), what.1),
        then,
        rule: decision.rule.clone(),
    }
}

fn decisions(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let (look, rules) = (&app.look, &app.rules);
    let rows = usize::from(area.height.saturating_sub(3)).max(1);
    let all = &rules.decisions;
    let (block, top) = listed(app, "Decisions", all.len(), rows, rules.place(), ("", rules.last_checked()));
    let inside = block.inner(area);
    frame.render_widget(block, area);
    if all.is_empty() {
        let words = format!("  Nothing waits for a decision. {} goes back.", key(app, Command::Back));
        frame.render_widget(Paragraph::new(vec![Line::raw(""), Line::styled(words, look.theme.title)]), inside);
        return;
    }
    let shown = || all.iter().enumerate().skip(top).take(rows);
    let longest = |of: fn(&Decision) -> &str, most: u16| {
        shown().filter_map(|(_, decision)| u16::try_from(width(of(decision))).ok()).max().unwrap_or(0).min(most)
    };
    let most = (inside.width / 2).saturating_sub(4);
    let need = |id: &str| match id {
        "image" => Some(longest(|decision| &decision.image, most)),
        "rule" => Some(longest(|decision| &decision.rule, 24)),
        _ => None,
    };
    let fitting = table::fit(&table::fixed(&DECISIONS, need), inside);
    let mut lines = vec![table::head(&fitting, look)];
    for (place, decision) in shown() {
        let texts = columns::texts(&DECISIONS, &decision_cells(app, decision), &look.theme);
        lines.push(table::row(&fitting, look, &texts, place == rules.place(), false, inside.width));
    }
    frame.render_widget(Paragraph::new(lines), inside);
}
