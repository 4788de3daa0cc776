//! What is known of this program's own node: who serves it, how far others reach it, its name, who holds a copy and who took what.
//! The sentences are those of the command line; followers are a table.

use super::super::app::App;
use super::super::cells::{age, cut, cut_middle, left, width};
use super::super::describe::{Role, Row as Words, fact as row};
use super::publish::how_to_serve;
use crate::engine::own_node::report;
use crate::engine::own_node::{SeenFollower, Serving};
use crate::engine::targets::TargetView;

/// Columns that a follower's row is indented by.
const INDENT: usize = 2;
/// Columns of what a follower holds, of how many blobs are left, and of when it was heard of.
const HELD_COLUMNS: [usize; 3] = [14, 12, 10];
/// A table of fewer columns has less of each root.
const WIDE_COLUMNS: usize = 70;
const NARROW_ROOT_COLUMNS: usize = 8;
/// The columns of an address at most, and of a peer at least.
const MAX_ADDRESS_COLUMNS: usize = 39;
const MIN_PEER_COLUMNS: usize = 8;

/// Where a target is given out, and its name.
pub(super) fn of_target(app: &App, target: &TargetView, serving: &[Serving]) -> Vec<Words> {
    let mut facts = report::served(serving, &how_to_serve(app));
    if let Some(name) = &target.ipns_name {
        facts.extend(report::name(name, target.root.as_deref(), app.wall));
    }
    facts.iter().map(row).collect()
}

/// Who holds a copy, in a table of so many columns, and who took how much.
pub(super) fn of_others(app: &App, serving: &[Serving], newest: Option<&str>, columns: usize) -> Vec<Words> {
    let mut rows = Vec::new();
    if let Some(summary) = report::followers_in_short(serving, newest) {
        rows.push((Role::Text, format!("{:<9} {summary}", "followers")));
        rows.extend(table(app, serving, newest, columns));
    } else if !serving.is_empty() {
        rows.push((Role::Dim, format!("{:<9} none heard of in the last day", "followers")));
    }
    rows.extend(report::taken(serving).iter().map(row));
    rows
}

fn table(app: &App, serving: &[Serving], newest: Option<&str>, columns: usize) -> Vec<Words> {
    let glyphs = &app.look.glyphs;
    let now = app.wall.as_second();
    let (followers, more) = report::followers(serving);
    let cells: Vec<(&SeenFollower, [String; 3])> =
        followers.into_iter().map(|follower| (follower, cells(follower, newest, now))).collect();
    // What the cells and their gaps leave is for peers and addresses: those whole, if there is room.
    let of_cells: [usize; 3] = std::array::from_fn(|place| {
        let widest = cells.iter().map(|(_, cells)| width(&cells[place])).max().unwrap_or(0);
        let most = if place == 0 && columns < WIDE_COLUMNS { NARROW_ROOT_COLUMNS } else { HELD_COLUMNS[place] };
        widest.clamp(5, most)
    });
    let room = columns.saturating_sub(INDENT + of_cells.iter().sum::<usize>() + 8);
    let widest =
        |of: fn(&SeenFollower) -> &str| cells.iter().map(|(follower, _)| width(of(follower))).max().unwrap_or(0);
    let address = widest(|follower| &follower.address)
        .clamp(7, MAX_ADDRESS_COLUMNS)
        .min(room.saturating_sub(MIN_PEER_COLUMNS).max(7));
    let peer = room.saturating_sub(address).clamp(MIN_PEER_COLUMNS, widest(|follower| &follower.peer_id).max(8));
    let line = |role, peer_id: &str, at: &str, [held, left_over, heard]: [&str; 3]| {
        let texts = [
            left(peer_id, peer, glyphs),
            left(&cut(at, address, glyphs), address, glyphs),
            left(held, of_cells[0], glyphs),
            left(left_over, of_cells[1], glyphs),
            cut(heard, of_cells[2], glyphs),
        ];
        (role, format!("{:INDENT$}{}", "", texts.join("  ").trim_end()))
    };
    let mut rows = vec![line(Role::Dim, "PEER", "ADDRESS", ["HOLDS", "LEFT", "HEARD"])];
    rows.extend(cells.iter().map(|(follower, [held, left_over, heard])| {
        let role = if newest == Some(&*follower.root) { Role::Text } else { Role::Warning };
        let held = cut_middle(held, of_cells[0], glyphs);
        line(role, &follower.peer_id, &follower.address, [&held, left_over, heard])
    }));
    if more > 0 {
        rows.push((Role::Dim, format!("{:INDENT$}and {more} more", "")));
    }
    rows
}

/// What a follower holds, what is left of it, and when that was heard, in few columns.
fn cells(follower: &SeenFollower, newest: Option<&str>, now: i64) -> [String; 3] {
    let held = if newest == Some(&*follower.root) { "newest".to_owned() } else { follower.root.clone() };
    let left_over = match follower.left {
        0 => "none".to_owned(),
        left => crate::text::count(left, "blob", "blobs"),
    };
    [held, left_over, format!("{} ago", age(now - follower.seen))]
}
