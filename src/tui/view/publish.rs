//! Publish: targets as their nodes and names look, what was published, and the one under the cursor in full.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

use super::super::app::{App, Look};
use super::super::cells::{age, cut, width};
use super::super::columns::{self, HISTORY, PublicationCells, TARGETS, TargetCells};
use super::super::command::Command;
use super::frame::pane;
use super::more;
use super::table;
use super::target;
use crate::catalog::publications::State;
use crate::engine::job::PublishStep;
use crate::engine::job::StepState;
use crate::engine::query::history::PublicationView;
use crate::engine::targets::{Leads, TargetView};

/// Rows of the history that stay in sight, whatever there is to say of a target.
const MIN_HISTORY_ROWS: u16 = 5;
/// Columns of names from which on other columns may be there.
const ENOUGH_NAMES_COLUMNS: u16 = 20;
/// Characters of a root in the list of targets.
const ROOT_CHARS: usize = 7;

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let state = &app.publish;
    if state.known && state.targets.is_empty() && state.history.is_empty() {
        empty(app, frame, area);
        return;
    }
    let wanted = u16::try_from(state.targets.len().max(1)).unwrap_or(u16::MAX).saturating_add(3);
    if app.beside() {
        let left = Rect { width: area.width / 2, ..area };
        let height = wanted.min(left.height / 2).max(4).min(left.height);
        targets(app, frame, Rect { height, ..left });
        history(app, frame, Rect { y: left.y + height, height: left.height - height, ..left });
        target::draw(app, frame, Rect { x: area.x + left.width, width: area.width - left.width, ..area });
        return;
    }
    // What is under the cursor takes what it needs, the history what is left.
    let height = wanted.min(area.height / 3).max(4).min(area.height);
    let left = area.height - height;
    let one = target::height(app, area.width).clamp(3, left.saturating_sub(MIN_HISTORY_ROWS).max(3)).min(left);
    targets(app, frame, Rect { height, ..area });
    history(app, frame, Rect { y: area.y + height, height: left - one, ..area });
    target::draw(app, frame, Rect { y: area.bottom() - one, height: one, ..area });
}

/// The key of a command, as it is now.
pub(in crate::tui) fn key(app: &App, command: Command) -> String {
    app.keymap.key(command).map(|key| key.short()).unwrap_or_default()
}

/// What begins to give out what is published, in a sentence.
pub(in crate::tui) fn how_to_serve(app: &App) -> String {
    format!("Press {}.", key(app, Command::Serve))
}

fn empty(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let theme = &app.look.theme;
    let block = pane(&app.look, Line::styled(" Publish ", theme.title));
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let lines = vec![
        Line::raw(""),
        Line::styled("  No targets yet.", theme.title),
        Line::raw(""),
        Line::raw("  A target is where the registry is given out, and the names that point to it."),
        Line::from(vec![
            Span::raw("  Press "),
            Span::styled(key(app, Command::TargetAdd), theme.key),
            Span::raw(" to set one up; without an IPFS node, this program is one itself."),
        ]),
        Line::from(vec![
            Span::raw("  Then "),
            Span::styled(key(app, Command::PublishAll), theme.key),
            Span::raw(" publishes, from every view."),
        ]),
    ];
    frame.render_widget(Paragraph::new(lines), inside);
}

/// How long ago something was.
pub(super) fn since(app: &App, at: &str) -> String {
    at.parse::<jiff::Timestamp>().map(|at| age(app.wall.as_second() - at.as_second())).unwrap_or_default()
}

/// Steps, and how far each is.
type Steps<'a> = &'a [(PublishStep, StepState)];

/// The steps of a publication to a target that goes on, and whole percent of what is handed over.
pub(super) fn steps<'a>(app: &'a App, target: &str) -> Option<(Steps<'a>, Option<u64>)> {
    let job = app.jobs.running().find(|job| job.steps.contains_key(target))?;
    Some((job.steps.get(target)?, job.percent()))
}

/// A name of a target that does not lead to what was published there.
fn differing(app: &App, target: &TargetView) -> Option<&'static str> {
    let (_, Ok(sight)) = app.publish.sights.get(&target.name)? else { return None };
    if sight.root != target.root {
        // It was looked at before this was published.
        return None;
    }
    let link = format!("/ipfs/{}", target.root.as_ref()?);
    if let Some(record) = &sight.record
        && let Ok(set) = record.said()
        && !set.values.iter().any(|value| value.strip_prefix("dnslink=") == Some(&link))
    {
        // A cache may be behind; the zone's own servers are not.
        return Some(if record.authority.is_ok() { "record differs" } else { "record may lag" });
    }
    match &sight.ipns {
        Some(Ok(Leads::Nowhere)) => Some("IPNS points nowhere"),
        Some(Ok(Leads::To(path))) if *path != link => Some("IPNS differs"),
        _ if sight.pinned == Some(false) => Some("not pinned"),
        _ => None,
    }
}

fn state_of(app: &App, target: &TargetView) -> (String, Style) {
    let (theme, glyphs) = (&app.look.theme, &app.look.glyphs);
    if let Some((steps, percent)) = steps(app, &target.name) {
        return match steps.iter().find(|(_, state)| !matches!(state, StepState::Done(_) | StepState::Skipped)) {
            Some((_, StepState::Failed(_))) => (format!("{} failed", glyphs.failed), theme.danger),
            Some((PublishStep::HandOver, _)) => {
                let percent = percent.map(|percent| format!(" {percent} %")).unwrap_or_default();
                (format!("{} hand over{percent}", glyphs.arriving), theme.accent)
            }
            Some((step, _)) => (format!("{} {}", glyphs.arriving, super::jobs::step_name(*step)), theme.accent),
            None => (format!("{} done", glyphs.done), theme.good),
        };
    }
    let rolled_back = || {
        let newest =
            app.publish.history.iter().find(|publication| publication.current && publication.target == target.name);
        newest.is_some_and(|newest| newest.verb == "rollback")
    };
    match (&target.running, &target.root, target.behind) {
        (Some(_), ..) => (format!("{} not finished", glyphs.waiting), theme.warning),
        (None, None, _) => (format!("{} never published", glyphs.new), theme.dim),
        (None, Some(_), true) if rolled_back() => (format!("{} rolled back", glyphs.outdated), theme.warning),
        (None, Some(_), true) => (format!("{} behind", glyphs.outdated), theme.warning),
        (None, Some(_), false) => match differing(app, target) {
            Some(words) => (format!("{} {words}", glyphs.outdated), theme.warning),
            None if target.unverified => (format!("{} unverified", glyphs.waiting), theme.warning),
            None => (format!("{} current", glyphs.done), theme.good),
        },
    }
}

fn node_of(app: &App, target: &TargetView) -> (String, Style) {
    let (theme, glyphs) = (&app.look.theme, &app.look.glyphs);
    match app.publish.sights.get(&target.name) {
        None => (format!("{} asking", glyphs.waiting), theme.dim),
        Some((_, Ok(sight))) => match &sight.node {
            Ok(status) => {
                let (sign, colour) =
                    if status.is_served() { (glyphs.done, theme.good) } else { (glyphs.waiting, theme.warning) };
                (format!("{sign} {}", status.reach_in_a_word()), colour)
            }
            Err(_) => (format!("{} lost", glyphs.failed), theme.danger),
        },
        Some((_, Err(_))) => (format!("{} unknown", glyphs.failed), theme.danger),
    }
}

/// The names of a target, in so many columns: of two, the domain goes first.
fn names(app: &App, target: &TargetView, columns: usize) -> String {
    let glyphs = &app.look.glyphs;
    let domain = target.settings.dnslink.as_ref().map(|dnslink| dnslink.domain.as_str());
    match (domain, &target.settings.ipns) {
        (None, None) => "-".to_owned(),
        (Some(domain), None) => cut(domain, columns, glyphs),
        (None, Some(key)) => cut(&format!("IPNS {key}"), columns, glyphs),
        (Some(domain), Some(key)) => {
            let all = [format!("{domain}, IPNS {key}"), format!("{domain} + IPNS"), format!("{domain} +1")];
            let fits = all.into_iter().find(|names| width(names) <= columns);
            fits.unwrap_or_else(|| cut(domain, columns, glyphs))
        }
    }
}

/// As wide as its widest text, within these bounds.
fn widest<'a>(texts: impl Iterator<Item = &'a String>, least: u16, most: u16) -> u16 {
    texts.filter_map(|text| u16::try_from(width(text)).ok()).max().unwrap_or(0).clamp(least, most)
}

/// The frame of a list of which so many rows fit, and the first of those that are shown.
fn listed(app: &App, title: &str, all: usize, rows: usize, cursor: usize) -> (Block<'static>, usize) {
    let theme = &app.look.theme;
    let top = cursor.saturating_sub(rows - 1);
    let shown = all.saturating_sub(top).min(rows);
    let title = Line::from(vec![
        Span::styled(title.to_owned(), theme.title),
        Span::styled(format!("{} ", more::count(all, shown)), theme.dim),
    ]);
    (more::more(app, pane(&app.look, title), top, all - top - shown), top)
}

/// The end of a CID, which is what differs between two of them.
fn end_of(root: &str, look: &Look) -> String {
    let end: String = root.chars().skip(root.chars().count().saturating_sub(ROOT_CHARS)).collect();
    format!("{}{end}", look.glyphs.ellipsis)
}

fn targets(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let (look, state) = (&app.look, &app.publish);
    let rows = usize::from(area.height).saturating_sub(3).max(1);
    let cursor = state.cursor.min(state.targets.len().saturating_sub(1));
    let (block, top) = listed(app, " Targets ", state.targets.len(), rows, cursor);
    let inside = block.inner(area);
    frame.render_widget(block, area);
    if state.targets.is_empty() {
        let words = if state.known {
            format!("  There is none: {} sets one up.", key(app, Command::TargetAdd))
        } else {
            "  reading ...".to_owned()
        };
        frame.render_widget(Paragraph::new(Line::styled(words, look.theme.dim)), inside);
        return;
    }
    let shown = || state.targets.iter().enumerate().skip(top).take(rows);
    let (nodes, states): (Vec<_>, Vec<_>) =
        shown().map(|(_, target)| (node_of(app, target), state_of(app, target))).unzip();
    let node = widest(nodes.iter().map(|(text, _)| text), 8, 14);
    let state_columns = widest(states.iter().map(|(text, _)| text), 9, 20);
    // What the others leave, unless the names of domains and keys need it.
    let needed: Vec<String> = shown().map(|(_, target)| names(app, target, usize::MAX)).collect();
    let others = node + state_columns + widest(needed.iter(), 8, 30) + 14;
    let most = inside.width.saturating_sub(others).clamp(16, 64);
    let need = |id: &str| match id {
        "target" => Some(widest(shown().map(|(_, target)| &target.name), 6, most)),
        "node" => Some(node),
        "names" => Some(widest(needed.iter(), 8, ENOUGH_NAMES_COLUMNS)),
        "state" => Some(state_columns),
        _ => None,
    };
    let fitting = table::fit(&table::fixed(&TARGETS, need), inside);
    let room = table::width_of(&fitting, &TARGETS, "names");
    let mut lines = vec![table::head(&fitting, look)];
    for ((place, target), (node, state)) in shown().zip(nodes.into_iter().zip(states)) {
        let published = target.published.as_deref().map(|at| since(app, at)).unwrap_or_default();
        let cells = TargetCells {
            name: target.name.clone(),
            node,
            names: names(app, target, room),
            root: target.root.as_deref().map_or_else(|| "-".to_owned(), |root| end_of(root, look)),
            sent: target.sent,
            requests: target.requests,
            state,
            published,
        };
        let texts = columns::texts(&TARGETS, &cells, &look.theme);
        lines.push(table::row(&fitting, look, &texts, place == app.publish.cursor, false, inside.width));
    }
    frame.render_widget(Paragraph::new(lines), inside);
}

fn publication_state(app: &App, publication: &PublicationView) -> (String, Style) {
    let (theme, glyphs) = (&app.look.theme, &app.look.glyphs);
    match publication.state {
        State::Running if steps(app, &publication.target).is_some() => {
            (format!("{} under way", glyphs.arriving), theme.accent)
        }
        State::Running => (format!("{} not finished", glyphs.waiting), theme.warning),
        State::Failed => (format!("{} failed", glyphs.failed), theme.danger),
        State::Superseded => (format!("{} superseded", glyphs.dot), theme.dim),
        State::Published if publication.current => (format!("{} current", glyphs.done), theme.good),
        State::Published if publication.same_root => (format!("{} the same root", glyphs.dot), theme.good),
        State::Published if publication.pinned => (format!("{} pinned", glyphs.dot), theme.text),
        State::Published if publication.kept => (format!("{} kept", glyphs.dot), theme.text),
        State::Published => (format!("{} not kept", glyphs.dot), theme.dim),
    }
}

fn history(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let (look, state) = (&app.look, &app.publish);
    let rows = usize::from(area.height).saturating_sub(3).max(1);
    let cursor = state.cursor.checked_sub(state.targets.len());
    let (block, top) = listed(app, " History ", state.history.len(), rows, cursor.unwrap_or(0));
    let inside = block.inner(area);
    frame.render_widget(block, area);
    if state.history.is_empty() {
        let words = if state.known {
            format!("  Nothing published yet. Press {}.", key(app, Command::PublishAll))
        } else {
            "  reading ...".to_owned()
        };
        frame.render_widget(Paragraph::new(Line::styled(words, look.theme.dim)), inside);
        return;
    }
    let shown = || state.history.iter().enumerate().skip(top).take(rows);
    let name = |publication: &PublicationView| {
        if publication.target_removed { format!("({})", publication.target) } else { publication.target.clone() }
    };
    let (names, states): (Vec<_>, Vec<_>) =
        shown().map(|(_, publication)| (name(publication), publication_state(app, publication))).unzip();
    let need = |id: &str| match id {
        "target" => Some(widest(names.iter(), 6, if inside.width >= 90 { 30 } else { 16 })),
        "state" => Some(widest(states.iter().map(|(text, _)| text), 9, 15)),
        _ => None,
    };
    let fitting = table::fit(&table::fixed(&HISTORY, need), inside);
    let room = table::width_of(&fitting, &HISTORY, "changes");
    let mut lines = vec![table::head(&fitting, look)];
    for ((place, publication), (name, state)) in shown().zip(names.into_iter().zip(states)) {
        let verb = if publication.verb == "publish" { String::new() } else { format!("{}: ", publication.verb) };
        let what = publication.failure.clone().unwrap_or_else(|| format!("{verb}{}", publication.summary));
        let cells = PublicationCells {
            published: since(app, &publication.begun),
            target: name,
            changes: cut(&what, room, &look.glyphs),
            root: publication.root.clone(),
            state,
        };
        let texts = columns::texts(&HISTORY, &cells, &look.theme);
        lines.push(table::row(&fitting, look, &texts, cursor == Some(place), false, inside.width));
    }
    frame.render_widget(Paragraph::new(lines), inside);
}
