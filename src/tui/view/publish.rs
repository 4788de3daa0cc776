//! Publish: targets as their nodes and names look, what was published, and the one under the cursor in full.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::app::App;
use super::super::cells::{age, cut, cut_middle, wrap};
use super::super::command::Command;
use super::super::describe::{self, Role, Row as Words};
use super::super::state::publish::Row;
use super::dialogs::style;
use super::frame::pane;
use super::table::{self, Column};
use crate::catalog::publications::State;
use crate::engine::history::PublicationView;
use crate::engine::target::{Sight, TargetView};
use crate::naming::TxtSet;
use crate::text::{bytes, count};

/// Columns before the value of a fact.
const FACT: usize = 10;
/// Repositories of a difference that are named beside a target.
const NAMED: usize = 12;

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let state = &app.publish;
    if state.known && state.targets.is_empty() && state.history.is_empty() {
        empty(app, frame, area);
        return;
    }
    let wanted = u16::try_from(state.targets.len().max(1)).unwrap_or(u16::MAX).saturating_add(3);
    let (lists, details) = if app.beside() {
        let left = Rect { width: area.width / 2, ..area };
        (left, Rect { x: area.x + left.width, width: area.width - left.width, ..area })
    } else {
        let height = area.height * 11 / 20;
        (Rect { height, ..area }, Rect { y: area.y + height, height: area.height - height, ..area })
    };
    let height = wanted.min(lists.height / 2).max(4).min(lists.height);
    let above = Rect { height, ..lists };
    targets(app, frame, above);
    history(app, frame, Rect { y: lists.y + height, height: lists.height - height, ..lists });
    one(app, frame, details);
}

fn empty(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let theme = &app.look.theme;
    let key = |command| app.keymap.key(command).map(|key| key.short()).unwrap_or_default();
    let block = pane(&app.look, Line::styled(" Publish ", theme.title));
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let lines = vec![
        Line::raw(""),
        Line::styled("  There is no place to publish to yet.", theme.title),
        Line::raw(""),
        Line::raw("  A target is an IPFS node that holds the registry, and its names."),
        Line::from(vec![
            Span::raw("  Press "),
            Span::styled(key(Command::TargetAdd), theme.key),
            Span::raw(" to set one up; a Kubo node on this machine needs but a name."),
        ]),
        Line::from(vec![
            Span::raw("  Then "),
            Span::styled(key(Command::PublishAll), theme.key),
            Span::raw(" publishes, from every view."),
        ]),
    ];
    frame.render_widget(Paragraph::new(lines), inside);
}

fn since(app: &App, at: &str) -> String {
    at.parse::<jiff::Timestamp>().map(|at| age(app.wall.as_second() - at.as_second())).unwrap_or_default()
}

fn state_of(app: &App, target: &TargetView) -> (String, Style) {
    let (theme, glyphs) = (&app.look.theme, &app.look.glyphs);
    match (&target.running, &target.root, target.behind) {
        (Some(_), ..) => (format!("{} not finished", glyphs.waiting), theme.warning),
        (None, None, _) => (format!("{} never published", glyphs.new), theme.dim),
        (None, Some(_), true) => (format!("{} behind", glyphs.stale), theme.warning),
        (None, Some(_), false) => (format!("{} current", glyphs.done), theme.good),
    }
}

fn node_of(app: &App, target: &TargetView) -> (String, Style) {
    let (theme, glyphs) = (&app.look.theme, &app.look.glyphs);
    match app.publish.sights.get(&target.name) {
        None => (format!("{} asking", glyphs.waiting), theme.dim),
        Some((_, Ok(sight))) => match &sight.node {
            Ok(status) => {
                let peers = status.peers.map_or_else(|| "offline".to_owned(), |peers| count(peers, "peer", "peers"));
                (format!("{} {peers}", glyphs.done), theme.good)
            }
            Err(_) => (format!("{} lost", glyphs.failed), theme.danger),
        },
        Some((_, Err(_))) => (format!("{} unknown", glyphs.failed), theme.danger),
    }
}

fn names(target: &TargetView) -> String {
    let domain = target.settings.dnslink.as_ref().map(|dnslink| dnslink.domain.clone());
    let ipns = target.settings.ipns.as_ref().map(|key| format!("ipns:{key}"));
    let names: Vec<String> = domain.into_iter().chain(ipns).collect();
    if names.is_empty() { "-".to_owned() } else { names.join(", ") }
}

fn targets(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let (look, state) = (&app.look, &app.publish);
    let title = Line::from(vec![
        Span::styled(" Targets ", look.theme.title),
        Span::styled(format!("{} ", state.targets.len()), look.theme.dim),
    ]);
    let block = pane(look, title);
    let inside = block.inner(area);
    frame.render_widget(block, area);
    if state.targets.is_empty() {
        let words = if state.known { "  There is none: `n` sets one up." } else { "  reading ..." };
        frame.render_widget(Paragraph::new(Line::styled(words, look.theme.dim)), inside);
        return;
    }
    let columns = [
        Column::new("TARGET", 14),
        Column::new("NODE", 12),
        Column::new("NAMES", 0),
        Column::new("STATE", 17),
        Column::new("AGE", 7).right(),
    ];
    let fitting = table::fit(&columns, inside);
    let height = usize::from(inside.height).saturating_sub(1).max(1);
    let cursor = state.cursor.min(state.targets.len().saturating_sub(1));
    let top = cursor.saturating_sub(height - 1);
    let mut lines = vec![table::head(&fitting, look)];
    for (place, target) in state.targets.iter().enumerate().skip(top).take(height) {
        let texts = [
            (target.name.clone(), look.theme.name),
            node_of(app, target),
            (names(target), look.theme.text),
            state_of(app, target),
            (target.published.as_deref().map(|at| since(app, at)).unwrap_or_default(), look.theme.dim),
        ];
        lines.push(table::row(&fitting, look, &texts, place == state.cursor, false, inside.width));
    }
    frame.render_widget(Paragraph::new(lines), inside);
}

fn publication_state(app: &App, publication: &PublicationView) -> (String, Style) {
    let (theme, glyphs) = (&app.look.theme, &app.look.glyphs);
    match publication.state {
        State::Running => (format!("{} not finished", glyphs.waiting), theme.warning),
        State::Failed => (format!("{} failed", glyphs.failed), theme.danger),
        State::Superseded => (format!("{} superseded", glyphs.dot), theme.dim),
        State::Published if publication.current => (format!("{} current", glyphs.done), theme.good),
        State::Published if publication.pinned => (format!("{} pinned", glyphs.dot), theme.text),
        State::Published if publication.kept => (format!("{} kept", glyphs.dot), theme.text),
        State::Published => (format!("{} not kept", glyphs.dot), theme.dim),
    }
}

fn history(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let (look, state) = (&app.look, &app.publish);
    let block = pane(look, Line::styled(" History ", look.theme.title));
    let inside = block.inner(area);
    frame.render_widget(block, area);
    if state.history.is_empty() {
        let words = Line::styled("  Nothing was published yet: `p` does.", look.theme.dim);
        frame.render_widget(Paragraph::new(words), inside);
        return;
    }
    let columns = [
        Column::new("AGE", 6).right(),
        Column::new("TARGET", 12),
        Column::new("CHANGES", 0),
        Column::new("ROOT", 16).from(74),
        Column::new("STATE", 14),
    ];
    let fitting = table::fit(&columns, inside);
    let height = usize::from(inside.height).saturating_sub(1).max(1);
    let cursor = state.cursor.checked_sub(state.targets.len());
    let top = cursor.unwrap_or(0).saturating_sub(height - 1);
    let mut lines = vec![table::head(&fitting, look)];
    for (place, publication) in state.history.iter().enumerate().skip(top).take(height) {
        let target =
            if publication.target_removed { format!("({})", publication.target) } else { publication.target.clone() };
        let verb = if publication.verb == "publish" { String::new() } else { format!("{}: ", publication.verb) };
        let what = publication.failure.clone().unwrap_or_else(|| format!("{verb}{}", publication.summary));
        let texts = [
            (since(app, &publication.begun), look.theme.dim),
            (target, look.theme.name),
            (what, look.theme.text),
            (publication.root.clone(), look.theme.dim),
            publication_state(app, publication),
        ];
        lines.push(table::row(&fitting, look, &texts, cursor == Some(place), false, inside.width));
    }
    frame.render_widget(Paragraph::new(lines), inside);
}

fn one(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let (title, rows) = match app.publish.current() {
        None => (String::new(), Vec::new()),
        Some(Row::Target(target)) => (target.name.clone(), target_rows(app, target)),
        Some(Row::Publication(publication)) => (publication.root.clone(), publication_rows(app, publication)),
    };
    let title = cut_middle(&title, usize::from(area.width).saturating_sub(4), &look.glyphs);
    let block = pane(look, Line::styled(format!(" {title} "), look.theme.title));
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let columns = usize::from(inside.width).saturating_sub(2);
    let mut lines = Vec::new();
    for (role, text) in rows {
        // A fact's value goes on under itself.
        let indent = text.len() - text.trim_start().len();
        let (name, value, hang) = match (indent, text.split_at_checked(FACT)) {
            (0, Some((name, value))) if name.ends_with(' ') => (name, value, FACT),
            _ => ("", text.trim_start(), indent),
        };
        for (number, part) in wrap(value, columns.saturating_sub(hang).max(20)).into_iter().enumerate() {
            let before = if number == 0 { name } else { "" };
            let part = format!("{before:hang$}{part}");
            lines.push(Line::styled(cut(&part, columns, &look.glyphs), style(look, role)));
        }
    }
    let text = Rect { x: inside.x + 1, width: inside.width.saturating_sub(1), ..inside };
    frame.render_widget(Paragraph::new(lines), text);
}

fn fact(role: Role, name: &str, value: impl AsRef<str>) -> Words {
    (role, format!("{name:<9} {}", value.as_ref()))
}

fn record_words(set: &TxtSet, root: Option<&str>) -> (Role, String) {
    let links: Vec<&str> = set.values.iter().filter_map(|value| value.strip_prefix("dnslink=")).collect();
    let ttl = set.ttl.map(|ttl| format!(", for {ttl} s at most")).unwrap_or_default();
    match links.as_slice() {
        [] => (Role::Warning, "nobody sees a record".to_owned()),
        [one] if root.is_some_and(|root| *one == format!("/ipfs/{root}")) => {
            (Role::Good, format!("the world sees this root{ttl}"))
        }
        [one] => (Role::Warning, format!("the world sees {one}{ttl}")),
        many => (Role::Warning, format!("the world sees {} records: {}", many.len(), many.join(" "))),
    }
}

fn sight_rows(app: &App, sight: &Sight, target: &TargetView, rows: &mut Vec<Words>) {
    let dot = app.look.glyphs.dot;
    match &sight.node {
        Err(error) => {
            rows.push(fact(Role::Danger, "node", error.to_string()));
            rows.extend(error.hints().iter().map(|hint| (Role::Dim, format!("          {hint}"))));
        }
        Ok(status) => {
            let peers = status.peers.map_or_else(|| "offline".to_owned(), |peers| count(peers, "peer", "peers"));
            let agent = status.agent.trim_end_matches('/');
            rows.push(fact(Role::Text, "node", format!("{agent} {dot} {peers} {dot} {}", target.settings.node.kubo)));
            let room = match status.storage_max {
                Some(limit) => {
                    let free = limit.saturating_sub(status.repository_size);
                    format!("{} of {} used, {} free", bytes(status.repository_size), bytes(limit), bytes(free))
                }
                None => format!("{} used", bytes(status.repository_size)),
            };
            rows.push(fact(Role::Text, "room", room));
            if sight.pinned == Some(false) {
                rows.push(fact(Role::Danger, "pin", "the node does not pin the root that was published last"));
            }
        }
    }
    if let Some(dnslink) = &target.settings.dnslink {
        rows.push(fact(Role::Text, "DNSLink", &dnslink.domain));
        match &sight.record {
            Some(Ok(set)) => {
                let (role, words) = record_words(set, target.root.as_deref());
                rows.push((role, format!("          {words}")));
            }
            Some(Err(error)) => rows.push((Role::Warning, format!("          {error}"))),
            None => {}
        }
    }
    if let Some(key) = &target.settings.ipns {
        let (role, words) = match &sight.ipns {
            Some(Ok(Some(path))) if target.root.as_ref().is_some_and(|root| *path == format!("/ipfs/{root}")) => {
                (Role::Good, "points to this root".to_owned())
            }
            Some(Ok(Some(path))) => (Role::Warning, format!("points to {path}")),
            Some(Ok(None)) => (Role::Warning, "points to nothing yet".to_owned()),
            Some(Err(error)) => (Role::Warning, error.to_string()),
            None => (Role::Dim, "unknown".to_owned()),
        };
        rows.push(fact(role, "IPNS", format!("{key}: {words}")));
    }
}

/// Everything about a target.
fn target_rows(app: &App, target: &TargetView) -> Vec<Words> {
    let mut rows = Vec::new();
    match &target.root {
        Some(root) => rows.push(fact(Role::Name, "root", root)),
        None => rows.push(fact(Role::Dim, "root", "nothing was published yet")),
    }
    if let Some(published) = &target.published {
        let ago = since(app, published);
        rows.push(fact(Role::Text, "age", format!("{ago}, {}", count(target.pinned, "root pinned", "roots pinned"))));
    }
    pending(app, target, &mut rows);
    match app.publish.sights.get(&target.name) {
        None => rows.push(fact(Role::Dim, "node", format!("asking {} ...", target.settings.node.kubo))),
        Some((_, Err(problem))) => rows.push(fact(Role::Danger, "node", problem.text())),
        Some((_, Ok(sight))) => sight_rows(app, sight, target, &mut rows),
    }
    let keep = count(target.settings.keep.into(), "published root pinned", "published roots pinned");
    rows.push(fact(Role::Dim, "keeps", keep));
    rows.extend(target.settings.gateways.iter().map(|gateway| fact(Role::Dim, "gateway", gateway)));
    rows
}

/// What differs from a target to the catalog.
fn pending(app: &App, target: &TargetView, rows: &mut Vec<Words>) {
    if let Some(running) = &target.running {
        rows.push(fact(Role::Warning, "cut", format!("publishing {running} was not finished: `p` goes on with it")));
    }
    let now = app.overview.as_ref().and_then(|overview| overview.root.as_deref());
    match (&target.root, now) {
        (None, Some(_)) => rows.push(fact(Role::Text, "pending", "everything: `p` publishes it")),
        (Some(root), Some(now)) if root != now => match app.publish.difference(root, now) {
            None => {}
            Some(Err(problem)) if problem.is_waiting() => rows.push(fact(Role::Dim, "pending", "comparing ...")),
            Some(Err(problem)) => rows.push(fact(Role::Warning, "pending", &problem.message)),
            Some(Ok(difference)) => {
                rows.push(fact(Role::Warning, "pending", describe::summary(difference)));
                let all = describe::difference(difference);
                let named = all.iter().skip(2).filter(|(_, text)| !text.starts_with(' '));
                rows.extend(named.clone().take(NAMED).map(|(role, text)| (*role, format!("          {text}"))));
                let more = named.count().saturating_sub(NAMED);
                if more > 0 {
                    rows.push((Role::Dim, format!("          and {more} more: `=` shows all")));
                }
            }
        },
        (Some(_), _) => rows.push(fact(Role::Good, "pending", "nothing: it has what the catalog stands for")),
        (None, None) => {}
    }
}

/// Everything about a publication.
pub(in super::super) fn publication_rows(app: &App, publication: &PublicationView) -> Vec<Words> {
    let mut rows = vec![fact(Role::Name, "root", &publication.root)];
    let gone = if publication.target_removed { ", which is not there any more" } else { "" };
    rows.push(fact(Role::Text, "target", format!("{}{gone}", publication.target)));
    let ago = since(app, &publication.begun);
    rows.push(fact(Role::Text, &publication.verb, format!("{}, {ago} ago", publication.begun)));
    rows.push(fact(Role::Text, "changes", &publication.summary));
    if let Some(failure) = &publication.failure {
        rows.push(fact(Role::Danger, "failure", failure));
    }
    let sent = format!("{}, {}", count(publication.blocks, "block", "blocks"), bytes(publication.bytes));
    rows.push(fact(Role::Text, "sent", sent));
    if let Some(former) = &publication.former {
        rows.push(fact(Role::Dim, "before", former));
    }
    let (role, words) = match (publication.current, publication.pinned, publication.kept) {
        (true, ..) => (Role::Good, "it is what the target gives out"),
        (false, true, true) => (Role::Text, "pinned there and kept here: `b` goes back to it and sends nothing"),
        (false, true, false) => (Role::Text, "pinned there, not kept here"),
        (false, false, true) => (Role::Text, "kept here: `b` goes back to it"),
        (false, false, false) => (Role::Dim, "not kept: there is no way back to it"),
    };
    rows.push(fact(role, "state", words));
    rows
}
