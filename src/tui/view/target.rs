//! What is under the cursor of the view Publish, in full: a target, or something that was published.

use std::fmt::Write as _;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::super::app::App;
use super::super::cells::{cut, cut_middle, wrap};
use super::super::command::Command;
use super::super::describe::{self, Role, Row as Words};
use super::super::state::publish::Row;
use super::dialogs::style;
use super::frame::pane;
use super::own_node;
use super::publish::{key, since, steps};
use crate::catalog::publications::State;
use crate::engine::job::StepState;
use crate::engine::query::history::PublicationView;
use crate::engine::targets::{Leads, SeenRecord, Sight, TargetView};
use crate::text::{bytes, count, printable_within};

/// Columns before the value of a fact.
const FACT_LABEL_COLUMNS: usize = 10;

/// What is to say, with a list in the middle that makes room where there is not enough.
#[derive(Default)]
struct Page {
    before: Vec<Words>,
    list: Vec<Words>,
    after: Vec<Words>,
}

/// The rows that it takes with its frame, if there are enough.
pub(super) fn height(app: &App, columns: u16) -> u16 {
    let lines = lines(app, inner(columns), usize::MAX).len();
    u16::try_from(lines).unwrap_or(u16::MAX).saturating_add(2)
}

/// Columns of the text: without frame and margins.
fn inner(columns: u16) -> usize {
    usize::from(columns).saturating_sub(4)
}

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let title = cut_middle(&title(app), usize::from(area.width).saturating_sub(4), &look.glyphs);
    let block = pane(look, Line::styled(format!(" {title} "), look.theme.title));
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let lines = lines(app, inner(area.width), usize::from(inside.height));
    let text = Rect { x: inside.x + 1, width: inside.width.saturating_sub(1), ..inside };
    frame.render_widget(Paragraph::new(lines), text);
}

/// What it is called that is under the cursor.
pub(super) fn title(app: &App) -> String {
    match app.publish.current() {
        None => String::new(),
        Some(Row::Target(target)) => target.name.clone(),
        Some(Row::Publication(publication)) => {
            let what = if publication.verb == "publish" { "Published to" } else { "Rolled back at" };
            format!("{what} {}, {} ago", publication.target, since(app, &publication.begun))
        }
    }
}

fn lines(app: &App, columns: usize, room: usize) -> Vec<Line<'static>> {
    let Some(page) = page(app, columns) else { return Vec::new() };
    let look = &app.look;
    let lines = |rows: &[Words]| -> Vec<Line<'static>> {
        let fitted = fitted(app, rows, columns).into_iter();
        fitted.map(|(role, text)| Line::styled(text, style(look, role))).collect()
    };
    let (mut all, mut list, after) = (lines(&page.before), lines(&page.list), lines(&page.after));
    let left = room.saturating_sub(all.len() + after.len());
    if list.len() > left {
        let more = list.split_off(left.saturating_sub(1)).len();
        let words = format!("{:FACT_LABEL_COLUMNS$}and {more} more: {} shows all", "", key(app, Command::Compare));
        list.push(Line::styled(words, look.theme.dim));
    }
    all.extend(list);
    all.extend(after);
    if all.len() > room {
        all.truncate(room.saturating_sub(1));
        let words = format!("{} {} shows the rest", look.glyphs.ellipsis, key(app, Command::Open));
        all.push(Line::styled(words, look.theme.dim));
    }
    all
}

/// Whether all of it is in sight beside the lists.
pub(in crate::tui) fn is_whole(app: &App) -> bool {
    let body = super::frame::Parts::of(app).body;
    app.beside() && height(app, body.width - body.width / 2) <= body.height
}

/// What to do, in words for this place: where the command line changes a target, a key does here.
fn here(app: &App, hint: &str) -> String {
    let edit = format!("`{}`", key(app, Command::TargetEdit));
    match hint.split_once("`roadstead target set NAME") {
        Some((before, rest)) => format!("{before}{edit}{}", rest.split_once('`').map_or("", |(_, after)| after)),
        None => hint.replace("`roadstead target set`", &edit),
    }
}

/// A row in rows that fit: a fact's value goes on under itself.
fn wrapped(app: &App, (role, text): &Words, columns: usize) -> Vec<Words> {
    let glyphs = &app.look.glyphs;
    let indent = text.len() - text.trim_start().len();
    let (name, value, hang) = match (indent, text.split_at_checked(FACT_LABEL_COLUMNS)) {
        (0, Some((name, value))) if name.ends_with(' ') => (name, value, FACT_LABEL_COLUMNS),
        _ => ("", text.trim_start(), indent),
    };
    let parts = wrap(value, columns.saturating_sub(hang).max(20)).into_iter().enumerate();
    let row = |(number, part)| {
        let before = if number == 0 { name } else { "" };
        (*role, cut(&format!("{before:hang$}{part}"), columns, glyphs))
    };
    parts.map(row).collect()
}

/// Rows that fit, for a dialog.
pub(super) fn fitted(app: &App, rows: &[Words], columns: usize) -> Vec<Words> {
    rows.iter().flat_map(|row| wrapped(app, row, columns)).collect()
}

/// Everything about what is under the cursor, in rows.
pub(super) fn rows(app: &App, columns: usize) -> Vec<Words> {
    let page = page(app, columns).unwrap_or_default();
    let rows: Vec<Words> = page.before.into_iter().chain(page.list).chain(page.after).collect();
    fitted(app, &rows, columns)
}

fn page(app: &App, columns: usize) -> Option<Page> {
    Some(match app.publish.current()? {
        Row::Target(target) => of_target(app, target, columns),
        Row::Publication(publication) => of_publication(app, publication),
    })
}

fn fact(role: Role, name: &str, value: impl AsRef<str>) -> Words {
    (role, format!("{name:<9} {}", value.as_ref()))
}

/// What goes on under a fact.
fn under(role: Role, value: impl AsRef<str>) -> Words {
    (role, format!("{:FACT_LABEL_COLUMNS$}{}", "", value.as_ref()))
}

/// Where a name of a target leads, against what was published there.
fn leads(app: &App, target: &TargetView, path: Option<&str>) -> (Role, String) {
    let Some(path) = path else {
        let role = if target.root.is_some() { Role::Warning } else { Role::Dim };
        return (role, "points to nothing yet".to_owned());
    };
    let root = path.trim_start_matches("/ipfs/");
    if target.root.as_deref() == Some(root) {
        return (Role::Good, "points to this root".to_owned());
    }
    let mut before = app.publish.history.iter().filter(|publication| publication.target == target.name);
    let words = match before.find(|publication| publication.root == root) {
        Some(older) => format!("still points to the root of {} ago", since(app, &older.begun)),
        None => format!("points to {path}, which was not published from here"),
    };
    (Role::Warning, words)
}

/// Where the record leads. What its zone says counts: a cache that is behind is no fault, and is said beside it.
fn record(app: &App, target: &TargetView, seen: &SeenRecord) -> (Role, String) {
    let set = match seen.said() {
        Ok(set) => set,
        Err(error) => return (Role::Warning, format!("can't be looked up: {error}")),
    };
    let links: Vec<&str> = set.values.iter().filter_map(|value| value.strip_prefix("dnslink=")).collect();
    let (role, words) = match links.as_slice() {
        [] => leads(app, target, None),
        [one] => leads(app, target, Some(one)),
        many => return (Role::Warning, format!("has {} records: {}", many.len(), many.join(" "))),
    };
    let only_a_cache = seen.authority.is_err() && role == Role::Warning;
    match seen.lag().or(set.ttl.filter(|_| only_a_cache)) {
        Some(ttl) => (role, format!("{words}; caches may lag up to {ttl} s")),
        None => (role, words),
    }
}

fn of_sight(app: &App, sight: &Sight, target: &TargetView, rows: &mut Vec<Words>) {
    let dot = app.look.glyphs.dot;
    match &sight.node {
        Err(error) => {
            rows.push(fact(Role::Danger, "node", error.to_string()));
            rows.extend(error.hints().iter().map(|hint| under(Role::Dim, here(app, hint))));
        }
        // Who serves it is said before.
        Ok(status) if target.serving.is_some() => {
            rows.push(fact(Role::Text, "space", format!("{} stored here", bytes(status.repository_size))));
            if sight.pinned == Some(false) {
                rows.push(fact(Role::Danger, "root", "the newest published root is not given out any more"));
            }
        }
        Ok(status) => {
            let peers = status.reach();
            let agent = status.agent.trim_end_matches('/');
            rows.push(fact(Role::Text, "node", format!("{agent} {dot} {peers} {dot} {}", target.settings.node.url())));
            let room = match status.storage_max {
                Some(limit) => {
                    let free = limit.saturating_sub(status.repository_size);
                    let role = if free < limit / 10 { Role::Warning } else { Role::Text };
                    fact(role, "space", format!("{} free of {}", bytes(free), bytes(limit)))
                }
                None => fact(Role::Text, "space", format!("{} used, no limit is set", bytes(status.repository_size))),
            };
            // A cluster says nothing of disks.
            if status.storage_max.is_some() || status.repository_size > 0 {
                rows.push(room);
            }
            let kept = sight.holders.iter().filter(|holder| holder.holds).count();
            if !sight.holders.is_empty() {
                let role = if kept < sight.holders.len() { Role::Warning } else { Role::Text };
                let peers = count(sight.holders.len() as u64, "peer", "peers");
                rows.push(fact(role, "copies", format!("{kept} of {peers} keep the newest published root")));
            }
            for holder in sight.holders.iter().filter(|holder| !holder.holds) {
                rows.push(under(Role::Warning, printable_within(&holder.lack(), 200)));
            }
            if sight.pinned == Some(false) {
                rows.push(fact(Role::Danger, "pin", "the node does not pin the newest published root"));
            }
        }
    }
    if let Some(dnslink) = &target.settings.dnslink {
        let (role, words) = match &sight.record {
            // It was looked at before the newest root was published.
            _ if sight.root != target.root => asking(),
            Some(seen) => record(app, target, seen),
            None => (Role::Dim, "is unknown".to_owned()),
        };
        rows.push(fact(role, "DNSLink", format!("{} {words}", dnslink.domain)));
    }
    if let Some(key) = target.settings.ipns.as_ref().filter(|_| target.ipns_name.is_none()) {
        let (role, words) = match &sight.ipns {
            Some(_) if sight.root != target.root => asking(),
            Some(Ok(Leads::To(path))) => leads(app, target, Some(path)),
            Some(Ok(Leads::Nowhere)) => leads(app, target, None),
            Some(Ok(Leads::Unseen)) => {
                (Role::Text, "was moved to this root; the node can't look it up (no routing?)".to_owned())
            }
            Some(Err(error)) => (Role::Warning, format!("can't be resolved: {error}")),
            None => (Role::Dim, "is unknown while the node is unreachable".to_owned()),
        };
        rows.push(fact(role, "IPNS", format!("{key} {words}")));
    }
}

fn asking() -> (Role, String) {
    (Role::Dim, "is being looked up ...".to_owned())
}

/// The steps of a publication that goes on.
fn of_steps(app: &App, target: &TargetView, rows: &mut Vec<Words>) {
    let glyphs = &app.look.glyphs;
    let Some((steps, percent)) = steps(app, &target.name) else { return };
    for (step, state) in steps {
        let percent =
            percent.map_or_else(|| "under way".to_owned(), |percent| format!("{percent} % of what all targets get"));
        let (role, sign, words) = match state {
            StepState::Running if matches!(step, crate::engine::job::PublishStep::HandOver) => {
                (Role::Name, glyphs.arriving, percent)
            }
            StepState::Running => (Role::Name, glyphs.arriving, "under way".to_owned()),
            StepState::Done(words) => (Role::Good, glyphs.done, words.clone()),
            StepState::Skipped => (Role::Dim, glyphs.dot, "nothing to do".to_owned()),
            StepState::Failed(reason) => (Role::Danger, glyphs.failed, reason.clone()),
        };
        rows.push(fact(role, super::jobs::step_name(*step), format!("{sign} {words}")));
    }
}

/// Everything about a target.
fn of_target(app: &App, target: &TargetView, columns: usize) -> Page {
    let mut page = Page::default();
    of_steps(app, target, &mut page.before);
    match &target.root {
        Some(root) => page.before.push(fact(Role::Name, "root", root)),
        None => page.before.push(fact(Role::Dim, "root", "nothing published yet")),
    }
    let keep = target.settings.keep;
    let kept = if target.serving.is_some() { "given out" } else { "pinned" };
    if let Some(published) = &target.published {
        let mut words = format!("{} ago", since(app, published));
        // A place that holds files holds those of one root.
        if !target.settings.node.is_host() {
            let _ = write!(words, ", {} of at most {keep} roots {kept}", target.pinned);
        }
        page.before.push(fact(Role::Text, "published", words));
    }
    if let (Some(sent), Some(_)) = (target.sent, &target.published) {
        let requests = target.requests.map(|requests| format!(" in {}", count(requests, "request", "requests")));
        let words = format!("{}{} by the last publication", bytes(sent), requests.unwrap_or_default());
        page.before.push(fact(Role::Text, "sent", words));
    }
    if target.unverified {
        let words = "unverified: the node can't be read from, and no gateway was asked for this root";
        page.before.push(fact(Role::Warning, "state", words));
    }
    pending(app, target, &mut page);
    if let Some(serving) = &target.serving {
        page.after.extend(own_node::of_target(app, target, serving));
    }
    match app.publish.sights.get(&target.name) {
        None => page.after.push(fact(Role::Dim, "node", format!("asking {} ...", target.settings.node.url()))),
        Some((_, Err(problem))) => page.after.push(fact(Role::Danger, "node", problem.text())),
        Some((_, Ok(sight))) => of_sight(app, sight, target, &mut page.after),
    }
    if target.published.is_none() {
        page.after.push(fact(Role::Dim, "keeps", count(keep.into(), "published root", "published roots")));
    }
    if let Some(serving) = &target.serving {
        page.after.extend(own_node::of_others(app, serving, target.root.as_deref(), columns));
    }
    page.after.extend(target.settings.gateways.iter().map(|gateway| fact(Role::Dim, "gateway", gateway)));
    page
}

/// What differs from a target to the catalog.
fn pending(app: &App, target: &TargetView, page: &mut Page) {
    let publish = key(app, Command::PublishAll);
    if let Some(running) = target.running.as_ref().filter(|_| steps(app, &target.name).is_none()) {
        let words = format!("publishing {running} was not finished: {publish} continues it");
        page.before.push(fact(Role::Warning, "stopped", words));
    }
    let now = app.overview.as_ref().and_then(|overview| overview.root.as_deref());
    match (&target.root, now) {
        (None, Some(_)) => page.before.push(fact(Role::Text, "pending", format!("everything: {publish} publishes it"))),
        (Some(root), Some(now)) if root != now => match app.publish.difference(root, now) {
            None => {}
            Some(Err(problem)) if problem.is_waiting() => page.before.push(fact(Role::Dim, "pending", "comparing ...")),
            Some(Err(problem)) => page.before.push(fact(Role::Warning, "pending", &problem.message)),
            Some(Ok(difference)) => {
                page.before.push(fact(Role::Warning, "pending", describe::brief(difference)));
                let named = difference.repositories.iter().map(describe::repository);
                page.list.extend(named.map(|(role, text)| under(role, text)));
            }
        },
        (Some(_), _) => page.before.push(fact(Role::Good, "pending", "nothing: it has the catalog's current root")),
        (None, None) => {}
    }
}

/// Everything about a publication.
fn of_publication(app: &App, publication: &PublicationView) -> Page {
    let mut rows = vec![fact(Role::Name, "root", &publication.root)];
    let gone = if publication.target_removed { ", which was removed" } else { "" };
    rows.push(fact(Role::Text, "target", format!("{}{gone}", publication.target)));
    let at = publication.begun.parse::<jiff::Timestamp>().map(|at| at.to_zoned_datetime(app.zone.clone()));
    let at = at.map_or_else(|_| publication.begun.clone(), |at| at.strftime("%Y-%m-%d %H:%M").to_string());
    rows.push(fact(Role::Text, "started", format!("{at}, {} ago", since(app, &publication.begun))));
    rows.push(fact(Role::Text, "changes", &publication.summary));
    if let Some(failure) = &publication.failure {
        rows.push(fact(Role::Danger, "failure", failure));
    }
    let sent = match publication.blocks {
        0 => "nothing".to_owned(),
        blocks => format!("{}, {}", count(blocks, "block", "blocks"), bytes(publication.bytes)),
    };
    let requests = publication.requests.map(|requests| format!(", in {}", count(requests, "request", "requests")));
    rows.push(fact(Role::Text, "sent", sent + &requests.unwrap_or_default()));
    if let Some(former) = &publication.former {
        rows.push(fact(Role::Dim, "before", former));
    }
    let back = key(app, Command::Rollback);
    let (role, words) = match (publication.current, publication.pinned, publication.kept) {
        (true, ..) => (Role::Good, "this is the target's published root".to_owned()),
        _ if publication.state == State::Published && publication.same_root => {
            (Role::Good, "the target's published root is this one again".to_owned())
        }
        (false, true, true) => {
            (Role::Text, format!("pinned there and kept here: {back} rolls back to it and sends nothing"))
        }
        (false, true, false) => (Role::Text, "pinned there, not kept here".to_owned()),
        (false, false, true) => (Role::Text, format!("kept here: {back} rolls back to it")),
        (false, false, false) => (Role::Dim, "not kept: can't roll back to it".to_owned()),
    };
    rows.push(fact(role, "state", words));
    Page { before: rows, ..Page::default() }
}
